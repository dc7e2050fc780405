// Batches that are drawn on the device against those that the samplers fill in, bit for bit, emulated on the CPU.
#include "backend/cuda/drawn_batches.h"

#include <gtest/gtest.h>

#include "backend/cuda/emulated_backend.h"
#include "backend/cuda/executor.h"
#include "backend/cuda/schedules.h"
#include "backend/pixel_sources.h"
#include "loe/base/error.h"

namespace loe::cuda {
namespace {

using test::make_network;
using test::sampling_of;
using test::speckled_image;
using test::speckled_video;
using test::start_on_pixels;
using test::train_on_pixels;
using test::TrainedOnPixels;

using ImageBatch = PixelBatch<ImageSampler>;
using VideoBatch = PixelBatch<VideoSampler>;

TEST(DrawnBatches, RandomWordsAreTheProjects) {
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{0xFEDCBA9876543210}}) {
    for (const uint64_t counter : {uint64_t{0}, uint64_t{77}, uint64_t{0x123456789ABCDEF0}}) {
      for (const uint32_t lane : {0U, 3U, 0xFFFFFFFFU}) {
        const std::array<uint32_t, 4> expected = random_words(seed, RandomStream::Samples, counter, lane);
        const Words found = random_words_in_kernel(seed, RandomStream::Samples, counter, lane);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), found.word)) << seed << ' ' << counter << ' ' << lane;
      }
    }
  }
}

/// All of a batch, then a part of it.
template <class Batch>
void expect_same_samples(Batch& batch, int64_t step) {
  batch.begin_step(step);
  const PixelSamples& pixels = *batch.pixels();
  const Stream stream;
  PixelDrawer drawer;
  EXPECT_FALSE(drawer.holds(pixels));
  drawer.upload(stream, pixels);
  EXPECT_TRUE(drawer.holds(pixels));
  EXPECT_LE(drawer.n_bytes(), PixelDrawer::planned_bytes(pixels));
  drawer.set_step(stream, step);
  drawer.draw(stream);
  const int64_t n = batch.n_samples();
  for (const auto& [first, count] : {std::pair(int64_t{0}, n), std::pair(n / 3, (n + 1) / 2)}) {
    DeviceArray<float> coords(count * pixels.n_dims);
    DeviceArray<float> targets(count * pixels.n_channels);
    drawer.fill(stream, first, count, coords, targets);
    std::vector<float> expected_coords(static_cast<std::size_t>(coords.size()));
    std::vector<float> expected_targets(static_cast<std::size_t>(targets.size()));
    batch.fill(first, count, expected_coords.data(), expected_targets.data());
    EXPECT_TRUE(std::equal(expected_coords.begin(), expected_coords.end(), coords.data()));
    EXPECT_TRUE(std::equal(expected_targets.begin(), expected_targets.end(), targets.data()));
  }
}

TEST(DrawnBatches, PicturesGiveTheSamplersSamples) {
  test::for_each_schedule([] {
    for (const PixelType type : {PixelType::U8, PixelType::U16, PixelType::F16, PixelType::F32}) {
      for (const int n_channels : {1, 3}) {
        SCOPED_TRACE(std::string(to_string(type)) + " " + std::to_string(n_channels));
        const Image image = speckled_image(37, 21, n_channels, type);
        ImageBatch random(image, PixelSampling::RandomPixels, 555, 7);
        for (const int64_t step : {int64_t{0}, int64_t{1}, int64_t{1} << 40}) expect_same_samples(random, step);
        ImageBatch all(image, PixelSampling::AllPixels, 1, 7);
        expect_same_samples(all, 5);
      }
    }
  });
}

TEST(DrawnBatches, EveryValueOfAPixelIsTheHosts) {
  Image bytes(256, 1, 1, PixelType::U8);
  for (int i = 0; i < 256; ++i) bytes.data()[i] = static_cast<std::byte>(i);
  for (const PixelType type : {PixelType::U16, PixelType::F16}) {  // every bit pattern but NaNs, which equal nothing
    Image words(256, 256, 1, type);
    for (int i = 0; i < 65536; ++i) {
      const auto value = static_cast<uint16_t>(type == PixelType::F16 && (i & 0x7C00) == 0x7C00 ? 0 : i);
      std::memcpy(words.data() + 2 * i, &value, 2);
    }
    ImageBatch all(words, PixelSampling::AllPixels, 1, 0);
    expect_same_samples(all, 0);
  }
  ImageBatch all(bytes, PixelSampling::AllPixels, 1, 0);
  expect_same_samples(all, 0);
}

