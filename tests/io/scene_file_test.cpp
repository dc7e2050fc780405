#include "loe/io/scene_file.h"

#include <map>
#include <set>

#include "io/scene_test_helpers.h"
#include "loe/signal/camera.h"
#include "test_paths.h"

namespace loe {
namespace {

std::string shared(const std::string& name) {
  return std::string(kSharedData) + "/" + name;
}

bool is_there(const std::string& path) {
  return std::filesystem::exists(path);
}

std::size_t count(const Scene& scene, Split split) {
  return static_cast<std::size_t>(
      std::count_if(scene.views.begin(), scene.views.end(), [&](const View& view) { return view.split == split; }));
}

/// By the number at the end of "c_003.png".
std::map<int, View> by_number(const Scene& scene) {
  std::map<int, View> views;
  for (const View& view : scene.views) {
    views[std::stoi(view.name.substr(view.name.rfind('_') + 1))] = view;
  }
  return views;
}

SceneOptions in_box(double half_side) {
  SceneOptions options;
  options.box_half_side = half_side;
  options.box_centre = {0.1, -0.2, 0.3};
  return options;
}

double distance(const std::array<double, 3>& a, const std::array<double, 3>& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

std::array<double, 3> position(const View& view) {
  const auto& m = view.camera_to_world.matrix;
  return {m[0][3], m[1][3], m[2][3]};
}

/// The rays of all cameras that scene_test_helpers.h writes, in the cube of half-side 2.
void expect_synthetic_rays(const Scene& scene, double tolerance) {
  ASSERT_EQ(scene.views.size(), static_cast<std::size_t>(kSceneViews));
  for (const auto& [n, view] : by_number(scene)) {
    EXPECT_EQ(view.split, n % 8 == 0 ? Split::Test : Split::Train) << n;
    EXPECT_EQ(view.intrinsics.width, kSceneWidth);
    EXPECT_EQ(view.intrinsics.height, kSceneHeight);
    Pose pose = scene_pose(n);
    const std::array<double, 3> centre = {0.1, -0.2, 0.3};
    for (std::size_t i = 0; i < 3; ++i) pose.matrix[i][3] = (pose.matrix[i][3] - centre[i]) / 4;
    const Intrinsics camera{kSceneWidth, kSceneHeight, kSceneFocal, kSceneFocal, 20, 15, {}};
    for (const auto& [u, v] : {std::pair{0.5, 0.5}, {39.5, 29.5}, {20.0, 3.0}}) {
      const CameraRay expected = ray_of_pixel(camera, pose, u, v);
      const CameraRay found = ray_of_pixel(view.intrinsics, view.camera_to_world, u, v);
      EXPECT_LT(distance(expected.origin, found.origin), tolerance) << n;
      EXPECT_LT(distance(expected.direction, found.direction), tolerance) << n;
    }
  }
}

TEST(SceneFile, TheSameCamerasInEveryFormat) {
  const std::map<std::string, std::function<void(const std::string&)>> writers = {
      {"blender", [](const std::string& folder) { write_blender(folder); }},
      {"transforms", [](const std::string& folder) { write_transforms(folder, transforms_json(folder)); }},
      {"nsvf", write_nsvf},
      {"llff", write_llff},
      {"colmap", [](const std::string& folder) { write_colmap(folder, false); }},
      {"colmap-binary", [](const std::string& folder) { write_colmap(folder, true); }}};
  for (const auto& [name, write] : writers) {
    SCOPED_TRACE(name);
    const TempFolder folder;
    EXPECT_FALSE(is_scene(folder.path()));
    write(folder.path());
    EXPECT_TRUE(is_scene(folder.path()));
    const Scene scene = read_scene(folder.path(), in_box(2));
    EXPECT_EQ(scene.format, name.substr(0, name.find('-')));
    EXPECT_TRUE(scene.warnings.empty()) << scene.warnings[0];
    EXPECT_EQ(scene.scale, 0.25);
    EXPECT_EQ(scene.box_max, (std::array<double, 3>{0.5, 0.5, 0.5}));
    EXPECT_FALSE(scene.has_alpha);
    // Quaternions lose half of the digits of small components; the others are exact but for rounding.
    expect_synthetic_rays(scene, 1e-9);
    EXPECT_EQ(read_view_image(scene.views[0]).width(), kSceneWidth);
  }
}

TEST(SceneFile, IsSceneGoesByNames) {
  const TempFolder folder;
  EXPECT_FALSE(is_scene(folder.file("nothing")));
  EXPECT_FALSE(is_scene(""));
  write_bytes(folder.file("config.json"), "{}");
  EXPECT_FALSE(is_scene(folder.file("config.json")));
  write_bytes(folder.file("transforms_present.json"), "{}");
  EXPECT_TRUE(is_scene(folder.file("transforms_present.json")));
  EXPECT_FALSE(is_scene(folder.path()));
}

TEST(SceneFile, HeldOutViewsAreEveryNth) {
  const TempFolder folder;
  write_transforms(folder.path(), transforms_json(folder.path()));
  SceneOptions options;
  options.test_every = 3;
  const Scene scene = read_scene(folder.path(), options);
  for (const auto& [n, view] : by_number(scene)) EXPECT_EQ(view.split, n % 3 == 0 ? Split::Test : Split::Train);
  options.test_every = 0;
  EXPECT_EQ(count(read_scene(folder.path(), options), Split::Train), 10U);
}

TEST(SceneFile, BoxFromTheCameras) {
  // All axes go through (0.1, -0.2, 0.3); the farthest camera is at 4.45.
  const TempFolder folder;
  write_transforms(folder.path(), transforms_json(folder.path()));
  const Scene scene = read_scene(folder.path());
  EXPECT_LT(distance(scene.centre, {0.1, -0.2, 0.3}), 1e-12);
  EXPECT_NEAR(scene.scale, 1 / (4 * 4.45), 1e-12);
  double farthest = 0;
  for (const View& view : scene.views) {
    farthest = std::max(farthest, distance(position(view), {}));
    EXPECT_EQ(view.far, 0);
  }
  EXPECT_NEAR(farthest, 0.25, 1e-12);
}

TEST(SceneFile, BoxOfParallelCamerasIsAroundTheirMean) {
  const TempFolder folder;
  Json file = transforms_json(folder.path());
  for (std::size_t n = 0; n < file["frames"].size(); ++n) {
    file["frames"][n]["transform_matrix"] = {
        {1, 0, 0, static_cast<double>(n)}, {0, 1, 0, 5}, {0, 0, 1, 0}, {0, 0, 0, 1}};
  }
  write_transforms(folder.path(), file);
  const Scene scene = read_scene(folder.path());
  EXPECT_LT(distance(scene.centre, {4.5, 5, 0}), 1e-12);
  EXPECT_NEAR(scene.scale, 1 / (4 * 4.5), 1e-12);
}

TEST(SceneFile, InstantNgpsBox) {
  const TempFolder folder;
  Json file = transforms_json(folder.path());
  file["aabb_scale"] = 4;
  write_transforms(folder.path(), file);
  EXPECT_NEAR(read_scene(folder.path()).scale, 0.33 / 4, 1e-15);
  EXPECT_LT(distance(read_scene(folder.path()).centre, {}), 1e-12);
  file["scale"] = 0.5;
  file["offset"] = {0.5, 0.25, 1.5};
  write_transforms(folder.path(), file);
  const Scene scene = read_scene(folder.path());
  EXPECT_NEAR(scene.scale, 0.125, 1e-15);
  EXPECT_LT(distance(scene.centre, {0, 0.5, -2}), 1e-12);
}

TEST(SceneFile, SyntheticBoxNearAndFar) {
  const TempFolder folder;
  write_blender(folder.path(), 4);
  const Scene scene = read_scene(folder.path());
  EXPECT_TRUE(scene.has_alpha);
  EXPECT_EQ(scene.background, Background::White);
  EXPECT_EQ(scene.centre, (std::array<double, 3>{}));
  EXPECT_NEAR(scene.scale, 1 / 3.0, 1e-15);
  EXPECT_NEAR(scene.views[0].near, 2 / 3.0, 1e-15);
  EXPECT_NEAR(scene.views[0].far, 2, 1e-15);
  EXPECT_TRUE(scene.warnings.empty());
  EXPECT_EQ(read_view_image(scene.views[0]).n_channels(), 4);
  // Ten times as far away: not the published scenes' size.
  std::string text = read_bytes(folder.file("transforms_train.json"));
  Json file = Json::parse(text);
  for (Json& frame : file["frames"]) {
    for (int i = 0; i < 3; ++i) {
      frame["transform_matrix"][i][3] = 10 * frame["transform_matrix"][i][3].get<double>();
    }
  }
  write_bytes(folder.file("transforms_train.json"), file.dump());
  const Scene far = read_scene(folder.path());
  ASSERT_EQ(far.warnings.size(), 1U);
  EXPECT_NE(far.warnings[0].find("half-side 1.5"), std::string::npos);
  EXPECT_EQ(far.views[0].far, 0);
}

TEST(SceneFile, FramesOverrideTheFile) {
  const TempFolder folder;
  Json file = transforms_json(folder.path(), 3);
  file["camera_model"] = "OPENCV";
  file["k1"] = 0.1;
  file["k2"] = -0.05;
  file["k3"] = 0.01;
  file["p1"] = 0.001;
  file["p2"] = -0.002;
  Json& other = file["frames"][1];
  other["fl_x"] = 60;
  other["fl_y"] = 70;
  other["cx"] = 21;
  other["k1"] = 0;
  other["k3"] = 0.03;
  Json& fisheye = file["frames"][2];
  fisheye["camera_model"] = "OPENCV_FISHEYE";
  fisheye["camera_angle_x"] = 1.5;
  for (const char* key : {"p1", "p2"}) fisheye[key] = 0;
  fisheye["k4"] = 0.004;
  write_transforms(folder.path(), file);
  SceneOptions options;
  options.test_every = 0;
  const auto views = by_number(read_scene(folder.path(), options));
  const Lens lens{LensModel::BrownConrady, {0.1, -0.05, 0.01, 0}, {0.001, -0.002}};
  EXPECT_EQ(views.at(0).intrinsics, (Intrinsics{40, 30, 50, 50, 20, 15, lens}));
  const Lens changed{LensModel::BrownConrady, {0, -0.05, 0.03, 0}, {0.001, -0.002}};
  EXPECT_EQ(views.at(1).intrinsics, (Intrinsics{40, 30, 60, 70, 21, 15, changed}));
  const double focal = 20 / std::tan(0.75);
  EXPECT_EQ(views.at(2).intrinsics,
            (Intrinsics{40, 30, focal, focal, 20, 15, {LensModel::Fisheye, {0.1, -0.05, 0.01, 0.004}, {}}}));
}

TEST(SceneFile, AnglesAndMissingIntrinsics) {
  const TempFolder folder;
  Json file = transforms_json(folder.path(), 2);
  for (const char* key : {"fl_x", "w", "h", "cx", "cy"}) file.erase(key);
  file["camera_angle_x"] = 1.0;
  file["camera_angle_y"] = 0.9;
  file["is_fisheye"] = true;
  file["frames"][1]["fl_x"] = 33;
  write_transforms(folder.path(), file);
  SceneOptions options;
  options.test_every = 0;
  const auto views = by_number(read_scene(folder.path(), options));
  const Lens fisheye{LensModel::Fisheye, {}, {}};
  const double fl_y = 15 / std::tan(0.45);
  EXPECT_EQ(views.at(0).intrinsics, (Intrinsics{40, 30, 20 / std::tan(0.5), fl_y, 20, 15, fisheye}));
  EXPECT_EQ(views.at(1).intrinsics, (Intrinsics{40, 30, 33, fl_y, 20, 15, fisheye}));
}

TEST(SceneFile, NerfstudiosSplits) {
  const TempFolder folder;
  Json file = transforms_json(folder.path(), 6);
  const auto name = [](int n) { return "images/" + picture_name(n) + ".png"; };
  file["train_filenames"] = {name(0), name(2)};
  file["val_filenames"] = {name(1), name(3)};
  file["test_filenames"] = {name(3), name(4)};
  write_transforms(folder.path(), file);
  const Scene scene = read_scene(folder.path());
  const auto views = by_number(scene);
  ASSERT_EQ(views.size(), 5U);
  EXPECT_EQ(views.at(0).split, Split::Train);
  EXPECT_EQ(views.at(1).split, Split::Validation);
  EXPECT_EQ(views.at(2).split, Split::Train);
  EXPECT_EQ(views.at(3).split, Split::Test) << "in both lists";
  EXPECT_EQ(views.at(4).split, Split::Test);
  ASSERT_EQ(scene.warnings.size(), 1U);
  EXPECT_EQ(scene.warnings[0].substr(0, 20), "1 frames are in none");
}

TEST(SceneFile, MasksHaveTwoMeanings) {
  const TempFolder folder;
  Json file = transforms_json(folder.path(), 3);
  file["frames"][0]["mask_path"] = "masks/a.png";
  Image mask(kSceneWidth, kSceneHeight, 1, PixelType::U8);
  std::fill_n(mask.row(3), 40, std::byte{255});
  std::filesystem::create_directories(folder.file("masks"));
  write_image(folder.file("masks/a.png"), mask);
  Image colours(kSceneWidth, kSceneHeight, 3, PixelType::U16);
  const std::array<float, 3> orange = {1, 0.5F, 0};
  colours.write_row(7, 5, 1, orange.data());
  write_image(folder.file("images/dynamic_mask_c_001.png"), colours);
  write_transforms(folder.path(), file);
  const auto views = by_number(read_scene(folder.path()));
  EXPECT_TRUE(views.at(0).mask_keeps_white) << "nerfstudio";
  EXPECT_EQ(read_view_mask(views.at(0)).row(3)[39], std::byte{255});
  EXPECT_EQ(read_view_mask(views.at(0)).row(4)[0], std::byte{0});
  EXPECT_FALSE(views.at(1).mask_keeps_white) << "instant-ngp";
  const Image grey = read_view_mask(views.at(1));
  EXPECT_EQ(grey.n_channels(), 1);
  EXPECT_EQ(grey.type(), PixelType::U16);
  float value = 0;
  grey.read_pixel(7, 5, &value);
  EXPECT_EQ(value, 1);
  grey.read_pixel(8, 5, &value);
  EXPECT_EQ(value, 0);
  EXPECT_EQ(views.at(2).mask_path, "");
  expect_error(ErrorKind::NotFound, "a view with a mask", [&] { read_view_mask(views.at(2)); });
}

TEST(SceneFile, ResizedPicturesScaleTheIntrinsics) {
  const TempFolder folder;
  Json file = transforms_json(folder.path(), 3);
  file["fl_y"] = 52;
  file["cx"] = 22;
  write_picture(folder.file("images/c_001.png"), 20, 15);
  write_picture(folder.file("images/c_002.png"), 13, 10);  // 9.75 rounded
  write_transforms(folder.path(), file);
  const Scene scene = read_scene(folder.path());
  const auto views = by_number(scene);
  EXPECT_EQ(views.at(1).intrinsics, (Intrinsics{20, 15, 25, 26, 11, 7.5, {}}));
  EXPECT_EQ(views.at(2).intrinsics.fl_x, 50 * (13 / 40.0));
  EXPECT_EQ(views.at(2).intrinsics.fl_y, 52 * (10 / 30.0));
  ASSERT_EQ(scene.warnings.size(), 1U);
  EXPECT_EQ(scene.warnings[0].substr(0, 10), "2 pictures");
}

TEST(SceneFile, ScaledRotationsAreMadeOrthonormal) {
  const TempFolder folder;
  Json file = transforms_json(folder.path());
  for (Json& frame : file["frames"]) {
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) {
        frame["transform_matrix"][i][j] = 7 * frame["transform_matrix"][i][j].get<double>() + (i == j ? 1e-3 : 0);
      }
    }
    frame["transform_matrix"].erase(3);  // 3 x 4 is enough
  }
  write_transforms(folder.path(), file);
  const Scene scene = read_scene(folder.path(), in_box(2));
  expect_synthetic_rays(scene, 3e-4);
  for (const View& view : scene.views) {
    const auto& m = view.camera_to_world.matrix;
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) {
        EXPECT_NEAR(m[i][0] * m[j][0] + m[i][1] * m[j][1] + m[i][2] * m[j][2], i == j, 1e-14);
      }
    }
  }
}

