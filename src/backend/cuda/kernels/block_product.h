// The part of a product of matrices that one block computes: 64 x 64 sums over operands in shared memory.
//
// Sums are f32, in the order of k. Two ways: plain f32 multiply-adds by 256 threads of 4 x 4 sums each, and matrix
// instructions by 4 warps of 32 x 32 sums each, on bf16 or on f32 rounded to tf32.
#pragma once

#include "backend/cuda/device/async_copy.h"
#include "backend/cuda/device/matrix.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

inline constexpr int kBlockSide = 64;

/// How the products of a kernel are done, and what their operands are.
struct PlainF32 {
  using Number = float;
  static constexpr bool kIsPlain = true;
};
struct Tf32 {
  using Number = float;
  static constexpr bool kIsPlain = false;
};
struct Bf16Products {
  using Number = Bf16;
  static constexpr bool kIsPlain = false;
};

inline constexpr int kPlainThreads = 256;
/// Products per turn, and the distance of two k in shared memory: not a multiple of 32 banks, so that the stores of a
/// transposing load do not meet in one.
inline constexpr int kPlainDepth = 16;
inline constexpr int kPlainStride = kBlockSide + 4;

/// a, b [kPlainDepth][kPlainStride]: sums of 4 x 4 per thread.
struct PlainSums {
  float sum[4][4];
  LOE_METHOD void clear() {
    for (auto& row : sum) {
      for (float& value : row) value = 0;
    }
  }
  LOE_METHOD static int row() { return 4 * (thread_index() / 16); }
  LOE_METHOD static int column() { return 4 * (thread_index() % 16); }
  template <typename Shared>
  LOE_METHOD void add(Shared& a, Shared& b) {
    for (int k = 0; k < kPlainDepth; ++k) {
      float x[4];
      float y[4];
      LOE_UNROLL
      for (int i = 0; i < 4; ++i) {
        x[i] = a[k * kPlainStride + row() + i];
        y[i] = b[k * kPlainStride + column() + i];
      }
      LOE_UNROLL
      for (int i = 0; i < 4; ++i) {
        LOE_UNROLL
        for (int j = 0; j < 4; ++j) sum[i][j] += x[i] * y[j];
      }
    }
  }
  /// body(row, column, value)
  template <typename Body>
  LOE_METHOD void for_each(const Body& body) const {
    LOE_UNROLL
    for (int i = 0; i < 4; ++i) {
      LOE_UNROLL
      for (int j = 0; j < 4; ++j) body(row() + i, column() + j, sum[i][j]);
    }
  }
};

inline constexpr int kMatrixThreads = 128;
/// Products per turn.
inline constexpr int kMatrixDepth = 32;

/// Where element (side, k) of an operand lies in shared memory: k runs along a row, or with `is_transposed` along a
/// column. Strides keep the 8 rows that are read at a time in different banks.
template <typename Number, bool is_transposed>
struct Operand {
  static constexpr int kPad = is_transposed ? 8 : 16 / static_cast<int>(sizeof(Number));
  static constexpr int kStride = (is_transposed ? kBlockSide : kMatrixDepth) + kPad;
  static constexpr int kSize = kStride * (is_transposed ? kMatrixDepth : kBlockSide);
  LOE_METHOD static int at(int side, int k) { return is_transposed ? k * kStride + side : side * kStride + k; }
};

