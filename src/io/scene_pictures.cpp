#include "io/scene_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <utility>

#include "io/image_formats.h"
#include "io/picture_folder.h"
#include "io/text.h"
#include "loe/base/error.h"
#include "loe/io/file.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_file(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::string join(const std::string& folder, const std::string& name) {
  return (fs::path(folder) / name).lexically_normal().string();
}

/// "%20" is a space in a URL.
std::string decode_percent(const std::string& text) {
  const auto digit = [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return std::isdigit(u) != 0 ? c - '0' : std::isxdigit(u) != 0 ? std::tolower(u) - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? digit(text[i + 1]) : -1;
    const int low = high >= 0 ? digit(text[i + 2]) : -1;
    if (low >= 0 && high * 16 + low != 0) {
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  for (const fs::path& part : fs::path(path)) {
    if (part != "/" && !part.empty()) parts.push_back(part.string());
  }
  return parts;
}

/// Without the ending of a picture; any other is part of the name.
std::string stem_of(const std::string& name) {
  return format_of_extension(name) == nullptr ? name : fs::path(name).stem().string();
}

/// Formats that names without an ending usually mean come first.
int rank_of_ending(const std::string& name) {
  constexpr std::array<const char*, 4> kUsual = {".png", ".jpg", ".jpeg", ".exr"};
  const auto found = std::find(kUsual.begin(), kUsual.end(), lower(fs::path(name).extension().string()));
  return static_cast<int>(found - kUsual.begin());
}

/// Pictures beside the photos, often of the same names, that are none.
bool is_of_other_pictures(const std::string& folder) {
  constexpr std::array<const char*, 7> kBeginnings = {"mask", "depth", "normal", "seg", "label", "alpha", "sky"};
  const std::string name = lower(fs::path(folder).filename().string());
  return std::any_of(kBeginnings.begin(), kBeginnings.end(),
                     [&](const char* beginning) { return name.starts_with(beginning); });
}

/// Of a scene's folders, those where pictures usually are come first.
int rank_of_folder(const std::string& name) {
  if (name.empty()) return 3;
  if (name == "images") return 0;
  if (name.starts_with("images")) return 1;
  return name == "input" ? 2 : 4;
}

}  // namespace

std::string normal_name(const std::string& name) {
  std::string text = name;
  std::replace(text.begin(), text.end(), '\\', '/');
  const std::size_t scheme = text.find("://");
  if (scheme != std::string::npos && text.find('/') > scheme) {
    const std::size_t host = text.find('/', scheme + 3);
    text = host == std::string::npos ? text.substr(scheme + 3) : text.substr(host);
    text = text.substr(0, text.find('?'));
  }
  if (text.size() > 2 && text[1] == ':' && std::isalpha(static_cast<unsigned char>(text[0])) != 0 && text[2] == '/') {
    text = text.substr(2);
  }
  text = fs::path(text).lexically_normal().string();
  return text.starts_with("//") ? text.substr(1) : text;
}

std::string real_folder(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return path;
  constexpr std::size_t kMaxBytes = 1024;
  const fs::path file(path);
  if (file.has_extension() || !is_file(path) || fs::file_size(file, error) > kMaxBytes) return "";
  try {
    std::string text = read_text_file(path, kMaxBytes);
    text.erase(text.find_last_not_of("\r\n") + 1);
    const bool is_path = !text.empty() && text.find_first_of(std::string("\n\0", 2)) == std::string::npos;
    if (!is_path || fs::path(text).is_absolute()) return "";
    const std::string target = join(file.parent_path().string(), text);
    return is_folder(target) ? target : "";
  } catch (const Error&) {
    return "";
  }
}

double reduction_of(const std::string& folder_name) {
  const std::size_t bar = folder_name.rfind('_');
  const std::string digits = bar == std::string::npos ? "" : folder_name.substr(bar + 1);
  const bool is_number = !digits.empty() && digits.size() <= 2 &&
                         std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  constexpr int kMost = 64;
  const int value = is_number ? std::stoi(digits) : 1;
  return value >= 1 && value <= kMost ? value : 1;
}

PictureFinder::PictureFinder(const std::string& folder, const std::string& images)
    : folder_(folder.empty() ? "." : folder), images_(images) {}

/// real_folder(), or the path itself where there is none.
std::string PictureFinder::follow(const std::string& folder) {
  const std::string real = real_folder(folder);
  if (!real.empty() && real != folder) link_ = folder;
  return real.empty() ? folder : real;
}

const PictureFinder::Listing& PictureFinder::list(const std::string& folder) {
  const auto [found, is_new] = listings_.try_emplace(folder);
  Listing& listing = found->second;
  if (!is_new) return listing;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (name[0] == '.') continue;
    std::string& entry_name = listing.by_lower.try_emplace(lower(name), name).first->second;
    entry_name = std::min(entry_name, name);  // whatever order the system lists them in
    if (format_of_extension(name) == nullptr || !entry->is_regular_file(ignored)) continue;
    listing.by_stem[lower(stem_of(name))].push_back(name);
    ++listing.n_pictures;
  }
  for (auto& [stem, names] : listing.by_stem) {
    std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return std::pair(rank_of_ending(a), a) < std::pair(rank_of_ending(b), b);
    });
  }
  return listing;
}

