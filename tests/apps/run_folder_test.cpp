// The run folder's own rules: names, locks, checkpoints, files that grow.
#include "loe/io/run_folder.h"

#include <regex>

#include "apps/run_loe.h"
#include "loe/base/error.h"

namespace loe::test {
namespace {

using RunFolderTest = LoeTest;

TEST_F(RunFolderTest, NamesNeverCollide) {
  const std::regex name("x-[0-9]{8}-[0-9]{6}(-[0-9]+)?");
  std::vector<std::string> paths;
  for (int i = 0; i < 5; ++i) {
    const RunFolder folder = RunFolder::create(path("runs"), "x");
    const std::string found = fs::path(folder.path()).filename().string();
    EXPECT_TRUE(std::regex_match(found, name)) << found;
    EXPECT_EQ(std::count(paths.begin(), paths.end(), folder.path()), 0);
    paths.push_back(folder.path());
  }
  EXPECT_THROW(RunFolder::create(path("runs"), "a/b"), Error);
  EXPECT_THROW(RunFolder::create(path("runs"), ""), Error);
  EXPECT_THROW(RunFolder::create(path("runs"), ".."), Error);
}

TEST_F(RunFolderTest, OneWriterAtATime) {
  const RunFolder folder = RunFolder::create_at(path("run"), false);
  write_all(folder.file("config.toml"), "");
  EXPECT_THROW(RunFolder::open(path("run")), Error);
  EXPECT_THROW(RunFolder::create_at(path("run"), true), Error);
  EXPECT_TRUE(fs::exists(folder.file("config.toml"))) << "a locked run must not be moved away";
}

TEST_F(RunFolderTest, ListsCheckpointsNewestFirst) {
  const RunFolder folder = RunFolder::create_at(path("run"), false);
  for (const int64_t step : {5, 1200, 30}) write_all(folder.checkpoint_path(step), "");
  for (const char* name : {"best.safetensors", "step-.safetensors", "step-12x.safetensors", "step-000000007.png",
                           "step-99999999999999999999.safetensors"}) {
    write_all(path(std::string("run/checkpoints/") + name), "");
  }
  EXPECT_TRUE(folder.mark_last(1200));
  EXPECT_TRUE(folder.mark_last(30));
  EXPECT_EQ(fs::read_symlink(path("run/checkpoints/last.safetensors")), "step-000000030.safetensors");
  std::vector<int64_t> steps;
  for (const CheckpointFile& file : list_checkpoints(path("run"))) steps.push_back(file.step);
  EXPECT_EQ(steps, (std::vector<int64_t>{1200, 30, 5}));
  EXPECT_TRUE(list_checkpoints(path("nowhere")).empty());
}

TEST_F(RunFolderTest, DropsLaterAndCutMetrics) {
  const std::string name = path("metrics.jsonl");
  write_all(name, "{\"step\":1}\n{\"step\":20,\"loss\":1}\n{\"step\":21}\nnoise\n{\"step\":3");
  drop_metrics_after(name, 20);
  EXPECT_EQ(read_all(name), "{\"step\":1}\n{\"step\":20,\"loss\":1}\n");
  drop_metrics_after(path("missing.jsonl"), 3);
  EXPECT_FALSE(fs::exists(path("missing.jsonl")));
  LineFile(name).append("{\"step\":22}");
  EXPECT_EQ(read_all(name), "{\"step\":1}\n{\"step\":20,\"loss\":1}\n{\"step\":22}\n");
  EXPECT_THROW(LineFile(path("no/such/folder")), Error);
}

}  // namespace
}  // namespace loe::test
