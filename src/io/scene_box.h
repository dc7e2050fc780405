// Where the thing is that a scene's photos show, if its files do not say.
#pragma once

#include <cstdint>
#include <vector>

#include "io/scene_camera.h"
#include "loe/signal/scene.h"

namespace loe {

/// In the file's units.
struct WorldBox {
  Vector3 min{};
  Vector3 max{};
};
WorldBox cube_around(const Vector3& centre, double half_side);

/// Whether each point is near the others: no farther from their median, axis by axis, than 30 times the median
/// distance. A single wild one among few must not make the scene a dot. All are if that distance is 0.
std::vector<bool> near_points(const std::vector<Vector3>& points);

/// The rule for scenes that state no box: see read_scene(). Of cameras that are near_points() only; `n_far` counts the
/// others.
WorldBox box_around_cameras(const std::vector<View>& views, int64_t& n_far);

/// The range of 98% of the points along each axis, less what is not near, and 5% of the longest side around. False if
/// there are fewer than 16 points, or all are one.
bool box_of_points(const std::vector<Vector3>& points, WorldBox& box, int64_t& n_far);

}  // namespace loe
