#include "loe/metric/sliced_wasserstein.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <random>
#include <vector>

#include "metric/laplacian_pyramid.h"
#include "metric/metric_test_helpers.h"

namespace loe {
namespace {

struct Pictures {
  int resolution;
  std::vector<std::vector<uint8_t>> values;
  PictureReader reader() const {
    return {static_cast<int64_t>(values.size()), resolution,
            [this](int64_t index, uint8_t* out) { std::ranges::copy(values[static_cast<std::size_t>(index)], out); }};
  }
};

/// Smooth random waves, with uniform noise of +-amplitude.
Pictures make_pictures(int n, int resolution, int amplitude, unsigned seed) {
  std::mt19937 random(seed);
  Pictures pictures{resolution, {}};
  for (int i = 0; i < n; ++i) {
    std::vector<uint8_t>& values = pictures.values.emplace_back();
    const auto a = static_cast<double>(random() % 100) / 100 * 0.3;
    const auto b = static_cast<double>(random() % 100) / 100 * 0.3;
    for (int y = 0; y < resolution; ++y) {
      for (int x = 0; x < resolution; ++x) {
        for (int c = 0; c < 3; ++c) {
          const int noise = amplitude == 0 ? 0 : static_cast<int>(random() % (2U * amplitude + 1)) - amplitude;
          values.push_back(static_cast<uint8_t>(128 + 60 * std::sin(a * x + b * y + c) + noise));
        }
      }
    }
  }
  return pictures;
}

SlicedWasserstein distance(const Pictures& a, const Pictures& b, SlicedWassersteinOptions options = {16, 64, 3},
                           int n_threads = 2) {
  ThreadPool pool(n_threads);
  return sliced_wasserstein(a.reader(), b.reader(), options, pool);
}

TEST(SlicedWasserstein, EqualSetsHaveDistanceZeroAndOrderPlaysNoPart) {
  const Pictures a = make_pictures(12, 64, 20, 1);
  const Pictures b = make_pictures(12, 64, 5, 2);
  const SlicedWasserstein same = distance(a, a);
  EXPECT_EQ(same.resolutions, (std::vector<int>{64, 32, 16}));
  EXPECT_EQ(same.distances, (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(same.mean, 0);
  Pictures turned = a;
  std::ranges::reverse(turned.values);
  const SlicedWasserstein apart = distance(a, b);
  const SlicedWasserstein reordered = distance(turned, b);
  for (std::size_t level = 0; level < 3; ++level) {
    // Mean and deviation are sums in another order: a change of eps, at most one rounding of a float scale and mean,
    // so of each value (below 10 deviations) by 10 * 2 * 2^-24; in a sum of 147 of weight 1 / 12 on average: 1.5e-5,
    // and the figure is 1000 times the mean of such, whose signs differ.
    EXPECT_NEAR(reordered.distances[level], apart.distances[level], 0.015);
    EXPECT_GT(apart.distances[level], 10);
  }
  EXPECT_LT(distance(a, turned).mean, 0.015);
  EXPECT_DOUBLE_EQ(apart.mean, (apart.distances[0] + apart.distances[1] + apart.distances[2]) / 3);
}

TEST(SlicedWasserstein, GrowsWithAddedNoise) {
  const Pictures clean = make_pictures(16, 32, 2, 5);
  double previous = distance(clean, make_pictures(16, 32, 2, 6)).distances[0];
  for (const int amplitude : {6, 15, 50}) {
    const double next = distance(clean, make_pictures(16, 32, amplitude, 6)).distances[0];
    EXPECT_GT(next, previous) << amplitude;
    previous = next;
  }
}

TEST(SlicedWasserstein, BitsDependNotOnThreadsAndLittleOnTheMemoryLimit) {
  const Pictures a = make_pictures(7, 32, 20, 1);
  const Pictures b = make_pictures(7, 32, 4, 2);
  const SlicedWassersteinOptions options{16, 40, 9};
  const SlicedWasserstein one = distance(a, b, options, 1);
  EXPECT_EQ(one.distances, distance(a, b, options, 3).distances);
  EXPECT_NE(one.distances, distance(a, b, {16, 40, 10}, 1).distances) << "another seed";
  SlicedWassersteinOptions narrow = options;
  narrow.max_memory_bytes = 7 * 16 * 8 * 6;  // 6 directions at once, the last pass with 4
  const SlicedWasserstein passes = distance(a, b, narrow, 1);
  for (std::size_t level = 0; level < 2; ++level) {
    // The product of matrices may add in another order: 147 terms below 10 * (1 / 12), eps 6e-8, times 1000.
    EXPECT_NEAR(passes.distances[level], one.distances[level], 147 * 6e-8 * 1000);
  }
}

TEST(SlicedWasserstein, ChannelsOfOneValueCountAsZero) {
  const Pictures black{16, std::vector(2, std::vector<uint8_t>(16 * 16 * 3, 0))};
  const Pictures grey{16, std::vector(2, std::vector<uint8_t>(16 * 16 * 3, 77))};
  EXPECT_EQ(distance(black, grey).mean, 0);
}

TEST(SlicedWassersteinOfPoints, ShiftedDistributions) {
  ThreadPool pool(2);
  std::mt19937 random(4);
  // Multiples of 1/64 up to 16: sums with the shift are exact in one dimension.
  const auto points = [&](int n) {
    std::vector<float> values;
    for (int i = 0; i < n; ++i) values.push_back(static_cast<float>(random() % 1024) / 64);
    return values;
  };
  const std::vector<float> a = points(1000);
  std::vector<float> shifted = a;
  for (float& value : shifted) value += 2.5F;
  std::ranges::shuffle(shifted, random);
  // In one dimension every unit vector is +-1: the distance is the shift.
  EXPECT_DOUBLE_EQ(sliced_wasserstein_of_points(a, shifted, 1, 8, 0, pool), 2.5);
  // Scaled by 2 around 0, all values >= 0: the mean of the values.
  std::vector<float> doubled = a;
  for (float& value : doubled) value *= 2;
  const double mean = std::accumulate(a.begin(), a.end(), 0.0) / 1000;
  EXPECT_NEAR(sliced_wasserstein_of_points(a, doubled, 1, 8, 0, pool), mean, 1e-12);
  // In d = 3 the mean of |u . s| over the sphere is |s| / 2; its standard deviation |s| / sqrt(12) over 4,000
  // directions leaves 0.46% of |s|, here four times that.
  std::vector<float> in_space = points(3000);
  std::vector<float> moved = in_space;
  for (std::size_t i = 0; i < moved.size(); i += 3) {
    moved[i] += 3;
    moved[i + 2] -= 4;
  }
  EXPECT_NEAR(sliced_wasserstein_of_points(in_space, moved, 3, 4000, 1, pool), 2.5, 4 * 5 / std::sqrt(12 * 4000.0));
}

TEST(LaplacianPyramid, LevelsAddUpAndConstantsHaveNoDetail) {
  std::mt19937 random(8);
  PlanarPicture picture{32, std::vector<float>(3 * 32 * 32)};
  for (float& value : picture.values) value = static_cast<float>(random() % 256);
  std::vector<PlanarPicture> levels = laplacian_pyramid(picture, 2);
  ASSERT_EQ(levels.size(), 2U);
  EXPECT_EQ(levels[1].size, 16);
  EXPECT_EQ(laplacian_level(picture, 0, 2).values, levels[0].values);
  EXPECT_EQ(laplacian_level(picture, 1, 2).values, levels[1].values);
  // level 0 + up(level 1) = picture; subtract_doubled subtracts, so the level is turned first.
  for (float& value : levels[1].values) value = -value;
  subtract_doubled(levels[1], levels[0]);
  for (std::size_t i = 0; i < picture.values.size(); ++i) {
    ASSERT_NEAR(levels[0].values[i], picture.values[i], 1e-4) << i;  // a few roundings of numbers below 512
  }
  std::ranges::fill(picture.values, 200.0F);
  for (const float value : laplacian_level(picture, 0, 2).values) ASSERT_EQ(value, 0);
  EXPECT_EQ(pyramid_sizes(128, 16), (std::vector<int>{128, 64, 32, 16}));
  EXPECT_EQ(pyramid_sizes(50, 16), (std::vector<int>{50, 25}));
  EXPECT_EQ(pyramid_sizes(17, 16), (std::vector<int>{17}));
}

TEST(LaplacianPyramid, FilterIsBinomialAndBordersAreMirrored) {
  // One pixel at (1, 1): halved, pixel (0, 0) sees it at distance 1 on both sides of the mirror: (4 + 4) / 16 an axis;
  // pixel (1, 1), centred at (2, 2), at distance 1: 4 / 16.
  PlanarPicture picture{16, std::vector<float>(3 * 256)};
  picture.values[16 + 1] = 256;
  const PlanarPicture half = halve(picture);
  EXPECT_EQ(half.values[0], 64);
  EXPECT_EQ(half.values[1], 32);
  EXPECT_EQ(half.values[8 + 1], 16);
  EXPECT_EQ(half.values[2], 0);
  // One pixel at (0, 0) of the half size doubles to 1, 1/2, 1/8 times 3/4 along each axis: weights 6/8, 4/8, 1/8.
  PlanarPicture corner{8, std::vector<float>(3 * 64)};
  corner.values[0] = 64;
  PlanarPicture fine{16, std::vector<float>(3 * 256)};
  subtract_doubled(corner, fine);
  EXPECT_EQ(fine.values[0], -36);
  EXPECT_EQ(fine.values[1], -24);
  EXPECT_EQ(fine.values[2], -6);
  EXPECT_EQ(fine.values[16 + 1], -16);
  EXPECT_EQ(fine.values[3], 0);
}

TEST(SlicedWasserstein, RefusesSetsThatDoNotFit) {
  const Pictures a = make_pictures(2, 16, 3, 1);
  const auto refused = [&](const std::string& part, const Pictures& b, SlicedWassersteinOptions options = {1, 1}) {
    expect_refused(ErrorKind::InvalidArgument, part, [&] { distance(a, b, options); });
  };
  refused("got 2 and 1", make_pictures(1, 16, 3, 1));
  refused("got 16 and 32", make_pictures(2, 32, 3, 1));
  refused("n_patches", a, {0, 1});
  refused("n_directions", a, {1, 0});
  const Pictures small = make_pictures(2, 14, 3, 1);
  expect_refused(ErrorKind::InvalidArgument, "16..4096", [&] { distance(small, small); });
}

}  // namespace
}  // namespace loe
