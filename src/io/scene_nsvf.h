// The text files of NSVF's layout.
#pragma once

#include <string>

#include "io/scene_builder.h"

namespace loe {

/// intrinsics.txt: a matrix of 4 x 4 or 3 x 3 (also on one line), or "f cx cy 0." in the first line and, as SRN writes
/// it, height and width in the last. Error(Format).
StatedIntrinsics parse_nsvf_intrinsics(const std::string& text, const std::string& path);
/// pose/NAME.txt: 4 x 4 or 3 x 4, camera to world, OpenCV's axes.
Pose parse_nsvf_pose(const std::string& text, const std::string& path);
/// bbox.txt: xmin ymin zmin xmax ymax zmax, and a voxel size that is passed over.
WorldBox parse_nsvf_box(const std::string& text, const std::string& path);

}  // namespace loe
