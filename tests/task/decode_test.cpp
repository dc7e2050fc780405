#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "loe/base/error.h"
#include "task/task_pictures.h"

namespace loe {
namespace {

class DecodeTest : public testing::Test {
 protected:
  DecodeTest() { executor->set_params(initial_params(executor->spec(), 3)); }

  std::vector<float> decode(int source_width, int source_height, const Region& region, int width, int height) {
    std::vector<float> values;
    int next_row = 0;
    decode_image(*executor, source_width, source_height, region, width, height,
                 [&](int first_row, int n_rows, const float* rows) {
                   EXPECT_EQ(first_row, next_row);
                   EXPECT_GE(n_rows, 1);
                   next_row += n_rows;
                   ++n_strips;
                   values.insert(values.end(), rows, rows + std::size_t(n_rows) * width * 3);
                 });
    EXPECT_EQ(next_row, height);
    return values;
  }

  std::vector<float> forward(const std::vector<float>& coords) {
    std::vector<float> outputs(coords.size() / 2 * 3);
    executor->forward({static_cast<int64_t>(coords.size() / 2), coords, {}}, outputs);
    return outputs;
  }

  std::vector<float> forward_at_centres(int width, int height) {
    std::vector<float> coords;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        coords.push_back(pixel_coordinate(x, width));
        coords.push_back(pixel_coordinate(y, height));
      }
    }
    return forward(coords);
  }

  FitConfig config = image_config_from_settings(small_settings(), 3);
  std::unique_ptr<Executor> executor = compile_reference(config);
  int n_strips = 0;
};

TEST_F(DecodeTest, EqualsForwardAtPixelCentres) {
  for (const auto& [width, height] : {std::pair{1, 1}, {5, 1}, {1, 7}, {64, 64}, {70, 33}, {130, 67}}) {
    EXPECT_EQ(decode(width, height, {0, 0, width, height}, width, height), forward_at_centres(width, height))
        << width << "x" << height;
  }
}

TEST_F(DecodeTest, StripsAndChunksJoinWithoutSeams) {
  // 8192 wide: strips of 32 rows, four forward calls each. 3 wide: strips of many rows.
  EXPECT_EQ(decode(8192, 35, {0, 0, 8192, 35}, 8192, 35), forward_at_centres(8192, 35));
  EXPECT_EQ(n_strips, 2);
  EXPECT_EQ(decode(3, 5000, {0, 0, 3, 5000}, 3, 5000), forward_at_centres(3, 5000));
}

TEST_F(DecodeTest, RegionIsAPieceOfTheWhole) {
  const std::vector<float> whole = decode(40, 30, {0, 0, 40, 30}, 40, 30);
  const std::vector<float> piece = decode(40, 30, {7, 11, 13, 9}, 13, 9);
  for (int y = 0; y < 9; ++y) {
    for (int i = 0; i < 13 * 3; ++i) {
      ASSERT_EQ(piece[y * 13 * 3 + i], whole[((y + 11) * 40 + 7) * 3 + i]);
    }
  }
}

TEST_F(DecodeTest, SizeSpreadsCentresOverTheRegion) {
  // Twice the size: the region's first pixel, 7..8 of 40, is read at 7.25 and 7.75; rows at half size at 11 + 1, 11
  // + 3.
  const std::vector<float> values = decode(40, 30, {7, 11, 2, 4}, 4, 2);
  std::vector<float> coords;
  for (const double y : {12.0, 14.0}) {
    for (const double x : {7.25, 7.75, 8.25, 8.75}) {
      coords.push_back(static_cast<float>(x / 40));
      coords.push_back(static_cast<float>(y / 30));
    }
  }
  EXPECT_EQ(values, forward(coords));
}

TEST_F(DecodeTest, RejectsRegionsAndSizesOutside) {
  constexpr int kBig = std::numeric_limits<int>::max();
  for (const Region& region : {Region{0, 0, 0, 5}, Region{0, 0, 5, 0}, Region{-1, 0, 5, 5}, Region{0, -1, 5, 5},
                               Region{36, 0, 5, 5}, Region{0, 26, 5, 5}, Region{0, 0, 41, 5}, Region{kBig, 0, kBig, 5},
                               Region{0, kBig, 5, 5}, Region{0, 0, -5, 5}}) {
    EXPECT_THROW(decode(40, 30, region, 5, 5), Error);
  }
  for (const auto& [width, height] : {std::pair{0, 5}, {5, 0}, {-1, 5}, {65537, 1}, {1, kBig}}) {
    EXPECT_THROW(decode(40, 30, {0, 0, 40, 30}, width, height), Error);
  }
  EXPECT_EQ(n_strips, 0);
}

