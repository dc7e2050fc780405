// Batches of a picture's or video's pixels that are drawn as product chunks.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "loe/backend/product_chunks.h"
#include "loe/signal/image.h"
#include "loe/signal/video.h"
#include "loe/task/fit_config.h"
#include "task/pixel_batch.h"

namespace loe {

/// Width, height and frames.
std::array<int64_t, 3> size_of(const Image& image);
std::array<int64_t, 3> size_of(const Video& video);

/// The samples as a plain source, and as chunks for a backend that draws them itself: then nothing is drawn here.
template <class Signal>
class ProductBatch final : public PixelSource, public ProductSamples {
 public:
  /// Errors of ProductChunks. The signal must stay as it is.
  ProductBatch(const Signal& signal, const NetworkSpec& spec, int64_t batch_size, uint64_t seed)
      : signal_(&signal), chunks_(spec, size_of(signal), batch_size), seed_(seed) {}

  void begin_step(int64_t step) override { step_ = step; }

  int64_t n_samples() const override;
  void fill(int64_t first, int64_t count, float* coords, float* targets) const override;
  const ProductSamples* product() const override { return this; }

  const ProductChunks& chunks() const override { return chunks_; }
  uint64_t seed() const override { return seed_; }
  int64_t step() const override { return step_; }
  float largest_value() const override;
  void read(std::span<const PixelPlace> places, float* targets) const override;
  void note_inside(int64_t n_inside) const override;

 private:
  /// Draws the step's samples, once.
  void draw() const;

  const Signal* signal_;
  ProductChunks chunks_;
  uint64_t seed_;
  int64_t step_ = 0;
  mutable std::vector<PixelPlace> places_;  ///< inside the signal
  mutable std::mutex drawing_;
  mutable std::atomic<int64_t> drawn_step_{-1};
  mutable int64_t n_inside_ = 0;  ///< of counted_step_
  mutable int64_t counted_step_ = -1;
};

/// The batches of a fit's settings. Errors of the samplers and of ProductChunks.
std::unique_ptr<PixelSource> make_pixel_source(const Image& image, const FitConfig& config);
std::unique_ptr<PixelSource> make_pixel_source(const Video& video, const FitConfig& config);

extern template class ProductBatch<Image>;
extern template class ProductBatch<Video>;

}  // namespace loe
