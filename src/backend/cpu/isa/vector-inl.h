// Elementwise and small kernels for the target being compiled (Highway). No include guard on purpose: see kernels.cpp.

HWY_BEFORE_NAMESPACE();
namespace loe::cpu::HWY_NAMESPACE {

HWY_INLINE float as_float(float value) {
  return value;
}
HWY_INLINE float as_float(bf16 value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float result;
  hwy::CopySameSize(&bits, &result);
  return result;
}
HWY_INLINE bf16 as_bf16(float value) {
  uint32_t bits;
  hwy::CopySameSize(&value, &bits);
  return static_cast<bf16>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}
HWY_INLINE VF load_any(DF d, const float* p) {
  return hn::LoadU(d, p);
}
HWY_INLINE VF load_any(DF d, const bf16* p) {
  return load_bf16(d, p);
}
HWY_INLINE void store_any(DF d, VF v, float* p) {
  hn::StoreU(v, d, p);
}
HWY_INLINE void store_any(DF d, VF v, bf16* p) {
  store_bf16(d, v, p);
}

template <typename T>
void dot(const T* a, const float* w, int64_t w_stride, int k, int n_out, float* y) {
  const DF d;
  for (int o = 0; o < n_out; ++o) {
    const float* row = w + o * w_stride;
    VF s0 = hn::Zero(d);
    VF s1 = hn::Zero(d);
    int i = 0;
    for (; i + 2 * kLanes <= k; i += 2 * kLanes) {
      s0 = hn::MulAdd(load_any(d, a + i), hn::LoadU(d, row + i), s0);
      s1 = hn::MulAdd(load_any(d, a + i + kLanes), hn::LoadU(d, row + i + kLanes), s1);
    }
    for (; i + kLanes <= k; i += kLanes) s0 = hn::MulAdd(load_any(d, a + i), hn::LoadU(d, row + i), s0);
    float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
    for (; i < k; ++i) sum += as_float(a[i]) * row[i];
    y[o] += sum;
  }
}
void dot_f32(const float* a, const float* w, int64_t w_stride, int k, int n_out, float* y) {
  dot(a, w, w_stride, k, n_out, y);
}
void dot_bf16(const bf16* a, const float* w, int64_t w_stride, int k, int n_out, float* y) {
  dot(a, w, w_stride, k, n_out, y);
}

template <typename T>
void axpy(float scale, const T* x, int n, float* y) {
  const DF d;
  const VF s = hn::Set(d, scale);
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) hn::StoreU(hn::MulAdd(s, load_any(d, x + i), hn::LoadU(d, y + i)), d, y + i);
  for (; i < n; ++i) y[i] += scale * as_float(x[i]);
}
void axpy_f32(float scale, const float* x, int n, float* y) {
  axpy(scale, x, n, y);
}
void axpy_bf16(float scale, const bf16* x, int n, float* y) {
  axpy(scale, x, n, y);
}

void scale_f32(float scale, const float* x, int n, float* y) {
  const DF d;
  const VF s = hn::Set(d, scale);
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) hn::StoreU(hn::Mul(s, hn::LoadU(d, x + i)), d, y + i);
  for (; i < n; ++i) y[i] = scale * x[i];
}
void scale_bf16(float scale, const bf16* x, int n, bf16* y) {
  const DF d;
  const VF s = hn::Set(d, scale);
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) store_bf16(d, hn::Mul(s, load_bf16(d, x + i)), y + i);
  for (; i < n; ++i) y[i] = as_bf16(scale * as_float(x[i]));
}
void to_bf16(const float* x, int n, bf16* y) {
  const DF d;
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) store_bf16(d, hn::LoadU(d, x + i), y + i);
  for (; i < n; ++i) y[i] = as_bf16(x[i]);
}
template <typename T>
void mask_leaky(const float* dx, const T* y, float slope, int n, T* out) {
  const DF d;
  const VF s = hn::Set(d, slope);
  const VF one = hn::Set(d, 1.0F);
  for (int i = 0; i < n; i += kLanes) {
    const VF factor = hn::IfThenElse(hn::Gt(load_any(d, y + i), hn::Zero(d)), one, s);
    store_any(d, hn::Mul(hn::LoadU(d, dx + i), factor), out + i);
  }
}
void mask_leaky_f32(const float* dx, const float* y, float slope, int n, float* out) {
  mask_leaky(dx, y, slope, n, out);
}
void mask_leaky_bf16(const float* dx, const bf16* y, float slope, int n, bf16* out) {
  mask_leaky(dx, y, slope, n, out);
}

template <typename T>
void multiply(const float* dx, const T* factor, int n, T* out) {
  const DF d;
  for (int i = 0; i < n; i += kLanes) store_any(d, hn::Mul(hn::LoadU(d, dx + i), load_any(d, factor + i)), out + i);
}
void multiply_f32(const float* dx, const float* factor, int n, float* out) {
  multiply(dx, factor, n, out);
}
void multiply_bf16(const float* dx, const bf16* factor, int n, bf16* out) {
  multiply(dx, factor, n, out);
}

/// adam_update() in vectors.
struct AdamStep {
  VF beta1, beta2, rest1, rest2, step, v_scale, epsilon;

