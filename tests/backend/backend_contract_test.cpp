// What every backend promises beyond its numbers: same bits for any thread count, state kept in step, errors.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>

#include "backend/cuda/emulated_backend.h"
#include "backend/network_builders.h"
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

struct Target {
  const Backend* backend;
  std::string isa;
  Precision precision;

  std::unique_ptr<Executor> compile(const NetworkSpec& spec, int n_threads) const {
    ExecutorOptions options;
    options.isa = isa;
    options.precision = precision;
    options.n_threads = n_threads;
    return backend->compile(spec, options);
  }
};

/// Runs `check` on the reference, on every instruction set and precision of the CPU, and on the CUDA backend.
void on_every_target(const std::function<void(const Target&)>& check) {
  check({&reference_backend(), "", Precision::F32});
  for (const std::string& isa : test::cpu_isas()) {
    for (const Precision precision : {Precision::F32, Precision::Mixed, Precision::Bf16}) {
      SCOPED_TRACE(cpu_backend().name() + " " + isa + " " + to_string(precision));
      check({&cpu_backend(), isa, precision});
    }
  }
  for (const Backend* backend : test::cuda_backends()) {
    for (const Precision precision : {Precision::F32, Precision::Mixed, Precision::Bf16, Precision::Tf32}) {
      if (test::kIsEmulationSlow && precision != Precision::F32) continue;
      SCOPED_TRACE(backend->name() + " " + to_string(precision));
      check({backend, "", precision});
    }
  }
}

/// Everything that a thread count could change.
struct Results {
  std::vector<float> outputs;
  std::vector<float> param_grads;
  std::vector<float> feature_grads;
  std::vector<float> mse_grads;
  std::vector<double> losses;
  ParamState state;

  bool operator==(const Results& other) const {
    return outputs == other.outputs && param_grads == other.param_grads && feature_grads == other.feature_grads &&
           mse_grads == other.mse_grads && losses == other.losses && state.params == other.state.params &&
           state.adam_m == other.state.adam_m && state.adam_v == other.state.adam_v;
  }
};

Results run_everything(Executor& executor, int64_t n_samples) {
  const NetworkSpec& spec = executor.spec();
  const bool has_features = spec.n_features() > 0;
  const int64_t n_input_features = spec.input.kind == InputKind::Features ? n_samples * spec.input.n_features : 0;
  const std::vector<float> coords = random_floats(n_samples * spec.n_dims, 0, 1, 51);
  const std::vector<float> features = random_floats(n_samples * spec.n_features(), -1, 1, 52);
  const std::vector<float> targets = random_floats(n_samples * spec.n_out(), 0, 1, 53);
  const std::vector<float> output_grads = random_floats(n_samples * spec.n_out(), -1, 1, 54);
  Results results;
  results.state.params = random_params(spec, 55);
  results.state.adam_m.assign(results.state.params.size(), 0);
  results.state.adam_v.assign(results.state.params.size(), 0);
  results.outputs.resize(targets.size());
  results.param_grads.resize(results.state.params.size());
  results.feature_grads.resize(n_input_features);
  executor.set_params(results.state.params);
  const BatchView batch{n_samples, coords, features};
  executor.forward(batch, results.outputs);
  executor.backward(batch, output_grads, results.param_grads, results.feature_grads);
  if (!has_features) {
    const ArraySource source(coords, targets, n_samples);
    results.mse_grads.resize(results.state.params.size());
    results.losses.push_back(executor.mse_gradients(source, results.mse_grads));
    for (int t = 1; t <= 2; ++t) {
      results.losses.push_back(executor.train_step(source, {.learning_rate = 0.01, .t = t}, results.state));
    }
    executor.download(results.state);
  }
  return results;
}

