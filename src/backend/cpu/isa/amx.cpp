// bf16 products with AMX (Sapphire Rapids and later): the tile registers of amx-inl.h in hardware.
#include <algorithm>
#include <cstdint>

#include "backend/cpu/isa/cpu_features.h"
#include "backend/cpu/isa/native_tables.h"
#include "loe/backend/network_spec.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <immintrin.h>

#include <hwy/base.h>

// gcc 12's own intrinsics start from an "undefined" vector and warn about it (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

#define LOE_AMX_INLINE inline __attribute__((always_inline))
#define LOE_AMX_OUTLINE __attribute__((noinline))

// Behind all #includes: what they define must stay usable on every machine. The tile instructions are written as
// assembly, which needs no flag: gcc 12's intrinsics let stores to memory move past tile loads.
HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")

namespace loe::cpu {
namespace {

struct Tiles {
  template <int T>
  LOE_AMX_INLINE void zero() {
    __asm__ volatile("tilezero %%tmm%c0" : : "i"(T));
  }
  template <int T>
  LOE_AMX_INLINE void load(const void* from, int64_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(T) : "memory");
  }
  template <int T>
  LOE_AMX_INLINE void store(void* to, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(T) : "memory");
  }
  template <int C, int A, int B>
  LOE_AMX_INLINE void dot() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
  }
};

using Floats = __m512;

LOE_AMX_INLINE Floats broadcast(float value) {
  return _mm512_set1_ps(value);
}
LOE_AMX_INLINE Floats load_floats(const float* from) {
  return _mm512_loadu_ps(from);
}
LOE_AMX_INLINE Floats load_widened(const bf16* from) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
LOE_AMX_INLINE void store_floats(Floats v, float* to) {
  _mm512_storeu_ps(to, v);
}
LOE_AMX_INLINE void store_rounded(Floats v, bf16* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(v));
}
LOE_AMX_INLINE void store_rounded(Floats low, Floats high, bf16* to) {
  _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}
LOE_AMX_INLINE Floats add(Floats a, Floats b) {
  return _mm512_add_ps(a, b);
}
LOE_AMX_INLINE Floats multiply(Floats a, Floats b) {
  return _mm512_mul_ps(a, b);
}
LOE_AMX_INLINE Floats larger(Floats a, Floats b) {
  return _mm512_max_ps(a, b);
}
LOE_AMX_INLINE Floats choose_positive(Floats y, Floats positive, Floats other) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_GT_OQ), other, positive);
}
LOE_AMX_INLINE void scale_not_positive(const bf16* y, Floats slope, Floats& low, Floats& high) {
  const __mmask32 mask = _mm512_cmple_epi16_mask(_mm512_loadu_si512(y), _mm512_setzero_si512());
  low = _mm512_mask_mul_ps(low, static_cast<__mmask16>(mask), low, slope);
  high = _mm512_mask_mul_ps(high, static_cast<__mmask16>(mask >> 16), high, slope);
}

// The first n (at most 32) of 32 values, zeros behind them; what stands behind them in memory is not read.
LOE_AMX_INLINE void copy_line(const bf16* from, int n, bf16* to) {
  const __m512i line = n >= 32 ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi16((1U << n) - 1, from);
  _mm512_store_si512(to, line);
}
// The first n (at most 32) of 32 values as high + low, zeros behind them; what stands behind them is not read.
LOE_AMX_INLINE void split_line(const float* from, int n, bf16* high, bf16* low) {
  const auto mask = [&](int first) {
    const int left = n - first;
    return static_cast<__mmask16>(left >= 16 ? 0xffffU : left > 0 ? (1U << left) - 1 : 0U);
  };
  const Floats a = _mm512_maskz_loadu_ps(mask(0), from);
  const Floats b = _mm512_maskz_loadu_ps(mask(16), from + 16);
  const __m512i rounded = (__m512i)_mm512_cvtne2ps_pbh(b, a);
  _mm512_store_si512(high, rounded);
  const auto widened = [&](__m256i half) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  };
  const Floats rest_a = _mm512_sub_ps(a, widened(_mm512_castsi512_si256(rounded)));
  const Floats rest_b = _mm512_sub_ps(b, widened(_mm512_extracti64x4_epi64(rounded, 1)));
  _mm512_store_si512(low, (__m512i)_mm512_cvtne2ps_pbh(rest_b, rest_a));
}
// Whether 16 rows are the first, and so many more each.
LOE_AMX_INLINE bool are_regular(const uint16_t* rows, int step) {
  const __m256i place = _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m256i steps = _mm256_mullo_epi16(place, _mm256_set1_epi16(static_cast<int16_t>(step)));
  const __m256i expected = _mm256_add_epi16(_mm256_set1_epi16(static_cast<int16_t>(rows[0])), steps);
  const __m256i found = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows));
  return _mm256_cmpeq_epi16_mask(expected, found) == 0xffffU;
}
// to[i] = first + i * step for i < 16
LOE_AMX_INLINE void fill_regular(int64_t first, int64_t step, int64_t* to) {
  const __m512i place = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
  const __m512i low = _mm512_add_epi64(_mm512_set1_epi64(first), _mm512_mullo_epi64(place, _mm512_set1_epi64(step)));
  _mm512_storeu_si512(to, low);
  _mm512_storeu_si512(to + 8, _mm512_add_epi64(low, _mm512_set1_epi64(8 * step)));
}
LOE_AMX_INLINE void interleave_32(const bf16* even, const bf16* odd, bf16* low, bf16* high) {
  const __m512i a = _mm512_loadu_si512(even);
  const __m512i b = _mm512_loadu_si512(odd);
  _mm512_store_si512(low, _mm512_unpacklo_epi16(a, b));
  _mm512_store_si512(high, _mm512_unpackhi_epi16(a, b));
}
LOE_AMX_INLINE void interleave_16(const bf16* even, const bf16* odd, bf16* to) {
  const __m512i a = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(even)));
  const __m512i b = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(odd)));
  _mm512_store_si512(to, _mm512_or_si512(a, _mm512_slli_epi32(b, 16)));
}

