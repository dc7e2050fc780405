// A picture in memory at its source's depth.
#pragma once

#include <array>
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

/// What the last one of an even number of channels is.
enum class AlphaKind {
  Unstated,    ///< alpha, kept as it is in every file
  Straight,    ///< alpha; colours are not multiplied by it (PNG)
  Associated,  ///< alpha; colours are multiplied by it (OpenEXR)
  None,        ///< a channel like the others, such as near infrared
};
/// "unstated", "straight", "associated", "none".
const char* to_string(AlphaKind kind);

/// What a picture says about its values beside them; carried from the file that was read to those that are written.
struct PictureTags {
  /// Colour space as the file stated it ("sRGB", "Linear", the name of a profile).
  std::string color_space = "sRGB";
  std::string icc_profile;  ///< its bytes; empty: none
  AlphaKind alpha = AlphaKind::Unstated;
  std::vector<std::string> channels;  ///< their names where they are neither grey nor RGB, maybe with alpha
  double pixel_aspect = 1;            ///< width / height of a pixel where it is shown
  /// Values that quality is measured against: [0, 1], or the least and the largest of values that leave it.
  std::array<double, 2> range = {0, 1};
  bool operator==(const PictureTags&) const = default;
  double range_size() const { return range[1] - range[0]; }
};

/// Longest side of a picture.
constexpr int kMaxImageSide = 65536;

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

  /// Whether the last channel is alpha: an even number of channels, unless the tags say otherwise.
  bool has_alpha() const { return n_channels_ % 2 == 0 && tags.alpha != AlphaKind::None; }
  /// Whether the pixel has values, see no_data.
  bool is_measured(int x, int y) const {
    return no_data.empty() || no_data[static_cast<std::size_t>(int64_t{y} * width_ + x)] == 0;
  }

  PictureTags tags;
  /// [height, width]: 1 where nothing was measured (NaN, or what the file says stands for none), which quality is not
  /// measured at; empty: there are no such pixels.
  std::vector<uint8_t> no_data;

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
