#include "loe/io/picture_set_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>

#include "io/file_handle.h"
#include "io/picture_folder.h"
#include "io/text.h"
#include "loe/base/error.h"
#include "loe/io/image_edit.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxResolution = 4096;
constexpr int64_t kMaxPictureBytes = int64_t{1} << 30;  // one decoded picture per worker

struct FileCloser {
  int fd;
  ~FileCloser() { ::close(fd); }
};

std::shared_ptr<uint8_t> map_bytes(int fd, std::size_t n_bytes) {
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* memory = ::mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) {
    throw Error(ErrorKind::OutOfMemory, fmt::format("[pictures] expected {} bytes for the set, got: {}; free some, or "
                                                    "use fewer pictures or a lower resolution",
                                                    n_bytes, std::strerror(errno)));
  }
  return {static_cast<uint8_t*>(memory), [n_bytes](uint8_t* at) { ::munmap(at, n_bytes); }};
}

/// Space in a file without a name. All of it is claimed here: writing to a mapped file on a full disk would end the
/// process (SIGBUS) instead of failing.
std::shared_ptr<uint8_t> map_temporary_file(const std::string& folder, std::size_t n_bytes) {
  std::string path = (fs::path(folder) / ".loe-pictures-XXXXXX").string();
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) {
    throw_io_error(folder, "make a temporary file for the pictures", errno);
  }
  const FileCloser closer{fd};  // the mapping keeps the file
  ::unlink(path.c_str());
  int error_number = 0;
  do {
    error_number = ::posix_fallocate(fd, 0, static_cast<off_t>(n_bytes));
  } while (error_number == EINTR);
  if (error_number != 0) {
    throw_io_error(folder, fmt::format("claim {} bytes for a temporary file of pictures", n_bytes), error_number);
  }
  return map_bytes(fd, n_bytes);
}

std::string temporary_folder(const PictureSetOptions& options) {
  if (!options.temporary_folder.empty()) return options.temporary_folder;
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/var/tmp";
}

void check_options(const std::string& folder, const PictureSetOptions& options) {
  if (options.resolution < 1 || options.resolution > kMaxResolution) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[pictures] resolution: expected 1..{}, got {}", kMaxResolution, options.resolution));
  }
  if (options.min_pictures < 1 || options.max_memory_bytes < 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[pictures] min_pictures, max_memory_bytes: expected at least 1 and 0, got {} and {}",
                            options.min_pictures, options.max_memory_bytes));
  }
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (!fs::is_directory(status)) {
    throw Error(ErrorKind::NotFound,
                fmt::format("[pictures] {}: expected a folder with pictures, got {}; check the spelling", folder,
                            fs::exists(status) ? "a file" : "nothing of that name"));
  }
}

/// Reads file `name` into out [R, R, 3]; the reason if it cannot be used, else "".
std::string read_square(const std::string& path, int resolution, uint8_t* out) {
  try {
    // The header first: small pictures, which are skipped, need not be decoded.
    const ImageFileInfo info = read_image_info(path);
    if (std::min(info.width, info.height) < resolution) {
      return fmt::format("[pictures] expected at least {0}x{0} pixels, got {1}x{2}", resolution, info.width,
                         info.height);
    }
    const Image image = read_image(path, kMaxPictureBytes);
    const int side = std::min(image.width(), image.height());
    area_average_to_u8(image, (image.width() - side) / 2, (image.height() - side) / 2, side, resolution, out);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

class Progress {
 public:
  Progress(const PictureSetOptions& options, int64_t n_total) : options_(options), n_total_(n_total) {}
  void count_one() {
    if (!options_.on_progress) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!options_.on_progress(++n_done_, n_total_)) {
      throw Error(ErrorKind::Cancelled,
                  fmt::format("[pictures] stopped on request after {} of {} pictures", n_done_, n_total_));
    }
  }

 private:
  const PictureSetOptions& options_;
  int64_t n_total_;
  int64_t n_done_ = 0;
  std::mutex mutex_;
};

void require_enough(const std::string& folder, const PictureSetOptions& options, const PictureFolder& result) {
  const auto n_usable = static_cast<int64_t>(result.names.size());
  if (n_usable >= options.min_pictures) return;
  const std::string first =
      result.skipped.empty() ? ""
                             : fmt::format(" (the first that was skipped: {}: {})", printable(result.skipped[0].name),
                                           printable(result.skipped[0].reason, 200));
  throw Error(ErrorKind::InvalidArgument,
              fmt::format("[pictures] {}: expected at least {} pictures of {}x{} or more pixels, got {} of {} "
                          "files{}; add pictures or lower the resolution",
                          folder, options.min_pictures, options.resolution, options.resolution, n_usable,
                          result.names.size() + result.skipped.size(), first));
}

}  // namespace

PictureFolder read_picture_folder(const std::string& folder, const PictureSetOptions& options, ThreadPool& pool) {
  check_options(folder, options);
  const std::vector<std::string> files = list_pictures_below(folder);
  const auto n_files = static_cast<int64_t>(files.size());
  const int64_t per_picture = int64_t{3} * options.resolution * options.resolution;
  PictureFolder result;
  std::shared_ptr<uint8_t> pixels;
  if (n_files >= options.min_pictures) {  // else nothing needs reading: the error comes below
    const int64_t n_bytes = n_files * per_picture;
    result.is_mapped = n_bytes > options.max_memory_bytes;
    pixels = result.is_mapped ? map_temporary_file(temporary_folder(options), static_cast<std::size_t>(n_bytes))
                              : map_bytes(-1, static_cast<std::size_t>(n_bytes));
  } else {
    require_enough(folder, options, {{}, files, {}, false});
  }
  std::vector<std::string> reasons(files.size());
  Progress progress(options, n_files);
  pool.parallel_for(n_files, [&](int64_t i, int) {
    const auto at = static_cast<std::size_t>(i);
    reasons[at] =
        read_square((fs::path(folder) / files[at]).string(), options.resolution, pixels.get() + i * per_picture);
    progress.count_one();
  });
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!reasons[i].empty()) {
      result.skipped.push_back({files[i], reasons[i]});
      continue;
    }
    if (result.names.size() != i) {  // close the gaps that skipped files left
      std::memcpy(pixels.get() + static_cast<int64_t>(result.names.size()) * per_picture,
                  pixels.get() + static_cast<int64_t>(i) * per_picture, static_cast<std::size_t>(per_picture));
    }
    result.names.push_back(files[i]);
  }
  require_enough(folder, options, result);
  result.pictures = PictureSet(options.resolution, static_cast<int64_t>(result.names.size()), std::move(pixels));
  return result;
}

}  // namespace loe
