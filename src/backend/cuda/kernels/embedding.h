// The learned tables of a coordinate embedding, level by level: features of samples, and the tables' gradient.
//
// Many samples add to one node. So that the sum does not depend on who comes first, products are added as integers:
// multiples of 2^-40 of the largest product, which is found first. A node's sum of up to 2^22 products then keeps 64
// bits, and an error of 2^-41 of the largest product each is far below that of sums in f32.
#pragma once

#include <cmath>
#include <limits>

#include "backend/cuda/kernels/rows.h"
#include "loe/backend/embedding.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// What kernels need of an EmbeddingGrid.
struct TableSpec {
  int n_dims = 0;
  int n_channels = 0;
  int n_axes = 0;  ///< that blend
  int dimension[kMaxDims] = {};
  int resolution[kMaxDims] = {};
  float cells[kMaxDims] = {};      ///< 0: nodes at the centres of cells
  uint32_t stride[kMaxDims] = {};  ///< a step in entries, or the hash's prime
  uint32_t hash_mask = 0;          ///< 0: dense
  int64_t first_entry = 0;
};

inline TableSpec table_spec(const EmbeddingSpec& embedding, int n_dims, int level) {
  const GridLevel* const grid = embedding.levels.empty() ? nullptr : &embedding.levels[static_cast<std::size_t>(level)];
  const std::array<int, kMaxDims> resolutions = grid == nullptr ? embedding.resolution : grid->resolution();
  const bool is_dense = grid == nullptr || grid->is_dense();
  TableSpec spec;
  spec.n_dims = n_dims;
  spec.n_channels = embedding.n_channels;
  spec.first_entry = embedding.first_entry(level);
  if (!is_dense) spec.hash_mask = static_cast<uint32_t>(grid->n_entries - 1);
  uint32_t stride = 1;
  for (int d = 0; d < n_dims; ++d) {
    const auto axis = static_cast<std::size_t>(d);
    if (resolutions[axis] > 1) {
      spec.dimension[spec.n_axes] = d;
      spec.resolution[spec.n_axes] = resolutions[axis];
      spec.cells[spec.n_axes] = grid == nullptr ? 0.0F : static_cast<float>(grid->cells[axis]);
      spec.stride[spec.n_axes++] = is_dense ? stride : kHashPrimes[axis];
    }
    stride *= static_cast<uint32_t>(resolutions[axis]);
  }
  return spec;
}

/// What EmbeddingGrid::place gives, bit for bit.
struct TablePlace {
  int64_t entry[1 << kMaxDims];
  float coefficient[1 << kMaxDims];
};

/// Where a sample is along an axis that blends, in nodes; the last argument picks the arithmetic.
LOE_DEVICE double position_on(const TableSpec& spec, int axis, float p, double) {
  return add_product(-0.5, static_cast<double>(p), spec.resolution[axis]);
}
LOE_DEVICE float position_on(const TableSpec& spec, int axis, float p, float) {
  return multiply_rounded(p, spec.cells[axis]);
}

template <typename T>
LOE_DEVICE TablePlace find_place_in(const TableSpec& spec, const Buffer<const float>& coords, int64_t first) {
  T coefficient[1 << kMaxDims];
  uint32_t index[1 << kMaxDims];
  coefficient[0] = 1;
  index[0] = 0;
  int n = 1;
  for (int axis = 0; axis < spec.n_axes; ++axis) {
    const int last = spec.resolution[axis] - 1;
    const T position = position_on(spec, axis, coords[first + spec.dimension[axis]], T());
    const T u = position > 0 ? (position < static_cast<T>(last) ? position : static_cast<T>(last)) : static_cast<T>(0);
    const int cell = static_cast<int>(u) < last - 1 ? static_cast<int>(u) : last - 1;
    const T fraction = u - static_cast<T>(cell);
    const uint32_t lower = static_cast<uint32_t>(cell) * spec.stride[axis];
    const uint32_t upper = lower + spec.stride[axis];
    for (int k = 0; k < n; ++k) {
      coefficient[n + k] = coefficient[k] * fraction;
      coefficient[k] *= 1 - fraction;
      index[n + k] = spec.hash_mask == 0 ? index[k] + upper : index[k] ^ upper;
      index[k] = spec.hash_mask == 0 ? index[k] + lower : index[k] ^ lower;
    }
    n *= 2;
  }
  TablePlace place;
  for (int k = 0; k < n; ++k) {
    place.entry[k] = spec.first_entry + (spec.hash_mask == 0 ? index[k] : index[k] & spec.hash_mask);
    place.coefficient[k] = static_cast<float>(coefficient[k]);
  }
  return place;
}

