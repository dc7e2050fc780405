#include "loe/signal/image_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <thread>
#include <vector>

#include "base/morton.h"
#include "loe/base/error.h"

namespace loe {
namespace {

/// Every value differs from its neighbours', so that a wrong pixel or channel shows.
Image test_image(int width, int height, int n_channels, PixelType type) {
  Image image(width, height, n_channels, type);
  std::vector<float> row(std::size_t(width) * n_channels);
  for (int y = 0; y < height; ++y) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = static_cast<float>((7 * y + 13 * i) % 251) / 255.0F;
    }
    image.write_row(0, y, width, row.data());
  }
  return image;
}

struct Samples {
  std::vector<float> coords;
  std::vector<float> targets;
  bool operator==(const Samples&) const = default;
};

Samples take(const ImageSampler& sampler, int n_channels, int64_t first, int64_t count) {
  Samples samples{std::vector<float>(2 * count), std::vector<float>(n_channels * count)};
  sampler.fill(first, count, samples.coords.data(), samples.targets.data());
  return samples;
}

Samples draw(ImageSampler& sampler, int n_channels, int64_t step) {
  sampler.begin_step(step);
  return take(sampler, n_channels, 0, sampler.n_samples());
}

struct Pixel {
  int x = 0;
  int y = 0;
};

/// The pixel whose centre a coordinate pair is; fails unless it is one bit for bit.
Pixel pixel_of(const Image& image, const float* coords) {
  const Pixel pixel{static_cast<int>(coords[0] * static_cast<float>(image.width())),
                    static_cast<int>(coords[1] * static_cast<float>(image.height()))};
  EXPECT_EQ(coords[0], pixel_coordinate(pixel.x, image.width()));
  EXPECT_EQ(coords[1], pixel_coordinate(pixel.y, image.height()));
  return pixel;
}

void expect_targets_are_pixels(const Image& image, const Samples& samples) {
  std::vector<float> expected(image.n_channels());
  for (std::size_t i = 0; i < samples.coords.size() / 2; ++i) {
    const Pixel pixel = pixel_of(image, &samples.coords[2 * i]);
    image.read_pixel(pixel.x, pixel.y, expected.data());
    for (int c = 0; c < image.n_channels(); ++c) {
      ASSERT_EQ(samples.targets[i * image.n_channels() + c], expected[c]) << "sample " << i << " channel " << c;
    }
  }
}

std::vector<uint32_t> keys_of(const Image& image, const Samples& samples) {
  std::vector<uint32_t> keys;
  for (std::size_t i = 0; i < samples.coords.size() / 2; ++i) {
    const Pixel pixel = pixel_of(image, &samples.coords[2 * i]);
    keys.push_back(morton_key(pixel.x, pixel.y));
  }
  return keys;
}

TEST(Morton, KeyGivesBackColumnAndRow) {
  EXPECT_EQ(morton_key(1, 0), 1U);
  EXPECT_EQ(morton_key(0, 1), 2U);
  EXPECT_EQ(morton_key(3, 1), 7U);
  EXPECT_EQ(morton_key(65535, 65535), std::numeric_limits<uint32_t>::max());
  for (const uint32_t column : {0U, 1U, 5U, 255U, 4097U, 40000U, 65535U}) {
    for (const uint32_t row : {0U, 2U, 300U, 21845U, 65535U}) {
      EXPECT_EQ(morton_column(morton_key(column, row)), column);
      EXPECT_EQ(morton_row(morton_key(column, row)), row);
    }
  }
}

TEST(ImageSampler, AllPixelsVisitsEachPixelOnceInMortonOrder) {
  for (const auto& [width, height] : {std::pair{1, 1}, {8, 8}, {1, 5}, {5, 1}, {17, 3}, {31, 33}, {64, 20}}) {
    const Image image = test_image(width, height, 3, PixelType::U8);
    ImageSampler sampler(image, PixelSampling::AllPixels, 7, 0);
    ASSERT_EQ(sampler.n_samples(), image.n_pixels());
    const Samples samples = draw(sampler, 3, 0);
    const std::vector<uint32_t> keys = keys_of(image, samples);
    // Strictly ascending and complete: every pixel exactly once.
    EXPECT_TRUE(std::adjacent_find(keys.begin(), keys.end(), std::greater_equal<>()) == keys.end());
    EXPECT_EQ(static_cast<int64_t>(keys.size()), image.n_pixels());
    expect_targets_are_pixels(image, samples);
    EXPECT_EQ(draw(sampler, 3, 1), samples);
  }
}

