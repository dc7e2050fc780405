// Camera paths: rotations, what they look at, closed loops, and keys that are met.
#include "loe/render/camera_path.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "loe/base/error.h"

namespace loe {
namespace {

constexpr double kPi = std::numbers::pi;
using Point = std::array<double, 3>;

Point column(const Pose& pose, int axis) {
  return {pose.matrix[0][axis], pose.matrix[1][axis], pose.matrix[2][axis]};
}

double distance(const Point& a, const Point& b) {
  return std::sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]));
}

double dot(const Point& a, const Point& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

double difference(const Pose& a, const Pose& b) {
  double worst = 0;
  for (int row = 0; row < 3; ++row) {
    for (int i = 0; i < 4; ++i) {
      worst = std::max(worst, std::abs(a.matrix[row][i] - b.matrix[row][i]));
    }
  }
  return worst;
}

void expect_rotation(const Pose& pose) {
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      ASSERT_NEAR(dot(column(pose, a), column(pose, b)), a == b ? 1 : 0, 1e-12);
    }
  }
  const Point x = column(pose, 0);
  const Point y = column(pose, 1);
  EXPECT_NEAR(
      distance({x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]}, column(pose, 2)), 0,
      1e-12);
}

void expect_looks_at(const Pose& pose, const Point& target) {
  const Point eye = column(pose, 3);
  const double d = distance(eye, target);
  for (int a = 0; a < 3; ++a) {
    EXPECT_NEAR(eye[a] - d * pose.matrix[a][2], target[a], 1e-12);
  }
}

TEST(CameraPath, LookAt) {
  const Pose pose = look_at({1, 2, 3}, {-1, 0.5, 2}, {0, 0, 5});
  expect_rotation(pose);
  expect_looks_at(pose, {-1, 0.5, 2});
  EXPECT_NEAR(pose.matrix[2][0], 0, 1e-15);  // right is level
  EXPECT_GT(pose.matrix[2][1], 0);           // up is up
  EXPECT_EQ(difference(look_at({0, 0, 0}, {0, 0, -1}, {0, 1, 0}), Pose()), 0);
  EXPECT_THROW(look_at({1, 1, 1}, {1, 1, 1}, {0, 0, 1}), Error);
  EXPECT_THROW(look_at({1, 1, 1}, {1, 1, 0}, {0, 0, 1}), Error);
  EXPECT_THROW(look_at({1, 1, 1}, {0, 1, 0}, {0, 0, 0}), Error);
}

TEST(CameraPath, OrbitIsARegularPolygon) {
  const Point centre = {0.1, -0.2, 0.3};
  for (const Point& up : {Point{0, 1, 0}, Point{0, 0, 2}, Point{1, 1, 0.5}}) {
    const std::vector<Pose> poses = orbit(centre, up, 2.0, 0.4, 12);
    ASSERT_EQ(poses.size(), 12U);
    for (std::size_t i = 0; i < 12; ++i) {
      expect_rotation(poses[i]);
      expect_looks_at(poses[i], centre);
      const Point eye = column(poses[i], 3);
      EXPECT_NEAR(distance(eye, centre), 2, 1e-12);
      const Point offset = {eye[0] - centre[0], eye[1] - centre[1], eye[2] - centre[2]};
      EXPECT_NEAR(dot(offset, up) / std::sqrt(dot(up, up)), 2 * std::sin(0.4), 1e-12);
      // Also from the last to the first: the loop is closed.
      EXPECT_NEAR(distance(eye, column(poses[(i + 1) % 12], 3)), 2 * std::cos(0.4) * 2 * std::sin(kPi / 12), 1e-12);
    }
  }
  EXPECT_THROW(orbit(centre, {0, 0, 0}, 1, 0, 5), Error);
  EXPECT_THROW(orbit(centre, {0, 1, 0}, 0, 0, 5), Error);
  EXPECT_THROW(orbit(centre, {0, 1, 0}, 1, 90, 5), Error);
  EXPECT_THROW(orbit(centre, {0, 1, 0}, 1, 0, 0), Error);
}

TEST(CameraPath, SpiralStaysAroundItsMiddle) {
  const Pose middle = look_at({0.5, 0.4, 2}, {0, 0, 0}, {0, 1, 0});
  const SpiralSpec spec{.radii = {0.3, 0.2, 0.1}, .focus = 1.5, .depth_rate = 0.5, .n_turns = 2};
  const std::vector<Pose> poses = spiral(middle, spec, 240);
  Point target{};
  for (int a = 0; a < 3; ++a) {
    target[a] = middle.matrix[a][3] - 1.5 * middle.matrix[a][2];
  }
  double widest = 0;
  for (std::size_t k = 0; k < poses.size(); ++k) {
    expect_rotation(poses[k]);
    expect_looks_at(poses[k], target);
    const Point eye = column(poses[k], 3);
    const double theta = 4 * kPi * static_cast<double>(k) / 240;
    const Point offset = {eye[0] - middle.matrix[0][3], eye[1] - middle.matrix[1][3], eye[2] - middle.matrix[2][3]};
    EXPECT_NEAR(dot(offset, column(middle, 0)), 0.3 * std::cos(theta), 1e-12);
    EXPECT_NEAR(dot(offset, column(middle, 1)), -0.2 * std::sin(theta), 1e-12);
    EXPECT_NEAR(dot(offset, column(middle, 2)), -0.1 * std::sin(theta / 2), 1e-12);
    widest = std::max(widest, distance(eye, column(poses[(k + 1) % 240], 3)));
  }
  EXPECT_LT(widest, 0.3 * 4 * kPi / 240 * 1.1);  // no jump, also from the last to the first
  EXPECT_THROW(spiral(middle, {.focus = 0}, 10), Error);
}

