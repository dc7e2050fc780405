#include "loe/signal/camera.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "base/enum_names.h"

namespace loe {
namespace {

constexpr detail::EnumNames<LensModel, 3> kLensNames = {
    {{LensModel::Pinhole, "pinhole"}, {LensModel::BrownConrady, "brown_conrady"}, {LensModel::Fisheye, "fisheye"}}};

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kDegree = 4;

/// x (1 + k1 x^2 + k2 x^4 + k3 x^6 + k4 x^8): of the radius, or of the angle in a fisheye.
class RadialPolynomial {
 public:
  explicit RadialPolynomial(const Lens& lens) : k_(lens.k) {
    if (lens.model != LensModel::Fisheye) {
      k_[3] = 0;
    }
  }

  /// value(x) / x.
  double ratio(double x) const {
    const double s = x * x;
    return 1 + s * (k_[0] + s * (k_[1] + s * (k_[2] + s * k_[3])));
  }
  double value(double x) const { return x * ratio(x); }
  double slope(double x) const {
    const double s = x * x;
    return 1 + s * (3 * k_[0] + s * (5 * k_[1] + s * (7 * k_[2] + s * 9 * k_[3])));
  }
  /// d ratio / d (x^2).
  double ratio_slope(double x) const {
    const double s = x * x;
    return k_[0] + s * (2 * k_[1] + s * (3 * k_[2] + s * 4 * k_[3]));
  }

  /// Whether it rises on all of [0, x]: the slope, as a Bernstein polynomial of x^2 on that interval, lies within the
  /// hull of its coefficients.
  bool rises_until(double x) const {
    constexpr double kChoose[kDegree + 1][kDegree + 1] = {
        {1, 0, 0, 0, 0}, {1, 1, 0, 0, 0}, {1, 2, 1, 0, 0}, {1, 3, 3, 1, 0}, {1, 4, 6, 4, 1}};
    const double s = x * x;
    const std::array<double, kDegree + 1> a = {1, 3 * k_[0] * s, 5 * k_[1] * s * s, 7 * k_[2] * s * s * s,
                                               9 * k_[3] * s * s * s * s};
    Coefficients b{};
    for (std::size_t j = 0; j <= kDegree; ++j) {
      for (std::size_t i = 0; i <= j; ++i) {
        b[j] += kChoose[j][i] / kChoose[kDegree][i] * a[i];
      }
    }
    constexpr int kMaxDepth = 30;
    return is_positive(b, kMaxDepth);
  }

  /// The x in [0, limit) up to which it rises and where it is `target` >= 0; NaN if there is none.
  double solve(double target, double limit) const {
    if (target == 0) {
      return 0;
    }
    // From the target: monotone if all coefficients have one sign, and a few steps for any real lens.
    double x = std::fmin(target, 0.9 * limit);
    constexpr int kMaxSteps = 20;
    for (int step = 0; step < kMaxSteps; ++step) {
      const double change = (value(x) - target) / slope(x);
      x -= change;
      if (!(x > 0 && x < limit)) {
        break;
      }
      if (std::abs(change) <= 1e-14 * x) {
        return rises_until(x) ? x : bisect(target, limit);
      }
    }
    return bisect(target, limit);
  }

 private:
  using Coefficients = std::array<double, kDegree + 1>;

  static bool is_positive(const Coefficients& b, int depth) {
    if (!(b[0] > 0 && b[kDegree] > 0)) {
      return false;
    }
    if (b[1] > 0 && b[2] > 0 && b[3] > 0) {
      return true;
    }
    if (depth == 0) {
      return false;
    }
    Coefficients left{};  // de Casteljau at the middle
    Coefficients right = b;
    for (std::size_t i = 0; i <= kDegree; ++i) {
      left[i] = right[0];
      for (std::size_t j = 0; j + i < kDegree; ++j) {
        right[j] = (right[j] + right[j + 1]) / 2;
      }
    }
    return is_positive(left, depth - 1) && is_positive(right, depth - 1);
  }

