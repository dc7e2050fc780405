// Synthetic cameras, written in every format that scenes come in.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "io/io_test_helpers.h"
#include "io/npy.h"
#include "loe/io/image_file.h"
#include "loe/io/scene_file.h"

namespace loe {

using Json = nlohmann::json;

constexpr int kSceneWidth = 40;
constexpr int kSceneHeight = 30;
constexpr double kSceneFocal = 50;
constexpr int kSceneViews = 10;

/// Camera n, in the world's units: about 4 from (0.1, -0.2, 0.3), looking near it, turned about its axis.
inline Pose scene_pose(int n) {
  const double a = 0.7 * n;
  const double b = 0.9 * std::sin(1.3 * n);
  const std::array<double, 3> back = {std::cos(a) * std::cos(b), std::sin(a) * std::cos(b), std::sin(b)};
  const std::array<double, 3> side = {-std::sin(a), std::cos(a), 0};
  const std::array<double, 3> up = {back[1] * side[2] - back[2] * side[1], back[2] * side[0] - back[0] * side[2],
                                    back[0] * side[1] - back[1] * side[0]};
  const double c = std::cos(0.3 * n);
  const double s = std::sin(0.3 * n);
  const std::array<double, 3> centre = {0.1, -0.2, 0.3};
  Pose pose;
  for (std::size_t i = 0; i < 3; ++i) {
    pose.matrix[i] = {c * side[i] + s * up[i], -s * side[i] + c * up[i], back[i], centre[i] + (4 + 0.05 * n) * back[i]};
  }
  return pose;
}

inline void write_picture(const std::string& path, int width = kSceneWidth, int height = kSceneHeight,
                          int n_channels = 3) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_image(path, Image(width, height, n_channels, PixelType::U8));
}

inline std::string picture_name(int n) {
  return fmt::format("c_{:03}", n);
}

inline Json matrix_json(const Pose& pose) {
  Json rows = Json::array();
  for (const auto& row : pose.matrix) rows.push_back(row);
  rows.push_back({0, 0, 0, 1});
  return rows;
}

inline Json frame_json(int n, const std::string& file_path) {
  return {{"file_path", file_path}, {"sharpness", 12.5}, {"transform_matrix", matrix_json(scene_pose(n))}};
}

/// transforms.json with its pictures in images/; views 0 and 8 test.
inline Json transforms_json(const std::string& folder, int n_views = kSceneViews, int n_channels = 3) {
  Json file = {{"fl_x", kSceneFocal}, {"w", 40.0},          {"h", kSceneHeight}, {"cx", 20},
               {"cy", 15.0},          {"foreign", {1, "x"}}};
  for (int n = 0; n < n_views; ++n) {
    write_picture(folder + "/images/" + picture_name(n) + ".png", kSceneWidth, kSceneHeight, n_channels);
    file["frames"].push_back(frame_json(n, "images/" + picture_name(n) + ".png"));
  }
  return file;
}

inline void write_transforms(const std::string& folder, const Json& file) {
  write_bytes(folder + "/transforms.json", file.dump());
}

inline void write_blender(const std::string& folder, int n_channels = 3) {
  std::array<Json, 2> files;
  for (Json& file : files) file["camera_angle_x"] = 2 * std::atan(kSceneWidth / 2.0 / kSceneFocal);
  for (int n = 0; n < kSceneViews; ++n) {
    const bool tests = n % 8 == 0;
    const std::string name = (tests ? "test/" : "train/") + picture_name(n);
    write_picture(folder + "/" + name + ".png", kSceneWidth, kSceneHeight, n_channels);
    files[tests ? 1 : 0]["frames"].push_back(frame_json(n, "./" + name));
  }
  write_bytes(folder + "/transforms_train.json", files[0].dump());
  write_bytes(folder + "/transforms_test.json", files[1].dump());
}

inline std::string nsvf_pose(const Pose& pose) {
  std::string text;
  for (const auto& r : pose.matrix) text += fmt::format("{} {} {} {}\n", r[0], -r[1], -r[2], r[3]);
  return text + "0 0 0 1\n";
}

inline void write_nsvf(const std::string& folder) {
  std::filesystem::create_directories(folder + "/pose");
  for (int n = 0; n < kSceneViews; ++n) {
    const std::string name = (n % 8 == 0 ? "1_" : "0_") + picture_name(n);
    write_picture(folder + "/rgb/" + name + ".png");
    write_bytes(folder + "/pose/" + name + ".txt", nsvf_pose(scene_pose(n)));
  }
  write_bytes(folder + "/intrinsics.txt", "50 0 20 0\n0 50 15 0\n0 0 1 0\n0 0 0 1\n");
  write_bytes(folder + "/bbox.txt", "-1 -1.5 -2 1 1.5 2 0.1\n");
}