// Eight values of each of four rows 8 apart.
LOE_AMX_INLINE __m512i load_four(const bf16* const* rows, int at) {
  const auto piece = [&](int row) { return reinterpret_cast<const __m128i*>(rows[row] + at); };
  __m512i v = _mm512_castsi128_si512(_mm_loadu_si128(piece(0)));
  v = _mm512_inserti32x4(v, _mm_loadu_si128(piece(8)), 1);
  v = _mm512_inserti32x4(v, _mm_loadu_si128(piece(16)), 2);
  return _mm512_inserti32x4(v, _mm_loadu_si128(piece(24)), 3);
}

// to[c][r] = rows[r][at + c] for 8 columns of 32 rows: an 8 x 8 transpose in each 128-bit lane.
LOE_AMX_INLINE void transpose_32x8(const bf16* const* rows, int at, bf16* to) {
  __m512i v[8];
  __m512i w[8];
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) v[j] = load_four(rows + j, at);
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    w[2 * j] = _mm512_unpacklo_epi16(v[2 * j], v[2 * j + 1]);
    w[2 * j + 1] = _mm512_unpackhi_epi16(v[2 * j], v[2 * j + 1]);
  }
#pragma GCC unroll 2
  for (int j = 0; j < 8; j += 4) {
    v[j] = _mm512_unpacklo_epi32(w[j], w[j + 2]);
    v[j + 1] = _mm512_unpackhi_epi32(w[j], w[j + 2]);
    v[j + 2] = _mm512_unpacklo_epi32(w[j + 1], w[j + 3]);
    v[j + 3] = _mm512_unpackhi_epi32(w[j + 1], w[j + 3]);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    _mm512_store_si512(to + 64 * j, _mm512_unpacklo_epi64(v[j], v[j + 4]));
    _mm512_store_si512(to + 64 * j + 32, _mm512_unpackhi_epi64(v[j], v[j + 4]));
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

HWY_POP_ATTRIBUTES

namespace loe::cpu {
namespace {

/// What ldtilecfg reads: palette 1, all eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t n_rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

}  // namespace

void configure_tiles() {
  static constexpr TileConfig kConfig;
  __asm__ volatile("ldtilecfg %0" : : "m"(kConfig));
}

void release_tiles() {
  __asm__ volatile("tilerelease");
}

NativeTable make_amx_table(const KernelTable& base) {
  const AmxState state = request_amx();
  if (!state.is_usable || base.isa != "avx512") return {{}, true, state.reason};
  KernelTable table = base;
  use_tiles(table);
  table.isa = "amx";
  table.reason = "instruction set amx for bf16, avx512 for f32";
  table.gemm_bf16_name = "amx 32x32 tdpbf16ps, rows copied";
  table.gemm_split_name = "amx 32x32 tdpbf16ps, f32 as two bf16";
  table.begin = configure_tiles;
  table.end = release_tiles;
  return {{table}, true, ""};
}

}  // namespace loe::cpu

#else

namespace loe::cpu {
void configure_tiles() {}
void release_tiles() {}
NativeTable make_amx_table(const KernelTable&) {
  return {};
}
}  // namespace loe::cpu

#endif
