// Activations phi and their derivatives, one number at a time. constexpr, so that code for other devices can call them.
#pragma once

#include <cmath>

#include "loe/backend/network_spec.h"

namespace loe {

/// 1 / (1 + exp(-x)) without overflow for any finite x.
template <class T>
constexpr T sigmoid(T x) {
  const T e = std::exp(-std::abs(x));
  return (x >= 0 ? T(1) : e) / (T(1) + e);
}

/// log(1 + exp(x)) without overflow for any finite x.
template <class T>
constexpr T softplus(T x) {
  return (x > 0 ? x : T(0)) + std::log1p(std::exp(-std::abs(x)));
}

/// phi(x). T is float or double; everything is computed in T.
template <class T>
constexpr T activate(const Activation& activation, T x) {
  switch (activation.kind) {
    case ActivationKind::Identity:
      return x;
    case ActivationKind::LeakyRelu:
      return x > 0 ? x : static_cast<T>(activation.slope) * x;
    case ActivationKind::Relu:
      return x > 0 ? x : T(0);
    case ActivationKind::Sine:
      return std::sin(static_cast<T>(activation.omega) * x);
    case ActivationKind::Sigmoid:
      return sigmoid(x);
    case ActivationKind::Tanh:
      return std::tanh(x);
    case ActivationKind::Softplus:
      return softplus(x);
  }
  return x;
}

/// phi'(x), given x and y = phi(x). Identity, LeakyRelu, Relu, Sigmoid and Tanh need y alone (y > 0 exactly if x > 0),
/// so that a backend may keep only y for them; Sine and Softplus read x. At the kink of the Relu kinds: the left
/// derivative.
template <class T>
constexpr T activation_derivative(const Activation& activation, T x, T y) {
  switch (activation.kind) {
    case ActivationKind::Identity:
      return T(1);
    case ActivationKind::LeakyRelu:
      return y > 0 ? T(1) : static_cast<T>(activation.slope);
    case ActivationKind::Relu:
      return y > 0 ? T(1) : T(0);
    case ActivationKind::Sine:
      return static_cast<T>(activation.omega) * std::cos(static_cast<T>(activation.omega) * x);
    case ActivationKind::Sigmoid:
      return y * (T(1) - y);
    case ActivationKind::Tanh:
      return T(1) - y * y;
    case ActivationKind::Softplus:
      return sigmoid(x);
  }
  return T(1);
}

}  // namespace loe
