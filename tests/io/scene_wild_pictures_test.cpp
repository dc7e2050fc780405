// Pictures and masks of scenes as people bring them: turned, cut out, of several kinds.
#include <limits>
#include <map>

#include "io/scene_wild_helpers.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

TEST(SceneWild, CamerasBelongToStoredPixels) {
  // A phone's portrait: 40 x 30 stored, 30 x 40 shown. COLMAP and what stands on it see what is stored.
  for (const int orientation : {3, 6, 8}) {
    SCOPED_TRACE(orientation);
    const auto turn = [&](const std::string& folder, int width, int height) {
      for (int n = 0; n < kSceneViews; ++n) {
        write_turned(folder + "/images/" + picture_name(n) + ".jpg", width, height, orientation);
        fs::rename(folder + "/images/" + picture_name(n) + ".jpg", folder + "/images/" + picture_name(n) + ".png");
      }
    };
    const std::map<std::string, std::function<void(const std::string&)>> writers = {
        {"transforms", [](const std::string& folder) { write_transforms(folder, transforms_json(folder)); }},
        {"llff", write_llff},
        {"colmap", [](const std::string& folder) { write_colmap(folder, true); }}};
    for (const auto& [name, write] : writers) {
      SCOPED_TRACE(name);
      const TempFolder folder;
      write(folder.path());
      turn(folder.path(), kSceneWidth, kSceneHeight);
      const Scene scene = read_scene(folder.path());
      ASSERT_EQ(scene.warnings.size(), 1U);
      EXPECT_EQ(scene.warnings[0].substr(0, scene.warnings[0].rfind("c_")),
                "10 pictures carry an EXIF orientation, which is not applied: cameras of a " + name +
                    " scene belong to the stored pixels, first ");
      EXPECT_EQ(scene.views[0].intrinsics.width, kSceneWidth);
      const Image image = read_view_image(scene.views[0]);
      ASSERT_EQ(image.width(), kSceneWidth);
      EXPECT_NEAR(std::to_integer<int>(image.row(0)[3 * 10]), 10, 6);
      EXPECT_NEAR(std::to_integer<int>(image.row(20)[3 * 5]), 105, 6);
    }
    // Stated sizes that only the turned pictures have: those were seen.
    const TempFolder folder;
    write_colmap(folder.path(), true);
    turn(folder.path(), kSceneHeight, kSceneWidth);
    if (orientation == 3) {
      expect_error(ErrorKind::Format, "swap the width and height", [&] { read_scene(folder.path()); });
      continue;
    }
    const Scene scene = read_scene(folder.path());
    ASSERT_EQ(scene.warnings.size(), 1U);
    EXPECT_NE(scene.warnings[0].find("10 pictures are turned by their EXIF orientation"), std::string::npos);
    EXPECT_TRUE(scene.views[0].is_turned);
    EXPECT_EQ(read_view_image(scene.views[0]).width(), kSceneWidth);
  }
}

TEST(SceneWild, MasksOfColmap) {
  for (const std::string ending : {".png.png", ".png"}) {
    SCOPED_TRACE(ending);
    const TempFolder folder;
    write_colmap(folder.path(), true);
    for (int n = 0; n < kSceneViews - 1; ++n) {
      Image mask(kSceneWidth, kSceneHeight, 1, PixelType::U8);
      mask.row(n)[2] = std::byte{255};
      fs::create_directories(folder.file("masks"));
      write_image(folder.file("masks/" + picture_name(n) + ending), mask);
    }
    const Scene scene = read_scene(folder.path());
    EXPECT_TRUE(scene.warnings.empty());
    EXPECT_NE(joined(scene.notes).find("masks of 9 of 10 pictures in"), std::string::npos) << joined(scene.notes);
    EXPECT_EQ(read_view_mask(scene.views[4]).row(4)[2], std::byte{255});
    EXPECT_EQ(read_view_mask(scene.views[4]).row(5)[2], std::byte{0});
    EXPECT_TRUE(scene.views[4].mask_keeps_white);
    EXPECT_EQ(scene.views[9].mask_path, "");
  }
  const TempFolder folder;
  write_colmap(folder.path(), true);
  write_picture(folder.file("masks/other.png"));
  const Scene scene = read_scene(folder.path());
  ASSERT_EQ(scene.warnings.size(), 1U);
  EXPECT_NE(scene.warnings[0].find("masks is not used: no file in it is named as a picture"), std::string::npos);
}

