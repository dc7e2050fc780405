#include "backend/reference/mse.h"

namespace loe::reference {

double mse_forward(std::span<const double> y, std::span<const float> targets, int64_t n_total) {
  double sum = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double difference = y[i] - static_cast<double>(targets[i]);
    sum += difference * difference;
  }
  return sum / static_cast<double>(n_total);
}

void mse_backward(std::span<const double> y, std::span<const float> targets, int64_t n_total,
                  std::span<double> y_grads) {
  for (size_t i = 0; i < y.size(); ++i) {
    y_grads[i] = 2 * (y[i] - static_cast<double>(targets[i])) / static_cast<double>(n_total);
  }
}

}  // namespace loe::reference
