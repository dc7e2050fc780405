// `loe config`, and the tables of docs/config.md, which it prints.
#include <nlohmann/json.hpp>

#include "apps/run_loe.h"
#include "loe/io/config_file.h"
#include "loe/task/fit_config.h"
#include "test_paths.h"

namespace loe::test {
namespace {

class Config : public LoeTest {};

TEST_F(Config, TheManualHoldsTheTables) {
  const std::string manual = read_all(fs::path(kConfigs) / ".." / "docs" / "config.md");
  const Outcome outcome = run({"config", "--markdown"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  std::size_t n_tables = 0;
  for (std::size_t start = 0; start < outcome.out.size(); ++n_tables) {
    const std::size_t end = outcome.out.find("\n\n", start);
    ASSERT_NE(end, std::string::npos);
    const std::string table = outcome.out.substr(start, end + 1 - start);
    EXPECT_NE(manual.find(table), std::string::npos)
        << "docs/config.md does not hold this table of `loe config --markdown`; put it there:\n"
        << table;
    start = end + 2;
  }
  EXPECT_EQ(n_tables, 7U);
}

TEST_F(Config, ListsEverySettingOfATask) {
  for (const auto& [name, kind, own] : {std::tuple("image", SignalKind::Image, "model.tiles"),
                                        {"video", SignalKind::Video, "data.frames"},
                                        {"scene", SignalKind::Scene, "rays.n_fine"},
                                        {"gan", SignalKind::Gan, "model.n_latents"}}) {
    const Outcome outcome = run({"config", "--list", "--task", name});
    ASSERT_EQ(outcome.code, 0) << outcome;
    EXPECT_NE(outcome.out.find(own), std::string::npos) << outcome;
    for (const SettingInfo& info : setting_infos(kind)) {
      EXPECT_NE(outcome.out.find(info.key), std::string::npos) << info.key;
      EXPECT_FALSE(info.type.empty() || info.meaning.empty() || info.default_value.empty()) << info.key;
    }
  }
}

TEST_F(Config, OneSettingAsJson) {
  const Outcome outcome = run({"config", "train.max_seconds", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const nlohmann::json list = nlohmann::json::parse(outcome.out);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["key"], "train.max_seconds");
  EXPECT_EQ(list[0]["decides"], "stop");
  EXPECT_EQ(list[0]["default"], "0");
  EXPECT_EQ(list[0]["values"], "0..10^9");
}

TEST_F(Config, MisspeltNamesGetTheNearestOfAllTasks) {
  expect_failure(run({"config", "train.max_second"}), 2, {"did you mean train.max_seconds?"});
  expect_failure(run({"config", "--list", "--task", "sound"}), 2, {"image, video, scene, gan", "sound"});
  expect_failure(run({"config"}), 2, {"--list"});
  expect_failure(run({"presets", "nerv"}), 1, {"did you mean nerf?"});
  const std::string picture = make_picture();
  expect_failure(run({"fit", picture, "--set", "rays.n_fine=3"}), 2, {"rays.n_fine", "task image", "task scene"});
  expect_failure(run({"fit", picture, "--set", "rays.n_fines=3"}), 2, {"did you mean rays.n_fine, of the task scene"});
  expect_failure(run({"fit", picture, "--preset", "nerf"}), 2, {"nerf", "of the task scene"});
  expect_failure(run({"fit", picture, "--set", "data.size=[64, 0.5]"}), 2, {"data.size", "got [64, 0.5]"});
}

}  // namespace
}  // namespace loe::test
