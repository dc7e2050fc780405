// A loss on the rendered colours of rays, described as plain data: a backend that computes on a device of its own finds
// positions, colours, loss and gradients there, instead of being sent them sample by sample.
#pragma once

#include <cstdint>
#include <span>

#include "loe/backend/radiance.h"

namespace loe {

/// From a network's raw density to sigma >= 0.
enum class DensityKind {
  Relu,      ///< max(0, v); derivative 0 at 0
  Softplus,  ///< log(1 + exp(v))
};

/// R rays with S samples in all; ray r has samples offsets[r] .. offsets[r + 1] - 1 in order of distance, perhaps none.
///
/// Inputs of sample i of ray r: coordinates min(max((o_r + t_i d_r) + 1/2, 0), 1) in float, every operation rounded by
/// itself; features encoded_directions[r]. They are what Objective::fill gives, to the bit.
///
/// From the network's outputs (u_i [3], v_i): colours c_i = color(u_i), sigma_i = density(v_i + shift). With
/// x_i = sigma_i delta_i, T_i = exp(-sum_{j<i} x_j), w_i = T_i (1 - exp(-x_i)):
///
///   C_r = sum_i w_i c_i + (1 - sum_i w_i) background_r,   L = 1/(3 R) sum_r |f(C_r) - f(target_r)|^2
///
/// where f is compared_color() of the kind of colour, and the sum leaves out rays without samples; R counts them.
struct RayLoss {
  std::span<const int64_t> offsets;           ///< [R + 1], not decreasing, from 0 to S
  std::span<const float> origins;             ///< [R, 3], o
  std::span<const float> directions;          ///< [R, 3], d
  std::span<const float> encoded_directions;  ///< [R, n_features() of the network]
  std::span<const float> targets;             ///< [R, 3]
  std::span<const float> backgrounds;         ///< [R, 3]
  std::span<const float> t;                   ///< [S]
  std::span<const float> delta;               ///< [S] >= 0
  DensityKind density = DensityKind::Relu;
  float density_shift = 0;
  std::span<float> weights;  ///< [S], w_i; where Objective::loss would leave them
  ColorKind color = ColorKind::Sigmoid;

  int64_t n_rays() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t n_samples() const { return static_cast<int64_t>(t.size()); }
};

}  // namespace loe