TEST(SceneFile, NsvfSplitsIntrinsicsAndBox) {
  const TempFolder folder;
  write_nsvf(folder.path());
  Scene scene = read_scene(folder.path());
  EXPECT_EQ(count(scene, Split::Test), 2U);
  EXPECT_EQ(scene.background, Background::White);
  EXPECT_EQ(scene.scale, 0.25);
  EXPECT_EQ(scene.box_min, (std::array<double, 3>{-0.25, -0.375, -0.5}));
  for (const char* text : {"50. 20. 15. 0.\n0. 0. 0.\n0.\n1.\n30 40\n", "50 20 15\n", "50 0 20\n0 50 15\n0 0 1\n",
                           "50 0 20 0 0 50 15 0 0 0 1 0 0 0 0 1", "5.0e+01 +20 15 0\r\n"}) {
    write_bytes(folder.file("intrinsics.txt"), text);
    EXPECT_EQ(read_scene(folder.path()).views[0].intrinsics, (Intrinsics{40, 30, 50, 50, 20, 15, {}})) << text;
  }
  // SRN's last line: of pictures twice as large.
  write_bytes(folder.file("intrinsics.txt"), "100 40 30 0\n0 0 0\n1\n60 80\n");
  EXPECT_EQ(read_scene(folder.path()).views[0].intrinsics, (Intrinsics{40, 30, 50, 50, 20, 15, {}}));
  write_bytes(folder.file("intrinsics.txt"), "50 20 15\n");
  write_picture(folder.file("rgb/2_c_010.png"));
  write_picture(folder.file("rgb/other.png"));
  write_bytes(folder.file("pose/2_c_010.txt"), nsvf_pose(scene_pose(10)));
  std::filesystem::remove(folder.file("bbox.txt"));
  scene = read_scene(folder.path());
  EXPECT_EQ(count(scene, Split::Train), 8U);
  EXPECT_EQ(count(scene, Split::Validation), 2U);
  EXPECT_EQ(count(scene, Split::Test), 1U);
  EXPECT_EQ(scene.warnings.size(), 2U);
}

