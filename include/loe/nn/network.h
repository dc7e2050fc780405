// From a user's description of a Levels-of-Experts network to a NetworkSpec, and its initial parameters.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "loe/backend/network_spec.h"
#include "loe/nn/layout.h"

namespace loe {

/// How the experts of one layer start.
enum class ExpertInit {
  Independent,  ///< each with a matrix of its own
  Shared,       ///< all with the same one, drawn for the first: the network starts as a plain MLP
};

/// How the weights of one matrix are drawn.
enum class InitScheme {
  ByActivation,  ///< Kaiming-uniform; SIREN's for sines, whose first layer reads raw coordinates and has omega 30
  Lecun,         ///< U(-sqrt(3/n), sqrt(3/n)), variance 1 / fan_in, zero biases: sines of omega 1 behind an encoding
};

/// What initial_params needs to know beyond the network.
struct InitConfig {
  ExpertInit experts = ExpertInit::Independent;
  InitScheme scheme = InitScheme::ByActivation;
};

/// "independent", "shared"; "by_activation", "lecun".
const char* to_string(ExpertInit init);
const char* to_string(InitScheme scheme);

/// A multiresolution grid of features: level l of L has cells coarsest_d (finest_d / coarsest_d)^(l / (L - 1)) along
/// axis d, and as many entries as nodes while those are at most 2^log2_entries, else 2^log2_entries (hashed).
struct GridConfig {
  int n_levels = 0;  ///< 0: no grid
  std::array<double, kMaxDims> coarsest = {16, 16, 16, 16};
  std::array<double, kMaxDims> finest = {512, 512, 512, 512};
  int n_channels = 2;  ///< features per node
  int log2_entries = 19;
  double init_bound = 1e-4;
  bool is_alone = true;  ///< the grid instead of the encoding; else behind it
};

/// The levels of a grid. Error(InvalidArgument) naming the field.
EmbeddingSpec make_grid_embedding(const GridConfig& grid, int n_dims);

/// A Levels-of-Experts network: gamma(p) -> level 0 -> phi -> ... -> level n-1 -> phi -> head (plain, no activation).
struct NetworkConfig {
  int n_dims = 2;
  int n_channels = 3;  ///< outputs of the head
  InputSpec input;
  GridConfig grid;          ///< if it has levels: the input's embedding, and perhaps all of the input
  std::vector<int> widths;  ///< outputs of each level
  std::vector<Tile> tiles;  ///< one per level; all ones = plain MLP
  LayoutConfig layout;
  Interpolation interpolation = Interpolation::Nearest;
  double node_offset = 0;
  Activation activation{ActivationKind::LeakyRelu, 0.2, 30};
  /// Outputs of the network that stand for the signal's 0 and 1; [-1, 1] is usual in the field, see docs/paper.md.
  std::array<double, 2> output_range = {0, 1};
  InitConfig init;  ///< for initial_params; no part of the NetworkSpec
};

/// Validated spec with layers "levels.0" .. "levels.<n-1>", "head".
/// Error(InvalidArgument) naming the field: numbers of widths, tiles and resolutions that disagree, widths < 1, ...
NetworkSpec build_network(const NetworkConfig& config);

/// InitScheme::ByActivation: Kaiming-uniform per expert: W ~ U(-bound, bound), bound = gain sqrt(3 / fan_in), gain =
/// sqrt(2 / (1 + slope^2)), fan_in = n_in of one expert; the slope of LeakyRelu (0.2) for every layer, the head
/// included. Biases are zero. Relu counts as slope 0. A layer of another activation (the head) takes the scheme of the
/// layer before it. Sine layers use SIREN's own scheme (Sitzmann et al. 2020): U(-1/n, 1/n) in the first layer, else
/// U(-sqrt(6/n)/omega, +), the head included; biases U(-1/sqrt(n), 1/sqrt(n)).
/// InitScheme::Lecun: U(-sqrt(3/n), sqrt(3/n)) for every layer, half of that for the last one; biases are zero.
/// An embedding's table: U(-init_bound, init_bound).
/// Deterministic: value i depends on (seed, i) only; with ExpertInit::Shared the experts of a layer repeat its first.
std::vector<float> initial_params(const NetworkSpec& spec, uint64_t seed, const InitConfig& init = {});

}  // namespace loe