TEST(Decode, RefusesNetworksOfOtherSignals) {
  NetworkSpec spec;
  spec.n_dims = 3;
  spec.input.n_frequencies = 0;
  LayerSpec head;
  head.name = "head";
  head.n_in = 3;
  head.n_out = 1;
  spec.layers = {head};
  const auto executor = reference_backend().compile(spec, {Precision::F32, 1, ""});
  EXPECT_THROW(decode_image(*executor, 4, 4, {0, 0, 4, 4}, 4, 4, [](int, int, const float*) {}), Error);
}

/// Every output is the constant `value`.
std::unique_ptr<Executor> constant_executor(int n_channels, float value) {
  FitConfig config = image_config_from_settings(small_settings(), n_channels);
  auto executor = compile_reference(config);
  std::vector<float> params(executor->spec().n_params());
  std::fill(params.end() - n_channels, params.end(), value);  // the head's bias
  executor->set_params(params);
  return executor;
}

Image grey_image(PixelType type, float value) {
  Image image(24, 18, 2, type);
  const std::vector<float> row(24 * 2, value);
  for (int y = 0; y < 18; ++y) {
    image.write_row(0, y, 24, row.data());
  }
  return image;
}

TEST(Evaluate, MeasuresTheWholePicture) {
  const Image image = grey_image(PixelType::F32, 0.25F);
  const auto executor = constant_executor(2, 0.75F);
  int n_rows_seen = 0;
  const ImageEvaluation evaluation =
      evaluate_image(*executor, image, [&](int first_row, int n_rows, const float* predicted, const float* target) {
        EXPECT_EQ(first_row, n_rows_seen);
        n_rows_seen += n_rows;
        EXPECT_EQ(predicted[n_rows * 48 - 1], 0.75F);
        EXPECT_EQ(target[n_rows * 48 - 1], 0.25F);
      });
  EXPECT_EQ(n_rows_seen, 18);
  EXPECT_NEAR(evaluation.psnr_db, -10 * std::log10(0.25), 1e-9);
  // Flat pictures: SSIM is the luminance term (2 ab + C1) / (a^2 + b^2 + C1) alone.
  const double luminance = (2 * 0.25 * 0.75 + 1e-4) / (0.0625 + 0.5625 + 1e-4);
  EXPECT_NEAR(evaluation.ssim, luminance, 1e-6);
  EXPECT_NEAR(evaluation.ssim_gaussian, luminance, 1e-6);
}

TEST(Evaluate, ClipsForIntegersOnly) {
  const auto executor = constant_executor(2, 3.0F);
  for (const PixelType type : {PixelType::U8, PixelType::U16, PixelType::F16, PixelType::F32}) {
    const Image image = grey_image(type, 0.0F);
    const bool clips = type == PixelType::U8 || type == PixelType::U16;
    const double expected = clips ? 0 : -10 * std::log10(9.0);
    EXPECT_NEAR(evaluate_image(*executor, image, {}).psnr_db, expected, 1e-9);
    FitConfig config = image_config_from_settings(small_settings(), 2);
    ModelExecutor model(*executor);
    EXPECT_NEAR(ImageProblem(image, config).evaluate_psnr(model).value(), expected, 1e-9);
  }
}

TEST(Evaluate, WhatWasNotMeasuredDoesNotCount) {
  const auto executor = constant_executor(2, 0.75F);
  for (const double range : {1.0, 4.0}) {
    Image image = grey_image(PixelType::F32, 0.25F);
    image.tags.range = {0, range};
    image.no_data.assign(static_cast<std::size_t>(image.n_pixels()), 0);
    const float filled[] = {-5000, 7};
    for (const int x : {0, 5, 23}) {
      image.write_row(x, 9, 1, filled);
      image.no_data[static_cast<std::size_t>(9 * 24 + x)] = 1;
    }
    const double expected = -10 * std::log10(0.25 / (range * range));
    EXPECT_NEAR(evaluate_image(*executor, image, {}).psnr_db, expected, 1e-6);
    ModelExecutor model(*executor);
    const FitConfig config = image_config_from_settings(small_settings(), 2);
    EXPECT_NEAR(ImageProblem(image, config).evaluate_psnr(model).value(), expected, 1e-9);
  }
}

TEST(Evaluate, RefusesAnotherNumberOfChannels) {
  const auto executor = constant_executor(3, 0.0F);
  EXPECT_THROW(evaluate_image(*executor, grey_image(PixelType::U8, 0), {}), Error);
}

}  // namespace
}  // namespace loe
