// bf16 kernels with vdpbf16ps (AVX512-BF16: Cooper Lake, Sapphire Rapids, Zen 4). Highway 1.0.3 has no such target,
// hence intrinsics; the structure is that of gemm-inl.h and grad-inl.h: 6 rows x 4 vectors of accumulators.
#include "backend/cpu/isa/blocking.h"
#include "backend/cpu/isa/cpu_features.h"
#include "backend/cpu/isa/kernels.h"
#include "backend/cpu/isa/native_tables.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <immintrin.h>

#include <cstring>

// gcc 12's own intrinsics start from an "undefined" vector and warn about it (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

#define LOE_BF16_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define LOE_BF16_INLINE LOE_BF16_TARGET inline __attribute__((always_inline))

namespace loe::cpu {
namespace {

constexpr int kLanes = 16;
constexpr int kVectors = 4;

// A broadcast pair of bf16 as the operand of vdpbf16ps.
LOE_BF16_INLINE __m512bh broadcast_pair(const bf16* p) {
  int pair;
  std::memcpy(&pair, p, sizeof pair);
  return (__m512bh)_mm512_set1_epi32(pair);
}

LOE_BF16_INLINE __m512 widen(const bf16* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

// Of the operand that is given: rows in f32 or bf16.
LOE_BF16_INLINE __m512 load_either(const float* p32, const bf16* p16, int64_t at) {
  return p32 != nullptr ? _mm512_loadu_ps(p32 + at) : widen(p16 + at);
}

template <int R, int NV>
LOE_BF16_INLINE void finish(const GemmArgs& g, const int64_t* c_row, int column, __m512 (&acc)[R][NV]) {
  const __m512 slope = _mm512_set1_ps(g.slope);
  const Epilogue epilogue = g.epilogue;
  const float* const mask32 = g.mask32;
  const bf16* const mask16 = g.mask16;
  float* const c32 = g.c32;
  bf16* const c16 = g.c16;
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    const int64_t c_at = c_row[i] * g.c_stride + column;
    const int64_t mask_at = c_row[i] * g.mask_stride + column;
    if (epilogue == Epilogue::BiasLeaky) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = _mm512_max_ps(acc[i][j], _mm512_mul_ps(acc[i][j], slope));
    } else if (epilogue == Epilogue::AddLeaky) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        const __m512 v = _mm512_add_ps(acc[i][j], load_either(mask32, mask16, mask_at + j * kLanes));
        acc[i][j] = _mm512_max_ps(v, _mm512_mul_ps(v, slope));
      }
    } else if (epilogue == Epilogue::MaskLeaky) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        const __m512 y = load_either(mask32, mask16, mask_at + j * kLanes);
        const __mmask16 positive = _mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_GT_OQ);
        acc[i][j] = _mm512_mask_blend_ps(positive, _mm512_mul_ps(acc[i][j], slope), acc[i][j]);
      }
    } else if (epilogue == Epilogue::Multiply) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        acc[i][j] = _mm512_mul_ps(acc[i][j], load_either(mask32, mask16, mask_at + j * kLanes));
      }
    }
    if (c32 != nullptr) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) _mm512_storeu_ps(c32 + c_at + j * kLanes, acc[i][j]);
    }
    if (c16 != nullptr) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(c16 + c_at + j * kLanes),
                            (__m256i)_mm512_cvtneps_pbh(acc[i][j]));
      }
    }
  }
}

template <int R, int NV>
LOE_BF16_TARGET __attribute__((noinline)) void gemm_block(const GemmArgs& g, const bf16* const* a_row,
                                                          const int64_t* c_row, int64_t panel_offset, int column,
                                                          BlockPrefetch* prefetch) {
  __m512 acc[R][NV];
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const __m512 start = has_bias(g.epilogue) ? _mm512_loadu_ps(g.bias + column + j * kLanes) : _mm512_setzero_ps();
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) acc[i][j] = start;
  }
  for (int s = 0; s < g.n_segments; ++s) {
    const bf16* b = static_cast<const bf16*>(g.b[s]) + panel_offset;
    const bf16* a[R];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) a[i] = a_row[i] + int64_t{s} * g.depth;
    for (int k0 = 0; k0 < g.depth; k0 += kPrefetchDepth) {
      prefetch->round();
      const int k1 = k0 + kPrefetchDepth < g.depth ? k0 + kPrefetchDepth : g.depth;
      for (int k = k0; k < k1; k += 2) {
        __m512bh w[NV];
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) w[j] = (__m512bh)_mm512_loadu_si512(b + 2 * j * kLanes);
        b += 2 * NV * kLanes;
#pragma GCC unroll 8
        for (int i = 0; i < R; ++i) {
          const __m512bh x = broadcast_pair(a[i] + k);
#pragma GCC unroll 4
          for (int j = 0; j < NV; ++j) acc[i][j] = _mm512_dpbf16_ps(acc[i][j], x, w[j]);
        }
      }
    }
  }
  finish<R, NV>(g, c_row, column, acc);
}

