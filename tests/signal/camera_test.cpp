#include "loe/signal/camera.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "loe/base/error.h"
#include "loe/signal/scene.h"

namespace loe {
namespace {

/// A strong but invertible one of each kind, the fox's, and a barrel whose fold is inside the picture.
const Lens kBarrel{LensModel::BrownConrady, {-0.28, 0.07, 0.01, 0}, {0.002, -0.003}};
const Lens kFox{LensModel::BrownConrady, {0.0578421, -0.0805099, 0, 0}, {-0.000980296, 0.00015575}};
const Lens kFisheye{LensModel::Fisheye, {-0.03, 0.012, -0.004, 0.0007}, {}};
const Lens kFolding{LensModel::BrownConrady, {-0.3, 0, 0, 0}, {}};

std::vector<std::array<double, 2>> grid(double extent) {
  std::vector<std::array<double, 2>> points;
  for (int j = -8; j <= 8; ++j) {
    for (int i = -8; i <= 8; ++i) points.push_back({i * extent / 8, j * extent / 8});
  }
  return points;
}

TEST(Camera, NamesOfLenses) {
  EXPECT_STREQ(to_string(LensModel::Pinhole), "pinhole");
  EXPECT_STREQ(to_string(LensModel::BrownConrady), "brown_conrady");
  EXPECT_STREQ(to_string(LensModel::Fisheye), "fisheye");
}

TEST(Camera, DistortIsOpenCvsFormula) {
  // (0.3, -0.4): r^2 = 1/4, by hand.
  const double radial = 1 - 0.28 / 4 + 0.07 / 16 + 0.01 / 64;
  const auto brown = distort(kBarrel, 0.3, -0.4);
  EXPECT_NEAR(brown[0], 0.3 * radial + 2 * 0.002 * 0.3 * -0.4 + -0.003 * (0.25 + 2 * 0.09), 1e-15);
  EXPECT_NEAR(brown[1], -0.4 * radial + 0.002 * (0.25 + 2 * 0.16) + 2 * -0.003 * 0.3 * -0.4, 1e-15);
  // r = 1: theta = pi / 4.
  const double t = std::numbers::pi / 4;
  const double bent =
      t * (1 - 0.03 * t * t + 0.012 * std::pow(t, 4) - 0.004 * std::pow(t, 6) + 0.0007 * std::pow(t, 8));
  const auto fisheye = distort(kFisheye, 0.6, 0.8);
  EXPECT_NEAR(fisheye[0], 0.6 * bent, 1e-15);
  EXPECT_NEAR(fisheye[1], 0.8 * bent, 1e-15);
  EXPECT_EQ(distort({}, 0.3, -0.4), (std::array<double, 2>{0.3, -0.4}));
  EXPECT_EQ(distort(kFisheye, 0, 0), (std::array<double, 2>{0, 0}));
}

TEST(Camera, UndistortReversesDistort) {
  const auto check = [](const Lens& lens, double extent) {
    for (const auto& [x, y] : grid(extent)) {
      const auto bent = distort(lens, x, y);
      const auto back = undistort(lens, bent[0], bent[1]);
      EXPECT_NEAR(back[0], x, 1e-12 * (1 + extent)) << to_string(lens.model) << " " << x << ", " << y;
      EXPECT_NEAR(back[1], y, 1e-12 * (1 + extent)) << to_string(lens.model) << " " << x << ", " << y;
    }
  };
  check({}, 3);
  check(kBarrel, 0.8);
  check(kFox, 0.8);
  check(kFolding, 0.7);  // the fold is at 1 / sqrt(0.9) = 1.054
  check(kFisheye, 3);    // 76 degrees from the axis in the corners
  check({LensModel::Fisheye, {}, {}}, 30);
  check({LensModel::BrownConrady, {0.5, 0.3, 0.2, 0}, {}}, 2);
}

TEST(Camera, UndistortTakesTheBranchOfTheCentre) {
  // x (1 - 0.3 x^2) rises to 0.7027 at x = 1.0541 and sinks beyond.
  const double fold = 1 / std::sqrt(0.9);
  const double top = fold * (1 - 0.3 * fold * fold);
  EXPECT_NEAR(undistort(kFolding, 0.999 * top, 0)[0], 1.0268, 1e-3);
  EXPECT_LT(undistort(kFolding, 0, (1 - 1e-9) * top)[1], fold);
  EXPECT_GT(undistort(kFolding, 0, (1 - 1e-9) * top)[1], 0.9999 * fold);
  EXPECT_TRUE(std::isnan(undistort(kFolding, 1.001 * top, 0)[0]));
  EXPECT_TRUE(std::isnan(undistort(kFolding, 1.001 * top, 0)[1]));
  // With a second rise behind the fold Newton's method may land there: the slope 1 - 3 x^2 + 2 x^4 is negative from
  // 0.71 to 1.
  const Lens wave{LensModel::BrownConrady, {-1, 0.4, 0, 0}, {}};
  EXPECT_TRUE(std::isnan(undistort(wave, 1.5, 0)[0])) << distort(wave, undistort(wave, 1.5, 0)[0], 0)[0];
  const double x = 0.55;
  EXPECT_NEAR(undistort(wave, distort(wave, x, 0)[0], 0)[0], x, 1e-12);
}

TEST(Camera, UndistortOutsideIsNan) {
  const Lens plain{LensModel::Fisheye, {}, {}};
  EXPECT_NEAR(undistort(plain, 1.57, 0)[0], std::tan(1.57), 1e-9);
  for (const double theta : {std::numbers::pi / 2, 1.6, 100.0}) EXPECT_TRUE(std::isnan(undistort(plain, theta, 0)[1]));
  for (const Lens& lens : {Lens{}, kBarrel, kFisheye}) {
    EXPECT_TRUE(std::isnan(undistort(lens, std::nan(""), 0)[1]));
    EXPECT_TRUE(std::isnan(undistort(lens, 0, INFINITY)[0]));
    EXPECT_EQ(undistort(lens, 0, 0), (std::array<double, 2>{0, 0}));
  }
}

TEST(Camera, JacobianIsTheDerivative) {
  constexpr double kStep = 1e-6;
  for (const Lens& lens : {Lens{}, kBarrel, kFox, kFisheye}) {
    for (const auto& [x, y] : grid(0.9)) {
      const auto j = distortion_jacobian(lens, x, y);
      for (std::size_t axis = 0; axis < 2; ++axis) {
        const double dx = axis == 0 ? kStep : 0;
        const double dy = axis == 1 ? kStep : 0;
        const auto more = distort(lens, x + dx, y + dy);
        const auto less = distort(lens, x - dx, y - dy);
        // Central differences: step^2 / 6 of third derivatives below 10, and rounding / step.
        for (std::size_t i = 0; i < 2; ++i) {
          EXPECT_NEAR(j[i][axis], (more[i] - less[i]) / (2 * kStep), 1e-9) << to_string(lens.model) << x << ", " << y;
        }
      }
    }
  }
}

TEST(Camera, RaysOfCornerPixels) {
  Intrinsics camera;
  camera.width = 40;
  camera.height = 30;
  camera.fl_x = 50;
  camera.fl_y = 60;
  camera.cx = 21;
  camera.cy = 14;
  EXPECT_EQ(pixel_direction(camera, 21, 14), (std::array<double, 3>{0, 0, -1}));
  EXPECT_EQ(pixel_direction(camera, 71, 14), (std::array<double, 3>{1, 0, -1}));   // to the right
  EXPECT_EQ(pixel_direction(camera, 21, 74), (std::array<double, 3>{0, -1, -1}));  // down
  // Turned by 90 degrees about the world's z: the camera's x is the world's y. Its view is along -z.
  Pose pose;
  pose.matrix = {{{0, -1, 0, 7}, {1, 0, 0, 8}, {0, 0, 1, 9}}};
  const CameraRay ray = ray_of_pixel(camera, pose, 0.5, 0.5);
  EXPECT_EQ(ray.origin, (std::array<double, 3>{7, 8, 9}));
  const double x = (0.5 - 21) / 50;
  const double y = -(0.5 - 14) / 60;
  const double length = std::sqrt(x * x + y * y + 1);
  EXPECT_NEAR(ray.direction[0], -y / length, 1e-15);
  EXPECT_NEAR(ray.direction[1], x / length, 1e-15);
  EXPECT_NEAR(ray.direction[2], -1 / length, 1e-15);
}

TEST(Camera, PointsOnARayAreSeenAtItsPixel) {
  Pose pose;
  const double c = std::cos(0.7);
  const double s = std::sin(0.7);
  pose.matrix = {{{c, 0, s, 0.5}, {0, 1, 0, -2}, {-s, 0, c, 3}}};
  for (const Lens& lens : {Lens{}, kBarrel, kFox, kFisheye}) {
    const Intrinsics camera{40, 30, 50, 45, 19, 16, lens};
    for (const double u : {0.5, 12.0, 39.5}) {
      for (const double v : {0.5, 20.0, 29.5}) {
        const CameraRay ray = ray_of_pixel(camera, pose, u, v);
        std::array<double, 3> point{};
        for (std::size_t i = 0; i < 3; ++i) point[i] = ray.origin[i] + 2.5 * ray.direction[i];
        const PixelPosition seen = pixel_of_point(camera, pose, point);
        EXPECT_NEAR(seen.u, u, 1e-10);
        EXPECT_NEAR(seen.v, v, 1e-10);
        EXPECT_GT(seen.depth, 1);
        EXPECT_LE(seen.depth, 2.5);
        for (std::size_t i = 0; i < 3; ++i) point[i] = ray.origin[i] - 2.5 * ray.direction[i];
        EXPECT_TRUE(std::isnan(pixel_of_point(camera, pose, point).u)) << "behind the camera";
      }
    }
  }
}

TEST(Camera, AResizedPictureShowsTheSameDirections) {
  const Intrinsics camera{40, 30, 50, 45, 19, 16, kFox};
  const Intrinsics half = resized(camera, 20, 10);
  EXPECT_EQ(half, (Intrinsics{20, 10, 25, 15, 9.5, 16 * (10.0 / 30), kFox}));
  const std::array<double, 3> before = pixel_direction(camera, 33, 6);
  const std::array<double, 3> after = pixel_direction(half, 16.5, 2);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(after[i], before[i], 1e-12);
}

TEST(Scene, ViewsOfASplit) {
  Scene scene;
  scene.path = "somewhere";
  scene.views.resize(3);
  scene.views[1].split = Split::Test;
  EXPECT_EQ(views_of(scene, Split::Train), (std::vector<std::size_t>{0, 2}));
  EXPECT_EQ(views_of(scene, Split::Test), (std::vector<std::size_t>{1}));
  try {
    views_of(scene, Split::Validation);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::NotFound);
    EXPECT_STREQ(
        error.what(),
        "[scene] somewhere: expected at least one view of the split 'val', got none of 3; choose another split");
  }
}

}  // namespace
}  // namespace loe
