// Samplers against plain double code, chi-square tests of their distributions, and their edges.
#include "loe/render/ray_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "loe/base/error.h"
#include "render/random_rays.h"

namespace loe {
namespace {

constexpr double kRounding = 0x1p-24;

/// Upper limit of a chi-square of n degrees of freedom that a fair draw exceeds once in 30,000 (4 sigma in
/// Wilson-Hilferty's approximation).
double chi_square_limit(int n) {
  const double a = 2.0 / (9.0 * n);
  return n * std::pow(1 - a + 4 * std::sqrt(a), 3);
}

double chi_square(const std::vector<int>& counts, const std::vector<double>& probability) {
  double total = 0;
  for (const int count : counts) {
    total += count;
  }
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = total * probability[i];
    sum += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  return sum;
}

/// sample_pdf of published NeRF, line by line, in double: midpoints, weights[1:-1] + 1e-5, cdf, searchsorted right.
double published_sample(const std::vector<float>& t, const std::vector<float>& weights, double u) {
  const int n = static_cast<int>(t.size());
  std::vector<double> bins;
  for (int i = 0; i + 1 < n; ++i) {
    bins.push_back(0.5 * (static_cast<double>(t[i]) + t[i + 1]));
  }
  std::vector<double> cdf = {0};
  for (int i = 1; i + 1 < n; ++i) {
    cdf.push_back(cdf.back() + static_cast<double>(weights[i]) + 1e-5);
  }
  for (double& value : cdf) {
    value /= cdf.back();
  }
  cdf.back() = 1;
  const int found = static_cast<int>(std::upper_bound(cdf.begin(), cdf.end(), u) - cdf.begin());
  const int below = std::max(0, found - 1);
  const int above = std::min(static_cast<int>(cdf.size()) - 1, found);
  const double width = cdf[above] - cdf[below];
  const double share = width > 0 ? (u - cdf[below]) / width : 0;
  return bins[below] + share * (bins[above] - bins[below]);
}

TEST(RaySampler, OneSampleInEachBin) {
  const std::vector<float> near = {0.0F, 1.5F, 3.0F, 2.0F};
  const std::vector<float> far = {1.0F, 4.0F, 3.0F, 1.0F};
  for (const int n : {1, 2, 5, 64}) {
    std::vector<float> middle(4 * n);
    stratified_samples(near, far, n, {}, middle);
    std::vector<float> t(4 * n);
    stratified_samples(near, far, n, {true, 3, 17}, t);
    for (int r = 0; r < 4; ++r) {
      const double length = std::max(0.0F, far[r] - near[r]);
      for (int k = 0; k < n; ++k) {
        const double tolerance = 4 * kRounding * 4;
        EXPECT_NEAR(middle[r * n + k], near[r] + (k + 0.5) / n * length, tolerance);
        EXPECT_GE(t[r * n + k], near[r] + k * length / n - tolerance);
        EXPECT_LE(t[r * n + k], near[r] + (k + 1) * length / n + tolerance);
      }
      EXPECT_TRUE(std::is_sorted(t.begin() + r * n, t.begin() + (r + 1) * n));
    }
  }
}

TEST(RaySampler, JitterIsUniformAndDependsOnTheStep) {
  const int n_rays = 2000;
  const int n = 8;
  const std::vector<float> near(n_rays, 0.0F);
  const std::vector<float> far(n_rays, 8.0F);
  std::vector<float> t(n_rays * n);
  stratified_samples(near, far, n, {true, 11, 5}, t);
  std::vector<int> counts(16 * n);
  for (const float value : t) {
    ++counts[std::min(16 * n - 1, static_cast<int>(value * 16))];
  }
  // n bins of exactly n_rays each: 15 degrees of freedom per bin.
  EXPECT_LT(chi_square(counts, std::vector<double>(16 * n, 1.0 / (16 * n))), chi_square_limit(15 * n));
  std::vector<float> other(n_rays * n);
  stratified_samples(near, far, n, {true, 11, 6}, other);
  EXPECT_NE(t, other);
  stratified_samples(near, far, n, {true, 12, 5}, other);
  EXPECT_NE(t, other);
  // A batch in two calls is the same batch.
  const std::span<const float> all_near = near;
  const std::span<const float> all_far = far;
  const std::span<float> out = other;
  stratified_samples(all_near.first(700), all_far.first(700), n, {true, 11, 5}, out.first(700 * n));
  stratified_samples(all_near.subspan(700), all_far.subspan(700), n, {true, 11, 5, 700}, out.subspan(700 * n));
  EXPECT_EQ(t, other);
}

TEST(RaySampler, ImportanceAgreesWithThePublishedCode) {
  TestNumbers numbers(21);
  for (const int n_coarse : {3, 4, 17, 96}) {
    for (const int n_fine : {1, 2, 192}) {
      const int n_rays = 10;
      std::vector<float> near, far, t, weights;
      for (int r = 0; r < n_rays; ++r) {
        near.push_back(numbers.next());
        far.push_back(near.back() + 1 + numbers.next());
        for (int k = 0; k < n_coarse; ++k) {
          weights.push_back(numbers.next() < 0.4F ? 0.0F : numbers.next());
        }
      }
      t.resize(n_rays * n_coarse);
      stratified_samples(near, far, n_coarse, {true, 5, 1}, t);
      std::vector<float> fine(n_rays * n_fine);
      importance_samples(near, far, t, weights, n_coarse, n_fine, ImportanceDraw::Independent, {}, fine);
      for (int r = 0; r < n_rays; ++r) {
        const std::vector<float> ray_t(t.begin() + r * n_coarse, t.begin() + (r + 1) * n_coarse);
        const std::vector<float> ray_weights(weights.begin() + r * n_coarse, weights.begin() + (r + 1) * n_coarse);
        for (int k = 0; k < n_fine; ++k) {
          const double u = n_fine == 1 ? 0.5 : static_cast<double>(static_cast<float>(k) / (n_fine - 1.0F));
          const double expected = published_sample(ray_t, ray_weights, u);
          // The result's rounding; where the distribution function is flat (a probability of 1e-5 over an interval)
          // its inverse magnifies the double roundings of u * total by 1e5.
          ASSERT_NEAR(fine[r * n_fine + k], expected, 2 * kRounding * 3 + 1e-9) << n_coarse << ", " << n_fine;
        }
        ASSERT_TRUE(std::is_sorted(fine.begin() + r * n_fine, fine.begin() + (r + 1) * n_fine));
      }
    }
  }
}

TEST(RaySampler, ImportanceFollowsTheWeights) {
  const int n_rays = 500;
  const int n_fine = 64;
  const std::vector<float> one_t = {0, 1, 2, 3, 4, 5};
  const std::vector<float> one_weights = {9, 0.1F, 0.5F, 0, 0.4F, 9};  // the first and last do not count
  std::vector<float> t, weights;
  for (int r = 0; r < n_rays; ++r) {
    t.insert(t.end(), one_t.begin(), one_t.end());
    weights.insert(weights.end(), one_weights.begin(), one_weights.end());
  }
  const std::vector<float> near(n_rays, 0.0F);
  const std::vector<float> far(n_rays, 5.0F);
  for (const ImportanceDraw draw : {ImportanceDraw::Independent, ImportanceDraw::Stratified}) {
    std::vector<float> fine(n_rays * n_fine);
    importance_samples(near, far, t, weights, 6, n_fine, draw, {true, 4, 9}, fine);
    // Quarters of the intervals [0.5, 1.5] (0.1), [1.5, 2.5] (0.5), [3.5, 4.5] (0.4); between them 1e-5.
    std::vector<int> counts(12);
    int n_between = 0;
    for (const float value : fine) {
      ASSERT_GE(value, 0.5F);
      ASSERT_LE(value, 4.5F);
      const int quarter = std::min(15, static_cast<int>((value - 0.5F) * 4));
      if (quarter >= 8 && quarter < 12) {
        ++n_between;
      } else {
        ++counts[quarter < 8 ? quarter : quarter - 4];
      }
    }
    std::vector<double> probability;
    for (const double w : {0.1, 0.5, 0.4}) {
      probability.insert(probability.end(), 4, w / 4);
    }
    EXPECT_LT(chi_square(counts, probability), chi_square_limit(11));
    EXPECT_LT(n_between, 5);  // 0.32 expected
    // Independent numbers scatter as such: a chi-square near 0 would mean that they are not independent.
    if (draw == ImportanceDraw::Independent) {
      EXPECT_GT(chi_square(counts, probability), 1.0);
    } else {
      EXPECT_LT(chi_square(counts, probability), 1.0);
    }
  }
}

TEST(RaySampler, WeightsOfZeroAndSpikes) {
  const std::vector<float> near = {0.0F};
  const std::vector<float> far = {8.0F};
  std::vector<float> t(8);
  stratified_samples(near, far, 8, {}, t);
  std::vector<float> weights(8, 0.0F);
  std::vector<float> fine(5);
  importance_samples(near, far, t, weights, 8, 5, ImportanceDraw::Independent, {}, fine);
  for (int k = 0; k < 5; ++k) {  // evenly from the first border, 1, to the last, 7
    EXPECT_NEAR(fine[k], 1 + 1.5 * k, 1e-6);
  }
  weights[3] = 1.0F;  // t = 3.5, its interval is [3, 4]
  std::vector<float> many(400);
  importance_samples(near, far, t, weights, 8, 400, ImportanceDraw::Stratified, {true, 1, 1}, many);
  EXPECT_GE(std::count_if(many.begin(), many.end(), [](float x) { return x >= 3 && x <= 4; }), 399);
  weights.assign(8, 0.0F);
  weights[0] = weights[7] = 5.0F;  // no interval of their own
  importance_samples(near, far, t, weights, 8, 5, ImportanceDraw::Independent, {}, fine);
  EXPECT_NEAR(fine[2], 4, 1e-6);
}

TEST(RaySampler, TooFewCoarseSamplesMeanUniformFineOnes) {
  const std::vector<float> near = {2.0F, 1.0F};
  const std::vector<float> far = {4.0F, 1.0F};
  for (const int n_coarse : {1, 2}) {
    std::vector<float> t(2 * n_coarse);
    stratified_samples(near, far, n_coarse, {}, t);
    std::vector<float> fine(2 * 5);
    importance_samples(near, far, t, std::vector<float>(2 * n_coarse, 1.0F), n_coarse, 5, ImportanceDraw::Independent,
                       {}, fine);
    EXPECT_EQ(fine, (std::vector<float>{2, 2.5F, 3, 3.5F, 4, 1, 1, 1, 1, 1}));
  }
}

TEST(RaySampler, MergedSamplesAreSorted) {
  const std::vector<float> coarse = {1, 2, 3, 5, 5, 5};
  const std::vector<float> fine = {0.5F, 2, 4, 5};
  std::vector<float> t(10);
  merge_samples(coarse, 3, fine, 2, t);
  EXPECT_EQ(t, (std::vector<float>{0.5F, 1, 2, 2, 3, 4, 5, 5, 5, 5}));
}

TEST(RaySampler, SameBitsOnAnyNumberOfThreads) {
  const int n_rays = 1000;
  const std::vector<float> near(n_rays, 0.25F);
  const std::vector<float> far(n_rays, 1.75F);
  const SampleJitter jitter{true, 8, 3};
  const auto sample = [&](ThreadPool* pool) {
    std::vector<float> t(n_rays * 20);
    stratified_samples(near, far, 20, jitter, t, pool);
    std::vector<float> fine(n_rays * 30);
    importance_samples(near, far, t, t, 20, 30, ImportanceDraw::Independent, jitter, fine, pool);
    std::vector<float> all(n_rays * 50);
    merge_samples(t, 20, fine, 30, all, pool);
    return all;
  };
  ThreadPool pool(3);
  EXPECT_EQ(sample(nullptr), sample(&pool));
}

TEST(RaySampler, ShapesThatDisagreeAreErrors) {
  const std::vector<float> two(2, 0.0F);
  std::vector<float> out(6);
  EXPECT_THROW(stratified_samples(two, two, 0, {}, out), Error);
  EXPECT_THROW(stratified_samples(two, two, 4, {}, out), Error);
  EXPECT_NO_THROW(stratified_samples(two, two, 3, {}, out));
  EXPECT_THROW(stratified_samples(two, two, 3, {true, 0, 0, int64_t{1} << 33}, out), Error);
  EXPECT_THROW(importance_samples(two, two, out, two, 3, 3, ImportanceDraw::Stratified, {}, out), Error);
  EXPECT_THROW(merge_samples(two, 1, two, 0, out), Error);
  EXPECT_THROW(merge_samples(two, 1, two, 1, out), Error);
}

}  // namespace
}  // namespace loe
