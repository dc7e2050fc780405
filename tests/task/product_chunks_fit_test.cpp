// Fits with data.sampling = "product_chunks": pictures and videos, on the trainer for narrow networks and without it.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "loe/base/error.h"
#include "loe/task/video_task.h"
#include "task/task_pictures.h"

namespace loe {
namespace {

/// Cells of 4, 2 and 1 pixels.
Settings nested_settings(int width, int height) {
  Settings settings = small_settings();
  std::vector<std::vector<double>> resolutions;
  for (const double cell : {4, 2, 1}) resolutions.push_back({width / cell, height / cell});
  settings.set("model.resolutions", resolutions, "test");
  settings.set("data.sampling", std::string("product_chunks"), "test");
  settings.set("train.max_steps", int64_t{400}, "test");
  return settings;
}

/// Updates up to `step` of a run, by cancelling: max_steps must stay the run's own.
void run_to(int64_t step, Problem& problem, Executor& executor, const FitConfig& config, RunState& state) {
  std::atomic<bool> cancel = false;
  TrainOptions options = config.train;
  options.steps_per_log = 1;
  TrainerEvents events;
  events.on_log = [&](const Progress& progress) { cancel = progress.step == step; };
  ModelExecutor model(executor);
  train(problem, model, options, state, events, [&] { return cancel.load(); });
}

std::unique_ptr<Executor> compile_cpu(const FitConfig& config, int n_threads) {
  return cpu_backend().compile(build_network(config.network), {Precision::F32, n_threads, ""});
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}
void expect_same_bits(const RunState& a, const RunState& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_TRUE(same_bits(a.params.params, b.params.params));
  EXPECT_TRUE(same_bits(a.params.adam_m, b.params.adam_m));
  EXPECT_TRUE(same_bits(a.params.adam_v, b.params.adam_v));
}

TEST(ProductChunksFit, PicturesAreLearnedOnEveryBackend) {
  const Image image = wavy_image(20, 18, 3, PixelType::U8);  // 18: the last coarse cells are cut off
  const FitConfig config = image_config_from_settings(nested_settings(20, 18), 3);
  for (const Backend* backend : {&cpu_backend(), &reference_backend()}) {
    ImageProblem problem(image, config);
    const std::unique_ptr<Executor> executor = backend->compile(build_network(config.network), {Precision::F32, 2, ""});
    RunState state = initial_run_state(executor->spec(), config.seed);
    run_to(400, problem, *executor, config, state);
    ModelExecutor model(*executor);
    EXPECT_GT(problem.evaluate_psnr(model).value(), 20) << backend->name();  // the best constant has 17.0 dB
  }
}

TEST(ProductChunksFit, TheTrainersCountOfSamplesIsTheDrawings) {
  const Image image = wavy_image(20, 18, 3, PixelType::U8);  // 18: some draws fall outside
  const FitConfig config = image_config_from_settings(nested_settings(20, 18), 3);
  const std::unique_ptr<Executor> executor = compile_cpu(config, 2);
  const std::vector<KernelInfo> kernels = executor->kernels();
  ASSERT_TRUE(std::any_of(kernels.begin(), kernels.end(), [](const KernelInfo& info) {
    return info.operation == "training on product chunks" && info.kernel != "as other batches";
  }));
  ModelExecutor model(*executor);
  RunState state = initial_run_state(executor->spec(), config.seed);
  model.set_params(state.params.params);
  ImageProblem trained(image, config);
  ImageProblem drawn(image, config);
  int n_short = 0;
  for (state.step = 0; state.step < 4; ++state.step) {
    AdamUpdate update = config.train.adam;
    update.t = state.step + 1;
    const int64_t n_samples = trained.step(model, update, state).n_samples;
    EXPECT_EQ(n_samples, drawn.batch(state.step).n_samples());
    n_short += n_samples < config.batch_size ? 1 : 0;
  }
  EXPECT_GT(n_short, 0);
}

TEST(ProductChunksFit, ResumedEqualsUninterruptedBitForBit) {
  const Image image = wavy_image(20, 18, 3, PixelType::U16);
  const FitConfig config = image_config_from_settings(nested_settings(20, 18), 3);
  const auto fresh = [&] { return initial_run_state(build_network(config.network), config.seed); };
  ImageProblem problem(image, config);
  RunState whole = fresh();
  run_to(12, problem, *compile_cpu(config, 1), config, whole);
  for (const int64_t stop : {1, 7, 11}) {
    RunState state = fresh();
    run_to(stop, problem, *compile_cpu(config, 2), config, state);
    EXPECT_EQ(state.step, stop);
    run_to(12, problem, *compile_cpu(config, 3), config, state);  // a new process
    expect_same_bits(state, whole);
  }
}

TEST(ProductChunksFit, Videos) {
  Video video(16, 12, 3, PixelType::U8);
  for (int t = 0; t < 6; ++t) video.append(wavy_image(16, 12, 3, PixelType::U8));
  Settings settings = nested_settings(16, 12);
  settings.set("model.resolutions", std::vector<std::vector<double>>{{4, 3, 1}, {8, 6, 3}, {16, 12, 6}}, "test");
  settings.set("model.tiles", std::vector<std::vector<double>>{{4, 3, 1}, {2, 2, 3}, {2, 2, 2}}, "test");
  settings.set("data.batch_size", int64_t{500}, "test");
  const FitConfig config = fit_config_from_settings(settings, SignalKind::Video, 3);
  VideoProblem problem(video, config);
  const std::unique_ptr<Executor> executor = compile_cpu(config, 2);
  RunState state = initial_run_state(executor->spec(), config.seed);
  run_to(400, problem, *executor, config, state);
  ModelExecutor model(*executor);
  EXPECT_GT(problem.evaluate_psnr(model).value(), 20);
}

TEST(ProductChunksFit, OtherGridsAreRefusedInOneLine) {
  const Image image = wavy_image(20, 18, 3, PixelType::U8);
  Settings settings = nested_settings(20, 18);
  settings.set("model.resolutions", std::vector<double>{3, 7, 20}, "test");
  try {
    ImageProblem problem(image, image_config_from_settings(settings, 3));
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Unsupported);
    EXPECT_STREQ(error.what(),
                 "[product_chunks] network: expected nested grids of whole pixels, found: levels.0: cells along axis 0 "
                 "are not a whole number of pixels; use data.sampling = \"random_pixels\"");
  }
}

}  // namespace
}  // namespace loe
