// The trainer of narrow networks: its step is the reference's on the same samples, with the same bits whoever computes
// them.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "backend/product_cases.h"
#include "backend/reference/mse.h"
#include "backend/rounding_model.h"
#include "backend/step_expectation.h"
#include "loe/backend/backend.h"
#include "loe/base/error.h"

namespace loe {
namespace {

using test::Block;
using test::Expectation;
using test::kRuns;
using test::ProductCase;
using test::ProductFixture;

std::unique_ptr<Executor> compile_cpu(const NetworkSpec& spec, int n_threads = 2, const std::string& isa = "") {
  ExecutorOptions options;
  options.n_threads = n_threads;
  options.isa = isa;
  return cpu_backend().compile(spec, options);
}

const KernelInfo& narrow_kernel(const std::vector<KernelInfo>& kernels) {
  return *std::find_if(kernels.begin(), kernels.end(),
                       [](const KernelInfo& info) { return info.operation == "training on product chunks"; });
}

std::vector<float> params_of(const ProductCase& recipe, const NetworkSpec& spec) {
  std::vector<float> params = test::random_params(spec, 2);
  for (float& p : params) p *= static_cast<float>(recipe.param_scale);
  return params;
}

ParamState fresh_state(const ProductCase& recipe, const NetworkSpec& spec) {
  ParamState state;
  state.params = params_of(recipe, spec);
  state.adam_m.assign(state.params.size(), 0.0F);
  state.adam_v.assign(state.params.size(), 0.0F);
  return state;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}
void expect_same_bits(const ParamState& a, const ParamState& b) {
  EXPECT_TRUE(same_bits(a.params, b.params));
  EXPECT_TRUE(same_bits(a.adam_m, b.adam_m));
  EXPECT_TRUE(same_bits(a.adam_v, b.adam_v));
}

class Narrow : public testing::TestWithParam<ProductCase> {
 protected:
  Narrow() : fixture_(GetParam()), spec_(fixture_.spec()), params_(params_of(GetParam(), spec_)) {}

  std::vector<double> train(Executor& executor, ParamState& state, int64_t first, int64_t last) {
    std::vector<double> losses;
    for (int64_t step = first; step < last; ++step) {
      fixture_.batch().begin_step(step);
      const AdamUpdate update{.learning_rate = 0.01, .t = step + 1, .embedding = GetParam().embedding_update};
      losses.push_back(executor.train_step(fixture_.batch(), update, state));
    }
    executor.download(state);
    return losses;
  }

