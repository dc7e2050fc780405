#include "io/scene_box.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "loe/signal/view_centre.h"

namespace loe {
namespace {

Vector3 position(const View& view) {
  const auto& m = view.camera_to_world.matrix;
  return {m[0][3], m[1][3], m[2][3]};
}

double distance(const Vector3& a, const Vector3& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/// The upper one of an even number.
double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

WorldBox cube_around(const Vector3& centre, double half_side) {
  WorldBox box;
  for (std::size_t i = 0; i < 3; ++i) {
    box.min[i] = centre[i] - half_side;
    box.max[i] = centre[i] + half_side;
  }
  return box;
}

std::vector<bool> near_points(const std::vector<Vector3>& points) {
  constexpr double kFar = 30;
  if (points.empty()) return {};
  Vector3 middle{};
  std::vector<double> values(points.size());
  for (std::size_t axis = 0; axis < 3; ++axis) {
    std::transform(points.begin(), points.end(), values.begin(), [&](const Vector3& point) { return point[axis]; });
    middle[axis] = median(values);
  }
  std::transform(points.begin(), points.end(), values.begin(),
                 [&](const Vector3& point) { return distance(point, middle); });
  const double usual = median(values);
  std::vector<bool> is_near(points.size());
  std::transform(values.begin(), values.end(), is_near.begin(),
                 [&](double value) { return usual == 0 || value <= kFar * usual; });
  return is_near;
}

WorldBox box_around_cameras(const std::vector<View>& views, int64_t& n_far) {
  std::vector<Vector3> positions;
  for (const View& view : views) positions.push_back(position(view));
  const std::vector<bool> is_near = near_points(positions);
  std::vector<Pose> cameras;
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (is_near[i]) cameras.push_back(views[i].camera_to_world);
  }
  n_far = static_cast<int64_t>(views.size() - cameras.size());
  const Vector3 centre = view_centre(cameras).point;
  double radius = 0;
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (is_near[i]) radius = std::max(radius, distance(positions[i], centre));
  }
  return cube_around(centre, radius > 0 ? 2 * radius : 1);
}

bool box_of_points(const std::vector<Vector3>& points, WorldBox& box, int64_t& n_far) {
  constexpr std::size_t kFewest = 16;
  constexpr double kOutside = 0.01;
  constexpr double kMargin = 0.05;
  n_far = 0;
  if (points.size() < kFewest) return false;
  const std::vector<bool> is_near = near_points(points);
  n_far = std::count(is_near.begin(), is_near.end(), false);
  const auto rank = static_cast<std::size_t>(kOutside * static_cast<double>(points.size()));
  double longest = 0;
  std::vector<double> values;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    values.clear();
    double least = std::numeric_limits<double>::infinity();
    double most = -least;
    for (std::size_t i = 0; i < points.size(); ++i) {
      values.push_back(points[i][axis]);
      if (!is_near[i]) continue;
      least = std::min(least, points[i][axis]);
      most = std::max(most, points[i][axis]);
    }
    std::sort(values.begin(), values.end());
    box.min[axis] = std::max(values[rank], least);
    box.max[axis] = std::min(values[values.size() - 1 - rank], most);
    longest = std::max(longest, box.max[axis] - box.min[axis]);
  }
  if (!(longest > 0)) return false;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    box.min[axis] -= kMargin * longest;
    box.max[axis] += kMargin * longest;
  }
  return true;
}

}  // namespace loe
