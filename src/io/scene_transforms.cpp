#include "io/scene_transforms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "io/json_reader.h"
#include "io/text.h"

namespace loe {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kMaxName = 4096;

/// Intrinsics with what only the end of the reading can check.
struct Camera {
  StatedIntrinsics stated;
  std::string model = "OPENCV";
  bool is_fisheye = false;
};

/// Python writes NaN and Infinity as bare words, which are no JSON. As texts the parser can say where they are.
std::string quote_bare_numbers(const std::string& text) {
  std::string out;
  std::size_t copied = 0;
  bool is_inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_inside && c == '\\') {
      ++i;
    } else if (c == '"') {
      is_inside = !is_inside;
    } else if (!is_inside && (c == 'N' || c == 'I' || c == '-')) {
      for (const std::string_view word : {"NaN", "-NaN", "Infinity", "-Infinity"}) {
        if (text.compare(i, word.size(), word) != 0) continue;
        out.append(text, copied, i - copied).append("\"").append(word).append("\"");
        copied = i + word.size();
        i = copied - 1;
        break;
      }
    }
  }
  return out.append(text, copied);
}

class TransformsParser {
 public:
  TransformsParser(const std::string& text, const std::string& path) : path_(path) {
    constexpr JsonLimits kLimits{std::size_t{64} << 20, 32};
    root_ = parse_json(quote_bare_numbers(text), kLimits, [&](const std::string& expected, const std::string& found) {
      fail_scene_format(path_, "", expected, found);
    });
    if (!root_.is_object()) {
      fail_scene_format(path_, "", "a JSON object", describe_json(root_));
    }
  }

  TransformsFile parse() {
    TransformsFile file;
    Camera shared;
    read_camera(root_, "", shared);
    const Json& frames = find_frames();
    for (std::size_t i = 0; i < frames.size(); ++i) {
      file.frames.push_back(parse_frame(frames[i], fmt::format("frames[{}]", i), shared));
    }
    read_box(file);
    if (const Json* const shutter = find(root_, "rolling_shutter")) {
      const auto is_zero = [](const Json& value) { return value == 0; };
      file.has_rolling_shutter = shutter->is_array() && !std::all_of(shutter->begin(), shutter->end(), is_zero);
    }
    // What is listed under two names is held out.
    read_split("train_filenames", Split::Train, file);
    read_split("val_filenames", Split::Validation, file);
    read_split("test_filenames", Split::Test, file);
    return file;
  }

