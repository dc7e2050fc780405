// Cameras as scenes' files state them: poses and intrinsics, checked.
#include "io/scene_camera.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "io/scene_builder.h"

namespace loe {
namespace {

using Matrix3 = std::array<Vector3, 3>;

constexpr double kMaxSide = 65536;
constexpr double kMaxFocal = 1e9;
constexpr double kMaxCoordinate = 1e12;

double dot(const Vector3& a, const Vector3& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

Vector3 cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

double determinant(const Matrix3& m) {
  return dot(m[0], cross(m[1], m[2]));
}

/// The inverse transposed times the determinant.
Matrix3 cofactors(const Matrix3& m) {
  return {cross(m[1], m[2]), cross(m[2], m[0]), cross(m[0], m[1])};
}

/// The largest deviation of m m^T from the unit matrix.
double distance_from_rotation(const Matrix3& m) {
  double largest = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      largest = std::max(largest, std::abs(dot(m[i], m[j]) - (i == j ? 1 : 0)));
    }
  }
  return largest;
}

/// Newton's iteration for the polar decomposition: from an error of 0.005, exact after three steps.
Matrix3 nearest_rotation(Matrix3 m) {
  constexpr int kSteps = 4;
  for (int step = 0; step < kSteps; ++step) {
    const double size = determinant(m);
    const Matrix3 c = cofactors(m);
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) {
        m[i][j] = (m[i][j] + c[i][j] / size) / 2;
      }
    }
  }
  return m;
}

}  // namespace

void require_finite(double value, double limit, const std::string& name, const std::string& path,
                    const std::string& field) {
  if (!(std::abs(value) <= limit)) {
    fail_scene_format(path, field, fmt::format("{} of at most {}", name, limit), fmt::format("{}", value));
  }
}

Pose checked_pose(const Matrix3x4& camera_to_world, CameraAxes axes, const std::string& path,
                  const std::string& field) {
  for (const auto& row : camera_to_world) {
    for (const double value : row) {
      require_finite(value, kMaxCoordinate, "a number", path, field);
    }
  }
  Matrix3 r{};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::array<double, 4>& row = camera_to_world[i];
    if (axes == CameraAxes::OpenGl) {
      r[i] = {row[0], row[1], row[2]};
    } else if (axes == CameraAxes::OpenCv) {
      r[i] = {row[0], -row[1], -row[2]};
    } else {
      r[i] = {row[1], -row[0], row[2]};
    }
  }
  const double size = determinant(r);
  const double norm = std::sqrt(dot(r[0], r[0]) + dot(r[1], r[1]) + dot(r[2], r[2]));
  constexpr double kTiny = 1e-30;
  constexpr double kFlat = 1e-6;  // of norm^3; a rotation has 0.19
  if (!(norm > kTiny && size > kFlat * norm * norm * norm)) {
    fail_scene_format(path, field, "a rotation (times a scale)",
                      size < -kFlat * norm * norm * norm ? "a matrix that mirrors" : "a matrix without an inverse");
  }
  const double scale = std::cbrt(size);
  for (Vector3& row : r) {
    for (double& value : row) {
      value /= scale;
    }
  }
  constexpr double kTolerance = 0.005;
  const double error = distance_from_rotation(r);
  if (!(error <= kTolerance)) {
    fail_scene_format(path, field, fmt::format("a rotation (times a scale), to {}", kTolerance),
                      fmt::format("axes that are off by {:.2g}", error));
  }
  r = nearest_rotation(r);
  Pose pose;
  for (std::size_t i = 0; i < 3; ++i) {
    pose.matrix[i] = {r[i][0], r[i][1], r[i][2], camera_to_world[i][3]};
  }
  return pose;
}

void check_intrinsics(const StatedIntrinsics& stated, const std::string& path, const std::string& field) {
  for (const double side : {stated.width, stated.height}) {
    if (!(side >= 0 && side <= kMaxSide && side == std::floor(side))) {
      fail_scene_format(path, field, fmt::format("a width and height of 1..{} whole pixels", kMaxSide),
                        fmt::format("{}", side));
    }
  }
  if (stated.fl_x == 0 && stated.angle_x == 0 && stated.fl_y == 0 && stated.angle_y == 0) {
    fail_scene_format(path, field, "a focal length (fl_x) or an angle (camera_angle_x)", "neither");
  }
  for (const double focal : {stated.fl_x, stated.fl_y}) {
    if (!(focal >= 0 && focal <= kMaxFocal)) {
      fail_scene_format(path, field, fmt::format("a focal length in 0..{}", kMaxFocal), fmt::format("{}", focal));
    }
  }
  for (const double angle : {stated.angle_x, stated.angle_y}) {
    if (!(angle >= 0 && angle < std::numbers::pi)) {
      fail_scene_format(path, field, "an angle of view in 0..pi radians", fmt::format("{}", angle));
    }
  }
  for (const double centre : {stated.cx, stated.cy}) {
    require_finite(centre, kMaxFocal, "a principal point", path, field);
  }
  for (const double k : stated.lens.k) {
    require_finite(k, kMaxFocal, "distortion coefficients", path, field);
  }
  for (const double p : stated.lens.p) {
    require_finite(p, kMaxFocal, "distortion coefficients", path, field);
  }
}

