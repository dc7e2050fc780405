// Interrupting and resuming: a resumed run equals an uninterrupted one, bit for bit.
#include "apps/run_loe.h"
#include "loe/io/config_file.h"

namespace loe::test {
namespace {

using Resume = LoeTest;

const std::vector<std::string> kLong = {"--max-steps", "3000", "--steps-per-save", "100", "--steps-per-log", "50"};

std::vector<std::string> fit_long(const std::string& picture, const std::string& out) {
  std::vector<std::string> arguments = {"fit", picture, "--out", out, "-q"};
  arguments.insert(arguments.end(), kLong.begin(), kLong.end());
  return arguments;
}

/// The steps of the lines of a metrics.jsonl that carry a loss.
std::vector<int64_t> logged_steps(const fs::path& path) {
  std::vector<int64_t> steps;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json object = nlohmann::json::parse(line);
    if (object.contains("loss")) steps.push_back(object["step"].get<int64_t>());
  }
  return steps;
}

TEST_F(Resume, AfterKillEqualsUninterrupted) {
  const std::string picture = make_picture("picture.png", 24, 16);
  ASSERT_EQ(run(fit_long(picture, "whole")).code, 0);
  start(fit_long(picture, "killed"));
  ASSERT_TRUE(wait_until([&] { return fs::exists(folder_ / "killed/checkpoints/step-000000300.safetensors"); }));
  EXPECT_EQ(finish(SIGKILL).code, 128 + SIGKILL);
  ASSERT_FALSE(fs::exists(folder_ / "killed/result.json")) << "killed too late to test anything";

  const Outcome outcome = run({"fit", "--resume", "killed", "--threads", "1", "-q", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_EQ(read_all(folder_ / "whole/model.safetensors"), read_all(folder_ / "killed/model.safetensors"));
  EXPECT_EQ(read_all(folder_ / "whole/reconstruction.png"), read_all(folder_ / "killed/reconstruction.png"));
  EXPECT_EQ(read_json("whole/result.json")["psnr_db"], read_json("killed/result.json")["psnr_db"]);
  EXPECT_EQ(logged_steps(folder_ / "whole/metrics.jsonl"), logged_steps(folder_ / "killed/metrics.jsonl"));
}

TEST_F(Resume, AfterInterruptEqualsUninterrupted) {
  const std::string picture = make_picture("picture.png", 24, 16);
  ASSERT_EQ(run(fit_long(picture, "whole")).code, 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string out = "stopped" + std::to_string(signal);
    start(fit_long(picture, out));
    ASSERT_TRUE(wait_until([&] { return !logged_steps(folder_ / out / "metrics.jsonl").empty(); }));
    const Outcome stopped = finish(signal);
    expect_failure(stopped, 130, {"interrupted", "loe fit --resume " + out});
    EXPECT_FALSE(fs::exists(folder_ / out / "result.json"));
    EXPECT_TRUE(temporary_files().empty());
    const Outcome outcome = run({"fit", "--resume", out, "-q"});
    ASSERT_EQ(outcome.code, 0) << outcome;
    EXPECT_EQ(read_all(folder_ / "whole/model.safetensors"), read_all(folder_ / out / "model.safetensors"));
  }
}

TEST_F(Resume, FallsBackToAnOlderCheckpoint) {
  const std::string picture = make_picture();
  ASSERT_EQ(run({"fit", picture, "--max-steps", "60", "--steps-per-save", "20", "--out", "run", "-q"}).code, 0);
  const std::string whole = read_all(folder_ / "run/model.safetensors");
  const fs::path last = folder_ / "run/checkpoints/step-000000060.safetensors";
  fs::resize_file(last, fs::file_size(last) / 2);
  const Outcome outcome = run({"fit", "--resume", "run", "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_NE(outcome.err.find("loe: warning: "), std::string::npos) << outcome;
  EXPECT_NE(outcome.err.find("step-000000060"), std::string::npos) << outcome;
  EXPECT_EQ(read_all(folder_ / "run/model.safetensors"), whole);

  for (const auto& entry : fs::directory_iterator(folder_ / "run/checkpoints")) {
    if (entry.is_regular_file()) fs::resize_file(entry.path(), 100);
  }
  const Outcome refused = run({"fit", "--resume", "run", "-q"});
  EXPECT_EQ(refused.code, 1) << refused;
  EXPECT_NE(refused.err.find("expected at least one readable checkpoint"), std::string::npos) << refused;
}

TEST_F(Resume, OnlyStoppingRulesMayChange) {
  const std::string picture = make_picture();
  ASSERT_EQ(run({"fit", picture, "--max-steps", "50", "--until", "5dB", "--out", "run", "-q"}).code, 0);
  ASSERT_EQ(read_json("run/result.json")["stop_reason"], "target_reached");
  expect_failure(run({"fit", "--resume", "run", "--learning-rate", "0.5", "-q"}), 2,
                 {"train.learning_rate", "start a new run"});
  expect_failure(run({"fit", "--resume", "run", "--max-steps", "70", "-q"}), 2, {"train.max_steps", "schedule"});
  expect_failure(run({"fit", "--resume", "run", "--preset", "toy"}), 2, {"--preset", "--resume"});
  const Outcome outcome = run({"fit", "--resume", "run", "--until", "100dB", "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_EQ(read_json("run/result.json")["steps"], 50);
  EXPECT_EQ(read_config(path("run/config.toml")).get_double("train.until_psnr_db", 0, 0, 200), 100);

  make_picture("picture.png", 24, 32);
  expect_failure(run({"fit", "--resume", "run", "-q"}), 1, {"run/checkpoints/step-", "picture"});
}

TEST_F(Resume, ConstantScheduleMayBeProlonged) {
  const std::string picture = make_picture();
  const std::string constant = "train.schedule=constant";
  ASSERT_EQ(run({"fit", picture, "--max-steps", "40", "--set", constant, "--out", "whole", "-q"}).code, 0);
  ASSERT_EQ(run({"fit", picture, "--max-steps", "25", "--set", constant, "--out", "part", "-q"}).code, 0);
  const Outcome outcome = run({"fit", "--resume", "part", "--max-steps", "40", "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_EQ(read_all(folder_ / "whole/model.safetensors"), read_all(folder_ / "part/model.safetensors"));
}

TEST_F(Resume, NeedsARunThatNobodyWritesTo) {
  const std::string picture = make_picture();
  expect_failure(run({"fit", "--resume", "nowhere", "-q"}), 1, {"nowhere", "run folder"});
  start({"fit", picture, "--max-steps", "10000000", "--steps-per-save", "100", "--out", "run", "-q"});
  const pid_t first = child_;
  ASSERT_TRUE(wait_until([&] { return fs::exists(folder_ / "run/checkpoints/last.safetensors"); }));
  const Outcome second = run({"fit", "--resume", "run", "-q"});
  child_ = first;
  finish(SIGKILL);
  expect_failure(second, 1, {"another loe process"});
}

}  // namespace
}  // namespace loe::test
