// Colours of any radiance: how a network states them, and on which scale they are compared.
#pragma once

#include <cmath>

namespace loe {

/// From a network's raw colour u to c, and what the loss compares.
enum class ColorKind {
  Sigmoid,  ///< c = 1 / (1 + exp(-u)), in [0, 1]; c itself
  Sinh,     ///< c = sinh(u), any radiance; asinh(c): c where it is small, sign(c) log(2 |c|) where it is large
};

/// Raw colours beyond this are taken for it: sinh(20) is 2.4e8, far above the half floats of EXR files (65504).
inline constexpr int kMaxRawRadiance = 20;

/// sinh(u) of u cut to +-kMaxRawRadiance; a NaN stays one.
template <class T>
constexpr T radiance(T u) {
  const T above = u < T(-kMaxRawRadiance) ? T(-kMaxRawRadiance) : u;
  return std::sinh(above > T(kMaxRawRadiance) ? T(kMaxRawRadiance) : above);
}

/// dc / du = sqrt(1 + c^2), from c = radiance(u). Also where u is cut: a colour that is too bright finds back.
template <class T>
constexpr T radiance_slope(T c) {
  return std::sqrt(T(1) + c * c);
}

/// What is compared of a rendered or given colour. Double.
inline double compared_color(ColorKind kind, double c) {
  return kind == ColorKind::Sinh ? std::asinh(c) : c;
}

/// d compared_color / dc.
inline double compared_slope(ColorKind kind, double c) {
  return kind == ColorKind::Sinh ? 1 / std::sqrt(1 + c * c) : 1;
}

}  // namespace loe
