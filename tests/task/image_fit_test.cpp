// The trainer with real pictures, networks and the reference backend.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "loe/base/error.h"
#include "loe/base/random.h"
#include "task/task_pictures.h"

namespace loe {
namespace {

struct Fit {
  Fit(const Image& image, const FitConfig& fit_config, int n_threads = 1)
      : config(fit_config),
        problem(image, config),
        executor(compile_reference(config, n_threads)),
        model(*executor),
        state(initial_run_state(executor->spec(), config.seed)) {}

  /// Runs until `step` updates are done, by cancelling: max_steps must stay the run's own.
  void run_to(int64_t step) {
    std::atomic<bool> cancel = false;
    TrainOptions options = config.train;
    options.steps_per_log = 1;
    TrainerEvents events;
    events.on_log = [&](const Progress& progress) {
      losses.push_back(progress.loss);
      cancel = progress.step == step;
    };
    train(problem, model, options, state, events, [&] { return cancel.load(); });
    EXPECT_EQ(state.step, step);
  }

  FitConfig config;
  ImageProblem problem;
  std::unique_ptr<Executor> executor;
  ModelExecutor model;
  RunState state;
  std::vector<double> losses;
};

/// Bits, not values: NaN equals itself here.
bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void expect_same_bits(const RunState& a, const RunState& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_TRUE(same_bits(a.params.params, b.params.params));
  EXPECT_TRUE(same_bits(a.params.adam_m, b.params.adam_m));
  EXPECT_TRUE(same_bits(a.params.adam_v, b.params.adam_v));
}

TEST(ImageFit, LossFallsWithBothSamplings) {
  const Image image = wavy_image(20, 16, 3, PixelType::U8);
  for (const char* sampling : {"all_pixels", "random_pixels"}) {
    Settings settings = small_settings();
    settings.set("data.sampling", std::string(sampling), "test");
    settings.set("train.max_steps", int64_t{400}, "test");
    Fit fit(image, image_config_from_settings(settings, 3));
    fit.run_to(400);
    EXPECT_LT(fit.losses.back(), fit.losses.front() / 10) << sampling;
    EXPECT_GT(fit.problem.evaluate_psnr(fit.model).value(), 20) << sampling;  // the best constant has 17.0 dB
  }
}

// Each pixel in its own noise: a small network with few frequencies cannot follow, a node per pixel can.
TEST(ImageFit, EmbeddingLearnsWhatAPlainNetworkCannot) {
  Image image(16, 16, 1, PixelType::F32);
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 16; ++x) {
      const float value = to_unit_float(random_words(3, RandomStream::Samples, static_cast<uint64_t>(16 * y + x))[0]);
      image.write_row(x, y, 1, &value);
    }
  }
  const auto psnr = [&](bool has_embedding) {
    Settings settings = small_settings();
    settings.set("model.widths", std::vector<double>{12}, "test");
    settings.set("model.tiles", std::vector<double>{1}, "test");
    settings.set("model.resolutions", std::vector<double>{1}, "test");
    settings.set("model.n_frequencies", int64_t{2}, "test");
    settings.set("data.sampling", std::string("all_pixels"), "test");
    settings.set("train.max_steps", int64_t{300}, "test");
    settings.set("model.embedding", has_embedding, "test");
    settings.set("model.embedding_resolution", std::vector<double>{16, 16}, "test");
    settings.set("model.embedding_channels", int64_t{4}, "test");
    Fit fit(image, image_config_from_settings(settings, 1));
    fit.run_to(300);
    return fit.problem.evaluate_psnr(fit.model).value();
  };
  const double without = psnr(false);
  EXPECT_LT(without, 13);  // the best constant has 10.8 dB
  EXPECT_GT(psnr(true), without + 10);
}

TEST(ImageFit, ResumedEqualsUninterruptedBitForBit) {
  const Image image = wavy_image(19, 24, 3, PixelType::U16);
  for (const char* sampling : {"all_pixels", "random_pixels"}) {
    Settings settings = small_settings();
    settings.set("data.sampling", std::string(sampling), "test");
    settings.set("train.max_steps", int64_t{16}, "test");
    const FitConfig config = image_config_from_settings(settings, 3);
    Fit whole(image, config);
    whole.run_to(16);
    for (const int64_t stop : {1, 8, 15}) {
      Fit first(image, config);
      first.run_to(stop);
      Fit second(image, config, 3);  // a new process with another number of threads
      second.state = first.state;
      second.run_to(16);
      expect_same_bits(second.state, whole.state);
    }
  }
}

