#include <algorithm>
#include <chrono>
#include <cmath>

#include "loe/backend/conv_net.h"
#include "loe/base/thread_pool.h"
#include "loe/metric/frechet.h"
#include "loe/nn/random_features.h"
#include "loe/task/gan_task.h"

namespace loe {
namespace {

using Clock = std::chrono::steady_clock;

/// Pictures that are made or looked at together, and pixels of a batch above which there are fewer.
constexpr int64_t kBatch = 64;
constexpr int64_t kBatchPixels = int64_t{1} << 20;

int64_t batch_of(int resolution) {
  return std::clamp<int64_t>(kBatchPixels / (int64_t{resolution} * resolution), 1, kBatch);
}

uint8_t to_byte(float value) {
  return static_cast<uint8_t>(std::lround(255 * std::clamp(value, 0.0F, 1.0F)));
}

/// [n, R, R, 3] of 8 bits to [n, 3, R, R] in [-1, 1].
void to_planes(std::span<const uint8_t> pictures, int64_t n, int64_t n_pixels, std::vector<float>& planes) {
  planes.resize(pictures.size());
  for (int64_t picture = 0; picture < n; ++picture) {
    for (int64_t i = 0; i < 3 * n_pixels; ++i) {
      const float value = static_cast<float>(pictures[picture * 3 * n_pixels + i]) * (2.0F / 255) - 1;
      planes[(picture * 3 + i % 3) * n_pixels + i / 3] = value;
    }
  }
}

void to_unit(std::span<const uint8_t> pictures, std::vector<float>& values) {
  values.resize(pictures.size());
  std::transform(pictures.begin(), pictures.end(), values.begin(),
                 [](uint8_t value) { return static_cast<float>(value) / 255; });
}

/// Statistics of the random features of pictures of one size.
class FeatureMeter {
 public:
  FeatureMeter(int resolution, RandomFeatures& network, ThreadPool& pool)
      : resolution_(resolution), network_(&network), pool_(&pool), statistics_(kNumRandomFeatures) {}
  void add(std::span<const uint8_t> pictures, int64_t n) {
    to_planes(pictures, n, int64_t{resolution_} * resolution_, planes_);
    features_.resize(n * kNumRandomFeatures);
    network_->compute({n, {resolution_, resolution_}, planes_}, features_);
    statistics_.add(features_, *pool_);
  }
  GaussianStatistics statistics() { return statistics_.statistics(*pool_); }

 private:
  int resolution_;
  RandomFeatures* network_;
  ThreadPool* pool_;
  GaussianAccumulator statistics_;
  std::vector<float> planes_;
  std::vector<float> features_;
};

PictureReader reader_of(const PictureSet& set, int64_t n) {
  return {n, set.resolution(), [&set](int64_t index, uint8_t* out) { set.read(index, out); }};
}

}  // namespace

void for_generated_pictures(
    Executor& generator, int64_t n, int resolution, uint64_t seed,
    const std::function<void(int64_t first, int64_t count, std::span<const uint8_t> pictures)>& on_pictures) {
  const int n_latents = generator.spec().n_features();
  const int64_t n_pixels = int64_t{resolution} * resolution;
  std::vector<float> planes;
  std::vector<uint8_t> pixels;
  for (int64_t first = 0; first < n; first += batch_of(resolution)) {
    const int64_t count = std::min(batch_of(resolution), n - first);
    const std::vector<float> latents = shown_latents(seed, first, count, n_latents);
    planes.resize(count * 3 * n_pixels);
    pixels.resize(planes.size());
    generate_pictures(generator, {resolution, resolution, {0, 0, resolution, resolution}, latents, n_latents}, planes);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t k = 0; k < 3 * n_pixels; ++k) {
        pixels[i * 3 * n_pixels + k] = to_byte(planes[(3 * i + k % 3) * n_pixels + k / 3]);
      }
    }
    on_pictures(first, count, pixels);
  }
}

GanEvaluation evaluate_gan(Executor& generator, const PictureSet& pictures, const GanSettings& settings, uint64_t seed,
                           const std::string& device, int n_threads, const std::function<void(double)>& on_share) {
  const int resolution = pictures.resolution();
  const int64_t n = settings.n_evaluated;
  ThreadPool pool(n_threads);
  RandomFeatures network(conv_device(device).device, n_threads);
  FeatureMeter generated(resolution, network, pool);
  NoisePatternMeter noise(resolution, resolution);
  NoisePatternMeter noise_of_set(resolution, resolution);
  const int64_t n_sliced = std::min({n, pictures.size(), kMaxSlicedPictures});
  std::vector<uint8_t> kept;
  std::vector<float> values;
  GanEvaluation result;
  result.n_generated = n;
  Clock::time_point start = Clock::now();
  for_generated_pictures(generator, n, resolution, seed,
                         [&](int64_t first, int64_t count, std::span<const uint8_t> made) {
                           result.seconds_generating += std::chrono::duration<double>(Clock::now() - start).count();
                           generated.add(made, count);
                           to_unit(made, values);
                           noise.add(values, pool);
                           const int64_t n_kept = std::clamp<int64_t>(n_sliced - first, 0, count);
                           kept.insert(kept.end(), made.begin(), made.begin() + n_kept * pictures.values_per_picture());
                           on_share(0.8 * static_cast<double>(first + count) / static_cast<double>(n));
                           start = Clock::now();
                         });
  FeatureMeter real(resolution, network, pool);
  std::vector<uint8_t> batch;
  for (int64_t first = 0; first < pictures.size(); first += batch_of(resolution)) {
    const int64_t count = std::min(batch_of(resolution), pictures.size() - first);
    batch.resize(count * pictures.values_per_picture());
    for (int64_t i = 0; i < count; ++i) pictures.read(first + i, batch.data() + i * pictures.values_per_picture());
    real.add(batch, count);
    to_unit(batch, values);
    noise_of_set.add(values, pool);
  }
  result.noise_of_set = noise_of_set.stats();
  on_share(0.9);
  result.random_frechet = squared_frechet_distance(generated.statistics(), real.statistics());
  const PictureSet sample(resolution, std::move(kept));
  result.sliced = sliced_wasserstein(reader_of(sample, n_sliced), reader_of(pictures, n_sliced), {}, pool);
  result.noise = noise.stats();
  on_share(1);
  return result;
}

}  // namespace loe
