#include "io/scene_colmap.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string_view>

#include "io/scene_text.h"
#include "io/text.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

struct CameraModel {
  const char* name;
  int n_params;
};
/// At their numbers in binary files.
constexpr std::array<CameraModel, 6> kModels = {
    {{"SIMPLE_PINHOLE", 3}, {"PINHOLE", 4}, {"SIMPLE_RADIAL", 4}, {"RADIAL", 5}, {"OPENCV", 8}, {"OPENCV_FISHEYE", 8}}};
/// Those that are there but not ours, for messages.
constexpr std::array<const char*, 5> kOtherModels = {"FULL_OPENCV", "FOV", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE",
                                                     "THIN_PRISM_FISHEYE"};

[[noreturn]] void fail_model(const std::string& path, const std::string& field, const std::string& found) {
  fail_scene(ErrorKind::Unsupported, path, field,
             "SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV or OPENCV_FISHEYE", found,
             "undistort the pictures with COLMAP first");
}

/// Little-endian values one after the other.
class ByteReader {
 public:
  ByteReader(const std::string& content, const std::string& path) : content_(content), path_(path) {}

  template <typename Value>
  Value read(const std::string& field) {
    static_assert(std::endian::native == std::endian::little, "src/io/scene_colmap.cpp: swap the bytes");
    Value value{};
    require(sizeof(value), field);
    std::memcpy(&value, content_.data() + at_, sizeof(value));
    at_ += sizeof(value);
    return value;
  }
  /// A count of things that take at least `min_bytes` each.
  uint64_t read_count(uint64_t min_bytes, const std::string& field) {
    const auto n = read<uint64_t>(field);
    if (n > (content_.size() - at_) / min_bytes) {
      fail_scene_format(path_, field, fmt::format("a number of things that fit into {} bytes", content_.size() - at_),
                        fmt::format("{}", n));
    }
    return n;
  }
  std::string read_name(const std::string& field) {
    constexpr std::size_t kMaxName = 4096;
    const std::size_t end = content_.find('\0', at_);
    if (end == std::string::npos || end == at_ || end - at_ > kMaxName) {
      fail_scene_format(path_, field, fmt::format("a name of 1..{} bytes", kMaxName), "none that ends");
    }
    const std::string name = content_.substr(at_, end - at_);
    at_ = end + 1;
    return name;
  }
  void skip(uint64_t n_bytes, const std::string& field) {
    require(n_bytes, field);
    at_ += static_cast<std::size_t>(n_bytes);
  }
  void require_end() const {
    if (at_ != content_.size()) {
      fail_scene_format(path_, "", fmt::format("{} bytes", at_), fmt::format("{}", content_.size()));
    }
  }

 private:
  void require(uint64_t n_bytes, const std::string& field) const {
    if (n_bytes > content_.size() - at_) {
      fail_scene_format(path_, field, fmt::format("{} bytes at byte {}", n_bytes, at_),
                        fmt::format("the end of the file at {}", content_.size()));
    }
  }

  const std::string& content_;
  const std::string& path_;
  std::size_t at_ = 0;
};

/// Lines that are no comments.
class LineReader {
 public:
  LineReader(const std::string& content, const std::string& path) : content_(content), path_(path) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // editors on Windows put it there
    if (content.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  }

  /// The next line with words in it. False at the end.
  bool next() {
    while (skip()) {
      words_ = split_words(line_);
      if (!words_.empty() && words_[0][0] != '#') {
        return true;
      }
    }
    return false;
  }
  /// Passes over the very next line, which may be empty. False at the end.
  bool skip() {
    if (at_ >= content_.size()) {
      return false;
    }
    const std::size_t end = std::min(content_.find('\n', at_), content_.size());
    line_ = std::string_view(content_).substr(at_, end - at_);
    at_ = end + 1;
    ++number_;
    return true;
  }
  /// Passes over the line of an image's points, if there is one: it may be empty, and tools that know none leave it
  /// out. Points are triples of numbers, an image is not: its ten words end in a name.
  void skip_points() {
    const std::size_t at = at_;
    const int64_t number = number_;
    if (!skip()) return;
    const std::vector<std::string_view> words = split_words(line_);
    constexpr std::size_t kImageWords = 10;
    const bool is_image =
        words.size() >= kImageWords &&
        (words.size() % 3 != 0 || words.back().find_first_not_of("+-.0123456789eE") != std::string_view::npos);
    const bool is_comment = !words.empty() && words[0][0] == '#';
    if (is_image || is_comment) {
      at_ = at;
      number_ = number;
    }
  }
  std::string field() const { return fmt::format("line {}", number_); }
  const std::vector<std::string_view>& words() const { return words_; }
  void require_words(std::size_t n, const std::string& what) const {
    if (words_.size() < n) {
      fail_scene_format(path_, field(), what, fmt::format("{} words", words_.size()));
    }
  }
  double number(std::size_t word) const { return parse_finite(words_[word], path_, field()); }
  uint32_t id(std::size_t word) const {
    const double value = number(word);
    if (!(value >= 0 && value <= std::numeric_limits<uint32_t>::max() && value == std::floor(value))) {
      fail_scene_format(path_, field(), "a whole number", fmt::format("'{}'", printable(words_[word])));
    }
    return static_cast<uint32_t>(value);
  }
  /// The line from a word on: names may hold spaces.
  std::string rest(std::size_t word) const {
    std::string_view rest = line_.substr(static_cast<std::size_t>(words_[word].data() - line_.data()));
    const std::string_view last = words_.back();
    rest = rest.substr(0, static_cast<std::size_t>(last.data() + last.size() - rest.data()));
    return std::string(rest);
  }

