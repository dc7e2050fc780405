#include "loe/signal/picture_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "loe/base/error.h"

namespace loe {
namespace {

constexpr int kMaxSide = 65536;

void check_resolution(int resolution) {
  if (resolution < 1 || resolution > kMaxSide) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[pictures] resolution: expected 1..{}, got {}", kMaxSide, resolution));
  }
}

/// A bijection of `hash` for every word, and of every word for a hash: no single change of a value is lost. The shift
/// carries high bits to low ones, which a multiplication alone never does.
uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15ULL;
  return hash ^ (hash >> 32);
}

}  // namespace

PictureSet::PictureSet(int resolution, std::vector<uint8_t> pixels) : resolution_(resolution) {
  check_resolution(resolution);
  const auto per_picture = static_cast<std::size_t>(values_per_picture());
  if (pixels.size() % per_picture != 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[pictures] pixels: expected a multiple of {0} x {0} x 3 = {1} values, got {2}", resolution,
                            per_picture, pixels.size()));
  }
  n_pictures_ = static_cast<int64_t>(pixels.size() / per_picture);
  auto owner = std::make_shared<const std::vector<uint8_t>>(std::move(pixels));
  pixels_ = std::shared_ptr<const uint8_t>(owner, owner->data());
}

PictureSet::PictureSet(int resolution, int64_t n_pictures, std::shared_ptr<const uint8_t> pixels)
    : resolution_(resolution), n_pictures_(n_pictures), pixels_(std::move(pixels)) {
  check_resolution(resolution);
  if (n_pictures < 0 || (n_pictures > 0 && pixels_ == nullptr)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[pictures] n_pictures: expected 0 or more, with their pixels, got {}", n_pictures));
  }
}

std::span<const uint8_t> PictureSet::picture(int64_t index) const {
  if (index < 0 || index >= n_pictures_) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[pictures] index: expected 0 or more and below {}, got {}", n_pictures_, index));
  }
  return {pixels_.get() + index * values_per_picture(), static_cast<std::size_t>(values_per_picture())};
}

void PictureSet::read(int64_t index, uint8_t* out) const {
  std::ranges::copy(picture(index), out);
}

uint64_t PictureSet::content_hash() const {
  uint64_t hash = mix(mix(0, static_cast<uint64_t>(resolution_)), static_cast<uint64_t>(n_pictures_));
  const auto n_bytes = static_cast<std::size_t>(n_pictures_ * values_per_picture());
  const uint8_t* bytes = pixels_.get();
  for (std::size_t i = 0; i + 8 <= n_bytes; i += 8) {
    // Byte by byte, so that every machine reads the same word; compilers make it one load.
    uint64_t word = 0;
    for (int b = 7; b >= 0; --b) word = word << 8 | bytes[i + static_cast<std::size_t>(b)];
    hash = mix(hash, word);
  }
  for (std::size_t i = n_bytes / 8 * 8; i < n_bytes; ++i) hash = mix(hash, bytes[i]);
  return mix(hash, 0x6C6F65);
}

}  // namespace loe