TEST(ImageSampler, LongThinPicturesAreCheap) {
  // A walk over the enclosing square would visit 2^32 keys.
  const Image image = test_image(65536, 1, 1, PixelType::U8);
  ImageSampler sampler(image, PixelSampling::AllPixels, 1, 0);
  const Samples samples = draw(sampler, 1, 0);
  EXPECT_EQ(samples.coords[2 * 65535], pixel_coordinate(65535, 65536));
}

TEST(ImageSampler, RandomPixelsAreSortedPixelsOfThePicture) {
  for (const auto& [width, height] : {std::pair{1, 1}, {3, 7}, {100, 37}, {2048, 1030}}) {
    const Image image = test_image(width, height, 3, PixelType::U8);
    for (const int64_t batch : {1, 2, 3, 1001}) {
      ImageSampler sampler(image, PixelSampling::RandomPixels, batch, 5);
      const Samples samples = draw(sampler, 3, 4);
      const std::vector<uint32_t> keys = keys_of(image, samples);
      EXPECT_EQ(static_cast<int64_t>(keys.size()), batch);
      EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
      expect_targets_are_pixels(image, samples);
    }
  }
}

TEST(ImageSampler, DepthsAndChannels) {
  for (const PixelType type : {PixelType::U8, PixelType::U16, PixelType::F16, PixelType::F32}) {
    for (int n_channels = 1; n_channels <= 4; ++n_channels) {
      const Image image = test_image(9, 6, n_channels, type);
      ImageSampler sampler(image, PixelSampling::RandomPixels, 200, 1);
      expect_targets_are_pixels(image, draw(sampler, n_channels, 0));
    }
  }
}

TEST(ImageSampler, StepIsAFunctionOfSeedAndStepAlone) {
  const Image image = test_image(50, 40, 1, PixelType::U8);
  ImageSampler a(image, PixelSampling::RandomPixels, 999, 3);
  ImageSampler b(image, PixelSampling::RandomPixels, 999, 3);
  ImageSampler other(image, PixelSampling::RandomPixels, 999, 4);
  const Samples a0 = draw(a, 1, 0);
  const Samples a1 = draw(a, 1, 1);
  EXPECT_EQ(draw(b, 1, 1), a1);  // without having seen step 0
  EXPECT_EQ(draw(a, 1, 0), a0);  // going back
  EXPECT_NE(a0, a1);
  EXPECT_NE(draw(other, 1, 0), a0);
}

TEST(ImageSampler, PiecesFromSeveralThreadsMakeTheWhole) {
  const Image image = test_image(64, 48, 3, PixelType::U16);
  ImageSampler sampler(image, PixelSampling::RandomPixels, 1000, 3);
  const Samples whole = draw(sampler, 3, 0);
  Samples pieces{std::vector<float>(2000), std::vector<float>(3000)};
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t first = t * 100; first < 1000; first += 400) {
        sampler.fill(first, 100, pieces.coords.data() + 2 * first, pieces.targets.data() + 3 * first);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(pieces, whole);
}

TEST(ImageSampler, RandomPixelsAreUniform) {
  // 35 pixels, 700,000 draws: counts are Poisson-like around 20,000 with deviation 141. Chi-square with 34 degrees of
  // freedom has mean 34, deviation 8.2: 80 is 5.6 deviations above.
  const Image image = test_image(7, 5, 1, PixelType::U8);
  ImageSampler sampler(image, PixelSampling::RandomPixels, 7000, 11);
  std::vector<int> counts(35);
  for (int step = 0; step < 100; ++step) {
    const Samples samples = draw(sampler, 1, step);
    for (std::size_t i = 0; i < 7000; ++i) {
      const Pixel pixel = pixel_of(image, &samples.coords[2 * i]);
      ++counts[pixel.y * 7 + pixel.x];
    }
  }
  double chi_square = 0;
  for (const int count : counts) {
    chi_square += (count - 20000.0) * (count - 20000.0) / 20000.0;
  }
  EXPECT_LT(chi_square, 80);
  EXPECT_GT(chi_square, 5);  // draws, not a regular pattern
}

TEST(ImageSampler, RejectsBatchesItCannotDraw) {
  const Image image = test_image(4, 4, 1, PixelType::U8);
  for (const int64_t batch : {int64_t{0}, int64_t{-1}, kMaxBatchSize + 1}) {
    try {
      ImageSampler sampler(image, PixelSampling::RandomPixels, batch, 0);
      FAIL() << batch;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
      EXPECT_NE(std::string(error.what()).find("batch_size"), std::string::npos);
    }
  }
  EXPECT_THROW(ImageSampler(Image(), PixelSampling::AllPixels, 1, 0), Error);
}

}  // namespace
}  // namespace loe
