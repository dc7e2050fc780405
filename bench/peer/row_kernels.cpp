#include "row_kernels.h"

#include <cmath>

#if defined(__x86_64__) && defined(__gnu_linux__)
#define LOE_PEER_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LOE_PEER_CLONES
#endif

namespace loe::peer {
namespace {

template <class T>
[[gnu::always_inline]] inline void add_columns_of(const T* rows, int64_t n_rows, int64_t n, float* __restrict sums) {
  for (int64_t row = 0; row < n_rows; ++row) {
    for (int64_t c = 0; c < n; ++c) {
      sums[c] += to_float(rows[row * n + c]);
    }
  }
}

template <class T>
[[gnu::always_inline]] inline void leaky_relu_grad_of(const T* y, const T* grad, int64_t n, float slope,
                                                      T* __restrict out) {
  for (int64_t c = 0; c < n; ++c) {
    const float g = to_float(grad[c]);
    store(to_float(y[c]) > 0 ? g : slope * g, out + c);
  }
}

}  // namespace

LOE_PEER_CLONES void add_columns(const float* rows, int64_t n_rows, int64_t n, float* sums) {
  add_columns_of(rows, n_rows, n, sums);
}

LOE_PEER_CLONES void add_columns(const Bf16* rows, int64_t n_rows, int64_t n, float* sums) {
  add_columns_of(rows, n_rows, n, sums);
}

LOE_PEER_CLONES void leaky_relu_grad(const float* y, const float* grad, int64_t n, float slope, float* out) {
  leaky_relu_grad_of(y, grad, n, slope, out);
}

LOE_PEER_CLONES void leaky_relu_grad(const Bf16* y, const Bf16* grad, int64_t n, float slope, Bf16* out) {
  leaky_relu_grad_of(y, grad, n, slope, out);
}

LOE_PEER_CLONES void convert(const float* in, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = in[i];
  }
}

LOE_PEER_CLONES void convert(const float* in, int64_t n, Bf16* out) {
  for (int64_t i = 0; i < n; ++i) {
    store(in[i], out + i);
  }
}

LOE_PEER_CLONES void adam(const AdamScalars& s, int64_t n, const float* __restrict grads, float* __restrict params,
                          float* __restrict m, float* __restrict v) {
  for (int64_t i = 0; i < n; ++i) {
    const float g = grads[i];
    m[i] = s.beta1 * m[i] + (1 - s.beta1) * g;
    v[i] = s.beta2 * v[i] + (1 - s.beta2) * g * g;
    params[i] -= s.rate * m[i] / (std::sqrt(v[i] * s.v_scale) + s.epsilon);
  }
}

}  // namespace loe::peer
