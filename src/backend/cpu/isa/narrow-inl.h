// Kernels of narrow networks for the target being compiled (Highway). No include guard on purpose: see kernels.cpp.

HWY_BEFORE_NAMESPACE();
namespace loe::cpu::HWY_NAMESPACE {

// Vectors of outputs in registers at once, and rows (forward) or inputs (weight gradient) beside them: accumulators,
// weights and a broadcast fill 32 or 16 registers, and there are at least the 8 chains that two multiply-adds of
// latency 4 need.
constexpr int narrow_row_block(int n_vectors) {
  if (kVectors == 2) return n_vectors == 1 ? 8 : 4;
  return n_vectors == 1 ? 16 : n_vectors == 4 ? 4 : 8;
}
constexpr int narrow_input_block(int n_vectors) {
  if (kVectors == 2) return n_vectors == 1 ? 10 : 6;
  return n_vectors <= 2 ? 10 : n_vectors == 3 ? 7 : 5;
}

// Calls f with std::integral_constant<int, n>, n in 1..kVectors.
template <typename F>
HWY_INLINE void with_vectors(int n, const F& f) {
  if (n == 1) f(std::integral_constant<int, 1>());
  if (n == 2) f(std::integral_constant<int, 2>());
  if constexpr (kVectors > 2) {
    if (n == 3) f(std::integral_constant<int, 3>());
    if (n == 4) f(std::integral_constant<int, 4>());
  }
}
// The same for every panel of up to kVectors vectors of n columns.
template <typename F>
HWY_INLINE void for_panels(int n, const F& f) {
  for (int column = 0; column < n; column += kVectors * kLanes) {
    const int left = (n - column) / kLanes;
    with_vectors(left < kVectors ? left : kVectors, [&](auto vectors) HWY_ATTR { f(vectors, column); });
  }
}

// Sine and cosine with one reduction: x = q pi / 2 + r, |r| <= pi / 4, and Cephes' polynomials (Moshier) for both. At
// most 2 units of 2^-24 off for |x| up to 8,192 (tests/backend/narrow_kernels_test.cpp); beyond, and where there is no
// fused multiply-add to make the reduction exact, the functions of sine-inl.h.
inline constexpr float kMaxNarrowSine = 8192.0F;

HWY_INLINE void sin_cos_reduced(DF d, VF x, VF& s, VF& c) {
  const hn::RebindToSigned<DF> di;
  const VF q = hn::Round(hn::Mul(x, hn::Set(d, 0.636619772F)));
  VF r = hn::NegMulAdd(q, hn::Set(d, 0x1.921fb4p+0F), x);
  r = hn::NegMulAdd(q, hn::Set(d, 0x1.4442d0p-24F), r);
  r = hn::NegMulAdd(q, hn::Set(d, 0x1.846988p-48F), r);
  const VF z = hn::Mul(r, r);
  VF sine = hn::MulAdd(hn::MulAdd(hn::Set(d, -1.9515295891e-4F), z, hn::Set(d, 8.3321608736e-3F)), z,
                       hn::Set(d, -1.6666654611e-1F));
  sine = hn::MulAdd(hn::Mul(sine, z), r, r);
  VF cosine = hn::MulAdd(hn::MulAdd(hn::Set(d, 2.443315711809948e-5F), z, hn::Set(d, -1.388731625493765e-3F)), z,
                         hn::Set(d, 4.166664568298827e-2F));
  cosine = hn::MulAdd(hn::Mul(cosine, z), z, hn::MulAdd(hn::Set(d, -0.5F), z, hn::Set(d, 1.0F)));
  // sin: quadrants 1 and 3 take the cosine, 2 and 3 change sign; cos: 1 and 3 take the sine, 1 and 2 change sign.
  const auto quadrant = hn::ConvertTo(di, q);
  const auto is_odd = hn::MaskFromVec(hn::BitCast(d, hn::Neg(hn::And(quadrant, hn::Set(di, 1)))));
  const auto sine_sign = hn::ShiftLeft<30>(hn::And(quadrant, hn::Set(di, 2)));
  const auto cosine_sign = hn::ShiftLeft<30>(hn::And(hn::Add(quadrant, hn::Set(di, 1)), hn::Set(di, 2)));
  s = hn::Xor(hn::IfThenElse(is_odd, cosine, sine), hn::BitCast(d, sine_sign));
  c = hn::Xor(hn::IfThenElse(is_odd, sine, cosine), hn::BitCast(d, cosine_sign));
}

HWY_NOINLINE void sin_cos_any(const float* x, float* s, float* c) {
  HWY_ALIGN float ones[kPadding];
  const DF d;
  hn::StoreU(hn::LoadU(d, x), d, ones);
  SineArgs args;
  args.x = ones;
  args.n = kLanes;
  args.y32 = s;
  args.dy32 = c;
  sine(args);
}

HWY_INLINE void sin_cos_vector(DF d, VF x, VF& s, VF& c) {
#if HWY_NATIVE_FMA
  if (HWY_LIKELY(hn::AllTrue(d, hn::Le(hn::Abs(x), hn::Set(d, kMaxNarrowSine))))) {
    sin_cos_reduced(d, x, s, c);
    return;
  }
#endif
  HWY_ALIGN float buffer[3 * kPadding];
  hn::Store(x, d, buffer);
  sin_cos_any(buffer, buffer + kPadding, buffer + 2 * kPadding);
  s = hn::Load(d, buffer + kPadding);
  c = hn::Load(d, buffer + 2 * kPadding);
}

void narrow_sin_cos(const float* x, int n, float* s, float* c) {
  const DF d;
  for (int i = 0; i < n; i += kLanes) {
    VF sine;
    VF cosine;
    sin_cos_vector(d, hn::LoadU(d, x + i), sine, cosine);
    hn::StoreU(sine, d, s + i);
    hn::StoreU(cosine, d, c + i);
  }
}

template <int R, int NV, bool kIsSine>
HWY_INLINE void narrow_forward_block(const NarrowForward& g, const uint16_t* rows, int column) {
  const DF d;
  const float* x[R];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) x[i] = g.x + rows[i] * g.x_stride;
  VF acc[R][NV];
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const VF bias = hn::LoadU(d, g.bias + column + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) acc[i][j] = bias;
  }
  const float* w_row = g.w + column;
  const int64_t w_stride = g.n_out;
  const int n_in = g.n_in;
