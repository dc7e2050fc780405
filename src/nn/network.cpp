#include "loe/nn/network.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/enum_names.h"
#include "loe/base/error.h"
#include "nn/initial_values.h"

namespace loe {
namespace {

constexpr detail::EnumNames<ExpertInit, 2> kExpertInitNames = {
    {{ExpertInit::Independent, "independent"}, {ExpertInit::Shared, "shared"}}};
constexpr detail::EnumNames<InitScheme, 2> kInitSchemeNames = {
    {{InitScheme::ByActivation, "by_activation"}, {InitScheme::Lecun, "lecun"}}};

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorKind::InvalidArgument, "[network] " + message);
}

void check_range(const std::string& name, int64_t value, int64_t min, int64_t max) {
  if (value < min || value > max) {
    fail(fmt::format("{}: expected {}..{}, got {}; correct it", name, min, max, value));
  }
}

void check_span(const std::string& name, const std::array<double, 2>& range) {
  const auto [low, high] = range;
  if (!(std::isfinite(low) && std::isfinite(high) && low < high)) {
    fail(
        fmt::format("{}: expected two finite numbers, the first one smaller, got {} and {}; [0, 1] and [-1, 1] are "
                    "usual",
                    name, low, high));
  }
}

void check_input(const InputSpec& input, bool has_grid) {
  check_range("embedding.n_channels", input.embedding.n_channels, 0, kMaxWidth);  // validate() does the rest
  if (input.kind == InputKind::Features) {
    check_range("n_features", input.n_features, 1, kMaxWidth);
  }
  if (input.kind != InputKind::Encoding) {
    return;
  }
  check_range("n_frequencies", input.n_frequencies, 0, 24);
  if (!(std::isfinite(input.frequency_scale) && input.frequency_scale > 0)) {
    fail(fmt::format("frequency_scale: expected a finite number above 0, got {}; pi is the default",
                     input.frequency_scale));
  }
  check_span("coordinate_range", input.coordinate_range);
  if (input.n_frequencies == 0 && !input.include_coordinates && !input.has_embedding() && !has_grid) {
    fail("input: expected frequencies or coordinates, got neither; raise n_frequencies or include the coordinates");
  }
}

void check_tile(const Tile& tile, int n_dims, std::size_t level) {
  int64_t n_experts = 1;
  for (int d = 0; d < kMaxDims; ++d) {
    const std::string name = fmt::format("tiles[{}][{}]", level, d);
    if (d >= n_dims && tile.n[d] != 1) {
      fail(fmt::format("{}: expected 1 beyond the {} axes of the signal, got {}; give {} numbers per tile", name,
                       n_dims, tile.n[d], n_dims));
    }
    check_range(name, tile.n[d], 1, kMaxExperts);
    n_experts *= tile.n[d];
  }
  if (n_experts > kMaxExperts) {
    fail(fmt::format("tiles[{}]: expected at most {} experts, got {}; use a smaller tile", level, kMaxExperts,
                     n_experts));
  }
}

void check_activation(const Activation& activation) {
  if (activation.kind == ActivationKind::LeakyRelu && !(activation.slope >= 0 && activation.slope < 1)) {
    fail(fmt::format("slope: expected 0 <= slope < 1, got {}; 0.2 is the default", activation.slope));
  }
  if (activation.kind == ActivationKind::Sine && !(std::isfinite(activation.omega) && activation.omega > 0)) {
    fail(fmt::format("omega: expected a finite number above 0, got {}; 30 is the default", activation.omega));
  }
}

void check_config(const NetworkConfig& config) {
  check_range("n_dims", config.n_dims, 1, kMaxDims);
  check_range("n_channels", config.n_channels, 1, kMaxWidth);
  check_input(config.input, config.grid.n_levels > 0);
  check_range("number of widths (levels)", static_cast<int64_t>(config.widths.size()), 1, kMaxLayers - 1);
  if (config.tiles.size() != config.widths.size()) {
    fail(fmt::format("tiles: expected {} (one per level, as there are {} widths), got {}; give every level one",
                     config.widths.size(), config.widths.size(), config.tiles.size()));
  }
  for (std::size_t level = 0; level < config.widths.size(); ++level) {
    check_range(fmt::format("widths[{}]", level), config.widths[level], 1, kMaxWidth);
    check_tile(config.tiles[level], config.n_dims, level);
  }
  if (!(config.node_offset >= 0 && config.node_offset < 1)) {
    fail(fmt::format("node_offset: expected 0 <= offset < 1, got {}; 0 (paper) and 0.5 (cell centres) are usual",
                     config.node_offset));
  }
  check_activation(config.activation);
  check_span("output_range", config.output_range);
}

/// How the weights and bias of one layer are drawn: U(-bound, bound).
struct InitBounds {
  double weight = 0;
  double bias = 0;
};

/// `nonlinearity`: the layer's own activation, or for a head the one before it.
InitBounds init_bounds(const Activation& nonlinearity, int fan_in, bool is_first) {
  const double n = fan_in;
  if (nonlinearity.kind == ActivationKind::Sine) {
    return {is_first ? 1 / n : std::sqrt(6 / n) / nonlinearity.omega, 1 / std::sqrt(n)};
  }
  return {kaiming_bound(nonlinearity.kind == ActivationKind::Relu ? 0 : nonlinearity.slope, fan_in), 0};
}

