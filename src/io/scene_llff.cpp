// LLFF's layout: poses_bounds.npy and folders of pictures.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "io/file_handle.h"
#include "io/npy.h"
#include "io/picture_folder.h"
#include "io/scene_colmap.h"
#include "io/scene_llff.h"
#include "io/text.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

/// The smallest box that holds what the views see between near and far.
WorldBox box_of_frustums(const std::vector<View>& views) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  WorldBox box{{kInfinity, kInfinity, kInfinity}, {-kInfinity, -kInfinity, -kInfinity}};
  for (const View& view : views) {
    for (int corner = 0; corner < 8; ++corner) {
      const double u = (corner & 1) != 0 ? view.intrinsics.width : 0;
      const double v = (corner & 2) != 0 ? view.intrinsics.height : 0;
      const double depth = (corner & 4) != 0 ? view.far : view.near;
      const Vector3 d = pixel_direction(view.intrinsics, u, v);
      for (std::size_t i = 0; i < 3; ++i) {
        const auto& row = view.camera_to_world.matrix[i];
        const double x = row[3] + depth * (row[0] * d[0] + row[1] * d[1] + row[2] * d[2]);
        box.min[i] = std::min(box.min[i], x);
        box.max[i] = std::max(box.max[i], x);
      }
    }
  }
  return box;
}

}  // namespace

std::vector<LlffView> read_poses_bounds(const std::string& path) {
  const ReadHandle file(path);
  const NpyHeader header = read_npy_header(file, path, "scene");
  constexpr int64_t kColumns = 17;
  constexpr int64_t kMaxViews = 1 << 20;
  const std::vector<int64_t>& shape = header.shape;
  const bool is_float = header.dtype == "<f8" || header.dtype == "<f4";
  if (shape.size() != 2 || shape[1] != kColumns || shape[0] > kMaxViews || !is_float) {
    fail_scene_format(path, "array", "[N, 17] of float64",
                      fmt::format("[{}] of {}", fmt::join(shape, ", "), header.dtype));
  }
  const std::vector<double> values = read_npy_values(file, header);
  std::vector<LlffView> views;
  for (std::size_t n = 0; n < static_cast<std::size_t>(shape[0]); ++n) {
    const double* const row = values.data() + n * kColumns;
    const std::string field = fmt::format("view {}", n);
    LlffView view;
    Matrix3x4 matrix{};
    for (std::size_t i = 0; i < 3; ++i) {
      std::copy_n(row + 5 * i, 4, matrix[i].begin());
    }
    view.pose = checked_pose(matrix, CameraAxes::Llff, path, field);
    view.intrinsics.height = row[4];
    view.intrinsics.width = row[9];
    view.intrinsics.fl_x = row[14];
    check_intrinsics(view.intrinsics, path, field);
    if (!(view.intrinsics.width > 0 && view.intrinsics.height > 0)) {
      fail_scene_format(path, field, "a width and height", "0");
    }
    view.near = row[15];
    view.far = row[16];
    constexpr double kMost = 1e9;
    if (!(view.near > 0 && view.far > view.near && view.far <= kMost)) {
      fail_scene_format(path, field, "bounds with 0 < near < far", fmt::format("{} and {}", view.near, view.far));
    }
    views.push_back(view);
  }
  return views;
}

namespace {

/// The folder with a picture for each row: "images", else the first other one that has as many.
std::string find_llff_pictures(const std::string& path, std::size_t n_rows, const SceneOptions& options) {
  if (!options.images.empty()) return named_picture_folder(path, options.images);
  PictureFinder finder(path, "");
  std::string first;
  for (const std::string& name : finder.picture_folders()) {
    if (name.empty()) continue;
    const std::string folder = real_folder((fs::path(path) / name).string());
    first = first.empty() ? folder : first;
    if (list_pictures(folder).size() == n_rows) return folder;
  }
  if (first.empty()) {
    fail_scene(ErrorKind::NotFound, path, "", "a folder 'images' with the pictures",
               "none; there are " + finder.contents(), "put the pictures there, or name their folder with data.images");
  }
  return first;
}

}  // namespace

Scene read_llff_scene(const std::string& path, const SceneOptions& options) {
  const std::string file = (fs::path(path) / "poses_bounds.npy").string();
  const std::vector<LlffView> rows = read_poses_bounds(file);
  const std::string folder = find_llff_pictures(path, rows.size(), options);
  std::vector<std::string> names = list_pictures(folder);
  const std::size_t n_pictures = names.size();
  // Rows are those of a COLMAP model, which leaves out what it could not place: it may still be there.
  if (names.size() != rows.size()) names = colmap_image_names(find_colmap_model(path).folder);
  if (names.size() != rows.size()) {
    fail_scene(ErrorKind::Format, file, "",
               fmt::format("one row for each of the {} pictures in {}", n_pictures, folder),
               fmt::format("{}", rows.size()),
               "take out the pictures that have no pose, or name another folder with data.images");
  }
  // LLFF's own scripts sort names as text: 0, 1, 10, 11, 2.
  std::sort(names.begin(), names.end());
  SceneBuilder builder("llff", path, folder, options);
  builder.note(fmt::format("pictures in {}, one per row in plain order of their names: {} to {}",
                           printable(folder, 120), printable(names.front()), printable(names.back())));
  double near = std::numeric_limits<double>::infinity();
  double far = 0;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    builder.add({names[n], Split::Train, rows[n].intrinsics, rows[n].pose, file, fmt::format("view {}", n)});
    near = std::min(near, rows[n].near);
    far = std::max(far, rows[n].far);
  }
  constexpr double kNearShare = 0.9;  // of the published recipe: the bounds are percentiles of points
  for (View& view : builder.views()) {
    view.near = kNearShare * near;
    view.far = far;
  }
  builder.hold_out_views();
  builder.require_views();
  builder.find_masks(folder, {path});
  return builder.finish(box_of_frustums(builder.views()), builder.has_alpha() ? Background::White : Background::None);
}

}  // namespace loe