TEST(SceneFile, LlffShowsAllBetweenNearAndFar) {
  const TempFolder folder;
  write_llff(folder.path());
  const Scene scene = read_scene(folder.path());
  double largest = 0;
  for (const View& view : scene.views) {
    EXPECT_NEAR(view.near, 0.9 * 2.5 * scene.scale, 1e-12);
    EXPECT_NEAR(view.far, 6.9 * scene.scale, 1e-12);
    for (const double u : {0.0, 40.0}) {
      for (const double v : {0.0, 30.0}) {
        const auto d = pixel_direction(view.intrinsics, u, v);
        for (const double depth : {view.near, view.far}) {
          for (const auto& row : view.camera_to_world.matrix) {
            const double x = row[3] + depth * (row[0] * d[0] + row[1] * d[1] + row[2] * d[2]);
            largest = std::max(largest, std::abs(x));
          }
        }
      }
    }
  }
  EXPECT_NEAR(largest, 0.5, 1e-9);
}

TEST(SceneFile, LlffFactorComesFromThePictures) {
  const TempFolder folder;
  write_bytes(folder.file("poses_bounds.npy"), llff_array(llff_values(2, 8)));
  for (const char* images : {"images_8", "images_16"}) {
    const int divisor = images == std::string("images_8") ? 1 : 2;
    for (int n = 0; n < 2; ++n) {
      write_picture(folder.file(images) + "/" + picture_name(n) + ".png", 40 / divisor, 30 / divisor);
    }
  }
  const Scene scene = read_scene(folder.path());
  EXPECT_EQ(scene.views[0].intrinsics, (Intrinsics{40, 30, 50, 50, 20, 15, {}}));
  EXPECT_TRUE(scene.warnings.empty());
  SceneOptions options;
  options.images = "images_16";
  EXPECT_EQ(read_scene(folder.path(), options).views[0].intrinsics, (Intrinsics{20, 15, 25, 25, 10, 7.5, {}}));
}

