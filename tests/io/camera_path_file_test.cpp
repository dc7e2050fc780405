// Key poses of camera paths, from a JSON file.
#include "io/scene_test_helpers.h"

namespace loe {
namespace {

class CameraPathFile : public testing::Test {
 protected:
  std::vector<Pose> read(const Json& file) {
    write_bytes(path_, file.dump());
    return read_camera_path(path_, {1, 2, 3}, 0.25);
  }
  void refused(const std::string& part, const Json& file) {
    SCOPED_TRACE(part);
    expect_error(ErrorKind::Format, part, [&] { read(file); });
  }
  void refused_text(const std::string& part, const std::string& text) {
    SCOPED_TRACE(part);
    write_bytes(path_, text);
    expect_error(ErrorKind::Format, part, [&] { read_camera_path(path_, {0, 0, 0}, 1); });
  }
  Json keys(const std::function<void(Json& frame)>& change = [](Json&) {}) {
    Json file;
    for (int n = 0; n < 3; ++n) file["frames"].push_back({{"transform_matrix", matrix_json(scene_pose(n))}});
    change(file["frames"][1]);
    return file;
  }

  TempFolder folder_;
  std::string path_ = folder_.file("tour.json");
};

TEST_F(CameraPathFile, PosesAreMadeNormalised) {
  const std::vector<Pose> poses = read(keys());
  ASSERT_EQ(poses.size(), 3U);
  const std::array<double, 3> centre = {1, 2, 3};
  for (int n = 0; n < 3; ++n) {
    const Pose world = scene_pose(n);
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) {
        EXPECT_NEAR(poses[static_cast<std::size_t>(n)].matrix[i][j], world.matrix[i][j], 1e-12);
      }
      EXPECT_NEAR(poses[static_cast<std::size_t>(n)].matrix[i][3], (world.matrix[i][3] - centre[i]) / 4, 1e-12);
    }
  }
}

TEST_F(CameraPathFile, TheFileOfASceneIsATour) {
  Json file = transforms_json(folder_.path());  // with lens and pictures, which say nothing here
  file["camera_model"] = "EQUIRECTANGULAR";
  EXPECT_EQ(read(file).size(), std::size_t{kSceneViews});
  const auto three_rows = [](Json& frame) { frame["transform_matrix"].erase(3); };
  EXPECT_EQ(read(keys(three_rows)).size(), 3U);
}

TEST_F(CameraPathFile, HostileText) {
  refused_text("expected", "");
  refused_text("expected", "{\"frames\": [");
  refused_text("a JSON object", "[1, 2]");
  refused_text("expected", "{\"frames\": " + std::string(100, '[') + std::string(100, ']') + "}");
  refused_text("expected", std::string("{\"frames\": \0}", 13));
  refused_text("expected", "\x89PNG\r\n\x1a\n");
  expect_error(ErrorKind::NotFound, "none.json", [&] { read_camera_path(folder_.file("none.json"), {0, 0, 0}, 1); });
}

TEST_F(CameraPathFile, HostileFields) {
  refused("tour.json: frames: expected a list of at least one frame", Json::object());
  refused("frames: expected a list", {{"frames", Json::array()}});
  refused("frames: expected a list", {{"frames", {{"transform_matrix", 1}}}});
  refused("frames[0]: expected an object", {{"frames", {1, 2}}});
  refused("frames[1].transform_matrix: expected 4 rows", keys([](Json& f) { f = Json::object(); }));
  refused("frames[1].transform_matrix: expected 4 rows", keys([](Json& f) { f["transform_matrix"] = "x"; }));
  refused("transform_matrix[2]: expected 4 numbers", keys([](Json& f) { f["transform_matrix"][2] = {1, 2, 3}; }));
  refused("transform_matrix[0][1]: expected a finite number", keys([](Json& f) { f["transform_matrix"][0][1] = "1"; }));
  refused("transform_matrix[3]: expected 0, 0, 0, 1", keys([](Json& f) { f["transform_matrix"][3][0] = 1; }));
  refused("mirrors", keys([](Json& f) {
            for (int i = 0; i < 3; ++i) f["transform_matrix"][i][0] = -f["transform_matrix"][i][0].get<double>();
          }));
  refused("without an inverse", keys([](Json& f) {
            for (int i = 0; i < 3; ++i) f["transform_matrix"][i][0] = 0;
          }));
  refused("frames[1].transform_matrix: expected a camera within",
          keys([](Json& f) { f["transform_matrix"][1][3] = 1e9; }));
  refused("frames[1].transform_matrix", keys([](Json& f) { f["transform_matrix"][1][3] = 1e300; }));
}

}  // namespace
}  // namespace loe
