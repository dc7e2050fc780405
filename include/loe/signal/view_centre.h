// Where the cameras of a scene look.
#pragma once

#include <array>
#include <span>

#include "loe/signal/camera.h"

namespace loe {

struct ViewCentre {
  /// The c that minimises the sum of |(I - d d^T) (c - o)|^2 over the cameras' positions o and axes d.
  std::array<double, 3> point{};
  /// The axes are within some 6 degrees of each other and meet nowhere; `point` is the mean of the positions.
  bool is_parallel = false;
};
/// The point closest to all axes. It may lie behind the cameras. At least one camera; O(n).
ViewCentre view_centre(std::span<const Pose> cameras);

}  // namespace loe