void expect_same_bits_for_any_thread_count(const NetworkRecipe& recipe, int64_t n_samples) {
  const NetworkSpec spec = make_network(recipe);
  on_every_target([&](const Target& target) {
    if (target.backend != &cpu_backend()) {
      return;  // the reference has one thread; the CUDA backend uses them to fetch samples only
    }
    const Results one = run_everything(*target.compile(spec, 1), n_samples);
    for (const int n_threads : {2, 3, 7}) {
      const std::unique_ptr<Executor> executor = target.compile(spec, n_threads);
      EXPECT_EQ(executor->n_threads(), n_threads);
      EXPECT_TRUE(run_everything(*executor, n_samples) == one) << n_threads << " threads differ from one";
      EXPECT_TRUE(run_everything(*executor, n_samples) == one) << n_threads << " threads, second time";
    }
  });
}

TEST(SameBits, Nearest) {
  expect_same_bits_for_any_thread_count({.widths = {32, 24}, .tile = {{4, 4, 1, 1}}}, 5000);
}

TEST(SameBits, Linear) {
  expect_same_bits_for_any_thread_count({.widths = {16, 17}, .interpolation = Interpolation::Linear}, 3000);
}

TEST(SameBits, FewSamples) {
  expect_same_bits_for_any_thread_count({.widths = {16}}, 5);
}

TEST(SameBits, Features) {
  expect_same_bits_for_any_thread_count(
      {.n_dims = 3, .input = {.kind = InputKind::Features, .n_features = 21}, .widths = {24}, .tile = {{2, 2, 2, 1}}},
      3000);
}

TEST(SameBits, Branches) {
  expect_same_bits_for_any_thread_count({.n_dims = 3, .widths = {24, 33}, .tile = {{2, 2, 2, 1}}, .side_features = 7},
                                        3000);
}

TEST(SameBits, Sine) {
  const InputSpec input = {.n_frequencies = 0, .coordinate_range = {-1, 1}};
  const Activation sine = {ActivationKind::Sine, 0.2, 3};
  expect_same_bits_for_any_thread_count(
      {.n_dims = 3, .input = input, .widths = {32, 17}, .tile = {}, .activation = sine}, 1000);
  expect_same_bits_for_any_thread_count(
      {.n_dims = 3, .input = input, .widths = {24}, .tile = {{4, 4, 4, 1}}, .activation = sine}, 1000);
}

TEST(SameBits, Embedding) {
  expect_same_bits_for_any_thread_count(
      {.input = {.n_frequencies = 3, .embedding = {{14, 17}, 12}}, .widths = {32, 24}, .tile = {{4, 4, 1, 1}}}, 3000);
}

TEST(SameBits, EmbeddingIn3d) {
  expect_same_bits_for_any_thread_count(
      {.n_dims = 3, .input = {.n_frequencies = 2, .embedding = {{5, 6, 4}, 17}}, .widths = {16}, .tile = {}}, 1500);
}

TEST(SameBits, Grid) {
  const InputSpec input = grid_input(grid_of(2, {3, 5, 8, 13, 21, 34, 55, 89, 144}, 1024));
  expect_same_bits_for_any_thread_count({.input = input, .widths = {32, 32}, .tile = {}}, 3000);
  expect_same_bits_for_any_thread_count({.input = input, .widths = {24}, .tile = {{4, 4, 1, 1}}}, 1500);
}

TEST(SameBits, GridIn3d) {
  expect_same_bits_for_any_thread_count(
      {.n_dims = 3, .input = grid_input(grid_of(3, {3, 6, 12}, 256)), .widths = {16}, .tile = {}}, 1500);
}

constexpr int64_t kSamples = 150;

/// The contracts below must hold with and without a table among the parameters.
std::vector<NetworkSpec> networks_of_all_inputs() {
  return {make_network({}), make_network({.input = {.n_frequencies = 3, .embedding = {{6, 5}, 10}}}),
          make_network({.input = grid_input(grid_of(2, {3, 9, 20}, 64)), .tile = {}})};
}

ArraySource make_source(const NetworkSpec& spec, float last_target = 0.5F) {
  std::vector<float> targets = random_floats(kSamples * spec.n_out(), 0, 1, 62);
  targets.back() = last_target;
  return {random_floats(kSamples * spec.n_dims, 0, 1, 61), std::move(targets), kSamples};
}