#pragma GCC unroll 1
  for (int k = 0; k < n_in; ++k, w_row += w_stride) {
    VF w[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) w[j] = hn::LoadU(d, w_row + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const VF v = hn::Set(d, x[i][k]);
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(v, w[j], acc[i][j]);
    }
  }
  const VF factor = hn::Set(d, kIsSine ? g.activation.omega : g.activation.slope);
  float* const y = g.y + column;
  float* const dy = g.dy + column;
  const int64_t stride = g.y_stride;
  if constexpr (kIsSine) {
    // Not unrolled: 16 copies of the polynomials would only fill the instruction cache.
    HWY_ALIGN float sums[R * NV * kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) hn::Store(acc[i][j], d, sums + (i * NV + j) * kLanes);
    }
    for (int i = 0; i < R; ++i) {
      const int64_t at = rows[i] * stride;
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        VF s;
        VF c;
        sin_cos_vector(d, hn::Mul(factor, hn::Load(d, sums + (i * NV + j) * kLanes)), s, c);
        hn::StoreU(s, d, y + at + j * kLanes);
        hn::StoreU(hn::Mul(factor, c), d, dy + at + j * kLanes);
      }
    }
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const int64_t at = rows[i] * stride;
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) hn::StoreU(apply_leaky(acc[i][j], factor), d, y + at + j * kLanes);
    }
  }
}

