// `loe paper`: every row of a table at its smallest scale, its page, its resumption, its mistakes.
#include <cmath>

#include "apps/run_loe.h"
#include "loe/io/config_file.h"
#include "loe/io/model_file.h"
#include "loe/io/video_file.h"
#include "loe/nn/network.h"
#include "loe/task/fit_config.h"
#include "paper_rows.h"
#include "test_paths.h"

namespace loe::test {
namespace {

class Paper : public LoeTest {
 protected:
  /// Four frames of 32 x 24 pixels. Returns the name in the working folder.
  std::string make_clip(const std::string& name) {
    Video video(32, 24, 3, PixelType::U8);
    for (int t = 0; t < 4; ++t) {
      Image frame(32, 24, 3, PixelType::U8);
      std::vector<float> row(32 * 3);
      for (int y = 0; y < 24; ++y) {
        for (std::size_t i = 0; i < row.size(); ++i) {
          row[i] = static_cast<float>((static_cast<int>(i / 3) + y + 4 * t) % 32) / 32.0F;
        }
        frame.write_row(0, y, 32, row.data());
      }
      video.append(std::move(frame));
    }
    write_video(path(name), video);
    return name;
  }
};

const std::vector<std::string> kFewSteps = {"--set", "train.max_steps=12"};

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string camera() {
  return std::string(kSharedData) + "/image_camera/camera.png";
}

std::string pluto() {
  return std::string(kSharedData) + "/image_pluto/pluto_4408x4344_grey.jpg";
}

std::map<std::string, double> psnr_by_row(const nlohmann::json& result) {
  std::map<std::string, double> psnr;
  for (const auto& row : result["rows"]) psnr[row["row"]] = row["psnr_db_mean"];
  return psnr;
}

std::string carphone() {
  return std::string(kSharedData) + "/video_carphone_pristine/carphone_pristine.mp4";
}

/// Whole tables: minutes.
class PaperSlow : public Paper {};

// The robust part of Table 5's order, on 64 x 64 pixels: the paper has 6.5 dB or more between every layout and PE MLP.
TEST_F(PaperSlow, EveryLayoutOfTable5BeatsThePlainNetwork) {
  if (!fs::exists(camera())) GTEST_SKIP() << camera() << " is not on this machine";
  const Outcome outcome = run({"paper", "--table", "5", "--scale", "tiny", "--data", camera(), "--out", "t5", "--json",
                               "-q", "--threads", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const nlohmann::json result = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(result, read_json("t5/result.json"));
  const std::map<std::string, double> psnr = psnr_by_row(result);
  ASSERT_EQ(psnr.size(), 6U);
  for (const auto& [row, value] : psnr) {
    if (row != "pe_mlp") {
      EXPECT_GT(value, psnr.at("pe_mlp") + 3) << row;
    }
  }
  // 26.8 and 35.4 dB when written (seed 0); a broken step reaches neither.
  EXPECT_GT(psnr.at("pe_mlp"), 23);
  EXPECT_GT(psnr.at("fine_to_coarse"), 31);
}

TEST_F(PaperSlow, ExpertsAndEmbeddingsOfTable1BeatThePlainNetwork) {
  if (!fs::exists(pluto())) GTEST_SKIP() << pluto() << " is not on this machine";
  const Outcome outcome = run(
      {"paper", "--table", "1", "--scale", "tiny", "--data", pluto(), "--out", "t1", "--json", "-q", "--threads", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const std::map<std::string, double> psnr = psnr_by_row(nlohmann::json::parse(outcome.out));
  ASSERT_EQ(psnr.size(), 8U);
  for (const std::string row : {"pe_ce", "chunked", "random_affine", "ours_bilinear", "ours"}) {
    EXPECT_GT(psnr.at(row), psnr.at("pe_mlp") + 1) << row;
  }
  // Without any encoding the experts alone tell positions apart.
  EXPECT_GT(psnr.at("constant_input"), psnr.at("pe_mlp"));
}

// The paper has 8.5 dB between PE + CE and PE, and 12.7 between Ours and PE.
TEST_F(PaperSlow, ExpertsAndEmbeddingsOfTable2BeatThePlainNetwork) {
  if (!fs::exists(carphone())) GTEST_SKIP() << carphone() << " is not on this machine";
  const Outcome outcome = run({"paper", "--table", "2", "--scale", "tiny", "--data", carphone(), "--out", "t2",
                               "--json", "-q", "--threads", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const nlohmann::json result = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(result, read_json("t2/result.json"));
  EXPECT_EQ(result["n_frames"], 16);
  const std::map<std::string, double> psnr = psnr_by_row(result);
  ASSERT_EQ(psnr.size(), 5U);
  // 26.8, 29.9, 27.1, 30.6 and 30.5 dB when written (seed 0); a broken step reaches none of these.
  EXPECT_GT(psnr.at("pe_mlp"), 24);
  EXPECT_GT(psnr.at("ours"), psnr.at("pe_mlp") + 2);
  EXPECT_GT(psnr.at("pe_ce"), psnr.at("pe_mlp") + 1.5);
  EXPECT_GT(psnr.at("siren"), 22);
  EXPECT_GT(psnr.at("siren_l"), psnr.at("siren") + 1.5);
  for (const auto& row : result["rows"]) {
    const std::string folder = "t2/" + row["row"].get<std::string>() + "/seed-0/";
    const nlohmann::json own = read_json(folder + "result.json");
    EXPECT_EQ(row["runs"][0]["psnr_db"], own["psnr_db"]);
    EXPECT_EQ(row["runs"][0]["psnr_frame_db"], own["psnr_frame_db"]);
    EXPECT_EQ(row["runs"][0]["frames"]["psnr_db"].size(), 16U);
    EXPECT_FALSE(row["runs"][0].contains("seams"));
    for (const char* file : {"reconstruction.mp4", "error.mp4", "frames.png", "frames_error.png"}) {
      EXPECT_TRUE(fs::is_regular_file(folder_ / (folder + file))) << folder << file;
    }
  }
  // Five columns and the source, 64 pixels wide, below a label of 10.
  const VideoFileInfo comparison = read_video_info(path("t2/comparison.mp4"));
  EXPECT_EQ(comparison.width, 6 * 64);
  EXPECT_EQ(comparison.height, 64 + 10);
  EXPECT_EQ(read_video(path("t2/comparison.mp4")).n_frames(), 16);
  EXPECT_EQ(result["comparison"], "comparison.mp4");
  EXPECT_NE(read_all(folder_ / "t2/index.html").find("comparison.mp4"), std::string::npos);
  EXPECT_TRUE(temporary_files().empty());
}

TEST_F(Paper, VideosOfTable2ResumeWhereSomethingIsMissing) {
  std::vector<std::string> common = {
      "paper",  "--table",    "2",     "--scale",      "tiny",  "--data",        make_clip("clip.npy"),
      "--rows", "ours,siren", "--set", "data.crop=[]", "--set", "data.frames=[]"};
  const Outcome outcome = run(common + kFewSteps + std::vector<std::string>{"--out", "out"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_NE(outcome.out.find("out/comparison.mp4"), std::string::npos) << outcome;
  EXPECT_EQ(read_video_info(path("out/comparison.mp4")).width, 3 * 32);
  const std::string frames = read_all(folder_ / "out/ours/seed-0/frames.png");
  const std::string comparison = read_all(folder_ / "out/comparison.mp4");
  const auto trained = fs::last_write_time(folder_ / "out/ours/seed-0/model.safetensors");
  fs::remove(folder_ / "out/ours/seed-0/frames.png");
  fs::remove(folder_ / "out/ours/seed-0/frames_error.png");
  fs::remove(folder_ / "out/comparison.mp4");
  ASSERT_EQ(run({"paper", "--resume", "out", "-q"}).code, 0);
  EXPECT_EQ(read_all(folder_ / "out/ours/seed-0/frames.png"), frames);
  EXPECT_EQ(read_all(folder_ / "out/comparison.mp4"), comparison);
  EXPECT_EQ(fs::last_write_time(folder_ / "out/ours/seed-0/model.safetensors"), trained);
  // Complete: the comparison stays.
  const auto compared = fs::last_write_time(folder_ / "out/comparison.mp4");
  ASSERT_EQ(run({"paper", "--resume", "out", "-q"}).code, 0);
  EXPECT_EQ(fs::last_write_time(folder_ / "out/comparison.mp4"), compared);
  write_all(folder_ / "out/ours/seed-0/result.json",
            R"({"seed": 0, "psnr_db": 1, "ssim": null, "seconds": 1, "samples_per_step": 1, "psnr_frame_db": null,
                "frames": []})");
  expect_failure(run({"paper", "--resume", "out", "-q"}), 1, {"result.json", "frames.psnr_db"});
}

TEST_F(Paper, CountsOfTable2) {
  const struct {
    const char* row;
    int64_t n_params;
    int64_t macs;
  } rows[] = {{"pe_mlp", 278787, 277504},
              {"pe_ce", 17072387, 293888},
              {"siren", 264963, 263680},
              {"siren_l", 4205571, 4200448},
              {"ours", 16896003, 277504}};
  for (const auto& [row, n_params, macs] : rows) {
    const NetworkSpec network = app::row_network(2, "full", row, 3);
    EXPECT_EQ(network.n_params(), n_params) << row;
    EXPECT_EQ(network.macs_per_sample(), macs) << row;
  }
  // PE + CE and the network that it is compared with are of one size.
  for (const char* scale : {"full", "video-128", "tiny"}) {
    const auto ours = static_cast<double>(app::row_network(2, scale, "ours", 3).n_params());
    EXPECT_NEAR(static_cast<double>(app::row_network(2, scale, "pe_ce", 3).n_params()) / ours, 1, 0.04) << scale;
  }
}

// Every row at every scale is a config that a training accepts, and says how fast it learns.
TEST_F(Paper, RowsOfTable2AreComplete) {
  for (const std::string scale : {"full", "video-128", "tiny"}) {
    for (const app::TableRow& row : app::paper_table(2).rows) {
      const FitConfig config = fit_config_from_settings(app::row_settings(2, scale, row.key), SignalKind::Video, 3);
      const bool is_siren = row.key.rfind("siren", 0) == 0;
      EXPECT_EQ(config.network.activation.kind == ActivationKind::Sine, is_siren) << scale << row.key;
      EXPECT_EQ(config.train.schedule.learning_rate < 0.005, is_siren) << scale << row.key;
      EXPECT_EQ(config.train.schedule.milestones, std::vector<double>{0.5});
      EXPECT_EQ(config.network.output_range, (std::array<double, 2>{-1, 1}));
      const std::array<double, 2> range = {is_siren ? -1.0 : 0.0, 1};
      EXPECT_EQ(config.network.input.coordinate_range, range) << scale << row.key;
    }
    const auto width = [&](const char* row) { return app::row_network(2, scale, row, 3).layers[0].n_out; };
    EXPECT_EQ(width("siren_l"), width("siren") * (scale == "tiny" ? 2 : 4)) << scale;
  }
}

TEST_F(Paper, WritesRunsResultAndPage) {
  const Outcome outcome = run(std::vector<std::string>{"paper", "--table", "5", "--scale", "tiny", "--data",
                                                       make_picture("p.png", 128, 64), "--set", "data.size=[32, 16]",
                                                       "--rows", "quad_tree,pe_mlp", "--seeds", "2", "--out", "out"} +
                              kFewSteps);
  ASSERT_EQ(outcome.code, 0) << outcome;
  for (const char* row : {"pe_mlp", "quad_tree"}) {
    for (const char* seed : {"seed-0", "seed-1"}) {
      for (const char* file : {"model.safetensors", "result.json", "error.png", "seams.json"}) {
        EXPECT_TRUE(fs::is_regular_file(folder_ / "out" / row / seed / file)) << row << seed << file;
      }
      EXPECT_EQ(read_json(fs::path("out") / row / seed / "result.json")["steps"], 12);
    }
  }
  const nlohmann::json result = read_json("out/result.json");
  ASSERT_EQ(result["rows"].size(), 2U);
  EXPECT_EQ(result["rows"][0]["row"], "pe_mlp");  // the table's order
  EXPECT_EQ(result["rows"][0]["runs"].size(), 2U);
  EXPECT_EQ(result["rows"][1]["n_params"], read_model(path("out/quad_tree/seed-0/model.safetensors")).spec.n_params());
  const double a = result["rows"][0]["runs"][0]["psnr_db"];
  const double b = result["rows"][0]["runs"][1]["psnr_db"];
  EXPECT_NE(a, b);  // another seed
  EXPECT_NEAR(result["rows"][0]["psnr_db_mean"], (a + b) / 2, 1e-9);
  EXPECT_NEAR(result["rows"][0]["psnr_db_std"], std::abs(a - b) / std::sqrt(2.0), 1e-9);
  const std::string page = read_all(folder_ / "out/index.html");
  EXPECT_NE(page.find("Quad Tree"), std::string::npos);
  EXPECT_NE(outcome.out.find("out/index.html"), std::string::npos) << outcome;
  EXPECT_TRUE(temporary_files().empty());
}

TEST_F(Paper, PicturesThatAreAllBorderHaveNoInterior) {
  const Outcome outcome =
      run(std::vector<std::string>{"paper", "--table", "5", "--scale", "tiny", "--data", make_picture("p.png", 4, 4),
                                   "--set", "data.size=[]", "--rows", "pe_mlp", "--out", "out", "-q"} +
          kFewSteps);
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_TRUE(read_json("out/pe_mlp/seed-0/seams.json")["interior_mse"].is_null());
  EXPECT_EQ(run({"paper", "--resume", "out", "-q"}).code, 0);
  write_all(folder_ / "out/pe_mlp/seed-0/seams.json", "{}");
  expect_failure(run({"paper", "--resume", "out", "-q"}), 1, {"seams.json", "border_mse"});
}

TEST_F(Paper, ResumeEqualsUninterrupted) {
  const std::vector<std::string> common = std::vector<std::string>{"paper",
                                                                   "--table",
                                                                   "5",
                                                                   "--scale",
                                                                   "tiny",
                                                                   "--data",
                                                                   make_picture(),
                                                                   "--rows",
                                                                   "quad_tree,gray_code",
                                                                   "--set",
                                                                   "train.max_steps=400",
                                                                   "--set",
                                                                   "data.size=[]",
                                                                   "-q"};
  ASSERT_EQ(run(common + std::vector<std::string>{"--out", "whole"}).code, 0);
  start(common + std::vector<std::string>{"--out", "cut"});
  ASSERT_TRUE(wait_until([this] { return !read_all(folder_ / "cut/quad_tree/seed-0/metrics.jsonl").empty(); }));
  const Outcome cut = finish(SIGTERM);
  ASSERT_EQ(cut.code, 130) << cut;
  EXPECT_NE(cut.err.find("loe paper --resume cut"), std::string::npos) << cut;
  const Outcome resumed = run({"paper", "--resume", "cut", "-q"});
  ASSERT_EQ(resumed.code, 0) << resumed;
  for (const char* row : {"quad_tree", "gray_code"}) {
    EXPECT_EQ(read_all(folder_ / "cut" / row / "seed-0/model.safetensors"),
              read_all(folder_ / "whole" / row / "seed-0/model.safetensors"))
        << row;
  }
  // Complete: nothing is trained again.
  const fs::file_time_type before = fs::last_write_time(folder_ / "cut/gray_code/seed-0/model.safetensors");
  ASSERT_EQ(run({"paper", "--resume", "cut", "-q"}).code, 0);
  EXPECT_EQ(fs::last_write_time(folder_ / "cut/gray_code/seed-0/model.safetensors"), before);
}

// A preset and the config of its row must not drift apart.
TEST_F(Paper, PresetsAreTheirRowsAtFullScale) {
  const struct {
    const char* preset;
    const char* table;
    const char* row;
    SignalKind kind;
  } pairs[] = {{"toy", "table5", "quad_tree", SignalKind::Image},
               {"pluto", "table1", "ours", SignalKind::Image},
               {"video", "table2", "ours", SignalKind::Video}};
  for (const auto& [preset, table, row, kind] : pairs) {
    const Outcome outcome = run({"presets", preset});
    ASSERT_EQ(outcome.code, 0) << outcome;
    const Settings shipped = parse_config(outcome.out, preset);
    const std::string folder = std::string(kConfigs) + "/paper/" + table;
    Settings config = read_config(folder + "/full.toml");
    config.merge(read_config(folder + "/" + row + ".toml"));
    for (const char* key : {"model.widths", "model.n_frequencies", "model.output_range", "data.sampling",
                            "train.max_steps", "train.learning_rate", "train.schedule"}) {
      EXPECT_TRUE(shipped.entries().at(key).value == config.entries().at(key).value) << preset << ' ' << key;
    }
    const FitConfig a = fit_config_from_settings(shipped, kind, 3);
    const FitConfig b = fit_config_from_settings(config, kind, 3);
    EXPECT_EQ(build_model(a), build_model(b)) << preset;
    EXPECT_EQ(a.batch_size == b.batch_size || a.sampling == PixelSampling::AllPixels, true) << preset;
    EXPECT_EQ(a.train.schedule.milestones, b.train.schedule.milestones);
    EXPECT_EQ(a.train.schedule.factor, b.train.schedule.factor);
  }
}

TEST_F(Paper, MistakesAreNamed) {
  const std::string picture = make_picture();
  expect_failure(run({"paper"}), 2, {"--table", "1 to 5"});
  expect_failure(run({"paper", "--table", "6", "--data", picture}), 2, {"--table", "1..5"});
  expect_failure(run({"paper", "--table", "5"}), 2, {"--data", "picture"});
  expect_failure(run({"paper", "--table", "2"}), 2, {"--data", "video"});
  expect_failure(run({"paper", "--table", "2", "--data", picture}), 2, {"--data", "expected a video", picture});
  expect_failure(run({"paper", "--table", "5", "--data", make_clip("clip.npy")}), 2, {"--data", "expected a picture"});
  expect_failure(run({"paper", "--table", "2", "--data", "gone.mp4", "--out", "gone", "-q"}), 1, {"gone.mp4"});
  expect_failure(run({"paper", "--table", "5", "--data", picture, "--rows", "quad_tre"}), 2,
                 {"--rows", "did you mean quad_tree"});
  expect_failure(run({"paper", "--table", "5", "--data", picture, "--scale", "pluto-1024"}), 2, {"--scale", "toy-128"});
  expect_failure(run({"paper", "--table", "5", "--data", picture, "--seeds", "0"}), 2, {"--seeds"});
  expect_failure(run({"paper", "--table", "5", "--data", picture, "--set", "model.widt=[3]", "--out", "x", "-q"}), 2,
                 {"model.widt"});
  expect_failure(run({"paper", "--resume", picture}), 1, {"paper.json"});
  expect_failure(run({"paper", "--resume", "x", "--table", "5"}), 2, {"--resume"});
  fs::create_directory(folder_ / "used");
  write_all(folder_ / "used/file", "x");
  expect_failure(run({"paper", "--table", "5", "--data", picture, "--out", "used"}), 2, {"used", "--resume"});
  write_all(folder_ / "used/paper.json", "{\"table\": 5}");
  expect_failure(run({"paper", "--resume", "used"}), 1, {"paper.json"});
}

}  // namespace
}  // namespace loe::test
