// Kernels of warpgroups beside those of single warps: the same bits, for the emulation adds in the same order.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend/cuda/emulated_backend.h"
#include "backend/cuda/executor_results.h"
#include "backend/cuda/kernels/warpgroup_probe.h"
#include "backend/cuda/schedules.h"

namespace loe::cuda {
namespace {

using test::expect_equal;
using test::for_each_schedule;
using test::make_network;
using test::Results;

template <typename FM, typename BM>
Results run_with(bool has_warpgroups, const NetworkSpec& spec, int64_t n) {
  NetworkPlan plan = make_plan(spec, 1);
  plan.tile_rows = -1;
  host_has_warpgroups() = has_warpgroups;
  const Results results = test::run<FM, BM>(plan, n);
  host_has_warpgroups() = true;
  return results;
}

void check(const NetworkSpec& spec, int64_t n) {
  SCOPED_TRACE(testing::Message() << spec.layers.back().n_in << " wide, " << n << " samples");
  {
    SCOPED_TRACE("bf16");
    expect_equal(run_with<Bf16Products, Bf16Products>(true, spec, n),
                 run_with<Bf16Products, Bf16Products>(false, spec, n));
  }
  SCOPED_TRACE("mixed");
  expect_equal(run_with<PlainF32, Bf16Products>(true, spec, n), run_with<PlainF32, Bf16Products>(false, spec, n));
}

TEST(CudaWarpgroup, ProductsAreWhatTheLayoutsSay) {
  for_each_schedule([] { EXPECT_EQ(run_probe(), kProductsAreRight); });
}

TEST(CudaWarpgroup, HasTheBitsOfSingleWarps) {
  if (test::kIsEmulationSlow)
    GTEST_SKIP() << "large, and the emulation is slow here; the other tests run the same code";
  check(make_network({.widths = {136, 72}}), 150);                         // partial slices, panels and turns
  check(make_network({.widths = {64, 264}, .tile = {{2, 1, 1, 1}}}), 70);  // more outputs than one block's
  check(make_network({.widths = {80}, .tile = {{2, 1, 1, 1}}, .side_features = 5}), 90);  // features, two readers
}

TEST(CudaWarpgroup, BlendsResidualsAndOtherActivations) {
  if (test::kIsEmulationSlow) GTEST_SKIP() << "large, and the emulation is slow here";
  check(make_network({.widths = {64, 64}, .interpolation = Interpolation::Linear}), 70);
  check(make_network({.widths = {64}, .activation = {ActivationKind::Sine, 0, 5}, .residual_blocks = {64}}), 70);
}

/// With one range of samples the kernel of the gradients updates the weights. A loss that is not finite changes
/// nothing.
TEST(CudaWarpgroup, OneRangeOfSamplesIsUpdatedAtOnce) {
  const NetworkSpec spec = make_network({.widths = {64, 72}, .tile = {{2, 2, 1, 1}}});
  if (!test::kIsEmulationSlow) check(spec, 200);  // fewer than 256 a range: one
  NetworkPlan plan = make_plan(spec, 1);
  for (const LayerPlan& layer : plan.layers) ASSERT_EQ(n_splits_of(layer, 200), 1);
  NetworkExecutor<Bf16Products, Bf16Products> executor(plan, {}, "");
  const auto n_params = static_cast<std::size_t>(plan.n_params);
  ParamState state = {test::random_params(spec, 3), std::vector<float>(n_params), std::vector<float>(n_params)};
  const ParamState before = state;
  executor.set_params(state.params);
  const test::ArraySource source(test::random_floats(2 * 20, 0, 1, 1), std::vector<float>(3 * 20, INFINITY), 20);
  EXPECT_FALSE(std::isfinite(executor.train_step(source, {.learning_rate = 0.01, .t = 1}, state)));
  executor.download(state);
  EXPECT_EQ(state.params, before.params);
  EXPECT_EQ(state.adam_m, before.adam_m);
}

/// One sample, and more experts than samples: blocks, turns and splits without any.
TEST(CudaWarpgroup, FewSamples) {
  check(make_network({.widths = {64, 48}, .tile = {{3, 3, 1, 1}}}), 1);
  check(make_network({.widths = {64}, .tile = {{2, 2, 1, 1}}}), 5);
}

TEST(CudaWarpgroup, TheOrderOfThreadsDoesNotMatter) {
  const NetworkSpec spec = make_network({.widths = {64, 64}, .tile = {{2, 1, 1, 1}}});
  const Results expected = run_with<Bf16Products, Bf16Products>(true, spec, 140);
  for (uint64_t seed = 0; seed < 3; ++seed) {
    host::schedule = {seed == 0 ? host::Order::Reverse : host::Order::Shuffled, seed};
    const Results found = run_with<Bf16Products, Bf16Products>(true, spec, 140);
    host::schedule = {};
    expect_equal(found, expected);
  }
}

/// As on a device that has little memory for a block, or another's: the kernels of single warps, and the reason.
TEST(CudaWarpgroup, WithoutThemSingleWarpsDoIt) {
  const NetworkSpec spec = make_network({.widths = {64}, .tile = {{1, 1, 1, 1}}});
  const Results expected = run_with<Bf16Products, Bf16Products>(false, spec, 20);
  host_dynamic_memory_limit() = 48 * 1024;
  const Results found = run_with<Bf16Products, Bf16Products>(true, spec, 20);
  host_dynamic_memory_limit() = 227 * 1024;
  expect_equal(found, expected);
  EXPECT_EQ(slice_columns(256, 256, 227 * 1024), 256);
  EXPECT_EQ(slice_columns(256, 128, 227 * 1024), 128);
  EXPECT_EQ(slice_columns(512, 384, 227 * 1024), 128) << "256 outputs of 512 inputs have no room";
  EXPECT_EQ(slice_columns(1024, 1024, 227 * 1024), 0);

  const auto text_of = [&]<typename Math>(Math) {
    const NetworkExecutor<Math, Math> executor(make_plan(make_network({.widths = {72}}), 1), {}, "");
    std::string text;
    for (const KernelInfo& kernel : executor.kernels()) text += kernel.operation + ": " + kernel.reason + "\n";
    return text;
  };
  EXPECT_NE(text_of(Bf16Products{}).find("bf16 layers of at least 48 outputs"), std::string::npos);
  EXPECT_NE(text_of(Tf32{}).find("no warpgroups: products of bf16 alone are"), std::string::npos);
  host_has_warpgroups() = false;
  EXPECT_NE(text_of(Bf16Products{}).find("no warpgroups: switched off"), std::string::npos);
  host_has_warpgroups() = true;
}

/// What the emulation is to find: sums looked at too early, operands that change too early, layouts mixed up.
enum class Mistake { None, LooksEarly, WritesEarly, MixesLayouts };

LOE_KERNEL void make_mistake(Mistake mistake, Buffer<float> result) {
  const auto memory = dynamic_memory<Bf16>(first_multiple(kPanelAlignment), 2 * panel_size(64));
  for (int i = thread_index(); i < 2 * panel_size(64); i += kWarpgroupThreads) store(memory[i], 1);
  sync_block();
  float sums[32] = {};
  const PanelOperand a = rows_of_panel(&memory[0], 0, 0);
  const PanelOperand b = rows_of_panel(&memory[panel_size(64)], 0, 0);
  begin_products();
  if (mistake == Mistake::MixesLayouts) {
    multiply_panels<false, true>(sums, a, b);
  } else {
    multiply_panels<false, false>(sums, a, b);
  }
  commit_products();
  if (mistake == Mistake::WritesEarly) store(memory[thread_index()], 2);
  if (mistake == Mistake::LooksEarly) result[thread_index()] = sums[0];
  wait_products<0>();
  take_sums(sums);
  if (mistake != Mistake::LooksEarly) result[thread_index()] = sums[0];
}

TEST(CudaWarpgroup, TheEmulationFindsMistakes) {
  const auto first_sum = [](Mistake mistake) {
    std::vector<float> result(kWarpgroupThreads);
    launch_with_memory({}, 1, kWarpgroupThreads, kPanelAlignment + 2 * panel_size(64) * 2, make_mistake, mistake,
                       Buffer<float>(result.data(), kWarpgroupThreads));
    return result[0];
  };
  EXPECT_EQ(first_sum(Mistake::None), 16);
  EXPECT_TRUE(std::isnan(first_sum(Mistake::LooksEarly)));
  EXPECT_NE(first_sum(Mistake::WritesEarly), 16);
  EXPECT_THROW(first_sum(Mistake::MixesLayouts), host::KernelError);
}

}  // namespace
}  // namespace loe::cuda
