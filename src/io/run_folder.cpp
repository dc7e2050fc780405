#include "loe/io/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "io/file_handle.h"
#include "loe/base/error.h"
#include "loe/io/file.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpointPrefix = "step-";
constexpr const char* kCheckpointSuffix = ".safetensors";
/// What a run writes; these names move away when a folder is reused.
constexpr const char* kRunEntries[] = {"config.toml",
                                       "environment.json",
                                       "log.txt",
                                       "metrics.jsonl",
                                       "result.json",
                                       "model.safetensors",
                                       "checkpoints",
                                       "images",
                                       "error",
                                       "reconstruction.png",
                                       "error.png",
                                       "reconstruction.exr",
                                       "reconstruction.tif",
                                       "reconstruction.tiff",
                                       ".lock"};
/// More folders of one name and second than this mean that something else is wrong.
constexpr int kMaxCollisions = 1000;

[[noreturn]] void fail(const std::string& path, const std::string& what, int error) {
  throw Error(ErrorKind::Io,
              fmt::format("[run] {}: cannot {}: {}; {}", path, what, std::strerror(error), remedy_for(error)));
}

/// mkdir; false if it is there already.
bool make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0777) == 0) return true;
  if (errno != EEXIST) fail(path, "create this folder", errno);
  return false;
}

void make_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail(path.string(), "create this folder", error.value());
}

std::string step_name(int64_t step, const char* extension) {
  return fmt::format("{}{:09d}{}", kCheckpointPrefix, step, extension);
}

std::optional<int64_t> step_of(const std::string& name) {
  const std::string prefix = kCheckpointPrefix;
  const std::string suffix = kCheckpointSuffix;
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
  const std::string digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  const bool is_number = !digits.empty() && digits.size() <= 18 &&
                         std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number) return std::nullopt;
  return std::stoll(digits);
}

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y%m%d-%H%M%S", &parts);
  return text;
}

int lock_folder(const std::string& path) {
  const std::string name = path + "/.lock";
  const int descriptor = ::open(name.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(name, "create this file", errno);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(descriptor);
    throw Error(ErrorKind::Io, fmt::format("[run] {}: expected a run that nobody writes to, but another loe process is "
                                           "training it; wait for it or stop it first",
                                           path));
  }
  // Any other failure means a file system without locks: go on unguarded.
  return descriptor;
}

void move_previous_run(const std::string& path) {
  std::vector<std::string> present;
  for (const char* name : kRunEntries) {
    std::error_code error;
    if (fs::exists(fs::symlink_status(fs::path(path) / name, error))) present.emplace_back(name);
  }
  if (present.empty()) return;
  int n = 1;
  while (!make_folder(fmt::format("{}/previous-{}", path, n))) {
    if (++n > kMaxCollisions) fail(path, "find a free name previous-<n> in this folder", EEXIST);
  }
  for (const std::string& name : present) {
    std::error_code error;
    fs::rename(fs::path(path) / name, fmt::format("{}/previous-{}/{}", path, n, name), error);
    if (error) fail(path + "/" + name, "move this to previous-<n>", error.value());
  }
}

}  // namespace

LineFile::LineFile(const std::string& path)
    : path_(path), descriptor_(::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail(path, "open this file for writing", errno);
}

LineFile::~LineFile() {
  ::close(descriptor_);
}