TEST(SceneFile, ColmapsLenses) {
  const TempFolder folder;
  write_colmap(folder.path(), false);
  const auto lens_of = [&](const std::string& camera) {
    write_bytes(folder.file("sparse/0/cameras.txt"), "3 " + camera + "\n");
    return read_scene(folder.path()).views[0].intrinsics;
  };
  const LensModel brown = LensModel::BrownConrady;
  EXPECT_EQ(lens_of("PINHOLE 40 30 50 60 20 15"), (Intrinsics{40, 30, 50, 60, 20, 15, {}}));
  EXPECT_EQ(lens_of("SIMPLE_RADIAL 40 30 50 20 15 0.1"),
            (Intrinsics{40, 30, 50, 50, 20, 15, {brown, {0.1, 0, 0, 0}, {}}}));
  EXPECT_EQ(lens_of("RADIAL 40 30 50 20 15 0.1 0.2"),
            (Intrinsics{40, 30, 50, 50, 20, 15, {brown, {0.1, 0.2, 0, 0}, {}}}));
  EXPECT_EQ(lens_of("OPENCV 40 30 50 60 20 15 0.1 0.2 0.3 0.4"),
            (Intrinsics{40, 30, 50, 60, 20, 15, {brown, {0.1, 0.2, 0, 0}, {0.3, 0.4}}}));
  EXPECT_EQ(lens_of("OPENCV_FISHEYE 40 30 50 60 20 15 0.1 0.2 0.3 0.4"),
            (Intrinsics{40, 30, 50, 60, 20, 15, {LensModel::Fisheye, {0.1, 0.2, 0.3, 0.4}, {}}}));
}

