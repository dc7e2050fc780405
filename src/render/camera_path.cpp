#include "loe/render/camera_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "loe/base/error.h"
#include "loe/signal/view_centre.h"
#include "render/vec3.h"

namespace loe {
namespace {

constexpr double kPi = std::numbers::pi;

[[noreturn]] void fail(const std::string& text) {
  throw Error(ErrorKind::InvalidArgument, "[camera_path] " + text);
}

void require_count(int n) {
  if (n < 1) {
    fail(fmt::format("poses: expected at least 1, got {}; 120 make a few seconds of video", n));
  }
}

Vec3 column(const Pose& pose, int axis) {
  return {pose.matrix[0][axis], pose.matrix[1][axis], pose.matrix[2][axis]};
}

/// w, x, y, z
using Quaternion = std::array<double, 4>;

Quaternion quaternion_of(const Pose& pose) {
  const auto& m = pose.matrix;
  const double trace = m[0][0] + m[1][1] + m[2][2];
  // Four times the square of each component; dividing by the largest loses nothing.
  const Quaternion squares = {1 + trace, 1 + 2 * m[0][0] - trace, 1 + 2 * m[1][1] - trace, 1 + 2 * m[2][2] - trace};
  const auto largest = std::max_element(squares.begin(), squares.end());
  const double s = std::sqrt(*largest);  // twice the component
  const double half = 0.5 * s;
  const double d = 0.5 / s;
  switch (largest - squares.begin()) {
    case 0:
      return {half, (m[2][1] - m[1][2]) * d, (m[0][2] - m[2][0]) * d, (m[1][0] - m[0][1]) * d};
    case 1:
      return {(m[2][1] - m[1][2]) * d, half, (m[0][1] + m[1][0]) * d, (m[0][2] + m[2][0]) * d};
    case 2:
      return {(m[0][2] - m[2][0]) * d, (m[0][1] + m[1][0]) * d, half, (m[1][2] + m[2][1]) * d};
    default:
      return {(m[1][0] - m[0][1]) * d, (m[0][2] + m[2][0]) * d, (m[1][2] + m[2][1]) * d, half};
  }
}

Pose pose_of(const Quaternion& q, const Vec3& position) {
  const auto& [w, x, y, z] = q;
  Pose pose;
  pose.matrix = {{{1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), position[0]},
                  {2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x), position[1]},
                  {2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y), position[2]}}};
  return pose;
}

Quaternion slerp(const Quaternion& a, Quaternion b, double share) {
  double cosine = 0;
  for (int i = 0; i < 4; ++i) {
    cosine += a[i] * b[i];
  }
  if (cosine < 0) {  // b and -b are the same rotation
    cosine = -cosine;
    for (double& value : b) {
      value = -value;
    }
  }
  const double angle = std::acos(std::min(cosine, 1.0));
  // sin(angle) of nearly equal rotations: the plain blend is as exact.
  const bool near = angle < 1e-6;
  const double share_a = near ? 1 - share : std::sin((1 - share) * angle) / std::sin(angle);
  const double share_b = near ? share : std::sin(share * angle) / std::sin(angle);
  Quaternion q{};
  double norm = 0;
  for (int i = 0; i < 4; ++i) {
    q[i] = share_a * a[i] + share_b * b[i];
    norm += q[i] * q[i];
  }
  for (double& value : q) {
    value /= std::sqrt(norm);
  }
  return q;
}

void require_rotation(const Pose& pose, std::size_t index) {
  double worst = 0;
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      worst = std::max(worst, std::abs(dot(column(pose, a), column(pose, b)) - (a == b ? 1 : 0)));
    }
  }
  const double determinant = dot(cross(column(pose, 0), column(pose, 1)), column(pose, 2));
  if (!(worst <= 1e-4 && determinant > 0)) {
    fail(fmt::format("key {}: expected a rotation, got a matrix {:.2g} off and of determinant {:.3g}; normalise it",
                     index, worst, determinant));
  }
}

Vec3 mean_column(std::span<const Pose> poses, int axis) {
  Vec3 sum{};
  for (const Pose& pose : poses) {
    sum = add(sum, column(pose, axis));
  }
  return scale(sum, 1 / static_cast<double>(poses.size()));
}

void require_cameras(std::span<const Pose> cameras, const char* path) {
  if (cameras.empty()) {
    fail(fmt::format("{}: expected at least one camera to go by, got none", path));
  }
}

/// Below this length the mean of axes says nothing: they point everywhere.
constexpr double kLeastAgreement = 0.1;