template <int NV, bool kIsSine>
HWY_NOINLINE void narrow_forward_panel(const NarrowForward& g, int column) {
  constexpr int kRows = narrow_row_block(NV);
  static_assert(kNarrowRows % kRows == 0);
  // The next group's matrix, a share of it before each block of rows.
  const char* next = column == 0 ? reinterpret_cast<const char*>(g.next_w) : nullptr;
  const char* const end = next == nullptr ? nullptr : next + int64_t{g.n_in} * g.n_out * 4;
  const int n_blocks = g.n_rows / kRows;
  const int64_t share = n_blocks == 0 ? 0 : ((end - next) / n_blocks + 63) / 64 * 64;
  for (int first = 0; first < g.n_rows; first += kRows) {
    for (const char* line = next; line < next + share && line < end; line += 64) __builtin_prefetch(line, 0, 2);
    if (next != nullptr) next += share;
    narrow_forward_block<kRows, NV, kIsSine>(g, g.rows + first, column);
  }
}

void narrow_forward(const NarrowForward& g) {
  for_panels(g.n_out, [&](auto vectors, int column) {
    if (g.activation.is_sine) {
      narrow_forward_panel<vectors(), true>(g, column);
    } else {
      narrow_forward_panel<vectors(), false>(g, column);
    }
  });
}

// to[c][r] = from[r][c] for whole blocks of 4 x 4: transposed inside 128-bit lanes, then stored lane by lane.
HWY_INLINE void narrow_turn(const float* from, int n_rows, int n_columns, float* to) {
#if HWY_TARGET == HWY_SCALAR
  for (int r = 0; r < n_rows; ++r) {
    for (int c = 0; c < n_columns; ++c) to[c * n_rows + r] = from[r * n_columns + c];
  }
#else
  const DF d;
  const hn::Repartition<uint64_t, DF> d64;
  const hn::FixedTag<float, 4> d4;
  HWY_ALIGN float turned[4 * kLanes];
  for (int r = 0; r < n_rows; r += 4) {
    for (int c = 0; c < n_columns; c += kLanes) {
      const float* p = from + r * n_columns + c;
      const VF a = hn::LoadU(d, p);
      const VF b = hn::LoadU(d, p + n_columns);
      const VF e = hn::LoadU(d, p + 2 * n_columns);
      const VF f = hn::LoadU(d, p + 3 * n_columns);
      const auto ab_low = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
      const auto ab_high = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
      const auto ef_low = hn::BitCast(d64, hn::InterleaveLower(d, e, f));
      const auto ef_high = hn::BitCast(d64, hn::InterleaveUpper(d, e, f));
      hn::Store(hn::BitCast(d, hn::InterleaveLower(d64, ab_low, ef_low)), d, turned);
      hn::Store(hn::BitCast(d, hn::InterleaveUpper(d64, ab_low, ef_low)), d, turned + kLanes);
      hn::Store(hn::BitCast(d, hn::InterleaveLower(d64, ab_high, ef_high)), d, turned + 2 * kLanes);
      hn::Store(hn::BitCast(d, hn::InterleaveUpper(d64, ab_high, ef_high)), d, turned + 3 * kLanes);
      for (int j = 0; j < kLanes; ++j) {
        hn::StoreU(hn::Load(d4, turned + j % 4 * kLanes + j / 4 * 4), d4, to + (c + j) * n_rows + r);
      }
    }
  }
#endif
}

template <int R, int NV>
HWY_INLINE void narrow_input_grad_block(const NarrowInputGrad& g, const uint16_t* rows, int column) {
  const DF d;
  const float* z[R];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) z[i] = g.d + rows[i] * g.d_stride;
  VF acc[R][NV];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) acc[i][j] = hn::Zero(d);
  }
  const float* w_row = g.turned + column;
  const int64_t w_stride = g.n_in;
  const int n_out = g.n_out;
#pragma GCC unroll 1
  for (int k = 0; k < n_out; ++k, w_row += w_stride) {
    VF w[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) w[j] = hn::LoadU(d, w_row + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const VF v = hn::Set(d, z[i][k]);
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(v, w[j], acc[i][j]);
    }
  }
  const bool is_sine = g.activation.is_sine;
  const VF slope = hn::Set(d, g.activation.slope);
  const VF one = hn::Set(d, 1.0F);
  const float* const mask = (is_sine ? g.dy : g.y) + column;
  float* const dx = g.dx + column;
  const int64_t stride = g.x_stride;
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
    const int64_t at = rows[i] * stride;
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      const VF m = hn::LoadU(d, mask + at + j * kLanes);
      const VF factor = is_sine ? m : hn::IfThenElse(hn::Gt(m, hn::Zero(d)), one, slope);
      hn::StoreU(hn::Mul(acc[i][j], factor), d, dx + at + j * kLanes);
    }
  }
}