  explicit HWY_INLINE AdamStep(const AdamScalars& c) {
    const DF d;
    beta1 = hn::Set(d, c.beta1);
    beta2 = hn::Set(d, c.beta2);
    rest1 = hn::Set(d, c.one_minus_beta1);
    rest2 = hn::Set(d, c.one_minus_beta2);
    step = hn::Set(d, c.step_size);
    v_scale = hn::Set(d, c.inverse_sqrt_correction2);
    epsilon = hn::Set(d, c.epsilon);
  }
  /// Updates the moments and returns the new parameters.
  HWY_INLINE VF operator()(VF g, VF p, VF& m, VF& v) const {
    m = hn::MulAdd(beta1, m, hn::Mul(rest1, g));
    v = hn::MulAdd(beta2, v, hn::Mul(rest2, hn::Mul(g, g)));
    const VF denominator = hn::MulAdd(hn::Sqrt(v), v_scale, epsilon);
    return hn::Sub(p, hn::Div(hn::Mul(step, m), denominator));
  }
};

void adam(const AdamScalars& c, const float* grad, int64_t n, float* params, float* m, float* v) {
  const DF d;
  const AdamStep update(c);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    VF m1 = hn::LoadU(d, m + i);
    VF v1 = hn::LoadU(d, v + i);
    hn::StoreU(update(hn::LoadU(d, grad + i), hn::LoadU(d, params + i), m1, v1), d, params + i);
    hn::StoreU(m1, d, m + i);
    hn::StoreU(v1, d, v + i);
  }
  // The tail goes through the same vector arithmetic, so that a parameter's bits do not depend on its place.
  for (; i < n; ++i) {
    VF m1 = hn::Set(d, m[i]);
    VF v1 = hn::Set(d, v[i]);
    params[i] = hn::GetLane(update(hn::Set(d, grad[i]), hn::Set(d, params[i]), m1, v1));
    m[i] = hn::GetLane(m1);
    v[i] = hn::GetLane(v1);
  }
}

void adam_of_table(const AdamScalars& c, bool skips_zeros, float* grad, int64_t n, float* params, float* m, float* v,
                   float* copy) {
  const DF d;
  const AdamStep update(c);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const VF g = hn::LoadU(d, grad + i);
    const auto moves = hn::Ne(g, hn::Zero(d));
    if (skips_zeros && hn::AllFalse(d, moves)) continue;
    const VF p0 = hn::LoadU(d, params + i);
    const VF m0 = hn::LoadU(d, m + i);
    const VF v0 = hn::LoadU(d, v + i);
    VF m1 = m0;
    VF v1 = v0;
    VF p1 = update(g, p0, m1, v1);
    if (skips_zeros) {
      p1 = hn::IfThenElse(moves, p1, p0);
      m1 = hn::IfThenElse(moves, m1, m0);
      v1 = hn::IfThenElse(moves, v1, v0);
    }
    hn::StoreU(p1, d, params + i);
    hn::StoreU(p1, d, copy + i);
    hn::StoreU(m1, d, m + i);
    hn::StoreU(v1, d, v + i);
    hn::StoreU(hn::Zero(d), d, grad + i);
  }
  for (; i < n; ++i) {
    if (skips_zeros && grad[i] == 0) continue;
    VF m1 = hn::Set(d, m[i]);
    VF v1 = hn::Set(d, v[i]);
    copy[i] = params[i] = hn::GetLane(update(hn::Set(d, grad[i]), hn::Set(d, params[i]), m1, v1));
    m[i] = hn::GetLane(m1);
    v[i] = hn::GetLane(v1);
    grad[i] = 0;
  }
}

void transpose(const float* in, int64_t in_stride, int n_rows, int n_cols, float* out, int64_t out_stride) {
  // 16 x 16 blocks: 16 lines of each side stay in L1 while the block is turned.
  for (int r0 = 0; r0 < n_rows; r0 += 16) {
    const int r1 = r0 + 16 < n_rows ? r0 + 16 : n_rows;
    for (int c0 = 0; c0 < n_cols; c0 += 16) {
      const int c1 = c0 + 16 < n_cols ? c0 + 16 : n_cols;
      for (int c = c0; c < c1; ++c) {
        for (int r = r0; r < r1; ++r) out[c * out_stride + r] = in[r * in_stride + c];
      }
    }
  }
}

// out[(r / 2)][i][r % 2] = rows[r][i] for i < n; n_rows even.
void pack_pairs(const bf16* const* rows, int n_rows, int n, bf16* out, int64_t out_stride) {
  const hn::CappedTag<uint16_t, 2 * kPadding> d16;
  constexpr int kLanes16 = static_cast<int>(hn::MaxLanes(d16));
  for (int r = 0; r < n_rows; r += 2) {
    const bf16* HWY_RESTRICT even = rows[r];
    const bf16* HWY_RESTRICT odd = rows[r + 1];
    bf16* HWY_RESTRICT to = out + (r / 2) * out_stride;
    int i = 0;
    for (; i + kLanes16 <= n; i += kLanes16) {
      hn::StoreInterleaved2(hn::LoadU(d16, even + i), hn::LoadU(d16, odd + i), d16, to + 2 * i);
    }
    for (; i < n; ++i) {
      to[2 * i] = even[i];
      to[2 * i + 1] = odd[i];
    }
  }
}

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