TEST(SceneFile, ColmapsPointsMakeTheBox) {
  // 200 points over x in 0..1.99, y half of that, z = 7; and two far outliers.
  std::string text;
  std::string bytes = bytes_of<uint64_t>(202);
  for (int i = 0; i < 202; ++i) {
    const double x = i < 200 ? 0.01 * i : i == 200 ? 1e6 : -1e6;
    const std::array<double, 3> point = {x, x / 2, i < 200 ? 7 : x};
    text += fmt::format("{} {} {} {} 1 2 3 0.5 1 2\n", i, point[0], point[1], point[2]);
    bytes += bytes_of<uint64_t>(static_cast<uint64_t>(i)) + bytes_of(point[0]) + bytes_of(point[1]) +
             bytes_of(point[2]) + "rgb" + bytes_of(0.5) + bytes_of<uint64_t>(1) + "trackdat";
  }
  for (const bool is_binary : {false, true}) {
    const TempFolder folder;
    write_colmap(folder.path(), is_binary);
    write_bytes(folder.file(is_binary ? "sparse/0/points3D.bin" : "sparse/0/points3D.txt"), is_binary ? bytes : text);
    const Scene scene = read_scene(folder.path());
    // The 2 lowest and highest of 202 are left out: x from 0.01 to 1.98, and 0.0985 of room around.
    EXPECT_NEAR(1 / scene.scale, 1.97 * 1.1, 1e-9);
    EXPECT_LT(distance(scene.centre, {0.995, 0.4975, 7}), 1e-9);
    EXPECT_NEAR(scene.box_max[2], 0.05 / 1.1, 1e-9);
  }
}

