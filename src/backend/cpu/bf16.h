// Scalar rounding between f32 and bf16.
#pragma once

#include <bit>
#include <cstdint>

#include "backend/cpu/isa/kernels.h"

namespace loe::cpu {

/// Round to nearest even, as vcvtneps2bf16 for finite normal numbers.
inline bf16 round_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<bf16>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}
inline float widen_bf16(bf16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}

inline constexpr bf16 kBf16One = 0x3f80;

}  // namespace loe::cpu
