// The kernels of amx-inl.h on a model of the tile registers: what AMX computes, bit for bit, on any machine.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "backend/cpu/bf16.h"
#include "backend/cpu/isa/native_tables.h"
#include "loe/backend/network_spec.h"

#define LOE_AMX_INLINE inline
#define LOE_AMX_OUTLINE

namespace loe::cpu {
namespace {

// tdpbf16ps reads denormal numbers as zero and makes none; the sign stays.
inline float flush(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits & 0x7f800000U) == 0 ? bits & 0x80000000U : bits);
}

/// A tile of bf16 pairs as f32: the even and the odd value of each.
struct PairTile {
  float even[16][16];
  float odd[16][16];

  explicit PairTile(const uint8_t (&bytes)[16][64]) {
    for (int r = 0; r < 16; ++r) {
      bf16 row[32];
      std::memcpy(row, bytes[r], sizeof row);
      for (int i = 0; i < 16; ++i) {
        even[r][i] = flush(widen_bf16(row[2 * i]));
        odd[r][i] = flush(widen_bf16(row[2 * i + 1]));
      }
    }
  }

  /// Smallest and largest biased exponent of the values that are not zero; {255, 0} if all are.
  std::pair<int, int> exponents() const {
    int low = 255;
    int high = 0;
    const auto look_at = [&](float value) {
      const auto exponent = static_cast<int>(std::bit_cast<uint32_t>(value) >> 23 & 255U);
      low = exponent == 0 ? low : std::min(low, exponent);
      high = std::max(high, exponent);
    };
    for (int r = 0; r < 16; ++r) {
      for (int i = 0; i < 16; ++i) {
        look_at(even[r][i]);
        look_at(odd[r][i]);
      }
    }
    return {low, high};
  }
};

class Tiles {
 public:
  template <int T>
  void zero() {
    tile_[T] = {};
  }
  template <int T>
  void load(const void* from, int64_t stride) {
    for (int r = 0; r < 16; ++r) std::memcpy(tile_[T].bytes[r], static_cast<const char*>(from) + r * stride, 64);
  }
  template <int T>
  void store(void* to, int64_t stride) {
    for (int r = 0; r < 16; ++r) std::memcpy(static_cast<char*>(to) + r * stride, tile_[T].bytes[r], 64);
  }
  /// c += sum of the even products + sum of the odd ones, each a chain of fused multiply-adds from zero.
  template <int C, int A, int B>
  void dot() {
    const PairTile a(tile_[A].bytes);
    const PairTile b(tile_[B].bytes);
    const auto [a_low, a_high] = a.exponents();
    const auto [b_low, b_high] = b.exponents();
    // A product of two bf16 has 16 bits: within the normal numbers it is exact in f32, and a sum rounds once, as fused.
    if (a_low + b_low >= 129 && a_high + b_high <= 379) {
      add_products(tile_[C], a, b, [](float x, float y, float sum) { return x * y + sum; });
    } else {
      add_products(tile_[C], a, b, [](float x, float y, float sum) { return std::fma(x, y, sum); });
    }
  }

 private:
  struct Tile {
    alignas(64) uint8_t bytes[16][64] = {};
  };

  template <class MultiplyAdd>
  static void add_products(Tile& c, const PairTile& a, const PairTile& b, MultiplyAdd multiply_add) {
    for (int r = 0; r < 16; ++r) {
      float even[16] = {};
      float odd[16] = {};
      for (int k = 0; k < 16; ++k) {
        for (int i = 0; i < 16; ++i) even[i] = flush(multiply_add(a.even[r][k], b.even[k][i], even[i]));
        for (int i = 0; i < 16; ++i) odd[i] = flush(multiply_add(a.odd[r][k], b.odd[k][i], odd[i]));
      }
      float sum[16];
      std::memcpy(sum, c.bytes[r], sizeof sum);
      for (int i = 0; i < 16; ++i) sum[i] = flush(flush(sum[i]) + flush(even[i] + odd[i]));
      std::memcpy(c.bytes[r], sum, sizeof sum);
    }
  }

  Tile tile_[8];
};

struct Floats {
  float v[16];
};

template <class Function>
Floats each(Function function) {
  Floats result;
  for (int i = 0; i < 16; ++i) result.v[i] = function(i);
  return result;
}