TEST(SceneFile, NothingIsDecodedButHeaders) {
  const TempFolder folder;
  write_transforms(folder.path(), transforms_json(folder.path(), 2));
  const std::string picture = folder.file("images/c_001.png");
  const std::string whole = read_bytes(picture);
  write_bytes(picture, whole.substr(0, whole.size() - 16));  // no end, and half a checksum of the pixels
  const Scene scene = read_scene(folder.path());
  expect_error(ErrorKind::Format, "c_001.png", [&] { read_view_image(scene.views[1]); });
  write_picture(picture, 10, 10);
  expect_error(ErrorKind::Format, "40x30 as before, got 10x10", [&] { read_view_image(scene.views[1]); });
}

TEST(SceneFile, Lego) {
  const std::string path = shared("nerf_lego_400");
  if (!is_there(path)) GTEST_SKIP() << "no " << path;
  const Scene scene = read_scene(path);
  EXPECT_EQ(scene.format, "blender");
  EXPECT_EQ(count(scene, Split::Train), 100U);
  EXPECT_EQ(count(scene, Split::Test), 50U);
  EXPECT_TRUE(scene.has_alpha);
  EXPECT_EQ(scene.background, Background::White);
  EXPECT_TRUE(scene.warnings.empty());
  std::set<std::string> positions;
  for (const View& view : scene.views) {
    EXPECT_NEAR(view.intrinsics.fl_x, 555.5555, 1e-3);
    EXPECT_EQ(view.intrinsics.fl_y, view.intrinsics.fl_x);
    EXPECT_NEAR(distance(position(view), {}), 4.0311 / 3, 1e-4);
    // The cameras look at the origin: it is in the middle of all pictures.
    const PixelPosition seen = pixel_of_point(view.intrinsics, view.camera_to_world, {0, 0, 0});
    EXPECT_NEAR(seen.u, 200, 0.01);
    EXPECT_NEAR(seen.v, 200, 0.01);
    EXPECT_NEAR(seen.depth, 4.0311 / 3, 1e-4);
    positions.insert(fmt::format("{}", fmt::join(position(view), " ")));
  }
  EXPECT_EQ(positions.size(), 150U);
}

