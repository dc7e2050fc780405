// The position-dependent linear layer, written as in the paper.
#pragma once

#include <span>

#include "loe/backend/network_spec.h"
#include "loe/backend/routing.h"

namespace loe::reference {

/// y = W(p) x + bias, W(p) = sum_j B_j W_j   (paper eqs. 2-5, 7, 8), before the activation.
///   blends [B] of route_blend;  weight [n_experts, n_out, n_in];  bias [n_out];  x [B, n_in];  y [B, n_out]
void expert_linear_forward(const LayerSpec& layer, std::span<const ExpertBlend> blends, std::span<const double> weight,
                           std::span<const double> bias, std::span<const double> x, std::span<double> y);

/// Given dL/dy = y_grads [B, n_out]:
///   dL/dW_j += sum over samples of B_j y_grads x^T;  dL/dbias += sum of y_grads;  dL/dx = sum_j B_j W_j^T y_grads
/// x_grads [B, n_in] is overwritten; empty if not wanted. No gradient flows to the coordinates.
void expert_linear_backward(const LayerSpec& layer, std::span<const ExpertBlend> blends, std::span<const double> weight,
                            std::span<const double> x, std::span<const double> y_grads, std::span<double> weight_grads,
                            std::span<double> bias_grads, std::span<double> x_grads);

}  // namespace loe::reference
