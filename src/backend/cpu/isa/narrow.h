// Micro-kernels of the trainer of narrow networks: one expert's rows at a time, its weights small enough for L1.
// Weights are [n_in][n_out] here, n_out a multiple of kPadding: an input is broadcast against a row of weights.
#pragma once

#include <cstdint>

#include "loe/backend/adam.h"
#include "loe/backend/product_chunks.h"

namespace loe::cpu {

/// Rows that a kernel may take at once: row lists are padded to a multiple of it by repeating a row, whose results are
/// then written twice.
inline constexpr int kNarrowRows = ProductChunks::kRowPadding;
/// Outputs of a layer at most.
inline constexpr int kNarrowWidth = 64;
/// Outputs of the head at most.
inline constexpr int kNarrowOutputs = 4;

/// phi of a layer: leaky with slope (1: identity, 0: ReLU), or a sine.
struct NarrowActivation {
  bool is_sine = false;
  float slope = 1;
  float omega = 1;
};

/// y[row] = phi(x[row] w + bias). Of a sine, dy[row] = phi'.
struct NarrowForward {
  const uint16_t* rows = nullptr;
  int n_rows = 0;  ///< padded
  const float* x = nullptr;
  int64_t x_stride = 0;
  int n_in = 0;
  int n_out = 0;
  const float* w = nullptr;       ///< [n_in][n_out]
  const float* bias = nullptr;    ///< [n_out]
  const float* next_w = nullptr;  ///< the matrix of the next call, prefetched if given
  NarrowActivation activation;
  float* y = nullptr;
  float* dy = nullptr;
  int64_t y_stride = 0;  ///< also of dy
};

/// dx[row] = (w d[row]) phi'(row), phi' of the activation that made the layer's input: read off the sign of y, or dy of
/// a sine.
struct NarrowInputGrad {
  const uint16_t* rows = nullptr;
  int n_rows = 0;  ///< padded
  const float* d = nullptr;
  int64_t d_stride = 0;
  int n_in = 0;  ///< multiple of kPadding
  int n_out = 0;
  const float* w = nullptr;  ///< [n_in][n_out]
  float* turned = nullptr;   ///< room for [n_out][n_in]
  NarrowActivation activation;
  const float* y = nullptr;
  const float* dy = nullptr;
  float* dx = nullptr;   ///< not d
  int64_t x_stride = 0;  ///< of y, dy and dx
};

/// g[k][n] = sum over rows of x[row][k] d[row][n], then either Adam at once or g added to `sums`; the bias gradient
/// (sum of d) is added to bias_sums.
struct NarrowWeightGrad {
  const uint16_t* rows = nullptr;
  int n_rows = 0;  ///< exactly, 0 included
  const float* x = nullptr;
  int64_t x_stride = 0;
  int n_in = 0;
  const float* d = nullptr;
  int64_t d_stride = 0;
  int n_out = 0;
  float* bias_sums = nullptr;  ///< [n_out]
  float* sums = nullptr;       ///< [n_in][n_out], or null: Adam
  const AdamScalars* adam = nullptr;
  const float* from = nullptr;  ///< weights, first and second moments, one behind the other, each [n_in][n_out]
  float* to = nullptr;          ///< the same after the update; may be `from`
};

/// The last layer, the squared error and the gradient that the layer before it gets:
///   y_c = offset + scale (a . w_c + bias_c);  e_c = weight (y_c - target_c);  z_c = gradient_scale e_c
///   d = (sum over c of z_c w_c) phi';  sums += z_c a, bias_sums += z_c;  returns the sum of e_c^2.
struct NarrowHead {
  int n_rows = 0;
  int n_in = 0;
  int n_out = 0;  ///< c, at most kNarrowOutputs
  const float* a = nullptr;
  const float* da = nullptr;  ///< phi' of a sine
  int64_t stride = 0;         ///< of a, da and d
  NarrowActivation activation;
  const float* w = nullptr;  ///< [n_out][n_in]
  const float* bias = nullptr;
  float scale = 1;
  float offset = 0;
  const float* targets = nullptr;  ///< [n_rows][n_out]
  const float* weights = nullptr;  ///< [n_rows] 1 or 0; null: all 1
  float gradient_scale = 1;
  float* d = nullptr;
  float* sums = nullptr;       ///< [n_out][n_in]
  float* bias_sums = nullptr;  ///< [n_out]
};

/// x[row] from a table per axis: raw coordinates first, one per axis, then n_waves values of each axis. Up to kPadding
/// numbers behind the row are overwritten.
struct NarrowEncode {
  const PixelPlace* places = nullptr;
  int n_rows = 0;
  int n_dims = 2;
  const float* const* tables = nullptr;  ///< [n_dims] each [size][table_stride]: n_waves values, then the coordinate
  int64_t table_stride = 0;
  int n_waves = 0;
  bool has_raw = false;
  float* x = nullptr;
  int64_t x_stride = 0;
};

struct NarrowKernels {
  void (*encode)(const NarrowEncode&) = nullptr;
  void (*forward)(const NarrowForward&) = nullptr;
  double (*head)(const NarrowHead&) = nullptr;
  void (*input_grad)(const NarrowInputGrad&) = nullptr;
  void (*weight_grad)(const NarrowWeightGrad&) = nullptr;
  /// s = sin(x), c = cos(x): what the forward kernel computes, by itself. n multiple of kPadding.
  void (*sin_cos)(const float* x, int n, float* s, float* c) = nullptr;
};

}  // namespace loe::cpu
