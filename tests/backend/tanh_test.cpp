// The tanh activation of the CPU backend: its kernel on every instruction set, and arguments far out.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "backend/cpu/bf16.h"
#include "backend/cpu/isa/kernels.h"
#include "backend/network_builders.h"

namespace loe {
namespace {

using cpu::bf16;
using cpu::KernelTable;

constexpr int kCount = 512;

TEST(TanhKernel, ErrorIsWithinItsBound) {
  for (const KernelTable& table : cpu::kernel_tables()) {
    for (const double range : {1e-30, 1e-3, 0.3, 2.0, 9.0, 20.0, 1e4, 3e38}) {
      SCOPED_TRACE(testing::Message() << table.isa << " up to " << range);
      const std::vector<float> x = test::random_floats(kCount, -range, range, 9);
      std::vector<float> y(kCount);
      std::vector<float> dy(kCount);
      table.tanh({x.data(), kCount, y.data(), nullptr, dy.data(), nullptr});
      for (int i = 0; i < kCount; ++i) {
        const double exact = std::tanh(static_cast<double>(x[i]));
        ASSERT_NEAR(y[i], exact, 4 * 0x1p-23 * std::abs(exact)) << x[i];
        ASSERT_NEAR(dy[i], 1 - exact * exact, 10 * 0x1p-23) << x[i];
        ASSERT_LE(std::abs(y[i]), 1);
      }
    }
  }
}

TEST(TanhKernel, EveryOutputIsTheSameNumber) {
  const std::vector<float> x = test::random_floats(kCount, -4, 4, 5);
  for (const KernelTable& table : cpu::kernel_tables()) {
    SCOPED_TRACE(table.isa);
    std::vector<float> y(kCount);
    std::vector<float> dy(kCount);
    std::vector<bf16> y16(kCount);
    std::vector<bf16> dy16(kCount);
    table.tanh({x.data(), kCount, y.data(), y16.data(), dy.data(), dy16.data()});
    std::vector<bf16> rounded(kCount);
    table.to_bf16(y.data(), kCount, rounded.data());
    EXPECT_EQ(y16, rounded);
    table.to_bf16(dy.data(), kCount, rounded.data());
    EXPECT_EQ(dy16, rounded);
    std::vector<float> in_place = x;
    table.tanh({in_place.data(), kCount, in_place.data(), nullptr, nullptr, nullptr});
    EXPECT_EQ(in_place, y);
  }
}

TEST(TanhKernel, OddArgumentsStayInTheirLane) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const KernelTable& table : cpu::kernel_tables()) {
    SCOPED_TRACE(table.isa);
    std::vector<float> x(kCount, 0.5F);
    x[3] = kInfinity;
    x[20] = -kInfinity;
    x[37] = std::numeric_limits<float>::quiet_NaN();
    x[90] = -0.0F;
    std::vector<float> y(kCount);
    std::vector<float> dy(kCount);
    table.tanh({x.data(), kCount, y.data(), nullptr, dy.data(), nullptr});
    for (int i = 0; i < kCount; ++i) {
      ASSERT_EQ(std::isnan(y[i]), i == 37) << i;
      ASSERT_EQ(std::isnan(dy[i]), i == 37) << i;
    }
    EXPECT_EQ(y[3], 1);
    EXPECT_EQ(dy[3], 0);
    EXPECT_EQ(y[20], -1);
    EXPECT_TRUE(y[90] == 0 && std::signbit(y[90]));
  }
}

}  // namespace
}  // namespace loe
