#include "io/scene_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "io/picture_folder.h"
#include "io/text.h"
#include "loe/io/file.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

std::string absolute_path(const std::string& path) {
  std::error_code error;  // the working folder may be gone
  const fs::path absolute = fs::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

double distance(const Pose& a, const Pose& b) {
  double largest = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 4; ++j) largest = std::max(largest, std::abs(a.matrix[i][j] - b.matrix[i][j]));
  }
  return largest;
}

/// Whether a camera can be one of pictures of this size. A principal point is near the middle: without a size, it
/// tells.
bool belongs_to(const StatedIntrinsics& stated, int width, int height) {
  if (stated.width > 0 || stated.height > 0 || !stated.has_centre_x || !stated.has_centre_y) {
    return fits_size(stated, width, height);
  }
  const auto distance = [&](int w, int h) { return std::hypot(stated.cx - w / 2.0, stated.cy - h / 2.0); };
  return distance(width, height) <= distance(height, width);
}

std::string first_of(const std::string& name) {
  return printable(name, 100);
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

std::string named_picture_folder(const std::string& path, const std::string& images) {
  const std::string folder = real_folder((fs::path(path) / images).lexically_normal().string());
  if (folder.empty()) {
    fail_scene(ErrorKind::NotFound, path, "", fmt::format("a folder '{}' with the pictures", printable(images)),
               "none; there are " + PictureFinder(path, "").contents(), "name another folder with data.images");
  }
  return folder;
}

SceneBuilder::SceneBuilder(const std::string& format, const std::string& path, const std::string& pictures,
                           const SceneOptions& options)
    : options_(options), finder_(pictures, format == "transforms" || format == "blender" ? options.images : "") {
  scene_.format = format;
  scene_.path = path;
}

/// Whether the picture has no view of this split yet. Two names that were both guessed to be one file are two pictures,
/// of which one is not there.
bool SceneBuilder::is_new(const StatedView& stated, const FoundPicture& found) {
  const auto [entry, is_first] =
      seen_.try_emplace({absolute_path(found.path), stated.split}, Seen{stated.picture, stated.pose, found.how});
  if (is_first) {
    const Split other = stated.split == Split::Train ? Split::Test : Split::Train;
    if (seen_.contains({absolute_path(found.path), other})) shared_.add(stated.picture);
    return true;
  }
  const Seen& before = entry->second;
  const bool is_guess = found.how >= FoundBy::Ending || before.how >= FoundBy::Ending;
  if (is_guess && normal_name(before.name) != normal_name(stated.picture)) {
    fail_scene(ErrorKind::Format, stated.path, stated.field, "a picture of its own",
               fmt::format("only {} for both {} and {}", printable(found.path, 120), printable(before.name, 80),
                           printable(stated.picture, 80)),
               "put the pictures where the file says, or correct the names");
  }
  constexpr double kSame = 1e-6;
  (distance(before.pose, stated.pose) > kSame ? moved_ : repeated_).add(stated.picture);
  return false;
}

void SceneBuilder::count_found(const StatedView& stated, const FoundPicture& found) {
  if (found.how == FoundBy::Spelling) spelled_.add(stated.picture + " is " + fs::path(found.path).filename().string());
  if (found.how == FoundBy::Ending) {
    other_ending_.add(stated.picture + " is " + fs::path(found.path).filename().string());
  }
  if (found.how == FoundBy::LastParts && finder_.is_guess()) elsewhere_.add(stated.picture + " is " + found.path);
}

bool SceneBuilder::add(const StatedView& stated) {
  const std::optional<FoundPicture> found = finder_.find(stated.picture);
  if (!found) {
    missing_.add(stated.picture);
    return false;
  }
  if (!is_new(stated, *found)) return false;
  const std::string& picture = found->path;
  const ImageFileInfo info = read_image_info(picture, ImageTurn::AsStored);
  const bool has_alpha = info.n_channels % 2 == 0 && info.tags.alpha != AlphaKind::None;
  scene_.has_alpha = scene_.has_alpha || has_alpha;
  if (!has_alpha) opaque_.add(fs::path(picture).filename().string());
  StatedIntrinsics intrinsics = stated.intrinsics;
  if (intrinsics.width == 0 && intrinsics.height == 0 && found->reduction != 1) {
    intrinsics.width = std::round(info.width * found->reduction);
    intrinsics.height = std::round(info.height * found->reduction);
  }
  View view;
  view.name = fs::path(picture).filename().string();
  view.image_path = absolute_path(picture);
  view.split = stated.split;
  check_intrinsics(intrinsics, stated.path, stated.field);
  view.is_turned = info.orientation > 4 && !belongs_to(intrinsics, info.width, info.height) &&
                   belongs_to(intrinsics, info.height, info.width);
  if (info.orientation != 1) (view.is_turned ? turned_ : as_stored_).add(view.name);
  const int width = view.is_turned ? info.height : info.width;
  const int height = view.is_turned ? info.width : info.height;
  view.intrinsics = fit_to_picture(intrinsics, width, height, stated.path, stated.field);
  const double stated_width = stated.intrinsics.width;
  const double stated_height = stated.intrinsics.height;
  if ((stated_width > 0 && stated_width != width) || (stated_height > 0 && stated_height != height)) {
    resized_.add(view.name);
  }
  for (const CameraDoubt& doubt : doubts_of(view.intrinsics)) {
    doubts_[doubt.what].add(fmt::format("{}: {}", view.name, doubt.found));
  }
  count_found(stated, *found);
  view.camera_to_world = stated.pose;
  scene_.views.push_back(view);
  return true;
}

void SceneBuilder::set_mask(const std::string& mask, bool keeps_white) {
  set_mask(scene_.views.back(), mask, keeps_white);
}

void SceneBuilder::set_mask(View& view, const std::string& mask, bool keeps_white) {
  const ImageFileInfo info = read_image_info(mask, view.is_turned ? ImageTurn::AsShown : ImageTurn::AsStored);
  StatedIntrinsics picture;
  picture.width = view.intrinsics.width;
  picture.height = view.intrinsics.height;
  if (!fits_size(picture, info.width, info.height)) {
    fail_scene(ErrorKind::Format, mask, "",
               fmt::format("a mask of its picture's {}x{}, or resized from that", view.intrinsics.width,
                           view.intrinsics.height),
               fmt::format("{}x{}", info.width, info.height), "make the mask anew for this picture, or take it away");
  }
  if (info.width != view.intrinsics.width || info.height != view.intrinsics.height) {
    resized_masks_.add(fs::path(mask).filename().string());
  }
  view.mask_path = absolute_path(mask);
  view.mask_keeps_white = keeps_white;
}

void SceneBuilder::find_masks(const std::string& pictures, const std::vector<std::string>& roots) {
  const std::string name = fs::path(pictures).filename().string();
  std::vector<std::string> folders;
  for (const std::string& root : roots) {
    if (name.starts_with("images_")) folders.push_back((fs::path(root) / ("masks" + name.substr(6))).string());
    for (const char* const usual : {"masks", "mask"}) folders.push_back((fs::path(root) / usual).string());
  }
  for (const std::string& folder : folders) {
    if (!is_folder(folder)) continue;
    int64_t n_found = 0;
    for (View& view : scene_.views) {
      const std::string own = fs::path(view.image_path).lexically_relative(absolute_path(pictures)).string();
      std::optional<FoundPicture> found = finder_.find_in(folder, own + ".png");
      if (!found) found = finder_.find_in(folder, own);
      if (found) set_mask(view, found->path, true);
      n_found += found ? 1 : 0;
    }
    if (n_found > 0) {
      note(fmt::format("masks of {} of {} pictures in {}: black is left out", n_found, scene_.views.size(),
                       printable(folder, 100)));
      return;
    }
    warn(fmt::format("{} is not used: no file in it is named as a picture with .png behind it, or like a picture",
                     printable(folder, 100)));
  }
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

void SceneBuilder::require_views() {
  if (scene_.views.empty()) {
    fail_scene(ErrorKind::NotFound, scene_.path, "", "at least one picture",
               missing_.n == 0 ? "none"
                               : fmt::format("none of {}, such as {}; there are {}", missing_.n,
                                             first_of(missing_.first), finder_.contents()),
               "put the pictures beside the scene's files, or name their folder with data.images");
  }
  const bool trains = std::any_of(scene_.views.begin(), scene_.views.end(),
                                  [](const View& view) { return view.split == Split::Train; });
  if (!trains) {
    fail_scene(ErrorKind::Format, scene_.path, "", "at least one view to train on",
               fmt::format("{} held out and none else", scene_.views.size()),
               "hold out fewer, or none with data.test_every = 0");
  }
}

WorldBox SceneBuilder::camera_box() {
  int64_t n_far = 0;
  const WorldBox box = box_around_cameras(scene_.views, n_far);
  if (options_.box_half_side == 0) note("box: chosen from the cameras");
  if (n_far > 0 && options_.box_half_side == 0) {
    warn(
        fmt::format("{} of {} cameras are more than 30 times as far from the others as usual: the box is chosen "
                    "without them",
                    n_far, scene_.views.size()));
  }
  return box;
}

void SceneBuilder::add_warnings() {
  const auto tell = [&](const Count& count, const char* text) {
    if (count.n > 0) warn(fmt::format(fmt::runtime(text), count.n, first_of(count.first)));
  };
  if (missing_.n > 0) {
    warn(fmt::format("{} of {} listed pictures are not there and were skipped, first {}", missing_.n,
                     missing_.n + static_cast<int64_t>(scene_.views.size()), printable(missing_.first, 150)));
  }
  tell(elsewhere_, "{} pictures are not where the scene says and were found by the ends of their paths, first {}");
  tell(other_ending_, "{} pictures have another ending than the scene says, first {}");
  if (spelled_.n > 0) {
    note(fmt::format("{} names are spelled in another way than their files, first {}", spelled_.n,
                     first_of(spelled_.first)));
  }
  tell(repeated_, "{} views are listed twice and count once, first {}");
  tell(moved_, "{} pictures are listed twice with different poses, of which the first is taken, first {}");
  tell(shared_, "{} pictures are both to train on and to test with: what is measured on them means little, first {}");
  if (resized_.n > 0 && scene_.format != "llff") {  // there it is the custom
    warn(fmt::format("{} pictures are of another size than the scene states: taken as resized", resized_.n));
  }
  tell(resized_masks_, "{} masks are of another size than their pictures and are resized, first {}");
  if (as_stored_.n > 0) {
    warn(
        fmt::format("{} pictures carry an EXIF orientation, which is not applied: cameras of a {} scene belong to the "
                    "stored pixels, first {}",
                    as_stored_.n, scene_.format, first_of(as_stored_.first)));
  }
  tell(turned_, "{} pictures are turned by their EXIF orientation: only so do they have the stated size, first {}");
  for (const auto& [what, count] : doubts_) {
    warn(fmt::format("{} of {} cameras have {} First {}", count.n, scene_.views.size(), what,
                     printable(count.first, 120)));
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
  if (scene_.has_alpha) note("pictures have alpha: they are meant over white (rays.background)");
  if (scene_.has_alpha && opaque_.n > 0) {
    warn(fmt::format("{} of {} pictures have no alpha, which the others have: they count as opaque, first {}",
                     opaque_.n, scene_.views.size(), first_of(opaque_.first)));
  }
  if (!finder_.link().empty()) {
    note(fmt::format("{} is a text with the path of a folder: taken as a link", printable(finder_.link(), 120)));
  }
  add_warnings();
  return std::move(scene_);
}

}  // namespace loe
