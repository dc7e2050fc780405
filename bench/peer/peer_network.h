// What the rivals need of a network, whatever library does their products.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "loe/backend/backend.h"
#include "peer/row_kernels.h"

namespace loe::peer {

/// gamma(p) of InputSpec.
template <class T>
void encode(const NetworkSpec& spec, const float* p, T* out) {
  if (spec.input.include_coordinates) {
    for (int d = 0; d < spec.n_dims; ++d) {
      const auto [low, high] = spec.input.coordinate_range;
      store(static_cast<float>(low + (high - low) * static_cast<double>(p[d])), out++);
    }
  }
  for (int d = 0; d < spec.n_dims; ++d) {
    for (int k = 0; k < spec.input.n_frequencies; ++k) {
      const double angle = std::ldexp(spec.input.frequency_scale * static_cast<double>(p[d]), k);
      store(static_cast<float>(std::sin(angle)), out++);
      store(static_cast<float>(std::cos(angle)), out++);
    }
  }
}

inline float slope_of(const Activation& activation) {
  switch (activation.kind) {
    case ActivationKind::LeakyRelu:
      return static_cast<float>(activation.slope);
    case ActivationKind::Relu:
      return 0.0F;
    default:
      return 1.0F;
  }
}

/// Only Nearest, an encoding as input, LeakyRelu, Relu or Identity; no Mixed.
inline bool is_supported(const NetworkSpec& spec, Precision precision) {
  const auto layer_fits = [](const LayerSpec& layer) {
    const ActivationKind kind = layer.activation.kind;
    return layer.interpolation == Interpolation::Nearest &&
           (kind == ActivationKind::LeakyRelu || kind == ActivationKind::Relu || kind == ActivationKind::Identity);
  };
  return precision != Precision::Mixed && spec.input.kind == InputKind::Encoding && !spec.input.has_embedding() &&
         spec.layers.back().activation.kind == ActivationKind::Identity &&
         std::all_of(spec.layers.begin(), spec.layers.end(), layer_fits);
}

}  // namespace loe::peer
