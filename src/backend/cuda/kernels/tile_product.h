// Products of a warp on rows in shared memory: 16 rows of one expert, found through a list, times that expert's matrix
// of up to 64 x 64. Sums are f32, in the order of k, as those of block_product.h are.
#pragma once

#include "backend/cuda/device/dynamic_memory.h"
#include "backend/cuda/kernels/block_product.h"
#include "backend/cuda/tile_plan.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

inline constexpr int kGroupRows = 16;

/// What a warp multiplies.
template <typename Number>
struct GroupOperands {
  static constexpr int kStride = tile_stride(static_cast<int>(sizeof(Number)));
  SharedView<Number> rows;     ///< [places, kStride]
  SharedView<uint8_t> order;   ///< places of rows
  int first;                   ///< of the group in order
  int n;                       ///< rows of the group, 1 to 16
  SharedView<Number> weights;  ///< [64, kStride]; zeros behind n_in and n_out up to multiples of 16
  int weights_at;
  int n_in;
  int n_out;
  /// Rows that are not there read the last one, so that all lanes take part.
  LOE_METHOD int place(int i) const { return order[first + (i < n ? i : n - 1)]; }
};

/// Plain f32: a lane has 4 rows and every eighth column.
struct PlainGroupSums {
  static constexpr int kRows = 4;
  static constexpr int kSharing = 8;  ///< lanes with the same rows, side by side
  float sum[kRows][8];
  LOE_METHOD static int row(int i) { return lane_index() / kSharing + 4 * i; }

  LOE_METHOD void multiply(const GroupOperands<float>& o) {
    constexpr int kStride = GroupOperands<float>::kStride;
    int at[kRows];
    LOE_UNROLL
    for (int i = 0; i < kRows; ++i) {
      at[i] = o.place(row(i)) * kStride;
      LOE_UNROLL
      for (int j = 0; j < 8; ++j) sum[i][j] = 0;
    }
    const int w_at = o.weights_at + lane_index() % kSharing * kStride;
    for (int k = 0; k < o.n_in; ++k) {
      float x[kRows];
      LOE_UNROLL
      for (int i = 0; i < kRows; ++i) x[i] = o.rows[at[i] + k];
      LOE_UNROLL
      for (int j = 0; j < 8; ++j) {
        if (8 * j >= o.n_out) continue;
        const float w = o.weights[w_at + 8 * j * kStride + k];
        LOE_UNROLL
        for (int i = 0; i < kRows; ++i) sum[i][j] += x[i] * w;
      }
    }
  }
  /// body(i, j, column, sum) for the own sums: row(i), and column / 8 = j.
  template <typename Body>
  LOE_METHOD void for_each(const Body& body) const {
    LOE_UNROLL
    for (int j = 0; j < 8; ++j) {
      LOE_UNROLL
      for (int i = 0; i < kRows; ++i) body(i, j, 8 * j + lane_index() % kSharing, sum[i][j]);
    }
  }
};

/// A's four registers: 16 rows by their places, products from k on.
LOE_DEVICE void load_group(uint32_t (&r)[4], const GroupOperands<float>& o, const int (&at)[2], int k) {
  const int i = lane_index() % 4;
  LOE_UNROLL
  for (int part = 0; part < 4; ++part) r[part] = to_tf32(o.rows[at[part % 2] + k + i + part / 2 * 4]);
}
LOE_DEVICE void load_group(uint32_t (&r)[4], const GroupOperands<Bf16>& o, const int (&at)[2], int k) {
  load_matrices(r, &o.rows[at[0] + k + lane_index() / 16 * 8]);
}
/// B's for 16 columns from `column` on.
LOE_DEVICE void load_columns(uint32_t (&r)[4], const GroupOperands<float>& o, int column, int k) {
  constexpr int kStride = GroupOperands<float>::kStride;
  const int g = lane_index() / 4;
  const int i = lane_index() % 4;
  LOE_UNROLL
  for (int part = 0; part < 4; ++part) {
    r[part] = to_tf32(o.weights[o.weights_at + (column + g + part / 2 * 8) * kStride + k + i + part % 2 * 4]);
  }
}
LOE_DEVICE void load_columns(uint32_t (&r)[4], const GroupOperands<Bf16>& o, int column, int k) {
  const int l = lane_index();
  load_matrices(
      r, &o.weights[o.weights_at + (column + l % 8 + l / 16 * 8) * GroupOperands<Bf16>::kStride + k + l / 8 % 2 * 8]);
}

/// Matrix instructions: sums as D lies in the lanes, 8 columns after 8 columns.
template <typename Number>
struct MatrixGroupSums {
  static constexpr int kRows = 2;
  static constexpr int kSharing = 4;
  static constexpr int kDepth = 32 / static_cast<int>(sizeof(Number));
  float sum[8][4];
  LOE_METHOD static int row(int i) { return lane_index() / kSharing + 8 * i; }

  LOE_METHOD void multiply(const GroupOperands<Number>& o) {
    constexpr bool kReadsRows = sizeof(Number) == 2;  // a lane gives the address of row lane % 16
    constexpr int kStride = GroupOperands<Number>::kStride;
    const int at[2] = {o.place(kReadsRows ? lane_index() % 16 : row(0)) * kStride,
                       kReadsRows ? 0 : o.place(row(1)) * kStride};
    LOE_UNROLL
    for (int j = 0; j < 8; ++j) {
      LOE_UNROLL
      for (int part = 0; part < 4; ++part) sum[j][part] = 0;
    }
    LOE_NO_UNROLL  // operands of several turns at a time would spill
        for (int k = 0; k < o.n_in; k += kDepth) {
      uint32_t x[4];
      load_group(x, o, at, k);
      LOE_UNROLL
      for (int pair = 0; pair < 4; ++pair) {
        if (16 * pair >= o.n_out) continue;
        uint32_t y[4];
        load_columns(y, o, 16 * pair, k);
        const uint32_t left[2] = {y[0], y[1]};
        const uint32_t right[2] = {y[2], y[3]};
        multiply_fragments(sum[2 * pair], x, left);
        multiply_fragments(sum[2 * pair + 1], x, right);
      }
    }
  }
  template <typename Body>
  LOE_METHOD void for_each(const Body& body) const {
    LOE_UNROLL
    for (int j = 0; j < 8; ++j) {
      LOE_UNROLL
      for (int part = 0; part < 4; ++part) {
        body(part / 2, j, 8 * j + lane_index() % 4 * 2 + part % 2, sum[j][part]);
      }
    }
  }

 private:
  LOE_METHOD static void multiply_fragments(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    loe::cuda::multiply(d, a, b, Number{});
  }
};

template <typename Math>
struct GroupSumsOf {
  using Type = MatrixGroupSums<typename Math::Number>;
};
template <>
struct GroupSumsOf<PlainF32> {
  using Type = PlainGroupSums;
};

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
