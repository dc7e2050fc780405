// `loe fit`: the run folder it leaves, the order of settings, what it prints.
#include <cstdlib>

#include "apps/run_loe.h"
#include "loe/backend/backend.h"
#include "loe/io/config_file.h"
#include "loe/io/model_file.h"

namespace loe::test {
namespace {

using Fit = LoeTest;

TEST_F(Fit, LeavesACompleteRunFolder) {
  const Outcome outcome = run({"fit", make_picture(), "--max-steps", "40", "--steps-per-save", "20", "--steps-per-eval",
                               "15", "--out", "run", "--progress", "plain"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  for (const char* name : {"config.toml", "environment.json", "log.txt", "metrics.jsonl", "result.json",
                           "model.safetensors", "reconstruction.png", "error.png",
                           "checkpoints/step-000000020.safetensors", "checkpoints/step-000000040.safetensors",
                           "checkpoints/best.safetensors", "images/step-000000015.png", "error/step-000000030.png"}) {
    EXPECT_TRUE(fs::is_regular_file(folder_ / "run" / name)) << name;
  }
  EXPECT_EQ(fs::read_symlink(folder_ / "run/checkpoints/last.safetensors"), "step-000000040.safetensors");
  EXPECT_TRUE(temporary_files().empty());
  EXPECT_NE(outcome.out.find("PSNR"), std::string::npos) << outcome;
  EXPECT_NE(outcome.out.find("run/reconstruction.png"), std::string::npos) << outcome;
  EXPECT_NE(outcome.err.find("step 40/40"), std::string::npos) << outcome;

  const nlohmann::json result = read_json("run/result.json");
  for (const char* key : {"psnr_db", "ssim", "ssim_gaussian", "n_params", "macs_per_sample", "steps", "seconds",
                          "precision", "device", "threads", "seed", "commit", "stop_reason", "kernels"}) {
    EXPECT_TRUE(result.contains(key)) << key;
  }
  EXPECT_EQ(result["steps"], 40);
  EXPECT_EQ(result["stop_reason"], "max_steps");
  const Model model = read_model(path("run/model.safetensors"));
  EXPECT_EQ(model.spec.n_params(), result["n_params"].get<int64_t>());
  EXPECT_EQ(model.signal.width, 32);
  EXPECT_EQ(model.signal.height, 24);
  const ImageFileInfo info = read_image_info(path("run/reconstruction.png"));
  EXPECT_EQ(info.width, 32);
  EXPECT_EQ(info.height, 24);
  EXPECT_EQ(info.n_channels, 3);
}

TEST_F(Fit, LearnsThePicture) {
  const Outcome outcome = run({"fit", make_picture(), "--max-steps", "500", "--out", "run", "--json", "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_EQ(outcome.err, "");
  const nlohmann::json result = nlohmann::json::parse(outcome.out);  // one document and nothing else
  // 8,000 parameters for 2,304 numbers, smooth but for a checkerboard on the grid; a constant picture has 11 dB.
  EXPECT_GT(result["psnr_db"].get<double>(), 30) << outcome;
  EXPECT_EQ(result, read_json("run/result.json"));
}

TEST_F(Fit, EvalEditsTheRunsPictureAsTheFitDid) {
  // Cut and enlarged back to the picture's own size: only the config tells the two apart.
  const Outcome outcome = run({"fit", make_picture(), "--max-steps", "30", "--out", "run", "--json", "-q", "--set",
                               "data.crop=[0, 0, 16, 12]", "--set", "data.size=[32, 24]"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const Outcome check = run({"eval", "run", "--json", "-q"});
  ASSERT_EQ(check.code, 0) << check;
  EXPECT_EQ(nlohmann::json::parse(check.out)["psnr_db"], nlohmann::json::parse(outcome.out)["psnr_db"]);
}

TEST_F(Fit, ProgressAsJsonLines) {
  const Outcome outcome = run({"fit", make_picture(), "--max-steps", "30", "--steps-per-log", "10", "--steps-per-eval",
                               "15", "--progress", "json", "--out", "run", "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  std::istringstream lines(outcome.out);
  std::vector<nlohmann::json> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(objects.size(), 6U) << outcome;  // steps 10, eval 15, 20, 30, eval 30, result
  EXPECT_EQ(objects[0]["event"], "progress");
  EXPECT_EQ(objects[0]["step"], 10);
  EXPECT_EQ(objects[1]["event"], "eval");
  EXPECT_EQ(objects[1]["step"], 15);
  EXPECT_TRUE(objects[5].contains("ssim_gaussian"));
}

TEST_F(Fit, Bf16ReportsBothPrecisions) {
  const Outcome outcome =
      run({"fit", make_picture(), "--max-steps", "60", "--precision", "bf16", "--out", "run", "-q", "--json"});
  if (outcome.code == 1 && outcome.err.find("bf16") != std::string::npos) {
    GTEST_SKIP() << "this machine's backend has no bf16: " << outcome.err;
  }
  ASSERT_EQ(outcome.code, 0) << outcome;
  const nlohmann::json result = nlohmann::json::parse(outcome.out);
  ASSERT_TRUE(result.contains("psnr_db_bf16"));
  const Outcome check = run({"eval", "run", "--json", "--precision", "f32"});
  ASSERT_EQ(check.code, 0) << check;
  // The headline is the f32 evaluation, exactly.
  EXPECT_EQ(nlohmann::json::parse(check.out)["psnr_db"], result["psnr_db"]);
}

TEST_F(Fit, ChoosesAPrecisionThatTheRunKeeps) {
  const std::vector<std::string> wide = {"--preset",    "none",
                                         "--set",       "model.widths=[64, 64]",
                                         "--set",       "model.tiles=2",
                                         "--set",       "model.resolutions=[2, 8]",
                                         "--max-steps", "4"};
  std::vector<std::string> arguments = {
      "fit", make_picture(), "--steps-per-save", "2", "--precision", "auto", "--progress", "plain", "--out", "run"};
  arguments.insert(arguments.end(), wide.begin(), wide.end());
  const Outcome outcome = run(arguments);
  ASSERT_EQ(outcome.code, 0) << outcome;
  const std::string isa = std::getenv("LOE_ISA") != nullptr ? std::getenv("LOE_ISA") : cpu_backend().isas().front();
  const std::string expected = isa == "amx" || isa == "avx512bf16" ? "mixed" : "f32";
  EXPECT_NE(outcome.err.find("precision " + expected + ": "), std::string::npos) << outcome;
  EXPECT_EQ(read_config(path("run/config.toml")).get_string("train.precision", ""), expected);
  EXPECT_EQ(read_json("run/environment.json")["precision"], expected);
  EXPECT_NE(read_json("run/environment.json")["precision_reason"], "");

  // A run that began otherwise, on another processor say, goes on as it began.
  arguments[9] = "other";
  arguments[5] = "bf16";
  ASSERT_EQ(run(arguments).code, 0);
  fs::remove(path("other/result.json"));
  fs::remove(path("other/checkpoints/step-000000004.safetensors"));
  const Outcome resumed = run({"fit", "--resume", "other", "--precision", "auto", "--json", "-q"});
  ASSERT_EQ(resumed.code, 0) << resumed;
  EXPECT_EQ(nlohmann::json::parse(resumed.out)["precision"], "bf16");
}

TEST_F(Fit, LaterSettingsWin) {
  write_all(path("c.toml"), "preset = \"toy\"\n[train]\nmax_steps = 7\nlearning_rate = 0.25\nseed = 3\n");
  const Outcome outcome =
      run({"fit", make_picture(), "--config", "c.toml", "--set", "train.learning_rate=0.125", "--set",
           "train.max_steps=6", "--max-steps", "2", "--set", "model.widths=[8,8,8,8,8,8,8,8,8]", "--out", "run", "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const Settings config = read_config(path("run/config.toml"));
  EXPECT_EQ(config.get_int("train.max_steps", 0, 0, 100), 2);           // flag over --set over file
  EXPECT_EQ(config.get_double("train.learning_rate", 0, 0, 1), 0.125);  // --set over file over preset
  EXPECT_EQ(config.get_int("train.seed", 0, 0, 100), 3);                // file over default
  EXPECT_EQ(config.get_string("data.sampling", ""), "all_pixels");      // preset over default
  EXPECT_EQ(config.get_string("preset", ""), "toy");
}

TEST_F(Fit, ItsConfigIsAcceptedBack) {
  ASSERT_EQ(run({"fit", make_picture(), "--max-steps", "20", "--out", "a", "-q"}).code, 0);
  const Outcome outcome = run({"fit", "--config", "a/config.toml", "--out", "b", "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_EQ(read_all(folder_ / "a/config.toml"), read_all(folder_ / "b/config.toml"));
  EXPECT_EQ(read_all(folder_ / "a/model.safetensors"), read_all(folder_ / "b/model.safetensors"));
}

TEST_F(Fit, NewFolderEachTimeAndForceKeepsTheOldRun) {
  const std::string picture = make_picture();
  ASSERT_EQ(run({"fit", picture, "--max-steps", "2", "--name", "x", "-q"}).code, 0);
  ASSERT_EQ(run({"fit", picture, "--max-steps", "2", "--name", "x", "-q"}).code, 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "runs"), fs::directory_iterator()), 2);
  ASSERT_EQ(run({"fit", picture, "--max-steps", "2", "--out", "run", "-q"}).code, 0);
  write_all(path("run/notes.txt"), "mine");
  expect_failure(run({"fit", picture, "--max-steps", "2", "--out", "run", "-q"}), 2, {"run", "--force", "--resume"});
  const std::string before = read_all(folder_ / "run/result.json");
  ASSERT_EQ(run({"fit", picture, "--max-steps", "3", "--out", "run", "--force", "-q"}).code, 0);
  EXPECT_EQ(read_all(folder_ / "run/previous-1/result.json"), before);
  EXPECT_TRUE(fs::exists(folder_ / "run/previous-1/checkpoints/step-000000002.safetensors"));
  EXPECT_EQ(read_all(folder_ / "run/notes.txt"), "mine");
  EXPECT_EQ(read_json("run/result.json")["steps"], 3);
}

TEST_F(Fit, DryRunWritesNothing) {
  const std::string picture = make_picture();
  const Outcome outcome = run({"fit", picture, "--dry-run", "--json", "--params", "9k", "--max-steps", "100"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const nlohmann::json result = nlohmann::json::parse(outcome.out);
  EXPECT_GT(result["seconds_per_step"].get<double>(), 0);
  EXPECT_LE(result["n_params"].get<int64_t>(), 9000);
  EXPECT_GT(result["n_params"].get<int64_t>(), 4500) << "a budget should be used";
  EXPECT_NEAR(result["total_seconds"].get<double>(), 100 * result["seconds_per_step"].get<double>(), 1e-9);
  EXPECT_FALSE(fs::exists(folder_ / "runs"));
}

TEST_F(Fit, AutoTakesPicturesOfAnyShape) {
  struct Case {
    int width;
    int height;
  };
  for (const Case& c : {Case{1, 1}, Case{7, 5}, Case{1, 10000}}) {
    for (const char* model : {"best", "experts"}) {
      SCOPED_TRACE(testing::Message() << c.width << "x" << c.height << ", " << model);
      const std::string picture = make_picture("shape.png", c.width, c.height);
      const Outcome outcome =
          run({"fit", picture, "--model", model, "--max-steps", "3", "--out", "run", "--force", "--json"});
      ASSERT_EQ(outcome.code, 0) << outcome;
      const nlohmann::json result = nlohmann::json::parse(outcome.out);
      EXPECT_EQ(result["steps"], 3);
      EXPECT_GT(result["psnr_db"].get<double>(), 0);
      const Image back = read_image(path("run/reconstruction.png"));
      EXPECT_EQ(back.width(), c.width);
      EXPECT_EQ(back.height(), c.height);
    }
  }
  // 600 megapixels: a header, and zeros that take no room on the disk.
  write_all(path("large.pgm"), "P5\n30000 20000\n255\n");
  fs::resize_file(path("large.pgm"), fs::file_size(path("large.pgm")) + 600'000'000);
  for (const char* model : {"best", "experts"}) {
    const Outcome outcome =
        run({"fit", "large.pgm", "--model", model, "--params", "2M", "--max-seconds", "60", "--dry-run", "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome;
    const nlohmann::json result = nlohmann::json::parse(outcome.out);
    EXPECT_EQ(result["picture_bytes"], 600'000'000);
    EXPECT_GT(result["n_params"], 1'000'000);
    EXPECT_LE(result["n_params"], 2'000'000);
    EXPECT_LE(result["total_seconds"].get<double>(), 60);
  }
}

TEST_F(Fit, StopsAtTheTargetAndAtTheTime) {
  const std::string picture = make_picture();
  Outcome outcome = run({"fit", picture, "--until", "14dB", "--max-steps", "100000", "--out", "a", "-q", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  nlohmann::json result = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(result["stop_reason"], "target_reached");
  EXPECT_GE(result["psnr_db"].get<double>(), 14);
  outcome = run({"fit", picture, "--preset", "toy", "--max-seconds", "0.3", "--out", "b", "-q", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  result = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(result["stop_reason"], "max_seconds");
  EXPECT_GE(result["seconds"].get<double>(), 0.3);
}

TEST_F(Fit, KeepsSixteenBitsAndFloats) {
  ASSERT_EQ(run({"fit", make_picture("deep.png", 16, 16, PixelType::U16), "--max-steps", "3", "--out", "a", "-q"}).code,
            0);
  EXPECT_EQ(read_image_info(path("a/reconstruction.png")).type, PixelType::U16);
  ASSERT_EQ(
      run({"fit", make_picture("float.exr", 16, 16, PixelType::F32), "--max-steps", "3", "--out", "b", "-q"}).code, 0);
  EXPECT_EQ(read_image_info(path("b/reconstruction.exr")).type, PixelType::F32);
}

TEST_F(Fit, SameBitsForAnyThreadCount) {
  const std::string picture = make_picture();
  ASSERT_EQ(run({"fit", picture, "--max-steps", "50", "--threads", "1", "--out", "a", "-q"}).code, 0);
  ASSERT_EQ(run({"fit", picture, "--max-steps", "50", "--threads", "3", "--out", "b", "-q"}).code, 0);
  EXPECT_EQ(read_all(folder_ / "a/model.safetensors"), read_all(folder_ / "b/model.safetensors"));
}

}  // namespace
}  // namespace loe::test