  ProductFixture fixture_;
  NetworkSpec spec_;
  std::vector<float> params_;
};

TEST_P(Narrow, StepIsTheReferences) {
  PixelSource& batch = fixture_.batch();
  batch.begin_step(3);
  const int64_t n = batch.n_samples();
  std::vector<float> coords(n * spec_.n_dims);
  std::vector<float> targets(n * spec_.n_out());
  batch.fill(0, n, coords.data(), targets.data());
  const auto n_total = static_cast<int64_t>(targets.size());

  const std::vector<double> params(params_.begin(), params_.end());
  const reference::NetworkPass exact = reference::network_forward(spec_, params, {n, coords, {}});
  Expectation loss;
  Expectation grads;
  std::vector<double> y_grads(targets.size());
  std::vector<double> no_input_grads;
  loss.exact = {reference::mse_forward(exact.outputs(), targets, n_total)};
  reference::mse_backward(exact.outputs(), targets, n_total, y_grads);
  grads.exact.assign(params.size(), 0.0);
  reference::network_backward(spec_, params, exact, y_grads, grads.exact, {});
  for (int run = 0; run < kRuns; ++run) {
    test::RoundedNetwork network(spec_, params, test::rounding_units(Precision::F32), 100 + uint64_t(run));
    const reference::NetworkPass pass = network.forward(exact);
    loss.runs.push_back({reference::mse_forward(pass.outputs(), targets, n_total)});
    reference::mse_backward(pass.outputs(), targets, n_total, y_grads);
    network.backward(pass, y_grads, grads.runs.emplace_back(), no_input_grads);
  }
  // Moments everywhere, also of experts that no pixel belongs to.
  const AdamUpdate update{.learning_rate = 0.01, .t = 4, .embedding = GetParam().embedding_update};
  const ParamState start = test::state_after_some_steps(params_, grads.exact);
  const test::StepExpectation step(spec_, grads, start, update);
  std::vector<double> change(params.size());
  for (std::size_t k = 0; k < change.size(); ++k) change[k] = step.params.exact[k] - params[k];
  step.params.check_useful(test::kUnitF32, test::norm(change), "parameters after an update");

  for (const std::string& isa : cpu_backend().isas()) {
    SCOPED_TRACE(isa);
    const std::unique_ptr<Executor> executor = compile_cpu(spec_, 2, isa);
    EXPECT_NE(narrow_kernel(executor->kernels()).kernel, "as other batches");
    executor->set_params(params_);
    ParamState state = start;
    const double found = executor->train_step(batch, update, state);
    EXPECT_NEAR(found, loss.exact[0], loss.tolerance({"loss", 0, 1}));
    executor->download(state);
    step.check(state, test::tensor_blocks(spec_));
  }
}

TEST_P(Narrow, SameBitsForAnyNumberOfThreads) {
  ParamState one = fresh_state(GetParam(), spec_);
  const std::unique_ptr<Executor> alone = compile_cpu(spec_, 1);
  alone->set_params(one.params);
  const std::vector<double> losses = train(*alone, one, 0, 3);
  for (const int n_threads : {2, 5}) {
    SCOPED_TRACE(n_threads);
    ParamState many = fresh_state(GetParam(), spec_);
    const std::unique_ptr<Executor> executor = compile_cpu(spec_, n_threads);
    executor->set_params(many.params);
    EXPECT_EQ(train(*executor, many, 0, 3), losses);
    expect_same_bits(many, one);
  }
}

TEST_P(Narrow, ResumesBitForBit) {
  ParamState through = fresh_state(GetParam(), spec_);
  const std::unique_ptr<Executor> executor = compile_cpu(spec_);
  executor->set_params(through.params);
  train(*executor, through, 0, 2);
  ParamState resumed = through;
  train(*executor, through, 2, 4);
  const std::unique_ptr<Executor> second = compile_cpu(spec_);
  second->set_params(resumed.params);
  train(*second, resumed, 2, 4);
  expect_same_bits(resumed, through);
}

TEST_P(Narrow, OtherCallsSeeItsParameters) {
  const std::unique_ptr<Executor> executor = compile_cpu(spec_);
  ParamState state = fresh_state(GetParam(), spec_);
  executor->set_params(state.params);
  train(*executor, state, 0, 2);
  const std::unique_ptr<Executor> other = compile_cpu(spec_);
  other->set_params(state.params);
  const std::vector<float> coords = test::random_floats(50 * spec_.n_dims, 0, 1, 4);
  std::vector<float> found(50 * spec_.n_out());
  std::vector<float> expected(found.size());
  executor->forward({50, coords, {}}, found);
  other->forward({50, coords, {}}, expected);
  EXPECT_EQ(found, expected);
  // A batch that does not come in chunks, and one that does again.
  fixture_.batch().begin_step(9);
  const test::HostFilled plain(fixture_.batch());
  ParamState other_state = state;
  executor->train_step(plain, {.t = 3}, state);
  other->train_step(plain, {.t = 3}, other_state);
  {
    SCOPED_TRACE("not in chunks");
    expect_same_bits(state, other_state);
  }
  train(*executor, state, 3, 4);
  train(*other, other_state, 3, 4);
  expect_same_bits(state, other_state);
}

INSTANTIATE_TEST_SUITE_P(Cases, Narrow, testing::ValuesIn(test::product_cases()),
                         [](const auto& drawn) { return drawn.param.name; });

TEST(NarrowTrainer, ALossThatIsNotFiniteChangesNothing) {
  const ProductCase recipe = test::product_cases().front();
  const NetworkSpec spec = test::nested_network(recipe);
  Image image(64, 64, 3, PixelType::F32);
  ProductBatch<Image> good(image, spec, 512, 1);
  const std::unique_ptr<Executor> executor = compile_cpu(spec);
  ParamState state = fresh_state(recipe, spec);
  executor->set_params(state.params);
  executor->train_step(good, {.t = 1}, state);
  executor->download(state);
  const ParamState before = state;
  const std::vector<float> nan(3, std::numeric_limits<float>::quiet_NaN());
  for (int i = 0; i < 64; ++i) image.write_row(i, i, 1, nan.data());
  good.begin_step(1);
  EXPECT_TRUE(std::isnan(executor->train_step(good, {.t = 2}, state)));
  executor->download(state);
  expect_same_bits(state, before);
}

// Integers are known to be in [0, 1], so that experts are updated in place; of floats nothing is known.
TEST(NarrowTrainer, InPlaceOrNotMakesNoDifference) {
  const ProductCase recipe = test::product_cases()[1];
  const NetworkSpec spec = test::nested_network(recipe);
  const Image bytes = test::image_for(recipe);
  Image floats(bytes.width(), bytes.height(), bytes.n_channels(), PixelType::F32);
  std::vector<float> row(static_cast<std::size_t>(bytes.width()) * bytes.n_channels());
  for (int y = 0; y < bytes.height(); ++y) {
    bytes.read_row(0, y, bytes.width(), row.data());
    floats.write_row(0, y, bytes.width(), row.data());
  }
  std::vector<ParamState> states;
  for (const Image* image : {&bytes, static_cast<const Image*>(&floats)}) {
    ProductBatch<Image> batch(*image, spec, recipe.batch, 1);
    const std::unique_ptr<Executor> executor = compile_cpu(spec);
    states.push_back(fresh_state(recipe, spec));
    executor->set_params(states.back().params);
    for (int64_t step = 0; step < 3; ++step) {
      batch.begin_step(step);
      executor->train_step(batch, {.learning_rate = 0.01, .t = step + 1}, states.back());
    }
    executor->download(states.back());
  }
  expect_same_bits(states[0], states[1]);
}

// Chunks of another shape need tables of another layout, which take over where the state's have stayed behind.
TEST(NarrowTrainer, ABatchOfAnotherSizeGoesOnWithTheSameTables) {
  const std::vector<ProductCase> cases = test::product_cases();
  const auto found = std::find_if(cases.begin(), cases.end(), [](const ProductCase& c) { return c.name == "grid"; });
  ASSERT_NE(found, cases.end());
  const ProductCase& recipe = *found;
  const NetworkSpec spec = test::nested_network(recipe);
  const Image image = test::image_for(recipe);
  ProductBatch<Image> large(image, spec, recipe.batch, 1);
  ProductBatch<Image> small(image, spec, recipe.batch / 2, 1);
  ASSERT_NE(large.chunks().chunk_samples(), small.chunks().chunk_samples());
  std::vector<ParamState> states;
  for (const bool stops : {false, true}) {
    std::unique_ptr<Executor> executor = compile_cpu(spec);
    states.push_back(fresh_state(recipe, spec));
    executor->set_params(states.back().params);
    executor->train_step(large, {.learning_rate = 0.01, .t = 1}, states.back());
    if (stops) {
      executor->download(states.back());
      executor = compile_cpu(spec);
      executor->set_params(states.back().params);
    }
    executor->train_step(small, {.learning_rate = 0.01, .t = 2}, states.back());
    executor->download(states.back());
  }
  expect_same_bits(states[0], states[1]);
}

// A rate that blows the network up: the step whose loss overflows leaves the parameters of the step before.
TEST(NarrowTrainer, ADivergingRunKeepsItsLastGoodStep) {
  const ProductCase recipe = test::product_cases().front();
  ProductFixture fixture(recipe);
  const std::unique_ptr<Executor> executor = compile_cpu(fixture.spec());
  ParamState state = fresh_state(recipe, fixture.spec());
  executor->set_params(state.params);
  ParamState before = state;
  double loss = 0;
  for (int64_t step = 0; step < 5 && std::isfinite(loss); ++step) {
    before = state;
    fixture.batch().begin_step(step);
    loss = executor->train_step(fixture.batch(), {.learning_rate = 1e12, .t = step + 1}, state);
    executor->download(state);
  }
  EXPECT_FALSE(std::isfinite(loss));
  expect_same_bits(state, before);
}

TEST(NarrowTrainer, SaysWhatItDoesNotTake) {
  const auto reason = [](const ProductCase& recipe, Precision precision = Precision::F32) {
    ExecutorOptions options;
    options.precision = precision;
    const KernelInfo info = narrow_kernel(cpu_backend().compile(test::nested_network(recipe), options)->kernels());
    EXPECT_EQ(info.kernel, "as other batches");
    return info.reason;
  };
  EXPECT_EQ(reason({.name = "", .levels = {{65}}}), "levels.0 has 65 outputs, more than 64");
  EXPECT_EQ(reason({.name = "", .levels = {{16}}, .n_out = 5}), "it has 5 outputs, more than 4");
  EXPECT_EQ(reason({.name = "", .levels = {{16}}, .activation = {ActivationKind::Tanh}}),
            "levels.0 has the activation tanh, not leaky_relu, relu, sine or identity");
  EXPECT_EQ(reason({.name = "", .levels = {{16}}}, Precision::Bf16), "precision bf16, not f32");
  EXPECT_EQ(reason({.name = "", .levels = {}}), "it has no level before its head");
}

// Whatever a backend makes of product(), the batch is one that all can train on.
TEST(NarrowTrainer, TakesOtherNetworksAsOtherBatches) {
  const ProductCase recipe = {.name = "", .size = {32, 32, 1}, .levels = {{80}}};
  ProductFixture fixture(recipe);
  const std::unique_ptr<Executor> executor = compile_cpu(fixture.spec());
  ParamState state = fresh_state(recipe, fixture.spec());
  ParamState expected = state;
  executor->set_params(state.params);
  const double loss = executor->train_step(fixture.batch(), {.t = 1}, state);
  const std::unique_ptr<Executor> other = compile_cpu(fixture.spec());
  other->set_params(expected.params);
  EXPECT_EQ(other->train_step(test::HostFilled(fixture.batch()), {.t = 1}, expected), loss);
  expect_same_bits(state, expected);
}

}  // namespace
}  // namespace loe