/// Through p1 (share 0) and p2 (share 1).
Vec3 catmull_rom(const Vec3& p0, const Vec3& p1, const Vec3& p2, const Vec3& p3, double s) {
  Vec3 p{};
  for (int a = 0; a < 3; ++a) {
    p[a] = 0.5 * (2 * p1[a] + s * ((p2[a] - p0[a]) + s * ((2 * p0[a] - 5 * p1[a] + 4 * p2[a] - p3[a]) +
                                                          s * (3 * (p1[a] - p2[a]) + p3[a] - p0[a]))));
  }
  return p;
}

}  // namespace

Pose look_at(const std::array<double, 3>& eye, const std::array<double, 3>& target, const std::array<double, 3>& up) {
  const Vec3 back = subtract(eye, target);
  const Vec3 right = cross(up, back);
  if (!(length(back) > 0) || !(length(right) > 1e-9 * length(up) * length(back))) {
    fail(
        fmt::format("look_at: expected a target away from the eye and an up direction not along the view, got a "
                    "target {:.3g} away, of which {:.3g} is across up; choose another up",
                    length(back), length(up) > 0 ? length(right) / length(up) : 0));
  }
  const Vec3 z = normalised(back);
  const Vec3 x = normalised(right);
  const Vec3 y = cross(z, x);
  Pose pose;
  for (int a = 0; a < 3; ++a) {
    pose.matrix[a] = {x[a], y[a], z[a], eye[a]};
  }
  return pose;
}

std::vector<Pose> orbit(const std::array<double, 3>& centre, const std::array<double, 3>& up, double radius,
                        double elevation, int n) {
  require_count(n);
  if (!(radius > 0) || !(length(up) > 0) || !(std::abs(elevation) < kPi / 2)) {
    fail(
        fmt::format("orbit: expected a positive radius, an up direction and an elevation between -pi/2 and pi/2, got "
                    "{}, length {} and {}; angles are in radians",
                    radius, length(up), elevation));
  }
  const Vec3 axis = normalised(up);
  int least = 0;
  for (int a = 1; a < 3; ++a) {
    least = std::abs(axis[a]) < std::abs(axis[least]) ? a : least;
  }
  Vec3 unit{};
  unit[least] = 1;
  const Vec3 x = normalised(subtract(unit, scale(axis, dot(unit, axis))));
  const Vec3 y = cross(axis, x);
  std::vector<Pose> poses;
  for (int k = 0; k < n; ++k) {
    const double angle = 2 * kPi * k / n;
    const Vec3 around = add(scale(x, std::cos(angle)), scale(y, std::sin(angle)));
    const Vec3 direction = add(scale(around, std::cos(elevation)), scale(axis, std::sin(elevation)));
    poses.push_back(look_at(add(centre, scale(direction, radius)), centre, axis));
  }
  return poses;
}

OrbitSpec orbit_of_cameras(std::span<const Pose> cameras) {
  require_cameras(cameras, "orbit");
  const ViewCentre centre = view_centre(cameras);
  const Vec3 up = mean_column(cameras, 1);
  constexpr double kSteepest = 80 * kPi / 180;
  constexpr double kLeastCosine = 0.5;
  constexpr double kOneSide = 0.9;  // of an arc of 90 degrees
  const auto n = static_cast<double>(cameras.size());
  OrbitSpec spec;
  spec.centre = centre.point;
  spec.radius = 0;
  double cosine = 0;
  double elevation = 0;
  Vec3 around{};  // sum of the backward axes across up, and of its lengths
  double all_round = 0;
  for (const Pose& camera : cameras) {
    const Vec3 offset = subtract(column(camera, 3), centre.point);
    const double distance = std::max(length(offset), 1e-30);
    spec.radius += length(offset) / n;
    cosine += dot(offset, column(camera, 2)) / distance / n;
    const double rise = length(up) > 0 ? dot(offset, up) / (distance * length(up)) : 0;
    elevation += std::asin(std::clamp(rise, -1.0, 1.0)) / n;
    const Vec3 back = column(camera, 2);
    const Vec3 across = length(up) > 0 ? subtract(back, scale(up, dot(back, up) / dot(up, up))) : back;
    around = add(around, across);
    all_round += length(across);
  }
  const char* const wrong = centre.is_parallel                      ? "nearly parallel views"
                            : !(cosine > kLeastCosine)              ? "cameras that look outwards"
                            : length(around) > kOneSide * all_round ? "views from one side"
                                                                    : nullptr;
  if (wrong != nullptr) {
    fail(fmt::format("orbit: expected cameras around what they look at, got {}; use a spiral or key poses of your own",
                     wrong));
  }
  if (!(length(up) > kLeastAgreement)) {
    fail("orbit: expected cameras that agree where up is, got up axes that cancel; use key poses of your own");
  }
  spec.up = normalised(up);
  spec.elevation = std::clamp(elevation, -kSteepest, kSteepest);
  return spec;
}