  std::vector<Pose> parse_poses() {
    std::vector<Pose> poses;
    const Json& frames = find_frames();
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const std::string field = fmt::format("frames[{}]", i);
      require_object(frames[i], field);
      poses.push_back(parse_pose(frames[i], field_of(field, "transform_matrix")));
    }
    return poses;
  }

 private:
  const Json& find_frames() const {
    const Json* const frames = find(root_, "frames");
    if (frames == nullptr || !frames->is_array() || frames->empty()) {
      fail_scene_format(path_, "frames", "a list of at least one frame",
                        frames == nullptr ? "none" : describe_json(*frames));
    }
    return *frames;
  }

  void require_object(const Json& json, const std::string& field) const {
    if (!json.is_object()) {
      fail_scene_format(path_, field, "an object", describe_json(json));
    }
  }

  static const Json* find(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }

  static std::string field_of(const std::string& prefix, const std::string& key) {
    return prefix.empty() ? key : prefix + "." + key;
  }

  double to_number(const Json& value, const std::string& field) const {
    if (!value.is_number() || !std::isfinite(value.get<double>())) {
      fail_scene_format(path_, field, "a finite number", describe_json(value));
    }
    return value.get<double>();
  }

  std::string to_name(const Json& value, const std::string& field) const {
    if (!value.is_string() || value.get_ref<const std::string&>().empty() ||
        value.get_ref<const std::string&>().size() > kMaxName ||
        value.get_ref<const std::string&>().find('\0') != std::string::npos) {
      fail_scene_format(path_, field, "the name of a file", describe_json(value));
    }
    return value.get<std::string>();
  }

  /// Into `out`; whether the key is there.
  bool read_number(const Json& object, const std::string& prefix, const char* key, double& out) const {
    const Json* const value = find(object, key);
    if (value != nullptr) {
      out = to_number(*value, field_of(prefix, key));
    }
    return value != nullptr;
  }

  /// Overwrites what `object`, the file or a frame, states.
  void read_camera(const Json& object, const std::string& prefix, Camera& camera) const {
    StatedIntrinsics& stated = camera.stated;
    read_number(object, prefix, "w", stated.width);
    read_number(object, prefix, "h", stated.height);
    read_focal(object, prefix, {"fl_x", "camera_angle_x"}, stated.fl_x, stated.angle_x);
    read_focal(object, prefix, {"fl_y", "camera_angle_y"}, stated.fl_y, stated.angle_y);
    stated.has_centre_x |= read_number(object, prefix, "cx", stated.cx);
    stated.has_centre_y |= read_number(object, prefix, "cy", stated.cy);
    const char* const kRadial[] = {"k1", "k2", "k3", "k4"};
    for (std::size_t i = 0; i < 4; ++i) {
      read_number(object, prefix, kRadial[i], stated.lens.k[i]);
    }
    read_number(object, prefix, "p1", stated.lens.p[0]);
    read_number(object, prefix, "p2", stated.lens.p[1]);
    if (const Json* const model = find(object, "camera_model")) {
      camera.model = to_name(*model, field_of(prefix, "camera_model"));
    }
    if (const Json* const fisheye = find(object, "is_fisheye")) {
      if (!fisheye->is_boolean()) {
        fail_scene_format(path_, field_of(prefix, "is_fisheye"), "true or false", describe_json(*fisheye));
      }
      camera.is_fisheye = fisheye->get<bool>();
    }
    for (const char* const key : {"k5", "k6", "ftheta_p0", "is_equirectangular", "latlong"}) {
      const Json* const value = find(object, key);
      if (value != nullptr && *value != 0 && *value != false) {
        fail_unsupported(field_of(prefix, key), key);
      }
    }
  }

  /// A focal length beats an angle that is stated beside it, and what is stated nearer to the frame beats both.
  void read_focal(const Json& object, const std::string& prefix, std::pair<const char*, const char*> keys,
                  double& focal, double& angle) const {
    if (read_number(object, prefix, keys.second, angle)) {
      focal = 0;
    }
    if (read_number(object, prefix, keys.first, focal)) {
      angle = 0;
      if (!(focal > 0)) {
        fail_scene_format(path_, field_of(prefix, keys.first), "a focal length above 0", fmt::format("{}", focal));
      }
    } else if (find(object, keys.second) != nullptr && !(angle > 0)) {
      fail_scene_format(path_, field_of(prefix, keys.second), "an angle above 0", fmt::format("{}", angle));
    }
  }

  [[noreturn]] void fail_unsupported(const std::string& field, const std::string& found) const {
    fail_scene(ErrorKind::Unsupported, path_, field,
               "PINHOLE, SIMPLE_PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV (k1..k3, p1, p2) or OPENCV_FISHEYE (k1..k4)",
               fmt::format("'{}'", printable(found)), "undistort the pictures first");
  }

  void set_lens(Camera& camera, const std::string& field) const {
    constexpr const char* kPlain[] = {"OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE"};
    const bool is_plain =
        std::any_of(std::begin(kPlain), std::end(kPlain), [&](const char* name) { return camera.model == name; });
    if (!is_plain && camera.model != "OPENCV_FISHEYE") {
      fail_unsupported(field_of(field, "camera_model"), camera.model);
    }
    Lens& lens = camera.stated.lens;
    lens.model = camera.is_fisheye || !is_plain ? LensModel::Fisheye : LensModel::BrownConrady;
    if (lens.model == LensModel::BrownConrady && lens.k[3] != 0) {
      fail_unsupported(field_of(field, "k4"), fmt::format("{} with k4 = {}", camera.model, lens.k[3]));
    }
    if (lens.model == LensModel::Fisheye && lens.p != decltype(lens.p){}) {
      fail_unsupported(field_of(field, "p1"), "a fisheye lens with p1, p2");
    }
  }

  TransformsFrame parse_frame(const Json& json, const std::string& field, Camera camera) const {
    require_object(json, field);
    TransformsFrame frame;
    frame.field = field;
    const Json* const name = find(json, "file_path");
    if (name == nullptr) {
      fail_scene_format(path_, field_of(field, "file_path"), "the name of a file", "none");
    }
    frame.file_path = to_name(*name, field_of(field, "file_path"));
    if (const Json* const mask = find(json, "mask_path")) {
      frame.mask_path = to_name(*mask, field_of(field, "mask_path"));
    }
    read_camera(json, field, camera);
    set_lens(camera, field);
    check_intrinsics(camera.stated, path_, field);
    frame.intrinsics = camera.stated;
    frame.pose = parse_pose(json, field_of(field, "transform_matrix"));
    return frame;
  }

  Pose parse_pose(const Json& json, const std::string& field) const {
    const Json* const rows = find(json, "transform_matrix");
    if (rows == nullptr || !rows->is_array() || rows->size() < 3 || rows->size() > 4) {
      fail_scene_format(path_, field, "4 rows of 4 numbers", rows == nullptr ? "none" : describe_json(*rows));
    }
    Matrix3x4 matrix{};
    for (std::size_t i = 0; i < rows->size(); ++i) {
      const Json& row = (*rows)[i];
      const std::string row_field = fmt::format("{}[{}]", field, i);
      if (!row.is_array() || row.size() != 4) {
        fail_scene_format(path_, row_field, "4 numbers", describe_json(row));
      }
      for (std::size_t j = 0; j < 4; ++j) {
        const double value = to_number(row[j], fmt::format("{}[{}]", row_field, j));
        constexpr double kTolerance = 1e-6;
        if (i < 3) {
          matrix[i][j] = value;
        } else if (std::abs(value - (j == 3 ? 1 : 0)) > kTolerance) {
          fail_scene_format(path_, row_field, "0, 0, 0, 1", fmt::format("{} at {}", value, j));
        }
      }
    }
    return checked_pose(matrix, CameraAxes::OpenGl, path_, field);
  }

  void read_box(TransformsFile& file) const {
    double side = 0;
    double scale = 0.33;
    Vector3 offset = {0.5, 0.5, 0.5};
    const bool is_stated = read_number(root_, "", "aabb_scale", side);
    if (!is_stated) {
      return;
    }
    read_number(root_, "", "scale", scale);
    if (const Json* const list = find(root_, "offset")) {
      if (!list->is_array() || list->size() != 3) {
        fail_scene_format(path_, "offset", "3 numbers", describe_json(*list));
      }
      for (std::size_t i = 0; i < 3; ++i) {
        offset[i] = to_number((*list)[i], fmt::format("offset[{}]", i));
      }
    }
    constexpr double kLeast = 1e-6;
    constexpr double kMost = 1e6;
    if (!(side >= kLeast && side <= kMost)) {
      fail_scene_format(path_, "aabb_scale", "a side above 0", fmt::format("{}", side));
    }
    if (!(scale >= kLeast && scale <= kMost)) {
      fail_scene_format(path_, "scale", "a scale above 0", fmt::format("{}", scale));
    }
    Vector3 centre{};
    for (std::size_t i = 0; i < 3; ++i) {
      centre[i] = (0.5 - offset[i]) / scale;
    }
    file.box = cube_around(centre, side / scale / 2);
  }

  void read_split(const std::string& key, Split split, TransformsFile& file) const {
    const Json* const names = find(root_, key.c_str());
    if (names == nullptr) {
      return;
    }
    if (!names->is_array()) {
      fail_scene_format(path_, key, "a list of names", describe_json(*names));
    }
    for (std::size_t i = 0; i < names->size(); ++i) {
      const std::string field = fmt::format("{}[{}]", key, i);
      const std::string name = to_name((*names)[i], field);
      const auto [entry, is_new] = file.split_of.try_emplace(name, split);
      if (!is_new && entry->second == Split::Train && split != Split::Train) {
        fail_scene_format(path_, field, "no view that trains too",
                          fmt::format("'{}' of train_filenames", printable(name)));
      }
      entry->second = split;
    }
  }

  const std::string& path_;
  Json root_;
};

