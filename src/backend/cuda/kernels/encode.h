// The frequency encoding gamma(p) of InputSpec.
#pragma once

#include <cmath>

#include "backend/cuda/device/matrix.h"
#include "loe/backend/network_spec.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// What encoding needs of an InputSpec.
struct EncodeSpec {
  int n_dims = 0;
  int n_frequencies = 0;
  bool is_constant = false;
  bool has_coordinates = false;
  double frequency_scale = 0;
  double low = 0;
  double high = 1;
};

inline EncodeSpec encode_spec(const InputSpec& input, int n_dims) {
  EncodeSpec spec;
  spec.n_dims = n_dims;
  spec.is_constant = input.kind == InputKind::Constant;
  spec.n_frequencies = spec.is_constant ? 0 : input.n_frequencies;
  spec.has_coordinates = !spec.is_constant && input.include_coordinates;
  spec.frequency_scale = input.frequency_scale;
  spec.low = input.coordinate_range[0];
  spec.high = input.coordinate_range[1];
  return spec;
}

inline constexpr int kEncodeThreads = 256;

/// rows [B, row_size] = gamma(coords), zeros behind it; a thread per coordinate, frequency or zero.
///
/// As encode() has it: each angle is the double 2^k c p, whose sine and cosine are rounded once.
template <typename T>
LOE_KERNEL void encode_samples(EncodeSpec spec, int64_t n_samples, int row_size, Buffer<const float> coords,
                               Buffer<T> rows) {
  const int n_raw = spec.is_constant ? 1 : spec.has_coordinates ? spec.n_dims : 0;
  const int n_pairs = spec.n_dims * spec.n_frequencies;
  const int width = n_raw + 2 * n_pairs;
  const int n_items = row_size - n_pairs;
  const int64_t item = int64_t{block_index()} * kEncodeThreads + thread_index();
  if (item >= n_samples * n_items) return;
  const int64_t sample = item / n_items;
  const int i = static_cast<int>(item % n_items);
  const int64_t row = sample * row_size;
  if (i < n_raw) {
    const double p = spec.is_constant ? 0 : static_cast<double>(coords[sample * spec.n_dims + i]);
    store(rows[row + i], spec.is_constant ? 1.0F : static_cast<float>(spec.low + (spec.high - spec.low) * p));
  } else if (i < n_raw + n_pairs) {
    const int pair = i - n_raw;
    const double p = coords[sample * spec.n_dims + pair / spec.n_frequencies];
    const double angle =
        spec.frequency_scale * p * static_cast<double>(int64_t{1} << pair % spec.n_frequencies);  // exact: a power of 2
    store(rows[row + n_raw + 2 * pair], static_cast<float>(sin(angle)));
    store(rows[row + n_raw + 2 * pair + 1], static_cast<float>(cos(angle)));
  } else {
    store(rows[row + width + i - n_raw - n_pairs], 0.0F);
  }
}

/// Device memory: coords [B, n_dims], rows [B, row_size]; row_size: the encoding's width or more.
template <typename T>
void encode_inputs(const Stream& stream, const EncodeSpec& spec, int64_t n_samples, int row_size, const float* coords,
                   T* rows) {
  const int64_t n_items = n_samples * (row_size - spec.n_dims * spec.n_frequencies);
  launch(stream, (n_items + kEncodeThreads - 1) / kEncodeThreads, kEncodeThreads, encode_samples<T>, spec, n_samples,
         row_size, Buffer<const float>(coords, n_samples * spec.n_dims), Buffer<T>(rows, n_samples * row_size));
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
