#include "io/scene_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <utility>

#include "io/picture_folder.h"
#include "io/text.h"
#include "loe/io/file.h"
#include "loe/io/image_file.h"
#include "loe/signal/view_centre.h"

namespace loe {
namespace {

namespace fs = std::filesystem;
using Matrix3 = std::array<Vector3, 3>;

constexpr double kMaxSide = 65536;
constexpr double kMaxFocal = 1e9;
constexpr double kMaxCoordinate = 1e12;

double dot(const Vector3& a, const Vector3& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

Vector3 cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

double determinant(const Matrix3& m) {
  return dot(m[0], cross(m[1], m[2]));
}

/// The inverse transposed times the determinant.
Matrix3 cofactors(const Matrix3& m) {
  return {cross(m[1], m[2]), cross(m[2], m[0]), cross(m[0], m[1])};
}

/// The largest deviation of m m^T from the unit matrix.
double distance_from_rotation(const Matrix3& m) {
  double largest = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      largest = std::max(largest, std::abs(dot(m[i], m[j]) - (i == j ? 1 : 0)));
    }
  }
  return largest;
}

/// Newton's iteration for the polar decomposition: from an error of 0.005, exact after three steps.
Matrix3 nearest_rotation(Matrix3 m) {
  constexpr int kSteps = 4;
  for (int step = 0; step < kSteps; ++step) {
    const double size = determinant(m);
    const Matrix3 c = cofactors(m);
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) {
        m[i][j] = (m[i][j] + c[i][j] / size) / 2;
      }
    }
  }
  return m;
}

void require_finite(double value, double limit, const std::string& name, const std::string& path,
                    const std::string& field) {
  if (!(std::abs(value) <= limit)) {
    fail_scene_format(path, field, fmt::format("{} of at most {}", name, limit), fmt::format("{}", value));
  }
}

Vector3 position(const View& view) {
  const auto& m = view.camera_to_world.matrix;
  return {m[0][3], m[1][3], m[2][3]};
}

std::string absolute_path(const std::string& path) {
  std::error_code error;  // the working folder may be gone
  const fs::path absolute = fs::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

bool is_file(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}  // namespace

void fail_scene(ErrorKind kind, const std::string& path, const std::string& field, const std::string& expected,
                const std::string& found, const std::string& remedy) {
  throw Error(kind, fmt::format("[scene] {}: {}{}expected {}, got {}; {}", path, printable(field, 100),
                                field.empty() ? "" : ": ", expected, found, remedy));
}

void fail_scene_format(const std::string& path, const std::string& field, const std::string& expected,
                       const std::string& found) {
  fail_scene(ErrorKind::Format, path, field, expected, found, "correct it, or take another copy");
}

std::string read_scene_file(const std::string& path) {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 30;
  return read_text_file(path, kMaxBytes);
}

Pose checked_pose(const Matrix3x4& camera_to_world, CameraAxes axes, const std::string& path,
                  const std::string& field) {
  for (const auto& row : camera_to_world) {
    for (const double value : row) {
      require_finite(value, kMaxCoordinate, "a number", path, field);
    }
  }
  Matrix3 r{};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::array<double, 4>& row = camera_to_world[i];
    if (axes == CameraAxes::OpenGl) {
      r[i] = {row[0], row[1], row[2]};
    } else if (axes == CameraAxes::OpenCv) {
      r[i] = {row[0], -row[1], -row[2]};
    } else {
      r[i] = {row[1], -row[0], row[2]};
    }
  }
  const double size = determinant(r);
  const double norm = std::sqrt(dot(r[0], r[0]) + dot(r[1], r[1]) + dot(r[2], r[2]));
  constexpr double kTiny = 1e-30;
  constexpr double kFlat = 1e-6;  // of norm^3; a rotation has 0.19
  if (!(norm > kTiny && size > kFlat * norm * norm * norm)) {
    fail_scene_format(path, field, "a rotation (times a scale)",
                      size < -kFlat * norm * norm * norm ? "a matrix that mirrors" : "a matrix without an inverse");
  }
  const double scale = std::cbrt(size);
  for (Vector3& row : r) {
    for (double& value : row) {
      value /= scale;
    }
  }
  constexpr double kTolerance = 0.005;
  const double error = distance_from_rotation(r);
  if (!(error <= kTolerance)) {
    fail_scene_format(path, field, fmt::format("a rotation (times a scale), to {}", kTolerance),
                      fmt::format("axes that are off by {:.2g}", error));
  }
  r = nearest_rotation(r);
  Pose pose;
  for (std::size_t i = 0; i < 3; ++i) {
    pose.matrix[i] = {r[i][0], r[i][1], r[i][2], camera_to_world[i][3]};
  }
  return pose;
}

