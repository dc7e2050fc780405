#include "io/picture_folder.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <functional>
#include <string_view>
#include <system_error>
#include <utility>

#include "io/file_handle.h"
#include "io/image_formats.h"
#include "loe/base/error.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

/// A GIF beside frames is a clip made of them.
bool is_frame_format(const ImageFormat* format) {
  return format != nullptr && std::string_view(format->name) != "gif";
}

bool holds_picture(const std::string& path) {
  try {
    const ReadHandle file(path);
    std::array<unsigned char, 32> head{};
    const std::size_t n = static_cast<std::size_t>(std::min<uint64_t>(file.size(), head.size()));
    file.read_at(0, head.data(), n);
    return is_frame_format(format_of_content({head.data(), n}));
  } catch (const Error&) {
    return false;
  }
}

/// Calls visit(name, path) for the files of a folder that are not hidden until it returns false.
void for_each_file(const std::string& folder,
                   const std::function<bool(const std::string& name, const std::string& path)>& visit) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    std::error_code ignored;
    if (name[0] != '.' && !entries->is_directory(ignored) && !visit(name, entries->path().string())) {
      return;
    }
  }
  if (error) {
    throw_io_error(folder, "list the folder", error.value());
  }
}

}  // namespace

bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (!is_digit(a[i]) || !is_digit(b[j])) {
      if (a[i] != b[j]) {
        return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
      }
      ++i;
      ++j;
      continue;
    }
    const auto number = [](const std::string& text, std::size_t& at) {
      const std::size_t first = std::min(text.find_first_not_of('0', at), text.size());
      at = first;
      while (at < text.size() && is_digit(text[at])) {
        ++at;
      }
      return text.substr(first, at - first);
    };
    const std::string x = number(a, i);
    const std::string y = number(b, j);
    if (x != y) {
      return x.size() != y.size() ? x.size() < y.size() : x < y;
    }
  }
  if (i < a.size() || j < b.size()) {
    return j < b.size();
  }
  return a < b;  // equal but for leading zeros
}

std::vector<std::string> list_pictures(const std::string& folder) {
  std::vector<std::string> names;
  for_each_file(folder, [&](const std::string& name, const std::string& path) {
    // An empty or unreadable .png is a broken frame, not something else.
    if (is_frame_format(format_of_extension(name)) || holds_picture(path)) {
      names.push_back(name);
    }
    return true;
  });
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

std::vector<std::string> list_pictures_below(const std::string& folder) {
  std::vector<std::string> found;
  std::vector<std::string> folders = {""};  // below `folder`, "" or "a/b/"
  while (!folders.empty()) {
    const std::string below = std::move(folders.back());
    folders.pop_back();
    const std::string path = (fs::path(folder) / below).string();
    for (const std::string& name : list_pictures(path)) {
      found.push_back(below + name);
    }
    std::error_code error;
    fs::directory_iterator entries(path, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
      const std::string name = entries->path().filename().string();
      std::error_code ignored;
      if (name[0] != '.' && fs::is_directory(entries->symlink_status(ignored))) {
        folders.push_back(below + name + "/");
      }
    }
    if (error) {
      throw_io_error(path, "list the folder", error.value());
    }
  }
  std::sort(found.begin(), found.end(), natural_less);
  return found;
}

bool has_pictures(const std::string& folder) {
  bool found = false;
  for_each_file(folder, [&](const std::string&, const std::string& path) {
    found = holds_picture(path);
    return !found;
  });
  return found;
}

}  // namespace loe