/// Which frames a split's names mean: as they are written but for "./" and back slashes, else by their last part if it
/// names one frame alone.
class SplitNames {
 public:
  explicit SplitNames(const TransformsFile& file) {
    std::map<std::string, int64_t> n_of;
    for (const TransformsFrame& frame : file.frames) ++n_of[last_part(frame.file_path)];
    for (const auto& [name, split] : file.split_of) {
      take(whole_, normal_name(name), split);
      if (n_of[last_part(name)] == 1) take(last_, last_part(name), split);
      n_without_frame_ += n_of[last_part(name)] == 0 ? 1 : 0;
    }
  }
  int64_t n_without_frame() const { return n_without_frame_; }
  /// nullptr: in none.
  const Split* find(const std::string& file_path) const {
    const auto whole = whole_.find(normal_name(file_path));
    if (whole != whole_.end()) return &whole->second;
    const auto last = last_.find(last_part(file_path));
    return last == last_.end() ? nullptr : &last->second;
  }

 private:
  static std::string last_part(const std::string& name) { return fs::path(normal_name(name)).filename().string(); }
  /// What is listed under two spellings is held out.
  static void take(std::map<std::string, Split>& into, const std::string& name, Split split) {
    const auto [entry, is_new] = into.try_emplace(name, split);
    if (!is_new && entry->second == Split::Train) entry->second = split;
  }

