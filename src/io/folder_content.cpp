#include "loe/io/folder_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "io/picture_folder.h"
#include "io/text.h"
#include "loe/base/error.h"
#include "loe/io/video_file.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

/// Videos are looked for in so many files: each must be opened.
constexpr int kMaxOpened = 64;
constexpr std::size_t kMaxNamed = 4;

bool holds_pictures(const std::string& folder) {
  try {
    return has_pictures(folder);
  } catch (const Error&) {
    return false;
  }
}

std::string list(std::vector<std::string> names) {
  std::sort(names.begin(), names.end(), natural_less);
  const std::size_t n = names.size();
  names.resize(std::min(n, kMaxNamed));
  for (std::string& name : names) name = printable(name, 40);
  return fmt::format("{}{}", fmt::join(names, ", "), n > kMaxNamed ? ", ..." : "");
}

}  // namespace

FolderContent folder_content(const std::string& path) {
  std::vector<std::string> folders;
  std::vector<std::string> videos;
  int n_files = 0;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (name[0] == '.') continue;
    if (it->is_directory(ignored)) {
      if (holds_pictures(it->path().string())) folders.push_back(name);
    } else if (++n_files <= kMaxOpened && is_video(it->path().string())) {
      videos.push_back(name);
    }
  }
  if (!folders.empty()) {
    return {fmt::format("a folder without pictures, but with folders of them ({})", list(folders)),
            fmt::format("name {}", folders.size() == 1 ? "that one" : "one of them")};
  }
  if (!videos.empty()) {
    return {fmt::format("a folder without pictures, but with videos ({})", list(videos)),
            fmt::format("name {}", videos.size() == 1 ? "that one" : "one of them")};
  }
  if (n_files == 0) return {"a folder without files", "check the spelling"};
  return {"a folder without pictures", "name one with pictures"};
}

}  // namespace loe
