// Videos as folders of numbered pictures.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "io/file_handle.h"
#include "io/picture_folder.h"
#include "io/text.h"
#include "io/video_source.h"
#include "loe/io/file.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

std::string picture_shape(const ImageFileInfo& info) {
  return fmt::format("{}x{} with {} channels of {}", info.width, info.height, info.n_channels, to_string(info.type));
}

/// The number that a name ends with before its extension, and what stands around it; false if there is none.
bool split_number(const std::string& name, std::string& around, int64_t& number) {
  const std::string stem = fs::path(name).stem().string();
  const std::size_t last = stem.find_last_not_of("0123456789");
  const std::size_t begin = last == std::string::npos ? 0 : last + 1;
  constexpr std::size_t kMaxDigits = 15;
  if (begin == stem.size() || stem.size() - begin > kMaxDigits) return false;
  number = std::stoll(stem.substr(begin));
  around = stem.substr(0, begin) + fs::path(name).extension().string();
  return true;
}

/// "frames 3 to 4 are missing between f0002.png and f0005.png"; "" if names are no series, or one of equal steps.
std::string missing_numbers(const std::vector<std::string>& names) {
  std::vector<int64_t> numbers;
  std::string first;
  for (const std::string& name : names) {
    std::string around;
    int64_t number = 0;
    if (!split_number(name, around, number) || (!numbers.empty() && around != first)) return "";
    first = around;
    numbers.push_back(number);
  }
  int64_t step = 0;
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    const int64_t found = numbers[i] - numbers[i - 1];
    step = step == 0 ? found : std::min(step, found);
  }
  if (step <= 0) return "";
  int64_t n_missing = 0;
  std::string where;
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    const int64_t n = (numbers[i] - numbers[i - 1]) / step - 1;
    if (n > 0 && where.empty()) {
      const int64_t from = numbers[i - 1] + step;
      where = fmt::format(
          "{} missing between {} and {}",
          n == 1 ? fmt::format("frame {} is", from) : fmt::format("frames {} to {} are", from, from + (n - 1) * step),
          printable(names[i - 1]), printable(names[i]));
    }
    n_missing += n;
  }
  if (where.empty()) return "";
  return where + (where.starts_with("frame ") && n_missing == 1 ? "" : fmt::format(" ({} in all)", n_missing));
}

class FolderSource final : public VideoSource {
 public:
  explicit FolderSource(const std::string& path) : path_(path), names_(list_pictures(path)) {
    if (names_.empty()) {
      fail_video(ErrorKind::Format, path_, "a folder with pictures", "none", "name a folder of frames");
    }
    first_ = read_image_info(file(0));
    if (first_.type != PixelType::U8 && first_.type != PixelType::U16) {
      fail_video(ErrorKind::Unsupported, path_, "pictures of 8 or 16 bits",
                 fmt::format("{} in {}", to_string(first_.type), printable(names_[0])), "convert them to PNG first");
    }
    if (int64_t{first_.width} * first_.height > kMaxFramePixels) {
      fail_video(ErrorKind::Unsupported, path_, fmt::format("frames of at most {} pixels", kMaxFramePixels),
                 fmt::format("{}x{}", first_.width, first_.height), "make them smaller first");
    }
    info_.format = "frames";
    info_.codec = first_.format;
    info_.width = first_.width;
    info_.height = first_.height;
    info_.n_channels = has_colors() ? 3 : 1;
    info_.has_alpha = first_.n_channels % 2 == 0;  // a second or fourth channel, dropped whatever it is
    if (first_.n_channels % 2 == 0 && first_.tags.alpha == AlphaKind::None) {
      info_.notes.emplace_back("the last channel of each picture, which is no alpha, is left out");
    }
    info_.type = first_.type;
    info_.n_frames = static_cast<int64_t>(names_.size());
    info_.color = {"rgb", "full", "unknown", "unknown"};
    info_.pixel_aspect = first_.tags.pixel_aspect;
    if (const std::string gaps = missing_numbers(names_); !gaps.empty()) {
      info_.notes.push_back(gaps + "; those that are there are taken as evenly spaced");
    }
  }

  bool next(Image* image) override {
    if (n_frames_ == names_.size()) {
      return false;
    }
    if (image != nullptr) {
      read_frame(*image);
    }
    ++n_frames_;
    return true;
  }

 private:
  std::string file(std::size_t n) const { return (fs::path(path_) / names_[n]).string(); }

