// The table of networks and batches on which every backend must agree with the reference.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "backend/network_builders.h"
#include "backend/reference/network.h"

namespace loe::test {

enum class Placement {
  Everywhere,  ///< uniform in [0, 1]
  Outside,     ///< uniform in [-3, 4]: coordinates wrap
  OneCell,     ///< all samples in one cell of every grid: one expert per level has them all
  HalfEmpty,   ///< x below 1/2: experts of the first level without samples
};

struct BackendCase {
  std::string name;
  NetworkRecipe recipe;
  int64_t n_samples = 100;
  Placement placement = Placement::Everywhere;
};

inline void PrintTo(const BackendCase& backend_case, std::ostream* out) {
  *out << backend_case.name;
}

/// Collects cases; 100 samples everywhere unless said otherwise.
class CaseList {
 public:
  void add(const std::string& name, const NetworkRecipe& recipe, int64_t n_samples = 100,
           Placement placement = Placement::Everywhere) {
    cases_.push_back({name, recipe, n_samples, placement});
  }
  const std::vector<BackendCase>& cases() const { return cases_; }

 private:
  std::vector<BackendCase> cases_;
};

/// Widths, tiles, dimensions and interpolation.
inline void add_network_cases(CaseList& list) {
  using enum Interpolation;
  using enum Placement;
  list.add("width_1", {.widths = {1}}, 40);
  list.add("width_3_1_3", {.widths = {3, 1, 3}}, 40);
  list.add("width_64_64_64", {.widths = {64, 64, 64}}, 200);
  list.add("width_63_64_65", {.widths = {63, 64, 65}});
  list.add("width_130_7", {.widths = {130, 7}});
  list.add("width_5_129", {.widths = {5, 129}});
  list.add("head_only", {.widths = {}});
  list.add("head_with_tile", {.widths = {20}, .head_tile = {{3, 2, 1, 1}}});

  list.add("tile_1", {.widths = {33, 32}, .tile = {}});
  list.add("tile_1_linear", {.widths = {16}, .tile = {}, .interpolation = Linear});
  list.add("tile_4x4", {.widths = {32, 48}, .tile = {{4, 4, 1, 1}}, .first_scale = 4}, 300);
  list.add("tile_3x5", {.widths = {24, 31}, .tile = {{3, 5, 1, 1}}, .first_scale = 7});
  list.add("tile_1x4", {.widths = {24, 8}, .tile = {{1, 4, 1, 1}}});
  list.add("dims_1", {.n_dims = 1, .widths = {32, 16}, .tile = {{3, 1, 1, 1}}});
  list.add("dims_3", {.n_dims = 3, .widths = {32, 16}, .tile = {{2, 2, 2, 1}}});
  list.add("dims_3_tile_4", {.n_dims = 3, .widths = {24, 16}, .tile = {{4, 4, 4, 1}}, .first_scale = 4}, 200);
  list.add("dims_4", {.n_dims = 4, .widths = {16}, .tile = {{2, 1, 3, 2}}});
  list.add("affine", {.widths = {24, 24}, .tile = {{2, 3, 1, 1}}, .affine = true});

  list.add("linear_2x2", {.widths = {32, 33}, .interpolation = Linear});
  list.add("linear_2x2_centred", {.widths = {32, 33}, .interpolation = Linear, .node_offset = 0.5});
  list.add("linear_3x5", {.widths = {24}, .tile = {{3, 5, 1, 1}}, .interpolation = Linear, .node_offset = 0.5}, 200);
  list.add("linear_1x4", {.widths = {24}, .tile = {{1, 4, 1, 1}}, .interpolation = Linear});
  list.add("linear_1d", {.n_dims = 1, .widths = {65}, .tile = {{2, 1, 1, 1}}, .interpolation = Linear});
  list.add("linear_3d", {.n_dims = 3, .widths = {20, 9}, .tile = {{2, 2, 2, 1}}, .interpolation = Linear}, 60);
  list.add("dims_3_tiles_of_table_2", {.n_dims = 3, .widths = {20, 18}, .tile = {{4, 4, 4, 1}}, .first_scale = 8}, 900);
  list.add("dims_3_tile_4x4x2", {.n_dims = 3, .widths = {24, 17}, .tile = {{4, 4, 2, 1}}, .first_scale = 4}, 200);
  list.add("dims_3_tile_1x2x3", {.n_dims = 3, .widths = {18}, .tile = {{1, 2, 3, 1}}, .affine = true});
  list.add("dims_3_one_cell", {.n_dims = 3, .widths = {24}, .tile = {{4, 4, 4, 1}}}, 150, OneCell);
  list.add("linear_3d_tile_4",
           {.n_dims = 3, .widths = {18, 9}, .tile = {{4, 4, 4, 1}}, .first_scale = 4, .interpolation = Linear}, 120);
  list.add("linear_3d_tile_4x4x2_centred",
           {.n_dims = 3, .widths = {17}, .tile = {{4, 4, 2, 1}}, .interpolation = Linear, .node_offset = 0.5}, 120);
  list.add("linear_3d_tile_1x2x3", {.n_dims = 3, .widths = {17}, .tile = {{1, 2, 3, 1}}, .interpolation = Linear}, 60);
  list.add("linear_affine", {.widths = {24}, .interpolation = Linear, .affine = true});
  list.add("linear_one_cell", {.widths = {24}, .interpolation = Linear}, 150, OneCell);
  list.add("linear_head", {.widths = {24}, .head_tile = {{2, 2, 1, 1}}, .interpolation = Linear});
}

/// SIREN's networks at its own frequency, with and without experts, and sines at the end of a network.
inline void add_sine_cases(CaseList& list) {
  using enum Interpolation;
  const InputSpec centred = {.n_frequencies = 0, .coordinate_range = {-1, 1}};
  const Activation siren = {ActivationKind::Sine, 0.2, 30};
  const double scale = 1 / siren.omega;
  list.add(
      "siren",
      {.n_dims = 3, .input = centred, .widths = {48, 33, 48}, .tile = {}, .activation = siren, .param_scale = scale},
      300);
  list.add("siren_experts",
           {.input = centred, .widths = {32, 48}, .tile = {{4, 4, 1, 1}}, .activation = siren, .param_scale = scale},
           300);
  list.add("siren_linear",
           {.input = centred, .widths = {32, 17}, .interpolation = Linear, .activation = siren, .param_scale = scale});
  list.add("siren_wide_head",
           {.input = centred, .widths = {32}, .n_out = 19, .tile = {}, .activation = siren, .param_scale = scale});
  const Activation slow = {ActivationKind::Sine, 0.2, 2.5};
  list.add("head_sine", {.widths = {24}, .activation = slow, .head_activation = ActivationKind::Sine});
  list.add("head_sine_wide",
           {.widths = {24}, .n_out = 20, .activation = slow, .head_activation = ActivationKind::Sine});
  list.add("head_sine_features", {.input = {.kind = InputKind::Features, .n_features = 9},
                                  .widths = {},
                                  .n_out = 18,
                                  .head_tile = {{2, 2, 1, 1}},
                                  .activation = slow,
                                  .head_activation = ActivationKind::Sine});
}

/// Networks that are no chain: a radiance field's branches over one level, with features of the caller beside it.
inline void add_branch_cases(CaseList& list) {
  using enum Interpolation;
  using enum Placement;
  list.add("branches", {.n_dims = 3, .widths = {32, 24}, .tile = {{2, 2, 2, 1}}, .side_features = 7}, 300);
  list.add("branches_wide_colour", {.widths = {33}, .n_out = 12, .side_features = 32}, 150);
  list.add("branches_linear", {.widths = {24, 17}, .interpolation = Linear, .side_features = 3});
  list.add("branches_with_tiles", {.widths = {24}, .head_tile = {{2, 3, 1, 1}}, .side_features = 5}, 200);
  list.add(
      "branches_sine",
      {.widths = {24, 24}, .activation = {ActivationKind::Sine, 0.2, 2}, .output = {0.5, 0.5}, .side_features = 5});
  list.add("branches_features_in",
           {.input = {.kind = InputKind::Features, .n_features = 6}, .widths = {24}, .side_features = 4});
  list.add("branches_embedding",
           {.input = {.n_frequencies = 2, .embedding = {{5, 6}, 7, 1}}, .widths = {20}, .side_features = 4});
  list.add("branches_constant", {.input = {.kind = InputKind::Constant},
                                 .widths = {20},
                                 .activation = {.kind = ActivationKind::Tanh},
                                 .side_features = 4});
  list.add("branches_one_cell", {.widths = {40}, .side_features = 9}, 333, OneCell);
  list.add("branches_no_samples", {.widths = {16}, .side_features = 2}, 0);
}

/// Batch sizes, where the samples lie, activations, heads and inputs.
inline void add_batch_and_function_cases(CaseList& list) {
  using enum Interpolation;
  using enum Placement;
  using enum ActivationKind;
  for (const int n_samples : {0, 1, 2, 7, 63, 64, 65, 1000}) {
    list.add("batch_" + std::to_string(n_samples), {.widths = {33, 17}}, n_samples);
  }
  list.add("batch_1_linear", {.widths = {33}, .interpolation = Linear}, 1);
  list.add("one_expert_has_all", {.widths = {40, 24}}, 333, OneCell);
  list.add("experts_without_samples", {.widths = {40, 24}}, 333, HalfEmpty);
  list.add("more_experts_than_samples", {.widths = {16, 16}, .tile = {{8, 8, 1, 1}}, .first_scale = 8}, 13);
  list.add("outside_the_unit_square", {.widths = {16, 16}}, 100, Outside);

  for (int kind = 0; kind <= static_cast<int>(ActivationKind::Softplus); ++kind) {
    const Activation activation{static_cast<ActivationKind>(kind), 0.1, 2.5};
    list.add(std::string("activation_") + to_string(activation.kind), {.widths = {24, 25}, .activation = activation});
  }
  add_sine_cases(list);
  list.add("head_sigmoid", {.widths = {24}, .activation = {ActivationKind::Tanh}, .head_activation = Sigmoid});
  list.add("head_softplus_wide",
           {.widths = {24}, .n_out = 20, .activation = {ActivationKind::Tanh}, .head_activation = Softplus});
  list.add("leaky_relu_of_slope_0", {.widths = {24}, .activation = {ActivationKind::LeakyRelu, 0.0}});
  for (const int n_out : {1, 3, 4}) {
    list.add("head_" + std::to_string(n_out), {.widths = {31}, .n_out = n_out});
  }
  // All samples of one path of experts have the same activations here. A kink that rounding flips would flip for all of
  // them at once, but the rounding model draws each sample on its own: so an activation without kinks.
  list.add("constant_input",
           {.input = {.kind = InputKind::Constant}, .widths = {32, 32}, .activation = {.kind = ActivationKind::Tanh}});
  list.add("output_signed", {.widths = {24, 25}, .output = {0.5, 0.5}});
  list.add("output_scaled_linear",
           {.widths = {24}, .head_tile = {{2, 2, 1, 1}}, .interpolation = Linear, .output = {-3, 0.25}});
  list.add("features_5", {.input = {.kind = InputKind::Features, .n_features = 5}, .widths = {32, 17}});
  list.add("features_70_linear",
           {.input = {.kind = InputKind::Features, .n_features = 70}, .widths = {24}, .interpolation = Linear});
  list.add("features_head_only", {.input = {.kind = InputKind::Features, .n_features = 9}, .widths = {}});
  list.add("coordinates_moved", {.input = {.n_frequencies = 2, .coordinate_range = {-3, 5}}, .widths = {24}});
  list.add("coordinates_only", {.input = {.n_frequencies = 0}, .widths = {24}});
  list.add("frequencies_only", {.input = {.n_frequencies = 5, .include_coordinates = false}, .widths = {24}});
  list.add("many_frequencies", {.input = {.n_frequencies = 13, .frequency_scale = 6.25}, .widths = {24}});
}

/// Tables of all dimensions, with and without neighbours to blend, in front of every kind of first layer.
inline void add_embedding_cases(CaseList& list) {
  using enum Interpolation;
  using enum Placement;
  const auto input = [](const EmbeddingSpec& embedding, int n_frequencies = 3) {
    return InputSpec{.n_frequencies = n_frequencies, .embedding = embedding};
  };
  list.add("embedding", {.input = input({{9, 7}, 8, 1}), .widths = {32, 17}}, 300);
  list.add("embedding_1d", {.n_dims = 1, .input = input({{11}, 5, 1}), .widths = {24}, .tile = {{2, 1, 1, 1}}});
  list.add("embedding_3d", {.n_dims = 3, .input = input({{4, 3, 5}, 16, 1}), .widths = {24}, .tile = {{2, 2, 2, 1}}});
  list.add("embedding_3d_linear", {.n_dims = 3,
                                   .input = input({{7, 2, 4}, 9, 1}),
                                   .widths = {17},
                                   .tile = {{2, 2, 2, 1}},
                                   .interpolation = Linear});
  list.add(
      "embedding_3d_tiles_of_table_2",
      {.n_dims = 3, .input = input({{6, 9, 3}, 24, 1}), .widths = {24, 18}, .tile = {{4, 4, 4, 1}}, .first_scale = 8},
      500);
  list.add("embedding_3d_thin", {.n_dims = 3, .input = input({{5, 1, 8}, 17, 1}), .widths = {}, .n_out = 12}, 200);
  list.add("embedding_4d", {.n_dims = 4, .input = input({{2, 3, 2, 2}, 3, 1}), .widths = {16}, .tile = {}});
  list.add("embedding_one_node", {.input = input({{1, 1}, 4, 1}), .widths = {24}});
  list.add("embedding_1x6", {.input = input({{1, 6}, 33, 1}), .widths = {24}});
  list.add("embedding_finer_than_the_samples", {.input = input({{90, 71}, 70, 1}), .widths = {24}}, 64);
  list.add("embedding_linear", {.input = input({{9, 7}, 5, 1}), .widths = {24}, .interpolation = Linear});
  list.add("embedding_plain", {.input = input({{6, 6}, 20, 1}), .widths = {40, 24}, .tile = {}}, 700);
  list.add("embedding_head_only", {.input = input({{5, 6}, 7, 1}), .widths = {}});
  list.add("embedding_head_with_tile", {.input = input({{5, 6}, 7, 1}), .widths = {}, .head_tile = {{2, 3, 1, 1}}});
  list.add("embedding_wide_head_only", {.input = input({{5, 6}, 18, 1}), .widths = {}, .n_out = 12});
  list.add("embedding_and_coordinates_only", {.input = input({{8, 8}, 6, 1}, 0), .widths = {24}});
  list.add("embedding_sine",
           {.input = input({{8, 8}, 6, 1}), .widths = {24, 9}, .activation = {ActivationKind::Sine, 0.2, 2}});
  list.add("embedding_no_samples", {.input = input({{8, 8}, 6, 1})}, 0);
  list.add("embedding_one_sample", {.input = input({{8, 8}, 6, 1})}, 1);
  list.add("embedding_one_cell", {.input = input({{8, 8}, 6, 1})}, 333, OneCell);
  list.add("embedding_outside_the_unit_square", {.input = input({{8, 8}, 6, 1})}, 100, Outside);
}

/// Grids of features, dense and hashed, with and without kernels of their own, alone and behind the encoding.
inline void add_grid_cases(CaseList& list) {
  using enum Interpolation;
  using enum Placement;
  const std::vector<double> cells = {3, 4.5, 7, 10, 15.25, 20, 31, 40, 60.5};
  const InputSpec plane = grid_input(grid_of(2, cells, 256));
  list.add("grid", {.input = plane, .widths = {32, 17}, .tile = {}}, 300);
  list.add("grid_of_experts", {.input = plane, .widths = {32, 17}}, 300);
  list.add("grid_linear", {.input = plane, .widths = {24}, .interpolation = Linear});
  list.add("grid_dense_only", {.input = grid_input(grid_of(2, {4, 9}, 1 << 20)), .widths = {24}, .tile = {}});
  list.add("grid_hashed_only", {.input = grid_input(grid_of(2, {40, 90}, 64)), .widths = {24}, .tile = {}});
  list.add("grid_behind_encoding",
           {.input = {.n_frequencies = 2, .embedding = grid_of(2, cells, 256)}, .widths = {24}, .side_features = 3});
  list.add("grid_17_levels",
           {.input = grid_input(grid_of(2, {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}, 128)),
            .widths = {16},
            .tile = {}});
  list.add("grid_3d", {.n_dims = 3, .input = grid_input(grid_of(3, {2, 3.5, 5, 9}, 256)), .widths = {24}, .tile = {}},
           200);
  list.add("grid_3d_behind_encoding",
           {.n_dims = 3, .input = {.n_frequencies = 2, .embedding = grid_of(3, {2, 7}, 128)}, .widths = {17}});
  list.add("grid_1d", {.n_dims = 1, .input = grid_input(grid_of(1, {5, 11, 40}, 16)), .widths = {24}, .tile = {}});
  list.add("grid_4d", {.n_dims = 4, .input = grid_input(grid_of(4, {1, 2}, 64)), .widths = {16}, .tile = {}});
  list.add("grid_of_one_channel", {.input = grid_input(grid_of(2, {3, 5, 20}, 64, 1)), .widths = {24}, .tile = {}});
  list.add("grid_of_five_channels", {.input = grid_input(grid_of(2, {3, 20}, 64, 5)), .widths = {24}, .tile = {}});
  list.add("grid_head_only", {.input = plane, .widths = {}});
  list.add("grid_sine", {.input = plane, .widths = {24, 9}, .activation = {ActivationKind::Sine, 0.2, 2}});
  list.add("grid_no_samples", {.input = plane}, 0);
  list.add("grid_one_sample", {.input = plane}, 1);
  list.add("grid_one_cell", {.input = plane}, 333, OneCell);
  list.add("grid_outside_the_unit_square", {.input = plane}, 100, Outside);
}

/// Generators: latents beside the encoding, residual blocks with and without a projection, in every kind of layer.
inline void add_residual_cases(CaseList& list) {
  using enum Interpolation;
  list.add("residual", {.widths = {48}, .param_scale = 0.7, .n_latents = 9, .residual_blocks = {32, 32}}, 300);
  list.add("residual_projections",
           {.widths = {40}, .tile = {{3, 2, 1, 1}}, .param_scale = 0.5, .residual_blocks = {33, 17}}, 200);
  list.add("residual_linear", {.widths = {24}, .interpolation = Linear, .n_latents = 3, .residual_blocks = {24, 18}});
  list.add(
      "residual_sine",
      {.widths = {24}, .activation = {ActivationKind::Sine, 0.2, 2}, .param_scale = 0.5, .residual_blocks = {24, 32}});
  list.add("residual_embedding", {.input = {.n_frequencies = 2, .embedding = {{5, 6}, 7, 1}},
                                  .widths = {20},
                                  .tile = {},
                                  .head_activation = ActivationKind::Tanh,
                                  .output = {0.5, 0.5},
                                  .n_latents = 5,
                                  .residual_blocks = {20, 20}});
  list.add("residual_constant", {.input = {.kind = InputKind::Constant}, .widths = {16}, .residual_blocks = {16, 16}});
  list.add("residual_features", {.input = {.kind = InputKind::Features, .n_features = 6},
                                 .widths = {24},
                                 .param_scale = 0.5,
                                 .n_latents = 2,
                                 .residual_blocks = {24}});
  list.add("residual_no_samples", {.widths = {16}, .residual_blocks = {16}}, 0);
}

inline std::vector<BackendCase> backend_cases() {
  CaseList list;
  add_network_cases(list);
  add_batch_and_function_cases(list);
  add_embedding_cases(list);
  add_grid_cases(list);
  add_branch_cases(list);
  add_residual_cases(list);
  return list.cases();
}

/// A case with its numbers drawn.
class DrawnCase {
 public:
  explicit DrawnCase(const BackendCase& backend_case)
      : spec(make_network(backend_case.recipe)), n_samples(backend_case.n_samples), params(random_params(spec, 1)) {
    for (float& param : params) {
      param *= static_cast<float>(backend_case.recipe.param_scale);
    }
    const std::vector<double> exact_params(params.begin(), params.end());
    Uniform uniform(2);
    const int n_features = spec.n_features();
    for (int64_t sample = 0; sample < n_samples; ++sample) {
      std::vector<float> p(spec.n_dims);
      std::vector<float> f(n_features);
      do {
        std::generate(p.begin(), p.end(), [&] { return draw_coordinate(backend_case.placement, uniform); });
        if (backend_case.placement == Placement::HalfEmpty) {
          p[0] *= 0.49F;
        }
        std::generate(f.begin(), f.end(), [&] { return static_cast<float>(uniform(-1, 1)); });
      } while (is_near_a_kink(reference::network_forward(spec, exact_params, BatchView{1, p, f})));
      coords.insert(coords.end(), p.begin(), p.end());
      features.insert(features.end(), f.begin(), f.end());
    }
    output_grads = random_floats(n_samples * spec.n_out(), -1, 1, 3);
    targets = random_floats(n_samples * spec.n_out(), -1, 1, 4);
  }

