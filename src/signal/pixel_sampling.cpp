#include "loe/signal/pixel_sampling.h"

namespace loe {

const char* to_string(PixelSampling sampling) {
  switch (sampling) {
    case PixelSampling::AllPixels:
      return "all_pixels";
    case PixelSampling::RandomPixels:
      return "random_pixels";
    case PixelSampling::ProductChunks:
      return "product_chunks";
  }
  return "?";
}

}  // namespace loe
