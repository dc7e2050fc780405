// Writing videos: include/loe/io/video_file.h.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <utility>

#include "io/file_handle.h"
#include "io/text.h"
#include "io/video_source.h"

namespace loe {
namespace {

std::string extension_of(const std::string& path) {
  const std::size_t dot = path.find_last_of("./");
  std::string extension = dot == std::string::npos || path[dot] == '/' ? "" : path.substr(dot);
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

void check_request(const std::string& path, const VideoShape& shape, const VideoOptions& options) {
  const auto refuse = [&](const std::string& expected, const std::string& found) {
    fail_video(ErrorKind::InvalidArgument, path, expected, found, "choose another value");
  };
  if (shape.width < 1 || shape.height < 1 || shape.width > kMaxVideoSide || shape.height > kMaxVideoSide) {
    refuse(fmt::format("sides of 1 to {} pixels", kMaxVideoSide), fmt::format("{}x{}", shape.width, shape.height));
  }
  if (shape.n_channels != 1 && shape.n_channels != 3) {
    refuse("1 or 3 channels", fmt::format("{}", shape.n_channels));
  }
  const bool is_folder = !path.empty() && path.back() == '/';
  if (!is_folder && options.type != PixelType::U8 && options.type != PixelType::U16) {
    refuse("depth u8 or u16, or a folder NAME/ of OpenEXR pictures for floats", to_string(options.type));
  }
  const FrameRate& rate = options.rate;
  if (rate.numerator < 1 || rate.denominator < 1 || rate.numerator > INT32_MAX || rate.denominator > INT32_MAX) {
    refuse("a frame rate of two numbers from 1 to 2^31 - 1", fmt::format("{}/{}", rate.numerator, rate.denominator));
  }
  constexpr double kMaxAspect = 1000;
  if (!(options.pixel_aspect >= 1 / kMaxAspect && options.pixel_aspect <= kMaxAspect)) {
    refuse("pixels of 0.001 to 1000 times their height", fmt::format("{}", options.pixel_aspect));
  }
  constexpr double kMaxSeconds = 1e7;
  for (std::size_t i = 0; i < options.times.size(); ++i) {
    if (!(options.times[i] <= kMaxSeconds && options.times[i] > (i == 0 ? -1e-9 : options.times[i - 1]))) {
      refuse("times that grow from 0 on", fmt::format("{} as time {}", options.times[i], i));
    }
  }
  if (!(options.quality >= 0 && options.quality <= 51)) {
    refuse("quality from 0 (best) to 51", fmt::format("{}", options.quality));
  }
}

std::unique_ptr<VideoSink> open_sink(const std::string& path, const VideoShape& shape, const VideoOptions& options) {
  check_request(path, shape, options);
  if (!path.empty() && path.back() == '/') {
    return open_folder_sink(path);
  }
  const std::string extension = extension_of(path);
  if (extension == ".npy") {
    return open_npy_sink(path, shape, options.type);
  }
  const bool known =
      extension == ".mp4" || extension == ".mov" || extension == ".mkv" || extension == ".webm" || extension == ".y4m";
  if (!known) {
    fail_video(ErrorKind::Unsupported, path,
               "one of the extensions .mp4, .mov, .mkv, .webm, .y4m, .npy, or a name that ends in '/' for a folder of "
               "pictures",
               extension.empty() ? "none" : fmt::format("'{}'", printable(extension)), "rename the output");
  }
  if (extension == ".y4m" && options.type != PixelType::U8) {
    fail_video(ErrorKind::Unsupported, path, "u8 for Y4M", to_string(options.type),
               "choose u8, the nearest it has, or another format (.npy, .mkv)");
  }
  return open_libav_sink(path, extension, shape, options);
}

}  // namespace

VideoWriter::VideoWriter(const std::string& path, int width, int height, int n_channels, const VideoOptions& options)
    : sink_(open_sink(path, {width, height, n_channels}, options)),
      stored_(width, height, n_channels, options.type),
      path_(path) {
  const bool is_integer = options.type == PixelType::U8 || options.type == PixelType::U16;
  if (!is_integer) stored_.tags.color_space = "Linear";
}

VideoWriter::~VideoWriter() = default;

void VideoWriter::write_frame(const Image& frame) {
  require_open();
  if (frame.width() != stored_.width() || frame.height() != stored_.height() ||
      frame.n_channels() != stored_.n_channels()) {
    fail_video(
        ErrorKind::InvalidArgument, path_,
        fmt::format("a frame of {}x{} with {} channels", stored_.width(), stored_.height(), stored_.n_channels()),
        fmt::format("{}x{} with {}", frame.width(), frame.height(), frame.n_channels()), "convert it first");
  }
  if (frame.type() == stored_.type()) {
    sink_->write(frame);
  } else {
    std::vector<float> row(static_cast<std::size_t>(frame.width()) * static_cast<std::size_t>(frame.n_channels()));
    for (int y = 0; y < frame.height(); ++y) {
      frame.read_row(0, y, frame.width(), row.data());
      stored_.write_row(0, y, frame.width(), row.data());
    }
    sink_->write(stored_);
  }
  ++n_frames_;
}

void VideoWriter::write_frame(const float* values) {
  require_open();
  for (int y = 0; y < stored_.height(); ++y) {
    stored_.write_row(0, y, stored_.width(), values + int64_t{y} * stored_.width() * stored_.n_channels());
  }
  sink_->write(stored_);
  ++n_frames_;
}

void VideoWriter::close() {
  require_open();
  if (n_frames_ == 0) {
    fail_video(ErrorKind::InvalidArgument, path_, "at least one frame before closing", "none", "write one");
  }
  sink_->close();
  sink_.reset();
}

void VideoWriter::require_open() const {
  if (!sink_) {
    fail_video(ErrorKind::InvalidArgument, path_, "an open writer", "one that is closed", "make another one");
  }
}

void write_video(const std::string& path, const Video& video) {
  VideoOptions options;
  options.rate = video.frame_rate;
  options.color = video.color;
  options.type = video.type();
  options.pixel_aspect = video.pixel_aspect;
  options.times = video.times;
  VideoWriter writer(path, video.width(), video.height(), video.n_channels(), options);
  for (int t = 0; t < video.n_frames(); ++t) {
    writer.write_frame(video.frame(t));
  }
  writer.close();
}

}  // namespace loe
