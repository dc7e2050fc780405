// Mean squared error.
#pragma once

#include <cstdint>
#include <span>

namespace loe::reference {

/// The part of L = 1/n_total sum (y - target)^2 that these elements contribute; n_total counts the whole batch.
double mse_forward(std::span<const double> y, std::span<const float> targets, int64_t n_total);

/// dL/dy = 2 (y - target) / n_total.
void mse_backward(std::span<const double> y, std::span<const float> targets, int64_t n_total,
                  std::span<double> y_grads);

}  // namespace loe::reference
