// `loe paper --table 4`: generators of the pictures of a folder.
#include <gtest/gtest.h>

#include "apps/run_loe.h"
#include "loe/task/gan_presets.h"
#include "loe/task/gan_task.h"
#include "paper_rows.h"

namespace loe::app {
namespace {

namespace fs = test::fs;
using test::Outcome;
using test::read_all;

class PaperGan : public test::LoeTest {
 protected:
  /// Discs of different colours and places.
  void write_pictures(int n) {
    fs::create_directories(folder_ / "discs");
    for (int k = 0; k < n; ++k) {
      Image image(16, 16, 3, PixelType::U8);
      std::vector<float> row(48);
      for (int y = 0; y < 16; ++y) {
        for (int x = 0; x < 16; ++x) {
          const int dx = x - 6 - k % 4;
          const int dy = y - 6 - k / 4 % 4;
          const bool is_inside = dx * dx + dy * dy < 20;
          const auto at = static_cast<std::size_t>(3 * x);
          row[at] = is_inside ? 0.9F : 0.2F;
          row[at + 1] = is_inside ? 0.1F * static_cast<float>(k % 7) : 0.3F;
          row[at + 2] = is_inside ? 0.2F : 0.5F;
        }
        image.write_row(0, y, 16, row.data());
      }
      write_image(path("discs") + "/" + std::to_string(k) + ".png", image);
    }
  }
};

TEST_F(PaperGan, CountsOfTable4) {
  EXPECT_EQ(row_network(4, "full", "ours", 3).n_params(), 19617539);
  EXPECT_EQ(row_network(4, "full", "ours", 3).macs_per_sample(), 1263360);
  EXPECT_EQ(row_network(4, "full", "pe_ce", 3).n_params(), 18175747);
  EXPECT_EQ(row_network(4, "full", "pe_ce", 3).macs_per_sample(), 1394432);
  for (const std::string& scale : paper_table(4).scales) {
    const NetworkSpec ours = row_network(4, scale, "ours", 3);
    const NetworkSpec embedded = row_network(4, scale, "pe_ce", 3);
    EXPECT_FALSE(ours.input.has_embedding()) << scale;
    EXPECT_TRUE(embedded.input.has_embedding()) << scale;
    EXPECT_GT(ours.layers[2].n_experts(), 1) << scale;
    for (const LayerSpec& layer : embedded.layers) EXPECT_EQ(layer.n_experts(), 1) << scale;
    // The two rows are about equally large, as the paper's.
    EXPECT_NEAR(static_cast<double>(embedded.n_params()) / static_cast<double>(ours.n_params()), 1, 0.35) << scale;
  }
}

TEST_F(PaperGan, PresetIsOursAtFullScale) {
  const FitConfig preset = gan_config_from_settings(gan_preset("gan"));
  const FitConfig row = gan_config_from_settings(row_settings(4, "full", "ours"));
  EXPECT_EQ(build_model(preset), build_model(row));
  EXPECT_EQ(preset.gan, row.gan);
  EXPECT_EQ(preset.batch_size, row.batch_size);
  EXPECT_EQ(preset.train.max_steps, row.train.max_steps);
  EXPECT_EQ(preset.train.schedule.learning_rate, row.train.schedule.learning_rate);
}

TEST_F(PaperGan, BothRowsRunResumeAndAreShown) {
  write_pictures(24);
  const std::vector<std::string> words = {"paper", "--table", "4",      "--scale", "tiny",      "--data", "discs",
                                          "--out", "t4",      "--json", "-q",      "--threads", "1"};
  const Outcome outcome = run(words);
  ASSERT_EQ(outcome.code, 0) << outcome;
  const nlohmann::json result = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(result, read_json("t4/result.json"));
  ASSERT_EQ(result["rows"].size(), 2U);
  for (const auto& row : result["rows"]) {
    const std::string folder = "t4/" + row["row"].get<std::string>() + "/seed-0/";
    const nlohmann::json own = read_json(folder + "result.json");
    EXPECT_EQ(row["sliced_wasserstein_mean"], own["distances"]["sliced_wasserstein"]);
    EXPECT_EQ(row["random_frechet_mean"], own["distances"]["random_frechet"]);
    EXPECT_EQ(row["pattern_rms_mean"], own["noise_pattern"]["pattern_rms"]);
    EXPECT_TRUE(row["paper_fid"]["value"].is_number());
    EXPECT_FALSE(row.contains("ssim_mean"));
    EXPECT_FALSE(row.contains("psnr_db_mean"));
    EXPECT_TRUE(fs::exists(folder_ / folder / "noise_pattern.png"));
  }
  const std::string page = read_all(folder_ / "t4/index.html");
  for (const char* text :
       {"sliced Wasserstein", "paper's FID", "Samples", "Mean detail", "PE + CE", "The same of the source"}) {
    EXPECT_NE(page.find(text), std::string::npos) << text;
  }
  for (const char* text : {"SSIM", "error map", "PSNR", "difference"})
    EXPECT_EQ(page.find(text), std::string::npos) << text;
  const Outcome again = run({"paper", "--resume", "t4", "--json", "-q"});
  ASSERT_EQ(again.code, 0) << again;
  EXPECT_EQ(nlohmann::json::parse(again.out)["rows"], result["rows"]);
  expect_failure(run({"paper", "--table", "4", "--data", make_picture()}), 2, {"--data", "folder of pictures"});
}

}  // namespace
}  // namespace loe::app