Floats broadcast(float value) {
  return each([&](int) { return value; });
}
Floats load_floats(const float* from) {
  return each([&](int i) { return from[i]; });
}
Floats load_widened(const bf16* from) {
  return each([&](int i) { return widen_bf16(from[i]); });
}
void store_floats(const Floats& v, float* to) {
  std::copy_n(v.v, 16, to);
}
// vcvtneps2bf16: denormal numbers become zero, NaNs quiet.
bf16 rounded(float x) {
  const float y = flush(x);
  if (std::isnan(y)) return static_cast<bf16>(std::bit_cast<uint32_t>(y) >> 16 | 0x40U);
  return round_to_bf16(y);
}
void store_rounded(const Floats& v, bf16* to) {
  for (int i = 0; i < 16; ++i) to[i] = rounded(v.v[i]);
}
void store_rounded(const Floats& low, const Floats& high, bf16* to) {
  store_rounded(low, to);
  store_rounded(high, to + 16);
}
Floats add(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.v[i] + b.v[i]; });
}
Floats multiply(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.v[i] * b.v[i]; });
}
// vmaxps: the second of two zeros, and where either is a NaN.
Floats larger(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
Floats choose_positive(const Floats& y, const Floats& positive, const Floats& other) {
  return each([&](int i) { return y.v[i] > 0 ? positive.v[i] : other.v[i]; });
}
void scale_not_positive(const bf16* y, const Floats& slope, Floats& low, Floats& high) {
  const auto scale = [&](Floats& v, const bf16* signs) {
    for (int i = 0; i < 16; ++i) v.v[i] = static_cast<int16_t>(signs[i]) <= 0 ? v.v[i] * slope.v[i] : v.v[i];
  };
  scale(low, y);
  scale(high, y + 16);
}

void copy_line(const bf16* from, int n, bf16* to) {
  for (int i = 0; i < 32; ++i) to[i] = i < n ? from[i] : bf16{0};
}
void split_line(const float* from, int n, bf16* high, bf16* low) {
  for (int i = 0; i < 32; ++i) {
    const float x = i < n ? from[i] : 0.0F;
    high[i] = rounded(x);
    low[i] = rounded(x - widen_bf16(high[i]));
  }
}
bool are_regular(const uint16_t* rows, int step) {
  for (int i = 0; i < 16; ++i) {
    if (rows[i] != rows[0] + i * step) return false;
  }
  return true;
}
void fill_regular(int64_t first, int64_t step, int64_t* to) {
  for (int i = 0; i < 16; ++i) to[i] = first + i * step;
}
void interleave_16(const bf16* even, const bf16* odd, bf16* to) {
  for (int i = 0; i < 16; ++i) {
    to[2 * i] = even[i];
    to[2 * i + 1] = odd[i];
  }
}
void interleave_32(const bf16* even, const bf16* odd, bf16* low, bf16* high) {
  for (int i = 0; i < 32; ++i) {
    bf16* const to = (i % 8 < 4 ? low : high) + 2 * (i / 8 * 4 + i % 4);
    to[0] = even[i];
    to[1] = odd[i];
  }
}
void transpose_32x8(const bf16* const* rows, int at, bf16* to) {
  for (int c = 0; c < 8; ++c) {
    for (int r = 0; r < 32; ++r) to[c * 32 + r] = rows[r][at + c];
  }
}

}  // namespace
}  // namespace loe::cpu

#include "backend/cpu/isa/amx-inl.h"
// After amx-inl.h.
#include "backend/cpu/isa/amx-gradient-inl.h"
#include "backend/cpu/isa/amx-product-inl.h"
// Last.
#include "backend/cpu/isa/amx-split-inl.h"

namespace loe::cpu {

const KernelTable& amx_twin_table() {
  static const KernelTable table = [] {
    const std::vector<KernelTable>& tables = kernel_tables();
    const auto base = std::find_if(tables.begin(), tables.end(),
                                   [](const KernelTable& t) { return t.isa != "amx" && t.isa != "avx512bf16"; });
    KernelTable twin = *base;
    use_tiles(twin);
    twin.isa = kAmxTwinIsa;
    twin.reason = "a model of AMX for tests: slow";
    twin.gemm_bf16_name = "amx twin 32x32 tdpbf16ps in C++";
    twin.gemm_split_name = "amx twin 32x32 tdpbf16ps in C++, f32 as two bf16";
    return twin;
  }();
  return table;
}

}  // namespace loe::cpu