/// Four registers of A, rows first .. first + 15, and of two B, columns first .. first + 15.
template <bool is_transposed, typename Shared>
LOE_DEVICE void load_a(uint32_t (&r)[4], Shared& a, int offset, int first, int k, float) {
  using Place = Operand<float, is_transposed>;
  const int g = lane_index() / 4;
  const int i = lane_index() % 4;
  LOE_UNROLL
  for (int part = 0; part < 4; ++part) {
    r[part] = to_tf32(a[offset + Place::at(first + g + part % 2 * 8, k + i + part / 2 * 4)]);
  }
}
template <bool is_transposed, typename Shared>
LOE_DEVICE void load_b(uint32_t (&r)[4], Shared& b, int offset, int first, int k, float) {
  using Place = Operand<float, is_transposed>;
  const int g = lane_index() / 4;
  const int i = lane_index() % 4;
  LOE_UNROLL
  for (int part = 0; part < 4; ++part) {
    r[part] = to_tf32(b[offset + Place::at(first + g + part / 2 * 8, k + i + part % 2 * 4)]);
  }
}
template <bool is_transposed, typename Shared>
LOE_DEVICE void load_a(uint32_t (&r)[4], Shared& a, int offset, int first, int k, Bf16) {
  using Place = Operand<Bf16, is_transposed>;
  const int l = lane_index();
  if constexpr (is_transposed) {
    load_matrices_transposed(r, &a[offset + Place::at(first + l / 8 % 2 * 8, k + l % 8 + l / 16 * 8)]);
  } else {
    load_matrices(r, &a[offset + Place::at(first + l % 8 + l / 8 % 2 * 8, k + l / 16 * 8)]);
  }
}
template <bool is_transposed, typename Shared>
LOE_DEVICE void load_b(uint32_t (&r)[4], Shared& b, int offset, int first, int k, Bf16) {
  using Place = Operand<Bf16, is_transposed>;
  const int l = lane_index();
  if constexpr (is_transposed) {
    load_matrices_transposed(r, &b[offset + Place::at(first + l / 16 * 8, k + l % 8 + l / 8 % 2 * 8)]);
  } else {
    load_matrices(r, &b[offset + Place::at(first + l % 8 + l / 16 * 8, k + l / 8 % 2 * 8)]);
  }
}

LOE_DEVICE void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], float) {
  multiply_tf32(d, a, b);
}
LOE_DEVICE void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Bf16) {
  multiply_bf16(d, a, b);
}

/// Sums of 32 x 32 per warp, in the lanes as matrix instructions have them.
template <typename Number, bool is_transposed>
struct MatrixSums {
  /// Products of one instruction.
  static constexpr int kDepth = 32 / static_cast<int>(sizeof(Number));
  float sum[2][4][4];
  LOE_METHOD void clear() {
    for (auto& tiles : sum) {
      for (auto& tile : tiles) {
        for (float& value : tile) value = 0;
      }
    }
  }
  LOE_METHOD static int row() { return warp_index() / 2 * 32; }
  LOE_METHOD static int column() { return warp_index() % 2 * 32; }
  /// a, b: Operands of kMatrixDepth products, from `offset` on.
  template <typename Shared>
  LOE_METHOD void add(Shared& a, Shared& b, int offset) {
    LOE_UNROLL
    for (int k = 0; k < kMatrixDepth; k += kDepth) {
      uint32_t x[2][4];
      uint32_t y[2][4];
      LOE_UNROLL
      for (int i = 0; i < 2; ++i) {
        load_a<is_transposed>(x[i], a, offset, row() + 16 * i, k, Number{});
        load_b<is_transposed>(y[i], b, offset, column() + 16 * i, k, Number{});
      }
      LOE_UNROLL
      for (int i = 0; i < 2; ++i) {
        LOE_UNROLL
        for (int j = 0; j < 4; ++j) {
          const uint32_t right[2] = {y[j / 2][j % 2 * 2], y[j / 2][j % 2 * 2 + 1]};
          multiply(sum[i][j], x[i], right, Number{});
        }
      }
    }
  }
  template <typename Body>
  LOE_METHOD void for_each(const Body& body) const {
    const int g = lane_index() / 4;
    const int i = lane_index() % 4;
    LOE_UNROLL
    for (int m = 0; m < 2; ++m) {
      LOE_UNROLL
      for (int n = 0; n < 4; ++n) {
        LOE_UNROLL
        for (int part = 0; part < 4; ++part) {
          body(row() + 16 * m + g + part / 2 * 8, column() + 8 * n + 2 * i + part % 2, sum[m][n][part]);
        }
      }
    }
  }
};

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
