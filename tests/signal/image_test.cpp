#include "loe/signal/image.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/half.h"
#include "loe/base/error.h"

namespace loe {
namespace {

float stored_as(PixelType type, float value) {
  Image image(1, 1, 1, type);
  image.write_row(0, 0, 1, &value);
  float out = 0;
  image.read_pixel(0, 0, &out);
  return out;
}

TEST(Image, RefusesSizesOutOfRange) {
  EXPECT_THROW(Image(0, 1, 1, PixelType::U8), Error);
  EXPECT_THROW(Image(1, 65537, 1, PixelType::U8), Error);
  EXPECT_THROW(Image(-1, 1, 1, PixelType::U8), Error);
  EXPECT_THROW(Image(1, 1, 0, PixelType::U8), Error);
  EXPECT_THROW(Image(1, 1, 5, PixelType::U8), Error);
  EXPECT_EQ(Image(65536, 1, 4, PixelType::F32).n_bytes(), 65536U * 16);
}

TEST(Image, IsRowMajorWithInterleavedChannels) {
  Image image(5, 3, 2, PixelType::U16);
  EXPECT_EQ(image.n_bytes(), 5U * 3 * 2 * 2);
  const float pixels[] = {0.0F, 1.0F, 0.5F, 0.25F};
  image.write_row(3, 2, 2, pixels);
  uint16_t stored[4];
  std::memcpy(stored, image.data() + ((2 * 5 + 3) * 2) * 2, sizeof(stored));
  EXPECT_EQ(stored[0], 0);
  EXPECT_EQ(stored[1], 65535);
  EXPECT_EQ(stored[2], 32768) << "0.5 * 65535 = 32767.5 rounds half up";
  EXPECT_EQ(stored[3], 16384);
  EXPECT_EQ(image.row(2), image.data() + 2 * 5 * 2 * 2);
  float out[2];
  image.read_pixel(4, 2, out);
  EXPECT_EQ(out[0], 32768.0F / 65535.0F);
  EXPECT_EQ(out[1], 16384.0F / 65535.0F);
  float row[10];
  image.read_row(0, 2, 5, row);
  EXPECT_EQ(row[7], 1.0F);
  EXPECT_EQ(row[0], 0.0F);
}

TEST(Image, EveryIntegerComesBack) {
  for (int k = 0; k < 256; ++k) {
    const float value = static_cast<float>(k) / 255.0F;
    EXPECT_EQ(stored_as(PixelType::U8, value), value);
  }
  for (int k = 0; k < 65536; ++k) {
    const float value = static_cast<float>(k) / 65535.0F;
    ASSERT_EQ(stored_as(PixelType::U16, value), value);
  }
}

TEST(Image, IntegersAreClippedAndRoundedHalfUp) {
  EXPECT_EQ(stored_as(PixelType::U8, -1.0F), 0.0F);
  EXPECT_EQ(stored_as(PixelType::U8, 2.0F), 1.0F);
  EXPECT_EQ(stored_as(PixelType::U8, std::numeric_limits<float>::infinity()), 1.0F);
  EXPECT_EQ(stored_as(PixelType::U8, -std::numeric_limits<float>::infinity()), 0.0F);
  EXPECT_EQ(stored_as(PixelType::U8, std::nanf("")), 0.0F);
  // 127.5 exactly, and the float below it.
  EXPECT_EQ(stored_as(PixelType::U8, 0.5F), 128.0F / 255.0F);
  EXPECT_EQ(stored_as(PixelType::U8, std::nextafter(0.5F, 0.0F)), 127.0F / 255.0F);
}

TEST(Image, FloatsAreTakenAsTheyAre) {
  for (const float value : {-3.5F, 0.1F, 1e30F, -0.0F}) {
    EXPECT_EQ(stored_as(PixelType::F32, value), value);
  }
  EXPECT_EQ(stored_as(PixelType::F16, -3.5F), -3.5F);
  EXPECT_EQ(stored_as(PixelType::F16, 0.1F), 0x1.998p-4F);
  EXPECT_EQ(stored_as(PixelType::F16, 1e30F), std::numeric_limits<float>::infinity());
}

TEST(Half, EveryPatternComesBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = half_to_float(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value))));
    } else {
      ASSERT_EQ(float_to_half(value), half) << bits;
    }
  }
  EXPECT_EQ(half_to_float(0x0001), 0x1p-24F);
  EXPECT_EQ(half_to_float(0x3555), 0x1.554p-2F);
  EXPECT_EQ(half_to_float(0xFC00), -std::numeric_limits<float>::infinity());
}

TEST(Half, RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7BFF; ++bits) {
    // Between two neighbours: their middle goes to the even one, a hair beside it to the nearer one.
    const float low = half_to_float(static_cast<uint16_t>(bits));
    const float high = half_to_float(static_cast<uint16_t>(bits + 1));
    const float middle = (low + high) / 2;
    ASSERT_EQ(float_to_half(middle), bits % 2 == 0 ? bits : bits + 1) << bits;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0F)), bits) << bits;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 1e9F)), bits + 1) << bits;
  }
  EXPECT_EQ(float_to_half(65519.996F), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0F), 0x7C00);
  EXPECT_EQ(float_to_half(-1e-10F), 0x8000);
}

TEST(Image, TypeNamesGoBothWays) {
  for (const PixelType type : {PixelType::U8, PixelType::U16, PixelType::F16, PixelType::F32}) {
    EXPECT_EQ(pixel_type_from_string(to_string(type)), type);
  }
  EXPECT_THROW(pixel_type_from_string("u9"), Error);
}

TEST(Image, PixelCoordinatesAreCentres) {
  EXPECT_EQ(pixel_coordinate(0, 1), 0.5F);
  EXPECT_EQ(pixel_coordinate(0, 4), 0.125F);
  EXPECT_EQ(pixel_coordinate(65535, 65536), static_cast<float>(65535.5 / 65536));
}

}  // namespace
}  // namespace loe