// Tables that move in every fourth update: a run is only ever left where nothing is pending.
TEST(ImageFit, ResumedGridEqualsUninterruptedBitForBit) {
  const Image image = wavy_image(19, 24, 3, PixelType::U8);
  Settings settings = small_settings();
  settings.set("model.input", std::string("grid"), "test");
  settings.set("model.grid_levels", int64_t{3}, "test");
  settings.set("model.grid_coarsest", 3.0, "test");
  settings.set("model.grid_finest", std::vector<double>{19, 24}, "test");
  settings.set("model.grid_log2_entries", int64_t{7}, "test");
  settings.set("train.embedding_every", int64_t{4}, "test");
  settings.set("train.embedding_skips_zeros", true, "test");
  settings.set("train.max_steps", int64_t{14}, "test");
  const FitConfig config = image_config_from_settings(settings, 3);
  Fit whole(image, config);
  whole.run_to(14);
  EXPECT_LT(whole.losses.back(), whole.losses.front());
  for (const int64_t stop : {4, 12}) {
    Fit first(image, config);
    first.run_to(stop);
    Fit second(image, config, 3);
    second.state = first.state;
    second.run_to(14);
    expect_same_bits(second.state, whole.state);
  }
}

TEST(ImageFit, StoppingRulesAndCadencesDoNotChangeTheResult) {
  const Image image = wavy_image(16, 16, 1, PixelType::U8);
  Settings settings = small_settings();
  settings.set("train.max_steps", int64_t{10}, "test");
  const FitConfig config = image_config_from_settings(settings, 1);
  Fit plain(image, config);
  plain.run_to(10);
  Fit busy(image, config);
  busy.config.train.max_seconds = 1000;
  busy.config.train.until_psnr_db = 99;
  busy.config.train.steps_per_eval = 3;
  busy.config.train.steps_per_save = 2;
  busy.run_to(10);
  expect_same_bits(busy.state, plain.state);
}

TEST(ImageFit, StopsAtTheTarget) {
  const Image image = wavy_image(16, 16, 1, PixelType::U8);
  Settings settings = small_settings();
  settings.set("train.max_steps", int64_t{3000}, "test");
  settings.set("train.until_psnr_db", 24.0, "test");
  Fit fit(image, image_config_from_settings(settings, 1));
  EXPECT_EQ(train(fit.problem, fit.model, fit.config.train, fit.state, {}, nullptr), StopReason::TargetReached);
  EXPECT_GE(fit.state.best_psnr_db, 24);
  EXPECT_EQ(fit.state.best_step, fit.state.step);
  EXPECT_LT(fit.state.step, 1000);
  EXPECT_GE(fit.problem.evaluate_psnr(fit.model).value(), 24);
}

TEST(ImageFit, SeedDecidesTheResult) {
  const Image image = wavy_image(16, 16, 1, PixelType::U8);
  Settings settings = small_settings();
  Fit a(image, image_config_from_settings(settings, 1));
  settings.set("train.seed", int64_t{1}, "test");
  Fit b(image, image_config_from_settings(settings, 1));
  a.run_to(2);
  b.run_to(2);
  EXPECT_NE(a.state.params.params, b.state.params.params);
}

TEST(ImageFit, NonFinitePixelsAreNamed) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Image image = wavy_image(16, 16, 1, PixelType::F32);
    image.write_row(5, 6, 1, &bad);
    Settings settings = small_settings();
    settings.set("data.sampling", std::string("all_pixels"), "test");
    Fit fit(image, image_config_from_settings(settings, 1));
    const RunState before = fit.state;
    try {
      fit.run_to(1);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Numerical);
      const std::string message = error.what();
      EXPECT_NE(message.find("step 0"), std::string::npos) << message;
      EXPECT_NE(message.find("target of sample"), std::string::npos) << message;
    }
    expect_same_bits(fit.state, before);
  }
}

TEST(ImageFit, ExplodingRateStopsWithStepAndTensor) {
  const Image image = wavy_image(16, 16, 1, PixelType::U8);
  FitConfig config = image_config_from_settings(small_settings(), 1);
  config.train.schedule.learning_rate = 1e30;
  Fit fit(image, config);
  RunState last_good;
  TrainerEvents events;
  TrainOptions options = config.train;
  options.steps_per_log = 1;
  events.on_log = [&](const Progress&) { last_good = fit.state; };
  events.on_save = [&](const RunState&, bool) { ADD_FAILURE() << "saved a state that blew up"; };
  try {
    train(fit.problem, fit.model, options, fit.state, events, nullptr);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Numerical);
    EXPECT_NE(std::string(error.what()).find("step " + std::to_string(fit.state.step)), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("learning_rate"), std::string::npos);
  }
  ASSERT_GE(fit.state.step, 1);
  expect_same_bits(fit.state, last_good);
}

TEST(ImageFit, ProblemRefusesAnotherNumberOfChannels) {
  const Image image = wavy_image(16, 16, 1, PixelType::U8);
  EXPECT_THROW(ImageProblem(image, image_config_from_settings(small_settings(), 3)), Error);
}

}  // namespace
}  // namespace loe
