#include "loe/backend/encoding.h"

#include <cmath>

#include "loe/base/error.h"

namespace loe {

void encode(const InputSpec& input, int n_dims, const float* p, float* out) {
  LOE_ASSERT(input.kind != InputKind::Features);
  if (input.kind == InputKind::Constant) {
    *out = 1.0F;
    return;
  }
  if (input.include_coordinates) {
    const auto [low, high] = input.coordinate_range;
    for (int d = 0; d < n_dims; ++d) {
      *out++ = static_cast<float>(low + (high - low) * static_cast<double>(p[d]));
    }
  }
  for (int d = 0; d < n_dims; ++d) {
    const double angle = input.frequency_scale * static_cast<double>(p[d]);
    for (int k = 0; k < input.n_frequencies; ++k) {
      const double scaled_angle = std::ldexp(angle, k);
      *out++ = static_cast<float>(std::sin(scaled_angle));
      *out++ = static_cast<float>(std::cos(scaled_angle));
    }
  }
}

}  // namespace loe
