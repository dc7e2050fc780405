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
LensModel lens_model_from_string(const std::string& text);

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

/// (x', y') of (x, y). Any finite point; beyond the fold of a lens (see undistort) it is the formula's value all the
/// same.
std::array<double, 2> distort(const Lens& lens, double x, double y);

/// The matrix {{dx'/dx, dx'/dy}, {dy'/dx, dy'/dy}} of distort() at (x, y).
std::array<std::array<double, 2>, 2> distortion_jacobian(const Lens& lens, double x, double y);

/// The reverse of distort() on the branch that holds the centre: the (x, y) whose (x', y') is given, to a relative
/// 1e-12. Newton's method with the Jacobian above, from the solution of the radial part; a few iterations each.
///
/// A radial polynomial with negative coefficients rises up to its fold and sinks beyond it: what is farther out in the
/// picture than the fold comes from no direction. NaN, NaN there, for a fisheye's directions at 90 degrees and more
/// from its axis, beyond 89.99 degrees for a BrownConrady lens, and for what is not finite.
std::array<double, 2> undistort(const Lens& lens, double x_distorted, double y_distorted);

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

/// Of the same camera's picture brought to width x height pixels, at least 1 each: fl and c scale along each axis by
/// its own ratio, the lens stays.
Intrinsics resized(Intrinsics intrinsics, int width, int height);

/// Row-major camera-to-world 3 x 4 matrix [R | t], OpenGL axes: x right, y up, looking along -z. R is a rotation; a
/// scene's scale is in t.
struct Pose {
  std::array<std::array<double, 4>, 3> matrix = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  bool operator==(const Pose&) const = default;
};

/// Direction (x, y, -1) of pixel position (u, v) in the camera's OpenGL axes, not normalised: a point at distance d
/// along the view's axis is d times it. The centre of pixel (i, j) is (i + 0.5, j + 0.5). NaN where undistort() is.
std::array<double, 3> pixel_direction(const Intrinsics& intrinsics, double u, double v);

struct CameraRay {
  std::array<double, 3> origin{};
  std::array<double, 3> direction{};  ///< of length 1, in world axes
};
/// Through (u, v). direction is NaN where undistort() is.
CameraRay ray_of_pixel(const Intrinsics& intrinsics, const Pose& camera_to_world, double u, double v);

struct PixelPosition {
  double u = 0;
  double v = 0;
  double depth = 0;  ///< along the view's axis; positive: in front of the camera
};
/// Where a point of the world is seen: the reverse of ray_of_pixel(). NaN for u, v if depth <= 0.
PixelPosition pixel_of_point(const Intrinsics& intrinsics, const Pose& camera_to_world,
                             const std::array<double, 3>& point);

}  // namespace loe
