// Which pixels a training step sees.
#pragma once

#include <cstdint>

namespace loe {

enum class PixelSampling {
  AllPixels,     ///< every pixel, every step, in Morton order
  RandomPixels,  ///< batch_size independent uniform draws (with replacement), then sorted by Morton key for locality
  /// batch_size uniform draws, every expert meeting its share of them (ProductChunks); not of ImageSampler and
  /// VideoSampler, which know no experts.
  ProductChunks,
};

const char* to_string(PixelSampling sampling);  ///< "all_pixels", "random_pixels", "product_chunks"

/// Largest batch_size of RandomPixels: 2^30 samples, 8 GiB of keys.
inline constexpr int64_t kMaxBatchSize = int64_t{1} << 30;

}  // namespace loe
