// Samplers over a picture: which pixels a training step sees.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "loe/base/thread_pool.h"
#include "loe/signal/image.h"

namespace loe {

enum class ImageSampling {
  AllPixels,     ///< every pixel, every step, in Morton order of 2-D blocks
  RandomPixels,  ///< batch_size independent uniform draws (with replacement), then sorted by Morton key for locality
};

/// Draws the pixels of a step. Coordinates are (x, y) at pixel centres, p_0 = (column + 0.5) / width,
/// p_1 = (row + 0.5) / height; targets the pixel's channels.
/// Deterministic: the pixels of step s are a function of (seed, s) alone.
class ImageSampler {
 public:
  /// batch_size is ignored by AllPixels. The image must outlive the sampler.
  ImageSampler(const Image& image, ImageSampling sampling, int64_t batch_size, uint64_t seed);

  int64_t n_samples() const { return n_samples_; }
  ImageSampling sampling() const { return sampling_; }
  /// Draws the pixels of `step`. Not thread-safe.
  void begin_step(int64_t step);
  /// coords [count, 2], targets [count, n_channels] of samples first .. first + count - 1. Thread-safe.
  void fill(int64_t first, int64_t count, float* coords, float* targets) const;

 private:
  const Image* image_;
  ImageSampling sampling_;
  int64_t n_samples_;
  uint64_t seed_;
  int64_t drawn_step_ = -1;
  std::vector<uint32_t> pixels_;   ///< linear pixel index of each sample
  std::vector<uint64_t> scratch_;  ///< sort keys
};

}  // namespace loe
