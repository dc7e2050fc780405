// Generators through the program: fit --task gan, resume, render, eval.
#include "io/conditions.h"
#include "run_loe.h"

namespace loe::test {
namespace {

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
  EXPECT_NE(run({"info", "run"}).out.find("gan"), std::string::npos);
}

TEST_F(GanProgram, BadInputIsOneLine) {
  expect_failure(run({"fit", "faces", "--task", "gan"}), 1, {"faces", "folder"});
  write_pictures("faces", 3);
  expect_failure(run(fit_words("run")), 1, {"faces", "16"});
  EXPECT_FALSE(fs::exists(path("run")));
  write_pictures("faces", 16);
  expect_failure(run(fit_words("run", {"--until", "30dB"})), 1, {"train.until_psnr_db"});
  expect_failure(run(fit_words("run", {"--set", "data.crop=[0,0,4,4]"})), 1, {"data.crop"});
  const Outcome fit = run(fit_words("run"));
  ASSERT_EQ(fit.code, 0) << fit;
  expect_failure(run({"render", "run", "-o", "x.png", "--latent-path", "zigzag"}), 1, {"linear", "spherical"});
  expect_failure(run({"render", "run", "-o", "x.png", "--samples", "0"}), 1, {"--samples"});
  expect_failure(run({"render", "run", "-o", "x.png", "--camera-path", "orbit"}), 1, {"--camera-path"});
  expect_failure(run({"render", "run", "-o", "x.png", "--frames", "3"}), 1, {"--frames"});
  EXPECT_FALSE(fs::exists(path("x.png")));
  write_picture(path("p.png"));
  const Outcome picture = run({"fit", "p.png", "--out", "q", "--max-steps", "2", "-q"});
  ASSERT_EQ(picture.code, 0) << picture;
  expect_failure(run({"render", "q", "-o", "x.png", "--samples", "4"}), 1, {"--samples"});
  // Another set of pictures is another run.
  fs::remove(path("faces/1.png"));
  expect_failure(run({"fit", "--resume", "run", "--set", "train.steps_per_log=1"}), 1, {"checkpoint of this config"});
}

}  // namespace
}  // namespace loe::test