inline std::string llff_array(const std::vector<double>& values, int n_columns = 17) {
  const auto n = static_cast<int64_t>(values.size()) / n_columns;
  return npy_header("<f8", {n, n_columns}) +
         std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
}

/// Rows of poses_bounds.npy: columns are down, right, backwards, t, (height, width, focal); then the bounds.
inline std::vector<double> llff_values(int n_views = kSceneViews, double factor = 1) {
  std::vector<double> values;
  for (int n = 0; n < n_views; ++n) {
    const Pose pose = scene_pose(n);
    const std::array<double, 3> last = {kSceneHeight * factor, kSceneWidth * factor, kSceneFocal * factor};
    for (std::size_t i = 0; i < 3; ++i) {
      const auto& r = pose.matrix[i];
      values.insert(values.end(), {-r[1], r[0], r[2], r[3], last[i]});
    }
    values.insert(values.end(), {2.5 + 0.1 * n, 6 + 0.1 * n});
  }
  return values;
}

inline void write_llff(const std::string& folder) {
  for (int n = 0; n < kSceneViews; ++n) write_picture(folder + "/images/" + picture_name(n) + ".png");
  write_bytes(folder + "/poses_bounds.npy", llff_array(llff_values()));
}

/// World-to-camera in OpenCV's axes: quaternion (w, x, y, z), then translation.
inline std::array<double, 7> colmap_pose(const Pose& pose) {
  std::array<std::array<double, 3>, 3> r{};  // rows: the camera's right, down, forwards
  std::array<double, 7> out{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double sign = i == 0 ? 1 : -1;
    for (std::size_t j = 0; j < 3; ++j) {
      r[i][j] = sign * pose.matrix[j][i];
      out[4 + i] -= r[i][j] * pose.matrix[j][3];
    }
  }
  const auto part = [](double x) { return std::sqrt(std::max(0.0, x)) / 2; };
  out[0] = part(1 + r[0][0] + r[1][1] + r[2][2]);
  out[1] = std::copysign(part(1 + r[0][0] - r[1][1] - r[2][2]), r[2][1] - r[1][2]);
  out[2] = std::copysign(part(1 - r[0][0] + r[1][1] - r[2][2]), r[0][2] - r[2][0]);
  out[3] = std::copysign(part(1 - r[0][0] - r[1][1] + r[2][2]), r[1][0] - r[0][1]);
  return out;
}

template <typename Value>
std::string bytes_of(Value value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

/// One camera of model SIMPLE_PINHOLE with id 3.
inline void write_colmap(const std::string& folder, bool is_binary) {
  const std::string model = folder + "/sparse/0";
  std::filesystem::create_directories(model);
  std::string bytes = bytes_of<uint64_t>(kSceneViews);
  std::string text = "# Image list with two lines of data per image:\n";
  for (int n = kSceneViews - 1; n >= 0; --n) {  // in another order than the names
    write_picture(folder + "/images/" + picture_name(n) + ".png");
    const std::array<double, 7> pose = colmap_pose(scene_pose(n));
    bytes += bytes_of<uint32_t>(static_cast<uint32_t>(n + 1));
    for (const double value : pose) bytes += bytes_of(value);
    bytes += bytes_of<uint32_t>(3) + picture_name(n) + ".png" + std::string(1, '\0') + bytes_of<uint64_t>(1) +
             bytes_of(1.5) + bytes_of(2.5) + bytes_of<int64_t>(-1);
    text += fmt::format("{} {} 3 {}.png\n{}\n", n + 1, fmt::join(pose, " "), picture_name(n),
                        n % 2 == 0 ? "" : "1.5 2.5 -1");
  }
  if (is_binary) {
    write_bytes(model + "/images.bin", bytes);
    write_bytes(model + "/cameras.bin", bytes_of<uint64_t>(1) + bytes_of<uint32_t>(3) + bytes_of<int32_t>(0) +
                                            bytes_of<uint64_t>(kSceneWidth) + bytes_of<uint64_t>(kSceneHeight) +
                                            bytes_of(kSceneFocal) + bytes_of(20.0) + bytes_of(15.0));
  } else {
    write_bytes(model + "/images.txt", text);
    write_bytes(model + "/cameras.txt", "# Camera list\n3 SIMPLE_PINHOLE 40 30 50 20 15\n");
  }
}

}  // namespace loe
