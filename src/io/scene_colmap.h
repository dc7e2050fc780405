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

/// Names of the pictures of the model in a folder; none if its file is damaged.
std::vector<std::string> colmap_image_names(const std::string& model);

struct ColmapModel {
  std::string folder;  ///< "": there is none
  std::string others;  ///< a warning, if more models lie beside it
};
/// Where the usual tools leave a model, cameras and images in .bin or .txt files: the folder itself, sparse/N and
/// sparse, the same in colmap/, distorted/, dense/, dense/N/ and undistorted/, a folder of text (colmap_text,
/// sparse_txt, text), any folder below, and in that. Of the models side by side the one with the most pictures, of
/// equal ones the first.
ColmapModel find_colmap_model(const std::string& path);
/// Whether there is one; looks at names only.
bool has_colmap_model(const std::string& path);

/// The folders that pictures and masks of a model may lie in or below, the nearest first: its own and those above it up
/// to `path`, or to the first above that which is not named as a model's.
std::vector<std::string> folders_above(const std::string& path, const std::string& model);
/// The folder that most of the views' pictures are in, of equal ones the nearest. Error(NotFound) if there is none.
std::string find_colmap_pictures(const std::string& path, const std::string& model,
                                 const std::vector<StatedView>& views, const SceneOptions& options);

}  // namespace loe
