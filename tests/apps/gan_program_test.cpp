// Generators through the program: fit --task gan, resume, render, eval.
#include "io/conditions.h"
#include "run_loe.h"
#include "test_paths.h"

namespace loe::test {
namespace {

using Json = nlohmann::json;

class GanProgram : public LoeTest {
 protected:
  /// Pictures of 20 x 24 pixels, a light square on a coloured ground that differs from picture to picture.
  void write_pictures(const std::string& folder, int n) {
    fs::create_directories(path(folder));
    for (int k = 0; k < n; ++k) {
      Image image(20, 24, 3, PixelType::U8);
      std::vector<float> row(60);
      for (int y = 0; y < 24; ++y) {
        for (int x = 0; x < 20; ++x) {
          const bool is_inside = x > 4 + k % 3 && x < 14 && y > 6 && y < 18;
          row[3 * x] = is_inside ? 0.9F : 0.2F;
          row[3 * x + 1] = is_inside ? 0.8F : 0.1F + 0.01F * static_cast<float>(k);
          row[3 * x + 2] = is_inside ? 0.7F : 0.6F;
        }
        image.write_row(0, y, 20, row.data());
      }
      write_image(path(folder) + "/" + std::to_string(k) + ".png", image);
    }
  }

  std::vector<std::string> fit_words(const std::string& out, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"fit",          "faces",
                                      "--task",       "gan",
                                      "--out",        out,
                                      "--preset",     "none",
                                      "--set",        "data.resolution=16",
                                      "--set",        "model.widths=[16,12,12]",
                                      "--set",        "model.tiles=[[1,1],[2,2],[2,2]]",
                                      "--set",        "model.resolutions=[1,4,16]",
                                      "--set",        "model.n_latents=4",
                                      "--set",        "model.discriminator=[8,8]",
                                      "--set",        "train.n_evaluated=16",
                                      "--batch-size", "4",
                                      "--max-steps",  "12",
                                      "--set",        "train.steps_per_save=4",
                                      "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

TEST_F(GanProgram, TrainsResumesRendersAndEvaluates) {
  write_pictures("faces", 20);
  write_all(path("faces/broken.png"), "no picture");
  const Outcome fit = run(fit_words("run", {"--set", "train.average_decay=0.9", "--set", "train.steps_per_eval=6"}));
  ASSERT_EQ(fit.code, 0) << fit;
  EXPECT_NE(fit.err.find("broken.png"), std::string::npos) << fit;
  const Json result = Json::parse(fit.out);
  EXPECT_EQ(result["n_pictures"], 20);
  EXPECT_EQ(result["resolution"], 16);
  EXPECT_FALSE(result.contains("psnr_db"));
  EXPECT_TRUE(result["distances"]["sliced_wasserstein"].is_number());
  EXPECT_TRUE(result["distances"]["random_frechet"].is_number());
  EXPECT_EQ(result["n_generated"], 16);
  const Image samples = read_image(path("run/samples.png"));
  EXPECT_EQ(samples.width(), 8 * 16);
  EXPECT_EQ(samples.height(), 8 * 16);
  EXPECT_TRUE(fs::exists(path("run/images/step-000000006.png")));
  EXPECT_NE(read_all(path("run/metrics.jsonl")).find("\"discriminator\""), std::string::npos);
  EXPECT_NE(read_all(path("run/metrics.jsonl")).find("eval_sliced_wasserstein"), std::string::npos);

  // A run cut at step 4 and resumed leaves the same parameters.
  fs::create_directories(path("cut/checkpoints"));
  fs::copy(path("run/config.toml"), path("cut/config.toml"));
  fs::copy(path("run/checkpoints/step-000000004.safetensors"), path("cut/checkpoints/step-000000004.safetensors"));
  const Outcome resumed = run({"fit", "--resume", "cut", "--json"});
  ASSERT_EQ(resumed.code, 0) << resumed;
  EXPECT_EQ(read_all(path("cut/model.safetensors")), read_all(path("run/model.safetensors")));

  const Outcome sheet = run({"render", "run", "-o", "sheet.png", "--samples", "5", "--size", "24x20", "--seed", "3"});
  ASSERT_EQ(sheet.code, 0) << sheet;
  EXPECT_EQ(read_image(path("sheet.png")).width(), 3 * 24);
  EXPECT_EQ(read_image(path("sheet.png")).height(), 2 * 20);
  const Outcome walk = run({"render", "run", "-o", "walk.png", "--latent-path", "linear", "--samples", "2", "--frames",
                            "3", "--region", "4,4,8,10"});
  ASSERT_EQ(walk.code, 0) << walk;
  EXPECT_EQ(read_image(path("walk.png")).width(), 3 * 8);
  EXPECT_EQ(read_image(path("walk.png")).height(), 2 * 10);
  const Outcome video =
      run({"render", "run", "-o", "walk.mp4", "--latent-path", "spherical", "--samples", "4", "--frames", "6"});
  ASSERT_EQ(video.code, 0) << video;
  const Json info = Json::parse(run({"info", "walk.mp4", "--json"}).out);
  EXPECT_EQ(info["n_frames"], 6);

  const Outcome eval = run({"eval", "run", "--json"});
  ASSERT_EQ(eval.code, 0) << eval;
  EXPECT_EQ(Json::parse(eval.out)["distances"], result["distances"]);
  const Outcome text = run({"eval", "run"});
  EXPECT_NE(text.out.find("not FID"), std::string::npos) << text;
  EXPECT_NE(run({"info", "run/model.safetensors"}).out.find("+ blocks.0.1"), std::string::npos);
  // A network of the user's makes it FID: here one whose features are means of the colours.
  const std::string onnx = std::string(kConfigs) + "/../tests/io/onnx/mean.onnx";
  const std::vector<std::string> fid = {"eval",       "run", "--json",           "--fid-network",    onnx,
                                        "--fid-size", "4",   "--fid-statistics", "faces.safetensors"};
  const Outcome first = run(fid);
  if (first.err.find("libopencv") == std::string::npos) {
    ASSERT_EQ(first.code, 0) << first;
    EXPECT_GE(Json::parse(first.out)["distances"]["fid"], 0);
    EXPECT_TRUE(fs::exists(path("faces.safetensors")));
    EXPECT_EQ(Json::parse(run(fid).out)["distances"]["fid"], Json::parse(first.out)["distances"]["fid"]);
    fs::remove(path("faces/broken.png"));  // its warning is a line too
    std::vector<std::string> other = fid;
    other.insert(other.end(), {"--fid-range", "0,1"});
    expect_failure(run(other), 2, {"faces.safetensors"});
  }
  expect_failure(run({"eval", "run", "--fid-size", "64"}), 2, {"--fid-network"});
}

TEST_F(GanProgram, BadInputIsOneLine) {
  expect_failure(run({"fit", "faces", "--task", "gan"}), 1, {"faces", "folder"});
  write_pictures("faces", 3);
  expect_failure(run(fit_words("run")), 2, {"faces", "16"});
  EXPECT_FALSE(fs::exists(path("run")));
  write_pictures("faces", 17);
  expect_failure(run(fit_words("run", {"--until", "30dB"})), 2, {"train.until_psnr_db"});
  expect_failure(run(fit_words("run", {"--set", "data.crop=[0,0,4,4]"})), 2, {"data.crop"});
  const Outcome fit = run(fit_words("run"));
  ASSERT_EQ(fit.code, 0) << fit;
  expect_failure(run({"render", "run", "-o", "x.png", "--latent-path", "zigzag"}), 2, {"linear", "spherical"});
  expect_failure(run({"render", "run", "-o", "x.png", "--samples", "0"}), 2, {"--samples"});
  expect_failure(run({"render", "run", "-o", "x.png", "--camera-path", "orbit"}), 2, {"--camera-path"});
  expect_failure(run({"render", "run", "-o", "x.png", "--frames", "3"}), 2, {"--frames"});
  EXPECT_FALSE(fs::exists(path("x.png")));
  make_picture("p.png");
  const Outcome picture = run({"fit", "p.png", "--out", "q", "--max-steps", "2", "-q"});
  ASSERT_EQ(picture.code, 0) << picture;
  expect_failure(run({"render", "q", "-o", "x.png", "--samples", "4"}), 2, {"--samples"});
  // Another set of pictures is another run.
  fs::remove(path("faces/1.png"));
  expect_failure(run({"fit", "--resume", "run", "--set", "train.steps_per_log=1"}), 1, {"checkpoint of this config"});
}

}  // namespace
}  // namespace loe::test
