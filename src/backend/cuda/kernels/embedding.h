// The learned table of a coordinate embedding: features of samples, and the table's gradient.
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
  int64_t stride[kMaxDims] = {};
};

inline TableSpec table_spec(const EmbeddingSpec& embedding, int n_dims) {
  TableSpec spec;
  spec.n_dims = n_dims;
  spec.n_channels = embedding.n_channels;
  int64_t stride = 1;
  for (int d = 0; d < n_dims; ++d) {
    const int resolution = embedding.resolution[static_cast<std::size_t>(d)];
    if (resolution > 1) {
      spec.dimension[spec.n_axes] = d;
      spec.resolution[spec.n_axes] = resolution;
      spec.stride[spec.n_axes++] = stride;
    }
    stride *= resolution;
  }
  return spec;
}

/// EmbeddingGrid::place, bit for bit. p: from `first` on.
LOE_DEVICE int64_t find_nodes(const TableSpec& spec, const Buffer<const float>& coords, int64_t first,
                              double (&coefficient)[1 << kMaxDims]) {
  int64_t node = 0;
  coefficient[0] = 1;
  int n = 1;
  for (int axis = 0; axis < spec.n_axes; ++axis) {
    const int last = spec.resolution[axis] - 1;
    const double position =
        add_product(-0.5, static_cast<double>(coords[first + spec.dimension[axis]]), spec.resolution[axis]);
    const double u = position > 0 ? (position < last ? position : last) : 0.0;  // NaN: 0
    const int cell = static_cast<int>(u) < last - 1 ? static_cast<int>(u) : last - 1;
    const double fraction = u - cell;
    node += cell * spec.stride[axis];
    for (int k = 0; k < n; ++k) {
      coefficient[n + k] = coefficient[k] * fraction;
      coefficient[k] *= 1 - fraction;
    }
    n *= 2;
  }
  return node;
}
LOE_DEVICE int64_t corner_step(const TableSpec& spec, int corner) {
  int64_t step = 0;
  for (int axis = 0; axis < spec.n_axes; ++axis) step += ((corner >> axis) & 1) * spec.stride[axis];
  return step;
}

/// Columns `column` .. of rows = features of the samples; an item per sample.
template <typename T>
LOE_KERNEL void read_table(int64_t n_items, TableSpec spec, Buffer<const float> coords, Buffer<const float> table,
                           int column, RowView<T> rows) {
  const int64_t sample = item_index();
  if (sample >= n_items) return;
  double coefficient[1 << kMaxDims];
  const int64_t node = find_nodes(spec, coords, sample * spec.n_dims, coefficient);
  for (int c = 0; c < spec.n_channels; ++c) {
    float sum = 0;
    for (int corner = 0; corner < 1 << spec.n_axes; ++corner) {
      const int64_t at = (node + corner_step(spec, corner)) * spec.n_channels + c;
      sum += static_cast<float>(coefficient[corner]) * table[at];
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
  double coefficient[1 << kMaxDims];
  const int64_t node = find_nodes(spec, coords, sample * spec.n_dims, coefficient);
  const double gradient = static_cast<double>(grads(sample, column + c));
  for (int corner = 0; corner < 1 << spec.n_axes; ++corner) {
    const double product = static_cast<double>(static_cast<float>(coefficient[corner])) * gradient * scale;
    const int64_t at = (node + corner_step(spec, corner)) * spec.n_channels + c;
    atomic_add(sums, at, static_cast<int64_t>(rint(product)));
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
  int column;                  ///< of the features in it
  Buffer<int> largest;         ///< [1]
  Buffer<const int> const_largest;
  Buffer<int64_t> sums;    ///< [table], 0 between calls
  Buffer<float> gradient;  ///< [table]
};

inline void find_table_gradient(const Stream& stream, const TableSpec& spec, int64_t n_samples, int64_t table_size,
                                bool adds, const TableGradientBuffers& b) {
  launch_items(stream, n_samples, find_largest, spec.n_channels, b.column, b.grads, b.largest);
  launch_items(stream, n_samples * spec.n_channels, add_to_table, spec, b.coords, b.column, b.grads, b.const_largest,
               b.sums);
  launch_items(stream, table_size, take_sums, adds, b.const_largest, b.sums, b.gradient);
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
