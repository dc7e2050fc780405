#include "loe/signal/pixel_sampling.h"

namespace loe {

const char* to_string(PixelSampling sampling) {
  return sampling == PixelSampling::AllPixels ? "all_pixels" : "random_pixels";
}

}  // namespace loe
