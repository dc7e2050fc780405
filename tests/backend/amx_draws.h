// What the tests of tile registers share: the tables, drawn numbers, equality of bits.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "backend/cpu/bf16.h"
#include "backend/cpu/isa/kernels.h"
#include "backend/network_builders.h"

namespace loe::test::amx {

using cpu::bf16;
using cpu::KernelTable;
using cpu::widen_bf16;

/// nullptr: this machine has none.
inline const KernelTable* native_table() {
  for (const KernelTable& table : cpu::kernel_tables()) {
    if (table.isa == "amx") return &table;
  }
  return nullptr;
}

enum class Numbers { Normal, Tiny, Wild };

/// Normal: up to 1. Tiny: many denormal products and sums. Wild: infinities, NaNs, zeros of both signs, huge and tiny.
inline std::vector<bf16> draw(int64_t n, Numbers numbers, uint64_t seed) {
  test::Uniform uniform(seed);
  std::vector<bf16> values(n);
  for (bf16& value : values) {
    auto x = static_cast<float>(uniform(-1, 1));
    if (numbers == Numbers::Tiny) x = std::ldexp(x, static_cast<int>(uniform(-135, -45)));
    if (numbers == Numbers::Wild) {
      const double dice = uniform(0, 1);
      constexpr float kInfinity = std::numeric_limits<float>::infinity();
      x = dice < 0.004   ? kInfinity
          : dice < 0.008 ? -kInfinity
          : dice < 0.012 ? std::numeric_limits<float>::quiet_NaN()
          : dice < 0.1   ? -0.0F
          : dice < 0.2   ? x * 0x1p126F
          : dice < 0.3   ? x * 0x1p-130F
                         : x;
    }
    value = static_cast<bf16>(std::bit_cast<uint32_t>(x) >> 16);
  }
  return values;
}

/// Equal bits; of NaNs only that both are.
template <class T>
void expect_same(const std::vector<T>& a, const std::vector<T>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    float x = 0;
    float y = 0;
    if constexpr (std::is_same_v<T, bf16>) {
      x = widen_bf16(a[i]);
      y = widen_bf16(b[i]);
    } else {
      x = a[i];
      y = b[i];
    }
    if (std::isnan(x) && std::isnan(y)) continue;
    ASSERT_EQ(std::bit_cast<uint32_t>(x), std::bit_cast<uint32_t>(y)) << x << " against " << y << " at " << i;
  }
}

}  // namespace loe::test::amx