  /// Slow and sure, for what is near a fold: "rises up to x, and is at most the target there" holds up to the solution.
  double bisect(double target, double limit) const {
    double low = 0;
    double high = limit;
    constexpr int kMaxSteps = 120;
    for (int step = 0; step < kMaxSteps; ++step) {
      const double x = (low + high) / 2;
      (value(x) <= target && rises_until(x) ? low : high) = x;
    }
    const bool is_solution = std::abs(value(low) - target) <= 1e-12 * target && low < (1 - 1e-10) * limit;
    return is_solution ? low : kNan;
  }

  std::array<double, 4> k_;
};

std::array<double, 2> undistort_fisheye(const Lens& lens, double x, double y) {
  const double radius = std::hypot(x, y);
  if (radius == 0) {
    return {0, 0};
  }
  const double theta = RadialPolynomial(lens).solve(radius, std::numbers::pi / 2);
  const double scale = std::tan(theta) / radius;
  return {x * scale, y * scale};
}

/// Newton's method in two dimensions, from a point near the solution.
std::array<double, 2> undistort_tangential(const Lens& lens, double x, double y, std::array<double, 2> p) {
  constexpr int kMaxSteps = 20;
  for (int step = 0; step < kMaxSteps; ++step) {
    const std::array<double, 2> at = distort(lens, p[0], p[1]);
    const auto j = distortion_jacobian(lens, p[0], p[1]);
    const double determinant = j[0][0] * j[1][1] - j[0][1] * j[1][0];
    if (!(determinant > 0)) {
      break;
    }
    const double dx = ((x - at[0]) * j[1][1] - (y - at[1]) * j[0][1]) / determinant;
    const double dy = ((y - at[1]) * j[0][0] - (x - at[0]) * j[1][0]) / determinant;
    p = {p[0] + dx, p[1] + dy};
    if (std::hypot(dx, dy) <= 1e-14 * std::hypot(p[0], p[1])) {
      return RadialPolynomial(lens).rises_until(std::hypot(p[0], p[1])) ? p : std::array{kNan, kNan};
    }
  }
  return {kNan, kNan};
}

std::array<double, 3> rotate(const Pose& pose, const std::array<double, 3>& v) {
  std::array<double, 3> out{};
  for (std::size_t i = 0; i < 3; ++i) {
    out[i] = pose.matrix[i][0] * v[0] + pose.matrix[i][1] * v[1] + pose.matrix[i][2] * v[2];
  }
  return out;
}

}  // namespace

const char* to_string(LensModel model) {
  return detail::enum_name(kLensNames, model);
}

LensModel lens_model_from_string(const std::string& text) {
  return detail::enum_value(kLensNames, text, "[camera] lens model");
}

std::array<double, 2> distort(const Lens& lens, double x, double y) {
  if (lens.model == LensModel::Pinhole) {
    return {x, y};
  }
  const RadialPolynomial radial(lens);
  const double r = std::hypot(x, y);
  if (lens.model == LensModel::Fisheye) {
    const double scale = r == 0 ? 1 : radial.value(std::atan(r)) / r;
    return {x * scale, y * scale};
  }
  const auto [p1, p2] = lens.p;
  const double ratio = radial.ratio(r);
  return {x * ratio + 2 * p1 * x * y + p2 * (r * r + 2 * x * x), y * ratio + p1 * (r * r + 2 * y * y) + 2 * p2 * x * y};
}

std::array<std::array<double, 2>, 2> distortion_jacobian(const Lens& lens, double x, double y) {
  if (lens.model == LensModel::Pinhole) {
    return {{{1, 0}, {0, 1}}};
  }
  const RadialPolynomial radial(lens);
  const double r = std::hypot(x, y);
  if (lens.model == LensModel::Fisheye) {
    // (x, y) g(r): g I + g' / r (x, y) (x, y)^T. The cancellation in g' / r is undone by the product.
    const double theta = std::atan(r);
    const double g = r == 0 ? 1 : radial.value(theta) / r;
    const double h = r * r == 0 ? 0 : (radial.slope(theta) / (1 + r * r) - g) / (r * r);
    return {{{g + h * x * x, h * x * y}, {h * x * y, g + h * y * y}}};
  }
  const auto [p1, p2] = lens.p;
  const double ratio = radial.ratio(r);
  const double growth = 2 * radial.ratio_slope(r);
  const double mixed = growth * x * y + 2 * p1 * x + 2 * p2 * y;
  return {{{ratio + growth * x * x + 2 * p1 * y + 6 * p2 * x, mixed},
           {mixed, ratio + growth * y * y + 6 * p1 * y + 2 * p2 * x}}};
}

std::array<double, 2> undistort(const Lens& lens, double x_distorted, double y_distorted) {
  if (!std::isfinite(x_distorted) || !std::isfinite(y_distorted)) {
    return {kNan, kNan};
  }
  if (lens.model == LensModel::Pinhole) {
    return {x_distorted, y_distorted};
  }
  if (lens.model == LensModel::Fisheye) {
    return undistort_fisheye(lens, x_distorted, y_distorted);
  }
  constexpr double kMaxRadius = 5729;  // tan(89.99 degrees)
  const double radius = std::hypot(x_distorted, y_distorted);
  const double scale = radius == 0 ? 1 : RadialPolynomial(lens).solve(radius, kMaxRadius) / radius;
  const std::array<double, 2> start = {x_distorted * scale, y_distorted * scale};
  if (lens.p == std::array<double, 2>{} || radius == 0) {
    return start;  // distort() of the centre is the centre
  }
  return undistort_tangential(lens, x_distorted, y_distorted, start);
}

Intrinsics resized(Intrinsics intrinsics, int width, int height) {
  const double x = static_cast<double>(width) / intrinsics.width;
  const double y = static_cast<double>(height) / intrinsics.height;
  intrinsics.width = width;
  intrinsics.height = height;
  intrinsics.fl_x *= x;
  intrinsics.cx *= x;
  intrinsics.fl_y *= y;
  intrinsics.cy *= y;
  return intrinsics;
}

std::array<double, 3> pixel_direction(const Intrinsics& intrinsics, double u, double v) {
  const std::array<double, 2> p =
      undistort(intrinsics.lens, (u - intrinsics.cx) / intrinsics.fl_x, (v - intrinsics.cy) / intrinsics.fl_y);
  return {p[0], -p[1], std::isnan(p[0]) ? kNan : -1};
}

CameraRay ray_of_pixel(const Intrinsics& intrinsics, const Pose& camera_to_world, double u, double v) {
  CameraRay ray;
  ray.direction = rotate(camera_to_world, pixel_direction(intrinsics, u, v));
  const double length = std::hypot(ray.direction[0], ray.direction[1], ray.direction[2]);
  for (std::size_t i = 0; i < 3; ++i) {
    ray.direction[i] /= length;
    ray.origin[i] = camera_to_world.matrix[i][3];
  }
  return ray;
}

PixelPosition pixel_of_point(const Intrinsics& intrinsics, const Pose& camera_to_world,
                             const std::array<double, 3>& point) {
  std::array<double, 3> seen{};  // R^T (point - t)
  for (std::size_t i = 0; i < 3; ++i) {
    const double offset = point[i] - camera_to_world.matrix[i][3];
    for (std::size_t j = 0; j < 3; ++j) {
      seen[j] += camera_to_world.matrix[i][j] * offset;
    }
  }
  const double depth = -seen[2];
  if (!(depth > 0)) {
    return {kNan, kNan, depth};
  }
  const std::array<double, 2> p = distort(intrinsics.lens, seen[0] / depth, -seen[1] / depth);
  return {intrinsics.fl_x * p[0] + intrinsics.cx, intrinsics.fl_y * p[1] + intrinsics.cy, depth};
}

}  // namespace loe
