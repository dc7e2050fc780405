// COLMAP's models: https://colmap.github.io/format.html
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/scene_builder.h"

namespace loe {

struct ColmapImage {
  std::string name;
  Pose pose;
  uint32_t camera = 0;
  std::string field;  ///< "image 7", its id
};

enum class ColmapEncoding { Binary, Text };

/// The contents of cameras, images and points3D; `path` is for messages. Error(Format); Error(Unsupported) for camera
/// models other than SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV, OPENCV_FISHEYE.
std::map<uint32_t, StatedIntrinsics> parse_colmap_cameras(const std::string& content, ColmapEncoding encoding,
                                                          const std::string& path);
std::vector<ColmapImage> parse_colmap_images(const std::string& content, ColmapEncoding encoding,
                                             const std::string& path);
std::vector<Vector3> parse_colmap_points(const std::string& content, ColmapEncoding encoding, const std::string& path);

}  // namespace loe