  std::map<std::string, Split> whole_;
  std::map<std::string, Split> last_;
  int64_t n_without_frame_ = 0;
};

void set_frame_mask(SceneBuilder& builder, const TransformsFrame& frame, const std::string& path) {
  if (!frame.mask_path.empty()) {
    const std::optional<FoundPicture> found = builder.finder().find(frame.mask_path);
    if (!found) {
      fail_scene(ErrorKind::NotFound, path, frame.field + ".mask_path", "the file of a mask",
                 fmt::format("none named {}", printable(frame.mask_path, 150)), "put it there, or take the entry out");
    }
    builder.set_mask(found->path, true);
    return;
  }
  const fs::path beside = builder.views().back().image_path;
  const std::string dynamic = (beside.parent_path() / ("dynamic_mask_" + beside.stem().string() + ".png")).string();
  std::error_code ignored;
  if (fs::is_regular_file(dynamic, ignored)) builder.set_mask(dynamic, false);
}

/// Adds the views whose split is `split`, or that the file states if null.
TransformsFile add_transforms(SceneBuilder& builder, const std::string& path, const Split* split) {
  TransformsFile file = parse_transforms(read_scene_file(path), path);
  const SplitNames names(file);
  int64_t n_unlisted = 0;
  for (const TransformsFrame& frame : file.frames) {
    Split of_view = split != nullptr ? *split : Split::Train;
    if (split == nullptr && !file.split_of.empty()) {
      const Split* const found = names.find(frame.file_path);
      if (found == nullptr) {
        ++n_unlisted;
        continue;
      }
      of_view = *found;
    }
    if (builder.add({frame.file_path, of_view, frame.intrinsics, frame.pose, path, frame.field})) {
      set_frame_mask(builder, frame, path);
    }
  }
  if (n_unlisted == static_cast<int64_t>(file.frames.size())) {
    fail_scene(ErrorKind::Format, path, "train_filenames", "names of frames",
               fmt::format("'{}', where frames are named like '{}'", printable(file.split_of.begin()->first),
                           printable(file.frames.front().file_path)),
               "write the same names in both, or take the lists out");
  }
  if (split == nullptr && names.n_without_frame() > 0) {
    builder.note(fmt::format("{} names in train_filenames, val_filenames, test_filenames belong to no frame",
                             names.n_without_frame()));
  }
  if (n_unlisted > 0) {
    builder.warn(
        fmt::format("{} frames are in none of train_filenames, val_filenames, test_filenames: skipped", n_unlisted));
  }
  if (file.has_rolling_shutter) {
    builder.warn("rolling_shutter is ignored: all rows of a picture are taken at one time");
  }
  return file;
}

