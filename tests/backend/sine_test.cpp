// The sine activation of the CPU backend: its kernel on every instruction set, and arguments far out.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "backend/cpu/bf16.h"
#include "backend/cpu/isa/kernels.h"
#include "backend/network_builders.h"
#include "loe/backend/activation.h"
#include "loe/backend/backend.h"

namespace loe {
namespace {

using cpu::bf16;
using cpu::KernelTable;
using cpu::SineArgs;

constexpr int kCount = 512;
constexpr double kUnit = 0x1p-24;

/// Uniform in [-range, range], every second one next to a multiple of pi / 2, where sine or cosine is about 0.
std::vector<float> arguments(double range) {
  std::vector<float> x = test::random_floats(kCount, -range, range, 9);
  for (int i = 0; i < kCount; i += 2) {
    x[i] = static_cast<float>(std::nearbyint(x[i] / (std::numbers::pi / 2)) * (std::numbers::pi / 2));
  }
  return x;
}

TEST(SineKernel, ErrorIsWithinItsBound) {
  for (const KernelTable& table : cpu::kernel_tables()) {
    for (const double range : {1.0, 50.0, 1000.0, 38999.0, 1e6, 1e20, 3e38}) {
      SCOPED_TRACE(testing::Message() << table.isa << " up to " << range);
      const std::vector<float> x = arguments(range);
      std::vector<float> y(kCount);
      std::vector<float> dy(kCount);
      table.sine({x.data(), 1.0F, kCount, y.data(), nullptr, dy.data(), nullptr});
      for (int i = 0; i < kCount; ++i) {
        ASSERT_NEAR(y[i], std::sin(static_cast<double>(x[i])), 3 * kUnit) << x[i];
        ASSERT_NEAR(dy[i], std::cos(static_cast<double>(x[i])), 3 * kUnit) << x[i];
      }
    }
  }
}

TEST(SineKernel, EveryOutputIsTheSameNumber) {
  const float omega = 30;
  const std::vector<float> x = arguments(20);
  for (const KernelTable& table : cpu::kernel_tables()) {
    SCOPED_TRACE(table.isa);
    std::vector<float> y(kCount);
    std::vector<float> dy(kCount);
    std::vector<bf16> y16(kCount);
    std::vector<bf16> dy16(kCount);
    table.sine({x.data(), omega, kCount, y.data(), y16.data(), dy.data(), dy16.data()});
    const Activation activation = {ActivationKind::Sine, 0.2, omega};
    for (int i = 0; i < kCount; ++i) {
      ASSERT_NEAR(y[i], activate(activation, x[i]), 4 * kUnit);
      ASSERT_NEAR(dy[i], activation_derivative(activation, x[i], y[i]), omega * 5 * kUnit);
    }
    std::vector<bf16> rounded(kCount);
    table.to_bf16(y.data(), kCount, rounded.data());
    EXPECT_EQ(y16, rounded);
    table.to_bf16(dy.data(), kCount, rounded.data());
    EXPECT_EQ(dy16, rounded);

    std::vector<float> in_place = x;
    table.sine({in_place.data(), omega, kCount, in_place.data(), nullptr, nullptr, nullptr});
    EXPECT_EQ(in_place, y);
    std::vector<bf16> alone(kCount);
    table.sine({x.data(), omega, kCount, nullptr, alone.data(), nullptr, nullptr});
    EXPECT_EQ(alone, y16);
  }
}

TEST(SineKernel, OddArgumentsStayInTheirLane) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const KernelTable& table : cpu::kernel_tables()) {
    SCOPED_TRACE(table.isa);
    std::vector<float> x(kCount, 0.5F);
    x[3] = kInfinity;
    x[20] = -kInfinity;
    x[37] = std::numeric_limits<float>::quiet_NaN();
    x[70] = 1e30F;  // omega x overflows
    x[90] = -0.0F;
    std::vector<float> y(kCount);
    std::vector<float> dy(kCount);
    table.sine({x.data(), 1e10F, kCount, y.data(), nullptr, dy.data(), nullptr});
    for (int i = 0; i < kCount; ++i) {
      const bool is_odd = i == 3 || i == 20 || i == 37 || i == 70;
      ASSERT_EQ(std::isnan(y[i]), is_odd) << i;
      ASSERT_EQ(std::isnan(dy[i]), is_odd) << i;
      if (!is_odd) {
        ASSERT_NEAR(y[i], std::sin(static_cast<double>(1e10F * x[i])), 3 * kUnit) << i;
      }
    }
  }
}

TEST(SineNetwork, LargeArgumentsAgreeWithTheCLibrary) {
  // One layer and a head that passes it on: outputs are sin(omega x) of features up to 1e4, exact but for the sine.
  const test::NetworkRecipe recipe = {.input = {.kind = InputKind::Features, .n_features = 1},
                                      .widths = {1},
                                      .n_out = 1,
                                      .tile = {},
                                      .activation = {ActivationKind::Sine, 0.2, 30}};
  const NetworkSpec spec = test::make_network(recipe);
  const std::vector<float> params = {1, 0, 1, 0};
  const std::vector<float> features = test::random_floats(600, -1e4, 1e4, 3);
  const std::vector<float> coords(1200, 0.5F);
  for (const std::string& isa : test::cpu_isas()) {
    SCOPED_TRACE(isa);
    const auto executor = cpu_backend().compile(spec, {Precision::F32, 2, isa});
    executor->set_params(params);
    std::vector<float> outputs(600);
    executor->forward({600, coords, features}, outputs);
    for (int i = 0; i < 600; ++i) {
      ASSERT_NEAR(outputs[i], std::sin(static_cast<double>(30.0F * features[i])), 3 * kUnit) << features[i];
    }
  }
}

TEST(SineNetwork, InfiniteArgumentsMakeANotFiniteLossAndChangeNothing) {
  const NetworkSpec spec = test::make_network({.activation = {ActivationKind::Sine, 0.2, 1e9}});
  std::vector<float> params = test::random_params(spec, 1);
  params[spec.bias_offset(0)] = 3e38F;  // finite, omega times it is not
  const test::ArraySource source(test::random_floats(200, 0, 1, 2), test::random_floats(300, 0, 1, 3), 100);
  for (const std::string& isa : test::cpu_isas()) {
    for (const Precision precision : {Precision::F32, Precision::Mixed, Precision::Bf16}) {
      SCOPED_TRACE(isa + " " + to_string(precision));
      const auto executor = cpu_backend().compile(spec, {precision, 2, isa});
      executor->set_params(params);
      ParamState state = {params, std::vector<float>(params.size()), std::vector<float>(params.size())};
      EXPECT_TRUE(std::isnan(executor->train_step(source, {}, state)));
      EXPECT_EQ(state.params, params);
    }
  }
}

}  // namespace
}  // namespace loe