  BatchView batch() const { return {n_samples, coords, features}; }

  NetworkSpec spec;
  int64_t n_samples;
  std::vector<float> params;
  std::vector<float> coords;
  std::vector<float> features;
  std::vector<float> output_grads;
  std::vector<float> targets;

 private:
  static float draw_coordinate(Placement placement, Uniform& uniform) {
    switch (placement) {
      case Placement::Outside:
        return static_cast<float>(uniform(-3, 4));
      case Placement::OneCell:
        return static_cast<float>(uniform(0.26, 0.36));  // inside [1/4, 3/8), a cell of grids 2, 4 and 8
      default:
        return static_cast<float>(uniform(0, 1));
    }
  }

  /// In f32 a sum that the reference finds this close to 0 may come out on the other side, where the gradient is a
  /// different one and no tolerance makes sense. In bf16 that happens all the time and the rounding model covers it.
  bool is_near_a_kink(const reference::NetworkPass& pass) const {
    for (size_t i = 0; i < spec.layers.size(); ++i) {
      const ActivationKind kind = spec.layers[i].activation.kind;
      if (kind == ActivationKind::LeakyRelu || kind == ActivationKind::Relu) {
        for (const double sum : pass.sums[i]) {
          if (std::abs(sum) < 2e-5) {
            return true;
          }
        }
      }
    }
    return false;
  }
};

}  // namespace loe::test
