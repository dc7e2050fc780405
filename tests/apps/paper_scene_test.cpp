// `loe paper --table 3`: a radiance field on a scene that the program makes itself, or on one that the user names.
#include <gtest/gtest.h>

#include <cmath>

#include "analytic_data.h"
#include "apps/run_loe.h"
#include "loe/task/scene_presets.h"
#include "loe/task/scene_task.h"
#include "paper_kind.h"
#include "paper_rows.h"

namespace loe::app {
namespace {

namespace fs = test::fs;
using test::Outcome;
using test::read_all;

class PaperScene : public test::LoeTest {
 protected:
  /// A few steps of tiny networks: seconds of waiting for what is not about quality.
  const std::vector<std::string> kQuick = {
      "--set", "train.max_steps=6", "--set", "data.batch_size=32", "--threads", "1", "-q"};

  Outcome paper(std::vector<std::string> arguments, const std::vector<std::string>& more = {}) {
    arguments.insert(arguments.begin(), "paper");
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  fs::path file(const std::string& name) const { return folder_ / name; }
};

TEST_F(PaperScene, CountsOfTable3) {
  const struct {
    const char* row;
    int64_t n_params;
  } rows[] = {{"pe_mlp", 316548}, {"no_hierarchy", 17847684}, {"ours", 17847684}};
  for (const auto& [row, n_params] : rows) {
    const NetworkSpec network = row_network(3, "full", row, 3);
    EXPECT_EQ(network.n_params(), n_params) << row;
    EXPECT_EQ(network.macs_per_sample(), 315136) << row;
    EXPECT_EQ(row_network(3, "nerf-mini", row, 3).macs_per_sample(), 23488) << row;
  }
}

// Every row at every scale is a config that a training accepts.
TEST_F(PaperScene, RowsOfTable3AreComplete) {
  const PaperTable& table = paper_table(3);
  for (const std::string& scale : table.scales) {
    for (const TableRow& row : table.rows) {
      const FitConfig config = scene_config_from_settings(row_settings(3, scale, row.key));
      EXPECT_EQ(config.train.schedule.kind, ScheduleKind::Exponential) << scale << row.key;
      const ModelSpec model = build_model(config);
      ASSERT_EQ(model.parts.size(), 2U);
      EXPECT_EQ(model.parts[0].network, model.parts[1].network);
      const NetworkSpec& network = model.main();
      for (int level = 0; level < 5; ++level) {
        const LayerSpec& layer = network.layers[static_cast<std::size_t>(level)];
        const bool is_plain = row.key == "pe_mlp";
        EXPECT_EQ(layer.n_experts() == 1, is_plain) << scale << row.key;
        if (is_plain) continue;
        const double ours = scale == "full"   ? std::pow(4.0, level + 1)
                            : scale == "tiny" ? std::ldexp(2.0, level)
                                              : std::ldexp(4.0, level);
        const double single = scale == "full" ? 64 : scale == "tiny" ? 8 : 16;
        EXPECT_EQ(layer.grid.a[0][0], row.key == "ours" ? ours : single) << scale << row.key << level;
      }
    }
    const auto count = [&](const char* row) { return row_network(3, scale, row, 3).n_params(); };
    EXPECT_EQ(count("ours"), count("no_hierarchy")) << scale;
  }
  EXPECT_EQ(*table.analytic_views("nerf-mini"), (AnalyticViews{32, 8, 128}));
  EXPECT_EQ(table.analytic_views("full"), nullptr);
  EXPECT_EQ(table.analytic_views("lego-mini"), nullptr);
}

TEST_F(PaperScene, PresetIsOursAtFullScale) {
  const FitConfig preset = scene_config_from_settings(scene_preset("nerf"));
  const FitConfig row = scene_config_from_settings(row_settings(3, "full", "ours"));
  EXPECT_EQ(build_model(preset), build_model(row));
  EXPECT_EQ(preset.scene.rays, row.scene.rays);
  EXPECT_EQ(preset.scene.background, row.scene.background);
  EXPECT_EQ(preset.batch_size, row.batch_size);
  EXPECT_EQ(preset.train.max_steps, row.train.max_steps);
  EXPECT_EQ(preset.train.schedule.kind, row.train.schedule.kind);
  EXPECT_EQ(preset.train.schedule.learning_rate, row.train.schedule.learning_rate);
  EXPECT_EQ(preset.train.schedule.final_factor, row.train.schedule.final_factor);
}

/// A whole table: a minute.
class PaperSceneSlow : public PaperScene {};

// Claim Q3 as far as 24 x 24 pixels show it: see docs/paper.md for several seeds.
TEST_F(PaperSceneSlow, HierarchyKeepsEmptySpaceEmpty) {
  const Outcome outcome =
      run({"paper", "--table", "3", "--scale", "tiny", "--out", "t3", "--json", "-q", "--threads", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const nlohmann::json result = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(result, read_json("t3/result.json"));
  EXPECT_EQ(result["scene"], "analytic scene, 12 views to fit");
  EXPECT_EQ(result["n_test_views"], 3);
  EXPECT_EQ(result["width"], 24);
  ASSERT_EQ(result["rows"].size(), 3U);
  std::map<std::string, nlohmann::json> rows;
  for (const auto& row : result["rows"]) rows[row["row"]] = row;
  // 16.9, 16.7 and 16.8 dB when written, 11.3 dB after six steps: the order of the PSNRs is within the spread of seeds
  // at this size. What holds for every seed is the densest artefact: 0.88 of Ours against 1.00 of No Hierarchy.
  for (const auto& [key, row] : rows) EXPECT_GT(row["psnr_db_mean"], 15.5) << key;
  EXPECT_LT(rows["ours"]["empty_opacity_largest_mean"].get<double>(),
            rows["no_hierarchy"]["empty_opacity_largest_mean"].get<double>() - 0.03);
  EXPECT_LT(rows["ours"]["empty_opacity_mean"], 0.2);
  for (const auto& [key, row] : rows) {
    const std::string folder = "t3/" + key + "/seed-0/";
    const nlohmann::json own = read_json(folder + "result.json");
    const nlohmann::json empty = read_json(folder + "empty_space.json");
    EXPECT_EQ(row["runs"][0]["psnr_db"], own["psnr_db"]);
    EXPECT_EQ(row["runs"][0]["views"]["psnr_db"], own["views"]["psnr_db"]);
    EXPECT_EQ(row["runs"][0]["views"]["name"][1], "test_001.png");
    EXPECT_EQ(row["runs"][0]["empty_opacity"], empty["mean"]);
    EXPECT_EQ(row["empty_opacity_largest_mean"], empty["largest"]);
    EXPECT_EQ(own["n_params"].get<int64_t>(), 2 * row["n_params"].get<int64_t>());  // of both networks
    EXPECT_GT(row["seconds_per_step"], 0);
    EXPECT_LT(row["seconds_per_step"].get<double>() * 350, 2 * own["seconds"].get<double>());
    const Image views = read_image(path(folder + "views.png"));
    EXPECT_EQ(views.width(), 24);
    EXPECT_EQ(views.height(), 3 * 24);
    for (const char* name : {"views_error.png", "views_empty.png"}) {
      EXPECT_EQ(read_image_info(path(folder + name)).height, 3 * 24) << key;
    }
    // A stack of what the fit left.
    const Image second = read_image(path(folder + "views/test_001.png"));
    for (int y = 0; y < 24; ++y) {
      EXPECT_TRUE(std::equal(second.row(y), second.row(y) + 72, views.row(24 + y))) << key << y;
    }
  }
  const std::string page = read_all(file("t3/index.html"));
  for (const char* part : {"empty space</th>", "View by view", "view test_000.png, test_001.png, test_002.png",
                           "analytic scene", "paper 17.8M", "MACs per sample"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(page.find("Left out"), std::string::npos);
  EXPECT_EQ(page.find("--data"), std::string::npos);  // of the command: the table makes its own
  EXPECT_TRUE(temporary_files().empty());
}

TEST_F(PaperScene, ResumesWhereSomethingIsMissing) {
  const std::vector<std::string> common = {"--table", "3", "--scale", "tiny", "--rows", "ours,pe_mlp"};
  ASSERT_EQ(paper(common, {"--out", "out", "--set", "train.max_steps=6", "--set", "data.batch_size=32", "-q"}).code, 0);
  const std::string picture = read_all(file("out/data/train/train_003.png"));
  const std::string views = read_all(file("out/ours/seed-0/views_error.png"));
  const std::string empty = read_all(file("out/ours/seed-0/empty_space.json"));
  const auto written = fs::last_write_time(file("out/data/train/train_004.png"));
  const auto trained = fs::last_write_time(file("out/ours/seed-0/model.safetensors"));
  ASSERT_FALSE(picture.empty());
  // The folder moves; what a run leaves last is gone, and one run altogether.
  fs::rename(file("out"), file("moved"));
  fs::remove(file("moved/ours/seed-0/views_error.png"));
  fs::remove(file("moved/ours/seed-0/empty_space.json"));
  fs::remove_all(file("moved/pe_mlp"));
  ASSERT_EQ(paper({"--resume", "moved", "-q"}).code, 0);
  EXPECT_EQ(read_all(file("moved/ours/seed-0/views_error.png")), views);
  EXPECT_EQ(read_all(file("moved/ours/seed-0/empty_space.json")), empty);
  EXPECT_TRUE(fs::exists(file("moved/pe_mlp/seed-0/views_error.png")));
  EXPECT_EQ(fs::last_write_time(file("moved/data/train/train_004.png")), written);  // complete data are kept
  EXPECT_EQ(fs::last_write_time(file("moved/ours/seed-0/model.safetensors")), trained);
  // Half-written data are made again, with the same bits, so that the runs still belong to them.
  fs::remove(file("moved/data/transforms_train.json"));
  fs::remove(file("moved/data/train/train_003.png"));
  fs::remove(file("moved/ours/seed-0/views_error.png"));
  ASSERT_EQ(paper({"--resume", "moved", "-q"}).code, 0);
  EXPECT_EQ(read_all(file("moved/data/train/train_003.png")), picture);
  EXPECT_EQ(read_all(file("moved/ours/seed-0/views_error.png")), views);
  // Damaged results are named.
  test::write_all(file("moved/ours/seed-0/empty_space.json"), "{}");
  expect_failure(paper({"--resume", "moved", "-q"}), 1, {"empty_space.json", "mean"});
}

TEST_F(PaperScene, OwnScenesHaveNoEmptySpace) {
  write_analytic_scene(path("scene"), {5, 4, 12}, 1, [](double) {});
  const Outcome outcome =
      paper({"--table", "3", "--scale", "tiny", "--rows", "ours", "--data", "scene", "--out", "out"},
            {"--set", "train.max_steps=6", "--set", "data.batch_size=32", "--threads", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_FALSE(fs::exists(file("out/data")));
  EXPECT_FALSE(fs::exists(file("out/ours/seed-0/empty_space.json")));
  EXPECT_FALSE(fs::exists(file("out/ours/seed-0/views_empty.png")));
  const nlohmann::json result = read_json("out/result.json");
  EXPECT_EQ(result["scene"], "scene, 5 views to fit");
  EXPECT_EQ(result["n_test_views"], 4);
  EXPECT_FALSE(result["rows"][0].contains("empty_opacity_mean"));
  EXPECT_EQ(outcome.out.find("in empty space"), std::string::npos) << outcome;
  const std::string page = read_all(file("out/index.html"));
  EXPECT_EQ(page.find("empty space</th>"), std::string::npos);
  // Three of four views, spread over them.
  EXPECT_NE(page.find("view test_000.png, test_002.png, test_003.png"), std::string::npos);
  EXPECT_NE(page.find("--data "), std::string::npos);
  // A resumed table needs no scene that it does not make.
  ASSERT_EQ(paper({"--resume", "out", "-q"}).code, 0);
}

TEST_F(PaperScene, MistakesAreNamed) {
  const std::string picture = make_picture();
  expect_failure(paper({"--table", "3", "--data", picture}), 2, {"--data", "expected a scene", picture});
  fs::create_directory(file("empty"));
  expect_failure(paper({"--table", "3", "--data", "empty"}), 2, {"--data", "expected a scene", "empty"});
  expect_failure(paper({"--table", "3", "--scale", "full"}), 2, {"--data", "scene", "nerf-mini"});
  expect_failure(paper({"--table", "3", "--scale", "lego-mini"}), 2, {"--data", "scene"});
  expect_failure(paper({"--table", "3", "--scale", "tiny", "--data", "gone", "--out", "x", "-q"}), 1, {"gone"});
  write_analytic_scene(path("scene"), {2, 1, 8}, 1, [](double) {});
  expect_failure(paper({"--table", "5", "--data", "scene"}), 2, {"--data", "expected a picture"});
  expect_failure(paper({"--table", "3", "--rows", "no_hierarchi"}), 2, {"--rows", "no_hierarchy"});
  fs::create_directory(file("old"));
  test::write_all(file("old/paper.json"),
                  R"({"table": 3, "scale": "full", "rows": ["ours"], "seeds": 1, "data": "", "set": []})");
  expect_failure(paper({"--resume", "old"}), 1, {"paper.json"});
}

}  // namespace
}  // namespace loe::app