template <int R, int NV>
LOE_BF16_TARGET __attribute__((noinline)) void grad_block(const GradPairsArgs& g, int i0, int j0) {
  __m512 acc[R][NV];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) acc[i][j] = _mm512_loadu_ps(g.d + (i0 + i) * g.d_stride + j0 + j * kLanes);
  }
  const bf16* x = g.x + 2 * i0;
  const bf16* z = g.z + 2 * j0;
  for (int p = 0; p < g.n_pairs; ++p) {
    __m512bh w[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) w[j] = (__m512bh)_mm512_loadu_si512(z + 2 * j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const __m512bh v = broadcast_pair(x + 2 * i);
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = _mm512_dpbf16_ps(acc[i][j], v, w[j]);
    }
    x += g.x_stride;
    z += g.z_stride;
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) _mm512_storeu_ps(g.d + (i0 + i) * g.d_stride + j0 + j * kLanes, acc[i][j]);
  }
}

template <int... I>
constexpr BlockTable<GemmBlock<bf16>, kVectors, kLanes> make_gemm_blocks(std::integer_sequence<int, I...>) {
  return {{gemm_block<I % kBlockRows + 1, I / kBlockRows + 1>...}};
}

template <int... I>
constexpr BlockTable<GradBlock<GradPairsArgs>, kVectors, kLanes> make_grad_blocks(std::integer_sequence<int, I...>) {
  return {{grad_block<I % kBlockRows + 1, I / kBlockRows + 1>...}};
}

constexpr auto kBlocks = std::make_integer_sequence<int, kVectors * kBlockRows>();

void gemm_bf16(const GemmArgs& g) {
  static constexpr auto kTable = make_gemm_blocks(kBlocks);
  gemm<bf16>(g, kTable);
}

void grad_pairs(const GradPairsArgs& g) {
  static constexpr auto kTable = make_grad_blocks(kBlocks);
  grad(g, kTable);
}

// out[(r / 2)][i][r % 2] = rows[r][i] for i < n; n_rows even.
LOE_BF16_TARGET void pack_pairs(const bf16* const* rows, int n_rows, int n, bf16* out, int64_t out_stride) {
  alignas(64) int16_t places[2][32];
  for (int i = 0; i < 64; ++i) places[i / 32][i % 32] = static_cast<int16_t>(i / 2 + i % 2 * 32);
  const __m512i low = _mm512_load_si512(places[0]);
  const __m512i high = _mm512_load_si512(places[1]);
  for (int r = 0; r < n_rows; r += 2) {
    bf16* const to = out + r / 2 * out_stride;
    int i = 0;
    for (; i + 32 <= n; i += 32) {
      const __m512i even = _mm512_loadu_si512(rows[r] + i);
      const __m512i odd = _mm512_loadu_si512(rows[r + 1] + i);
      _mm512_storeu_si512(to + 2 * i, _mm512_permutex2var_epi16(even, low, odd));
      _mm512_storeu_si512(to + 2 * i + 32, _mm512_permutex2var_epi16(even, high, odd));
    }
    for (; i < n; ++i) {
      to[2 * i] = rows[r][i];
      to[2 * i + 1] = rows[r + 1][i];
    }
  }
}

void grad_bf16(const GradRowsArgs& g) {
  grad_rows(g, pack_pairs, grad_pairs);
}

}  // namespace

// vdpbf16ps does twice the products of an f32 FMA per instruction. AMD's processors start as many of them; Intel's
// start a quarter (measured: 79 GF a core against 159 of f32 FMA, with 64 and 32 operations an
// instruction), so that widening to f32 is the faster way there. The vendor decides, not a timing: bits must not depend
// on how busy a machine is. The model does not: virtual machines often hide it, and no Intel model is known to differ.
NativeTable make_avx512bf16_table(const KernelTable& base) {
  if (base.isa != "avx512" || !cpu_has_avx512bf16()) return {};
  KernelTable table = base;
  table.isa = "avx512bf16";
  table.reason = "instruction set avx512bf16";
  table.gemm_bf16 = gemm_bf16;
  table.grad_bf16 = grad_bf16;
  table.gemm_bf16_name = "avx512bf16 6x64 row-pointer vdpbf16ps";
  if (!is_intel_cpu()) return {{table}, true, ""};
  table.reason += "; after avx512: on Intel vdpbf16ps is slower than f32 FMA";
  return {{table}, false, "before avx512bf16: on Intel vdpbf16ps is slower than f32 FMA"};
}

}  // namespace loe::cpu

#else

namespace loe::cpu {
NativeTable make_avx512bf16_table(const KernelTable&) {
  return {};
}
}  // namespace loe::cpu

#endif