 private:
  const std::string& content_;
  const std::string& path_;
  std::size_t at_ = 0;
  int64_t number_ = 0;
  std::string_view line_;
  std::vector<std::string_view> words_;
};

StatedIntrinsics intrinsics_of(std::size_t model, double width, double height, const std::vector<double>& params,
                               const std::string& path, const std::string& field) {
  StatedIntrinsics stated;
  stated.width = width;
  stated.height = height;
  const bool has_two_focals = model == 1 || model >= 4;
  std::size_t i = 0;
  stated.fl_x = params[i++];
  stated.fl_y = has_two_focals ? params[i++] : stated.fl_x;
  stated.cx = params[i++];
  stated.cy = params[i++];
  stated.has_centre_x = stated.has_centre_y = true;
  Lens& lens = stated.lens;
  lens.model = model == 5 ? LensModel::Fisheye : LensModel::BrownConrady;
  const std::size_t n_radial = model == 2 ? 1 : model == 3 || model == 4 ? 2 : model == 5 ? 4 : 0;
  for (std::size_t j = 0; j < n_radial; ++j) {
    lens.k[j] = params[i++];
  }
  if (model == 4) {
    lens.p = {params[i], params[i + 1]};
  }
  if (!(stated.width >= 1 && stated.height >= 1 && stated.fl_x > 0 && stated.fl_y > 0)) {
    fail_scene_format(path, field, "a size and focal lengths above 0",
                      fmt::format("{}x{} and {}, {}", width, height, stated.fl_x, stated.fl_y));
  }
  check_intrinsics(stated, path, field);
  return stated;
}

/// The pose of a camera whose world-to-camera transform is x -> R(q) x + t.
Pose pose_of(const std::array<double, 4>& q, const Vector3& t, const std::string& path, const std::string& field) {
  const double norm = std::hypot(std::hypot(q[0], q[1]), std::hypot(q[2], q[3]));
  constexpr double kTolerance = 0.01;
  if (!(std::abs(norm - 1) <= kTolerance)) {
    fail_scene_format(path, field, "a quaternion of length 1", fmt::format("{}", norm));
  }
  const double w = q[0] / norm;
  const double x = q[1] / norm;
  const double y = q[2] / norm;
  const double z = q[3] / norm;
  const std::array<Vector3, 3> r = {{{1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)},
                                     {2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)},
                                     {2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)}}};
  Matrix3x4 matrix{};  // [R^T | -R^T t]
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      matrix[i][j] = r[j][i];
      matrix[i][3] -= r[j][i] * t[j];
    }
  }
  return checked_pose(matrix, CameraAxes::OpenCv, path, field);
}

std::map<uint32_t, StatedIntrinsics> cameras_from_bytes(const std::string& content, const std::string& path) {
  ByteReader reader(content, path);
  constexpr uint64_t kMinBytes = 24 + 3 * 8;
  const uint64_t n = reader.read_count(kMinBytes, "number of cameras");
  std::map<uint32_t, StatedIntrinsics> cameras;
  for (uint64_t i = 0; i < n; ++i) {
    const auto id = reader.read<uint32_t>(fmt::format("camera at {}", i));
    const std::string field = fmt::format("camera {}", id);
    const auto model = reader.read<int32_t>(field);
    if (model < 0 || model >= static_cast<int>(kModels.size())) {
      const int64_t other = int64_t{model} - static_cast<int64_t>(kModels.size());
      const bool is_known = other >= 0 && other < static_cast<int64_t>(kOtherModels.size());
      fail_model(path, field,
                 is_known ? kOtherModels[static_cast<std::size_t>(other)] : fmt::format("model {}", model));
    }
    const auto width = static_cast<double>(reader.read<uint64_t>(field));
    const auto height = static_cast<double>(reader.read<uint64_t>(field));
    const auto index = static_cast<std::size_t>(model);
    std::vector<double> params;
    for (int j = 0; j < kModels[index].n_params; ++j) {
      params.push_back(reader.read<double>(field));
    }
    cameras[id] = intrinsics_of(index, width, height, params, path, field);
  }
  reader.require_end();
  return cameras;
}