Lens simplified(const Lens& lens) {
  // A fisheye without coefficients still bends.
  const bool is_plain =
      lens.model == LensModel::BrownConrady && lens.k == decltype(lens.k){} && lens.p == decltype(lens.p){};
  return is_plain ? Lens{} : lens;
}

bool fits_size(const StatedIntrinsics& stated, int width, int height) {
  const double w = stated.width > 0 ? stated.width : width;
  const double h = stated.height > 0 ? stated.height : height;
  // A side of a resized picture is rounded to whole pixels, up or down.
  return std::abs(width * h / w - height) <= 1 || std::abs(height * w / h - width) <= 1;
}

Intrinsics fit_to_picture(const StatedIntrinsics& stated, int width, int height, const std::string& path,
                          const std::string& field) {
  check_intrinsics(stated, path, field);
  const double w = stated.width > 0 ? stated.width : width;
  const double h = stated.height > 0 ? stated.height : height;
  if (!fits_size(stated, width, height)) {
    const bool is_swapped = fits_size(stated, height, width);
    fail_scene(ErrorKind::Format, path, field, fmt::format("pictures of {}x{}, or resized from that", w, h),
               fmt::format("one of {}x{}", width, height),
               is_swapped ? "swap the width and height (w and h) that are stated, or turn the pictures"
                          : "name the folder of the pictures that the cameras belong to (data.images)");
  }
  const auto from_angle = [](double size, double angle) { return angle > 0 ? size / 2 / std::tan(angle / 2) : 0; };
  Intrinsics fitted;
  fitted.width = width;
  fitted.height = height;
  fitted.fl_x = stated.fl_x > 0 ? stated.fl_x : from_angle(w, stated.angle_x);
  fitted.fl_y = stated.fl_y > 0 ? stated.fl_y : from_angle(h, stated.angle_y);
  if (fitted.fl_x == 0) {
    fitted.fl_x = fitted.fl_y;
  } else if (fitted.fl_y == 0) {
    fitted.fl_y = fitted.fl_x;
  }
  fitted.fl_x *= width / w;
  fitted.fl_y *= height / h;
  constexpr double kMinFocal = 1e-3;
  if (!(fitted.fl_x >= kMinFocal && fitted.fl_y >= kMinFocal && fitted.fl_x <= kMaxFocal && fitted.fl_y <= kMaxFocal)) {
    fail_scene_format(path, field, fmt::format("focal lengths in {}..{} pixels", kMinFocal, kMaxFocal),
                      fmt::format("{}, {}", fitted.fl_x, fitted.fl_y));
  }
  fitted.cx = (stated.has_centre_x ? stated.cx : w / 2) * (width / w);
  fitted.cy = (stated.has_centre_y ? stated.cy : h / 2) * (height / h);
  fitted.lens = simplified(stated.lens);
  return fitted;
}

std::vector<CameraDoubt> doubts_of(const Intrinsics& camera) {
  constexpr double kDegrees = 180 / std::numbers::pi;
  constexpr double kWidest = 140;  // degrees: no lens without a fisheye's bend sees as much
  constexpr double kLargestRatio = 1.25;
  std::vector<CameraDoubt> doubts;
  const double angle = 2 * std::atan(camera.width / 2.0 / camera.fl_x) * kDegrees;
  if (camera.lens.model != LensModel::Fisheye && angle > kWidest) {
    doubts.push_back(
        {"an angle of view above 140 degrees: is the focal length in pixels, not in millimetres or shares "
         "of the width?",
         fmt::format("{:.4g} for {} pixels, {:.1f} degrees", camera.fl_x, camera.width, angle)});
  }
  const double ratio = std::max(camera.fl_x / camera.fl_y, camera.fl_y / camera.fl_x);
  if (ratio > kLargestRatio) {
    doubts.push_back({"focal lengths along x and y that differ by more than a quarter: are its pixels no squares?",
                      fmt::format("{:.4g} and {:.4g}", camera.fl_x, camera.fl_y)});
  }
  const bool is_inside = camera.cx >= 0 && camera.cy >= 0 && camera.cx <= camera.width && camera.cy <= camera.height;
  constexpr double kShare = 1;  // what a share of the width cannot be above
  constexpr int kSmall = 4;     // pixels: there 1 is near the middle
  const bool is_share = camera.cx <= kShare && camera.cy <= kShare && camera.width > kSmall && camera.height > kSmall;
  if (!is_inside || is_share) {
    doubts.push_back({is_inside ? "a principal point within a pixel of the corner: is it in pixels, not in shares of "
                                  "the width?"
                                : "a principal point outside the picture: are x and y, or width and height, swapped?",
                      fmt::format("{:.4g}, {:.4g} in {}x{}", camera.cx, camera.cy, camera.width, camera.height)});
  }
  return doubts;
}

}  // namespace loe
