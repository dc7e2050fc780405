// Which pixels a training step sees.
#pragma once

#include <cstdint>

namespace loe {

enum class PixelSampling {
  AllPixels,     ///< every pixel, every step, in Morton order
  RandomPixels,  ///< batch_size independent uniform draws (with replacement), then sorted by Morton key for locality
};

const char* to_string(PixelSampling sampling);  ///< "all_pixels", "random_pixels"

/// Largest batch_size of RandomPixels: 2^30 samples, 8 GiB of keys.
inline constexpr int64_t kMaxBatchSize = int64_t{1} << 30;

}  // namespace loe
