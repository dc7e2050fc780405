// The reference against finite differences and against numbers worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "backend/network_builders.h"
#include "backend/reference/mse.h"
#include "backend/reference/network.h"
#include "loe/backend/backend.h"
#include "loe/base/error.h"

namespace loe {
namespace {

using reference::network_backward;
using reference::network_forward;
using reference::NetworkPass;
using test::ArraySource;
using test::make_network;
using test::NetworkRecipe;
using test::random_floats;
using test::random_params;
using test::Uniform;

constexpr int kSamples = 6;

/// L = sum of output_weights * outputs.
double weighted_outputs(const NetworkSpec& spec, const std::vector<double>& params, const BatchView& batch,
                        const std::vector<double>& output_weights) {
  const NetworkPass pass = network_forward(spec, params, batch);
  return std::inner_product(output_weights.begin(), output_weights.end(), pass.outputs().begin(), 0.0);
}

/// Central differences of `loss` over `values`, h exact. Their error is h^2 L'''/6 (about 1e-11 here) plus rounding,
/// 1e-16 |L| / h (1e-10): gradients of order 0.1 to 10 must agree to 1e-7, far from what a wrong term would give.
template <class T>
void expect_matches_differences(std::vector<T>& values, const std::vector<double>& gradient,
                                const std::function<double()>& loss) {
  constexpr double kStep = 0x1p-20;
  ASSERT_EQ(values.size(), gradient.size());
  double norm2 = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const T value = values[i];
    values[i] = static_cast<T>(value + kStep);
    const double above = loss();
    values[i] = static_cast<T>(value - kStep);
    const double below = loss();
    values[i] = value;
    ASSERT_NEAR(gradient[i], (above - below) / (2 * kStep), 1e-7 * (1 + std::abs(gradient[i]))) << "component " << i;
    norm2 += gradient[i] * gradient[i];
  }
  EXPECT_GT(norm2, 1e-4) << "a gradient of zeros proves nothing";
}

struct Routed {
  int n_dims;
  Tile tile;
  Interpolation interpolation;
  double node_offset;
};

class FiniteDifferences : public testing::TestWithParam<std::tuple<ActivationKind, Routed>> {
 protected:
  NetworkRecipe recipe() const {
    const auto& [kind, routed] = GetParam();
    NetworkRecipe recipe;
    recipe.n_dims = routed.n_dims;
    recipe.input.n_frequencies = 1;
    recipe.widths = {5, 4};
    recipe.n_out = 2;
    recipe.tile = routed.tile;
    recipe.interpolation = routed.interpolation;
    recipe.node_offset = routed.node_offset;
    recipe.activation = {kind, 0.2, 3};
    recipe.output = {0.5, -0.25};
    return recipe;
  }
};

TEST_P(FiniteDifferences, Params) {
  const NetworkSpec spec = make_network(recipe());
  const std::vector<float> start = random_params(spec, 11);
  std::vector<double> params(start.begin(), start.end());
  const std::vector<float> coords = random_floats(kSamples * spec.n_dims, 0, 1, 12);
  const BatchView batch{kSamples, coords, {}};
  const std::vector<float> weights = random_floats(kSamples * 2, -1, 1, 13);
  const std::vector<double> output_weights(weights.begin(), weights.end());
  std::vector<double> gradient(params.size());
  network_backward(spec, params, network_forward(spec, params, batch), output_weights, gradient, {});
  expect_matches_differences(params, gradient, [&] { return weighted_outputs(spec, params, batch, output_weights); });
}

TEST_P(FiniteDifferences, Features) {
  NetworkRecipe with_features = recipe();
  with_features.input = {.kind = InputKind::Features, .n_features = 3};
  const NetworkSpec spec = make_network(with_features);
  const std::vector<float> start = random_params(spec, 21);
  const std::vector<double> params(start.begin(), start.end());
  const std::vector<float> coords = random_floats(kSamples * spec.n_dims, 0, 1, 22);
  std::vector<float> features = random_floats(kSamples * 3, -1, 1, 23);
  for (float& feature : features) {
    feature = std::round(feature * 0x1p20F) * 0x1p-20F;  // a difference step is then exact in float
  }
  const BatchView batch{kSamples, coords, features};
  const std::vector<float> weights = random_floats(kSamples * 2, -1, 1, 24);
  const std::vector<double> output_weights(weights.begin(), weights.end());
  std::vector<double> ignored(params.size());
  std::vector<double> gradient(features.size());
  network_backward(spec, params, network_forward(spec, params, batch), output_weights, ignored, gradient);
  expect_matches_differences(features, gradient, [&] { return weighted_outputs(spec, params, batch, output_weights); });
}

TEST_P(FiniteDifferences, ResidualBlocks) {
  NetworkRecipe generator = recipe();
  generator.n_latents = 3;
  generator.residual_blocks = {generator.widths.back(), 5};
  const NetworkSpec spec = make_network(generator);
  const std::vector<float> start = random_params(spec, 45);
  std::vector<double> params(start.begin(), start.end());
  // Six layers of sines bend so much at full size that the differences' own error, of third derivatives, shows.
  for (double& param : params) {
    param *= 0.5;
  }
  const std::vector<float> coords = random_floats(kSamples * spec.n_dims, 0, 1, 46);
  const std::vector<float> features = random_floats(kSamples * 3, -1, 1, 47);
  const BatchView batch{kSamples, coords, features};
  const std::vector<float> weights = random_floats(kSamples * spec.n_out(), -1, 1, 48);
  const std::vector<double> output_weights(weights.begin(), weights.end());
  std::vector<double> gradient(params.size());
  network_backward(spec, params, network_forward(spec, params, batch), output_weights, gradient, {});
  expect_matches_differences(params, gradient, [&] { return weighted_outputs(spec, params, batch, output_weights); });
}

TEST_P(FiniteDifferences, Branches) {
  NetworkRecipe with_branches = recipe();
  with_branches.side_features = 4;
  const NetworkSpec spec = make_network(with_branches);
  ASSERT_EQ(spec.n_out(), 3);
  const std::vector<float> start = random_params(spec, 41);
  std::vector<double> params(start.begin(), start.end());
  const std::vector<float> coords = random_floats(kSamples * spec.n_dims, 0, 1, 42);
  const std::vector<float> features = random_floats(kSamples * 4, -1, 1, 43);
  const BatchView batch{kSamples, coords, features};
  const std::vector<float> weights = random_floats(kSamples * 3, -1, 1, 44);
  const std::vector<double> output_weights(weights.begin(), weights.end());
  std::vector<double> gradient(params.size());
  network_backward(spec, params, network_forward(spec, params, batch), output_weights, gradient, {});
  expect_matches_differences(params, gradient, [&] { return weighted_outputs(spec, params, batch, output_weights); });
}

TEST_P(FiniteDifferences, MeanSquaredError) {
  const NetworkSpec spec = make_network(recipe());
  const std::vector<float> start = random_params(spec, 31);
  const std::vector<float> coords = random_floats(kSamples * spec.n_dims, 0, 1, 32);
  const std::vector<float> targets = random_floats(kSamples * 2, -1, 1, 33);
  const BatchView batch{kSamples, coords, {}};
  const auto executor = reference_backend().compile(spec, {});
  executor->set_params(start);
  std::vector<float> gradient(start.size());
  const double loss = executor->mse_gradients(ArraySource(coords, targets, kSamples), gradient);
  std::vector<double> params(start.begin(), start.end());
  const auto loss_of_params = [&] {
    const NetworkPass pass = network_forward(spec, params, batch);
    double sum = 0;
    for (size_t i = 0; i < targets.size(); ++i) {
      sum += std::pow(pass.outputs()[i] - targets[i], 2);
    }
    return sum / static_cast<double>(targets.size());
  };
  EXPECT_NEAR(loss, loss_of_params(), 1e-14);
  expect_matches_differences(params, {gradient.begin(), gradient.end()}, loss_of_params);
}

TEST_P(FiniteDifferences, Embedding) {
  NetworkRecipe with_embedding = recipe();
  with_embedding.input.embedding.n_channels = 2;
  for (int d = 0; d < with_embedding.n_dims; ++d) {
    with_embedding.input.embedding.resolution[d] = 3 - d;  // 3, 3 x 2, 3 x 2 x 1 nodes
  }
  const NetworkSpec spec = make_network(with_embedding);
  const std::vector<float> start = random_params(spec, 35);
  std::vector<double> params(start.begin(), start.end());
  const std::vector<float> coords = random_floats(kSamples * spec.n_dims, -0.2, 1.2, 36);
  const BatchView batch{kSamples, coords, {}};
  const std::vector<float> weights = random_floats(kSamples * 2, -1, 1, 37);
  const std::vector<double> output_weights(weights.begin(), weights.end());
  std::vector<double> gradient(params.size());
  network_backward(spec, params, network_forward(spec, params, batch), output_weights, gradient, {});
  const std::span<const double> table_gradient = std::span(gradient).subspan(spec.embedding_offset());
  EXPECT_GT(std::inner_product(table_gradient.begin(), table_gradient.end(), table_gradient.begin(), 0.0), 1e-6);
  expect_matches_differences(params, gradient, [&] { return weighted_outputs(spec, params, batch, output_weights); });
}

TEST_P(FiniteDifferences, Grid) {
  NetworkRecipe with_grid = recipe();
  with_grid.input = test::grid_input(test::grid_of(with_grid.n_dims, {1, 2.5, 6}, 8));  // the last is hashed
  const NetworkSpec spec = make_network(with_grid);
  ASSERT_FALSE(spec.input.embedding.levels.back().is_dense() && spec.n_dims > 1);
  const std::vector<float> start = random_params(spec, 38);
  std::vector<double> params(start.begin(), start.end());
  const std::vector<float> coords = random_floats(kSamples * spec.n_dims, -0.2, 1.2, 39);
  const BatchView batch{kSamples, coords, {}};
  const std::vector<float> weights = random_floats(kSamples * 2, -1, 1, 40);
  const std::vector<double> output_weights(weights.begin(), weights.end());
  std::vector<double> gradient(params.size());
  network_backward(spec, params, network_forward(spec, params, batch), output_weights, gradient, {});
  for (const TensorInfo& tensor : spec.tensors()) {
    const std::span<const double> part = std::span(gradient).subspan(tensor.offset, tensor.size());
    EXPECT_GT(std::inner_product(part.begin(), part.end(), part.begin(), 0.0), 1e-9) << tensor.name;
  }
  expect_matches_differences(params, gradient, [&] { return weighted_outputs(spec, params, batch, output_weights); });
}

std::string case_name(const testing::TestParamInfo<FiniteDifferences::ParamType>& param) {
  const auto& [kind, routed] = param.param;
  return std::string(to_string(kind)) + "_" + std::to_string(routed.n_dims) + "d_" + to_string(routed.interpolation) +
         (routed.node_offset == 0 ? "" : "_centred");
}

INSTANTIATE_TEST_SUITE_P(Reference, FiniteDifferences,
                         testing::Combine(testing::Values(ActivationKind::Identity, ActivationKind::LeakyRelu,
                                                          ActivationKind::Relu, ActivationKind::Sine,
                                                          ActivationKind::Sigmoid, ActivationKind::Tanh,
                                                          ActivationKind::Softplus),
                                          testing::Values(Routed{1, {{3, 1, 1, 1}}, Interpolation::Nearest, 0},
                                                          Routed{1, {{3, 1, 1, 1}}, Interpolation::Linear, 0.5},
                                                          Routed{2, {{2, 2, 1, 1}}, Interpolation::Nearest, 0},
                                                          Routed{2, {{2, 3, 1, 1}}, Interpolation::Linear, 0},
                                                          Routed{2, {{2, 2, 1, 1}}, Interpolation::Linear, 0.5},
                                                          Routed{3, {{2, 2, 2, 1}}, Interpolation::Nearest, 0},
                                                          Routed{3, {{2, 1, 2, 1}}, Interpolation::Linear, 0})),
                         case_name);

TEST(Reference, OneLayerByHand) {
  NetworkSpec spec;
  spec.n_dims = 1;
  spec.input = {.kind = InputKind::Features, .n_features = 2};
  LayerSpec layer;
  layer.name = "only";
  layer.n_in = 2;
  layer.n_out = 1;
  layer.tile = {{2, 1, 1, 1}};
  layer.grid = test::scaled_grid(1, 2);
  spec.layers = {layer};
  // Expert 0 = (1, 10), expert 1 = (100, 1000), bias 0.5; features (3, 4) at p = 0.25 (q = 0.5) and 0.75 (q = 1.5).
  const std::vector<float> params = {1, 10, 100, 1000, 0.5};
  const std::vector<float> coords = {0.25, 0.75};
  const std::vector<float> features = {3, 4, 3, 4};
  std::vector<float> outputs(2);
  auto executor = reference_backend().compile(spec, {});
  executor->set_params(params);
  executor->forward({2, coords, features}, outputs);
  EXPECT_EQ(outputs, (std::vector<float>{43.5, 4300.5}));
  std::vector<float> param_grads(5);
  std::vector<float> feature_grads(4);
  const std::vector<float> output_grads = {2, -1};
  executor->backward({2, coords, features}, output_grads, param_grads, feature_grads);
  EXPECT_EQ(param_grads, (std::vector<float>{6, 8, -3, -4, 1}));
  EXPECT_EQ(feature_grads, (std::vector<float>{2, 20, -100, -1000}));

  spec.layers[0].interpolation = Interpolation::Linear;  // both cell centres: the mean of the two experts
  executor = reference_backend().compile(spec, {});
  executor->set_params(params);
  executor->forward({2, coords, features}, outputs);
  EXPECT_EQ(outputs, (std::vector<float>{2172, 2172}));
}

TEST(Reference, AdamByHand) {
  // y = w * 1 + b with a constant input: L = (w + b - target)^2, both gradients 2 (w + b - target) = -1.
  NetworkSpec spec;
  spec.n_dims = 1;
  spec.input = {.kind = InputKind::Constant};
  LayerSpec layer;
  layer.name = "only";
  layer.n_in = layer.n_out = 1;
  spec.layers = {layer};
  auto executor = reference_backend().compile(spec, {});
  ParamState state{{0.25F, 0.25F}, {0.5F, 0}, {0.25F, 0}};
  executor->set_params(state.params);
  const ArraySource source({0}, {1}, 1);
  const AdamUpdate update{.learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .t = 2};
  EXPECT_EQ(executor->train_step(source, update, state), 0.25);
  const double m = 0.9 * 0.5 - 0.1;
  const double v = 0.99 * 0.25 + 0.01;
  EXPECT_FLOAT_EQ(state.adam_m[0], static_cast<float>(m));
  EXPECT_FLOAT_EQ(state.adam_v[0], static_cast<float>(v));
  EXPECT_FLOAT_EQ(state.params[0],
                  static_cast<float>(0.25 - 0.1 * (m / (1 - 0.81)) / (std::sqrt(v / (1 - 0.9801)) + 1e-8)));
  EXPECT_FLOAT_EQ(state.params[1], static_cast<float>(0.25 + 0.1 * (0.1 / 0.19) / (std::sqrt(0.01 / 0.0199) + 1e-8)));
  std::vector<float> output(1);
  const std::vector<float> coords = {0};
  executor->forward({1, coords, {}}, output);
  EXPECT_FLOAT_EQ(output[0], state.params[0] + state.params[1]) << "the executor keeps the new parameters";
}

TEST(Reference, ChunksMakeNoDifference) {
  // More samples than one chunk: the mean gradient of a batch repeated is that of the batch.
  const NetworkSpec spec = make_network({.widths = {4}});
  const std::vector<float> params = random_params(spec, 41);
  constexpr int kOnce = 700;
  const std::vector<float> coords = random_floats(kOnce * 2, 0, 1, 42);
  const std::vector<float> targets = random_floats(kOnce * 3, 0, 1, 43);
  std::vector<float> coords3;
  std::vector<float> targets3;
  for (int repeat = 0; repeat < 3; ++repeat) {
    coords3.insert(coords3.end(), coords.begin(), coords.end());
    targets3.insert(targets3.end(), targets.begin(), targets.end());
  }
  const auto executor = reference_backend().compile(spec, {});
  executor->set_params(params);
  std::vector<float> once(params.size());
  std::vector<float> thrice(params.size());
  const double loss = executor->mse_gradients(ArraySource(coords, targets, kOnce), once);
  EXPECT_NEAR(executor->mse_gradients(ArraySource(coords3, targets3, 3 * kOnce), thrice), loss, 1e-12);
  for (size_t i = 0; i < once.size(); ++i) {
    ASSERT_NEAR(once[i], thrice[i], 1e-6 * std::abs(once[i]) + 1e-12);
  }
}

TEST(Reference, OtherPrecisionsAreRefused) {
  const NetworkSpec spec = make_network({});
  for (const Precision precision : {Precision::Mixed, Precision::Bf16}) {
    ExecutorOptions options;
    options.precision = precision;
    try {
      reference_backend().compile(spec, options);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Unsupported);
    }
  }
  ExecutorOptions with_isa;
  with_isa.isa = "avx2";
  EXPECT_THROW(reference_backend().compile(spec, with_isa), Error);
}

}  // namespace
}  // namespace loe
