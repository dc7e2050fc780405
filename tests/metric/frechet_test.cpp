#include "loe/metric/frechet.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "metric/metric_test_helpers.h"

namespace loe {
namespace {

/// n vectors of n_features numbers that any language repeats bit for bit.
std::vector<float> make_features(int64_t n, int64_t n_features, int64_t a, int64_t b, int64_t c) {
  std::vector<float> features;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n_features; ++j) {
      features.push_back(static_cast<float>(static_cast<double>((i * i * a + j * b + i * j * c) % 1009) / 1009.0));
    }
  }
  return features;
}

GaussianStatistics statistics_of(const std::vector<float>& features, int64_t n_features, int n_threads = 1) {
  ThreadPool pool(n_threads);
  GaussianAccumulator accumulator(n_features);
  accumulator.add(features, pool);
  return accumulator.statistics(pool);
}

GaussianStatistics diagonal(std::vector<double> mean, const std::vector<double>& variances) {
  const std::size_t n = mean.size();
  GaussianStatistics statistics{10, std::move(mean), std::vector<double>(n * n)};
  for (std::size_t i = 0; i < n; ++i) statistics.covariance[i * n + i] = variances[i];
  return statistics;
}

// Values of numpy 2 and scipy 1, with x = make_features(50, 6, 37, 101, 7), y = (40, 6, 53, 11, 29), z = (4, 6, 37,
// 101, 7), w = (5, 6, 53, 11, 29): numpy.cov(x, rowvar=False), x.mean(0); d(x, y) = ((mx - my)**2).sum() + trace(sx +
// sy - 2 * scipy.linalg.sqrtm(sx @ sy)); for the rank-deficient z and w, whose sqrtm loses half of the digits, the
// trace of the root is the sum of the singular values of zc @ wc.T, where zc = (z - mz) / sqrt(n - 1) (it equals
// sqrtm's for x and y to 1e-15).
TEST(Frechet, EqualsNumpyAndScipy) {
  const GaussianStatistics x = statistics_of(make_features(50, 6, 37, 101, 7), 6);
  const GaussianStatistics y = statistics_of(make_features(40, 6, 53, 11, 29), 6);
  const GaussianStatistics z = statistics_of(make_features(4, 6, 37, 101, 7), 6);
  const GaussianStatistics w = statistics_of(make_features(5, 6, 53, 11, 29), 6);
  EXPECT_EQ(x.count, 50);
  // Sums of 50 numbers below 1: 50 eps.
  EXPECT_NEAR(x.mean[2], 0.4878097153827548, 1e-14);
  EXPECT_NEAR(x.covariance[1 * 6 + 4], 0.005725629371799007, 1e-14);
  EXPECT_EQ(x.covariance[1 * 6 + 4], x.covariance[4 * 6 + 1]);
  // Full rank: the roots of eigenvalues of about 1e-3 with rounding of 1e-17 are good to 1e-15 each.
  EXPECT_NEAR(squared_frechet_distance(x, y), 0.12381917028273626, 1e-13);
  EXPECT_NEAR(squared_frechet_distance(y, x), 0.12381917028273626, 1e-13);
  // Rank-deficient: up to 6 roots of rounding errors, sqrt(1e-17) each, twice.
  EXPECT_NEAR(squared_frechet_distance(z, y), 0.6170873063812097, 5e-8);
  EXPECT_NEAR(squared_frechet_distance(z, w), 0.410890115307765, 5e-8);
  EXPECT_NEAR(squared_frechet_distance(w, z), 0.410890115307765, 5e-8);
}

TEST(Frechet, DiagonalCovariances) {
  // sum of (m1 - m2)^2 + (s1 - s2)^2.
  const GaussianStatistics a = diagonal({1, 2, 3}, {4, 9, 0});
  const GaussianStatistics b = diagonal({1, 4, 0}, {1, 16, 25});
  EXPECT_NEAR(squared_frechet_distance(a, b), 4 + 9 + 1 + 1 + 25, 1e-6);
  EXPECT_NEAR(squared_frechet_distance(a, a), 0, 1e-6);
  EXPECT_NEAR(squared_frechet_distance(diagonal({0}, {0.25}), diagonal({1}, {4})), 1 + 2.25, 1e-14);
}