/// p: from `first` on.
LOE_DEVICE TablePlace find_place(const TableSpec& spec, const Buffer<const float>& coords, int64_t first) {
  if (spec.cells[0] == 0) return find_place_in<double>(spec, coords, first);
  return find_place_in<float>(spec, coords, first);
}

/// Columns `column` .. of rows = features of the samples; an item per sample.
template <typename T>
LOE_KERNEL void read_table(int64_t n_items, TableSpec spec, Buffer<const float> coords, Buffer<const float> table,
                           int column, RowView<T> rows) {
  const int64_t sample = item_index();
  if (sample >= n_items) return;
  const TablePlace place = find_place(spec, coords, sample * spec.n_dims);
  for (int c = 0; c < spec.n_channels; ++c) {
    float sum = 0;
    for (int corner = 0; corner < 1 << spec.n_axes; ++corner) {
      sum += place.coefficient[corner] * table[place.entry[corner] * spec.n_channels + c];
    }
    store(rows(sample, column + c), sum);
  }
}

/// largest[0]: bits of the largest magnitude of the features' gradients, which order as integers; an item per sample.
LOE_KERNEL void find_largest(int64_t n_items, int n_channels, int column, RowView<const float> grads,
                             Buffer<int> largest) {
  const int64_t sample = item_index();
  int most = 0;
  for (int c = 0; sample < n_items && c < n_channels; ++c) {
    const int size = bits_of(fabsf(grads(sample, column + c)));
    most = size > most ? size : most;
  }
  for (int distance = kLanes / 2; distance > 0; distance /= 2) {
    const int other = shuffle_xor(most, distance);
    most = other > most ? other : most;
  }
  if (lane_index() == 0 && most > 0) atomic_max(largest, 0, most);
}

/// What `largest` is if a gradient is infinite or NaN: then so is all of the table's.
inline constexpr int kBitsOfInfinity = 0x7F800000;

/// 2^40 / (the power of two above the largest).
LOE_DEVICE double fixed_point_scale(int largest_bits) {
  const int exponent = (largest_bits >> 23) - 126;
  return ldexp(1.0, 40 - exponent);
}

/// sums += products; an item per (sample, channel).
LOE_KERNEL void add_to_table(int64_t n_items, TableSpec spec, Buffer<const float> coords, int column,
                             RowView<const float> grads, Buffer<const int> largest, Buffer<int64_t> sums) {
  const int64_t item = item_index();
  if (item >= n_items || largest[0] == 0 || largest[0] >= kBitsOfInfinity) return;
  const int64_t sample = item / spec.n_channels;
  const auto c = static_cast<int>(item % spec.n_channels);
  const double scale = fixed_point_scale(largest[0]);
  const TablePlace place = find_place(spec, coords, sample * spec.n_dims);
  const double gradient = static_cast<double>(grads(sample, column + c));
  for (int corner = 0; corner < 1 << spec.n_axes; ++corner) {
    const double product = static_cast<double>(place.coefficient[corner]) * gradient * scale;
    atomic_add(sums, place.entry[corner] * spec.n_channels + c, static_cast<int64_t>(rint(product)));
  }
}

/// gradient (+)= sums, which are left at 0; an item per number of the table.
LOE_KERNEL void take_sums(int64_t n_items, bool adds, Buffer<const int> largest, Buffer<int64_t> sums,
                          Buffer<float> gradient) {
  const int64_t i = item_index();
  if (i >= n_items) return;
  double sum = 0;
  if (largest[0] > 0) sum = static_cast<double>(sums[i]) / fixed_point_scale(largest[0]);
  if (largest[0] >= kBitsOfInfinity) sum = std::numeric_limits<double>::quiet_NaN();
  gradient[i] = (adds ? gradient[i] : 0.0F) + static_cast<float>(sum);
  sums[i] = 0;
}

/// Device memory of a table's gradient.
struct TableGradientBuffers {
  Buffer<const float> coords;
  RowView<const float> grads;  ///< of the network's input
  int column;                  ///< of the first level's features in it
  Buffer<int> largest;         ///< [1]
  Buffer<const int> const_largest;
  Buffer<int64_t> sums;    ///< [table], 0 between calls
  Buffer<float> gradient;  ///< [table]
};

inline void find_table_gradient(const Stream& stream, const EmbeddingSpec& embedding, int n_dims, int64_t n_samples,
                                bool adds, const TableGradientBuffers& b) {
  launch_items(stream, n_samples, find_largest, embedding.n_features(), b.column, b.grads, b.largest);
  for (int level = 0; level < embedding.n_levels(); ++level) {
    launch_items(stream, n_samples * embedding.n_channels, add_to_table, table_spec(embedding, n_dims, level), b.coords,
                 b.column + level * embedding.n_channels, b.grads, b.const_largest, b.sums);
  }
  launch_items(stream, embedding.size(), take_sums, adds, b.const_largest, b.sums, b.gradient);
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