std::vector<Pose> some_keys() {
  // Among them turns by almost half a circle and rotations of every largest quaternion component.
  return {look_at({2, 0, 0}, {0, 0, 0}, {0, 1, 0}), look_at({0, 0.1, 2}, {0, 0, 0}, {0, 1, 0}),
          look_at({-2, 1, -0.3}, {0, 0, 0}, {0, -1, 0}), look_at({0, 2, 0.1}, {0, 0, 0}, {1, 0, 0}),
          look_at({1, -1, 1}, {0.5, 3, 0}, {0, 0, 1})};
}

TEST(CameraPath, KeysAreMet) {
  const std::vector<Pose> keys = some_keys();
  for (const PathCurve curve : {PathCurve::Linear, PathCurve::CatmullRom}) {
    const std::vector<Pose> open = interpolate_poses(keys, 41, false, curve);
    const std::vector<Pose> closed = interpolate_poses(keys, 50, true, curve);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      EXPECT_LT(difference(open[i * 10], keys[i]), 1e-12) << i;
      EXPECT_LT(difference(closed[i * 10], keys[i]), 1e-12) << i;
    }
    for (const Pose& pose : closed) {
      expect_rotation(pose);
    }
  }
  EXPECT_LT(difference(interpolate_poses(keys, 1, false, PathCurve::Linear)[0], keys[0]), 1e-12);
  const std::vector<Pose> one(1, keys[3]);
  for (const bool closed : {true, false}) {
    for (const Pose& pose : interpolate_poses(one, 3, closed, PathCurve::CatmullRom)) {
      EXPECT_LT(difference(pose, keys[3]), 1e-12);
    }
  }
}

TEST(CameraPath, RotationsTurnEvenlyAndTheShortWay) {
  const std::vector<Pose> keys = {look_at({0, 0, 1}, {0, 0, 0}, {0, 1, 0}), look_at({1, 0, 0}, {0, 0, 0}, {0, 1, 0})};
  const std::vector<Pose> poses = interpolate_poses(keys, 7, false, PathCurve::Linear);
  for (int k = 0; k < 7; ++k) {  // a quarter turn about y
    const double angle = kPi / 2 * k / 6;
    EXPECT_NEAR(poses[k].matrix[0][2], std::sin(angle), 1e-12);
    EXPECT_NEAR(poses[k].matrix[2][2], std::cos(angle), 1e-12);
    EXPECT_NEAR(poses[k].matrix[1][1], 1, 1e-12);
    EXPECT_NEAR(poses[k].matrix[0][3], k / 6.0, 1e-12);
  }
}

TEST(CameraPath, CatmullRomIsSmoothAndStraightOnLines) {
  std::vector<Pose> line(4);
  for (int i = 0; i < 4; ++i) {
    line[i].matrix[0][3] = i;
  }
  const std::vector<Pose> poses = interpolate_poses(line, 31, false, PathCurve::CatmullRom);
  for (int k = 0; k < 31; ++k) {
    EXPECT_NEAR(poses[k].matrix[0][3], k / 10.0, 1e-12);
  }
  // Around a key the steps before and after it agree to second order; on straight pieces they do not.
  const int n = 5000;
  const std::vector<Pose> smooth = interpolate_poses(some_keys(), n, true, PathCurve::CatmullRom);
  for (int key = 0; key < 5; ++key) {
    const int k = key * n / 5;
    for (int a = 0; a < 3; ++a) {
      const double before = smooth[k].matrix[a][3] - smooth[(k + n - 1) % n].matrix[a][3];
      const double after = smooth[k + 1].matrix[a][3] - smooth[k].matrix[a][3];
      EXPECT_NEAR(before, after, 3e-5);
    }
  }
}

TEST(CameraPath, WhatIsNoRotationIsAnError) {
  std::vector<Pose> keys = some_keys();
  keys[2].matrix[0][0] += 0.01;
  EXPECT_THROW(interpolate_poses(keys, 5, false, PathCurve::Linear), Error);
  keys = some_keys();
  for (auto& row : keys[1].matrix) {
    row[0] = -row[0];  // mirrored
  }
  EXPECT_THROW(interpolate_poses(keys, 5, false, PathCurve::Linear), Error);
  EXPECT_THROW(interpolate_poses({}, 5, false, PathCurve::Linear), Error);
  EXPECT_THROW(interpolate_poses(some_keys(), 0, false, PathCurve::Linear), Error);
}

}  // namespace
}  // namespace loe
