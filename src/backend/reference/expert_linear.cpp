#include "backend/reference/expert_linear.h"

#include <algorithm>

namespace loe::reference {

void expert_linear_forward(const LayerSpec& layer, std::span<const ExpertBlend> blends, std::span<const double> weight,
                           std::span<const double> bias, std::span<const double> x, std::span<double> y) {
  const size_t n_in = layer.n_in;
  const size_t n_out = layer.n_out;
  for (size_t sample = 0; sample < blends.size(); ++sample) {
    const ExpertBlend& blend = blends[sample];
    const double* x_row = x.data() + sample * n_in;
    for (size_t out = 0; out < n_out; ++out) {
      double sum = bias.empty() ? 0 : bias[out];
      for (int j = 0; j < blend.n; ++j) {
        const double* w_row = weight.data() + (blend.expert[j] * n_out + out) * n_in;
        double product = 0;
        for (size_t in = 0; in < n_in; ++in) {
          product += w_row[in] * x_row[in];
        }
        sum += blend.coefficient[j] * product;
      }
      y[sample * n_out + out] = sum;
    }
  }
}

void expert_linear_backward(const LayerSpec& layer, std::span<const ExpertBlend> blends, std::span<const double> weight,
                            std::span<const double> x, std::span<const double> y_grads, std::span<double> weight_grads,
                            std::span<double> bias_grads, std::span<double> x_grads) {
  const size_t n_in = layer.n_in;
  const size_t n_out = layer.n_out;
  std::fill(x_grads.begin(), x_grads.end(), 0.0);
  for (size_t sample = 0; sample < blends.size(); ++sample) {
    const ExpertBlend& blend = blends[sample];
    const double* x_row = x.data() + sample * n_in;
    for (size_t out = 0; out < n_out; ++out) {
      const double g = y_grads[sample * n_out + out];
      if (!bias_grads.empty()) {
        bias_grads[out] += g;
      }
      for (int j = 0; j < blend.n; ++j) {
        const double blended_g = blend.coefficient[j] * g;
        const size_t row = (blend.expert[j] * n_out + out) * n_in;
        for (size_t in = 0; in < n_in; ++in) {
          weight_grads[row + in] += blended_g * x_row[in];
        }
        for (size_t in = 0; in < x_grads.size() / blends.size(); ++in) {
          x_grads[sample * n_in + in] += blended_g * weight[row + in];
        }
      }
    }
  }
}

}  // namespace loe::reference
