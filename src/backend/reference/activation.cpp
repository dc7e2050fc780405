#include "backend/reference/activation.h"

#include "loe/backend/activation.h"

namespace loe::reference {

void activation_forward(const Activation& activation, std::span<const double> x, std::span<double> y) {
  for (size_t i = 0; i < x.size(); ++i) {
    y[i] = activate(activation, x[i]);
  }
}

void activation_backward(const Activation& activation, std::span<const double> x, std::span<const double> y,
                         std::span<double> grads) {
  for (size_t i = 0; i < x.size(); ++i) {
    grads[i] *= activation_derivative(activation, x[i], y[i]);
  }
}

}  // namespace loe::reference
