// Matrix instructions of one warp: tf32 and bf16 products with f32 sums, and how their operands lie in the lanes
// (PTX ISA, "Matrix Fragments for mma.m16n8k8" and "... mma.m16n8k16"). With g = lane / 4 and i = lane % 4:
//
//   D [16, 8]:       d0, d1 = D[g][2 i], D[g][2 i + 1];  d2, d3 = the same in row g + 8
//   tf32  A [16, 8]: a0 = A[g][i], a1 = A[g + 8][i], a2 = A[g][i + 4], a3 = A[g + 8][i + 4]
//         B [8, 8]:  b0 = B[i][g], b1 = B[i + 4][g]
//   bf16  A [16,16]: pairs of columns: a0 = A[g][2 i ..], a1 = A[g + 8][2 i ..], a2 = A[g][2 i + 8 ..], a3 = A[g +
//   8][..]
//         B [16, 8]: pairs of rows:    b0 = B[2 i ..][g], b1 = B[2 i + 8 ..][g]
#pragma once

#include "backend/cuda/device/kernel.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// A number in bfloat16.
struct Bf16 {
  uint16_t bits;
};
static_assert(sizeof(Bf16) == 2);

#ifdef __CUDACC__

/// Rounded to nearest, ties to even.
LOE_DEVICE Bf16 to_bf16(float value) {
  Bf16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
  return result;
}
LOE_DEVICE float to_float(Bf16 value) {
  return __uint_as_float(static_cast<unsigned>(value.bits) << 16);
}
/// The operand of a tf32 product: rounded to 10 bits of mantissa, to nearest, ties away from zero.
LOE_DEVICE uint32_t to_tf32(float value) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

/// d += a b, tf32.
LOE_DEVICE void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
/// d += a b, bf16.
LOE_DEVICE void multiply_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// Four 8 x 8 matrices of 16-bit numbers from shared memory. Lane l gives the address of row l % 8 of matrix l / 8, 16
/// bytes at a multiple of 16; matrix m leaves elements [g][2 i] and [g][2 i + 1] in r[m].
LOE_DEVICE void load_matrices(uint32_t (&r)[4], const Bf16* row) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}
/// The same, transposed: elements [2 i][g] and [2 i + 1][g].
LOE_DEVICE void load_matrices_transposed(uint32_t (&r)[4], const Bf16* row) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

#else

namespace detail {

inline float float_of_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
inline uint32_t bits_of_float(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

struct Fragments {
  uint32_t a[4];
  uint32_t b[2];
};

/// k products per instruction; a(row, k, fragments of all lanes) and b(k, column, ...) find an operand.
template <typename OperandA, typename OperandB>
void multiply(float (&d)[4], int n_products, const OperandA& a, const OperandB& b) {
  const int lane = host::Block::current().fiber().index % kLanes;
  for (int part = 0; part < 4; ++part) {
    const int row = lane / 4 + 8 * (part / 2);
    const int column = 2 * (lane % 4) + part % 2;
    float sum = d[part];
    for (int k = 0; k < n_products; ++k) sum += a(row, k) * b(k, column);
    d[part] = sum;
  }
}

inline uint32_t half_of(uint32_t pair, int which) {
  return which == 0 ? pair << 16 : pair & 0xFFFF0000U;
}

inline void load_matrices(uint32_t (&r)[4], const Bf16* row, bool is_transposed, host::Place place) {
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0) {
    throw host::KernelError("load_matrices at " + place.text() + ": expected a row at a multiple of 16 bytes");
  }
  host::Block& block = host::Block::current();
  block.show(row, place);
  const int g = block.fiber().index % kLanes / 4;
  const int i = block.fiber().index % 4;
  for (int m = 0; m < 4; ++m) {
    uint32_t pair = 0;
    for (int half = 0; half < 2; ++half) {
      const int matrix_row = is_transposed ? 2 * i + half : g;
      const int column = is_transposed ? g : 2 * i + half;
      pair |= static_cast<uint32_t>(block.shown<const Bf16*>(8 * m + matrix_row)[column].bits) << (16 * half);
    }
    r[m] = pair;
  }
}

}  // namespace detail

inline Bf16 to_bf16(float value) {
  const uint32_t bits = detail::bits_of_float(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return {0x7FFF};
  return {static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16)};
}
inline float to_float(Bf16 value) {
  return detail::float_of_bits(static_cast<uint32_t>(value.bits) << 16);
}
inline uint32_t to_tf32(float value) {
  const uint32_t bits = detail::bits_of_float(value);
  if ((bits & 0x7F800000U) == 0x7F800000U) return bits & 0xFFFFE000U;
  return (bits + 0x1000U) & 0xFFFFE000U;
}

inline void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                          const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::Block& block = host::Block::current();
  block.show(detail::Fragments{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, {file, line});
  detail::multiply(
      d, 8,
      [&](int row, int k) {
        return detail::float_of_bits(block.shown<detail::Fragments>(row % 8 * 4 + k % 4).a[row / 8 + k / 4 * 2] &
                                     0xFFFFE000U);
      },
      [&](int k, int column) {
        return detail::float_of_bits(block.shown<detail::Fragments>(column * 4 + k % 4).b[k / 4] & 0xFFFFE000U);
      });
}
inline void multiply_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                          const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::Block& block = host::Block::current();
  block.show(detail::Fragments{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, {file, line});
  detail::multiply(
      d, 16,
      [&](int row, int k) {
        const uint32_t pair = block.shown<detail::Fragments>(row % 8 * 4 + k % 8 / 2).a[row / 8 + k / 8 * 2];
        return detail::float_of_bits(detail::half_of(pair, k % 2));
      },
      [&](int k, int column) {
        const uint32_t pair = block.shown<detail::Fragments>(column * 4 + k % 8 / 2).b[k / 8];
        return detail::float_of_bits(detail::half_of(pair, k % 2));
      });
}
inline void load_matrices(uint32_t (&r)[4], const Bf16* row, const char* file = __builtin_FILE(),
                          int line = __builtin_LINE()) {
  detail::load_matrices(r, row, false, {file, line});
}
inline void load_matrices_transposed(uint32_t (&r)[4], const Bf16* row, const char* file = __builtin_FILE(),
                                     int line = __builtin_LINE()) {
  detail::load_matrices(r, row, true, {file, line});
}

#endif

/// Numbers of either width in memory.
LOE_DEVICE float number_of(float value) {
  return value;
}
LOE_DEVICE float number_of(Bf16 value) {
  return to_float(value);
}
LOE_DEVICE void store(float& to, float value) {
  to = value;
}
LOE_DEVICE void store(Bf16& to, float value) {
  to = to_bf16(value);
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
