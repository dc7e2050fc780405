// What happens to rows between products: features put in or behind, activations and their derivatives, and the blends
// of layers with Interpolation::Linear.
//
// A blended layer is a plain product over wider rows (one expert per dual cell of the grid):
//   y = sum_c coefficient_c W_(expert of corner c) x = [W_c0 | W_c1 | ..] [coefficient_0 x | coefficient_1 x | ..]
// so that only these kernels and the copies of the weights know of blending.
#pragma once

#include <cmath>

#include "backend/cuda/device/matrix.h"
#include "backend/cuda/kernels/route.h"
#include "loe/backend/activation.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

inline constexpr int kRowThreads = 256;

/// A thread per item.
template <typename... Parameters, typename... Arguments>
void launch_items(const Stream& stream, int64_t n_items, void (*kernel)(Parameters...), const Arguments&... arguments) {
  launch(stream, (n_items + kRowThreads - 1) / kRowThreads, kRowThreads, kernel, n_items, arguments...);
}
LOE_DEVICE int64_t item_index() {
  return int64_t{block_index()} * kRowThreads + thread_index();
}

/// Rows in memory: element (row, column) is data[row * stride + column].
template <typename T>
struct RowView {
  Buffer<T> data;
  int stride;
  LOE_METHOD T& operator()(int64_t row, int column) const { return data[row * stride + column]; }
};

/// The caller's numbers [B, n_features], of which `count` from `offset` on are meant.
struct FeatureView {
  Buffer<const float> data;
  int n_features;
  int offset;
  int count;
};

/// to [B, to.stride] = [from's first `width` columns | features | zeros]; an item per element.
template <typename T>
LOE_KERNEL void join_rows(int64_t n_items, RowView<const T> from, int width, FeatureView features, RowView<T> to) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const int64_t row = item / to.stride;
  const auto k = static_cast<int>(item % to.stride);
  if (k < width) {
    to(row, k) = from(row, k);
  } else if (k < width + features.count) {
    store(to(row, k), features.data[row * features.n_features + features.offset + k - width]);
  } else {
    store(to(row, k), 0.0F);
  }
}

/// Features of a row from column `first` on, for the input: what is before it is left.
template <typename T>
LOE_KERNEL void round_rows(int64_t n_items, RowView<const float> from, RowView<T> to) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const auto k = static_cast<int>(item % to.stride);
  store(to(item / to.stride, k), from(item / to.stride, k));
}

/// coefficients [B, n_blended]: route_blend's, bit for bit; an item per sample.
LOE_KERNEL void find_coefficients(int64_t n_items, RouteSpec spec, Buffer<const float> coords,
                                  Buffer<float> coefficients) {
  const int64_t sample = item_index();
  if (sample >= n_items) return;
  double fractions[kMaxDims];
  int n_axes = 0;
  for (int d = 0; d < spec.n_dims; ++d) {
    if (spec.tile[d] <= 1) continue;
    double q = spec.b[d];
    for (int column = 0; column < spec.n_dims; ++column) {
      q = add_product(q, spec.a[d][column], static_cast<double>(coords[sample * spec.n_dims + column]));
    }
    const double u = q - spec.offset;
    const double fraction = u - floor(u);
    fractions[n_axes++] = fraction >= 0 && fraction <= 1 ? fraction : 0;
  }
  for (int corner = 0; corner < 1 << n_axes; ++corner) {
    double coefficient = 1;
    for (int k = 0; k < n_axes; ++k) coefficient *= (corner >> k) & 1 ? fractions[k] : 1 - fractions[k];
    coefficients[(sample << n_axes) + corner] = static_cast<float>(coefficient);
  }
}

/// Blended rows of a layer: n_blended segments of `segment` columns.
struct Blend {
  int n_blended;
  int segment;
  Buffer<const float> coefficients;
};

/// to [B, n_blended * segment]: coefficient times x per segment, zeros behind `width`; an item per element.
template <typename T>
LOE_KERNEL void stack_rows(int64_t n_items, RowView<const T> from, int width, Blend blend, RowView<T> to) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const int64_t row = item / to.stride;
  const auto at = static_cast<int>(item % to.stride);
  const int k = at % blend.segment;
  const int corner = at / blend.segment;
  const bool is_there = corner < blend.n_blended && k < width;
  store(to(row, at), is_there ? blend.coefficients[row * blend.n_blended + corner] * number_of(from(row, k)) : 0.0F);
}

/// The gradient of x from that of the stacked rows: to (+)= sum_c coefficient_c from_c; an item per (row, column).
template <typename T>
LOE_KERNEL void fold_rows(int64_t n_items, RowView<const float> from, int width, Blend blend, bool adds,
                          RowView<T> to) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const int64_t row = item / width;
  const auto k = static_cast<int>(item % width);
  float sum = adds ? number_of(to(row, k)) : 0.0F;
  for (int corner = 0; corner < blend.n_blended; ++corner) {
    sum += blend.coefficients[row * blend.n_blended + corner] * from(row, corner * blend.segment + k);
  }
  store(to(row, k), sum);
}

/// to (+)= from; an item per (row, column).
template <typename T>
LOE_KERNEL void add_rows(int64_t n_items, RowView<const T> from, int width, bool adds, RowView<T> to) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const int64_t row = item / width;
  const auto k = static_cast<int>(item % width);
  const float before = adds ? number_of(to(row, k)) : 0.0F;
  store(to(row, k), before + number_of(from(row, k)));
}

/// y = phi(sums); an item per (row, column).
template <typename T>
LOE_KERNEL void activate_rows(int64_t n_items, Activation activation, RowView<const float> sums, int width,
                              RowView<T> y) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const int64_t row = item / width;
  const auto k = static_cast<int>(item % width);
  store(y(row, k), activate(activation, sums(row, k)));
}

/// z *= phi'(sums); an item per (row, column).
template <typename T>
LOE_KERNEL void derive_rows(int64_t n_items, Activation activation, RowView<const float> sums, int width,
                            RowView<T> z) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const int64_t row = item / width;
  const auto k = static_cast<int>(item % width);
  const float x = sums(row, k);
  store(z(row, k), number_of(z(row, k)) * activation_derivative(activation, x, activate(activation, x)));
}

/// The same where phi(v) = v > 0 ? v : slope v, from y = phi(x).
template <typename Y, typename T>
LOE_KERNEL void mask_rows(int64_t n_items, float slope, RowView<const Y> y, int width, RowView<T> z) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const int64_t row = item / width;
  const auto k = static_cast<int>(item % width);
  if (!(number_of(y(row, k)) > 0)) store(z(row, k), slope * number_of(z(row, k)));
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
