#include "loe/signal/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/half.h"
#include "loe/base/error.h"

namespace loe {
namespace {

constexpr int kMaxSide = 65536;

template <typename T>
T load(const std::byte* source, int64_t index) {
  T value;
  std::memcpy(&value, source + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
void store(std::byte* target, int64_t index, T value) {
  std::memcpy(target + index * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

void load_values(PixelType type, const std::byte* source, int64_t n, float* out) {
  switch (type) {
    case PixelType::U8:
      for (int64_t i = 0; i < n; ++i) {
        out[i] = static_cast<float>(load<uint8_t>(source, i)) / 255.0F;
      }
      return;
    case PixelType::U16:
      for (int64_t i = 0; i < n; ++i) {
        out[i] = static_cast<float>(load<uint16_t>(source, i)) / 65535.0F;
      }
      return;
    case PixelType::F16:
      for (int64_t i = 0; i < n; ++i) {
        out[i] = half_to_float(load<uint16_t>(source, i));
      }
      return;
    case PixelType::F32:
      std::memcpy(out, source, static_cast<std::size_t>(n) * sizeof(float));
      return;
  }
}

/// Round half up in double: the product of a float and 65535 is exact there, so no value near k + 1/2 goes astray.
/// NaN becomes 0 (both comparisons are false).
template <typename T>
T to_integer(float value, double max) {
  const double clipped = value > 0.0F ? (value < 1.0F ? static_cast<double>(value) : 1.0) : 0.0;
  return static_cast<T>(static_cast<int>(clipped * max + 0.5));
}

void store_values(PixelType type, const float* in, int64_t n, std::byte* target) {
  switch (type) {
    case PixelType::U8:
      for (int64_t i = 0; i < n; ++i) {
        store(target, i, to_integer<uint8_t>(in[i], 255.0));
      }
      return;
    case PixelType::U16:
      for (int64_t i = 0; i < n; ++i) {
        store(target, i, to_integer<uint16_t>(in[i], 65535.0));
      }
      return;
    case PixelType::F16:
      for (int64_t i = 0; i < n; ++i) {
        store(target, i, float_to_half(in[i]));
      }
      return;
    case PixelType::F32:
      std::memcpy(target, in, static_cast<std::size_t>(n) * sizeof(float));
      return;
  }
}

}  // namespace

int bytes_per_value(PixelType type) {
  switch (type) {
    case PixelType::U8:
      return 1;
    case PixelType::U16:
    case PixelType::F16:
      return 2;
    case PixelType::F32:
      return 4;
  }
  return 0;
}

const char* to_string(PixelType type) {
  switch (type) {
    case PixelType::U8:
      return "u8";
    case PixelType::U16:
      return "u16";
    case PixelType::F16:
      return "f16";
    case PixelType::F32:
      return "f32";
  }
  return "?";
}

const char* to_string(AlphaKind kind) {
  switch (kind) {
    case AlphaKind::Unstated:
      return "unstated";
    case AlphaKind::Straight:
      return "straight";
    case AlphaKind::Associated:
      return "associated";
    case AlphaKind::None:
      return "none";
  }
  return "?";
}

PixelType pixel_type_from_string(const std::string& text) {
  for (const PixelType type : {PixelType::U8, PixelType::U16, PixelType::F16, PixelType::F32}) {
    if (text == to_string(type)) {
      return type;
    }
  }
  throw Error(ErrorKind::InvalidArgument,
              fmt::format("[image] pixel type: expected u8, u16, f16 or f32, got '{}'; choose one of them", text));
}

Image::Image(int width, int height, int n_channels, PixelType type)
    : width_(width), height_(height), n_channels_(n_channels), type_(type) {
  if (width < 1 || width > kMaxSide || height < 1 || height > kMaxSide) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[image] size: expected sides of 1..{} pixels, got {} x {}; crop or resize it first",
                            kMaxSide, width, height));
  }
  if (n_channels < 1 || n_channels > 4) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[image] channels: expected 1..4, got {}; keep grey, RGB or RGBA", n_channels));
  }
  data_.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
               static_cast<std::size_t>(n_channels) * static_cast<std::size_t>(bytes_per_value(type)));
}

std::byte* Image::row(int y) {
  LOE_ASSERT(y >= 0 && y < height_);
  return data_.data() + int64_t{y} * width_ * n_channels_ * bytes_per_value(type_);
}

const std::byte* Image::row(int y) const {
  LOE_ASSERT(y >= 0 && y < height_);
  return data_.data() + int64_t{y} * width_ * n_channels_ * bytes_per_value(type_);
}

void Image::read_pixel(int x, int y, float* out) const {
  read_row(x, y, 1, out);
}

void Image::read_row(int x, int y, int count, float* out) const {
  LOE_ASSERT(x >= 0 && count >= 0 && x <= width_ - count);
  load_values(type_, row(y) + int64_t{x} * n_channels_ * bytes_per_value(type_), int64_t{count} * n_channels_, out);
}

void Image::write_row(int x, int y, int count, const float* in) {
  LOE_ASSERT(x >= 0 && count >= 0 && x <= width_ - count);
  store_values(type_, in, int64_t{count} * n_channels_, row(y) + int64_t{x} * n_channels_ * bytes_per_value(type_));
}

}  // namespace loe
