#include "loe/signal/view_centre.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace loe {
namespace {

/// At `eye`, its axis back along (x, y, z), which has length 1; the other axes do not count.
Pose camera(const std::array<double, 3>& eye, const std::array<double, 3>& back) {
  Pose pose;
  for (std::size_t i = 0; i < 3; ++i) {
    pose.matrix[i][2] = back[i];
    pose.matrix[i][3] = eye[i];
  }
  return pose;
}

TEST(ViewCentre, AxesThatMeet) {
  const std::array<double, 3> centre = {1, -2, 3};
  std::vector<Pose> cameras;
  for (const std::array<double, 3>& back :
       {std::array<double, 3>{1, 0, 0}, {0, 0.6, 0.8}, {0.6, -0.8, 0}, {0, -0.28, -0.96}}) {
    const double distance = 2 + static_cast<double>(cameras.size());
    cameras.push_back(
        camera({centre[0] + distance * back[0], centre[1] + distance * back[1], centre[2] + distance * back[2]}, back));
  }
  const ViewCentre found = view_centre(cameras);
  EXPECT_FALSE(found.is_parallel);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(found.point[i], centre[i], 1e-12);
}

TEST(ViewCentre, SkewAxesMeetHalfway) {
  // Along x at height 1 and along y at height -1: the closest point to both is the origin.
  const ViewCentre found = view_centre(std::vector<Pose>{camera({5, 0, 1}, {1, 0, 0}), camera({0, 7, -1}, {0, 1, 0})});
  EXPECT_FALSE(found.is_parallel);
  for (const double x : found.point) EXPECT_NEAR(x, 0, 1e-12);
}

TEST(ViewCentre, ParallelAxesHaveNone) {
  const double small = 0.05;  // of the axes' slopes: 3 degrees
  const std::vector<Pose> cameras = {camera({0, 0, 0}, {0, 0, 1}),
                                     camera({3, 0, 0}, {std::sin(small), 0, std::cos(small)}),
                                     camera({0, 6, 3}, {0, std::sin(small), std::cos(small)})};
  const ViewCentre found = view_centre(cameras);
  EXPECT_TRUE(found.is_parallel);
  EXPECT_EQ(found.point, (std::array<double, 3>{1, 2, 1}));
  EXPECT_TRUE(view_centre(std::vector<Pose>{cameras[0]}).is_parallel);
}

}  // namespace
}  // namespace loe