/// The last layer starts at half: its first outputs are then small beside the signal (measured: 0.9 dB).
InitBounds lecun_bounds(int fan_in, bool is_last) {
  return {std::sqrt(3.0 / fan_in) * (is_last ? 0.5 : 1), 0};
}

bool decides_init(ActivationKind kind) {
  return kind == ActivationKind::LeakyRelu || kind == ActivationKind::Relu || kind == ActivationKind::Sine;
}

}  // namespace

EmbeddingSpec make_grid_embedding(const GridConfig& grid, int n_dims) {
  check_range("grid.n_levels", grid.n_levels, 1, kMaxEmbeddingLevels);
  check_range("grid.n_channels", grid.n_channels, 1, kMaxWidth);
  check_range("grid.log2_entries", grid.log2_entries, 1, 30);
  EmbeddingSpec embedding;
  embedding.n_channels = grid.n_channels;
  embedding.init_bound = grid.init_bound;
  for (int l = 0; l < grid.n_levels; ++l) {
    GridLevel& level = embedding.levels.emplace_back();
    for (int d = 0; d < n_dims; ++d) {
      const double coarsest = grid.coarsest[static_cast<std::size_t>(d)];
      const double finest = grid.finest[static_cast<std::size_t>(d)];
      if (!(coarsest > 0 && finest >= coarsest && finest < kMaxEmbeddingResolution)) {
        fail(fmt::format("grid: expected 0 < coarsest <= finest < {} along every axis, got {} and {}; correct them",
                         kMaxEmbeddingResolution, coarsest, finest));
      }
      const double place = grid.n_levels == 1 ? 1.0 : static_cast<double>(l) / (grid.n_levels - 1);
      // As float, so that the last bits of pow(), which differ between machines, are gone.
      level.cells[static_cast<std::size_t>(d)] =
          static_cast<double>(static_cast<float>(coarsest * std::pow(finest / coarsest, place)));
    }
    level.n_entries = std::min(level.n_nodes(), int64_t{1} << grid.log2_entries);
  }
  return embedding;
}

NetworkSpec build_network(const NetworkConfig& config) {
  check_config(config);
  const std::vector<Grid> grids = make_grids(config.layout, config.n_dims, config.tiles);

  NetworkSpec spec;
  spec.n_dims = config.n_dims;
  spec.input = config.input;
  if (config.grid.n_levels > 0) {
    spec.input.embedding = make_grid_embedding(config.grid, config.n_dims);
    if (config.grid.is_alone) {
      spec.input.n_frequencies = 0;
      spec.input.include_coordinates = false;
    }
  }
  int n_in = spec.n_in();
  for (std::size_t level = 0; level < config.widths.size(); ++level) {
    LayerSpec layer;
    layer.name = fmt::format("levels.{}", level);
    layer.n_in = n_in;
    layer.n_out = config.widths[level];
    layer.tile = config.tiles[level];
    layer.grid = grids[level];
    layer.interpolation = config.interpolation;
    layer.node_offset = config.node_offset;
    layer.activation = config.activation;
    n_in = layer.n_out;
    spec.layers.push_back(layer);
  }
  LayerSpec head;
  head.name = "head";
  head.n_in = n_in;
  head.n_out = config.n_channels;
  spec.layers.push_back(head);
  const auto [low, high] = config.output_range;
  spec.output = {1 / (high - low), -low / (high - low)};
  spec.validate();
  return spec;
}

const char* to_string(ExpertInit init) {
  return detail::enum_name(kExpertInitNames, init);
}

const char* to_string(InitScheme scheme) {
  return detail::enum_name(kInitSchemeNames, scheme);
}

std::vector<float> initial_params(const NetworkSpec& spec, uint64_t seed, const InitConfig& init) {
  std::vector<float> params(static_cast<std::size_t>(spec.n_params()), 0.0F);
  constexpr RandomStream kStream = RandomStream::Weights;
  Activation nonlinearity{ActivationKind::LeakyRelu, 0.2, 30};
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const LayerSpec& layer = spec.layers[i];
    if (decides_init(layer.activation.kind)) {
      nonlinearity = layer.activation;
    }
    const InitBounds bounds = init.scheme == InitScheme::Lecun ? lecun_bounds(layer.n_in, i + 1 == spec.layers.size())
                                                               : init_bounds(nonlinearity, layer.n_in, i == 0);
    const int64_t expert_size = int64_t{layer.n_out} * layer.n_in;
    const int64_t first = spec.weight_offset(static_cast<int>(i));
    const bool is_shared = init.experts == ExpertInit::Shared;
    fill_uniform(params, first, (is_shared ? 1 : layer.n_experts()) * expert_size, bounds.weight, seed, kStream);
    for (int expert = 1; is_shared && expert < layer.n_experts(); ++expert) {
      std::copy_n(params.begin() + first, expert_size, params.begin() + first + expert * expert_size);
    }
    fill_uniform(params, spec.bias_offset(static_cast<int>(i)), layer.n_biases(), bounds.bias, seed, kStream);
  }
  fill_uniform(params, spec.embedding_offset(), spec.input.embedding.size(), spec.input.embedding.init_bound, seed,
               kStream);
  return params;
}

}  // namespace loe
