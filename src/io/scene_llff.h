// LLFF's array of poses and bounds.
#pragma once

#include <string>
#include <vector>

#include "io/scene_builder.h"

namespace loe {

struct LlffView {
  StatedIntrinsics intrinsics;
  Pose pose;
  double near = 0;
  double far = 0;
};

/// [N, 17]: per view the 3 x 5 matrix [R | t | (height, width, focal)], then near and far. Error(NotFound), Error(Io),
/// Error(Format), Error(Unsupported).
std::vector<LlffView> read_poses_bounds(const std::string& path);

}  // namespace loe
