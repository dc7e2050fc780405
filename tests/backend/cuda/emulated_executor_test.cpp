// What the CUDA executor promises beyond agreement with the reference, emulated on the CPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend/cuda/emulated_backend.h"
#include "backend/cuda/executor.h"
#include "backend/cuda/schedules.h"
#include "backend/network_builders.h"
#include "loe/base/error.h"

namespace loe::cuda {
namespace {

using test::ArraySource;
using test::make_network;
using test::NetworkRecipe;
using test::random_floats;
using test::random_params;

constexpr int64_t kSamples = 250;

NetworkSpec every_kind_of_kernel() {
  return make_network({.input = {.n_frequencies = 2, .embedding = {{7, 5}, 6}},
                       .widths = {24, 20},
                       .tile = {{2, 3, 1, 1}},
                       .activation = {ActivationKind::LeakyRelu},
                       .residual_blocks = {20, 17}});
}

ArraySource some_samples(const NetworkSpec& spec, int64_t n = kSamples) {
  return {random_floats(n * spec.n_dims, 0, 1, 1), random_floats(n * spec.n_out(), 0, 1, 2), n};
}

ParamState fresh_state(const NetworkSpec& spec) {
  const auto n = static_cast<std::size_t>(spec.n_params());
  return {random_params(spec, 3), std::vector<float>(n), std::vector<float>(n)};
}

/// Parameters after two steps, and their losses.
struct Trained {
  ParamState state;
  std::vector<double> losses;
};

Trained train(Executor& executor) {
  const ArraySource source = some_samples(executor.spec());
  Trained trained{fresh_state(executor.spec()), {}};
  executor.set_params(trained.state.params);
  for (int t = 1; t <= 2; ++t) {
    trained.losses.push_back(executor.train_step(source, {.learning_rate = 0.01, .t = t}, trained.state));
  }
  executor.download(trained.state);
  return trained;
}

TEST(CudaExecutor, TheOrderOfThreadsDoesNotMatter) {
  const NetworkSpec spec = every_kind_of_kernel();
  for (const Precision precision : {Precision::F32, Precision::Mixed, Precision::Bf16, Precision::Tf32}) {
    if (test::kIsEmulationSlow && precision != Precision::Mixed) continue;
    SCOPED_TRACE(to_string(precision));
    const Trained expected = train(*test::emulated_cuda_backend().compile(spec, {precision, 1, ""}));
    test::for_each_schedule([&] {
      const Trained found = train(*test::emulated_cuda_backend().compile(spec, {precision, 3, ""}));
      EXPECT_EQ(found.losses, expected.losses);
      EXPECT_EQ(found.state.params, expected.state.params);
      EXPECT_EQ(found.state.adam_v, expected.state.adam_v);
    });
  }
}

/// A batch that is cut into pieces has the same gradient up to rounding, and the same outputs to the bit.
TEST(CudaExecutor, PiecesOfABatchAddUp) {
  for (const Interpolation interpolation : {Interpolation::Nearest, Interpolation::Linear}) {
    NetworkSpec spec = every_kind_of_kernel();
    for (LayerSpec& layer : spec.layers) layer.interpolation = interpolation;
    NetworkPlan small = make_plan(spec, 1);
    small.piece_rows = 100;
    NetworkExecutor<PlainF32, PlainF32> cut(small, {}, "");
    NetworkExecutor<PlainF32, PlainF32> whole(make_plan(spec, 1), {}, "");
    const ArraySource source = some_samples(spec);
    const std::vector<float> params = random_params(spec, 3);
    std::vector<float> cut_grads(params.size());
    std::vector<float> whole_grads(params.size());
    cut.set_params(params);
    whole.set_params(params);
    const double loss = whole.mse_gradients(source, whole_grads);
    EXPECT_NEAR(cut.mse_gradients(source, cut_grads), loss, 1e-12 * loss);  // sums in double
    double largest = 0;
    for (const float g : whole_grads) largest = std::max(largest, std::abs(double{g}));
    // Two orders of a sum of 250 products; each is within 250 units of 2^-24 of the sum of their magnitudes.
    for (std::size_t k = 0; k < params.size(); ++k) ASSERT_NEAR(cut_grads[k], whole_grads[k], 1e-4 * largest) << k;
    ParamState a = fresh_state(spec);
    ParamState b = a;
    cut.set_params(a.params);
    whole.set_params(b.params);
    EXPECT_NEAR(cut.train_step(source, {.t = 1}, a), whole.train_step(source, {.t = 1}, b), 1e-12 * loss);
    cut.download(a);
    whole.download(b);
    for (std::size_t k = 0; k < params.size(); ++k) ASSERT_NEAR(a.adam_m[k], b.adam_m[k], 1e-5 * largest) << k;
    const std::vector<float> coords = random_floats(kSamples * 2, 0, 1, 5);
    cut.set_params(params);
    whole.set_params(params);
    std::vector<float> cut_outputs(kSamples * 3);
    std::vector<float> whole_outputs(cut_outputs.size());
    cut.forward({kSamples, coords, {}}, cut_outputs);
    whole.forward({kSamples, coords, {}}, whole_outputs);
    EXPECT_EQ(cut_outputs, whole_outputs);
  }
}

TEST(CudaExecutor, BatchesOfAnySizeOneAfterAnother) {
  const NetworkSpec spec = every_kind_of_kernel();
  const auto executor = test::emulated_cuda_backend().compile(spec, {});
  const std::vector<float> params = random_params(spec, 3);
  executor->set_params(params);
  for (const int64_t n : {5, 300, 1, 70, 301}) {
    const auto fresh = test::emulated_cuda_backend().compile(spec, {});
    fresh->set_params(params);
    std::vector<float> expected(params.size());
    std::vector<float> found(params.size());
    const double loss = fresh->mse_gradients(some_samples(spec, n), expected);
    EXPECT_EQ(executor->mse_gradients(some_samples(spec, n), found), loss);
    EXPECT_EQ(found, expected) << n << " samples";
  }
}

TEST(CudaExecutor, TooLittleMemoryIsSaidBeforeAnythingIsTaken) {
  const NetworkSpec spec = every_kind_of_kernel();
  const auto executor = test::emulated_cuda_backend().compile(spec, {});
  ParamState state = fresh_state(spec);
  executor->set_params(state.params);
  const int64_t before = executor->memory_bytes();
  host_memory_limit() = int64_t{1} << 16;
  try {
    executor->train_step(some_samples(spec), {.t = 1}, state);
    ADD_FAILURE() << "took what is not there";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::OutOfMemory);
    EXPECT_NE(std::string(error.what()).find("the device has 0 MiB free"), std::string::npos) << error.what();
  }
  host_memory_limit() = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(executor->memory_bytes(), before);
  EXPECT_TRUE(std::isfinite(executor->train_step(some_samples(spec), {.t = 1}, state)));
}

/// The estimate that a user is told, against what is taken.
TEST(CudaExecutor, MemoryIsAsPlanned) {
  for (const Precision precision : {Precision::F32, Precision::Mixed}) {
    const NetworkSpec spec = make_network({.widths = {256, 256, 256}, .tile = {{4, 4, 1, 1}}});
    const NetworkPlan plan = make_plan(spec, 1);
    const auto executor = test::emulated_cuda_backend().compile(spec, {precision, 1, ""});
    ParamState state = fresh_state(spec);
    executor->set_params(state.params);
    const ArraySource source = some_samples(spec, 64);
    executor->train_step(source, {.t = 1}, state);
    EXPECT_LE(executor->memory_bytes(), planned_bytes(plan, 64));
    EXPECT_GE(executor->memory_bytes(), planned_bytes(plan, 64) / 2);
  }
}

}  // namespace
}  // namespace loe::cuda