TEST(DrawnBatches, SizesAtTheEdges) {
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(65536, 1), std::pair(3, 1000)}) {
    const Image image = speckled_image(width, height, 2, PixelType::U8);
    ImageBatch random(image, PixelSampling::RandomPixels, 501, 1);
    expect_same_samples(random, 3);
  }
}

TEST(DrawnBatches, VideosGiveTheSamplersSamples) {
  for (const PixelType type : {PixelType::U8, PixelType::U16}) {
    for (const int n_channels : {1, 3}) {
      SCOPED_TRACE(std::string(to_string(type)) + " " + std::to_string(n_channels));
      const Video video = speckled_video(13, 9, 5, n_channels, type);
      VideoBatch random(video, PixelSampling::RandomPixels, 300, 11);
      for (const int64_t step : {0, 4}) expect_same_samples(random, step);
      VideoBatch all(video, PixelSampling::AllPixels, 1, 11);
      expect_same_samples(all, 2);
    }
  }
}

constexpr int64_t kSamples = 150;

/// Embedding, blended layers and plain ones: all that a batch brings along.
NetworkSpec every_kind_of_layer(int n_dims) {
  test::NetworkRecipe recipe{
      .n_dims = n_dims, .input = {.n_frequencies = 2}, .widths = {12, 10}, .tile = {{2, 2, 1, 1}}};
  if (n_dims == 2) recipe.input.embedding = {{7, 5}, 6};
  NetworkSpec spec = make_network(recipe);
  spec.layers[1].interpolation = Interpolation::Linear;
  spec.validate();
  return spec;
}

/// In one session on the host, in one on the device, and in two.
template <class Batch>
void expect_same_training(const NetworkSpec& spec, Precision precision, Batch& batch) {
  const auto make = [&](int n_threads) {
    return test::emulated_cuda_backend().compile(spec, {precision, n_threads, ""});
  };
  TrainedOnPixels expected = start_on_pixels(spec);
  const auto host = make(1);
  train_on_pixels(*host, batch, false, 0, 4, expected);
  const auto device = make(3);
  EXPECT_EQ(sampling_of(*device).reason, "decided at the first step");
  TrainedOnPixels found = start_on_pixels(spec);
  train_on_pixels(*device, batch, true, 0, 4, found);
  EXPECT_TRUE(found == expected);
  EXPECT_EQ(sampling_of(*device).reason, "the signal is on the device");
  EXPECT_NE(found.losses[0], found.losses[1]);
  TrainedOnPixels resumed = start_on_pixels(spec);
  train_on_pixels(*make(2), batch, true, 0, 1, resumed);
  train_on_pixels(*device, batch, true, 1, 4, resumed);  // which has the batch of step 4 ready
  EXPECT_TRUE(resumed == expected);
}

TEST(DrawnBatches, TrainingHasTheSameBits) {
  if (test::kIsEmulationSlow)
    GTEST_SKIP() << "large, and the emulation is slow here; the other tests run the same code";
  const Image image = speckled_image(19, 11, 3, PixelType::U8);
  const Video video = speckled_video(9, 5, 4, 3, PixelType::U16);
  for (const Precision precision : {Precision::F32, Precision::Mixed}) {
    if (test::kIsEmulationSlow && precision != Precision::Mixed) continue;
    SCOPED_TRACE(to_string(precision));
    for (const PixelSampling sampling : {PixelSampling::RandomPixels, PixelSampling::AllPixels}) {
      SCOPED_TRACE(to_string(sampling));
      ImageBatch batch(image, sampling, kSamples, 5);
      expect_same_training(every_kind_of_layer(2), precision, batch);
    }
  }
  VideoBatch batch(video, PixelSampling::RandomPixels, kSamples, 5);
  expect_same_training(every_kind_of_layer(3), Precision::F32, batch);
}