/// Two views agree on where the silhouette's lowest and highest rows are only if poses, axes and scale are right: the
/// opaque pixels' rays must all meet the normalised cube, and each opaque pixel's ray must pass opaque pixels of other
/// views somewhere between near and far.
TEST(SceneFile, LegosSilhouettesMeet) {
  const std::string path = shared("nerf_lego_400");
  if (!is_there(path)) GTEST_SKIP() << "no " << path;
  const Scene scene = read_scene(path);
  std::vector<Image> images;
  constexpr std::size_t kViews = 4;
  for (std::size_t n = 0; n < kViews; ++n) images.push_back(read_view_image(scene.views[n * 20]));
  const auto is_opaque = [&](std::size_t n, const PixelPosition& at) {
    const double u = std::floor(at.u);
    const double v = std::floor(at.v);
    if (!(u >= 0 && v >= 0 && u < 400 && v < 400)) return false;
    std::array<float, 4> rgba{};
    images[n].read_pixel(static_cast<int>(u), static_cast<int>(v), rgba.data());
    return rgba[3] > 0;
  };
  int n_opaque = 0;
  int n_consistent = 0;
  for (int y = 5; y < 400; y += 20) {
    for (int x = 5; x < 400; x += 20) {
      const View& view = scene.views[0];
      if (!is_opaque(0, {x + 0.5, y + 0.5, 1})) continue;
      ++n_opaque;
      const CameraRay ray = ray_of_pixel(view.intrinsics, view.camera_to_world, x + 0.5, y + 0.5);
      for (double t = view.near; t < view.far; t += 0.004) {
        std::array<double, 3> point{};
        for (std::size_t i = 0; i < 3; ++i) point[i] = ray.origin[i] + t * ray.direction[i];
        bool all = true;
        for (std::size_t n = 1; n < kViews; ++n) {
          const View& other = scene.views[n * 20];
          all = all && is_opaque(n, pixel_of_point(other.intrinsics, other.camera_to_world, point));
        }
        if (all && std::abs(point[0]) < 0.5 && std::abs(point[1]) < 0.5 && std::abs(point[2]) < 0.5) {
          ++n_consistent;
          break;
        }
      }
    }
  }
  EXPECT_GT(n_opaque, 80);
  EXPECT_EQ(n_consistent, n_opaque);
}