TEST(Executor, KeepsItsCopyInStepWithTheState) {
  for (const NetworkSpec& spec : networks_of_all_inputs()) {
    const ArraySource source = make_source(spec);
    const std::vector<float> coords = random_floats(kSamples * 2, 0, 1, 63);
    on_every_target([&](const Target& target) {
      const std::unique_ptr<Executor> trained = target.compile(spec, 2);
      ParamState state{random_params(spec, 64), std::vector<float>(spec.n_params()),
                       std::vector<float>(spec.n_params())};
      trained->set_params(state.params);
      for (int t = 1; t <= 3; ++t) {
        trained->train_step(source, {.learning_rate = 0.01, .t = t}, state);
        trained->download(state);
        const std::unique_ptr<Executor> fresh = target.compile(spec, 2);
        fresh->set_params(state.params);
        std::vector<float> trained_outputs(kSamples * spec.n_out());
        std::vector<float> fresh_outputs(trained_outputs.size());
        trained->forward({kSamples, coords, {}}, trained_outputs);
        fresh->forward({kSamples, coords, {}}, fresh_outputs);
        EXPECT_EQ(trained_outputs, fresh_outputs) << "after step " << t;
        std::vector<float> trained_grads(spec.n_params());
        std::vector<float> fresh_grads(spec.n_params());
        trained->mse_gradients(source, trained_grads);
        fresh->mse_gradients(source, fresh_grads);
        EXPECT_EQ(trained_grads, fresh_grads) << "after step " << t;
      }
    });
  }
}

TEST(Executor, TrainingLowersTheLoss) {
  for (const NetworkSpec& spec : networks_of_all_inputs()) {
    const ArraySource source = make_source(spec);
    on_every_target([&](const Target& target) {
      const std::unique_ptr<Executor> executor = target.compile(spec, 2);
      ParamState state{random_params(spec, 65), std::vector<float>(spec.n_params()),
                       std::vector<float>(spec.n_params())};
      executor->set_params(state.params);
      double first = 0;
      double last = 0;
      for (int t = 1; t <= 40; ++t) {
        last = executor->train_step(source, {.learning_rate = 0.01, .t = t}, state);
        first = t == 1 ? last : first;
      }
      EXPECT_LT(last, 0.2 * first);
    });
  }
}

// From zero moments each touched parameter moves by the learning rate, whatever its gradient; experts without samples
// stay where they are.
TEST(Executor, FirstStepHasTheSizeOfTheLearningRate) {
  for (const NetworkSpec& spec : networks_of_all_inputs()) {
    const ArraySource source = make_source(spec);
    on_every_target([&](const Target& target) {
      const std::unique_ptr<Executor> executor = target.compile(spec, 2);
      const std::vector<float> start = random_params(spec, 66);
      ParamState state{start, std::vector<float>(start.size()), std::vector<float>(start.size())};
      executor->set_params(start);
      std::vector<float> grads(start.size());
      executor->mse_gradients(source, grads);
      executor->train_step(source, {.learning_rate = 0.0078125, .epsilon = 1e-12, .t = 1}, state);
      executor->download(state);
      for (size_t k = 0; k < start.size(); ++k) {
        // Below 1e-15 the square of a gradient is lost in f32; at exactly 0 nothing may move.
        if (grads[k] == 0) {
          ASSERT_EQ(state.params[k], start[k]);
        } else if (std::abs(grads[k]) > 1e-6) {
          ASSERT_NEAR(std::abs(state.params[k] - start[k]), 0.0078125, 1e-6) << "gradient " << grads[k];
          ASSERT_EQ(state.params[k]<start[k], grads[k]> 0);
        }
      }
    });
  }
}

