// Adam (Kingma & Ba 2015, algorithm 1), one parameter at a time.
#pragma once

#include <cmath>

#include "loe/backend/backend.h"

namespace loe {

/// Error(InvalidArgument) if t < 1, a beta is outside [0, 1), epsilon is not positive or the rate is not finite.
void validate(const AdamUpdate& update);

/// What is the same for every parameter of one update, computed in double and rounded once, so that a kernel does
///   m = beta1 m + one_minus_beta1 g;  v = beta2 v + one_minus_beta2 g^2
///   theta -= step_size * m / (sqrt(v) * inverse_sqrt_correction2 + epsilon)
template <class T>
struct BasicAdamScalars {
  T beta1;
  T one_minus_beta1;
  T beta2;
  T one_minus_beta2;
  T step_size;                 ///< learning_rate / (1 - beta1^t)
  T inverse_sqrt_correction2;  ///< 1 / sqrt(1 - beta2^t)
  T epsilon;

  explicit BasicAdamScalars(const AdamUpdate& update)
      : beta1(static_cast<T>(update.beta1)),
        one_minus_beta1(static_cast<T>(1 - update.beta1)),
        beta2(static_cast<T>(update.beta2)),
        one_minus_beta2(static_cast<T>(1 - update.beta2)),
        step_size(static_cast<T>(update.learning_rate / (1 - std::pow(update.beta1, static_cast<double>(update.t))))),
        inverse_sqrt_correction2(
            static_cast<T>(1 / std::sqrt(1 - std::pow(update.beta2, static_cast<double>(update.t))))),
        epsilon(static_cast<T>(update.epsilon)) {}
};

/// For fast kernels.
using AdamScalars = BasicAdamScalars<float>;

/// One update of one parameter with gradient g; arithmetic in T, state in float. constexpr, so that code for other
/// devices can call it.
template <class T>
constexpr void adam_update(const BasicAdamScalars<T>& scalars, T g, float& theta, float& m, float& v) {
  const T new_m = scalars.beta1 * static_cast<T>(m) + scalars.one_minus_beta1 * g;
  const T new_v = scalars.beta2 * static_cast<T>(v) + scalars.one_minus_beta2 * g * g;
  const T step = scalars.step_size * new_m / (std::sqrt(new_v) * scalars.inverse_sqrt_correction2 + scalars.epsilon);
  theta = static_cast<float>(static_cast<T>(theta) - step);
  m = static_cast<float>(new_m);
  v = static_cast<float>(new_v);
}

}  // namespace loe