TEST(Frechet, CommutingCovariances) {
  // Both have the eigenvectors (3, 4) / 5 and (-4, 3) / 5; with eigenvalues (4, 1) and (9, 25): (2 - 3)^2 + (1 - 5)^2.
  const auto rotated = [](double along, double across) {
    return GaussianStatistics{5,
                              {0, 0},
                              {(9 * along + 16 * across) / 25, 12 * (along - across) / 25, 12 * (along - across) / 25,
                               (16 * along + 9 * across) / 25}};
  };
  EXPECT_NEAR(squared_frechet_distance(rotated(4, 1), rotated(9, 25)), 17, 1e-12);
}

TEST(Frechet, OfASetToItselfIsZeroAlsoWithFewerVectorsThanFeatures) {
  const GaussianStatistics few = statistics_of(make_features(8, 40, 37, 101, 7), 40);
  // 40 roots of eigenvalues that should be 0: 40 * sqrt(eps) * largest eigenvalue (about 1).
  EXPECT_LT(squared_frechet_distance(few, few), 40 * 1.5e-8 * 4);
  EXPECT_GE(squared_frechet_distance(few, few), 0);
}

TEST(Frechet, BitsDependNeitherOnThreadsNorOnCalls) {
  const std::vector<float> features = make_features(700, 130, 37, 101, 7);  // three blocks, three panels
  const GaussianStatistics whole = statistics_of(features, 130, 1);
  const GaussianStatistics threads = statistics_of(features, 130, 3);
  EXPECT_EQ(whole.mean, threads.mean);
  EXPECT_EQ(whole.covariance, threads.covariance);
  ThreadPool pool(2);
  GaussianAccumulator accumulator(130);
  for (std::size_t first = 0; first < 700;) {
    const std::size_t n = std::min<std::size_t>(1 + first / 2, 700 - first);
    accumulator.add(std::span(features).subspan(first * 130, n * 130), pool);
    first += n;
    if (first > 1) static_cast<void>(accumulator.statistics(pool));  // looking changes nothing
  }
  EXPECT_EQ(accumulator.count(), 700);
  EXPECT_EQ(accumulator.statistics(pool).covariance, whole.covariance);
}

TEST(Frechet, ALargeMeanCostsNoDigits) {
  // 1000 values 4096 +- 2^-10: exact in float, variance 2^-20 * 1000 / 999.
  std::vector<float> features;
  for (int i = 0; i < 1000; ++i) features.push_back(4096.0F + (i % 2 == 0 ? 0x1p-10F : -0x1p-10F));
  const GaussianStatistics statistics = statistics_of(features, 1);
  EXPECT_DOUBLE_EQ(statistics.mean[0], 4096);
  EXPECT_NEAR(statistics.covariance[0] * 0x1p20, 1000.0 / 999, 1e-12);
}

TEST(Frechet, RefusesWhatIsNoStatistics) {
  ThreadPool pool(1);
  const auto invalid = ErrorKind::InvalidArgument;
  expect_refused(invalid, "1..16384, got 0", [] { GaussianAccumulator accumulator(0); });
  GaussianAccumulator accumulator(2);
  expect_refused(invalid, "a multiple of 2 numbers, got 3", [&] { accumulator.add(std::vector<float>(3), pool); });
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_refused(ErrorKind::Numerical, "number 1 of vector 1", [&] {
    accumulator.add(std::vector<float>{0, 1, 2, nan}, pool);
  });
  EXPECT_EQ(accumulator.count(), 0);
  accumulator.add(std::vector<float>{1, 2}, pool);
  expect_refused(invalid, "at least 2 vectors, got 1", [&] { static_cast<void>(accumulator.statistics(pool)); });
  const GaussianStatistics good = diagonal({0, 0}, {1, 1});
  const auto refused = [&](const std::string& part, const GaussianStatistics& bad) {
    expect_refused(invalid, part, [&] { static_cast<void>(squared_frechet_distance(good, bad)); });
  };
  refused("2 features in both, got 1", diagonal({0}, {1}));
  refused("2 x 2 numbers", {5, {0, 0}, {1, 0, 1}});
  refused("a symmetric matrix", {5, {0, 0}, {1, 0.5, 0.25, 1}});
  refused("finite numbers", {5, {0, 0}, {1, 0, 0, std::nan("")}});
  refused("no negative eigenvalues", {5, {0, 0}, {1, 2, 2, 1}});
}

}  // namespace
}  // namespace loe