void check_intrinsics(const StatedIntrinsics& stated, const std::string& path, const std::string& field) {
  for (const double side : {stated.width, stated.height}) {
    if (!(side >= 0 && side <= kMaxSide && side == std::floor(side))) {
      fail_scene_format(path, field, fmt::format("a width and height of 1..{} whole pixels", kMaxSide),
                        fmt::format("{}", side));
    }
  }
  if (stated.fl_x == 0 && stated.angle_x == 0 && stated.fl_y == 0 && stated.angle_y == 0) {
    fail_scene_format(path, field, "a focal length (fl_x) or an angle (camera_angle_x)", "neither");
  }
  for (const double focal : {stated.fl_x, stated.fl_y}) {
    if (!(focal >= 0 && focal <= kMaxFocal)) {
      fail_scene_format(path, field, fmt::format("a focal length in 0..{}", kMaxFocal), fmt::format("{}", focal));
    }
  }
  for (const double angle : {stated.angle_x, stated.angle_y}) {
    if (!(angle >= 0 && angle < std::numbers::pi)) {
      fail_scene_format(path, field, "an angle of view in 0..pi", fmt::format("{}", angle));
    }
  }
  for (const double centre : {stated.cx, stated.cy}) {
    require_finite(centre, kMaxFocal, "a principal point", path, field);
  }
  for (const double k : stated.lens.k) {
    require_finite(k, kMaxFocal, "distortion coefficients", path, field);
  }
  for (const double p : stated.lens.p) {
    require_finite(p, kMaxFocal, "distortion coefficients", path, field);
  }
}

Lens simplified(const Lens& lens) {
  // A fisheye without coefficients still bends.
  const bool is_plain =
      lens.model == LensModel::BrownConrady && lens.k == decltype(lens.k){} && lens.p == decltype(lens.p){};
  return is_plain ? Lens{} : lens;
}

WorldBox cube_around(const Vector3& centre, double half_side) {
  WorldBox box;
  for (std::size_t i = 0; i < 3; ++i) {
    box.min[i] = centre[i] - half_side;
    box.max[i] = centre[i] + half_side;
  }
  return box;
}

WorldBox box_around_cameras(const std::vector<View>& views) {
  std::vector<Pose> cameras;
  for (const View& view : views) cameras.push_back(view.camera_to_world);
  const Vector3 centre = view_centre(cameras).point;
  double radius = 0;
  for (const View& view : views) {
    const Vector3 o = position(view);
    radius = std::max(radius, std::hypot(o[0] - centre[0], o[1] - centre[1], o[2] - centre[2]));
  }
  return cube_around(centre, radius > 0 ? 2 * radius : 1);
}

SceneBuilder::SceneBuilder(const std::string& format, const std::string& path, const SceneOptions& options)
    : options_(options) {
  scene_.format = format;
  scene_.path = path;
}

Intrinsics SceneBuilder::fit_to_picture(const StatedIntrinsics& stated, int width, int height, const std::string& path,
                                        const std::string& field) {
  check_intrinsics(stated, path, field);
  const double w = stated.width > 0 ? stated.width : width;
  const double h = stated.height > 0 ? stated.height : height;
  // A side of a resized picture is rounded to whole pixels, up or down.
  if (std::abs(width * h / w - height) > 1 && std::abs(height * w / h - width) > 1) {
    fail_scene_format(path, field, fmt::format("pictures of {}x{}, or resized from that", w, h),
                      fmt::format("one of {}x{}", width, height));
  }
  n_resized_ += w != width || h != height ? 1 : 0;
  const auto from_angle = [](double size, double angle) { return angle > 0 ? size / 2 / std::tan(angle / 2) : 0; };
  Intrinsics fitted;
  fitted.width = width;
  fitted.height = height;
  fitted.fl_x = stated.fl_x > 0 ? stated.fl_x : from_angle(w, stated.angle_x);
  fitted.fl_y = stated.fl_y > 0 ? stated.fl_y : from_angle(h, stated.angle_y);
  if (fitted.fl_x == 0) {
    fitted.fl_x = fitted.fl_y;
  } else if (fitted.fl_y == 0) {
    fitted.fl_y = fitted.fl_x;
  }
  fitted.fl_x *= width / w;
  fitted.fl_y *= height / h;
  constexpr double kMinFocal = 1e-3;
  if (!(fitted.fl_x >= kMinFocal && fitted.fl_y >= kMinFocal && fitted.fl_x <= kMaxFocal && fitted.fl_y <= kMaxFocal)) {
    fail_scene_format(path, field, fmt::format("focal lengths in {}..{} pixels", kMinFocal, kMaxFocal),
                      fmt::format("{}, {}", fitted.fl_x, fitted.fl_y));
  }
  fitted.cx = (stated.has_centre_x ? stated.cx : w / 2) * (width / w);
  fitted.cy = (stated.has_centre_y ? stated.cy : h / 2) * (height / h);
  fitted.lens = simplified(stated.lens);
  return fitted;
}

