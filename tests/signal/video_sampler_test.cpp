#include "loe/signal/video_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <thread>

#include "base/morton.h"
#include "loe/base/error.h"

namespace loe {
namespace {

/// Every value differs from its neighbours' in space and time, so that a wrong pixel, frame or channel shows.
Video test_video(int width, int height, int n_frames, int n_channels, PixelType type) {
  Video video(width, height, n_channels, type);
  std::vector<float> row(std::size_t(width) * n_channels);
  for (int t = 0; t < n_frames; ++t) {
    Image frame(width, height, n_channels, type);
    for (int y = 0; y < height; ++y) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = static_cast<float>((7 * y + 13 * i + 31 * t) % 251) / 255.0F;
      }
      frame.write_row(0, y, width, row.data());
    }
    video.append(std::move(frame));
  }
  return video;
}

struct Samples {
  std::vector<float> coords;
  std::vector<float> targets;
  bool operator==(const Samples&) const = default;
};

Samples draw(VideoSampler& sampler, int n_channels, int64_t step) {
  sampler.begin_step(step);
  Samples samples{std::vector<float>(3 * sampler.n_samples()), std::vector<float>(n_channels * sampler.n_samples())};
  sampler.fill(0, sampler.n_samples(), samples.coords.data(), samples.targets.data());
  return samples;
}

/// Keys of the samples; fails unless every sample is a pixel's and frame's centre bit for bit, with that pixel's
/// values.
std::vector<uint64_t> checked_keys(const Video& video, const Samples& samples) {
  std::vector<uint64_t> keys;
  std::vector<float> expected(video.n_channels());
  for (std::size_t i = 0; i < samples.coords.size() / 3; ++i) {
    const float* p = &samples.coords[3 * i];
    const auto x = static_cast<int>(p[0] * static_cast<float>(video.width()));
    const auto y = static_cast<int>(p[1] * static_cast<float>(video.height()));
    const auto t = static_cast<int>(p[2] * static_cast<float>(video.n_frames()));
    EXPECT_EQ(p[0], pixel_coordinate(x, video.width()));
    EXPECT_EQ(p[1], pixel_coordinate(y, video.height()));
    EXPECT_EQ(p[2], pixel_coordinate(t, video.n_frames()));
    video.frame(t).read_pixel(x, y, expected.data());
    for (int c = 0; c < video.n_channels(); ++c) {
      EXPECT_EQ(samples.targets[i * video.n_channels() + c], expected[c]) << "sample " << i;
    }
    keys.push_back(morton_key_3(x, y, t));
  }
  return keys;
}

TEST(VideoSampler, AllPixelsVisitsEachPixelOfEachFrameOnceInMortonOrder) {
  for (const auto& [width, height, n_frames] : {std::array{1, 1, 1}, {8, 8, 8}, {5, 1, 3}, {17, 6, 11}, {2, 3, 40}}) {
    const Video video = test_video(width, height, n_frames, 3, PixelType::U8);
    VideoSampler sampler(video, PixelSampling::AllPixels, 7, 0);
    ASSERT_EQ(sampler.n_samples(), video.n_pixels());
    const Samples samples = draw(sampler, 3, 0);
    const std::vector<uint64_t> keys = checked_keys(video, samples);
    EXPECT_TRUE(std::adjacent_find(keys.begin(), keys.end(), std::greater_equal<>()) == keys.end());
    EXPECT_EQ(draw(sampler, 3, 1), samples);
  }
}

TEST(VideoSampler, RandomPixelsAreSortedPixelsOfTheVideo) {
  for (const PixelType type : {PixelType::U8, PixelType::U16}) {
    for (int n_channels = 1; n_channels <= 4; ++n_channels) {
      const Video video = test_video(37, 20, 9, n_channels, type);
      VideoSampler sampler(video, PixelSampling::RandomPixels, 501, 5);
      const std::vector<uint64_t> keys = checked_keys(video, draw(sampler, n_channels, 4));
      EXPECT_EQ(keys.size(), 501U);
      EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
    }
  }
}

TEST(VideoSampler, StepIsAFunctionOfSeedAndStepAlone) {
  const Video video = test_video(50, 40, 20, 1, PixelType::U8);
  VideoSampler a(video, PixelSampling::RandomPixels, 999, 3);
  VideoSampler b(video, PixelSampling::RandomPixels, 999, 3);
  VideoSampler other(video, PixelSampling::RandomPixels, 999, 4);
  const Samples a0 = draw(a, 1, 0);
  const Samples a1 = draw(a, 1, 1);
  EXPECT_EQ(draw(b, 1, 1), a1);
  EXPECT_EQ(draw(a, 1, 0), a0);
  EXPECT_NE(a0, a1);
  EXPECT_NE(draw(other, 1, 0), a0);
}

TEST(VideoSampler, PiecesFromSeveralThreadsMakeTheWhole) {
  const Video video = test_video(64, 48, 5, 3, PixelType::U8);
  VideoSampler sampler(video, PixelSampling::RandomPixels, 1000, 3);
  const Samples whole = draw(sampler, 3, 0);
  Samples pieces{std::vector<float>(3000), std::vector<float>(3000)};
  std::vector<std::thread> threads;
  for (int64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int64_t first = thread * 100; first < 1000; first += 400) {
        sampler.fill(first, 100, pieces.coords.data() + 3 * first, pieces.targets.data() + 3 * first);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(pieces, whole);
}

TEST(VideoSampler, RandomPixelsAreUniformInSpaceAndTime) {
  // 60 cells, 600,000 draws: 10,000 each. Chi-square with 59 degrees of freedom has mean 59, deviation 10.9: 120 is 5.6
  // deviations above.
  const Video video = test_video(5, 4, 3, 1, PixelType::U8);
  VideoSampler sampler(video, PixelSampling::RandomPixels, 6000, 11);
  std::vector<int> counts(60);
  for (int step = 0; step < 100; ++step) {
    const Samples samples = draw(sampler, 1, step);
    for (std::size_t i = 0; i < 6000; ++i) {
      const float* p = &samples.coords[3 * i];
      ++counts[(static_cast<int>(p[2] * 3) * 4 + static_cast<int>(p[1] * 4)) * 5 + static_cast<int>(p[0] * 5)];
    }
  }
  double chi_square = 0;
  for (const int count : counts) {
    chi_square += (count - 10000.0) * (count - 10000.0) / 10000.0;
  }
  EXPECT_LT(chi_square, 120);
  EXPECT_GT(chi_square, 15);  // draws, not a regular pattern
}

TEST(VideoSampler, RejectsBatchesItCannotDraw) {
  const Video video = test_video(4, 4, 2, 1, PixelType::U8);
  for (const int64_t batch : {int64_t{0}, int64_t{-1}, kMaxBatchSize + 1}) {
    try {
      VideoSampler sampler(video, PixelSampling::RandomPixels, batch, 0);
      FAIL() << batch;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
      EXPECT_NE(std::string(error.what()).find("batch_size"), std::string::npos);
    }
  }
  EXPECT_THROW(VideoSampler(Video(), PixelSampling::AllPixels, 1, 0), Error);
}

}  // namespace
}  // namespace loe
