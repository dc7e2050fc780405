#include "loe/io/image_edit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "io/io_test_helpers.h"
#include "loe/base/error.h"

namespace loe {
namespace {

float value(const Image& image, int x, int y, int channel) {
  std::vector<float> pixel(image.n_channels());
  image.read_pixel(x, y, pixel.data());
  return pixel[channel];
}

/// Every value is different, on an odd lattice.
Image ramp_image(int width, int height, int n_channels, PixelType type) {
  Image image(width, height, n_channels, type);
  image.tags.color_space = "Linear";
  std::vector<float> row(static_cast<std::size_t>(width) * n_channels);
  for (int y = 0; y < height; ++y) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = static_cast<float>((y * 37 + i * 11) % 256) / 255.0F;
    }
    image.write_row(0, y, width, row.data());
  }
  return image;
}

TEST(CropImage, TakesTheRectangle) {
  for (const PixelType type : {PixelType::U8, PixelType::U16, PixelType::F16, PixelType::F32}) {
    const Image image = ramp_image(13, 9, 3, type);
    const Image cut = crop_image(image, 4, 2, 7, 5);
    ASSERT_EQ(cut.width(), 7);
    ASSERT_EQ(cut.height(), 5);
    EXPECT_EQ(cut.type(), type);
    EXPECT_EQ(cut.tags.color_space, "Linear");
    for (int y = 0; y < 5; ++y) {
      for (int x = 0; x < 7; ++x) {
        for (int c = 0; c < 3; ++c) {
          ASSERT_EQ(value(cut, x, y, c), value(image, x + 4, y + 2, c));
        }
      }
    }
  }
}

TEST(CropImage, RefusesWhatLeavesThePicture) {
  const Image image = ramp_image(13, 9, 1, PixelType::U8);
  for (const std::array<int, 4> r : {std::array<int, 4>{0, 0, 14, 9},
                                     {0, 0, 0, 9},
                                     {-1, 0, 3, 3},
                                     {12, 0, 2, 1},
                                     {2'000'000'000, 0, 2'000'000'000, 1}}) {
    expect_error(ErrorKind::InvalidArgument, "data.crop", [&] { crop_image(image, r[0], r[1], r[2], r[3]); });
  }
}

TEST(ResizeImage, WholeFactorsAverageBlocks) {
  for (const PixelType type : {PixelType::U8, PixelType::U16, PixelType::F32}) {
    const Image image = ramp_image(24, 12, 3, type);
    const Image small = resize_image(image, 8, 3);
    EXPECT_EQ(small.type(), type);
    EXPECT_EQ(small.tags.color_space, "Linear");
    const double half_step = type == PixelType::U8 ? 0.5 / 255 : type == PixelType::U16 ? 0.5 / 65535 : 0;
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < 8; ++x) {
        for (int c = 0; c < 3; ++c) {
          double sum = 0;
          for (int j = 0; j < 12; ++j) sum += value(image, 3 * x + j % 3, 4 * y + j / 3, c);
          ASSERT_NEAR(value(small, x, y, c), sum / 12, half_step + 1e-6) << x << ' ' << y << ' ' << c;
        }
      }
    }
  }
}

TEST(ResizeImage, EnlargingIsLinearBetweenPixels) {
  // A ramp along x stays one away from the edges; pixel centres of both sizes lie at (j + 0.5) / size.
  Image image(8, 2, 1, PixelType::F32);
  std::vector<float> row = {0, 1, 2, 3, 4, 5, 6, 7};
  for (int y = 0; y < 2; ++y) image.write_row(0, y, 8, row.data());
  const Image large = resize_image(image, 20, 5);
  for (int y = 0; y < 5; ++y) {
    for (int x = 2; x < 18; ++x) {
      ASSERT_NEAR(value(large, x, y, 0), (x + 0.5) * 8 / 20 - 0.5, 1e-5) << x;
    }
  }
}

TEST(ResizeImage, SameSizeIsTheSamePicture) {
  const Image image = ramp_image(5, 4, 2, PixelType::U8);
  const Image same = resize_image(image, 5, 4);
  EXPECT_TRUE(std::equal(image.data(), image.data() + image.n_bytes(), same.data()));
}

TEST(ImageEdit, WhatWasNotMeasuredGoesAlong) {
  Image image = ramp_image(6, 4, 1, PixelType::F32);
  image.no_data.assign(24, 0);
  for (const int i : {1 * 6 + 2, 1 * 6 + 3, 2 * 6 + 2, 2 * 6 + 3}) image.no_data[static_cast<std::size_t>(i)] = 1;
  EXPECT_EQ(crop_image(image, 1, 1, 2, 2).no_data, (std::vector<uint8_t>{0, 1, 0, 1}));
  EXPECT_TRUE(crop_image(image, 4, 0, 2, 4).no_data.empty());
  // A third of the width, half the height: centres are at columns 1 and 4, or at 3, rows 1 and 3.
  EXPECT_TRUE(resize_image(image, 2, 2).no_data.empty());
  EXPECT_EQ(resize_image(image, 1, 2).no_data, (std::vector<uint8_t>{1, 0}));
  const Image large = resize_image(image, 12, 8);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 12; ++x) EXPECT_EQ(large.is_measured(x, y), image.is_measured(x / 2, y / 2)) << x << ' ' << y;
  }
}

TEST(ResizeImage, RefusesSizes) {
  const Image image = ramp_image(5, 4, 1, PixelType::U8);
  expect_error(ErrorKind::InvalidArgument, "data.size", [&] { resize_image(image, 0, 4); });
  expect_error(ErrorKind::InvalidArgument, "data.size", [&] { resize_image(image, 5, 65537); });
}

}  // namespace
}  // namespace loe
