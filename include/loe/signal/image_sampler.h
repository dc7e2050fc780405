// The sampler over a picture: which pixels a training step sees.
#pragma once

#include <cstdint>
#include <vector>

#include "loe/signal/image.h"
#include "loe/signal/pixel_sampling.h"

namespace loe {

/// Draws the pixels of a step. Coordinates are (x, y) at pixel centres, p_0 = (column + 0.5) / width,
/// p_1 = (row + 0.5) / height; targets the pixel's channels.
/// Deterministic: the pixels of step s are a function of (seed, s) alone.
class ImageSampler {
 public:
  /// batch_size is ignored by AllPixels. The image must outlive the sampler. Memory: 4 bytes per pixel (AllPixels) or 8
  /// per sample (RandomPixels). Error(InvalidArgument) for an empty picture or batch_size outside 1..kMaxBatchSize.
  ImageSampler(const Image& image, PixelSampling sampling, int64_t batch_size, uint64_t seed);

  int64_t n_samples() const { return n_samples_; }
  PixelSampling sampling() const { return sampling_; }
  /// Draws the pixels of `step`: sample pair i takes words of (seed, Samples, step, lane i). Not thread-safe.
  /// Cost: about 5 ms for 262,144 samples on one core.
  void begin_step(int64_t step);
  /// coords [count, 2], targets [count, n_channels] of samples first .. first + count - 1. Thread-safe. RandomPixels
  /// needs a begin_step first.
  void fill(int64_t first, int64_t count, float* coords, float* targets) const;

 private:
  const Image* image_;
  PixelSampling sampling_;
  int64_t n_samples_;
  uint64_t seed_;
  int64_t drawn_step_ = -1;
  std::vector<uint32_t> keys_;     ///< Morton key of each sample's pixel, ascending; gives back column and row
  std::vector<uint32_t> scratch_;  ///< second buffer of the sort
};

}  // namespace loe