void LineFile::append(const std::string& line) {
  const std::string text = line + "\n";
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  ssize_t written = 0;
  do {
    written = ::write(descriptor_, text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(text.size())) return;
  const int error = written < 0 ? errno : ENOSPC;
  if (written > 0 && before >= 0 && ::ftruncate(descriptor_, before) != 0) {
    fail(path_, "take back half a line of this file", errno);
  }
  fail(path_, "append to this file", error);
}

RunFolder::RunFolder(RunFolder&& other) noexcept : path_(std::move(other.path_)), lock_(other.lock_) {
  other.lock_ = -1;
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

RunFolder RunFolder::prepare(const std::string& path) {
  const int lock = lock_folder(path);
  RunFolder folder(path, lock);
  for (const char* name : {"checkpoints", "images", "error"}) {
    make_folder(path + "/" + name);
  }
  return folder;
}

std::string create_dated_folder(const std::string& parent, const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos || name[0] == '.') {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[run] name: expected a plain file name, got '{}'; use --out for a path", name));
  }
  make_folders(parent);
  const std::string base = fmt::format("{}/{}-{}", parent, name, timestamp());
  for (int n = 1; n <= kMaxCollisions; ++n) {
    const std::string path = n == 1 ? base : fmt::format("{}-{}", base, n);
    if (make_folder(path)) return path;
  }
  fail(base, "find a free name for this folder", EEXIST);
}

RunFolder RunFolder::create(const std::string& parent, const std::string& name) {
  return prepare(create_dated_folder(parent, name));
}

RunFolder RunFolder::create_at(const std::string& path, bool reuse) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::exists(status)) {
    if (!fs::is_directory(status)) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[run] {}: expected a folder, found a file; choose another --out", path));
    }
    const bool is_empty = fs::is_empty(path, error);
    if (error) fail(path, "read this folder", error.value());
    if (!is_empty && !reuse) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[run] {}: expected a new or empty folder, found files in it; choose another --out, add "
                              "--force to reuse it, or continue the run in it with --resume",
                              path));
    }
    if (!is_empty) {
      const int lock = lock_folder(path);  // a training in progress must not lose its folder
      ::close(lock);
      move_previous_run(path);
    }
  } else {
    make_folders(path);
  }
  return prepare(path);
}

RunFolder RunFolder::open(const std::string& path) {
  if (!is_run(path)) {
    throw Error(
        ErrorKind::NotFound,
        fmt::format("[run] {}: expected a run folder with a config.toml in it, found none; give the folder that "
                    "`loe fit` printed",
                    path));
  }
  return prepare(path);
}

bool RunFolder::is_run(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(fs::path(path) / "config.toml", error);
}

std::string RunFolder::file(const std::string& name) const {
  return path_ + "/" + name;
}

std::string RunFolder::image_path(int64_t step) const {
  return file("images/" + step_name(step, ".png"));
}

std::string RunFolder::error_path(int64_t step) const {
  return file("error/" + step_name(step, ".png"));
}

std::string RunFolder::checkpoint_path(int64_t step) const {
  return file("checkpoints/" + step_name(step, kCheckpointSuffix));
}

std::string RunFolder::best_checkpoint_path() const {
  return file("checkpoints/best.safetensors");
}

bool RunFolder::mark_last(int64_t step) const {
  const std::string link = file("checkpoints/last.safetensors");
  const std::string temporary = temporary_path(link);
  std::error_code error;
  fs::create_symlink(step_name(step, kCheckpointSuffix), temporary, error);
  if (error) return false;
  fs::rename(temporary, link, error);
  if (error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    return false;
  }
  return true;
}

std::vector<CheckpointFile> list_checkpoints(const std::string& run_path) {
  std::vector<CheckpointFile> found;
  std::error_code error;
  for (fs::directory_iterator it(fs::path(run_path) / "checkpoints", error), end; !error && it != end;
       it.increment(error)) {
    const std::optional<int64_t> step = step_of(it->path().filename().string());
    if (step) found.push_back({*step, it->path().string()});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step > b.step; });
  return found;
}

void drop_metrics_after(const std::string& path, int64_t step) {
  std::error_code error;
  if (!fs::exists(path, error)) return;
  const std::string text = read_text_file(path, std::size_t{1} << 30);
  std::string kept;
  kept.reserve(text.size());
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
    const bool has_step = object.is_object() && object.contains("step") && object["step"].is_number_integer();
    if (has_step && object["step"].get<int64_t>() <= step) kept += line + "\n";
  }
  if (kept != text) write_text_file(path, kept);
}

}  // namespace loe