template <int NV>
HWY_NOINLINE void narrow_input_grad_panel(const NarrowInputGrad& g, int column) {
  constexpr int kRows = narrow_row_block(NV);
  for (int first = 0; first < g.n_rows; first += kRows) {
    narrow_input_grad_block<kRows, NV>(g, g.rows + first, column);
  }
}

void narrow_input_grad(const NarrowInputGrad& g) {
  narrow_turn(g.w, g.n_in, g.n_out, g.turned);
  for_panels(g.n_in, [&](auto vectors, int column) { narrow_input_grad_panel<vectors()>(g, column); });
}

// Adam on one vector. Square root and division take as long as the gradient of 32 rows: estimates with one step of
// Newton's method are good to 2^-22. Not where the estimates are coarser (NEON), and not with an epsilon so small that
// second moments below the smallest normal number could matter.
struct NarrowAdamVectors {
  VF beta1, beta2, rest1, rest2, step, v_scale, epsilon;
  bool is_exact;
  explicit HWY_INLINE NarrowAdamVectors(const AdamScalars& c)
      : beta1(hn::Set(DF(), c.beta1)),
        beta2(hn::Set(DF(), c.beta2)),
        rest1(hn::Set(DF(), c.one_minus_beta1)),
        rest2(hn::Set(DF(), c.one_minus_beta2)),
        step(hn::Set(DF(), c.step_size)),
        v_scale(hn::Set(DF(), c.inverse_sqrt_correction2)),
        epsilon(hn::Set(DF(), c.epsilon)),
        is_exact(!HWY_ARCH_X86 || c.epsilon < 1e-16F) {}
};

HWY_INLINE void narrow_adam(const NarrowAdamVectors& c, VF g, const float* from, float* to, int64_t n) {
  const DF d;
  const VF m = hn::MulAdd(c.beta1, hn::LoadU(d, from + n), hn::Mul(c.rest1, g));
  const VF v = hn::MulAdd(c.beta2, hn::LoadU(d, from + 2 * n), hn::Mul(c.rest2, hn::Mul(g, g)));
  const VF w = hn::LoadU(d, from);
  hn::StoreU(m, d, to + n);
  hn::StoreU(v, d, to + 2 * n);
  if (c.is_exact) {
    hn::StoreU(hn::Sub(w, hn::Div(hn::Mul(c.step, m), hn::MulAdd(hn::Sqrt(v), c.v_scale, c.epsilon))), d, to);
    return;
  }
  const VF half_v = hn::Mul(hn::Set(d, 0.5F), v);
  VF r = hn::ApproximateReciprocalSqrt(hn::Max(v, hn::Set(d, 1e-37F)));
  r = hn::Mul(r, hn::NegMulAdd(hn::Mul(half_v, r), r, hn::Set(d, 1.5F)));
  const VF denominator = hn::MulAdd(hn::Mul(v, r), c.v_scale, c.epsilon);
  VF q = hn::ApproximateReciprocal(denominator);
  q = hn::Mul(q, hn::NegMulAdd(denominator, q, hn::Set(d, 2.0F)));
  hn::StoreU(hn::NegMulAdd(hn::Mul(c.step, m), q, w), d, to);
}

