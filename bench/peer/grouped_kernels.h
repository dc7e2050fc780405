// What a training step by grouped products does between them: one pass over the rows each time.
#pragma once

#include "backend/cuda/device/matrix.h"
#include "backend/cuda/kernels/outputs.h"
#include "backend/cuda/kernels/weight_gradient.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// Rows [n_rows, stride] of a layer in the order of its experts; `width` numbers of each count, zeros follow.
template <typename T>
struct PeerRows {
  Buffer<T> data;
  int stride;
  LOE_METHOD T& operator()(int64_t row, int column) const { return data[row * stride + column]; }
};

/// Inputs of a layer: to(row) = phi(from(rows[row]) + bias), zeros where rows[row] < 0. An item per number of `to`.
template <typename T>
LOE_KERNEL void gather_activated(int64_t n_items, Buffer<const int> rows, PeerRows<const T> from, int width,
                                 Buffer<const float> bias, float slope, PeerRows<T> to) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const auto k = static_cast<int>(item % to.stride);
  const int source = rows[item / to.stride];
  float value = 0;
  if (source >= 0 && k < width) {
    const float x = number_of(from(source, k)) + bias[k];
    value = x > 0 ? x : slope * x;
  }
  store(to(item / to.stride, k), value);
}

/// The same for the first layer, whose inputs are encodings.
template <typename T>
LOE_KERNEL void gather_rows(int64_t n_items, Buffer<const int> rows, PeerRows<const T> from, int width,
                            PeerRows<T> to) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const auto k = static_cast<int>(item % to.stride);
  const int source = rows[item / to.stride];
  store(to(item / to.stride, k), source >= 0 && k < width ? number_of(from(source, k)) : 0.0F);
}

/// The gradient by a layer's sums: to(row) = from(rows[row]) phi', read off the sign of the next layer's inputs, which
/// are the activations in its order. Zeros where rows[row] < 0.
template <typename T>
LOE_KERNEL void gather_gradients(int64_t n_items, Buffer<const int> rows, PeerRows<const T> from,
                                 PeerRows<const T> activations, int width, float slope, PeerRows<T> to) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const auto k = static_cast<int>(item % to.stride);
  const int source = rows[item / to.stride];
  float value = 0;
  if (source >= 0 && k < width) {
    value = number_of(from(source, k));
    if (!(number_of(activations(source, k)) > 0)) value *= slope;
  }
  store(to(item / to.stride, k), value);
}

/// Values = offset + scale (sums + bias), their squared errors added over a block, and the gradient by the sums.
template <typename T>
LOE_KERNEL void compare_rows(int64_t n_items, Buffer<const int> sample_of, PeerRows<const T> sums, int width,
                             Buffer<const float> bias, Buffer<const float> targets, float scale, float offset,
                             float gradient_scale, PeerRows<T> grads, Buffer<double> errors) {
  const int64_t item = int64_t{block_index()} * kErrorThreads + thread_index();
  double square = 0;
  if (item < n_items) {
    const auto k = static_cast<int>(item % grads.stride);
    const int64_t row = item / grads.stride;
    const int sample = sample_of[row];
    float error = 0;
    if (sample >= 0 && k < width) {
      error = offset + scale * (number_of(sums(row, k)) + bias[k]) - targets[int64_t{sample} * width + k];
    }
    store(grads(row, k), gradient_scale * error);
    square = static_cast<double>(error) * static_cast<double>(error);
  }
  square = add_over_block(square);
  if (thread_index() == 0) errors[block_index()] = square;
}

inline constexpr int kColumnRows = 1024;

/// partial [n_chunks, stride] = sums of kColumnRows rows each; an item per (chunk, column).
template <typename T>
LOE_KERNEL void add_columns(int64_t n_items, PeerRows<const T> rows, int64_t n_rows, Buffer<float> partial) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const auto k = static_cast<int>(item % rows.stride);
  const int64_t first = item / rows.stride * kColumnRows;
  float sum = 0;
  for (int64_t row = first; row < first + kColumnRows && row < n_rows; ++row) sum += number_of(rows(row, k));
  partial[item] = sum;
}

/// Gradients of a layer's weights [n_experts, n_out, n_in], read where the library left them.
template <typename T>
struct PeerWeightGradient {
  Buffer<const T> grads;  ///< [n_experts, n_out, stride]
  int n_in;
  int stride;
  LOE_METHOD float operator()(int64_t i) const { return number_of(grads[i / n_in * stride + i % n_in]); }
};
/// The weights' copies for the library.
template <typename T>
struct PeerWeightCopies {
  Buffer<T> weights;
  int n_in;
  int stride;
  LOE_METHOD void operator()(int64_t i, float value) const { store(weights[i / n_in * stride + i % n_in], value); }
};
struct PeerBiasGradient {
  Buffer<const float> partial;  ///< of add_columns
  int64_t n_chunks;
  int stride;
  LOE_METHOD float operator()(int64_t i) const {
    float sum = 0;
    for (int64_t chunk = 0; chunk < n_chunks; ++chunk) sum += partial[chunk * stride + i];
    return sum;
  }
};

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
