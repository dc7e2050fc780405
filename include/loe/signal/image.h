// A picture in memory at its source's depth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace loe {

enum class PixelType { U8, U16, F16, F32 };
int bytes_per_value(PixelType type);
/// "u8", "u16", "f16", "f32".
const char* to_string(PixelType type);
/// The reverse; Error(InvalidArgument) listing the choices.
PixelType pixel_type_from_string(const std::string& text);

/// Row-major, channels interleaved: value (x, y, c) is element (y * width + x) * n_channels + c. Integers stand for
/// value / max (255 or 65535); half and float are taken as they are. Never converted to float as a whole
/// (8192 x 8192 RGB is 201 MB in 8 bits, 805 MB in float).
class Image {
 public:
  Image() = default;
  /// Error(InvalidArgument) unless width, height in 1..65536 and n_channels in 1..4.
  Image(int width, int height, int n_channels, PixelType type);

  int width() const { return width_; }
  int height() const { return height_; }
  int n_channels() const { return n_channels_; }
  PixelType type() const { return type_; }
  int64_t n_pixels() const { return int64_t{width_} * height_; }
  std::byte* data() { return data_.data(); }
  const std::byte* data() const { return data_.data(); }
  std::size_t n_bytes() const { return data_.size(); }
  std::byte* row(int y);
  const std::byte* row(int y) const;

  /// Values of pixel (x, y) as floats; out [n_channels].
  void read_pixel(int x, int y, float* out) const;
  /// count pixels from (x, y) rightwards; out [count, n_channels].
  void read_row(int x, int y, int count, float* out) const;
  /// Stores floats, rounding to the type (integers: clipped to [0, 1], round half up). in [count, n_channels].
  void write_row(int x, int y, int count, const float* in);

  /// Colour space as the file stated it ("sRGB", "Linear", ...), carried to the output.
  std::string color_space = "sRGB";

 private:
  int width_ = 0;
  int height_ = 0;
  int n_channels_ = 0;
  PixelType type_ = PixelType::U8;
  std::vector<std::byte> data_;
};

/// Coordinate of pixel centre j on an axis of `size` pixels: (j + 0.5) / size, rounded to float once.
inline float pixel_coordinate(int64_t j, int64_t size) {
  return static_cast<float>((static_cast<double>(j) + 0.5) / static_cast<double>(size));
}

}  // namespace loe