TEST(SceneFile, Fox) {
  const std::string path = shared("nerf_fox");
  if (!is_there(path)) GTEST_SKIP() << "no " << path;
  const Scene scene = read_scene(path);
  EXPECT_EQ(scene.format, "transforms");
  EXPECT_EQ(scene.views.size(), 50U);
  EXPECT_EQ(count(scene, Split::Test), 7U);
  ASSERT_EQ(scene.warnings.size(), 1U);
  EXPECT_EQ(scene.warnings[0].substr(0, 8), "17 of 67");
  EXPECT_FALSE(scene.has_alpha);
  EXPECT_EQ(scene.background, Background::None);
  const Intrinsics& camera = scene.views[0].intrinsics;
  EXPECT_EQ(camera, (Intrinsics{1080,
                                1920,
                                1375.52,
                                1374.49,
                                554.558,
                                965.268,
                                {LensModel::BrownConrady, {0.0578421, -0.0805099, 0, 0}, {-0.000980296, 0.00015575}}}));
  for (const double u : {0.5, 1079.5}) {
    for (const double v : {0.5, 1919.5}) {
      EXPECT_TRUE(std::isfinite(pixel_direction(camera, u, v)[0])) << "no pixel is beyond the fold";
    }
  }
  EXPECT_NEAR(scene.scale, 0.33 / 4, 1e-12);
  for (const View& view : scene.views) {
    for (const double x : position(view)) EXPECT_LT(std::abs(x), 0.5);
  }
  const Scene present = read_scene(path + "/transforms_present.json");
  EXPECT_TRUE(present.warnings.empty());
  ASSERT_EQ(present.views.size(), 50U);
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(present.views[i].camera_to_world, scene.views[i].camera_to_world);
    EXPECT_EQ(present.views[i].split, scene.views[i].split);
  }
}

TEST(SceneFile, Fern) {
  const std::string path = shared("nerf_llff_fern_8");
  if (!is_there(path)) GTEST_SKIP() << "no " << path;
  const Scene scene = read_scene(path);
  EXPECT_EQ(scene.format, "llff");
  ASSERT_EQ(scene.views.size(), 20U);
  EXPECT_EQ(count(scene, Split::Test), 3U);
  const Intrinsics& camera = scene.views[0].intrinsics;
  EXPECT_EQ(camera.width, 504);
  EXPECT_EQ(camera.height, 378);
  EXPECT_NEAR(camera.fl_x, 3260.526 / 8, 0.01);
  EXPECT_NEAR(camera.fl_y, camera.fl_x, 1e-9);
  for (const View& view : scene.views) {
    EXPECT_GT(view.near, 0);
    EXPECT_GT(view.far, view.near);
    // Forward-facing: all look about the same way, and a point in front of the first is in front of all.
    const PixelPosition seen =
        pixel_of_point(view.intrinsics, view.camera_to_world,
                       {position(scene.views[0])[0] - view.far * scene.views[0].camera_to_world.matrix[0][2],
                        position(scene.views[0])[1] - view.far * scene.views[0].camera_to_world.matrix[1][2],
                        position(scene.views[0])[2] - view.far * scene.views[0].camera_to_world.matrix[2][2]});
    EXPECT_GT(seen.depth, 0.8 * view.far);
    EXPECT_NEAR(seen.u, 252, 200);
    EXPECT_NEAR(seen.v, 189, 200);
  }
}

}  // namespace
}  // namespace loe
