#include "io/scene_nsvf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "io/picture_folder.h"
#include "io/scene_text.h"

namespace loe {
namespace {

namespace fs = std::filesystem;
using Rows = std::vector<std::vector<double>>;

std::string shape_of(const Rows& rows) {
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < std::min<std::size_t>(rows.size(), 8); ++i) {
    sizes.push_back(rows[i].size());
  }
  return sizes.empty() ? "nothing" : fmt::format("lines of {} numbers", fmt::join(sizes, ", "));
}

bool is_matrix(const Rows& rows, std::size_t n_rows, std::size_t n_columns) {
  return rows.size() == n_rows &&
         std::all_of(rows.begin(), rows.end(), [&](const std::vector<double>& row) { return row.size() == n_columns; });
}

/// A matrix on one line as one on `side` lines.
Rows unfolded(const Rows& rows, std::size_t side) {
  if (!is_matrix(rows, 1, side * side)) {
    return rows;
  }
  Rows out;
  for (std::size_t i = 0; i < side; ++i) {
    const auto first = rows[0].begin() + static_cast<std::ptrdiff_t>(i * side);
    out.emplace_back(first, first + static_cast<std::ptrdiff_t>(side));
  }
  return out;
}

StatedIntrinsics from_matrix(const Rows& k, const std::string& path) {
  constexpr double kTolerance = 1e-6;
  const double skew = std::max({std::abs(k[0][1]), std::abs(k[1][0]), std::abs(k[2][0]), std::abs(k[2][1])});
  if (skew > kTolerance || std::abs(k[2][2] - 1) > kTolerance) {
    fail_scene_format(path, "matrix", "fx 0 cx, 0 fy cy, 0 0 1",
                      fmt::format("{} {} {}, {} {} {}, {} {} {}", k[0][0], k[0][1], k[0][2], k[1][0], k[1][1], k[1][2],
                                  k[2][0], k[2][1], k[2][2]));
  }
  StatedIntrinsics stated;
  stated.fl_x = k[0][0];
  stated.fl_y = k[1][1];
  stated.cx = k[0][2];
  stated.cy = k[1][2];
  return stated;
}

Split split_of(char digit, bool has_two_held_out) {
  return digit == '0' ? Split::Train : digit == '1' && has_two_held_out ? Split::Validation : Split::Test;
}

}  // namespace

StatedIntrinsics parse_nsvf_intrinsics(const std::string& text, const std::string& path) {
  const Rows rows = unfolded(unfolded(parse_rows(text, path), 4), 3);
  StatedIntrinsics stated;
  if (is_matrix(rows, 4, 4) || is_matrix(rows, 3, 3)) {
    stated = from_matrix(rows, path);
  } else if (!rows.empty() && (rows[0].size() == 3 || rows[0].size() == 4)) {
    stated.fl_x = stated.fl_y = rows[0][0];
    stated.cx = rows[0][1];
    stated.cy = rows[0][2];
    if (rows.size() > 1 && rows.back().size() == 2) {
      stated.height = rows.back()[0];
      stated.width = rows.back()[1];
    }
  } else {
    fail_scene_format(path, "", "a 4 x 4 matrix, or 'f cx cy 0.' in the first line", shape_of(rows));
  }
  for (const double focal : {stated.fl_x, stated.fl_y}) {
    if (!(focal > 0)) {
      fail_scene_format(path, "focal length", "more than 0", fmt::format("{}", focal));
    }
  }
  stated.has_centre_x = stated.has_centre_y = true;
  check_intrinsics(stated, path, "");
  return stated;
}

Pose parse_nsvf_pose(const std::string& text, const std::string& path) {
  const Rows rows = unfolded(parse_rows(text, path), 4);
  if (!is_matrix(rows, 4, 4) && !is_matrix(rows, 3, 4)) {
    fail_scene_format(path, "", "4 lines of 4 numbers", shape_of(rows));
  }
  if (rows.size() == 4 && rows[3] != std::vector<double>{0, 0, 0, 1}) {
    fail_scene_format(path, "last line", "0 0 0 1",
                      fmt::format("{} {} {} {}", rows[3][0], rows[3][1], rows[3][2], rows[3][3]));
  }
  Matrix3x4 matrix{};
  for (std::size_t i = 0; i < 3; ++i) {
    std::copy(rows[i].begin(), rows[i].end(), matrix[i].begin());
  }
  return checked_pose(matrix, CameraAxes::OpenCv, path, "");
}

WorldBox parse_nsvf_box(const std::string& text, const std::string& path) {
  std::vector<double> numbers;
  for (const std::vector<double>& row : parse_rows(text, path)) {
    numbers.insert(numbers.end(), row.begin(), row.end());
  }
  if (numbers.size() != 6 && numbers.size() != 7) {
    fail_scene_format(path, "", "xmin ymin zmin xmax ymax zmax and a voxel size",
                      fmt::format("{} numbers", numbers.size()));
  }
  WorldBox box;
  for (std::size_t i = 0; i < 3; ++i) {
    box.min[i] = numbers[i];
    box.max[i] = numbers[i + 3];
    constexpr double kMost = 1e9;
    if (!(box.max[i] > box.min[i] && box.max[i] <= kMost && box.min[i] >= -kMost)) {
      fail_scene_format(path, fmt::format("axis {}", "xyz"[i]), "a smallest below a largest coordinate",
                        fmt::format("{} and {}", box.min[i], box.max[i]));
    }
  }
  return box;
}

Scene read_nsvf_scene(const std::string& path, const SceneOptions& options) {
  const fs::path folder(path);
  const auto read = [&](const fs::path& name, auto parse) {
    const std::string file = (folder / name).string();
    return parse(read_scene_file(file), file);
  };
  const StatedIntrinsics intrinsics = read("intrinsics.txt", parse_nsvf_intrinsics);
  const std::string pictures = (folder / "rgb").string();
  const std::vector<std::string> names = list_pictures(pictures);
  SceneBuilder builder("nsvf", path, pictures, options);
  const auto is_named = [](const std::string& name, const char* digits) {
    return name.size() > 2 && name[1] == '_' && std::string_view(digits).find(name[0]) != std::string_view::npos;
  };
  const bool has_two =
      std::any_of(names.begin(), names.end(), [&](const std::string& name) { return is_named(name, "2"); });
  int64_t n_unnamed = 0;
  for (const std::string& name : names) {
    if (!is_named(name, "012")) {
      ++n_unnamed;
      continue;
    }
    const fs::path pose = fs::path("pose") / fs::path(name).replace_extension(".txt");
    builder.add({name, split_of(name[0], has_two), intrinsics, read(pose, parse_nsvf_pose),
                 (folder / "intrinsics.txt").string(), ""});
  }
  if (n_unnamed > 0) {
    builder.warn(fmt::format("{} pictures in rgb/ have names that do not begin with 0_, 1_ or 2_: skipped", n_unnamed));
  }
  builder.require_views();
  WorldBox box;
  std::error_code ignored;
  if (fs::exists(folder / "bbox.txt", ignored)) {
    box = read("bbox.txt", parse_nsvf_box);
  } else {
    box = builder.camera_box();
    builder.warn("no bbox.txt: the box was chosen from the cameras");
  }
  return builder.finish(box, Background::White);
}

}  // namespace loe