TEST(DrawnBatches, TheOrderOfThreadsDoesNotMatter) {
  const NetworkSpec spec = every_kind_of_layer(2);
  const Image image = speckled_image(19, 11, 3, PixelType::U8);
  ImageBatch batch(image, PixelSampling::RandomPixels, kSamples, 5);
  std::optional<TrainedOnPixels> expected;
  test::for_each_schedule([&] {
    TrainedOnPixels found = start_on_pixels(spec);
    train_on_pixels(*test::emulated_cuda_backend().compile(spec, {}), batch, true, 0, 2, found);
    if (!expected) expected = found;
    EXPECT_TRUE(found == *expected);
  });
}

TEST(DrawnBatches, PiecesOfABatch) {
  const NetworkSpec spec = every_kind_of_layer(2);
  NetworkPlan plan = make_plan(spec, 1);
  plan.piece_rows = 64;
  const Image image = speckled_image(19, 11, 3, PixelType::U16);
  for (const PixelSampling sampling : {PixelSampling::RandomPixels, PixelSampling::AllPixels}) {
    ImageBatch batch(image, sampling, kSamples, 5);
    NetworkExecutor<PlainF32, PlainF32> host(plan, {}, "");
    NetworkExecutor<PlainF32, PlainF32> device(plan, {}, "");
    TrainedOnPixels expected = start_on_pixels(spec);
    TrainedOnPixels found = expected;
    train_on_pixels(host, batch, false, 0, 2, expected);
    train_on_pixels(device, batch, true, 0, 2, found);
    EXPECT_TRUE(found == expected);
  }
}

/// One after another on one executor: another signal of the same size at the same address, another seed, size or rule.
TEST(DrawnBatches, AnotherSignalIsNoticed) {
  const NetworkSpec spec = every_kind_of_layer(2);
  const auto executor = test::emulated_cuda_backend().compile(spec, {});
  Image image = speckled_image(19, 11, 3, PixelType::U8);
  const auto expect_same = [&](PixelSampling sampling, int64_t n_samples, uint64_t seed) {
    ImageBatch batch(image, sampling, n_samples, seed);
    TrainedOnPixels expected = start_on_pixels(spec);
    TrainedOnPixels found = expected;
    train_on_pixels(*test::emulated_cuda_backend().compile(spec, {}), batch, false, 1, 3, expected);
    train_on_pixels(*executor, batch, true, 1, 3, found);
    EXPECT_TRUE(found == expected) << to_string(sampling) << ' ' << n_samples << ' ' << seed;
  };
  expect_same(PixelSampling::RandomPixels, 70, 5);
  image = speckled_image(19, 11, 3, PixelType::U8, 99);
  expect_same(PixelSampling::RandomPixels, 70, 5);
  expect_same(PixelSampling::RandomPixels, 70, 6);
  expect_same(PixelSampling::RandomPixels, 90, 6);
  expect_same(PixelSampling::AllPixels, 90, 6);
}

TEST(DrawnBatches, ASignalThatDoesNotFitStaysOnTheHost) {
  const NetworkSpec spec = every_kind_of_layer(2);
  const Image large = speckled_image(1024, 1500, 3, PixelType::U8);
  ImageBatch batch(large, PixelSampling::RandomPixels, kSamples, 5);
  TrainedOnPixels expected = start_on_pixels(spec);
  TrainedOnPixels found = expected;
  train_on_pixels(*test::emulated_cuda_backend().compile(spec, {}), batch, false, 0, 2, expected);
  const auto executor = test::emulated_cuda_backend().compile(spec, {});
  host_memory_limit() = int64_t{3} << 20;
  train_on_pixels(*executor, batch, true, 0, 2, found);
  host_memory_limit() = std::numeric_limits<int64_t>::max();
  EXPECT_TRUE(found == expected);
  EXPECT_EQ(sampling_of(*executor).kernel, "host threads, copied every step");
  EXPECT_EQ(sampling_of(*executor).reason, "expected 4 MiB for the signal and its batches, the device has 3 MiB free");
}

