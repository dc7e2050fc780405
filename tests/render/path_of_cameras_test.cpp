// Orbits and spirals that follow from the cameras of a scene.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "loe/base/error.h"
#include "loe/render/camera_path.h"

namespace loe {
namespace {

using Point = std::array<double, 3>;
constexpr double kPi = std::numbers::pi;

Pose turned_about_its_axis(Pose pose, double angle) {
  for (auto& row : pose.matrix) {
    const double x = row[0];
    const double y = row[1];
    row[0] = std::cos(angle) * x + std::sin(angle) * y;
    row[1] = -std::sin(angle) * x + std::cos(angle) * y;
  }
  return pose;
}

void expect_near(const Point& a, const Point& b, double tolerance = 1e-9) {
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(a[i], b[i], tolerance) << "axis " << i;
}

void expect_error(const std::string& part, const std::function<void()>& action) {
  try {
    action();
    ADD_FAILURE() << "no error with " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

/// 5 x 3 cameras in the plane z = 1, 0.1 apart, that look along -z.
std::vector<Pose> forward_cameras() {
  std::vector<Pose> cameras;
  for (int y = -1; y <= 1; ++y) {
    for (int x = -2; x <= 2; ++x) {
      cameras.push_back(look_at({0.1 * x, 0.1 * y, 1}, {0.1 * x, 0.1 * y, 0}, {0, 1, 0}));
    }
  }
  return cameras;
}

TEST(PathOfCameras, AnOrbitIsFoundAgain) {
  const Point centre = {0.1, -0.2, 0.05};
  const Point up = {0, 0.6, 0.8};
  const OrbitSpec spec = orbit_of_cameras(orbit(centre, up, 1.4, 0.5, 12));
  expect_near(spec.centre, centre);
  expect_near(spec.up, up);
  EXPECT_NEAR(spec.radius, 1.4, 1e-9);
  EXPECT_NEAR(spec.elevation, 0.5, 1e-9);
}

TEST(PathOfCameras, AnOrbitHasTheMeansOfItsCameras) {
  std::vector<Pose> cameras = orbit({0, 0, 0}, {0, 0, 1}, 1, 0.2, 8);
  const std::vector<Pose> high = orbit({0, 0, 0}, {0, 0, 1}, 2, 0.6, 8);
  cameras.insert(cameras.end(), high.begin(), high.end());
  for (std::size_t i = 0; i < cameras.size(); ++i) {  // photos are taken a little askew
    cameras[i] = turned_about_its_axis(cameras[i], i % 2 == 0 ? 0.2 : -0.2);
  }
  const OrbitSpec spec = orbit_of_cameras(cameras);
  expect_near(spec.centre, {0, 0, 0});
  expect_near(spec.up, {0, 0, 1}, 1e-9);
  EXPECT_NEAR(spec.radius, 1.5, 1e-9);
  EXPECT_NEAR(spec.elevation, 0.4, 1e-9);
  // Below the horizon too; straight from above is held back.
  EXPECT_NEAR(orbit_of_cameras(orbit({0, 0, 0}, {0, 0, 1}, 1, -0.3, 8)).elevation, -0.3, 1e-9);
  EXPECT_NEAR(orbit_of_cameras(orbit({0, 0, 0}, {0, 0, 1}, 1, 1.43, 8)).elevation, 80 * kPi / 180, 1e-9);
}

TEST(PathOfCameras, OrbitsNeedCamerasAroundSomething) {
  expect_error("nearly parallel views; use a spiral", [] { orbit_of_cameras(forward_cameras()); });
  expect_error("at least one camera", [] { orbit_of_cameras({}); });
  // A quarter of a circle and somewhat more of one.
  std::vector<Pose> arc = orbit({0, 0, 0}, {0, 1, 0}, 1, 0.4, 40);
  arc.resize(9);
  expect_error("views from one side; use a spiral", [&] { orbit_of_cameras(arc); });
  arc = orbit({0, 0, 0}, {0, 1, 0}, 1, 0.4, 40);
  arc.resize(14);
  EXPECT_NEAR(orbit_of_cameras(arc).radius, 1, 1e-9);
  std::vector<Pose> outwards = orbit({0, 0, 0}, {0, 1, 0}, 1, 0.2, 8);
  for (Pose& pose : outwards) {
    for (auto& row : pose.matrix) {
      row[0] = -row[0];
      row[2] = -row[2];
    }
  }
  expect_error("look outwards", [&] { orbit_of_cameras(outwards); });
  std::vector<Pose> rolling = orbit({0, 0, 0}, {0, 1, 0}, 1, 0.2, 8);
  for (std::size_t i = 0; i < rolling.size(); i += 2) rolling[i] = turned_about_its_axis(rolling[i], kPi);
  expect_error("up axes that cancel", [&] { orbit_of_cameras(rolling); });
}

TEST(PathOfCameras, ASpiralSpansItsCameras) {
  const SpiralPath path = spiral_of_cameras(forward_cameras(), 1, 5, {0, 0, 0});
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      const double expected = i == j || (i == 2 && j == 3) ? 1 : 0;
      EXPECT_NEAR(path.middle.matrix[i][j], expected, 1e-12) << i << " " << j;
    }
  }
  // Of 15 numbers the 13th: 0.2 six times is the largest, 0.1 ten times.
  EXPECT_NEAR(path.spec.radii[0], 0.2, 1e-12);
  EXPECT_NEAR(path.spec.radii[1], 0.1, 1e-12);
  EXPECT_NEAR(path.spec.radii[2], 0, 1e-12);
  EXPECT_NEAR(path.spec.focus, 1 / (0.25 / 1 + 0.75 / 25), 1e-12);
  EXPECT_NEAR(spiral_of_cameras(forward_cameras(), 0, 0, {0.3, 0, -1}).spec.focus, 2, 1e-12);
}

TEST(PathOfCameras, ASpiralFocusesWhereTheAxesMeet) {
  std::vector<Pose> cameras;
  for (const double x : {-1.0, -0.5, 0.0, 0.5, 1.0}) {
    for (const double y : {-0.6, 0.6}) cameras.push_back(look_at({x, y, 2}, {0, 0, 0.5}, {0, 1, 0}));
  }
  const SpiralPath path = spiral_of_cameras(cameras, 0.1, 10, {0, 0, 0});
  EXPECT_NEAR(path.spec.focus, 1.5, 1e-9);
}

TEST(PathOfCameras, SpiralsNeedACommonDirection) {
  expect_error("use an orbit", [] { spiral_of_cameras(orbit({0, 0, 0}, {0, 1, 0}, 1, 0, 8), 0, 0, {0, 0, 0}); });
  // From all around above: on average they look down, along the mean of their up axes.
  expect_error("use an orbit", [] { spiral_of_cameras(orbit({0, 0, 0}, {0, 1, 0}, 1, 0.7, 8), 0, 0, {0, 0, 0}); });
  expect_error("at least one camera", [] { spiral_of_cameras({}, 0, 0, {0, 0, 0}); });
}

}  // namespace
}  // namespace loe
