// The CUDA backend on a real device; skipped, with the reason, where there is none. tests/backend puts the device
// beside the reference in every case of its own too, if there is one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend/cuda/emulated_backend.h"
#include "backend/network_builders.h"
#include "backend/pixel_sources.h"
#include "loe/backend/backend.h"

namespace loe {
namespace {

using test::ArraySource;
using test::make_network;
using test::random_floats;
using test::random_params;

class Gpu : public testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }
};

struct Trained {
  ParamState state;
  std::vector<double> losses;
  std::vector<float> outputs;
};

Trained train(Executor& executor, int64_t n_samples, int n_steps) {
  const NetworkSpec& spec = executor.spec();
  const ArraySource source(random_floats(n_samples * spec.n_dims, 0, 1, 1),
                           random_floats(n_samples * spec.n_out(), 0, 1, 2), n_samples);
  const auto n_params = static_cast<std::size_t>(spec.n_params());
  Trained trained{{random_params(spec, 3), std::vector<float>(n_params), std::vector<float>(n_params)}, {}, {}};
  executor.set_params(trained.state.params);
  for (int t = 1; t <= n_steps; ++t) {
    trained.losses.push_back(executor.train_step(source, {.learning_rate = 0.005, .t = t}, trained.state));
  }
  executor.download(trained.state);
  trained.outputs.resize(static_cast<std::size_t>(n_samples * spec.n_out()));
  executor.forward({n_samples, random_floats(n_samples * spec.n_dims, 0, 1, 4), {}}, trained.outputs);
  return trained;
}

/// Go through all layers in one kernel: Table 5's kind of network, and one whose tiles are ragged.
std::vector<NetworkSpec> narrow() {
  return {make_network({.input = {.n_frequencies = 9}, .widths = {64, 64, 64, 64}, .n_out = 1}),
          make_network({.input = {.n_frequencies = 8, .embedding = {{40, 50}, 12}},
                        .widths = {64, 64, 33},
                        .tile = {{4, 4, 1, 1}},
                        .first_scale = 4})};
}

NetworkSpec wide() {
  return make_network({.input = {.n_frequencies = 8, .embedding = {{40, 50}, 12}},
                       .widths = {256, 192, 256},
                       .tile = {{4, 4, 1, 1}},
                       .first_scale = 4});
}

void expect_same_bits(const NetworkSpec& spec, Precision precision) {
  const auto one = cuda_backend().compile(spec, {precision, 1, ""});
  const auto other = cuda_backend().compile(spec, {precision, 3, ""});
  const Trained expected = train(*one, 100000, 20);
  const Trained found = train(*other, 100000, 20);
  EXPECT_EQ(found.losses, expected.losses);
  EXPECT_EQ(found.state.params, expected.state.params);
  EXPECT_EQ(found.state.adam_m, expected.state.adam_m);
  EXPECT_EQ(found.outputs, expected.outputs);
  EXPECT_LT(expected.losses.back(), expected.losses.front());
}

TEST_P(Gpu, TwoRunsHaveTheSameBits) {
  expect_same_bits(wide(), GetParam());
}

TEST_P(Gpu, TwoRunsOfTilesHaveTheSameBits) {
  for (const NetworkSpec& spec : narrow()) expect_same_bits(spec, GetParam());
}

/// The same source, compiled twice: what the emulation cannot know (instructions, races, memory order) shows here.
void expect_what_the_emulation_does(const NetworkSpec& spec, Precision precision) {
  const auto device = cuda_backend().compile(spec, {precision, 1, ""});
  const auto emulated = test::emulated_cuda_backend().compile(spec, {precision, 1, ""});
  const Trained expected = train(*emulated, 300, 1);
  const Trained found = train(*device, 300, 1);
  EXPECT_NEAR(found.losses[0], expected.losses[0], 1e-4 * expected.losses[0]);
  double difference = 0;
  double size = 0;
  for (std::size_t k = 0; k < found.outputs.size(); ++k) {
    difference += std::pow(double{found.outputs[k]} - double{expected.outputs[k]}, 2);
    size += std::pow(double{expected.outputs[k]}, 2);
  }
  // After a step of Adam, whose first steps have the size of the rate whatever the gradient: bf16 may flip a few signs.
  EXPECT_LT(std::sqrt(difference / size), precision == Precision::F32 ? 1e-3 : 3e-2);
}

TEST_P(Gpu, TheDeviceDoesWhatTheEmulationDoes) {
  expect_what_the_emulation_does(wide(), GetParam());
}

TEST_P(Gpu, TilesDoWhatTheEmulationDoes) {
  for (const NetworkSpec& spec : narrow()) {
    const auto executor = cuda_backend().compile(spec, {GetParam(), 1, ""});
    for (const KernelInfo& kernel : executor->kernels()) {
      if (kernel.operation != "expert_linear forward") continue;
      EXPECT_NE(kernel.kernel.find("tiles of samples"), std::string::npos) << kernel.reason;
    }
    expect_what_the_emulation_does(spec, GetParam());
  }
}

/// Batches drawn on the device, a step ahead in a stream of their own, against the samplers' on the same device: the
/// same bits, or CUB's order, a missing event or a batch that was overwritten shows.
template <class Batch>
void expect_same_training(const NetworkSpec& spec, Precision precision, Batch& batch) {
  constexpr int64_t kSteps = 30;
  const auto host = cuda_backend().compile(spec, {precision, 0, ""});
  const auto device = cuda_backend().compile(spec, {precision, 1, ""});
  test::TrainedOnPixels expected = test::start_on_pixels(spec);
  test::TrainedOnPixels found = expected;
  test::train_on_pixels(*host, batch, false, 0, kSteps, expected);
  test::train_on_pixels(*device, batch, true, 0, kSteps, found);
  EXPECT_EQ(found.losses, expected.losses);
  EXPECT_TRUE(found == expected);
  EXPECT_EQ(test::sampling_of(*device).reason, "the signal is on the device");
}

TEST_P(Gpu, BatchesDrawnOnTheDeviceAreTheSamplers) {
  for (const PixelType type : {PixelType::U8, PixelType::U16, PixelType::F16, PixelType::F32}) {
    SCOPED_TRACE(to_string(type));
    const Image image = test::speckled_image(701, 433, 3, type);
    PixelBatch<ImageSampler> random(image, PixelSampling::RandomPixels, 100001, 5);
    expect_same_training(wide(), GetParam(), random);
  }
  const Image image = test::speckled_image(301, 233, 3, PixelType::U8);
  PixelBatch<ImageSampler> all(image, PixelSampling::AllPixels, 1, 5);
  expect_same_training(wide(), GetParam(), all);
  PixelBatch<ImageSampler> pieces(image, PixelSampling::RandomPixels, 300000, 5);
  expect_same_training(wide(), GetParam(), pieces);
  const Video video = test::speckled_video(130, 70, 33, 3, PixelType::U8);
  PixelBatch<VideoSampler> clip(video, PixelSampling::RandomPixels, 70001, 5);
  expect_same_training(make_network({.n_dims = 3, .widths = {64, 64, 64}, .tile = {{2, 2, 2, 1}}}), GetParam(), clip);
}

INSTANTIATE_TEST_SUITE_P(Precisions, Gpu,
                         testing::Values(Precision::F32, Precision::Tf32, Precision::Mixed, Precision::Bf16),
                         [](const auto& param) { return std::string(to_string(param.param)); });

}  // namespace
}  // namespace loe