template <int K, int NV>
HWY_NOINLINE void narrow_weight_grad_block(const NarrowWeightGrad& g, int k0, int column) {
  const DF d;
  VF acc[K][NV];
#pragma GCC unroll 10
  for (int i = 0; i < K; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) acc[i][j] = hn::Zero(d);
  }
  const float* const x = g.x + k0;
  const float* const z = g.d + column;
  const int64_t x_stride = g.x_stride;
  const int64_t z_stride = g.d_stride;
  const uint16_t* const rows = g.rows;
  const int n_rows = g.n_rows;
  // What Adam will touch was last touched a step ago, in L3 or memory: asked for row by row while the rows are added
  // up.
  const int64_t at = int64_t{k0} * g.n_out + column;
  const int64_t n = int64_t{g.n_in} * g.n_out;
  const int64_t stride = g.n_out;
  const bool is_adam = g.sums == nullptr;
  const float* const from = is_adam ? g.from + at : nullptr;
  float* const to = is_adam ? g.to + at : nullptr;
#pragma GCC unroll 1
  for (int row = 0; row < n_rows; ++row) {
    const float* x_row = x + rows[row] * x_stride;
    const float* z_row = z + rows[row] * z_stride;
    if (row < K && is_adam) {
#pragma GCC unroll 4
      for (int line = 0; line < NV * kLanes; line += kPadding) {
#pragma GCC unroll 3
        for (int part = 0; part < 3; ++part) {
          __builtin_prefetch(from + part * n + row * stride + line, 0, 3);
          __builtin_prefetch(to + part * n + row * stride + line, 1, 3);
        }
      }
    }
    VF w[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) w[j] = hn::LoadU(d, z_row + j * kLanes);
#pragma GCC unroll 10
    for (int i = 0; i < K; ++i) {
      const VF v = hn::Set(d, x_row[i]);
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(v, w[j], acc[i][j]);
    }
  }
  if (!is_adam) {
#pragma GCC unroll 10
    for (int i = 0; i < K; ++i) {
      float* sums = g.sums + at + i * stride;
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        hn::StoreU(hn::Add(hn::LoadU(d, sums + j * kLanes), acc[i][j]), d, sums + j * kLanes);
      }
    }
    return;
  }
  const NarrowAdamVectors adam(*g.adam);
#pragma GCC unroll 10
  for (int i = 0; i < K; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      narrow_adam(adam, acc[i][j], from + i * stride + j * kLanes, to + i * stride + j * kLanes, n);
    }
  }
}

template <int NV>
HWY_NOINLINE void narrow_bias_grad(const NarrowWeightGrad& g, int column) {
  const DF d;
  VF sums[NV];
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) sums[j] = hn::Zero(d);
  for (int i = 0; i < g.n_rows; ++i) {
    const float* z = g.d + g.rows[i] * g.d_stride + column;
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) sums[j] = hn::Add(sums[j], hn::LoadU(d, z + j * kLanes));
  }
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    float* to = g.bias_sums + column + j * kLanes;
    hn::StoreU(hn::Add(hn::LoadU(d, to), sums[j]), d, to);
  }
}

template <int NV, int... I>
HWY_INLINE void narrow_weight_grad_panel(const NarrowWeightGrad& g, int column, std::integer_sequence<int, I...>) {
  using Block = void (*)(const NarrowWeightGrad&, int, int);
  static constexpr Block kBlocks[] = {narrow_weight_grad_block<I + 1, NV>...};
  constexpr int kMost = static_cast<int>(sizeof...(I));
  int n_blocks = (g.n_in + kMost - 1) / kMost;
  // Blocks as even as they can be: short ones lose most.
  for (int k = 0; k < g.n_in; --n_blocks) {
    const int size = (g.n_in - k + n_blocks - 1) / n_blocks;
    kBlocks[size - 1](g, k, column);
    k += size;
  }
}

void narrow_weight_grad(const NarrowWeightGrad& g) {
  for_panels(g.n_out, [&](auto vectors, int column) {
    constexpr int kCount = narrow_input_block(vectors());
    narrow_weight_grad_panel<vectors()>(g, column, std::make_integer_sequence<int, kCount>());
    narrow_bias_grad<vectors()>(g, column);
  });
}

