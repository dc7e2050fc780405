// Samples that are pixels of a picture or video in memory, described as plain data: a backend that computes on a device
// of its own draws them there instead of being sent them every step.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace loe {

/// How a value is stored: U8 and U16 stand for value / 255 and value / 65535, rounded to float once; F16 and F32 are
/// taken as they are.
enum class ValueFormat { U8, U16, F16, F32 };
constexpr int bytes_per_value(ValueFormat format) {
  return format == ValueFormat::U8 ? 1 : format == ValueFormat::F32 ? 4 : 2;
}

/// A batch of pixels. Its samples, in order, are those that SampleSource::fill gives, to the bit:
/// * Pixels are sorted by Morton key, which interleaves the bits of column (bit i to bit n_dims i), row and frame.
/// * every_pixel: each pixel once. Else n_samples pixels drawn with replacement, index j of axis d being
///   to_bounded(w_d, size[d]) with words of random_words(seed, RandomStream::Samples, step, lane): in two dimensions
///   samples 2 k and 2 k + 1 take w = words 0, 1 and words 2, 3 of lane k; in three, sample i takes words 0, 1, 2 of
///   lane i.
/// * Coordinate d is float((j + 0.5) / size[d]), in double; targets are the pixel's channels.
struct PixelSamples {
  /// Of the pixels' content, from new_signal_id(): who changes a pixel takes a new one. What lies on a device already
  /// is not sent again.
  uint64_t signal = 0;
  int n_dims = 2;                           ///< 2: a picture (x, y); 3: a video (x, y, t)
  std::array<int64_t, 3> size = {1, 1, 1};  ///< width and height in 1..65536, frames (1 if n_dims is 2)
  int n_channels = 1;                       ///< also of the targets
  ValueFormat format = ValueFormat::U8;
  /// Each frame's pixels, row-major, channels interleaved: [height, width, n_channels]. size[2] of them, which must
  /// stay for as long as the source does.
  std::vector<const void*> frames;
  bool every_pixel = false;
  int64_t n_samples = 0;  ///< n_pixels() if every_pixel
  uint64_t seed = 0;
  int64_t step = 0;  ///< the next batch is likely to be that of step + 1; every_pixel ignores it

  int64_t n_pixels() const { return size[0] * size[1] * size[2]; }
  int64_t frame_bytes() const { return size[0] * size[1] * n_channels * bytes_per_value(format); }
  int64_t signal_bytes() const { return frame_bytes() * size[2]; }
};

/// Another number every time, never 0. Thread-safe.
uint64_t new_signal_id();

}  // namespace loe
