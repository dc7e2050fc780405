// Pictures and videos to draw batches from, and the same batches filled by the host alone.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/network_builders.h"
#include "loe/backend/backend.h"
#include "task/pixel_batch.h"

namespace loe::test {

/// No two pixels or channels that are near each other are alike; F16 and F32 leave [0, 1].
inline Image speckled_image(int width, int height, int n_channels, PixelType type, uint64_t seed = 1) {
  Image image(width, height, n_channels, type);
  const bool is_real = type == PixelType::F16 || type == PixelType::F32;
  const std::vector<float> values =
      random_floats(image.n_pixels() * n_channels, is_real ? -3 : 0, is_real ? 3 : 1, seed);
  for (int y = 0; y < height; ++y) image.write_row(0, y, width, values.data() + int64_t{y} * width * n_channels);
  return image;
}

inline Video speckled_video(int width, int height, int n_frames, int n_channels, PixelType type) {
  Video video(width, height, n_channels, type);
  for (int t = 0; t < n_frames; ++t) {
    video.append(speckled_image(width, height, n_channels, type, static_cast<uint64_t>(t) + 1));
  }
  return video;
}

/// A source that does not say what its samples are.
class HostFilled final : public SampleSource {
 public:
  explicit HostFilled(const SampleSource& source) : source_(source) {}
  int64_t n_samples() const override { return source_.n_samples(); }
  void fill(int64_t first, int64_t count, float* coords, float* targets) const override {
    source_.fill(first, count, coords, targets);
  }

 private:
  const SampleSource& source_;
};

struct TrainedOnPixels {
  ParamState state;
  std::vector<double> losses;
  bool operator==(const TrainedOnPixels& other) const {
    return losses == other.losses && state.params == other.state.params && state.adam_m == other.state.adam_m &&
           state.adam_v == other.state.adam_v;
  }
};

inline TrainedOnPixels start_on_pixels(const NetworkSpec& spec) {
  const auto n = static_cast<std::size_t>(spec.n_params());
  return {{random_params(spec, 3), std::vector<float>(n), std::vector<float>(n)}, {}};
}

/// Updates first .. last - 1, in a session of their own, on batches that are drawn by whoever can (is_described) or by
/// the host. After every second the network is evaluated, as a trainer would.
template <class Sampler>
void train_on_pixels(Executor& executor, PixelBatch<Sampler>& batch, bool is_described, int64_t first, int64_t last,
                     TrainedOnPixels& trained) {
  const NetworkSpec& spec = executor.spec();
  constexpr int64_t kEvaluated = 40;
  const std::vector<float> coords = random_floats(kEvaluated * spec.n_dims, 0, 1, 9);
  std::vector<float> outputs(static_cast<std::size_t>(kEvaluated * spec.n_out()));
  executor.set_params(trained.state.params);
  for (int64_t step = first; step < last; ++step) {
    batch.begin_step(step);
    const AdamUpdate update{.learning_rate = 0.01, .t = step + 1};
    trained.losses.push_back(is_described ? executor.train_step(batch, update, trained.state)
                                          : executor.train_step(HostFilled(batch), update, trained.state));
    if (step % 2 == 1) executor.forward({kEvaluated, coords, {}}, outputs);
  }
  executor.download(trained.state);
}

inline KernelInfo sampling_of(const Executor& executor) {
  for (const KernelInfo& kernel : executor.kernels()) {
    if (kernel.operation == "sampling") return kernel;
  }
  return {};
}

}  // namespace loe::test
