// The kernel that takes a tile of samples through all layers, beside the kernels that go layer by layer: the same bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend/cuda/emulated_backend.h"
#include "backend/cuda/executor_results.h"
#include "backend/cuda/schedules.h"
#include "backend/network_builders.h"

namespace loe::cuda {
namespace {

using test::expect_equal;
using test::make_network;
using test::Results;
using test::run;

/// Table 5's kind of network, two levels of it.
NetworkSpec narrow() {
  return make_network({.widths = {64, 64}, .n_out = 1});
}

NetworkPlan plan_with(const NetworkSpec& spec, int tile_rows) {
  NetworkPlan plan = make_plan(spec, 1);
  plan.tile_rows = tile_rows;
  return plan;
}

template <typename FM, typename BM>
void check(const NetworkSpec& spec, int64_t n, int tile_rows = 0, double coordinate_range = 1) {
  const NetworkPlan plan = plan_with(spec, tile_rows);
  const int n_bytes = TilePass<FM, BM>::kNumberBytes;
  ASSERT_TRUE(make_tile_plan(plan, n_bytes, max_dynamic_memory()).is_on());
  expect_equal(run<FM, BM>(plan, n, coordinate_range), run<FM, BM>(plan_with(spec, -1), n, coordinate_range));
}

template <typename Check>
void in_every_precision(const Check& check) {
  const auto traced = [&](const char* name, auto forward, auto backward) {
    SCOPED_TRACE(name);
    check(forward, backward);
  };
  traced("f32", PlainF32{}, PlainF32{});
  traced("tf32", Tf32{}, Tf32{});
  traced("mixed", PlainF32{}, Bf16Products{});
  traced("bf16", Bf16Products{}, Bf16Products{});
}

TEST(CudaTile, HasTheBitsOfTheLayersOneByOne) {
  if (test::kIsEmulationSlow)
    GTEST_SKIP() << "large, and the emulation is slow here; the other tests run the same code";
  const std::vector<NetworkSpec> networks = {
      narrow(),
      make_network({.input = {.n_frequencies = 2, .embedding = {{7, 5}, 6}},
                    .widths = {33, 7},
                    .n_out = 19,
                    .tile = {{4, 4, 1, 1}},
                    .head_tile = {{3, 2, 1, 1}},
                    .first_scale = 4,
                    .head_activation = ActivationKind::LeakyRelu,
                    .output = {0.5, 0.25}}),
      make_network({.n_dims = 3,
                    .input = {.kind = InputKind::Features, .n_features = 21},
                    .widths = {24},
                    .tile = {{2, 2, 2, 1}},
                    .activation = {ActivationKind::Relu}}),
  };
  in_every_precision([&]<typename FM, typename BM>(FM, BM) {
    for (const NetworkSpec& spec : networks) check<FM, BM>(spec, 80);
  });
}

/// One sample, partial tiles, tiles of other sizes, experts without samples.
TEST(CudaTile, TilesOfAnySize) {
  const NetworkSpec small = make_network({.widths = {16}});
  in_every_precision([&]<typename FM, typename BM>(FM, BM) { check<FM, BM>(small, 1); });
  for (const int64_t n : {64, 65}) check<Tf32, Tf32>(small, n);
  check<PlainF32, Bf16Products>(small, 90, 32);
  check<Bf16Products, Bf16Products>(small, 300, 256);
  const NetworkSpec many_experts = make_network({.widths = {20}, .tile = {{8, 8, 1, 1}}, .first_scale = 8});
  check<PlainF32, Bf16Products>(many_experts, 100, 128, 0.3);
}

TEST(CudaTile, TheOrderOfThreadsDoesNotMatter) {
  in_every_precision([&]<typename FM, typename BM>(FM, BM) {
    const NetworkPlan plan = plan_with(make_network({.widths = {20}, .tile = {{2, 3, 1, 1}}}), 0);
    const Results expected = run<FM, BM>(plan, 50);
    for (uint64_t seed = 0; seed < 4; ++seed) {
      host::schedule = {seed == 0 ? host::Order::Reverse : host::Order::Shuffled, seed};
      const Results found = run<FM, BM>(plan, 50);
      host::schedule = {};
      expect_equal(found, expected);
      EXPECT_EQ(found.loss, expected.loss) << "seed " << seed;
    }
  });
}

/// The loss and the gradients of a loss do not depend on what fits the device's memory.
TEST(CudaTile, BitsDoNotDependOnTheRowsOfATile) {
  const NetworkSpec spec = make_network({.widths = {20}});
  const Results expected = run<PlainF32, PlainF32>(plan_with(spec, 128), 200);
  for (const int rows : {32, 256}) {
    const Results found = run<PlainF32, PlainF32>(plan_with(spec, rows), 200);
    expect_equal(found, expected);
    EXPECT_EQ(found.loss, expected.loss);
  }
}

std::string why(const NetworkSpec& spec, int n_bytes_of_number = 4, int max_bytes = 227 * 1024) {
  return make_tile_plan(make_plan(spec, 1), n_bytes_of_number, max_bytes).reason;
}

TEST(CudaTile, ThePlanSaysWhy) {
  constexpr int kA100 = 163 * 1024;
  const NetworkSpec toy = make_network({.input = {.n_frequencies = 9}, .widths = std::vector<int>(9, 64)});
  EXPECT_EQ(make_tile_plan(make_plan(toy, 1), 2, 227 * 1024).shape.n_rows, 256);
  EXPECT_EQ(make_tile_plan(make_plan(toy, 1), 2, kA100).shape.n_rows, 128);
  EXPECT_EQ(make_tile_plan(make_plan(toy, 1), 4, 227 * 1024).shape.n_rows, 128);
  EXPECT_GE(make_tile_plan(make_plan(toy, 1), 4, kA100).shape.n_rows, 64);
  EXPECT_EQ(why(toy, 2), "all layers at most 64 wide; tiles of up to 256 samples in 98 KiB of shared memory");
  EXPECT_EQ(why(toy, 4, 30 * 1024), "a tile of 64 samples does not fit 30 KiB of shared memory");
  EXPECT_EQ(why(make_network({.widths = {64, 65}})), "a layer is wider than 64");
  EXPECT_EQ(why(make_network({.interpolation = Interpolation::Linear})), "a layer blends its experts");
  EXPECT_EQ(why(make_network({.tile = {{9, 8, 1, 1}}})), "a layer has more than 64 experts");
  EXPECT_EQ(why(make_network({.side_features = 4})), "the layers are no plain chain");
  EXPECT_EQ(why(make_network({.residual_blocks = {16}})), "the layers are no plain chain");
  EXPECT_EQ(why(make_network({.activation = {ActivationKind::Tanh}})), "an activation needs its sums again");
  EXPECT_EQ(why(make_network({.widths = std::vector<int>(16, 8)})), "more than 16 layers");
  const auto executor = test::emulated_cuda_backend().compile(toy, {Precision::Bf16, 1, ""});
  const std::vector<KernelInfo> kernels = executor->kernels();
  const auto forward = std::find_if(kernels.begin(), kernels.end(), [](const KernelInfo& kernel) {
    return kernel.operation == "expert_linear forward";
  });
  ASSERT_NE(forward, kernels.end());
  EXPECT_EQ(forward->reason, why(toy, 2));
}

/// As on a device that has little: the executor goes layer by layer.
TEST(CudaTile, WithoutRoomItGoesLayerByLayer) {
  const NetworkPlan plan = make_plan(narrow(), 1);
  host_dynamic_memory_limit() = 16 * 1024;
  const Results found = run<PlainF32, PlainF32>(plan, 40);
  host_dynamic_memory_limit() = 227 * 1024;
  expect_equal(found, run<PlainF32, PlainF32>(plan_with(narrow(), -1), 40));
}

}  // namespace
}  // namespace loe::cuda
