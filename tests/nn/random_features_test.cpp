#include "loe/nn/random_features.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backend/network_builders.h"
#include "loe/base/error.h"

namespace loe {
namespace {

std::vector<float> pictures_of(int64_t n, MapSize size, uint64_t seed) {
  test::Uniform uniform(seed);
  std::vector<float> pictures(n * 3 * size.n_pixels());
  for (float& value : pictures) value = static_cast<float>(uniform(-1, 1));
  return pictures;
}

std::vector<float> features_of(const std::string& device, int n_threads, int64_t n, MapSize size,
                               const std::vector<float>& pictures) {
  std::vector<float> features(n * kNumRandomFeatures, 99.0F);
  RandomFeatures(device, n_threads).compute({n, size, pictures}, features);
  return features;
}

TEST(RandomFeatures, AreThoseOfTheReference) {
  const MapSize size{13, 18};
  const std::vector<float> pictures = pictures_of(3, size, 1);
  const std::vector<float> expected = features_of("reference", 1, 3, size, pictures);
  const std::vector<float> found = features_of("cpu", 2, 3, size, pictures);
  double difference = 0;
  double square = 0;
  for (size_t k = 0; k < expected.size(); ++k) {
    difference += std::pow(found[k] - expected[k], 2);
    square += std::pow(expected[k], 2);
  }
  EXPECT_GT(square, 1);
  // Sums of up to 576 products in f32 through 4 layers: 4 sqrt(576) units of 2^-24, in the norm.
  EXPECT_LE(std::sqrt(difference), 4 * 24 * 0x1p-24 * std::sqrt(square));
}

TEST(RandomFeatures, BitsDoNotDependOnThreads) {
  const MapSize size{16, 16};
  const std::vector<float> pictures = pictures_of(37, size, 2);
  const std::vector<float> one = features_of("cpu", 1, 37, size, pictures);
  EXPECT_EQ(features_of("cpu", 2, 37, size, pictures), one);
  EXPECT_EQ(features_of("cpu", 5, 37, size, pictures), one);
}

TEST(RandomFeatures, AreMeansAndDeviationsOfEachPicture) {
  // One pixel: every map is one pixel, so that all deviations are 0, and a picture twice as bright has twice the means
  // (no biases, and LeakyReLU commutes with a positive factor).
  const std::vector<float> pictures = {0.25F, -0.5F, 0.125F, 0.5F, -1.0F, 0.25F};
  const std::vector<float> features = features_of("reference", 1, 2, {1, 1}, pictures);
  int offset = 0;
  for (const int width : kRandomFeatureWidths) {
    for (int c = 0; c < width; ++c) {
      EXPECT_EQ(features[kNumRandomFeatures + offset + c], 2 * features[offset + c]);
      EXPECT_NE(features[offset + c], 0);
      EXPECT_EQ(features[offset + width + c], 0);
    }
    offset += 2 * width;
  }
  EXPECT_EQ(offset, kNumRandomFeatures);
  // Larger pictures vary over their positions.
  const std::vector<float> large = features_of("reference", 1, 1, {16, 16}, pictures_of(1, {16, 16}, 3));
  for (int c = 0; c < 16; ++c) EXPECT_GT(large[16 + c], 0);
}

TEST(RandomFeatures, ErrorsSayWhatWasExpected) {
  RandomFeatures network("cpu", 1);
  const std::vector<float> pictures(2 * 3 * 16);
  std::vector<float> features(2 * kNumRandomFeatures);
  EXPECT_THROW(network.compute({3, {4, 4}, pictures}, features), Error);
  EXPECT_THROW(network.compute({2, {4, 5}, pictures}, features), Error);
  EXPECT_THROW(network.compute({2, {4, 4}, pictures}, std::span(features).first(9)), Error);
  network.compute({0, {4, 4}, {}}, {});
}

}  // namespace
}  // namespace loe