TEST(Executor, NonFiniteLossChangesNothing) {
  for (const NetworkSpec& spec : networks_of_all_inputs()) {
    const ArraySource good_source = make_source(spec);
    on_every_target([&](const Target& target) {
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        const std::unique_ptr<Executor> executor = target.compile(spec, 2);
        const ParamState start{random_params(spec, 67), random_floats(spec.n_params(), -1, 1, 68),
                               random_floats(spec.n_params(), 0, 1, 69)};
        executor->set_params(start.params);
        std::vector<float> before(spec.n_params());
        std::vector<float> after(spec.n_params());
        executor->mse_gradients(good_source, before);
        ParamState state = start;
        EXPECT_FALSE(std::isfinite(executor->train_step(make_source(spec, bad), {.t = 3}, state)));
        executor->download(state);
        EXPECT_EQ(state.params, start.params);
        EXPECT_EQ(state.adam_m, start.adam_m);
        EXPECT_EQ(state.adam_v, start.adam_v);
        executor->mse_gradients(good_source, after);
        EXPECT_EQ(before, after) << "the executor's own copy";
      }
    });
  }
}

void expect_invalid(const std::string& what, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "accepted a wrong " << what;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
  }
}

TEST(Executor, RefusesWrongShapes) {
  const NetworkSpec spec = make_network({});
  on_every_target([&](const Target& target) {
    const std::unique_ptr<Executor> executor = target.compile(spec, 1);
    const std::vector<float> coords(8);
    std::vector<float> outputs(12);
    std::vector<float> grads(spec.n_params());
    std::vector<float> short_grads(spec.n_params() - 1);
    expect_invalid("params", [&] { executor->set_params(short_grads); });
    expect_invalid("coords", [&] { executor->forward({3, coords, {}}, outputs); });
    expect_invalid("features", [&] { executor->forward({4, coords, coords}, outputs); });
    expect_invalid("outputs", [&] { executor->forward({4, coords, {}}, std::span(outputs).first(11)); });
    expect_invalid("n_samples", [&] { executor->forward({-1, coords, {}}, outputs); });
    expect_invalid("output_grads", [&] { executor->backward({4, coords, {}}, coords, grads, {}); });
    expect_invalid("param_grads", [&] { executor->backward({4, coords, {}}, outputs, short_grads, {}); });
    expect_invalid("feature_grads", [&] { executor->backward({4, coords, {}}, outputs, grads, outputs); });
    const ArraySource source = make_source(spec);
    expect_invalid("param_grads", [&] { executor->mse_gradients(source, short_grads); });
    expect_invalid("source", [&] { executor->mse_gradients(ArraySource({}, {}, 0), grads); });
    ParamState state{grads, grads, short_grads};
    expect_invalid("adam_v", [&] { executor->train_step(source, {}, state); });
    state.adam_v = grads;
    expect_invalid("[adam] t", [&] { executor->train_step(source, {.t = 0}, state); });
    expect_invalid("beta2", [&] { executor->train_step(source, {.beta2 = 1}, state); });
  });
}

TEST(Executor, RefusesWrongSpecsAndOptions) {
  NetworkSpec spec = make_network({});
  on_every_target([&](const Target& target) {
    const Target wrong{target.backend, "no such isa", target.precision};
    expect_invalid("isa", [&] { wrong.compile(spec, 1); });
    NetworkSpec broken = spec;
    broken.layers[1].n_in = 5;
    expect_invalid("n_in", [&] { target.compile(broken, 1); });
  });
}

TEST(Executor, SaysWhatItIs) {
  const NetworkSpec spec = make_network({});
  on_every_target([&](const Target& target) {
    const std::unique_ptr<Executor> executor = target.compile(spec, 1);
    EXPECT_EQ(executor->spec(), spec);
    EXPECT_EQ(executor->n_threads(), 1);
    EXPECT_GE(executor->memory_bytes(), spec.n_params() * 4);
    EXPECT_FALSE(executor->kernels().empty());
    for (const KernelInfo& kernel : executor->kernels()) {
      EXPECT_FALSE(kernel.operation.empty());
      EXPECT_FALSE(kernel.kernel.empty());
      EXPECT_FALSE(kernel.reason.empty());
    }
  });
}

}  // namespace
}  // namespace loe
