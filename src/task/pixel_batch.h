// Batches of a picture's or video's pixels.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "loe/backend/backend.h"
#include "loe/signal/image.h"
#include "loe/signal/image_sampler.h"
#include "loe/signal/video.h"
#include "loe/signal/video_sampler.h"

namespace loe {

/// What a sampler with these arguments draws, at step 0. The signal must stay as it is from now on.
PixelSamples describe_pixels(const Image& image, const ImageSampler& sampler, uint64_t seed);
PixelSamples describe_pixels(const Video& video, const VideoSampler& sampler, uint64_t seed);

/// Batches that are a function of the step.
class PixelSource : public SampleSource {
 public:
  /// Not thread-safe, and ends the batch before.
  virtual void begin_step(int64_t step) = 0;
};

/// A sampler's batches. They are drawn when fill() first asks for one: a backend that draws pixels() itself never does.
template <class Sampler>
class PixelBatch final : public PixelSource {
 public:
  template <class Signal>
  PixelBatch(const Signal& signal, PixelSampling sampling, int64_t batch_size, uint64_t seed)
      : sampler_(signal, sampling, batch_size, seed), pixels_(describe_pixels(signal, sampler_, seed)) {}

  void begin_step(int64_t step) override { pixels_.step = step; }

  int64_t n_samples() const override { return sampler_.n_samples(); }
  const PixelSamples* pixels() const override { return &pixels_; }
  void fill(int64_t first, int64_t count, float* coords, float* targets) const override {
    if (drawn_step_.load(std::memory_order_acquire) != pixels_.step) {
      const std::lock_guard lock(drawing_);
      sampler_.begin_step(pixels_.step);  // nothing to do for the threads that come second
      drawn_step_.store(pixels_.step, std::memory_order_release);
    }
    sampler_.fill(first, count, coords, targets);
  }

 private:
  mutable Sampler sampler_;
  PixelSamples pixels_;
  mutable std::mutex drawing_;
  mutable std::atomic<int64_t> drawn_step_{-1};
};

}  // namespace loe
