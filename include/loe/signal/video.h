// A video in memory at its source's depth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "loe/signal/image.h"

namespace loe {

/// Frames per second as an exact fraction: 30000 / 1001.
struct FrameRate {
  int64_t numerator = 25;
  int64_t denominator = 1;
  double value() const { return static_cast<double>(numerator) / static_cast<double>(denominator); }
  bool operator==(const FrameRate&) const = default;
};

/// How a video file stored its colours, carried to the output. Frames in memory are RGB or grey in the full range.
struct VideoColor {
  std::string matrix = "bt709";     ///< YUV to RGB: "bt709", "bt601", "bt2020", "rgb" (stored as RGB)
  std::string range = "limited";    ///< "limited" (16..235) or "full"
  std::string primaries = "bt709";  ///< FFmpeg's name of them; "unknown" if the file did not say
  std::string transfer = "bt709";   ///< likewise
  bool operator==(const VideoColor&) const = default;
};

/// Frames of one size and depth, in order: frame t of T lies at coordinate (t + 0.5) / T whatever its time.
/// One allocation per frame, so that a clip can grow while it is decoded.
class Video {
 public:
  Video() = default;
  /// No frames yet. Error(InvalidArgument) unless width, height in 1..65536, n_channels in 1..4, type U8 or U16.
  Video(int width, int height, int n_channels, PixelType type);

  int width() const { return width_; }
  int height() const { return height_; }
  int n_channels() const { return n_channels_; }
  PixelType type() const { return type_; }
  int n_frames() const { return static_cast<int>(frames_.size()); }
  /// Pixels of all frames.
  int64_t n_pixels() const { return int64_t{width_} * height_ * n_frames(); }
  int64_t n_bytes() const { return n_pixels() * n_channels_ * bytes_per_value(type_); }
  const Image& frame(int t) const { return frames_[static_cast<std::size_t>(t)]; }
  /// Error(InvalidArgument) if size, channels or depth differ, or there are 65536 frames already.
  void append(Image frame);

  FrameRate frame_rate;  ///< the average
  VideoColor color;
  double pixel_aspect = 1;    ///< width / height of a pixel where it is shown
  std::vector<double> times;  ///< seconds at which frames begin, from 0 on; empty: evenly spaced
  /// What happened while it was read.
  int64_t n_skipped = 0;          ///< frames left out because they were damaged
  bool has_transparency = false;  ///< some pixels were transparent; colours were kept

 private:
  int width_ = 0;
  int height_ = 0;
  int n_channels_ = 0;
  PixelType type_ = PixelType::U8;
  std::vector<Image> frames_;
};

}  // namespace loe
