// Small networks, parameters and samples for the tests of backends.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "loe/backend/backend.h"

namespace loe::test {

/// Uniform numbers that are the same on every machine.
class Uniform {
 public:
  explicit Uniform(uint64_t seed) : engine_(seed) {}
  double operator()(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }

 private:
  std::mt19937_64 engine_;
};

inline Grid scaled_grid(int n_dims, double scale, double shift = 0) {
  Grid grid;
  for (int d = 0; d < n_dims; ++d) {
    grid.a[d][d] = scale;
    grid.b[d] = shift;
  }
  return grid;
}

/// A grid of features with levels of so many cells along every axis, dense up to max_entries nodes.
inline EmbeddingSpec grid_of(int n_dims, const std::vector<double>& cells, int64_t max_entries, int n_channels = 2) {
  EmbeddingSpec spec{{}, n_channels, 1};
  for (const double n : cells) {
    GridLevel& level = spec.levels.emplace_back();
    for (int d = 0; d < n_dims; ++d) {
      level.cells[d] = n * (1 - 0.125 * d);  // axes that differ
    }
    level.n_entries = std::min(level.n_nodes(), max_entries);
  }
  return spec;
}

/// A grid that is the whole input.
inline InputSpec grid_input(const EmbeddingSpec& grid) {
  return InputSpec{.n_frequencies = 0, .include_coordinates = false, .embedding = grid};
}

/// Levels of the given widths on grids first_scale, 2 first_scale, 4 first_scale, ... and a head, plain unless it has
/// a tile of its own.
struct NetworkRecipe {
  int n_dims = 2;
  InputSpec input = {.n_frequencies = 3};
  std::vector<int> widths = {16, 16};
  int n_out = 3;
  Tile tile = {{2, 2, 1, 1}};
  Tile head_tile = {};
  double first_scale = 2;
  Interpolation interpolation = Interpolation::Nearest;
  double node_offset = 0;
  Activation activation = {ActivationKind::LeakyRelu};
  ActivationKind head_activation = ActivationKind::Identity;
  double param_scale = 1;  ///< of random_params(): 1 / omega gives SIREN's weights
  OutputSpec output = {};
  bool affine = false;                    ///< grids with random entries everywhere
  int side_features = 0;                  ///< above 0: the head becomes a radiance field's branches, see add_branches
  int n_latents = 0;                      ///< numbers of the caller that the first layer reads beside the input
  std::vector<int> residual_blocks = {};  ///< their widths; between the levels and the head, see add_residual_block
};

/// What a radiance field has behind its levels: a head "density" of one output, and beside it a layer "color.0" that
/// reads the same level and `n_features` numbers of the caller, followed by "color.1". The outputs are color.1,
/// density.
inline void add_branches(NetworkSpec& spec, int n_features) {
  LayerSpec head = spec.layers.back();
  spec.layers.pop_back();
  const int trunk = static_cast<int>(spec.layers.size()) - 1;
  LayerSpec density = head;
  density.name = "density";
  density.n_out = 1;
  density.from = trunk;
  LayerSpec color = head;
  color.name = "color.0";
  color.activation.kind = ActivationKind::LeakyRelu;
  color.from = trunk;
  color.n_features = n_features;
  color.n_in = head.n_in + n_features;
  color.n_out = 19;
  head.name = "color.1";
  head.n_in = color.n_out;
  spec.layers.insert(spec.layers.end(), {density, color, head});
  spec.outputs = {trunk + 3, trunk + 1};
}

/// What a generator has between its first layer and its head: two layers, the first position-dependent, the block's
/// input added to the second's sums; through a plain layer "shortcut" where the width changes.
inline void add_residual_block(NetworkSpec& spec, int width, const LayerSpec& level) {
  const int input = static_cast<int>(spec.layers.size()) - 1;
  const std::string name = "blocks." + std::to_string(input);
  const int n_in = spec.layers[input].n_out;
  LayerSpec first = level;
  LayerSpec second = level;
  first.name = name + ".0";
  first.n_in = n_in;
  first.n_out = second.n_in = second.n_out = width;
  first.from = input;
  first.n_features = second.n_features = 0;
  second.name = name + ".1";
  second.tile = {};
  second.residual = input;
  if (n_in != width) {
    LayerSpec shortcut = second;
    shortcut.name = name + ".shortcut";
    shortcut.n_in = n_in;
    shortcut.activation.kind = ActivationKind::Identity;
    shortcut.residual = kNoResidual;
    shortcut.has_bias = false;
    spec.layers.push_back(shortcut);
    second.residual = input + 1;
  }
  spec.layers.push_back(first);
  spec.layers.push_back(second);
}

inline NetworkSpec make_network(const NetworkRecipe& recipe) {
  NetworkSpec spec;
  spec.n_dims = recipe.n_dims;
  spec.input = recipe.input;
  int n_in = spec.n_in() + recipe.n_latents;
  double scale = recipe.first_scale;
  for (const int width : recipe.widths) {
    LayerSpec level;
    level.name = "levels." + std::to_string(spec.layers.size());
    level.n_in = n_in;
    level.n_out = width;
    level.tile = recipe.tile;
    level.grid = scaled_grid(recipe.n_dims, scale);
    level.interpolation = recipe.interpolation;
    level.node_offset = recipe.node_offset;
    level.activation = recipe.activation;
    spec.layers.push_back(level);
    n_in = width;
    scale *= 2;
  }
  if (recipe.n_latents > 0) {
    spec.layers[0].n_features = recipe.n_latents;
  }
  for (const int width : recipe.residual_blocks) {
    add_residual_block(spec, width, spec.layers[0]);
    n_in = width;
  }
  LayerSpec head;
  head.name = "head";
  head.n_in = n_in;
  head.n_out = recipe.n_out;
  head.activation = recipe.activation;
  head.activation.kind = recipe.head_activation;
  head.tile = recipe.head_tile;
  head.grid = scaled_grid(recipe.n_dims, scale);
  head.interpolation = recipe.interpolation;
  head.node_offset = recipe.node_offset;
  spec.layers.push_back(head);
  spec.output = recipe.output;
  if (recipe.side_features > 0) {
    add_branches(spec, recipe.side_features);
  }
  if (recipe.affine) {
    Uniform uniform(77);
    for (LayerSpec& layer : spec.layers) {
      for (int row = 0; row < recipe.n_dims; ++row) {
        for (int column = 0; column < recipe.n_dims; ++column) {
          layer.grid.a[row][column] = uniform(-9, 9);
        }
        layer.grid.b[row] = uniform(0, 1);
      }
    }
  }
  spec.validate();
  return spec;
}

/// Weights of the size that keeps activations of order 1, biases that are not 0, a table in [-1, 1].
inline std::vector<float> random_params(const NetworkSpec& spec, uint64_t seed) {
  Uniform uniform(seed);
  std::vector<float> params(spec.n_params());
  for (int i = 0; i < static_cast<int>(spec.layers.size()); ++i) {
    const double bound = 2.4 / std::sqrt(spec.layers[i].n_in);
    for (int64_t k = spec.weight_offset(i); k < spec.bias_offset(i); ++k) {
      params[k] = static_cast<float>(uniform(-bound, bound));
    }
    for (int64_t k = spec.bias_offset(i); k < spec.bias_offset(i) + spec.layers[i].n_biases(); ++k) {
      params[k] = static_cast<float>(uniform(-0.5, 0.5));
    }
  }
  for (int64_t k = spec.embedding_offset(); k < spec.n_params(); ++k) {
    params[k] = static_cast<float>(uniform(-1, 1));
  }
  return params;
}

inline std::vector<float> random_floats(int64_t n, double low, double high, uint64_t seed) {
  Uniform uniform(seed);
  std::vector<float> values(n);
  std::generate(values.begin(), values.end(), [&] { return static_cast<float>(uniform(low, high)); });
  return values;
}

/// Samples that lie in memory.
class ArraySource final : public SampleSource {
 public:
  ArraySource(std::vector<float> coords, std::vector<float> targets, int64_t n_samples)
      : coords_(std::move(coords)), targets_(std::move(targets)), n_samples_(n_samples) {}

  int64_t n_samples() const override { return n_samples_; }
  void fill(int64_t first, int64_t count, float* coords, float* targets) const override {
    copy(coords_, first, count, coords);
    copy(targets_, first, count, targets);
  }

 private:
  void copy(const std::vector<float>& from, int64_t first, int64_t count, float* to) const {
    const int64_t width = n_samples_ == 0 ? 0 : static_cast<int64_t>(from.size()) / n_samples_;
    std::copy_n(from.begin() + first * width, count * width, to);
  }

  std::vector<float> coords_;
  std::vector<float> targets_;
  int64_t n_samples_;
};

/// The instruction sets of this machine and, where it has no AMX, the model of it, whose bits are the same.
inline std::vector<std::string> cpu_isas() {
  std::vector<std::string> isas = cpu_backend().isas();
  if (std::find(isas.begin(), isas.end(), "amx") == isas.end()) isas.emplace_back("amx-twin");  // cpu::kAmxTwinIsa
  return isas;
}

}  // namespace loe::test