/// The published renderings: near 2, far 6, in a cube of half-side 1.5.
WorldBox synthetic_box(SceneBuilder& builder) {
  constexpr double kNear = 2;
  constexpr double kFar = 6;
  constexpr double kHalfSide = 1.5;
  const bool is_usual = std::all_of(builder.views().begin(), builder.views().end(), [](const View& view) {
    const auto& m = view.camera_to_world.matrix;
    const double distance = std::hypot(m[0][3], m[1][3], m[2][3]);
    return distance > kNear && distance < kFar;
  });
  if (is_usual) {
    for (View& view : builder.views()) {
      view.near = kNear;
      view.far = kFar;
    }
  } else if (builder.options().box_half_side == 0) {
    builder.warn(
        fmt::format("cameras are not between {} and {} from the origin: the cube of half-side {} around it "
                    "may be the wrong one",
                    kNear, kFar, kHalfSide));
  }
  return cube_around({0, 0, 0}, kHalfSide);
}

}  // namespace

TransformsFile parse_transforms(const std::string& text, const std::string& path) {
  return TransformsParser(text, path).parse();
}

std::vector<Pose> parse_camera_path(const std::string& text, const std::string& path) {
  return TransformsParser(text, path).parse_poses();
}

std::vector<Pose> read_camera_path(const std::string& path, const std::array<double, 3>& centre, double scale) {
  std::vector<Pose> poses = parse_camera_path(read_scene_file(path), path);
  for (std::size_t k = 0; k < poses.size(); ++k) {
    for (std::size_t i = 0; i < 3; ++i) {
      double& t = poses[k].matrix[i][3];
      t = (t - centre[i]) * scale;
      constexpr double kFar = 1e6;
      if (!(std::abs(t) <= kFar)) {
        fail_scene_format(path, fmt::format("frames[{}].transform_matrix", k),
                          fmt::format("a camera within {} sides of the scene's box", kFar), fmt::format("{:.3g}", t));
      }
    }
  }
  return poses;
}

Scene read_blender_scene(const std::string& path, const SceneOptions& options) {
  SceneBuilder builder("blender", path, path, options);
  std::optional<WorldBox> box;
  for (const Split split : {Split::Train, Split::Validation, Split::Test}) {
    const std::string file = (fs::path(path) / fmt::format("transforms_{}.json", to_string(split))).string();
    std::error_code ignored;
    if (split == Split::Train || fs::is_regular_file(file, ignored)) {
      const TransformsFile read = add_transforms(builder, file, &split);
      box = box ? box : read.box;
    }
  }
  builder.require_views();
  const Background background = builder.has_alpha() ? Background::White : Background::None;
  if (!box) {
    box = builder.has_alpha() ? synthetic_box(builder) : builder.camera_box();
  }
  return builder.finish(*box, background);
}

Scene read_transforms_scene(const std::string& path, const SceneOptions& options) {
  SceneBuilder builder("transforms", path, fs::path(path).parent_path().string(), options);
  const TransformsFile file = add_transforms(builder, path, nullptr);
  builder.sort_views();
  if (file.split_of.empty()) {
    builder.hold_out_views();
  }
  builder.require_views();
  const Background background = builder.has_alpha() ? Background::White : Background::None;
  if (file.box && options.box_half_side == 0) builder.note("box: that of aabb_scale");
  return builder.finish(file.box ? *file.box : builder.camera_box(), background);
}

}  // namespace loe
