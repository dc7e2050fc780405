#include "backend/cpu/encoding_cache.h"

#include <algorithm>
#include <bit>

#include "loe/backend/encoding.h"

namespace loe::cpu {

EncodingCache::EncodingCache(const InputSpec& input, int n_dims)
    : axis_input_(input),
      n_dims_(n_dims),
      n_raw_(input.include_coordinates ? 1 : 0),
      n_waves_(2 * input.n_frequencies) {
  keys_.resize(static_cast<std::size_t>(n_dims) * kEntries);
  is_used_.resize(keys_.size());
  values_.resize(keys_.size() * (n_raw_ + n_waves_));
}

const float* EncodingCache::axis_values(int axis, float coordinate) {
  const uint32_t key = std::bit_cast<uint32_t>(coordinate);
  const uint32_t slot = (key * 0x9e3779b1U) >> (32 - kEntryBits);  // Fibonacci hashing
  const std::size_t at = static_cast<std::size_t>(axis) * kEntries + slot;
  float* values = values_.data() + at * (n_raw_ + n_waves_);
  if (is_used_[at] == 0 || keys_[at] != key) {
    loe::encode(axis_input_, 1, &coordinate, values);
    keys_[at] = key;
    is_used_[at] = 1;
  }
  return values;
}

void EncodingCache::encode(const float* p, float* out) {
  if (n_waves_ == 0) {  // nothing that is worth remembering
    loe::encode(axis_input_, n_dims_, p, out);
    return;
  }
  float* waves = out + n_raw_ * n_dims_;
  for (int d = 0; d < n_dims_; ++d) {
    const float* values = axis_values(d, p[d]);
    if (n_raw_ != 0) out[d] = values[0];
    std::copy(values + n_raw_, values + n_raw_ + n_waves_, waves + d * n_waves_);
  }
}

}  // namespace loe::cpu