bool SceneBuilder::add(const std::string& picture, Split split, const StatedIntrinsics& stated, const Pose& pose,
                       const std::string& path, const std::string& field) {
  if (!is_file(picture)) {
    first_missing_ = n_missing_++ == 0 ? picture : first_missing_;
    return false;
  }
  const ImageFileInfo info = read_image_info(picture);
  const bool has_alpha = info.n_channels % 2 == 0;
  if (!scene_.views.empty() && has_alpha != scene_.has_alpha) {
    fail_scene(ErrorKind::Unsupported, path, field, "all pictures with alpha, or none",
               fmt::format("{} {} alpha after others {}", printable(picture, 100), has_alpha ? "with" : "without",
                           has_alpha ? "without" : "with"),
               "convert them to one kind");
  }
  scene_.has_alpha = has_alpha;
  n_rotated_ += info.orientation != 1 ? 1 : 0;
  View view;
  view.name = fs::path(picture).filename().string();
  view.image_path = absolute_path(picture);
  view.split = split;
  view.intrinsics = fit_to_picture(stated, info.width, info.height, path, field);
  view.camera_to_world = pose;
  scene_.views.push_back(view);
  return true;
}

void SceneBuilder::set_mask(const std::string& mask, bool keeps_white) {
  View& view = scene_.views.back();
  const ImageFileInfo info = read_image_info(mask);
  if (info.width != view.intrinsics.width || info.height != view.intrinsics.height) {
    fail_scene_format(mask, "",
                      fmt::format("a mask of its picture's {}x{}", view.intrinsics.width, view.intrinsics.height),
                      fmt::format("{}x{}", info.width, info.height));
  }
  view.mask_path = absolute_path(mask);
  view.mask_keeps_white = keeps_white;
}

void SceneBuilder::sort_views() {
  std::stable_sort(scene_.views.begin(), scene_.views.end(),
                   [](const View& a, const View& b) { return natural_less(a.image_path, b.image_path); });
}

void SceneBuilder::hold_out_views() {
  for (std::size_t i = 0; i < scene_.views.size(); ++i) {
    const bool tests = options_.test_every > 0 && i % static_cast<std::size_t>(options_.test_every) == 0;
    scene_.views[i].split = tests ? Split::Test : Split::Train;
  }
}

void SceneBuilder::require_views() const {
  if (scene_.views.empty()) {
    fail_scene(
        ErrorKind::NotFound, scene_.path, "", "at least one picture",
        n_missing_ == 0 ? "none" : fmt::format("none of {}, such as {}", n_missing_, printable(first_missing_, 150)),
        "put the pictures beside the scene's files");
  }
  const bool trains = std::any_of(scene_.views.begin(), scene_.views.end(),
                                  [](const View& view) { return view.split == Split::Train; });
  if (!trains) {
    fail_scene(ErrorKind::Format, scene_.path, "", "at least one view to train on",
               fmt::format("{} held out and none else", scene_.views.size()), "hold out fewer");
  }
}

Scene SceneBuilder::finish(const WorldBox& box, Background background) {
  require_views();
  const WorldBox used = options_.box_half_side > 0 ? cube_around(options_.box_centre, options_.box_half_side) : box;
  double longest = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double side = used.max[i] - used.min[i];
    if (!(side > 0 && std::isfinite(side))) {
      fail_scene_format(scene_.path, "", "a box with three sides", fmt::format("a side of {}", side));
    }
    longest = std::max(longest, side);
    scene_.centre[i] = used.min[i] + side / 2;
  }
  scene_.scale = 1 / longest;
  for (std::size_t i = 0; i < 3; ++i) {
    const double half = (used.max[i] - used.min[i]) / 2 * scene_.scale;
    scene_.box_min[i] = -half;
    scene_.box_max[i] = half;
  }
  for (View& view : scene_.views) {
    for (std::size_t i = 0; i < 3; ++i) {
      double& t = view.camera_to_world.matrix[i][3];
      t = (t - scene_.centre[i]) * scene_.scale;
      constexpr double kFar = 1e6;
      require_finite(t, kFar, "a camera at a distance (in sides of the box)", scene_.path, view.name);
    }
    view.near *= scene_.scale;
    view.far *= scene_.scale;
  }
  scene_.background = background;
  if (n_missing_ > 0) {
    warn(fmt::format("{} of {} listed pictures are not there and were skipped, first {}", n_missing_,
                     n_missing_ + static_cast<int64_t>(scene_.views.size()), printable(first_missing_, 150)));
  }
  if (n_resized_ > 0 && scene_.format != "llff") {  // there it is the custom
    warn(fmt::format("{} pictures are of another size than the scene states: taken as resized", n_resized_));
  }
  if (n_rotated_ > 0) {
    warn(
        fmt::format("{} pictures carry an EXIF rotation, which is applied: the poses must be those of the upright "
                    "pictures",
                    n_rotated_));
  }
  return std::move(scene_);
}

}  // namespace loe