TEST(SceneWild, MasksOfAnotherSizeAndInAlpha) {
  const TempFolder folder;
  write_transforms_named(folder.path(), in_images, [](Json& file) {
    file["frames"][0]["mask_path"] = "small.png";
    file["frames"][1]["mask_path"] = "alpha.png";
    file["frames"][2]["mask_path"] = "colours.png";
  });
  Image small(kSceneWidth / 2, kSceneHeight / 2, 1, PixelType::U8);
  small.row(3)[4] = std::byte{255};
  write_image(folder.file("small.png"), small);
  // Cut out: white everywhere, and what counts in alpha. With colours that differ, those count.
  Image alpha(kSceneWidth, kSceneHeight, 4, PixelType::U8);
  std::fill_n(alpha.row(0), alpha.n_bytes(), std::byte{255});
  alpha.row(5)[4 * 6 + 3] = std::byte{0};
  write_image(folder.file("alpha.png"), alpha);
  alpha.row(9)[4 * 9] = std::byte{0};
  write_image(folder.file("colours.png"), alpha);
  const Scene scene = read_scene(folder.path());
  ASSERT_EQ(scene.warnings.size(), 1U);
  EXPECT_EQ(scene.warnings[0], "1 masks are of another size than their pictures and are resized, first small.png");
  const Image resized = read_view_mask(scene.views[0]);
  ASSERT_EQ(resized.width(), kSceneWidth);
  EXPECT_GT(std::to_integer<int>(resized.row(6)[8]), 127);
  EXPECT_EQ(resized.row(6)[11], std::byte{0});
  const Image cut = read_view_mask(scene.views[1]);
  EXPECT_EQ(cut.row(5)[6], std::byte{0});
  EXPECT_EQ(cut.row(5)[7], std::byte{255});
  const Image colours = read_view_mask(scene.views[2]);
  EXPECT_EQ(colours.row(5)[6], std::byte{255});
  EXPECT_EQ(colours.row(9)[9], std::byte{0});
}

TEST(SceneWild, PixelsWithoutValuesAreMasked) {
  const TempFolder folder;
  write_transforms_named(
      folder.path(), [](int n) { return "images/" + picture_name(n) + ".exr"; },
      [](Json& file) { file["frames"][1]["mask_path"] = "mask.png"; });
  Image mask(kSceneWidth, kSceneHeight, 1, PixelType::U8);
  const float white = 1;
  for (const int x : {2, 3, 7}) mask.write_row(x, 5, 1, &white);
  write_image(folder.file("mask.png"), mask);
  const float none[] = {1, std::numeric_limits<float>::quiet_NaN(), 4};
  const float seen[] = {8, 8, 8};
  for (int n = 0; n < 4; ++n) {
    Image image(kSceneWidth, kSceneHeight, 3, PixelType::F16);
    for (const int x : {2, 3}) image.write_row(x, 5, 1, n < 2 ? none : seen);
    write_image(folder.file("images/" + picture_name(n) + ".exr"), image);
  }
  const ScenePictures pictures = read_scene_pictures(read_scene(folder.path()), 0, 0, [](double) {});
  ASSERT_EQ(pictures.scene.warnings.size(), 1U);
  EXPECT_EQ(pictures.scene.warnings[0].find("4 pixels of the pictures have no values (NaN)"), 0U);
  EXPECT_EQ(pictures.masks[0].row(5)[2], std::byte{0});
  EXPECT_EQ(pictures.masks[0].row(5)[4], std::byte{255});
  EXPECT_TRUE(pictures.scene.views[0].mask_keeps_white);
  EXPECT_EQ(pictures.masks[1].row(5)[3], std::byte{0});
  EXPECT_EQ(pictures.masks[1].row(5)[7], std::byte{255});
  EXPECT_EQ(pictures.masks[1].row(5)[8], std::byte{0});
  EXPECT_EQ(pictures.masks[2].width(), 0);
  float filled[3];
  pictures.images[0].read_pixel(2, 5, filled);
  EXPECT_EQ(filled[1], 0) << "as its neighbours";
  EXPECT_EQ(pictures.range, (std::array<double, 2>{0, 8}));
}

TEST(SceneWild, PicturesWithAlphaBesideOthersCountAsOpaque) {
  const TempFolder folder;
  write_transforms_named(folder.path(), in_images);
  write_picture(folder.file(in_images(1)), kSceneWidth, kSceneHeight, 4);
  const Scene scene = read_scene(folder.path());
  EXPECT_TRUE(scene.has_alpha);
  ASSERT_EQ(scene.warnings.size(), 1U);
  EXPECT_EQ(scene.warnings[0],
            "3 of 4 pictures have no alpha, which the others have: they count as opaque, first c_000.png");
  EXPECT_NE(joined(scene.notes).find("they are meant over white"), std::string::npos);
  const ScenePictures pictures = read_scene_pictures(scene, 0, 0, [](double) {});
  EXPECT_EQ(pictures.images[0].n_channels(), 3);
  EXPECT_EQ(pictures.images[1].n_channels(), 4);
}

}  // namespace
}  // namespace loe
