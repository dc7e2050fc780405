// Blends of table rows for the target being compiled (Highway). No include guard on purpose: see kernels.cpp.

HWY_BEFORE_NAMESPACE();
namespace loe::cpu::HWY_NAMESPACE {

// One chain of fused multiply-adds per element, in the order of the rows: four chains side by side hide their latency.
void weighted_rows(const float* const* rows, const float* scales, int n_rows, int n, bool adds, float* y) {
  const DF d;
  int i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    VF s0 = adds ? hn::LoadU(d, y + i) : hn::Zero(d);
    VF s1 = adds ? hn::LoadU(d, y + i + kLanes) : hn::Zero(d);
    VF s2 = adds ? hn::LoadU(d, y + i + 2 * kLanes) : hn::Zero(d);
    VF s3 = adds ? hn::LoadU(d, y + i + 3 * kLanes) : hn::Zero(d);
    for (int r = 0; r < n_rows; ++r) {
      const VF scale = hn::Set(d, scales[r]);
      const float* x = rows[r] + i;
      s0 = hn::MulAdd(scale, hn::LoadU(d, x), s0);
      s1 = hn::MulAdd(scale, hn::LoadU(d, x + kLanes), s1);
      s2 = hn::MulAdd(scale, hn::LoadU(d, x + 2 * kLanes), s2);
      s3 = hn::MulAdd(scale, hn::LoadU(d, x + 3 * kLanes), s3);
    }
    hn::StoreU(s0, d, y + i);
    hn::StoreU(s1, d, y + i + kLanes);
    hn::StoreU(s2, d, y + i + 2 * kLanes);
    hn::StoreU(s3, d, y + i + 3 * kLanes);
  }
  for (; i + kLanes <= n; i += kLanes) {
    VF sum = adds ? hn::LoadU(d, y + i) : hn::Zero(d);
    for (int r = 0; r < n_rows; ++r) sum = hn::MulAdd(hn::Set(d, scales[r]), hn::LoadU(d, rows[r] + i), sum);
    hn::StoreU(sum, d, y + i);
  }
  for (; i < n; ++i) {
    float sum = adds ? y[i] : 0.0F;
    for (int r = 0; r < n_rows; ++r) sum += scales[r] * rows[r][i];
    y[i] = sum;
  }
}

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
