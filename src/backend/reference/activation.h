// Activations over arrays.
#pragma once

#include <span>

#include "loe/backend/network_spec.h"

namespace loe::reference {

/// y = phi(x), elementwise.
void activation_forward(const Activation& activation, std::span<const double> x, std::span<double> y);

/// dL/dx = phi'(x) dL/dy, elementwise; grads holds dL/dy on entry and dL/dx on return.
void activation_backward(const Activation& activation, std::span<const double> x, std::span<const double> y,
                         std::span<double> grads);

}  // namespace loe::reference
