// The rival's loops over rows that no library call covers, built for several instruction sets.
#pragma once

#include <bit>
#include <cstdint>

namespace loe::peer {

using Bf16 = uint16_t;  ///< the upper half of an f32

inline float to_float(float x) {
  return x;
}
inline float to_float(Bf16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x) << 16);
}

inline void store(float x, float* out) {
  *out = x;
}
/// Rounds to nearest, ties to even; not for NaN.
inline void store(float x, Bf16* out) {
  const auto bits = std::bit_cast<uint32_t>(x);
  *out = static_cast<Bf16>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

/// sums [n] += column sums of rows [n_rows, n].
void add_columns(const float* rows, int64_t n_rows, int64_t n, float* sums);
void add_columns(const Bf16* rows, int64_t n_rows, int64_t n, float* sums);

/// out [n] = grad * (y > 0 ? 1 : slope): back through LeakyReLU, whose output y has the sign of its input.
void leaky_relu_grad(const float* y, const float* grad, int64_t n, float slope, float* out);
void leaky_relu_grad(const Bf16* y, const Bf16* grad, int64_t n, float slope, Bf16* out);

/// Copies f32 to the operand type.
void convert(const float* in, int64_t n, float* out);
void convert(const float* in, int64_t n, Bf16* out);

struct AdamScalars {
  float beta1, beta2, rate, v_scale, epsilon;
};
void adam(const AdamScalars& scalars, int64_t n, const float* grads, float* params, float* m, float* v);

}  // namespace loe::peer