  void read_frame(Image& image) {
    // The header first: a huge picture among small ones is not decoded.
    const ImageFileInfo info = read_image_info(file(n_frames_));
    if (info.width != first_.width || info.height != first_.height || info.type != first_.type) {
      fail_video(ErrorKind::Unsupported, path_,
                 fmt::format("all pictures as {}, {}", printable(names_[0]), picture_shape(first_)),
                 fmt::format("{} in {}", picture_shape(info), printable(names_[n_frames_])),
                 "convert them to one size and depth first");
    }
    image = read_image(file(n_frames_));
    if (image.n_channels() != info_.n_channels) {
      take_colors(image);
    }
  }

  /// Whether any picture has colours: programs that shrink PNGs make grey ones of frames that are.
  bool has_colors() const {
    for (std::size_t n = 0; n < names_.size(); ++n) {
      try {
        if ((n == 0 ? first_ : read_image_info(file(n))).n_channels > 2) return true;
      } catch (const Error&) {
        return false;  // said when its turn comes
      }
    }
    return false;
  }

  /// Without alpha, and grey as RGB beside pictures of colours.
  void take_colors(Image& image) {
    Image opaque(image.width(), image.height(), info_.n_channels, image.type());
    opaque.tags = image.tags;
    const auto value = static_cast<std::size_t>(bytes_per_value(image.type()));
    const std::size_t from = value * static_cast<std::size_t>(image.n_channels());
    const auto n_pixels = static_cast<std::size_t>(image.n_pixels());
    const std::byte* source = image.data();
    std::byte* target = opaque.data();
    for (std::size_t i = 0; i < n_pixels; ++i, source += from) {
      for (int c = 0; c < info_.n_channels; ++c, target += value) {
        std::memcpy(target, source + (image.n_channels() < 3 ? 0 : static_cast<std::size_t>(c) * value), value);
      }
      for (std::size_t k = from - value; image.has_alpha() && k < from; ++k) {  // all ones: opaque
        has_transparency_ = has_transparency_ || source[k] != std::byte{255};
      }
    }
    image = std::move(opaque);
  }

  std::string path_;
  std::vector<std::string> names_;
  ImageFileInfo first_;
  std::size_t n_frames_ = 0;
};

/// Pictures go to a folder under a temporary name, which takes the final one at the end.
class FolderSink final : public VideoSink {
 public:
  explicit FolderSink(const std::string& path) : path_(without_slash(path)) {
    std::error_code error;
    const fs::file_status status = fs::status(path_, error);
    if (fs::exists(status) && (!fs::is_directory(status) || !fs::is_empty(path_, error) || error)) {
      throw Error(ErrorKind::Io,
                  fmt::format("[video] {}: expected a new name or an empty folder, got {}; choose another "
                              "name",
                              path_, fs::is_directory(status) ? "a folder with files" : "a file"));
    }
    temporary_ = temporary_path(path_);
    if (!fs::create_directory(temporary_, error)) {
      throw_io_error(path_, "create a folder", error.value());
    }
  }
  ~FolderSink() override {
    if (!temporary_.empty()) {
      std::error_code ignored;
      fs::remove_all(temporary_, ignored);
    }
  }
  FolderSink(const FolderSink&) = delete;
  FolderSink& operator=(const FolderSink&) = delete;

  void write(const Image& frame) override {
    const bool is_integer = frame.type() == PixelType::U8 || frame.type() == PixelType::U16;
    write_image(fmt::format("{}/frame-{:06}{}", temporary_, ++n_frames_, is_integer ? ".png" : ".exr"), frame);
  }
  void close() override {
    // An empty folder may be replaced by a rename.
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
      const int error_number = errno;
      throw_io_error(path_, "rename the finished folder to this name", error_number);
    }
    temporary_.clear();
  }

 private:
  static std::string without_slash(std::string path) {
    while (path.size() > 1 && path.back() == '/') {
      path.pop_back();
    }
    return path;
  }

  std::string path_;
  std::string temporary_;
  int64_t n_frames_ = 0;
};

}  // namespace

std::unique_ptr<VideoSource> open_folder_source(const std::string& path) {
  return std::make_unique<FolderSource>(path);
}

std::unique_ptr<VideoSink> open_folder_sink(const std::string& path) {
  return std::make_unique<FolderSink>(path);
}

}  // namespace loe
