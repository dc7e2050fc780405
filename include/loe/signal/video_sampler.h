// The sampler over a video: which pixels of which frames a training step sees.
#pragma once

#include <cstdint>
#include <vector>

#include "loe/signal/pixel_sampling.h"
#include "loe/signal/video.h"

namespace loe {

/// Draws the pixels of a step. Coordinates are (x, y, t) at pixel and frame centres, p_0 = (column + 0.5) / width,
/// p_1 = (row + 0.5) / height, p_2 = (frame + 0.5) / n_frames; targets the pixel's channels.
/// Deterministic: the pixels of step s are a function of (seed, s) alone.
class VideoSampler {
 public:
  /// batch_size is ignored by AllPixels. The video must outlive the sampler and stay as it is. Memory: 8 bytes per
  /// pixel of the clip (AllPixels) or 16 per sample (RandomPixels). Error(InvalidArgument) for a video without frames
  /// or batch_size outside 1..kMaxBatchSize.
  VideoSampler(const Video& video, PixelSampling sampling, int64_t batch_size, uint64_t seed);

  int64_t n_samples() const { return n_samples_; }
  PixelSampling sampling() const { return sampling_; }
  /// Draws the pixels of `step`: sample i takes words of (seed, Samples, step, lane i). Not thread-safe.
  void begin_step(int64_t step);
  /// coords [count, 3], targets [count, n_channels] of samples first .. first + count - 1. Thread-safe. RandomPixels
  /// needs a begin_step first.
  void fill(int64_t first, int64_t count, float* coords, float* targets) const;

 private:
  const Video* video_;
  PixelSampling sampling_;
  int64_t n_samples_;
  uint64_t seed_;
  int64_t drawn_step_ = -1;
  std::vector<uint64_t> keys_;     ///< Morton key of each sample's (column, row, frame), ascending
  std::vector<uint64_t> scratch_;  ///< second buffer of the sort
};

}  // namespace loe