SpiralPath spiral_of_cameras(std::span<const Pose> cameras, double near, double far, const Vec3& middle_of_scene) {
  require_cameras(cameras, "spiral");
  const Vec3 eye = mean_column(cameras, 3);
  const Vec3 back = mean_column(cameras, 2);
  const Vec3 up = mean_column(cameras, 1);
  // Cameras all around something: what their means have in common is that they look down from above.
  constexpr double kLeastSine = 0.3;
  if (!(length(back) > kLeastAgreement) || !(length(up) > kLeastAgreement) ||
      !(length(cross(up, back)) > kLeastSine * length(up) * length(back))) {
    fail(
        "spiral: expected cameras that look about the same way, got views from all around; use an orbit or key poses "
        "of "
        "your own");
  }
  SpiralPath path;
  path.middle = look_at(eye, subtract(eye, back), up);
  const auto distance_along_axis = [&](const Vec3& p) { return -dot(subtract(p, eye), column(path.middle, 2)); };
  for (int axis = 0; axis < 3; ++axis) {
    std::vector<double> offsets;
    for (const Pose& camera : cameras) {
      offsets.push_back(std::abs(dot(subtract(column(camera, 3), eye), column(path.middle, axis))));
    }
    const auto percentile = offsets.begin() + static_cast<std::ptrdiff_t>((offsets.size() - 1) * 9 / 10);
    std::nth_element(offsets.begin(), percentile, offsets.end());
    path.spec.radii[static_cast<std::size_t>(axis)] = *percentile;
  }
  const ViewCentre centre = view_centre(cameras);
  if (!centre.is_parallel && distance_along_axis(centre.point) > 0) {
    path.spec.focus = distance_along_axis(centre.point);
  } else if (near > 0 && far > 0) {
    path.spec.focus = 1 / (0.25 / near + 0.75 / (5 * far));
  } else if (distance_along_axis(middle_of_scene) > 0) {
    path.spec.focus = distance_along_axis(middle_of_scene);
  }
  return path;
}

std::vector<Pose> spiral(const Pose& middle, const SpiralSpec& spec, int n) {
  require_count(n);
  if (!(spec.focus > 0)) {
    fail(fmt::format("spiral: expected a focus in front of the camera, got {}; take the distance of what matters",
                     spec.focus));
  }
  const auto to_world = [&middle](const Vec3& p) {
    Vec3 sum = column(middle, 3);
    for (int a = 0; a < 3; ++a) {
      sum = add(sum, scale(column(middle, a), p[a]));
    }
    return sum;
  };
  const Vec3 target = to_world({0, 0, -spec.focus});
  std::vector<Pose> poses;
  for (int k = 0; k < n; ++k) {
    const double theta = 2 * kPi * spec.n_turns * k / n;
    const Vec3 eye = {spec.radii[0] * std::cos(theta), -spec.radii[1] * std::sin(theta),
                      -spec.radii[2] * std::sin(theta * spec.depth_rate)};
    poses.push_back(look_at(to_world(eye), target, column(middle, 1)));
  }
  return poses;
}

std::vector<Pose> interpolate_poses(std::span<const Pose> keys, int n, bool closed, PathCurve curve) {
  require_count(n);
  const int n_keys = static_cast<int>(keys.size());
  if (n_keys < 1) {
    fail("keys: expected at least 1, got 0; name some poses");
  }
  std::vector<Quaternion> rotations;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    require_rotation(keys[i], i);
    rotations.push_back(quaternion_of(keys[i]));
  }
  const auto position = [&](int i) {
    if (closed) {
      return column(keys[(i + n_keys) % n_keys], 3);
    }
    const int inside = std::clamp(i, 0, n_keys - 1);
    const Vec3 p = column(keys[inside], 3);
    const int mirrored = 2 * inside - i;  // beyond an end: the neighbour mirrored at the end
    return i == inside || n_keys == 1 ? p : subtract(scale(p, 2), column(keys[mirrored], 3));
  };
  const int n_segments = closed ? n_keys : n_keys - 1;
  std::vector<Pose> poses;
  for (int k = 0; k < n; ++k) {
    // In integers, so that keys are met exactly.
    const int64_t n_steps = closed ? n : std::max(n - 1, 1);
    const int64_t whole = int64_t{k} * n_segments / n_steps;
    const int i = static_cast<int>(whole);
    const double share = static_cast<double>(int64_t{k} * n_segments - whole * n_steps) / static_cast<double>(n_steps);
    const int next = closed ? (i + 1) % n_keys : std::min(i + 1, n_keys - 1);
    const Vec3 straight = add(scale(position(i), 1 - share), scale(position(next), share));
    const Vec3 p = curve == PathCurve::CatmullRom && share > 0
                       ? catmull_rom(position(i - 1), position(i), position(i + 1), position(i + 2), share)
                       : straight;
    poses.push_back(pose_of(slerp(rotations[i], rotations[next], share), p));
  }
  return poses;
}

}  // namespace loe
