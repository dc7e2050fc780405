#include "loe/metric/noise_pattern.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "metric/metric_test_helpers.h"

namespace loe {
namespace {

constexpr int kSide = 32;
constexpr std::size_t kValues = kSide * kSide * 3;

/// n pictures: 0.5 + pattern + independent normal noise.
std::vector<float> make_pictures(std::size_t n, double noise, const std::vector<float>& pattern, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, 1);
  std::vector<float> pictures;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < kValues; ++k) {
      pictures.push_back(static_cast<float>(0.5 + pattern[k] + noise * normal(random)));
    }
  }
  return pictures;
}

NoisePatternStats measure(std::span<const float> pictures, int n_threads = 2, std::size_t per_call = 1000) {
  ThreadPool pool(n_threads);
  NoisePatternMeter meter(kSide, kSide);
  for (std::size_t first = 0; first < pictures.size(); first += per_call * kValues) {
    meter.add(pictures.subspan(first, std::min(per_call * kValues, pictures.size() - first)), pool);
  }
  return meter.stats();
}

TEST(NoisePattern, IndependentNoiseHasRatioOne) {
  constexpr std::size_t kPictures = 100;
  const NoisePatternStats stats = measure(make_pictures(kPictures, 0.1, std::vector<float>(kValues), 1));
  EXPECT_EQ(stats.n_pictures, 100);
  // The blur of sigma 2 takes little of white noise: h has (1 - w0)^2 + sum of the other w^2 of its power, with
  // w0 = 1 / (2 pi 4) and sum w^2 = 1 / (4 pi 4): 0.9404, RMS 0.09698; edges differ by under 1%.
  EXPECT_NEAR(stats.picture_rms, 0.09698, 0.001);
  EXPECT_DOUBLE_EQ(stats.expected_rms, stats.picture_rms / 10);
  // rms^2 is a mean of 3,072 squares of nearly independent normals: relative deviation sqrt(2 / 3072) = 2.6%, of its
  // root 1.3%. Four of them.
  EXPECT_NEAR(stats.ratio, 1, 0.052);
  EXPECT_NEAR(stats.rms, stats.expected_rms * stats.ratio, 1e-15);
  // f^2 is rms^2 - expected^2 +- 2.6% of expected^2 = 1e-4 * 0.94: below 4 * 2.6e-2 * 0.94e-4, root 3.1e-3.
  EXPECT_LT(stats.pattern_rms, 3.2e-3);
}

TEST(NoisePattern, FindsTheRmsOfAFixedPattern) {
  // A checkerboard of +-0.02: its blur is about e^(-2 pi^2) of it, so that it is its own high-pass inside; at the edges
  // the renormalised filter is not balanced, which moves less than 2% of the RMS.
  std::vector<float> pattern(kValues);
  for (std::size_t k = 0; k < kValues; ++k) pattern[k] = (k / 3 % kSide + k / 3 / kSide) % 2 == 0 ? 0.02F : -0.02F;
  const NoisePatternStats alone = measure(make_pictures(5, 0, pattern, 1));
  EXPECT_NEAR(alone.rms, 0.02, 0.0004);
  EXPECT_NEAR(alone.ratio, std::sqrt(5.0), 1e-6);
  EXPECT_NEAR(alone.pattern_rms, alone.rms, 1e-9);
  for (std::size_t k = 0; k < kValues; ++k) {
    const std::size_t x = k / 3 % kSide;
    const std::size_t y = k / 3 / kSide;
    if (std::min({x, y, kSide - 1 - x, kSide - 1 - y}) >= 6) {
      ASSERT_NEAR(alone.mean_high_pass[k], pattern[k], 1e-4) << k;
    }
  }
  // Under noise of five times its size, 100 pictures: f^2 = 4e-4 with the noise power 0.94e-4 in rms^2 (spread 2.6% of
  // it) and the cross term 2 sqrt(4e-4 * 0.94e-4 / 3072): 7e-6 together at most, 1.8% of f^2, 0.9% of f. Four of them.
  const NoisePatternStats stats = measure(make_pictures(100, 0.1, pattern, 3));
  EXPECT_NEAR(stats.pattern_rms, alone.rms, 4 * 0.009 * alone.rms);
  EXPECT_GT(stats.ratio, 2);
}

TEST(NoisePattern, SmoothAndConstantPicturesHaveNone) {
  const NoisePatternStats stats = measure(make_pictures(3, 0, std::vector<float>(kValues, 0.25F), 1));
  EXPECT_LT(stats.picture_rms, 1e-7);  // rounding of 0.75 to float
  const NoisePatternStats zero = measure(std::vector<float>(kValues));
  EXPECT_EQ(zero.ratio, 0);
  EXPECT_TRUE(std::isnan(zero.pattern_rms));
}

TEST(NoisePattern, BitsDependNeitherOnThreadsNorOnCalls) {
  const std::vector<float> pictures = make_pictures(70, 0.1, std::vector<float>(kValues), 4);
  const NoisePatternStats whole = measure(pictures, 1);
  for (const std::size_t per_call : {1UL, 33UL}) {
    const NoisePatternStats parts = measure(pictures, 3, per_call);
    EXPECT_EQ(whole.mean_high_pass, parts.mean_high_pass);
    EXPECT_EQ(whole.rms, parts.rms);
    EXPECT_EQ(whole.picture_rms, parts.picture_rms);
  }
}

TEST(NoisePattern, Refuses) {
  ThreadPool pool(1);
  const auto invalid = ErrorKind::InvalidArgument;
  expect_refused(invalid, "got 0x4", [] { NoisePatternMeter meter(0, 4); });
  expect_refused(invalid, "and 0.1", [] { NoisePatternMeter meter(4, 4, 0.1); });
  expect_refused(invalid, "0.5..64", [] { NoisePatternMeter meter(4, 4, std::nan("")); });
  NoisePatternMeter meter(2, 2);
  expect_refused(invalid, "at least 1, got 0", [&] { static_cast<void>(meter.stats()); });
  expect_refused(invalid, "a multiple of 12 values, got 13", [&] { meter.add(std::vector<float>(13), pool); });
  const std::vector<float> bad(12, std::numeric_limits<float>::infinity());
  expect_refused(ErrorKind::Numerical, "finite", [&] { meter.add(bad, pool); });
  expect_refused(invalid, "at least 1, got 0", [&] { static_cast<void>(meter.stats()); });
}

}  // namespace
}  // namespace loe
