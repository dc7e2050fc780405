// From a user's description of a Levels-of-Experts network to a NetworkSpec, and its initial parameters.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "loe/backend/network_spec.h"
#include "loe/nn/layout.h"

namespace loe {

/// A Levels-of-Experts network: gamma(p) -> level 0 -> phi -> ... -> level n-1 -> phi -> head (plain, no activation).
struct NetworkConfig {
  int n_dims = 2;
  int n_channels = 3;  ///< outputs of the head
  InputSpec input;
  std::vector<int> widths;  ///< outputs of each level
  std::vector<Tile> tiles;  ///< one per level; all ones = plain MLP
  LayoutConfig layout;
  Interpolation interpolation = Interpolation::Nearest;
  double node_offset = 0;
  Activation activation{ActivationKind::LeakyRelu, 0.2, 30};
  /// Outputs of the network that stand for the signal's 0 and 1; [-1, 1] is usual in the field, see docs/paper.md.
  std::array<double, 2> output_range = {0, 1};
};

/// Validated spec with layers "levels.0" .. "levels.<n-1>", "head".
/// Error(InvalidArgument) naming the field: numbers of widths, tiles and resolutions that disagree, widths < 1, ...
NetworkSpec build_network(const NetworkConfig& config);

/// Kaiming-uniform per expert: W ~ U(-bound, bound), bound = gain sqrt(3 / fan_in), gain = sqrt(2 / (1 + slope^2)),
/// fan_in = n_in of one expert; the slope of LeakyRelu (0.2) for every layer, the head included. Biases are zero.
/// Relu counts as slope 0. A layer of another activation (the head) takes the scheme of the layer before it.
/// Sine layers use SIREN's own scheme (Sitzmann et al. 2020): U(-1/n, 1/n) in the first layer, else
/// U(-sqrt(6/n)/omega, +), the head included; biases U(-1/sqrt(n), 1/sqrt(n)).
/// An embedding's table: U(-init_bound, init_bound).
/// Deterministic: value i depends on (seed, i) only.
std::vector<float> initial_params(const NetworkSpec& spec, uint64_t seed);

}  // namespace loe
