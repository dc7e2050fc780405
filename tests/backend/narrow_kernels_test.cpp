// Kernels of narrow networks by themselves: what a step's tolerance could hide.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <vector>

#include "backend/cpu/isa/kernels.h"
#include "backend/network_builders.h"
#include "base/aligned_buffer.h"

namespace loe {
namespace {

using cpu::KernelTable;

constexpr double kUnit = 0x1p-24;

TEST(NarrowKernels, SineAndCosineAreWithinTheirBound) {
  constexpr int kCount = 4096;
  for (const KernelTable& table : cpu::kernel_tables()) {
    for (const double range : {1.0, 50.0, 1000.0, 8191.0, 38999.0, 1e6, 3e38}) {
      SCOPED_TRACE(testing::Message() << table.isa << " up to " << range);
      std::vector<float> x = test::random_floats(kCount, -range, range, 9);
      for (int i = 0; i < kCount; i += 2) {  // next to multiples of pi / 2, where one of them is about 0
        x[i] = static_cast<float>(std::nearbyint(x[i] / (std::numbers::pi / 2)) * (std::numbers::pi / 2));
      }
      std::vector<float> s(kCount);
      std::vector<float> c(kCount);
      table.narrow.sin_cos(x.data(), kCount, s.data(), c.data());
      for (int i = 0; i < kCount; ++i) {
        ASSERT_NEAR(s[i], std::sin(static_cast<double>(x[i])), 3 * kUnit) << x[i];
        ASSERT_NEAR(c[i], std::cos(static_cast<double>(x[i])), 3 * kUnit) << x[i];
      }
    }
  }
}

TEST(NarrowKernels, SineOfWhatIsNotANumber) {
  for (const KernelTable& table : cpu::kernel_tables()) {
    std::vector<float> x(cpu::kPadding, 1.0F);
    x[3] = std::numeric_limits<float>::quiet_NaN();
    x[5] = std::numeric_limits<float>::infinity();
    std::vector<float> s(x.size());
    std::vector<float> c(x.size());
    table.narrow.sin_cos(x.data(), cpu::kPadding, s.data(), c.data());
    for (int i = 0; i < cpu::kPadding; ++i) {
      EXPECT_EQ(std::isnan(s[i]), i == 3 || i == 5) << table.isa << ' ' << i;
      EXPECT_EQ(std::isnan(c[i]), i == 3 || i == 5) << table.isa << ' ' << i;
    }
  }
}

// The update by estimates of root and reciprocal against adam_update() in double, for second moments of every size. A
// step has the error of two estimates and of about ten roundings.
TEST(NarrowKernels, AdamIsAdam) {
  constexpr int kOut = 64;
  constexpr int kIn = 5;
  constexpr int kSize = kIn * kOut;
  for (const KernelTable& table : cpu::kernel_tables()) {
    for (const double epsilon : {1e-8, 1e-15, 1e-25}) {
      SCOPED_TRACE(testing::Message() << table.isa << ", epsilon " << epsilon);
      const AdamUpdate update{.learning_rate = 0.01, .beta2 = 0.99, .epsilon = epsilon, .t = 7};
      const AdamScalars scalars(update);
      std::vector<float> before(3 * kSize);
      test::Uniform uniform(4);
      for (int i = 0; i < kSize; ++i) {
        before[i] = static_cast<float>(uniform(-1, 1));
        const double root = i % 16 == 0 ? 0 : std::pow(10.0, uniform(-14, 6));
        before[kSize + i] = static_cast<float>(uniform(-2, 2) * root);
        before[2 * kSize + i] = static_cast<float>(root * root);
      }
      std::vector<float> after(3 * kSize);
      std::vector<float> bias_sums(kOut);
      const std::vector<float> row(kOut);
      uint32_t largest = 0;
      cpu::NarrowWeightGrad args;
      args.n_in = kIn;
      args.n_out = kOut;
      args.x = args.d = row.data();
      args.bias_sums = bias_sums.data();
      args.adam = &scalars;
      args.from = before.data();
      args.to = after.data();
      args.largest = &largest;
      table.narrow.weight_grad(args);
      float expected_largest = 0;
      for (int i = 0; i < kSize; ++i) {
        float w = before[i];
        float m = before[kSize + i];
        float v = before[2 * kSize + i];
        adam_update(BasicAdamScalars<double>(update), 0.0, w, m, v);
        const double step = std::abs(static_cast<double>(w) - before[i]);
        ASSERT_NEAR(after[i], w, 2 * kUnit * std::abs(w) + 16 * kUnit * step) << before[2 * kSize + i];
        ASSERT_NEAR(after[kSize + i], m, 4 * kUnit * std::abs(m));
        ASSERT_NEAR(after[2 * kSize + i], v, 4 * kUnit * std::abs(v));
        expected_largest = std::max(expected_largest, std::abs(after[i]));
      }
      float found_largest = 0;
      std::memcpy(&found_largest, &largest, sizeof(float));
      EXPECT_EQ(found_largest, expected_largest);
    }
  }
}

}  // namespace
}  // namespace loe
