// Posed views of a scene: what a radiance field is fitted to. Pictures stay in their files until they are asked for.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "loe/signal/camera.h"
#include "loe/signal/field_info.h"
#include "loe/signal/image.h"

namespace loe {

enum class Split { Train, Validation, Test };
const char* to_string(Split split);  ///< "train", "val", "test"

/// A photo and the camera that took it, in the scene's normalised coordinates.
struct View {
  std::string name;              ///< file name without folder: in tables
  std::string image_path;        ///< absolute
  std::string mask_path;         ///< absolute; its first channel counts; empty: none
  bool mask_keeps_white = true;  ///< white pixels of the mask are the ones to learn from (nerfstudio); false: to be
                                 ///< left out (instant-ngp)
  Split split = Split::Train;
  bool is_turned = false;  ///< the picture is read with its EXIF orientation applied; else as its pixels are stored
  Intrinsics intrinsics;
  Pose camera_to_world;
  double near = 0;  ///< distances along the view's axis between which something may be, in normalised units; both 0:
                    ///< wherever the ray is in the scene's box
  double far = 0;
};

/// Pixels with alpha are composited over this before they are compared.
enum class Background { None, White, Random };

/// A scene scaled isotropically into [-0.5, 0.5]^3: normalised = (world - centre) * scale.
struct Scene {
  std::string format;  ///< "blender", "transforms", "nsvf", "llff", "colmap"
  std::string path;    ///< folder, or the transforms.json
  std::vector<View> views;
  std::array<double, 3> centre{};
  double scale = 1;
  /// Box of what is to be reconstructed, in normalised coordinates.
  std::array<double, 3> box_min = {-0.5, -0.5, -0.5};
  std::array<double, 3> box_max = {0.5, 0.5, 0.5};
  bool has_alpha = false;  ///< some of the pictures have an alpha channel; the others are opaque
  Background background = Background::None;
  std::vector<std::string> warnings;  ///< one line each: what was skipped or assumed
  std::vector<std::string> notes;     ///< one line each: what was decided where files leave a choice
};

/// A scene with the pictures of its views in memory, at their sources' depth.
struct ScenePictures {
  Scene scene;
  std::vector<Image> images;  ///< one per view
  std::vector<Image> masks;   ///< one per view, one channel; of size 0 where a view has none
  /// Smallest and largest colour value of the pictures, alpha left out; 0 and 1 at least.
  std::array<double, 2> range = {0, 1};
  int64_t n_bytes() const;
};

/// Indices of the views of `split` in scene.views, in order. Error(NotFound) if there are none.
std::vector<std::size_t> views_of(const Scene& scene, Split split);

}  // namespace loe
