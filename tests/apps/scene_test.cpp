// Scenes through the program: `loe info`.
#include "io/scene_test_helpers.h"
#include "run_loe.h"

namespace loe::test {
namespace {

class SceneCommand : public LoeTest {};

TEST_F(SceneCommand, InfoDescribesAScene) {
  Json file = transforms_json(path("scene"));
  file["frames"][2]["fl_x"] = 55;
  file["k1"] = 0.125;
  file["frames"].push_back(frame_json(0, "images/absent.png"));
  write_transforms(path("scene"), file);
  const Outcome outcome = run({"info", "scene", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const Json info = Json::parse(outcome.out);
  EXPECT_EQ(info["kind"], "scene");
  EXPECT_EQ(info["format"], "transforms");
  EXPECT_EQ(info["views"], (Json{{"train", 8}, {"test", 2}}));
  EXPECT_EQ(info["width"], 40);
  EXPECT_EQ(info["focal_x"], (Json{50, 55}));
  EXPECT_EQ(info["lens"], (Json{{"model", "brown_conrady"}, {"k1", 0.125}}));
  EXPECT_EQ(info["alpha"], false);
  EXPECT_EQ(info["warnings"].size(), 1U);
  const Outcome text = run({"info", "scene"});
  EXPECT_NE(text.out.find("1 of 11 listed pictures are not there"), std::string::npos) << text;
}

TEST_F(SceneCommand, CamerasAreDrawnInTheColourOfTheirSplit) {
  write_blender(path("scene"), 4);
  const Outcome outcome = run({"info", "scene", "--cameras", "cameras.png"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const Image picture = read_image(path("cameras.png"));
  ASSERT_EQ(picture.width(), 1024);
  ASSERT_EQ(picture.height(), 512);
  // Camera 1, which trains, from above and from the side; the picture's edge is at 1.08 times the largest coordinate.
  double extent = 0;
  for (int n = 0; n < kSceneViews; ++n) {
    const Pose pose = scene_pose(n);
    for (const auto& row : pose.matrix) extent = std::max(extent, 1.08 * std::abs(row[3]) / 3);
  }
  const auto color_at = [&](int n, int half) {
    const Pose pose = scene_pose(n);
    const double x = 256 + 256 * pose.matrix[0][3] / 3 / extent;
    const double y = 256 - 256 * pose.matrix[half == 0 ? 1 : 2][3] / 3 / extent;
    const std::byte* pixel = picture.row(static_cast<int>(y)) + 3 * (512 * half + static_cast<int>(x));
    return std::array{static_cast<int>(pixel[0]), static_cast<int>(pixel[1]), static_cast<int>(pixel[2])};
  };
  for (const int half : {0, 1}) {
    EXPECT_EQ(color_at(1, half), (std::array{31, 78, 140}));
    EXPECT_EQ(color_at(8, half), (std::array{200, 50, 40}));
  }
  write_picture(path("p.png"));
  expect_failure(run({"info", "p.png", "--cameras", "x.png"}), 1, {"[scene] p.png", "transforms.json"});
  expect_failure(run({"info", "--cameras", "x.png"}), 1, {"[scene]"});
}

}  // namespace
}  // namespace loe::test
