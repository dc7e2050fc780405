// Between layers and signal: outputs of the network, mean squared error, and the gradients that go back.
#pragma once

#include "backend/cuda/device/warp.h"
#include "backend/cuda/kernels/rows.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// A layer whose values are the network's outputs from `column` on: outputs [B, n_all] = offset + scale * values.
struct OutputColumns {
  int column;
  int n;
  int n_all;
  float scale;
  float offset;
};

/// An item per (row, column).
LOE_KERNEL void gather_outputs(int64_t n_items, RowView<const float> values, OutputColumns columns,
                               Buffer<float> outputs) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const int64_t row = item / columns.n;
  const auto k = static_cast<int>(item % columns.n);
  outputs[row * columns.n_all + columns.column + k] = columns.offset + columns.scale * values(row, k);
}

/// grads = scale * output_grads, the gradient by the layer's values.
template <typename T>
LOE_KERNEL void scatter_output_grads(int64_t n_items, Buffer<const float> output_grads, OutputColumns columns,
                                     RowView<T> grads) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const int64_t row = item / columns.n;
  const auto k = static_cast<int>(item % columns.n);
  store(grads(row, k), columns.scale * output_grads[row * columns.n_all + columns.column + k]);
}

inline constexpr int kErrorThreads = 256;
/// Errors that one thread of find_errors adds.
inline constexpr int kErrorsPerThread = 16;

#ifdef __CUDACC__
__host__ __device__
#endif
    constexpr int64_t
    n_error_blocks(int64_t n) {
  return (n + kErrorThreads * kErrorsPerThread - 1) / (kErrorThreads * kErrorsPerThread);
}

/// The sum over a block of one number per thread, in an order of its own that never changes.
LOE_DEVICE double add_over_block(double sum) {
  LOE_SHARED SharedArray<double, kErrorThreads / kLanes> of_warp;
  for (int distance = kLanes / 2; distance > 0; distance /= 2) sum += shuffle_xor(sum, distance);
  if (lane_index() == 0) of_warp[warp_index()] = sum;
  sync_block();
  double all = 0;
  for (int warp = 0; warp < kErrorThreads / kLanes; ++warp) all += of_warp[warp];
  return all;
}

/// output_grads = gradient_scale * error; sums [n_error_blocks(n)]: squared errors of each block.
LOE_KERNEL void find_errors(int64_t n, float gradient_scale, Buffer<const float> outputs, Buffer<const float> targets,
                            Buffer<float> output_grads, Buffer<double> sums) {
  double sum = 0;
  for (int i = 0; i < kErrorsPerThread; ++i) {
    const int64_t at = (int64_t{block_index()} * kErrorsPerThread + i) * kErrorThreads + thread_index();
    if (at >= n) break;
    const float error = outputs[at] - targets[at];
    output_grads[at] = gradient_scale * error;
    sum += static_cast<double>(error) * error;
  }
  sum = add_over_block(sum);
  if (thread_index() == 0) sums[block_index()] = sum;
}

/// One block: loss[0] (+)= scale * sum of the sums.
LOE_KERNEL void add_losses(int64_t n_sums, double scale, bool adds, Buffer<const double> sums, Buffer<double> loss) {
  double sum = 0;
  for (int64_t i = thread_index(); i < n_sums; i += kErrorThreads) sum += sums[i];
  sum = add_over_block(sum);
  if (thread_index() == 0) loss[0] = (adds ? loss[0] : 0.0) + scale * sum;
}

/// Device memory: outputs, targets, output_grads [n]; sums [n_error_blocks(n)]; loss [1].
inline void find_mse(const Stream& stream, int64_t n, double scale, bool adds, Buffer<const float> outputs,
                     Buffer<const float> targets, Buffer<float> output_grads, Buffer<double> sums,
                     Buffer<const double> const_sums, Buffer<double> loss) {
  launch(stream, n_error_blocks(n), kErrorThreads, find_errors, n, static_cast<float>(2 * scale), outputs, targets,
         output_grads, sums);
  launch(stream, 1, kErrorThreads, add_losses, n_error_blocks(n), scale, adds, const_sums, loss);
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
