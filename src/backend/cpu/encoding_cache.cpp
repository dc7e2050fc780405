#include "backend/cpu/encoding_cache.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "backend/cpu/bf16.h"
#include "loe/backend/encoding.h"

namespace loe::cpu {
namespace {

// Every so many octaves sine and cosine are computed anew: a doubling doubles the error of the angle, and seven of them
// make 2^-45 of the 2^-53 that it starts with. With 8 a sample of a radiance field (L = 10) computes 6 pairs instead
// of 30: all encoding went from 18% of a step with 64-wide levels (mixed) to 13% (f32).
constexpr int kOctavesPerSine = 8;

/// encode() of one coordinate, for encodings that nothing else has asked for: sin 2a = 2 sin a cos a,
/// cos 2a = cos^2 a - sin^2 a, in double and rounded once. Within 2^-44 of encode()'s value before rounding (1 - 2
/// sin^2 a would let the error of the length grow by 4, not by 2).
void encode_octaves(const InputSpec& input, float coordinate, float* out) {
  if (input.include_coordinates) {
    const auto [low, high] = input.coordinate_range;
    *out++ = static_cast<float>(low + (high - low) * static_cast<double>(coordinate));
  }
  double angle = input.frequency_scale * static_cast<double>(coordinate);
  double sine = 0;
  double cosine = 1;
  for (int k = 0; k < input.n_frequencies; ++k, angle *= 2) {
    if (k % kOctavesPerSine == 0) {
      sine = std::sin(angle);
      cosine = std::cos(angle);
    } else {
      const double doubled = 2 * sine * cosine;
      cosine = (cosine - sine) * (cosine + sine);
      sine = doubled;
    }
    *out++ = static_cast<float>(sine);
    *out++ = static_cast<float>(cosine);
  }
}

}  // namespace

EncodingCache::EncodingCache(const InputSpec& input, int n_dims)
    : axis_input_(input),
      n_dims_(n_dims),
      n_raw_(input.include_coordinates ? 1 : 0),
      n_waves_(2 * input.n_frequencies) {
  keys_.resize(static_cast<std::size_t>(n_dims) * kEntries);
  is_used_.resize(keys_.size());
  values_.resize(keys_.size() * (n_raw_ + n_waves_));
  rounded_.resize(values_.size());
}

std::size_t EncodingCache::find_values(int axis, float coordinate) {
  const uint32_t key = std::bit_cast<uint32_t>(coordinate);
  const uint32_t slot = (key * 0x9e3779b1U) >> (32 - kEntryBits);  // Fibonacci hashing
  const std::size_t entry = static_cast<std::size_t>(axis) * kEntries + slot;
  const std::size_t width = n_raw_ + n_waves_;
  const std::size_t at = entry * width;
  if (is_used_[entry] == 0 || keys_[entry] != key) {
    encode_octaves(axis_input_, coordinate, values_.data() + at);
    for (std::size_t i = 0; i < width; ++i) rounded_[at + i] = round_to_bf16(values_[at + i]);
    keys_[entry] = key;
    is_used_[entry] = 1;
  }
  return at;
}

template <class T>
void EncodingCache::copy_values(const std::vector<T>& values, const float* p, T* out) {
  T* waves = out + n_raw_ * n_dims_;
  for (int d = 0; d < n_dims_; ++d) {
    const T* const from = values.data() + find_values(d, p[d]);
    if (n_raw_ != 0) out[d] = from[0];
    std::copy_n(from + n_raw_, n_waves_, waves + d * n_waves_);
  }
}

void EncodingCache::encode(const float* p, float* out) {
  if (n_waves_ == 0) {  // nothing that is worth remembering
    loe::encode(axis_input_, n_dims_, p, out);
    return;
  }
  copy_values(values_, p, out);
}

void EncodingCache::encode(const float* p, bf16* out) {
  copy_values(rounded_, p, out);
}

}  // namespace loe::cpu
