// Packing of weights for the target being compiled (Highway). No include guard on purpose: see kernels.cpp.

HWY_BEFORE_NAMESPACE();
namespace loe::cpu::HWY_NAMESPACE {

// x rounded, or what that leaves of it.
HWY_INLINE void round_part(const float* x, int n, bool is_rest, bf16* out) {
  to_bf16(x, n, out);
  if (!is_rest) return;
  constexpr int kMost = 2 * kPadding;
  float rest[kMost];
  for (int i = 0; i < n; i += kMost) {
    const int count = n - i < kMost ? n - i : kMost;
    for (int j = 0; j < count; ++j) rest[j] = x[i + j] - as_float(out[i + j]);
    to_bf16(rest, count, out + i);
  }
}

// Rows k and k + 1 side by side: source rows are rows of the panel.
HWY_INLINE void pack_row_pair(const float* even, const float* odd, int n, bool is_rest, bf16* out) {
  const hn::CappedTag<uint16_t, kPadding> d16;
  constexpr int kStep = static_cast<int>(hn::MaxLanes(d16));
  bf16 a[kPadding] = {};
  bf16 b[kPadding] = {};
  int j = 0;
  for (; j + kStep <= n; j += kStep) {
    round_part(even + j, kStep, is_rest, a);
    if (odd != nullptr) round_part(odd + j, kStep, is_rest, b);
    hn::StoreInterleaved2(hn::LoadU(d16, a), hn::LoadU(d16, b), d16, out + 2 * j);
  }
  for (; j < n; ++j) {
    round_part(even + j, 1, is_rest, out + 2 * j);
    out[2 * j + 1] = 0;
    if (odd != nullptr) round_part(odd + j, 1, is_rest, out + 2 * j + 1);
  }
}

// 16 columns of up to 32 k: source rows are columns of the panel. A pair of bf16 of a row is one word of the panel, so
// that words are transposed: 256 loads and stores for 512 weights, in L1.
HWY_INLINE void pack_columns(const PackArgs& p, int k0, int j0, int n_columns, int width, bf16* out) {
  constexpr int kDepth = 2 * kPadding;
  alignas(64) bf16 rows[kPadding][kDepth] = {};
  const int n_k = p.n_k - k0 < kDepth ? p.n_k - k0 : kDepth;
  for (int c = 0; c < n_columns; ++c) {
    round_part(p.source + (j0 + c) * p.j_stride + k0, n_k, p.is_rest, rows[c]);
  }
  const int n_pairs = (n_k + 1) / 2;
  for (int pair = 0; pair < n_pairs; ++pair) {
    for (int c = 0; c < n_columns; ++c) hwy::CopyBytes<4>(&rows[c][2 * pair], out + (int64_t{pair} * width + c) * 2);
  }
}

void pack_bf16(const PackArgs& p) {
  for (int j0 = 0; j0 < p.n_j; j0 += p.columns) {
    const int width = p.columns < p.n - j0 ? p.columns : p.n - j0;
    const int used = width < p.n_j - j0 ? width : p.n_j - j0;
    bf16* const panel = p.out + int64_t{j0} * p.depth;
    if (p.j_stride == 1) {
      for (int k = 0; k < p.n_k; k += 2) {
        const float* even = p.source + k * p.k_stride + j0;
        pack_row_pair(even, k + 1 < p.n_k ? even + p.k_stride : nullptr, used, p.is_rest, panel + int64_t{k} * width);
      }
      continue;
    }
    for (int k0 = 0; k0 < p.n_k; k0 += 2 * kPadding) {
      for (int c = 0; c < used; c += kPadding) {
        pack_columns(p, k0, j0 + c, used - c < kPadding ? used - c : kPadding, width,
                     panel + int64_t{k0} * width + int64_t{2} * c);
      }
    }
  }
}

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
