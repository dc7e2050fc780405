// The text of a transforms.json: Blender's, instant-ngp's and nerfstudio's, told apart by their keys.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/scene_builder.h"

namespace loe {

struct TransformsFrame {
  std::string file_path;  ///< as written: relative to the file
  std::string mask_path;  ///< empty: none
  StatedIntrinsics intrinsics;
  Pose pose;
  std::string field;  ///< "frames[3]"
};

struct TransformsFile {
  std::vector<TransformsFrame> frames;
  std::optional<WorldBox> box;            ///< instant-ngp's
  std::map<std::string, Split> split_of;  ///< by file_path; empty: not stated
  bool has_rolling_shutter = false;
};

/// Checks all but the pictures. Foreign keys are passed over. Error(Format), Error(Unsupported) naming `path` and
/// field.
TransformsFile parse_transforms(const std::string& text, const std::string& path);

/// The poses alone: a frame needs neither a picture nor a lens. Error(Format).
std::vector<Pose> parse_camera_path(const std::string& text, const std::string& path);

}  // namespace loe
