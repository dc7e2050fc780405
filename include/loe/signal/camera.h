// A camera as numbers: where it stands and how it maps directions to pixels.
#pragma once

#include <array>
#include <string>

namespace loe {

enum class LensModel {
  Pinhole,       ///< no distortion
  BrownConrady,  ///< radial k1..k3 and tangential p1, p2: OpenCV's five-parameter model
  Fisheye,       ///< equidistant with k1..k4: OpenCV's fisheye model
};
/// "pinhole", "brown_conrady", "fisheye".
const char* to_string(LensModel model);

/// Distortion of normalised image coordinates (x, y) = (X / Z, Y / Z), in OpenCV's axes (x right, y down, z forward).
///
/// BrownConrady, r^2 = x^2 + y^2:
///   x' = x (1 + k1 r^2 + k2 r^4 + k3 r^6) + 2 p1 x y + p2 (r^2 + 2 x^2)
///   y' = y (1 + k1 r^2 + k2 r^4 + k3 r^6) + p1 (r^2 + 2 y^2) + 2 p2 x y
/// Fisheye, theta = atan(r): theta' = theta (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8),
///   (x', y') = (x, y) theta' / r.
struct Lens {
  LensModel model = LensModel::Pinhole;
  std::array<double, 4> k{};  ///< radial
  std::array<double, 2> p{};  ///< tangential, BrownConrady only
  bool operator==(const Lens&) const = default;
};

/// Pixel (u, v), with pixel centres at j + 1/2: u = fl_x x' + cx, v = fl_y y' + cy.
struct Intrinsics {
  int width = 0;
  int height = 0;
  double fl_x = 0;
  double fl_y = 0;
  double cx = 0;
  double cy = 0;
  Lens lens;
  bool operator==(const Intrinsics&) const = default;
};

/// Row-major camera-to-world 3 x 4 matrix [R | t], OpenGL axes: x right, y up, looking along -z. R is a rotation; a
/// scene's scale is in t.
struct Pose {
  std::array<std::array<double, 4>, 3> matrix = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  bool operator==(const Pose&) const = default;
};

}  // namespace loe