std::map<uint32_t, StatedIntrinsics> cameras_from_text(const std::string& content, const std::string& path) {
  LineReader reader(content, path);
  std::map<uint32_t, StatedIntrinsics> cameras;
  while (reader.next()) {
    reader.require_words(5, "id, model, width, height and parameters");
    const std::string field = fmt::format("camera {}", reader.id(0));
    const std::string_view name = reader.words()[1];
    const auto found =
        std::find_if(kModels.begin(), kModels.end(), [&](const CameraModel& model) { return name == model.name; });
    if (found == kModels.end()) {
      fail_model(path, field, fmt::format("'{}'", printable(name)));
    }
    const std::size_t n_words = 4 + static_cast<std::size_t>(found->n_params);
    if (reader.words().size() != n_words) {
      fail_scene_format(path, reader.field(), fmt::format("{} parameters of {}", found->n_params, found->name),
                        fmt::format("{}", reader.words().size() - 4));
    }
    std::vector<double> params;
    for (std::size_t i = 4; i < n_words; ++i) {
      params.push_back(reader.number(i));
    }
    cameras[reader.id(0)] = intrinsics_of(static_cast<std::size_t>(found - kModels.begin()), reader.number(2),
                                          reader.number(3), params, path, field);
  }
  return cameras;
}

std::vector<ColmapImage> images_from_bytes(const std::string& content, const std::string& path) {
  ByteReader reader(content, path);
  constexpr uint64_t kMinBytes = 4 + 7 * 8 + 4 + 2 + 8;
  constexpr uint64_t kPointBytes = 24;
  const uint64_t n = reader.read_count(kMinBytes, "number of images");
  std::vector<ColmapImage> images;
  for (uint64_t i = 0; i < n; ++i) {
    ColmapImage image;
    image.field = fmt::format("image {}", reader.read<uint32_t>(fmt::format("image at {}", i)));
    std::array<double, 4> q{};
    Vector3 t{};
    for (double& value : q) {
      value = reader.read<double>(image.field);
    }
    for (double& value : t) {
      value = reader.read<double>(image.field);
    }
    image.pose = pose_of(q, t, path, image.field);
    image.camera = reader.read<uint32_t>(image.field);
    image.name = reader.read_name(image.field);
    reader.skip(reader.read_count(kPointBytes, image.field) * kPointBytes, image.field);
    images.push_back(image);
  }
  reader.require_end();
  return images;
}

std::vector<ColmapImage> images_from_text(const std::string& content, const std::string& path) {
  LineReader reader(content, path);
  std::vector<ColmapImage> images;
  while (reader.next()) {
    reader.require_words(10, "id, quaternion, translation, camera and name");
    ColmapImage image;
    image.field = fmt::format("image {}", reader.id(0));
    const std::array<double, 4> q = {reader.number(1), reader.number(2), reader.number(3), reader.number(4)};
    image.pose = pose_of(q, {reader.number(5), reader.number(6), reader.number(7)}, path, image.field);
    image.camera = reader.id(8);
    image.name = reader.rest(9);
    if (image.name.find('\0') != std::string::npos) {
      fail_scene_format(path, image.field, "a name", "one with a zero byte");
    }
    images.push_back(image);
    reader.skip_points();
  }
  return images;
}

std::vector<Vector3> points_from_bytes(const std::string& content, const std::string& path) {
  ByteReader reader(content, path);
  constexpr uint64_t kMinBytes = 8 + 24 + 3 + 8 + 8;
  constexpr uint64_t kTrackBytes = 8;
  const uint64_t n = reader.read_count(kMinBytes, "number of points");
  std::vector<Vector3> points;
  for (uint64_t i = 0; i < n; ++i) {
    const std::string field = "a point";
    reader.skip(8, field);
    Vector3 point{};
    for (double& value : point) {
      value = reader.read<double>(field);
    }
    reader.skip(3 + 8, field);
    reader.skip(reader.read_count(kTrackBytes, field) * kTrackBytes, field);
    points.push_back(point);
  }
  reader.require_end();
  return points;
}

