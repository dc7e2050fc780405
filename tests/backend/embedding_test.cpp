// The lattice of the embedding, and what every backend promises about it beyond its numbers.
#include "loe/backend/embedding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "backend/cuda/emulated_backend.h"
#include "backend/network_builders.h"
#include "loe/backend/adam.h"
#include "loe/backend/backend.h"

namespace loe {
namespace {

using test::ArraySource;
using test::make_network;
using test::NetworkRecipe;
using test::random_floats;
using test::random_params;
using test::Uniform;

int64_t node_index(const EmbeddingSpec& embedding, int n_dims, const std::array<int, kMaxDims>& node) {
  int64_t index = 0;
  for (int d = n_dims - 1; d >= 0; --d) {
    index = index * embedding.resolution[d] + node[d];
  }
  return index;
}

/// The blend of values at the nodes.
double blend(const EmbeddingGrid& grid, const std::vector<double>& values, const std::vector<float>& p) {
  const EmbeddingPlace place = grid.place(p.data());
  double sum = 0;
  for (int corner = 0; corner < grid.n_corners(); ++corner) {
    sum += place.coefficient[corner] * values.at(place.entry[corner]);
  }
  return sum;
}

TEST(EmbeddingGrid, NodesAreCellCentresAndEdgesAreClamped) {
  const EmbeddingGrid grid({{4}, 1}, 1);
  const std::vector<double> values = {10, 20, 40, 80};
  EXPECT_EQ(grid.n_corners(), 2);
  for (int node = 0; node < 4; ++node) {
    EXPECT_EQ(blend(grid, values, {(static_cast<float>(node) + 0.5F) / 4}), values[node]);
  }
  EXPECT_EQ(blend(grid, values, {0.5F}), 30);
  EXPECT_EQ(blend(grid, values, {0.1875F}), 12.5);
  for (const float p : {0.0F, 0.1F, 0.125F, -0.5F, -1e30F, -std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(blend(grid, values, {p}), 10) << p;
  }
  for (const float p : {1.0F, 0.9F, 0.875F, 7.0F, 1e30F, std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(blend(grid, values, {p}), 80) << p;
  }
  EXPECT_EQ(blend(grid, values, {std::numeric_limits<float>::quiet_NaN()}), 10);
}

TEST(EmbeddingGrid, AxesWithOneNodeDoNotBlend) {
  const EmbeddingGrid grid({{1, 3, 1}, 1}, 3);
  EXPECT_EQ(grid.n_corners(), 2);
  const std::vector<double> values = {1, 2, 4};
  EXPECT_EQ(blend(grid, values, {0.9F, 0.5F, 0.1F}), 2);
  EXPECT_EQ(blend(grid, values, {0.0F, 1.0F, 1.0F}), 4);
  const EmbeddingGrid point({{1, 1}, 1}, 2);
  EXPECT_EQ(point.n_corners(), 1);
  EXPECT_EQ(blend(point, {5}, {0.3F, 0.8F}), 5);
}

class EmbeddingGridDims : public testing::TestWithParam<int> {
 protected:
  EmbeddingGridDims() : grid_(make_spec(), GetParam()) {}
  static EmbeddingSpec make_spec() {
    EmbeddingSpec spec{{}, 1};
    const std::array<int, kMaxDims> resolution = {5, 3, 4, 2};
    std::copy_n(resolution.begin(), GetParam(), spec.resolution.begin());
    return spec;
  }
  EmbeddingSpec spec_ = make_spec();
  EmbeddingGrid grid_;
};

TEST_P(EmbeddingGridDims, EveryNodeIsReachedExactly) {
  std::vector<double> values(spec_.n_nodes());
  for (int64_t node = 0; node < spec_.n_nodes(); ++node) {
    int64_t rest = node;
    std::array<int, kMaxDims> index{};
    std::vector<float> p;
    for (int d = 0; d < GetParam(); ++d) {
      index[d] = static_cast<int>(rest % spec_.resolution[d]);
      rest /= spec_.resolution[d];
      p.push_back((static_cast<float>(index[d]) + 0.5F) / static_cast<float>(spec_.resolution[d]));
    }
    ASSERT_EQ(node_index(spec_, GetParam(), index), node);
    for (int64_t k = 0; k < spec_.n_nodes(); ++k) {
      values[k] = static_cast<double>(k * k);
    }
    // 1/3 and 1/5 are no floats: the position is off by some 1e-7 cells, times the step to a neighbour.
    EXPECT_NEAR(blend(grid_, values, p), static_cast<double>(node * node), 1e-3);
  }
}

TEST_P(EmbeddingGridDims, CoefficientsSumToOneAndStayInside) {
  Uniform uniform(1);
  for (int sample = 0; sample < 1000; ++sample) {
    std::vector<float> p(GetParam());
    for (float& x : p) {
      x = static_cast<float>(uniform(-0.5, 1.5));
    }
    const EmbeddingPlace place = grid_.place(p.data());
    double sum = 0;
    for (int corner = 0; corner < grid_.n_corners(); ++corner) {
      EXPECT_GE(place.coefficient[corner], 0);
      EXPECT_GE(place.entry[corner], 0);
      EXPECT_LT(place.entry[corner], spec_.n_nodes());
      EXPECT_EQ(place.entry[corner] - place.entry[0], grid_.corner_step(corner));
      sum += place.coefficient[corner];
    }
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

// A multilinear blend reproduces what is linear along each axis, between the outer nodes.
TEST_P(EmbeddingGridDims, ReproducesMultilinearFunctions) {
  const auto function = [&](const std::array<double, kMaxDims>& p) {
    double product = 1;
    for (int d = 0; d < GetParam(); ++d) {
      product *= 0.25 + (d + 1) * p[d];
    }
    return product;
  };
  std::vector<double> values(spec_.n_nodes());
  for (int64_t node = 0; node < spec_.n_nodes(); ++node) {
    int64_t rest = node;
    std::array<double, kMaxDims> p{};
    for (int d = 0; d < GetParam(); ++d) {
      p[d] = (static_cast<double>(rest % spec_.resolution[d]) + 0.5) / spec_.resolution[d];
      rest /= spec_.resolution[d];
    }
    values[node] = function(p);
  }
  Uniform uniform(2);
  for (int sample = 0; sample < 200; ++sample) {
    std::array<double, kMaxDims> p{};
    std::vector<float> coords;
    for (int d = 0; d < GetParam(); ++d) {
      const double edge = 0.5 / spec_.resolution[d];
      coords.push_back(static_cast<float>(uniform(edge, 1 - edge)));
      p[d] = coords[d];
    }
    EXPECT_NEAR(blend(grid_, values, coords), function(p), 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Dims, EmbeddingGridDims, testing::Values(1, 2, 3, 4));

/// Gradients of all parameters on the CPU, the best instruction set in f32, against the reference.
void expect_gradients_of_the_reference(const NetworkSpec& spec, int64_t n_samples) {
  const ArraySource source(random_floats(n_samples * spec.n_dims, 0, 1, 71),
                           random_floats(n_samples * spec.n_out(), 0, 1, 72), n_samples);
  const std::vector<float> params = random_params(spec, 73);
  const auto gradients = [&](const Backend& backend, int n_threads) {
    const std::unique_ptr<Executor> executor = backend.compile(spec, {Precision::F32, n_threads, ""});
    executor->set_params(params);
    std::vector<float> grads(params.size());
    executor->mse_gradients(source, grads);
    return grads;
  };
  const std::vector<float> exact = gradients(reference_backend(), 1);
  const std::vector<float> found = gradients(cpu_backend(), 1);
  for (const TensorInfo& tensor : spec.tensors()) {
    double error2 = 0;
    double norm2 = 0;
    for (int64_t k = tensor.offset; k < tensor.offset + tensor.size(); ++k) {
      error2 += std::pow(double{found[k]} - exact[k], 2);
      norm2 += std::pow(double{exact[k]}, 2);
    }
    // Thousands of f32 terms per sum in random order: 1e-7 sqrt(n); a sample lost or counted twice costs 1e-4.
    EXPECT_LE(std::sqrt(error2), 1e-5 * std::sqrt(norm2)) << tensor.name;
    EXPECT_GT(norm2, 0) << tensor.name;
  }
  for (const int n_threads : {2, 7}) {
    EXPECT_EQ(gradients(cpu_backend(), n_threads), found) << n_threads << " threads";
  }
}

// 64 experts of 96 x 96: gradient sums beyond a core's L2, so several super-batches of eight tiles of 1024.
TEST(Embedding, GradientsOverSuperBatches) {
  expect_gradients_of_the_reference(make_network({.input = {.n_frequencies = 2, .embedding = {{12, 9}, 20}},
                                                  .widths = {96, 96},
                                                  .tile = {{8, 8, 1, 1}},
                                                  .activation = {ActivationKind::Tanh}}),
                                    9000);
}

// 70,000 samples of 256 features: more than the slots hold at a time.
TEST(Embedding, GradientsOverSeveralPhasesOfChunks) {
  expect_gradients_of_the_reference(make_network({.input = {.n_frequencies = 2, .embedding = {{8, 8}, 256}},
                                                  .widths = {4},
                                                  .n_out = 1,
                                                  .activation = {ActivationKind::Tanh}}),
                                    70000);
}

// All of the parameters, the table too, follow the one rule; nodes without a sample move on by their moments.
TEST(Embedding, TrainStepIsGradientsAndAdam) {
  const NetworkSpec spec =
      make_network({.input = {.n_frequencies = 2, .embedding = {{20, 20}, 9}}, .widths = {16}, .tile = {}});
  constexpr int64_t kSamples = 300;
  std::vector<float> coords = random_floats(kSamples * 2, 0, 0.5, 81);  // a quarter of the table
  const ArraySource source(coords, random_floats(kSamples * 3, 0, 1, 82), kSamples);
  const AdamUpdate update{.learning_rate = 0.01, .t = 3};
  for (const Backend* backend : test::all_backends()) {
    const std::unique_ptr<Executor> executor = backend->compile(spec, {Precision::F32, 2, ""});
    ParamState state{random_params(spec, 83), random_floats(spec.n_params(), -1e-3, 1e-3, 84),
                     random_floats(spec.n_params(), 1e-7, 1e-6, 85)};
    executor->set_params(state.params);
    std::vector<float> grads(spec.n_params());
    executor->mse_gradients(source, grads);
    ParamState expected = state;
    const BasicAdamScalars<double> scalars(update);
    for (size_t k = 0; k < grads.size(); ++k) {
      adam_update(scalars, double{grads[k]}, expected.params[k], expected.adam_m[k], expected.adam_v[k]);
    }
    const ParamState start = state;
    executor->train_step(source, update, state);
    executor->download(state);
    for (size_t k = 0; k < grads.size(); ++k) {
      ASSERT_NEAR(state.params[k], expected.params[k], 1e-6) << backend->name() << ' ' << k;
      ASSERT_NEAR(state.adam_m[k], expected.adam_m[k], 1e-9 + 1e-6 * std::abs(expected.adam_m[k])) << k;
      ASSERT_NEAR(state.adam_v[k], expected.adam_v[k], 1e-6 * expected.adam_v[k]) << k;
    }
    const size_t last = grads.size() - 1;  // a node of the far corner
    EXPECT_EQ(grads[last], 0);
    EXPECT_NE(state.params[last], start.params[last]);
  }
}

TEST(Embedding, KernelsAndMemoryAreAccountedFor) {
  const NetworkSpec spec = make_network({.input = {.n_frequencies = 2, .embedding = {{50, 40}, 32}}});
  const auto has_kernel = [](const Executor& executor) {
    const std::vector<KernelInfo> kernels = executor.kernels();
    return std::any_of(kernels.begin(), kernels.end(),
                       [](const KernelInfo& kernel) { return kernel.operation == "embedding"; });
  };
  for (const Backend* backend : test::all_backends()) {
    const std::unique_ptr<Executor> executor = backend->compile(spec, {});
    EXPECT_TRUE(has_kernel(*executor)) << backend->name();
    EXPECT_GE(executor->memory_bytes(), spec.n_params() * 4) << backend->name();
    EXPECT_FALSE(has_kernel(*backend->compile(make_network({}), {}))) << backend->name();
  }
}

}  // namespace
}  // namespace loe
