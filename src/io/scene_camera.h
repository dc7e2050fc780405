// Cameras as scenes' files state them: poses and intrinsics, checked.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "loe/signal/camera.h"

namespace loe {

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

/// Whether a picture of this size is the stated one, or resized from it: the same shape to a pixel.
bool fits_size(const StatedIntrinsics& stated, int width, int height);
/// Of a picture of this size. Error(Format) if the camera's is of another shape, or focal lengths are out of range.
Intrinsics fit_to_picture(const StatedIntrinsics& stated, int width, int height, const std::string& path,
                          const std::string& field);

/// What can be a camera but hardly is one.
struct CameraDoubt {
  std::string what;   ///< the same for all cameras of a kind
  std::string found;  ///< of this one
};
std::vector<CameraDoubt> doubts_of(const Intrinsics& camera);

/// Error(Format) unless |value| <= limit.
void require_finite(double value, double limit, const std::string& name, const std::string& path,
                    const std::string& field);

}  // namespace loe
