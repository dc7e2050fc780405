// Weight-gradient kernels for the target being compiled (Highway). No include guard on purpose: see kernels.cpp.

HWY_BEFORE_NAMESPACE();
namespace loe::cpu::HWY_NAMESPACE {

template <int R, int NV>
HWY_NOINLINE void grad_block(const GradArgs& g, int i0, int j0) {
  const DF d;
  VF acc[R][NV];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) acc[i][j] = hn::LoadU(d, g.d + (i0 + i) * g.d_stride + j0 + j * kLanes);
  }
  for (int r = 0; r < g.n_rows; ++r) {
    const float* x = g.x[r] + i0;
    const float* z = g.z[r] + j0;
    VF w[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) w[j] = hn::LoadU(d, z + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const VF v = hn::Set(d, x[i]);
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(v, w[j], acc[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) hn::StoreU(acc[i][j], d, g.d + (i0 + i) * g.d_stride + j0 + j * kLanes);
  }
}

// The same on packed bf16 row pairs, without a dot instruction.
template <int R, int NV>
HWY_NOINLINE void grad_block(const GradPairsArgs& g, int i0, int j0) {
  const DF d;
  VF acc[R][NV];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) acc[i][j] = hn::LoadU(d, g.d + (i0 + i) * g.d_stride + j0 + j * kLanes);
  }
  for (int p = 0; p < g.n_pairs; ++p) {
    const bf16* x = g.x + p * g.x_stride + 2 * i0;
    const bf16* z = g.z + p * g.z_stride + 2 * j0;
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      VF w[NV];
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        const VF pair = hn::LoadU(d, reinterpret_cast<const float*>(z) + j * kLanes);
        w[j] = half == 0 ? low_of_pair(d, pair) : high_of_pair(d, pair);
      }
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) {
        const uint32_t bits = static_cast<uint32_t>(x[2 * i + half]) << 16;
        float value;
        hwy::CopySameSize(&bits, &value);
        const VF v = hn::Set(d, value);
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(v, w[j], acc[i][j]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) hn::StoreU(acc[i][j], d, g.d + (i0 + i) * g.d_stride + j0 + j * kLanes);
  }
}

template <typename Args, int... I>
constexpr BlockTable<GradBlock<Args>, kVectors, kLanes> make_grad_blocks(std::integer_sequence<int, I...>) {
  return {{grad_block<I % kBlockRows + 1, I / kBlockRows + 1>...}};
}

template <typename Args>
void grad(const Args& g) {
  static constexpr auto kTable = make_grad_blocks<Args>(std::make_integer_sequence<int, kVectors * kBlockRows>());
  loe::cpu::grad(g, kTable);
}

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
