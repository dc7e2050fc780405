// Row-pointer GEMM for the target being compiled (Highway). No include guard on purpose: see kernels.cpp.

HWY_BEFORE_NAMESPACE();
namespace loe::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, kPadding>;
using VF = hn::Vec<DF>;
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(DF()));

// Register block. AVX-512 and NEON have 32 registers: 6 x 4 accumulators + 4 weights + 1 broadcast. Others have 16:
// 6 x 2 + 2 + 1.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
inline constexpr int kVectors = 4;
#else
inline constexpr int kVectors = 2;
#endif
inline constexpr int kPanel = kVectors * kLanes;

// bf16 is the upper half of an f32: the low element of a pair moves up, the high one is masked in place.
HWY_INLINE VF low_of_pair(DF d, VF pair) {
  const hn::RebindToUnsigned<DF> du;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::BitCast(du, pair)));
}
HWY_INLINE VF high_of_pair(DF d, VF pair) {
  const hn::RebindToUnsigned<DF> du;
  return hn::BitCast(d, hn::And(hn::BitCast(du, pair), hn::Set(du, 0xffff0000U)));
}

HWY_INLINE VF load_bf16(DF d, const bf16* p) {
  const hn::RebindToUnsigned<DF> du;
  const hn::Rebind<uint16_t, DF> d16;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(d16, p))));
}

HWY_INLINE void store_bf16([[maybe_unused]] DF d, VF v, bf16* p) {
  const hn::RebindToUnsigned<DF> du;
  const hn::Rebind<uint16_t, DF> d16;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1U));
  const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(du, 0x7fffU)), odd));
  const hn::Rebind<int32_t, DF> di;
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di, rounded)), d16, p);
}

HWY_INLINE VF apply_leaky(VF v, VF slope) {
  return hn::Max(v, hn::Mul(v, slope));
}

template <int R, int NV>
HWY_INLINE void finish(const GemmArgs& g, const int64_t* c_row, int column, VF (&acc)[R][NV]) {
  const DF d;
  const VF slope = hn::Set(d, g.slope);
  const VF one = hn::Set(d, 1.0F);
  const VF zero = hn::Zero(d);
  // Locals: the compiler must assume that a store through c changes the fields of g.
  const Epilogue epilogue = g.epilogue;
  const float* const mask32 = g.mask32;
  const bf16* const mask16 = g.mask16;
  float* const c32 = g.c32;
  bf16* const c16 = g.c16;
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    const int64_t c_at = c_row[i] * g.c_stride + column;
    const int64_t mask_at = c_row[i] * g.mask_stride + column;
    const auto mask = [&](int j) HWY_ATTR {
      return mask32 != nullptr ? hn::LoadU(d, mask32 + mask_at + j * kLanes)
                               : load_bf16(d, mask16 + mask_at + j * kLanes);
    };
    if (epilogue == Epilogue::BiasLeaky) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = apply_leaky(acc[i][j], slope);
    } else if (epilogue == Epilogue::AddLeaky) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = apply_leaky(hn::Add(acc[i][j], mask(j)), slope);
    } else if (epilogue == Epilogue::MaskLeaky) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        acc[i][j] = hn::Mul(acc[i][j], hn::IfThenElse(hn::Gt(mask(j), zero), one, slope));
      }
    } else if (epilogue == Epilogue::Multiply) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::Mul(acc[i][j], mask(j));
    }
    if (c32 != nullptr) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) hn::StoreU(acc[i][j], d, c32 + c_at + j * kLanes);
    }
    if (c16 != nullptr) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) store_bf16(d, acc[i][j], c16 + c_at + j * kLanes);
    }
  }
}

// One block of R rows x NV vectors, f32.
template <int R, int NV>
HWY_INLINE void block(const GemmArgs& g, const float* const* a_row, const int64_t* c_row, int64_t panel_offset,
                      int column, BlockPrefetch* prefetch, float /*tag*/) {
  const DF d;
  VF acc[R][NV];
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const VF start = has_bias(g.epilogue) ? hn::LoadU(d, g.bias + column + j * kLanes) : hn::Zero(d);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) acc[i][j] = start;
  }
  for (int s = 0; s < g.n_segments; ++s) {
    const float* HWY_RESTRICT b = static_cast<const float*>(g.b[s]) + panel_offset;
    const float* a[R];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) a[i] = a_row[i] + int64_t{s} * g.depth;
    for (int k0 = 0; k0 < g.depth; k0 += kPrefetchDepth) {
      prefetch->round();
      const int k1 = k0 + kPrefetchDepth < g.depth ? k0 + kPrefetchDepth : g.depth;
      for (int k = k0; k < k1; ++k) {
        VF w[NV];
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) w[j] = hn::LoadU(d, b + j * kLanes);
        b += NV * kLanes;
#pragma GCC unroll 8
        for (int i = 0; i < R; ++i) {
          const VF x = hn::Set(d, a[i][k]);
#pragma GCC unroll 4
          for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(x, w[j], acc[i][j]);
        }
      }
    }
  }
  finish<R, NV>(g, c_row, column, acc);
}

// The same for bf16 pairs without a dot instruction: each pair is two fused multiply-adds on unpacked halves.
template <int R, int NV>
HWY_INLINE void block(const GemmArgs& g, const bf16* const* a_row, const int64_t* c_row, int64_t panel_offset,
                      int column, BlockPrefetch* prefetch, bf16 /*tag*/) {
  const DF d;
  VF acc[R][NV];
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const VF start = has_bias(g.epilogue) ? hn::LoadU(d, g.bias + column + j * kLanes) : hn::Zero(d);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) acc[i][j] = start;
  }
  for (int s = 0; s < g.n_segments; ++s) {
    const bf16* HWY_RESTRICT b = static_cast<const bf16*>(g.b[s]) + panel_offset;
    for (int k = 0; k < g.depth; k += 2) {
      if (k % kPrefetchDepth == 0) prefetch->round();
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        VF w[NV];
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) {
          const VF pair = hn::LoadU(d, reinterpret_cast<const float*>(b) + j * kLanes);
          w[j] = half == 0 ? low_of_pair(d, pair) : high_of_pair(d, pair);
        }
#pragma GCC unroll 8
        for (int i = 0; i < R; ++i) {
          const uint32_t bits = static_cast<uint32_t>(a_row[i][int64_t{s} * g.depth + k + half]) << 16;
          float value;
          hwy::CopySameSize(&bits, &value);
          const VF x = hn::Set(d, value);
#pragma GCC unroll 4
          for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(x, w[j], acc[i][j]);
        }
      }
      b += 2 * NV * kLanes;
    }
  }
  finish<R, NV>(g, c_row, column, acc);
}

template <int R, int NV, typename T>
HWY_NOINLINE void gemm_block(const GemmArgs& g, const T* const* a_row, const int64_t* c_row, int64_t panel_offset,
                             int column, BlockPrefetch* prefetch) {
  block<R, NV>(g, a_row, c_row, panel_offset, column, prefetch, T{});
}

template <typename T, int... I>
constexpr BlockTable<GemmBlock<T>, kVectors, kLanes> make_gemm_blocks(std::integer_sequence<int, I...>) {
  return {{gemm_block<I % kBlockRows + 1, I / kBlockRows + 1, T>...}};
}

template <typename T>
void gemm(const GemmArgs& g) {
  static constexpr auto kTable = make_gemm_blocks<T>(std::make_integer_sequence<int, kVectors * kBlockRows>());
  loe::cpu::gemm<T>(g, kTable);
}

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
