// `loe render`, `eval`, `info`, `presets`, the help texts.
#include <cstring>

#include "apps/run_loe.h"

namespace loe::test {
namespace {

class Command : public LoeTest {
 protected:
  void fit_run(const std::string& picture) {
    const Outcome outcome = run({"fit", picture, "--max-steps", "30", "--out", "run", "-q"});
    ASSERT_EQ(outcome.code, 0) << outcome;
  }
};

TEST_F(Command, RenderGivesTheReconstruction) {
  fit_run(make_picture());
  Outcome outcome = run({"render", "run", "-o", "whole.png"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_NE(outcome.out.find("whole.png"), std::string::npos);
  const Image reconstruction = read_image(path("run/reconstruction.png"));
  const Image whole = read_image(path("whole.png"));
  ASSERT_EQ(whole.n_bytes(), reconstruction.n_bytes());
  EXPECT_EQ(std::memcmp(whole.data(), reconstruction.data(), whole.n_bytes()), 0);

  ASSERT_EQ(run({"render", "run/model.safetensors", "-o", "part.png", "--region", "8,4,16,12", "-q"}).code, 0);
  const Image part = read_image(path("part.png"));
  ASSERT_EQ(part.width(), 16);
  ASSERT_EQ(part.height(), 12);
  for (int y = 0; y < 12; ++y) {
    EXPECT_EQ(std::memcmp(part.row(y), whole.row(y + 4) + 8 * 3, 16 * 3), 0) << "row " << y;
  }
  ASSERT_EQ(run({"render", "run/checkpoints/last.safetensors", "-o", "check.png", "-q"}).code, 0);
  EXPECT_EQ(read_all(folder_ / "check.png"), read_all(folder_ / "whole.png"));
}

TEST_F(Command, RenderSizesAndDepths) {
  fit_run(make_picture());
  ASSERT_EQ(run({"render", "run", "-o", "big.exr", "--size", "50x40", "--depth", "f32", "-q"}).code, 0);
  const ImageFileInfo info = read_image_info(path("big.exr"));
  EXPECT_EQ(info.width, 50);
  EXPECT_EQ(info.height, 40);
  EXPECT_EQ(info.type, PixelType::F32);
  ASSERT_EQ(run({"render", "run", "-o", "deep.png", "--depth", "u16", "-q"}).code, 0);
  EXPECT_EQ(read_image_info(path("deep.png")).type, PixelType::U16);
  expect_failure(run({"render", "run", "-o", "x.png", "--region", "20,0,16,8", "-q"}), 2, {"--region", "32 x 24"});
  expect_failure(run({"render", "run", "-o", "x.png", "--region", "1,2,3", "-q"}), 2, {"--region", "1,2,3"});
  expect_failure(run({"render", "run", "-o", "x.png", "--size", "50*40", "-q"}), 2, {"--size", "50*40"});
  expect_failure(run({"render", "run", "-o", "x.png", "--depth", "f32", "-q"}), 1, {"x.png"});
  expect_failure(run({"render", "run", "-o", "nowhere/x.png", "-q"}), 1, {"nowhere"});
  expect_failure(run({"render", "run"}), 2, {"--out"});
  EXPECT_FALSE(fs::exists(folder_ / "x.png"));
}

TEST_F(Command, EvalAgreesWithTheRun) {
  const std::string picture = make_picture();
  fit_run(picture);
  Outcome outcome = run({"eval", "run", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const nlohmann::json result = nlohmann::json::parse(outcome.out);
  const nlohmann::json trained = read_json("run/result.json");
  for (const char* key : {"psnr_db", "ssim", "ssim_gaussian", "n_params", "macs_per_sample"}) {
    EXPECT_EQ(result[key], trained[key]) << key;
  }
  outcome = run({"eval", "run"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_NE(outcome.out.find("PSNR"), std::string::npos) << outcome;
  fs::copy_file(path("run/model.safetensors"), path("alone.safetensors"));
  expect_failure(run({"eval", "alone.safetensors"}), 2, {"--data"});
  EXPECT_EQ(run({"eval", "alone.safetensors", "--data", picture}).code, 0);
  expect_failure(run({"eval", "run", "--data", make_picture("other.png", 16, 16)}), 2, {"other.png", "32 x 24"});
}

TEST_F(Command, AFitWithAnEmbeddingIsWrittenReadAndDescribed) {
  const std::string picture = make_picture();
  const Outcome fit = run({"fit",
                           picture,
                           "--preset",
                           "toy",
                           "--out",
                           "run",
                           "--max-steps",
                           "5",
                           "--quiet",
                           "--set",
                           "model.widths=[8]",
                           "--set",
                           "model.tiles=[1]",
                           "--set",
                           "model.resolutions=[1]",
                           "--set",
                           "model.embedding=true",
                           "--set",
                           "model.embedding_resolution=[6, 5]",
                           "--set",
                           "model.embedding_channels=4"});
  ASSERT_EQ(fit.code, 0) << fit;
  const Outcome described = run({"info", "run/model.safetensors", "--json"});
  ASSERT_EQ(described.code, 0) << described;
  const nlohmann::json embedding = nlohmann::json::parse(described.out)["network"]["embedding"];
  EXPECT_EQ(embedding["resolution"], (nlohmann::json{6, 5}));
  EXPECT_EQ(embedding["n_channels"], 4);
  EXPECT_EQ(embedding["n_params"], 120);
  EXPECT_NE(run({"info", "run"}).out.find("embedding"), std::string::npos);
  const Outcome evaluated = run({"eval", "run"});
  EXPECT_EQ(evaluated.code, 0) << evaluated;
}

TEST_F(Command, InfoKnowsEverything) {
  const std::string picture = make_picture();
  fit_run(picture);
  const auto kind_of = [&](const std::string& thing) {
    const Outcome outcome = run({"info", thing, "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome;
    return nlohmann::json::parse(outcome.out);
  };
  EXPECT_EQ(kind_of(picture)["kind"], "picture");
  EXPECT_EQ(kind_of("run")["kind"], "run");
  EXPECT_EQ(kind_of("run/model.safetensors")["kind"], "model");
  EXPECT_EQ(kind_of("run/checkpoints/last.safetensors")["step"], 30);
  const Outcome outcome = run({"info", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const nlohmann::json machine = nlohmann::json::parse(outcome.out);
  EXPECT_GE(machine["usable_cores"].get<int>(), 1);
  EXPECT_FALSE(machine["devices"][0]["kernels"]["f32"].empty());
  EXPECT_FALSE(machine["devices"][0]["isas"].empty());
  EXPECT_NE(run({"info"}).out.find("because"), std::string::npos);
  expect_failure(run({"info", "nothing.png"}), 1, {"nothing.png"});
}

TEST_F(Command, PresetsAndVersion) {
  const Outcome outcome = run({"presets"});
  EXPECT_EQ(outcome.code, 0);
  for (const char* name : {"auto", "toy", "pluto", "video", "nerf", "gan"}) {
    EXPECT_NE(outcome.out.find(name), std::string::npos) << name;
  }
  EXPECT_EQ(nlohmann::json::parse(run({"presets", "--json"}).out).size(), 11U);
  // A printed preset is a config.
  write_all(path("toy.toml"), run({"presets", "toy"}).out);
  EXPECT_EQ(run({"fit", make_picture(), "--config", "toy.toml", "--dry-run", "-q", "--set", "train.max_steps=1"}).code,
            0);
  EXPECT_EQ(run({"--version"}).out.rfind("loe ", 0), 0U);
}

TEST_F(Command, HelpListsEveryFlag) {
  const Outcome fit = run({"fit", "--help"});
  EXPECT_EQ(fit.code, 0);
  for (const char* flag : {"--data",
                           "--config",
                           "--preset",
                           "--set",
                           "--out",
                           "--name",
                           "--seed",
                           "--device",
                           "--threads",
                           "--max-steps",
                           "--max-seconds",
                           "--until",
                           "--batch-size",
                           "--learning-rate",
                           "--precision",
                           "--steps-per-log",
                           "--steps-per-save",
                           "--steps-per-eval",
                           "--resume",
                           "--params",
                           "--json",
                           "-q",
                           "-v",
                           "--progress",
                           "--dry-run",
                           "--force",
                           "-h"}) {
    EXPECT_NE(fit.out.find(flag), std::string::npos) << flag;
  }
  const Outcome all = run({"--help"});
  EXPECT_EQ(all.code, 0);
  for (const char* command : {"fit", "render", "eval", "mesh", "info", "presets", "bench", "--version"}) {
    EXPECT_NE(all.out.find(command), std::string::npos) << command;
  }
}

}  // namespace
}  // namespace loe::test
