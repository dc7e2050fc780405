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

template <int NV, typename Args>
void grad_columns(const Args& g, int j0) {
  int i = 0;
  // The last rows are split evenly (65 = 9 x 6 + 6 + 5, not 10 x 6 + 5; 13 = 5 + 4 + 4): short blocks lose most.
  for (; g.m - i >= 2 * kRows || g.m - i == kRows; i += kRows) grad_block<kRows, NV>(g, i, j0);
  while (i < g.m) {
    const int left = g.m - i;
    const int n = left > kRows ? (left + 1) / 2 : left;
    switch (n) {
      case 6:
        grad_block<6, NV>(g, i, j0);
        break;
      case 5:
        grad_block<5, NV>(g, i, j0);
        break;
      case 4:
        grad_block<4, NV>(g, i, j0);
        break;
      case 3:
        grad_block<3, NV>(g, i, j0);
        break;
      case 2:
        grad_block<2, NV>(g, i, j0);
        break;
      default:
        grad_block<1, NV>(g, i, j0);
        break;
    }
    i += n;
  }
}

template <typename Args>
void grad(const Args& g) {
  for (int j = 0; j < g.n; j += kPanel) {
    const int left = (g.n - j) / kLanes;
    if (left >= kVectors) {
      grad_columns<kVectors>(g, j);
      continue;
    }
    if constexpr (kVectors == 4 && kLanes == kPadding) {
      if (left == 3) grad_columns<3>(g, j);
      if (left == 2) grad_columns<2>(g, j);
      if (left == 1) grad_columns<1>(g, j);
    }
  }
}

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
