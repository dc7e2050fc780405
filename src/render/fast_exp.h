// exp(-x) and 1 - exp(-x) in float, written so that the compiler can compute several at once.
#pragma once

#include <bit>
#include <cstdint>

namespace loe {

/// exp(-x) = scale (1 + p), 1 - exp(-x) = (1 - scale) - scale p, with scale a power of two and p = expm1(r),
/// |r| <= ln(2) / 2. p by its Taylor series: the term left out is below 1.5e-8 of p.
struct ScaledExp {
  float scale;
  float p;
};

inline constexpr float kLargestExponent = 87.0F;  ///< exp(-87) is still a normal float

/// All bits where x > 87 (not for a NaN), none elsewhere. On the bits of x: a float comparison may trap, which makes
/// gcc 12 keep a branch and give up vectorising the loop around it.
inline uint32_t mask_beyond_largest(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t beyond = std::bit_cast<uint32_t>(kLargestExponent) - bits;  // top bit, as the others: beyond, ...
  const uint32_t no_nan = bits - 0x7F800001U;
  return 0U - ((beyond & no_nan & ~bits) >> 31);  // ... and not negative
}

/// a where the mask has all bits, b where it has none.
inline float select(uint32_t mask, float a, float b) {
  return std::bit_cast<float>((std::bit_cast<uint32_t>(a) & mask) | (std::bit_cast<uint32_t>(b) & ~mask));
}

inline ScaledExp scaled_exp_of_minus(float x) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;  // few bits: n kLn2High is exact
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  const float y = -select(mask_beyond_largest(x), kLargestExponent, x);
  const float shifted = y * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (y - n * kLn2High) - n * kLn2Low;
  const float p =
      r + r * r * (0.5F + r * (1.0F / 6 + r * (1.0F / 24 + r * (1.0F / 120 + r * (1.0F / 720 + r * (1.0F / 5040))))));
  return {std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) << 23) + 0x3F800000U), p};
}

/// exp(-x), x >= 0, relative error below 3 * 2^-24; 0 for x > 87 (exp(-87) = 1.6e-38), so that nothing downstream
/// computes with denormals for long.
inline float exp_of_minus(float x) {
  const ScaledExp e = scaled_exp_of_minus(x);
  const float value = e.scale + e.scale * e.p;
  return select(mask_beyond_largest(x), 0.0F, value);
}

/// 1 - exp(-x), x >= 0, relative error below 4 * 2^-24; 1 for x > 18.
inline float one_minus_exp_of_minus(float x) {
  const ScaledExp e = scaled_exp_of_minus(x);
  return (1.0F - e.scale) - e.scale * e.p;
}

}  // namespace loe
