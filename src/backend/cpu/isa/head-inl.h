// Layers of few outputs for the target being compiled (Highway). No include guard on purpose: see kernels.cpp.

HWY_BEFORE_NAMESPACE();
namespace loe::cpu::HWY_NAMESPACE {

template <typename T>
void head_forward(const HeadArgs& g) {
  for (int i = 0; i < g.n_rows; ++i) {
    const int64_t row = g.rows[i];
    float* const y = g.y + (g.y_compact ? i : row) * g.y_stride;
    for (int o = 0; o < g.n_out; ++o) y[o] = g.bias[o];
    dot(static_cast<const T*>(g.x) + row * g.x_stride, g.w, g.w_stride, g.k, g.n_out, y);
  }
}
void head_forward_f32(const HeadArgs& g) {
  head_forward<float>(g);
}
void head_forward_bf16(const HeadArgs& g) {
  head_forward<bf16>(g);
}

void head_input_gradient(const HeadArgs& g) {
  const DF d;
  for (int i = 0; i < g.n_rows; ++i) {
    const int64_t row = g.rows[i];
    const float* const grad = g.y + row * g.y_stride;
    float* const dx = g.dx + row * g.dx_stride;
    int k = 0;
    for (; k + kLanes <= g.k; k += kLanes) {
      VF sum = hn::Mul(hn::Set(d, grad[0]), hn::LoadU(d, g.w + k));
      for (int o = 1; o < g.n_out; ++o) {
        sum = hn::MulAdd(hn::Set(d, grad[o]), hn::LoadU(d, g.w + o * g.w_stride + k), sum);
      }
      hn::StoreU(sum, d, dx + k);
    }
    for (; k < g.k; ++k) {
      float sum = grad[0] * g.w[k];
      for (int o = 1; o < g.n_out; ++o) sum += grad[o] * g.w[o * g.w_stride + k];
      dx[k] = sum;
    }
  }
}

// The sums of one output stay in registers over all rows: one chain per element, in the order of the rows.
template <typename T, int kVectors>
HWY_INLINE void head_gradient_block(const HeadArgs& g, int o, int k) {
  const DF d;
  float* const to = g.d + o * g.d_stride + k;
  VF sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::LoadU(d, to + v * kLanes);
  for (int i = 0; i < g.n_rows; ++i) {
    const VF grad = hn::Set(d, g.y[g.rows[i] * g.y_stride + o]);
    const T* const x = static_cast<const T*>(g.x) + g.rows[i] * g.x_stride + k;
    for (int v = 0; v < kVectors; ++v) sums[v] = hn::MulAdd(grad, load_any(d, x + v * kLanes), sums[v]);
  }
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[v], d, to + v * kLanes);
}

template <typename T>
void head_gradient(const HeadArgs& g) {
  for (int o = 0; o < g.n_out; ++o) {
    int k = 0;
    for (; k + 4 * kLanes <= g.k; k += 4 * kLanes) head_gradient_block<T, 4>(g, o, k);
    for (; k + 2 * kLanes <= g.k; k += 2 * kLanes) head_gradient_block<T, 2>(g, o, k);
    for (; k + kLanes <= g.k; k += kLanes) head_gradient_block<T, 1>(g, o, k);
    for (; k < g.k; ++k) {
      float sum = g.d[o * g.d_stride + k];
      for (int i = 0; i < g.n_rows; ++i) {
        sum += g.y[g.rows[i] * g.y_stride + o] * as_float(static_cast<const T*>(g.x)[g.rows[i] * g.x_stride + k]);
      }
      g.d[o * g.d_stride + k] = sum;
    }
  }
}
void head_gradient_f32(const HeadArgs& g) {
  head_gradient<float>(g);
}
void head_gradient_bf16(const HeadArgs& g) {
  head_gradient<bf16>(g);
}

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