/// What the network needs comes first.
TEST(DrawnBatches, TheSignalGivesWayToTheNetwork) {
  const NetworkSpec spec = every_kind_of_layer(2);
  const Image image = speckled_image(19, 11, 3, PixelType::U8);
  ImageBatch batch(image, PixelSampling::RandomPixels, kSamples, 5);
  const auto executor = test::emulated_cuda_backend().compile(spec, {});
  TrainedOnPixels trained = start_on_pixels(spec);
  train_on_pixels(*executor, batch, true, 0, 1, trained);
  const int64_t before = executor->memory_bytes();
  std::vector<float> outputs(3 * 4000);
  host_memory_limit() = 1;  // as much after the signal has gone: the emulation does not count
  EXPECT_THROW(executor->forward({4000, test::random_floats(2 * 4000, 0, 1, 1), {}}, outputs), Error);
  host_memory_limit() = std::numeric_limits<int64_t>::max();
  EXPECT_LT(executor->memory_bytes(), before);
  EXPECT_EQ(sampling_of(*executor).reason, "the signal's memory was needed for the network");
  TrainedOnPixels expected = start_on_pixels(spec);
  train_on_pixels(*executor, batch, true, 1, 3, trained);
  train_on_pixels(*test::emulated_cuda_backend().compile(spec, {}), batch, false, 0, 3, expected);
  EXPECT_TRUE(trained == expected);
}

TEST(DrawnBatches, ALossThatIsNotFiniteChangesNothing) {
  const NetworkSpec spec = every_kind_of_layer(2);
  Image image = speckled_image(19, 11, 3, PixelType::F32);
  const float infinite = std::numeric_limits<float>::infinity();
  std::memcpy(image.data(), &infinite, sizeof(infinite));
  ImageBatch batch(image, PixelSampling::AllPixels, 1, 5);
  const auto executor = test::emulated_cuda_backend().compile(spec, {});
  TrainedOnPixels trained = start_on_pixels(spec);
  train_on_pixels(*executor, batch, true, 0, 1, trained);
  EXPECT_FALSE(std::isfinite(trained.losses[0]));
  EXPECT_EQ(trained.state.params, start_on_pixels(spec).state.params);
}

TEST(DrawnBatches, PixelsThatAreNotTheSamplesAreRefused) {
  struct Lying final : SampleSource {
    explicit Lying(PixelSamples said) : said_pixels(std::move(said)) {}
    int64_t n_samples() const override { return kSamples; }
    void fill(int64_t, int64_t, float*, float*) const override {}
    const PixelSamples* pixels() const override { return &said_pixels; }
    PixelSamples said_pixels;
  };
  const NetworkSpec spec = every_kind_of_layer(2);
  const auto executor = test::emulated_cuda_backend().compile(spec, {});
  const Image image = speckled_image(19, 11, 3, PixelType::U8);
  const ImageBatch batch(image, PixelSampling::RandomPixels, kSamples, 5);
  const auto expect_refused = [&](const auto& change) {
    PixelSamples pixels = *batch.pixels();
    change(pixels);
    TrainedOnPixels trained = start_on_pixels(spec);
    executor->set_params(trained.state.params);
    EXPECT_THROW(executor->train_step(Lying(pixels), {.t = 1}, trained.state), Error);
  };
  expect_refused([](PixelSamples& pixels) { pixels.signal = 0; });
  expect_refused([](PixelSamples& pixels) { pixels.n_dims = 3; });
  expect_refused([](PixelSamples& pixels) { pixels.n_channels = 2; });
  expect_refused([](PixelSamples& pixels) { pixels.size[0] = 65537; });
  expect_refused([](PixelSamples& pixels) { pixels.size[2] = 2; });
  expect_refused([](PixelSamples& pixels) { pixels.frames.clear(); });
  expect_refused([](PixelSamples& pixels) { pixels.n_samples = kSamples - 1; });
  expect_refused([](PixelSamples& pixels) { pixels.every_pixel = true; });
}

}  // namespace
}  // namespace loe::cuda
