// What all readers of scenes share: checked cameras, pictures that are there, boxes, normalisation.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "loe/base/error.h"
#include "loe/io/scene_file.h"

namespace loe {

/// Error "[scene] <path>: <field>: expected ..., got ...; ...".
[[noreturn]] void fail_scene(ErrorKind kind, const std::string& path, const std::string& field,
                             const std::string& expected, const std::string& found, const std::string& remedy);
/// Error(Format) with the remedy for damage.
[[noreturn]] void fail_scene_format(const std::string& path, const std::string& field, const std::string& expected,
                                    const std::string& found);

/// A whole text or binary file of a scene: at most 1 GiB.
std::string read_scene_file(const std::string& path);

using Vector3 = std::array<double, 3>;
using Matrix3x4 = std::array<std::array<double, 4>, 3>;

/// What the columns of a camera-to-world rotation point to.
enum class CameraAxes {
  OpenGl,  ///< right, up, backwards
  OpenCv,  ///< right, down, forwards
  Llff,    ///< down, right, backwards
};

/// Error(Format) unless all is finite and the rotation is one, to 0.005, after its scale is taken out. It is made
/// orthonormal (the nearest rotation).
Pose checked_pose(const Matrix3x4& camera_to_world, CameraAxes axes, const std::string& path, const std::string& field);

/// Intrinsics as a file states them, before the picture's size is known. 0: not stated.
struct StatedIntrinsics {
  double width = 0;
  double height = 0;
  double fl_x = 0;
  double fl_y = 0;     ///< 0: fl_x
  double angle_x = 0;  ///< field of view in radians, where the focal length is 0
  double angle_y = 0;
  double cx = 0;
  double cy = 0;
  bool has_centre_x = false;  ///< else the middle
  bool has_centre_y = false;
  Lens lens;
};

/// Error(Format) unless the numbers are finite, sizes in 1..65536 if stated, and there is a focal length or an angle.
void check_intrinsics(const StatedIntrinsics& stated, const std::string& path, const std::string& field);

/// Pinhole if all coefficients are 0.
Lens simplified(const Lens& lens);

/// In the file's units.
struct WorldBox {
  Vector3 min{};
  Vector3 max{};
};
WorldBox cube_around(const Vector3& centre, double half_side);
/// The rule for scenes that state no box: see read_scene().
WorldBox box_around_cameras(const std::vector<View>& views);

/// Gathers the views of one scene in the file's units.
class SceneBuilder {
 public:
  SceneBuilder(const std::string& format, const std::string& path, const SceneOptions& options);

  /// Reads the header of the picture and fits the intrinsics to its size. False, and counted, if there is no such file.
  bool add(const std::string& picture, Split split, const StatedIntrinsics& stated, const Pose& pose,
           const std::string& path, const std::string& field);
  /// The mask of the view that was added last; its header is read.
  void set_mask(const std::string& mask, bool keeps_white);
  void warn(const std::string& warning) { scene_.warnings.push_back(warning); }

  std::vector<View>& views() { return scene_.views; }
  bool has_alpha() const { return scene_.has_alpha; }
  const SceneOptions& options() const { return options_; }

  /// Natural order of the pictures' paths.
  void sort_views();
  /// After sort_views(): every n-th view tests.
  void hold_out_views();
  /// Error unless there is a view that trains. Called before a box is made of the views.
  void require_views() const;
  /// Normalises by the option's box or else `box`, and adds the warnings.
  Scene finish(const WorldBox& box, Background background);

 private:
  Intrinsics fit_to_picture(const StatedIntrinsics& stated, int width, int height, const std::string& path,
                            const std::string& field);

  Scene scene_;
  SceneOptions options_;
  int64_t n_missing_ = 0;
  int64_t n_resized_ = 0;
  int64_t n_rotated_ = 0;
  std::string first_missing_;
};

/// The readers, one per format; `path` is the folder, for transforms the file.
Scene read_blender_scene(const std::string& path, const SceneOptions& options);
Scene read_transforms_scene(const std::string& path, const SceneOptions& options);
Scene read_nsvf_scene(const std::string& path, const SceneOptions& options);
Scene read_llff_scene(const std::string& path, const SceneOptions& options);
Scene read_colmap_scene(const std::string& path, const SceneOptions& options);

/// The folder that holds COLMAP's model, "" if there is none.
std::string find_colmap_model(const std::string& path);
/// Folder of the pictures of an LLFF or COLMAP scene. Error(NotFound).
std::string find_picture_folder(const std::string& path, const SceneOptions& options);

}  // namespace loe