std::vector<Vector3> points_from_text(const std::string& content, const std::string& path) {
  LineReader reader(content, path);
  std::vector<Vector3> points;
  while (reader.next()) {
    reader.require_words(4, "id and x, y, z");
    points.push_back({reader.number(1), reader.number(2), reader.number(3)});
  }
  return points;
}

/// <folder>/<name>.bin, else .txt. Parsed by `parse`; `fallback` if there is neither.
template <typename Parse>
auto read_part(const std::string& folder, const std::string& name, bool is_required, Parse parse)
    -> decltype(parse("", ColmapEncoding::Text, "")) {
  std::error_code ignored;
  const std::string stem = (fs::path(folder) / name).string();
  if (fs::exists(stem + ".bin", ignored)) {
    return parse(read_scene_file(stem + ".bin"), ColmapEncoding::Binary, stem + ".bin");
  }
  if (is_required || fs::exists(stem + ".txt", ignored)) {
    return parse(read_scene_file(stem + ".txt"), ColmapEncoding::Text, stem + ".txt");
  }
  return {};
}

}  // namespace

std::map<uint32_t, StatedIntrinsics> parse_colmap_cameras(const std::string& content, ColmapEncoding encoding,
                                                          const std::string& path) {
  return encoding == ColmapEncoding::Binary ? cameras_from_bytes(content, path) : cameras_from_text(content, path);
}

std::vector<ColmapImage> parse_colmap_images(const std::string& content, ColmapEncoding encoding,
                                             const std::string& path) {
  return encoding == ColmapEncoding::Binary ? images_from_bytes(content, path) : images_from_text(content, path);
}

std::vector<Vector3> parse_colmap_points(const std::string& content, ColmapEncoding encoding, const std::string& path) {
  std::vector<Vector3> points =
      encoding == ColmapEncoding::Binary ? points_from_bytes(content, path) : points_from_text(content, path);
  constexpr double kMost = 1e12;
  for (const Vector3& point : points) {
    for (const double value : point) {
      if (!(std::abs(value) <= kMost)) {
        fail_scene_format(path, "a point", fmt::format("coordinates of at most {}", kMost), fmt::format("{}", value));
      }
    }
  }
  return points;
}

std::vector<std::string> colmap_image_names(const std::string& model) {
  std::vector<std::string> names;
  if (model.empty()) return names;
  try {
    for (const ColmapImage& image : read_part(model, "images", true, parse_colmap_images)) names.push_back(image.name);
  } catch (const Error&) {
    return {};  // what is damaged is said when it is the one that is taken
  }
  return names;
}

namespace {

std::vector<StatedView> stated_views(const std::string& model) {
  const auto cameras = read_part(model, "cameras", true, parse_colmap_cameras);
  std::vector<StatedView> views;
  for (const ColmapImage& image : read_part(model, "images", true, parse_colmap_images)) {
    const auto camera = cameras.find(image.camera);
    if (camera == cameras.end()) {
      fail_scene_format(model, image.field, fmt::format("one of {} cameras", cameras.size()),
                        fmt::format("camera {}", image.camera));
    }
    views.push_back({image.name, Split::Train, camera->second, image.pose, model, image.field});
  }
  return views;
}

}  // namespace

Scene read_colmap_scene(const std::string& path, const SceneOptions& options) {
  const ColmapModel model = find_colmap_model(path);
  if (model.folder.empty()) {
    fail_scene(ErrorKind::NotFound, path, "",
               "sparse/0/cameras.bin or .txt (also in colmap/, distorted/, dense/, and in the folder itself)",
               "neither", "name a folder with a model");
  }
  const std::vector<StatedView> views = stated_views(model.folder);
  const std::vector<Vector3> points = read_part(model.folder, "points3D", false, parse_colmap_points);
  const std::string pictures = find_colmap_pictures(path, model.folder, views, options);
  SceneBuilder builder("colmap", path, pictures, options);
  builder.note(fmt::format("model in {}, pictures in {}", printable(model.folder, 120), printable(pictures, 120)));
  if (!model.others.empty()) builder.warn(model.others);
  for (const StatedView& view : views) builder.add(view);
  builder.sort_views();
  builder.hold_out_views();
  builder.require_views();
  builder.find_masks(pictures, folders_above(path, model.folder));
  WorldBox box;
  int64_t n_far = 0;
  if (!box_of_points(points, box, n_far)) {
    box = builder.camera_box();
    builder.note(fmt::format("{} points are too few for a box", points.size()));
  } else if (n_far > 0) {
    builder.note(
        fmt::format("box: without {} points that are more than 30 times as far from the others as usual", n_far));
  }
  return builder.finish(box, builder.has_alpha() ? Background::White : Background::None);
}

}  // namespace loe