// C outputs; NV vectors of inputs.
template <int C>
HWY_NOINLINE double narrow_head_rows(const NarrowHead& g) {
  const DF d;
  const int n = g.n_in;
  const bool is_sine = g.activation.is_sine;
  const VF slope = hn::Set(d, g.activation.slope);
  const VF one = hn::Set(d, 1.0F);
  const float* const w = g.w;
  float* const sums = g.sums;
  float bias_sums[C] = {};
  double loss = 0;
  for (int row = 0; row < g.n_rows; ++row) {
    const float* a = g.a + row * g.stride;
    float z[C];
    VF y[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) y[c] = hn::Mul(hn::LoadU(d, a), hn::LoadU(d, w + c * n));
    for (int i = kLanes; i < n; i += kLanes) {
      const VF v = hn::LoadU(d, a + i);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) y[c] = hn::MulAdd(v, hn::LoadU(d, w + c * n + i), y[c]);
    }
    const float weight = g.weights == nullptr ? 1.0F : g.weights[row];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const float value = hn::GetLane(hn::SumOfLanes(d, y[c])) + g.bias[c];
      const float error = weight * (g.offset + g.scale * value - g.targets[row * C + c]);
      loss += static_cast<double>(error) * error;
      z[c] = g.gradient_scale * error;
      bias_sums[c] += z[c];
    }
    const float* mask = (is_sine ? g.da : g.a) + row * g.stride;
    float* to = g.d + row * g.stride;
    for (int i = 0; i < n; i += kLanes) {
      const VF v = hn::LoadU(d, a + i);
      VF gradient = hn::Zero(d);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) {
        const VF e = hn::Set(d, z[c]);
        gradient = hn::MulAdd(e, hn::LoadU(d, w + c * n + i), gradient);
        float* sum = sums + c * n + i;
        hn::StoreU(hn::MulAdd(e, v, hn::LoadU(d, sum)), d, sum);
      }
      const VF m = hn::LoadU(d, mask + i);
      const VF factor = is_sine ? m : hn::IfThenElse(hn::Gt(m, hn::Zero(d)), one, slope);
      hn::StoreU(hn::Mul(gradient, factor), d, to + i);
    }
  }
  for (int c = 0; c < C; ++c) g.bias_sums[c] += bias_sums[c];
  return loss;
}

double narrow_head(const NarrowHead& g) {
  switch (g.n_out) {
    case 1:
      return narrow_head_rows<1>(g);
    case 2:
      return narrow_head_rows<2>(g);
    case 3:
      return narrow_head_rows<3>(g);
    default:
      return narrow_head_rows<4>(g);
  }
}

void narrow_encode(const NarrowEncode& g) {
  const DF d;
  const int n_dims = g.n_dims;
  const int n_waves = g.n_waves;
  constexpr int kAhead = 16;  // tables of large pictures are larger than L2
  for (int row = 0; row < g.n_rows; ++row) {
    const PixelPlace& place = g.places[row];
    if (row + kAhead < g.n_rows) {
      const PixelPlace& later = g.places[row + kAhead];
      const int32_t then[3] = {later.x, later.y, later.t};
      for (int axis = 0; axis < n_dims; ++axis) {
        const float* values = g.tables[axis] + then[axis] * g.table_stride;
        for (int i = 0; i < g.table_stride; i += kPadding) __builtin_prefetch(values + i);
      }
    }
    const int32_t at[3] = {place.x, place.y, place.t};
    float* x = g.x + row * g.x_stride;
    for (int axis = 0; axis < n_dims; ++axis) {
      const float* values = g.tables[axis] + at[axis] * g.table_stride;
      if (g.has_raw) x[axis] = values[n_waves];
    }
    if (g.has_raw) x += n_dims;
    for (int axis = 0; axis < n_dims; ++axis, x += n_waves) {
      const float* values = g.tables[axis] + at[axis] * g.table_stride;
      for (int i = 0; i < n_waves; i += kLanes) hn::StoreU(hn::LoadU(d, values + i), d, x + i);
    }
  }
}

void fill_narrow(NarrowKernels* kernels) {
  kernels->encode = narrow_encode;
  kernels->forward = narrow_forward;
  kernels->head = narrow_head;
  kernels->input_grad = narrow_input_grad;
  kernels->weight_grad = narrow_weight_grad;
  kernels->sin_cos = narrow_sin_cos;
}

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
