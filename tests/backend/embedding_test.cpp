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
#include "loe/base/error.h"

namespace loe {
namespace {

using test::ArraySource;
using test::grid_input;
using test::grid_of;
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

TEST(GridLevel, NodesReachBeyondTheLastCell) {
  const GridLevel whole{{4, 3, 0, 0}, 20};
  EXPECT_EQ(whole.resolution(), (std::array<int, kMaxDims>{5, 4, 1, 1}));
  EXPECT_EQ(whole.n_nodes(), 20);
  EXPECT_TRUE(whole.is_dense());
  const GridLevel broken{{4.25, 0.5, 0, 0}, 8};
  EXPECT_EQ(broken.resolution(), (std::array<int, kMaxDims>{6, 2, 1, 1}));
  EXPECT_FALSE(broken.is_dense());
}

// Node i is at p = i / s, also where s is no whole number; what lies outside takes the edge's value.
TEST(GridLevel, PositionsAreCellsTimesCoordinate) {
  EmbeddingSpec spec{{}, 1};
  spec.levels = {{{2.5}, 4}};
  const EmbeddingGrid grid(spec, 1);
  const std::vector<double> values = {10, 20, 40, 80};
  EXPECT_EQ(blend(grid, values, {0.4F}), 20);  // 2.5 * 0.4F rounds to 1
  EXPECT_EQ(blend(grid, values, {0.2F}), 15);
  EXPECT_EQ(blend(grid, values, {1.0F}), 60);
  EXPECT_EQ(blend(grid, values, {1.2F}), 80);
  for (const float p : {5.0F, std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(blend(grid, values, {p}), 80) << p;
  }
  for (const float p : {0.0F, -3.0F, std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_EQ(blend(grid, values, {p}), 10) << p;
  }
}

// The places of instant-ngp's formulas, written out.
TEST(GridLevel, EntriesOfHashedAndDenseLevels) {
  EmbeddingSpec spec{{}, 2};
  spec.levels = {{{3, 5, 2}, 4 * 6 * 3}, {{30, 50, 20}, 64}};
  EXPECT_EQ(spec.n_nodes(), 72 + 64);
  EXPECT_EQ(spec.size(), 2 * (72 + 64));
  EXPECT_EQ(spec.first_entry(1), 72);
  const EmbeddingGrid dense(spec, 3, 0);
  const EmbeddingGrid hashed(spec, 3, 1);
  Uniform uniform(5);
  for (int sample = 0; sample < 200; ++sample) {
    const std::vector<float> p = random_floats(3, 0, 1, static_cast<uint64_t>(sample));
    const auto check = [&](const EmbeddingGrid& grid, const std::array<float, 3>& cells, const auto& entry_of) {
      const EmbeddingPlace place = grid.place(p.data());
      ASSERT_EQ(grid.n_corners(), 8);
      for (int corner = 0; corner < 8; ++corner) {
        std::array<uint32_t, 3> node{};
        float coefficient = 1;
        for (size_t d = 0; d < 3; ++d) {
          const float u = cells[d] * p[d];
          const uint32_t bit = (static_cast<uint32_t>(corner) >> d) & 1U;
          const float f = u - std::floor(u);
          node[d] = static_cast<uint32_t>(std::floor(u)) + bit;
          coefficient *= bit != 0 ? f : 1 - f;
        }
        EXPECT_EQ(place.entry[static_cast<size_t>(corner)], entry_of(node));
        EXPECT_EQ(place.coefficient[static_cast<size_t>(corner)], coefficient);
      }
    };
    check(dense, {3, 5, 2}, [](const auto& i) { return int64_t{i[0]} + 4 * (i[1] + 6 * int64_t{i[2]}); });
    check(hashed, {30, 50, 20},
          [](const auto& i) { return 72 + int64_t{(i[0] ^ (i[1] * 2654435761U) ^ (i[2] * 805459861U)) % 64U}; });
  }
}

// One level of whole cells and a table of the paper's kind blend the same function, from other nodes.
TEST(GridLevel, ReproducesMultilinearFunctions) {
  const EmbeddingSpec spec = grid_of(2, {8}, 1 << 20, 1);
  const EmbeddingGrid grid(spec, 2);
  std::vector<double> values;
  for (int y = 0; y <= 7; ++y) {
    for (int x = 0; x <= 8; ++x) {
      values.push_back((1 + x / 8.0) * (2 - y / 7.0));
    }
  }
  ASSERT_EQ(static_cast<int64_t>(values.size()), spec.n_nodes());
  for (uint64_t sample = 0; sample < 100; ++sample) {
    const std::vector<float> p = random_floats(2, 0, 1, sample);
    EXPECT_NEAR(blend(grid, values, p), (1 + double{p[0]}) * (2 - double{p[1]}), 1e-6);
  }
}

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

// 20,000 samples of 9 levels in narrow chunks, in 2-D and 3-D.
TEST(Embedding, GradientsOfGrids) {
  for (const int n_dims : {2, 3}) {
    expect_gradients_of_the_reference(
        make_network({.n_dims = n_dims,
                      .input = grid_input(grid_of(n_dims, {2, 3, 5, 7, 11, 17, 23, 40, 60}, 512)),
                      .widths = {16},
                      .tile = {},
                      .activation = {ActivationKind::Tanh}}),
        20000);
  }
}

/// Six updates of a network with tables, by the rule of `rule`: the state after each.
std::vector<ParamState> states_of(const Backend& backend, const NetworkSpec& spec, const EmbeddingUpdate& rule) {
  constexpr int64_t kSamples = 200;
  const std::unique_ptr<Executor> executor = backend.compile(spec, {Precision::F32, 2, ""});
  ParamState state{random_params(spec, 83), random_floats(spec.n_params(), -1e-3, 1e-3, 84),
                   random_floats(spec.n_params(), 1e-4, 1e-3, 85)};
  executor->set_params(state.params);
  std::vector<ParamState> states = {state};
  for (int64_t t = 1; t <= 6; ++t) {
    // A corner of the picture: most nodes see nothing.
    const ArraySource source(random_floats(kSamples * 2, 0, 0.3, 90 + static_cast<uint64_t>(t)),
                             random_floats(kSamples * 3, 0, 1, 190 + static_cast<uint64_t>(t)), kSamples);
    executor->train_step(source, {.learning_rate = 0.01, .t = t, .embedding = rule}, state);
    executor->download(state);
    states.push_back(state);
  }
  return states;
}

TEST(EmbeddingUpdate, EveryRuleIsThatOfTheReference) {
  const std::vector<EmbeddingUpdate> rules = {{.rate = 3},
                                              {.beta2 = 0.9, .epsilon = 1e-3},
                                              {.every = 3},
                                              {.skips_zeros = true},
                                              {.rate = 0.5, .beta2 = 0.99, .every = 2, .skips_zeros = true}};
  for (const NetworkSpec& spec :
       {make_network({.input = grid_input(grid_of(2, {3, 8, 30}, 64)), .tile = {}}),
        make_network({.input = {.n_frequencies = 2, .embedding = {{20, 20}, 9}}, .widths = {16}, .tile = {}})}) {
    const auto first = static_cast<size_t>(spec.embedding_offset());
    for (const EmbeddingUpdate& rule : rules) {
      const std::vector<ParamState> exact = states_of(reference_backend(), spec, rule);
      for (const Backend* cuda : test::cuda_backends()) {
        if (rule.every > 1) {
          EXPECT_THROW(states_of(*cuda, spec, rule), Error);
          continue;
        }
        const ParamState last = states_of(*cuda, spec, rule).back();
        for (size_t k = 0; k < last.params.size(); ++k) {
          ASSERT_NEAR(last.params[k], exact.back().params[k], 2e-5) << k;
        }
      }
      const std::vector<ParamState> found = states_of(cpu_backend(), spec, rule);
      size_t n_moved = 0;
      for (size_t t = 1; t < exact.size(); ++t) {
        const bool moves = t % static_cast<size_t>(rule.every) == 0;
        for (size_t k = first; k < exact[t].params.size(); ++k) {
          ASSERT_NEAR(found[t].params[k], exact[t].params[k], 2e-5) << t << ' ' << k;
          ASSERT_NEAR(found[t].adam_v[k], exact[t].adam_v[k], 1e-8 + 1e-5 * exact[t].adam_v[k]) << t << ' ' << k;
          if (!moves) {
            ASSERT_EQ(found[t].params[k], found[t - 1].params[k]) << t << ' ' << k;
            ASSERT_EQ(found[t].adam_m[k], found[t - 1].adam_m[k]) << t << ' ' << k;
          }
          n_moved += found[t].params[k] != found[t - 1].params[k];
        }
        for (size_t k = 0; k < first; ++k) {
          ASSERT_NEAR(found[t].params[k], exact[t].params[k], 2e-5) << t << ' ' << k;
        }
      }
      EXPECT_GT(n_moved, 20U);
      const size_t n_table = exact[0].params.size() - first;
      const size_t n_moves = 6 / static_cast<size_t>(rule.every);
      // Nodes without a sample stay with skips_zeros only; else their moments move them.
      EXPECT_EQ(n_moved < n_moves * n_table * 9 / 10, rule.skips_zeros) << n_moved;
    }
  }
}

// The sum of three gradients moves the tables once, with t = 1: as one step of Adam on it would.
TEST(EmbeddingUpdate, SeldomMovesAreOfTheSum) {
  const NetworkSpec spec = make_network({.input = grid_input(grid_of(2, {3, 8}, 64)), .tile = {}});
  const std::unique_ptr<Executor> executor = cpu_backend().compile(spec, {Precision::F32, 1, ""});
  ParamState state{random_params(spec, 83), std::vector<float>(spec.n_params()), std::vector<float>(spec.n_params())};
  const ParamState start = state;
  executor->set_params(state.params);
  const auto first = static_cast<size_t>(spec.embedding_offset());
  std::vector<double> sum(spec.n_params());
  for (int64_t t = 1; t <= 3; ++t) {
    const ArraySource source(random_floats(200, 0, 1, 90 + static_cast<uint64_t>(t)),
                             random_floats(300, 0, 1, 190 + static_cast<uint64_t>(t)), 100);
    std::vector<float> grads(spec.n_params());
    const std::unique_ptr<Executor> other = reference_backend().compile(spec, {});
    other->set_params(state.params);
    other->mse_gradients(source, grads);
    std::transform(grads.begin(), grads.end(), sum.begin(), sum.begin(), [](float g, double s) { return s + g; });
    executor->train_step(source, {.learning_rate = 0.01, .t = t, .embedding = {.every = 3}}, state);
  }
  for (size_t k = first; k < sum.size(); ++k) {
    EXPECT_NEAR(state.adam_m[k], 0.1 * sum[k], 1e-6 * (1 + std::abs(sum[k])));
    if (std::abs(sum[k]) > 1e-4) {
      EXPECT_NEAR(state.params[k], start.params[k] - (sum[k] > 0 ? 0.01 : -0.01), 1e-4);
    }
  }
}

TEST(EmbeddingUpdate, MistakesAreNamed) {
  const NetworkSpec spec = make_network({.input = grid_input(grid_of(2, {3}, 64)), .tile = {}});
  const ArraySource source(random_floats(20, 0, 1, 1), random_floats(30, 0, 1, 2), 10);
  const std::unique_ptr<Executor> executor = cpu_backend().compile(spec, {});
  ParamState state{random_params(spec, 83), std::vector<float>(spec.n_params()), std::vector<float>(spec.n_params())};
  executor->set_params(state.params);
  for (const EmbeddingUpdate& rule :
       {EmbeddingUpdate{.rate = -1}, EmbeddingUpdate{.beta2 = 1}, EmbeddingUpdate{.epsilon = 0},
        EmbeddingUpdate{.every = 0}, EmbeddingUpdate{.rate = NAN}}) {
    EXPECT_THROW(executor->train_step(source, {.embedding = rule}, state), Error);
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
