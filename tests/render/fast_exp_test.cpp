// The float exponentials of volume rendering against the library's in double.
#include "render/fast_exp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace loe {
namespace {

TEST(FastExp, RelativeErrorIsAFewRoundings) {
  double worst_exp = 0;
  double worst_one_minus = 0;
  // From 1e-12 to 86 in steps of about 1e-4 of the value, and evenly from 0 to 86.
  const auto compare = [&](float x) {
    const double exact = std::exp(-static_cast<double>(x));
    const double one_minus = -std::expm1(-static_cast<double>(x));
    worst_exp = std::max(worst_exp, std::abs(exp_of_minus(x) - exact) / exact);
    worst_one_minus = std::max(worst_one_minus, std::abs(one_minus_exp_of_minus(x) - one_minus) / one_minus);
  };
  for (double x = 1e-12; x < 86; x *= 1.0001) {
    compare(static_cast<float>(x));
  }
  for (int i = 1; i < 300000; ++i) {
    compare(static_cast<float>(i) * (86.0F / 300000));
  }
  EXPECT_LT(worst_exp, 3 * 0x1p-24);
  EXPECT_LT(worst_one_minus, 4 * 0x1p-24);
}

TEST(FastExp, Ends) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exp_of_minus(0.0F), 1.0F);
  EXPECT_EQ(one_minus_exp_of_minus(0.0F), 0.0F);
  for (const float x : {88.0F, 1e12F, 3e38F, infinity}) {
    EXPECT_EQ(exp_of_minus(x), 0.0F) << x;
    EXPECT_EQ(one_minus_exp_of_minus(x), 1.0F) << x;
  }
  EXPECT_EQ(one_minus_exp_of_minus(1e-30F), 1e-30F);
  EXPECT_TRUE(std::isnan(exp_of_minus(std::nanf(""))));
  EXPECT_TRUE(std::isnan(one_minus_exp_of_minus(std::nanf(""))));
}

}  // namespace
}  // namespace loe
