// Posed views of a scene from the layouts that radiance-field data sets come in.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "loe/signal/camera.h"
#include "loe/signal/image.h"
#include "loe/signal/scene.h"

namespace loe {

/// What a scene's files leave open, or should not decide.
struct SceneOptions {
  std::string format;  ///< "blender", "transforms", "nsvf", "llff", "colmap"; empty: the first of these that is there
  std::string images;  ///< folder of the pictures inside the scene's, not for nsvf; empty: found out. The last parts of
                       ///< the names in a transforms file are looked for there, and nowhere else
  /// Views 0, n, 2 n, ... in natural order of their names (llff: plain order) are the test split where the files state
  /// none; 0: none are.
  int test_every = 8;
  /// The cube box_centre +- box_half_side in the file's units becomes [-0.5, 0.5]^3; 0: the format's rule.
  double box_half_side = 0;
  std::array<double, 3> box_centre{};
};

/// Whether `path` is a folder that holds one of the formats' main files, or a transforms*.json itself, or a folder
/// without pictures that holds such folders. By names only. Never throws an Error.
bool is_scene(const std::string& path);

/// Reads poses, lenses and the headers of the pictures; no picture is decoded.
///
///   format      files                                               splits                     box
///   blender     transforms_train.json (.._val, .._test), pictures   by file                    see below
///   transforms  transforms.json (instant-ngp, nerfstudio)           train_filenames, ...; n-th see below
///   nsvf        intrinsics.txt, pose/, rgb/, bbox.txt               0_ train, 1_, 2_           bbox.txt
///   llff        poses_bounds.npy, images*/                          n-th                       what is seen
///   colmap      .../{cameras,images,points3D}.{bin,txt}             n-th                       the points
///
/// Box, which is scaled isotropically so that its longest side is that of [-0.5, 0.5]^3:
///   * `aabb_scale` in a transforms file: instant-ngp's, side aabb_scale / scale around (0.5 - offset) / scale with its
///     defaults scale = 0.33, offset = 0.5;
///   * else blender with alpha: the cube of half-side 1.5 around the origin, near 2 and far 6 if all cameras are
///   between
///     2 and 6 from the origin (those of the published renderings are at 4.03);
///   * nsvf: that of bbox.txt;
///   * llff: the smallest that holds all views' frustums from 0.9 times the nearest bound to the farthest, which are
///     also near and far. The projective space ("NDC") of the published recipe for these scenes is not made;
///   * colmap with points: the range of 98% of the points along each axis, less those more than 30 times as far from
///   the
///     others as usual, and 5% of the longest side around it;
///   * else from the cameras: a cube around the point closest to all their axes (their mean if the axes are nearly
///     parallel), of half-side twice the distance of the farthest camera, so that there is room behind the cameras.
///     Cameras more than 30 times as far as usual are left out.
///
/// Where the files of other tools and machines may lie, how names are understood, and that cameras belong to the stored
/// pixels: docs/formats.md. Scene::notes and Scene::warnings say what was decided and what was guessed.
///
/// Lens: pictures of another size than the files state are taken as resized, with the intrinsics. Pixel centres are at
/// j + 1/2 in all formats. Rotations may carry a uniform scale, which is dropped; they are made orthonormal.
/// Background: white for pictures with alpha and for nsvf. Pictures that are listed but not there are skipped: one
/// warning. Masks: `mask_path` or COLMAP's masks/NAME.png (black is left out), or instant-ngp's dynamic_mask_NAME.png
/// (white is).
///
/// Error(NotFound) for what is not there; Error(Format) naming file and field for what is damaged, no number, no
/// rotation, out of range, or of the wrong shape, and if no view trains; Error(Unsupported) naming the lens for camera
/// models other than SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV, OPENCV_FISHEYE; the errors of
/// read_image_info for the pictures; Error(InvalidArgument) for options.
Scene read_scene(const std::string& path, const SceneOptions& options = {});

/// The view's picture at its source depth; alpha is the file's. Errors of read_image; Error(Format) if it is of another
/// size than when the scene was read.
Image read_view_image(const View& view);

/// Reads the pictures and masks of all views but the validation split's where there is a test split (nothing is
/// measured on it). Pictures whose longest side is above max_side (0: none) are reduced to it, with the intrinsics; of
/// the test views at most n_test (0: all) are kept, evenly chosen. `range` is that of the pictures read. Pixels
/// without values (Image::no_data) are filled from their neighbours and left out by the view's mask, which is made if
/// it has none; a warning says how many. on_share: called with the share that is read; may throw. Errors of
/// read_view_image and read_view_mask.
ScenePictures read_scene_pictures(Scene scene, int max_side, int n_test, const std::function<void(double)>& on_share);

/// Widens range = [smallest, largest] to the colours of a float picture, alpha left out; NaN and infinities are passed
/// over. Integers are in [0, 1].
void widen_range(const Image& image, std::array<double, 2>& range);

/// The view's mask, one grey channel at its source depth (the first channel of a colour picture, or alpha over one
/// colour), resized to the picture if it is of its shape. Error(NotFound) if it has none, else as above.
Image read_view_mask(const View& view);

/// Key poses of a tour: `frames[].transform_matrix` of a JSON file laid out as a transforms.json, in the world's
/// coordinates; everything else in it is passed over, so the poses of a scene are a tour as they are. Made normalised:
/// positions become (p - centre) * scale. Errors as read_scene for a damaged file; Error(Format), too, if a camera is
/// more than 1e6 away.
std::vector<Pose> read_camera_path(const std::string& path, const std::array<double, 3>& centre, double scale);

}  // namespace loe
