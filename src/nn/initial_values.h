// How initial parameters are drawn, the same for all networks.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "loe/base/random.h"

namespace loe {

/// Kaiming-uniform (He et al. 2015): gain sqrt(3 / fan_in), gain = sqrt(2 / (1 + slope^2)).
inline double kaiming_bound(double slope, int64_t fan_in) {
  const double gain = std::sqrt(2 / (1 + slope * slope));
  return gain * std::sqrt(3 / static_cast<double>(fan_in));
}

/// Writes U(-bound, bound) to values[first .. first + count): 24 bits, centred, so that neither end is reached. A value
/// depends on seed, stream and its index only.
inline void fill_uniform(std::vector<float>& values, int64_t first, int64_t count, double bound, uint64_t seed,
                         RandomStream stream) {
  if (bound == 0) {
    return;
  }
  for (int64_t i = first; i < first + count; ++i) {
    const uint32_t word = random_words(seed, stream, static_cast<uint64_t>(i))[0];
    values[static_cast<std::size_t>(i)] =
        static_cast<float>(bound * ((static_cast<double>(word >> 8) + 0.5) * 0x1p-23 - 1));
  }
}

}  // namespace loe