std::optional<FoundPicture> PictureFinder::find_in(const std::string& folder, const std::string& name) {
  const std::string plain = join(folder, name);
  if (is_file(plain)) return FoundPicture{.path = plain, .folder = {}};
  // Part by part: the system may tell capitals apart that the writer's did not.
  FoundPicture found{.path = follow(folder), .folder = {}};
  const std::vector<std::string> parts = split_path(name);
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const std::string next = follow(join(found.path, parts[i]));
    if (is_folder(next)) {
      found.path = next;
      continue;
    }
    const Listing& listing = list(found.path);
    const auto entry = listing.by_lower.find(lower(parts[i]));
    if (entry == listing.by_lower.end()) return std::nullopt;
    found.path = join(found.path, entry->second);
    found.how = FoundBy::Spelling;
  }
  if (parts.empty()) return std::nullopt;
  const std::string& last = parts.back();
  const Listing& listing = list(found.path);
  const auto take = [&](const std::string& entry, FoundBy how) {
    found.path = join(found.path, entry);
    found.how = std::max(found.how, how);
    return found;
  };
  const auto same = listing.by_lower.find(lower(last));
  if (same != listing.by_lower.end() && is_file(join(found.path, same->second))) {
    return take(same->second, same->second == last ? FoundBy::Name : FoundBy::Spelling);
  }
  const bool has_ending = format_of_extension(last) != nullptr;
  const auto stem = listing.by_stem.find(lower(stem_of(last)));
  if (stem == listing.by_stem.end()) return std::nullopt;
  // The stem as it is written beats one with other capitals.
  const auto exact = std::find_if(stem->second.begin(), stem->second.end(),
                                  [&](const std::string& entry) { return stem_of(entry) == stem_of(last); });
  const std::string& entry = exact == stem->second.end() ? stem->second.front() : *exact;
  const FoundBy spelling = exact == stem->second.end() ? FoundBy::Spelling : FoundBy::Name;
  return take(entry, has_ending ? FoundBy::Ending : spelling);
}

std::optional<FoundPicture> PictureFinder::find(const std::string& name) {
  if (images_.empty()) {
    if (std::optional<FoundPicture> found = find_in(folder_, name)) return found;
  }
  const std::string normal = normal_name(name);
  for (const std::string& spelling : {normal, normal_name(decode_percent(normal))}) {
    if (images_.empty() && spelling != name) {
      if (std::optional<FoundPicture> found = find_in(folder_, spelling)) {
        found->how = std::max(found->how, FoundBy::Spelling);
        return found;
      }
    }
    if (std::optional<FoundPicture> found = find_parts(spelling)) return found;
  }
  return std::nullopt;
}

std::optional<FoundPicture> PictureFinder::find_parts(const std::string& normal) {
  std::vector<std::string> parts = split_path(normal);
  std::erase(parts, "..");
  std::vector<std::string> folders = {images_};
  if (images_.empty()) {
    folders = picture_folders();
    for (const std::string& folder : picture_folders()) {  // names may hold folders, too
      const std::string above = fs::path(folder).parent_path().string();
      if (std::find(folders.begin(), folders.end(), above) == folders.end()) folders.push_back(above);
    }
  }
  for (std::size_t first = 0; first < parts.size(); ++first) {
    fs::path rest;
    for (std::size_t i = first; i < parts.size(); ++i) rest /= parts[i];
    for (const std::string& folder : folders) {
      std::optional<FoundPicture> found = find_in(join(folder_, folder), rest.string());
      if (!found) continue;
      found->how = FoundBy::LastParts;
      found->folder = folder;
      const std::string written = first > 0 ? parts[first - 1] : "";
      if (written.starts_with("images") || fs::path(folder).filename().string().starts_with("images")) {
        found->reduction = reduction_of(fs::path(folder).filename().string()) / reduction_of(written);
      }
      return found;
    }
  }
  return std::nullopt;
}

const std::vector<std::string>& PictureFinder::picture_folders() {
  if (picture_folders_) return *picture_folders_;
  std::vector<std::string> found;
  const auto visit = [&](const std::string& below, const auto& self, int depth) -> void {
    const std::string path = follow(join(folder_, below));
    const Listing& listing = list(path);
    if (is_of_other_pictures(below)) return;
    if (listing.n_pictures > 0) found.push_back(below);
    if (depth == 0) return;
    constexpr std::size_t kMost = 256;
    for (const auto& [key, name] : listing.by_lower) {
      const fs::path entry = fs::path(path) / name;
      if (found.size() < kMost && !real_folder(entry.string()).empty()) {
        self(below.empty() ? name : below + "/" + name, self, depth - 1);
      }
    }
  };
  visit("", visit, 2);
  std::stable_sort(found.begin(), found.end(), [](const std::string& a, const std::string& b) {
    const int rank_a = rank_of_folder(a);
    const int rank_b = rank_of_folder(b);
    return rank_a != rank_b ? rank_a < rank_b : natural_less(a, b);
  });
  picture_folders_ = std::move(found);
  return *picture_folders_;
}

std::string PictureFinder::contents() {
  std::string text;
  constexpr std::size_t kMost = 5;
  const std::vector<std::string>& folders = picture_folders();
  for (std::size_t i = 0; i < std::min(kMost, folders.size()); ++i) {
    const int64_t n = list(follow(join(folder_, folders[i]))).n_pictures;
    const std::string where = folders[i].empty() ? "" : " in " + printable(folders[i], 40) + "/";
    text += fmt::format("{}{} picture{}{}", text.empty() ? "" : ", ", n, n == 1 ? "" : "s", where);
  }
  if (folders.size() > kMost) text += fmt::format(" and {} more folders", folders.size() - kMost);
  text = text.empty() ? "no pictures" : text;
  if (is_file(join(folder_, "images"))) text += "; images is a file, perhaps a link that was copied as a text";
  return text;
}

}  // namespace loe
