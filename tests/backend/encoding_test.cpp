#include "loe/backend/encoding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "loe/backend/activation.h"

namespace loe {
namespace {

TEST(Encoding, OrderAndValues) {
  const InputSpec input = {.n_frequencies = 2, .frequency_scale = 2.0};
  const float p[2] = {0.25F, -0.75F};
  ASSERT_EQ(input.width(2), 10);
  float out[10];
  encode(input, 2, p, out);
  const double expected[10] = {0.25,          -0.75,          std::sin(0.5),  std::cos(0.5),  std::sin(1.0),
                               std::cos(1.0), std::sin(-1.5), std::cos(-1.5), std::sin(-3.0), std::cos(-3.0)};
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(out[i], static_cast<float>(expected[i])) << i;
  }
}

TEST(Encoding, WithoutCoordinates) {
  const InputSpec input = {.n_frequencies = 1, .frequency_scale = 1, .include_coordinates = false};
  ASSERT_EQ(input.width(3), 6);
  const float p[3] = {0.5F, 0.25F, 0};
  float out[6];
  encode(input, 3, p, out);
  EXPECT_EQ(out[0], static_cast<float>(std::sin(0.5)));
  EXPECT_EQ(out[3], static_cast<float>(std::cos(0.25)));
  EXPECT_EQ(out[4], 0.0F);
  EXPECT_EQ(out[5], 1.0F);
}

TEST(Encoding, StaysAccurateAtTheHighestFrequency) {
  const InputSpec input = {.n_frequencies = 24, .frequency_scale = std::numbers::pi, .include_coordinates = false};
  const float p = 1.0F - 5 * 0x1p-24F;
  float out[48];
  encode(input, 1, &p, out);
  // 2^23 p = 2^23 - 5/2, so the angle is pi (2^23 - 5/2): the sine is -1, the cosine 0. A float angle would be off by
  // whole radians.
  EXPECT_NEAR(out[46], -1, 1e-6);
  EXPECT_NEAR(out[47], 0, 1e-8);
}

TEST(Encoding, CoordinateRangeMovesTheRawCoordinatesAlone) {
  InputSpec input = {.n_frequencies = 2, .frequency_scale = 2.0};
  const float p[2] = {0.3F, -0.75F};
  float plain[10];
  encode(input, 2, p, plain);
  input.coordinate_range = {-1, 1};
  float moved[10];
  encode(input, 2, p, moved);
  for (int d = 0; d < 2; ++d) {
    EXPECT_EQ(plain[d], p[d]);
    EXPECT_EQ(moved[d], static_cast<float>(-1 + 2 * static_cast<double>(p[d])));
  }
  EXPECT_TRUE(std::equal(plain + 2, plain + 10, moved + 2));
}

TEST(Encoding, ConstantInput) {
  const InputSpec input = {.kind = InputKind::Constant};
  ASSERT_EQ(input.width(2), 1);
  const float p[2] = {0.1F, 0.2F};
  float out = 0;
  encode(input, 2, p, &out);
  EXPECT_EQ(out, 1.0F);
}

TEST(Activation, KnownValues) {
  EXPECT_EQ(activate(Activation{ActivationKind::Identity}, -3.0), -3.0);
  EXPECT_EQ(activate(Activation{ActivationKind::LeakyRelu, 0.25}, -4.0), -1.0);
  EXPECT_EQ(activate(Activation{ActivationKind::LeakyRelu, 0.25}, 4.0), 4.0);
  EXPECT_EQ(activate(Activation{ActivationKind::Relu}, -4.0), 0.0);
  EXPECT_EQ(activate(Activation{ActivationKind::Sine, 0.2, 30}, 0.1), std::sin(3.0));
  EXPECT_DOUBLE_EQ(activate(Activation{ActivationKind::Sigmoid}, std::log(3.0)), 0.75);
  EXPECT_DOUBLE_EQ(activate(Activation{ActivationKind::Tanh}, 0.5), std::tanh(0.5));
  EXPECT_DOUBLE_EQ(activate(Activation{ActivationKind::Softplus}, 0.0), std::numbers::ln2);
}

TEST(Activation, SafeFarOut) {
  const Activation sigmoid_activation{ActivationKind::Sigmoid};
  const Activation softplus_activation{ActivationKind::Softplus};
  EXPECT_EQ(activate(sigmoid_activation, 1000.0F), 1.0F);
  EXPECT_EQ(activate(sigmoid_activation, -1000.0F), 0.0F);
  EXPECT_EQ(activate(softplus_activation, 1000.0F), 1000.0F);
  EXPECT_EQ(activate(softplus_activation, -1000.0F), 0.0F);
  EXPECT_FLOAT_EQ(activate(softplus_activation, -50.0F), std::exp(-50.0F)) << "not lost to cancellation";
  EXPECT_EQ(activation_derivative(softplus_activation, -1000.0F, 0.0F), 0.0F);
  EXPECT_EQ(activation_derivative(softplus_activation, 1000.0F, 1000.0F), 1.0F);
}

// The kinds that promise to need y alone must not read x.
TEST(Activation, DerivativeFromOutputAlone) {
  for (int kind = 0; kind <= static_cast<int>(ActivationKind::Softplus); ++kind) {
    const Activation activation{static_cast<ActivationKind>(kind), 0.2, 3};
    for (const double x : {-2.0, -0.3, 0.4, 1.5}) {
      const double y = activate(activation, x);
      const double with_x = activation_derivative(activation, x, y);
      const double without_x = activation_derivative(activation, std::nan(""), y);
      const bool needs_x = activation.kind == ActivationKind::Sine || activation.kind == ActivationKind::Softplus;
      EXPECT_EQ(needs_x, std::isnan(without_x)) << to_string(activation.kind);
      if (!std::isnan(without_x)) {
        EXPECT_EQ(with_x, without_x);
      }
    }
  }
}

}  // namespace
}  // namespace loe
