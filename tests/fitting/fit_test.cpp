#include "loe/fitting/fit.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "loe/base/error.h"
#include "loe/fitting/fit_run.h"
#include "loe/fitting/machine.h"
#include "loe/io/image_file.h"
#include "loe/metric/image_metrics.h"
#include "task/task_pictures.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

Settings steps(int64_t n) {
  Settings settings;
  settings.set("train.max_steps", n, "test");
  settings.set("train.seed", int64_t{3}, "test");
  settings.set("run.threads", int64_t{1}, "test");
  return settings;
}

class FitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "loe-fitting-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  fs::path folder_;
  const Image image_ = wavy_image(40, 30, 3, PixelType::U8);
};

TEST_F(FitTest, PictureInMemory) {
  int n_lines = 0;
  FitEvents events;
  events.on_progress = [&](const Progress& progress) {
    ++n_lines;
    EXPECT_GT(progress.loss, 0);
  };
  const FitResult result = fit(image_, steps(400), events);
  EXPECT_EQ(result.reason, StopReason::MaxSteps);
  EXPECT_EQ(result.n_steps, 400);
  EXPECT_GT(n_lines, 0);
  ASSERT_TRUE(result.evaluation.fidelity.has_value());
  EXPECT_GT(result.evaluation.fidelity->psnr_db, 25);

  const Image decoded = decode_picture(result.model);
  EXPECT_EQ(decoded.width(), 40);
  EXPECT_EQ(decoded.type(), PixelType::U8);
  std::vector<float> whole(size_t{40} * 30 * 3);
  decode_picture(result.model, {0, 0, 40, 30}, {40, 30}, whole);
  double error = 0;
  std::vector<float> row(size_t{40} * 3);
  for (int y = 0; y < 30; ++y) {
    image_.read_row(0, y, 40, row.data());
    for (std::size_t i = 0; i < row.size(); ++i) {
      const double d = std::clamp(whole[y * row.size() + i], 0.0F, 1.0F) - row[i];
      error += d * d;
    }
  }
  EXPECT_NEAR(psnr_from_mse(error / static_cast<double>(whole.size())), result.evaluation.fidelity->psnr_db, 1e-3);
}

TEST_F(FitTest, TheSameSeedGivesTheSameBitsInMemoryAndInARunFolder) {
  write_image(path("in.png"), image_);
  const FitResult in_memory = fit(image_, steps(50));
  const FitResult of_file = fit(path("in.png"), steps(50));
  EXPECT_EQ(in_memory.model.params, of_file.model.params);

  FitRequest request;
  request.data = path("in.png");
  request.settings = steps(50);
  FitJob job = resolve_fit(request);
  std::string told;
  FitEvents events;
  events.on_folder = [&](const std::string& folder) { told = folder; };
  const FitOutcome outcome = run_fit(job, {path("run"), false}, events);
  EXPECT_EQ(told, outcome.folder);
  EXPECT_EQ(read_model(path("run/model.safetensors")).params, in_memory.model.params);
  EXPECT_EQ(outcome.result.number("psnr_db"), in_memory.evaluation.fidelity->psnr_db);
  std::ifstream file(path("run/result.json"));
  const nlohmann::json json = nlohmann::json::parse(file);
  EXPECT_EQ(json["psnr_db"].get<double>(), outcome.result.number("psnr_db"));
  EXPECT_EQ(json["steps"], 50);
  EXPECT_EQ(json["kernels"].size(), outcome.kernels.size());
}

TEST_F(FitTest, StopsWhenAskedAndGoesOn) {
  write_image(path("in.png"), image_);
  FitRequest request;
  request.data = path("in.png");
  request.settings = steps(60);
  FitJob job = resolve_fit(request);
  int n_asked = 0;
  FitEvents events;
  events.should_stop = [&] { return ++n_asked > 20; };
  const FitOutcome cut = run_fit(job, {path("run"), false}, events);
  EXPECT_EQ(cut.reason, StopReason::Cancelled);
  EXPECT_EQ(cut.saved_step, 20);
  EXPECT_TRUE(cut.result.empty());
  EXPECT_FALSE(fs::exists(path("run/result.json")));

  FitRequest again;
  again.resume = path("run");
  FitJob resumed = resolve_fit(again);
  const FitOutcome whole = run_fit(resumed);
  EXPECT_EQ(whole.reason, StopReason::MaxSteps);
  EXPECT_EQ(read_model(path("run/model.safetensors")).params, fit(image_, steps(60)).model.params);

  events.should_stop = [] { return true; };
  EXPECT_EQ(fit(image_, steps(60), events).reason, StopReason::Cancelled);
}

TEST_F(FitTest, EstimatesWithoutATrace) {
  FitRequest request;
  request.signal = picture_signal(image_);
  request.settings = steps(1000);
  const FitJob job = resolve_fit(request);
  EXPECT_FALSE(job.choice.empty());
  const FitEstimate estimate = estimate_fit(job);
  EXPECT_GT(estimate.seconds_per_step, 0);
  EXPECT_EQ(estimate.n_steps, 1000);
  EXPECT_EQ(estimate.n_threads, 1);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(FitTest, MistakesSayWhatWasExpected) {
  EXPECT_THROW(fit(path("absent.png")), Error);
  EXPECT_THROW(fit(FitRequest{}), Error);
  FitRequest resumed;
  resumed.signal = picture_signal(image_);
  resumed.resume = path("run");
  EXPECT_THROW(fit(resumed), Error) << "it would start anew";
  Settings wrong = steps(10);
  wrong.set("train.max_step", int64_t{3}, "test");
  EXPECT_THROW(fit(image_, wrong), Error);
  wrong = steps(10);
  wrong.set("run.device", std::string("abacus"), "test");
  EXPECT_THROW(fit(image_, wrong), Error);

  const FitResult result = fit(image_, steps(2));
  std::vector<float> values(10);
  EXPECT_THROW(decode_picture(result.model, {0, 0, 40, 30}, {40, 30}, values), Error);
  Model scene = result.model;
  scene.spec.parts.push_back(scene.spec.parts[0]);
  EXPECT_THROW(decode_picture(scene), Error);
}

TEST_F(FitTest, VideoInMemory) {
  Video video(20, 16, 3, PixelType::U8);
  for (int t = 0; t < 4; ++t) video.append(wavy_image(20, 16, 3, PixelType::U8));
  const FitResult result = fit(video, steps(200));
  EXPECT_GT(result.evaluation.fidelity->psnr_db, 25);
  EXPECT_EQ(std::get<std::vector<double>>(*result.evaluation.more.find("frames.psnr_db")).size(), 4U);
  EXPECT_EQ(result.model.signal.n_frames, 4);
  EXPECT_THROW(decode_picture(result.model), Error);
}

}  // namespace
}  // namespace loe
