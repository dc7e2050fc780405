#include "loe/signal/no_data.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "loe/base/error.h"

namespace loe {
namespace {

/// Values of one channel, NaN where there are none.
Image picture(int width, int height, const std::vector<float>& values, PixelType type = PixelType::F32) {
  Image image(width, height, 1, type);
  for (int y = 0; y < height; ++y) image.write_row(0, y, width, values.data() + std::ptrdiff_t{y} * width);
  for (const float value : values) image.no_data.push_back(std::isnan(value) ? 1 : 0);
  return image;
}

std::vector<float> values_of(const Image& image) {
  std::vector<float> values(static_cast<std::size_t>(image.n_pixels()) * static_cast<std::size_t>(image.n_channels()));
  for (int y = 0; y < image.height(); ++y) {
    image.read_row(0, y, image.width(), values.data() + std::ptrdiff_t{y} * image.width() * image.n_channels());
  }
  return values;
}

TEST(NoData, IsInterpolatedFromCoarserLevels) {
  Image line = picture(4, 1, {0, NAN, NAN, 4});
  EXPECT_EQ(n_measured(line), 2);
  fill_no_data(line);
  EXPECT_EQ(values_of(line), (std::vector<float>{0, 1, 3, 4}));  // a quarter and three quarters between the pairs
  EXPECT_EQ(line.no_data, (std::vector<uint8_t>{0, 1, 1, 0}));
  Image alone = picture(5, 3, [] {
    std::vector<float> values(15, NAN);
    values[7] = -9;
    return values;
  }());
  fill_no_data(alone);
  EXPECT_EQ(values_of(alone), std::vector<float>(15, -9));
}

TEST(NoData, HoleInARampIsSmoothAndWithinIt) {
  constexpr int kWidth = 37;
  constexpr int kHeight = 29;
  std::vector<float> ramp;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) ramp.push_back(0.02F * static_cast<float>(x) + 0.01F * static_cast<float>(y));
  }
  std::vector<float> holed = ramp;
  for (int y = 8; y < 20; ++y) {
    for (int x = 10; x < 24; ++x) holed[static_cast<std::size_t>(y * kWidth + x)] = NAN;
  }
  Image image = picture(kWidth, kHeight, holed);
  fill_no_data(image);
  const std::vector<float> filled = values_of(image);
  for (std::size_t i = 0; i < ramp.size(); ++i) {
    if (!std::isnan(holed[i])) {
      ASSERT_EQ(filled[i], ramp[i]);
    } else {
      EXPECT_NEAR(filled[i], ramp[i], 0.12) << i;  // half of what the ramp climbs across the hole
    }
  }
}

TEST(NoData, OfIntegersAndHalvesStaysAtTheirDepth) {
  for (const PixelType type : {PixelType::U8, PixelType::U16, PixelType::F16}) {
    Image image = picture(2, 2, {0.25F, 0.75F, 0.25F, NAN}, type);
    const Image before = image;
    fill_no_data(image);
    EXPECT_NEAR(values_of(image)[3], (0.25 + 0.75 + 0.25) / 3, 0.003) << to_string(type);
    EXPECT_EQ(std::memcmp(image.data(), before.data(), 3 * static_cast<std::size_t>(bytes_per_value(type))), 0);
  }
}

TEST(NoData, AlphaSaysWhereAndStays) {
  Image image(2, 1, 2, PixelType::F32);
  image.tags.alpha = AlphaKind::Associated;
  const float values[] = {NAN, 0, 5, 1};
  image.write_row(0, 0, 2, values);
  image.no_data = {1, 0};
  fill_no_data(image);
  EXPECT_EQ(values_of(image), (std::vector<float>{5, 0, 5, 1}));
}

TEST(NoData, PictureWithoutAnyIsLeftAloneAndOneOfNothingElseRefused) {
  Image plain(2, 1, 1, PixelType::U8);
  EXPECT_EQ(n_measured(plain), 2);
  fill_no_data(plain);
  EXPECT_TRUE(plain.no_data.empty());
  Image nothing = picture(2, 1, {NAN, NAN});
  EXPECT_EQ(n_measured(nothing), 0);
  EXPECT_THROW(fill_no_data(nothing), Error);
}

}  // namespace
}  // namespace loe
