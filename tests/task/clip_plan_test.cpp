// The preset "auto" for clips that are trained on product chunks: what it plans, and that such a plan trains, resumes
// and decodes.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>

#include "loe/backend/product_chunks.h"
#include "loe/base/error.h"
#include "loe/task/video_presets.h"
#include "task/task_pictures.h"

namespace loe {
namespace {

FitConfig plan(const VideoShape& shape, AutoFamily family, double max_seconds, int64_t n_params = 0) {
  return video_config_from_settings(
      auto_video_plan(shape, 3, max_seconds, n_params, Precision::F32, 150, family).settings, 3);
}

TEST(ClipPlan, ClipsAreTrainedOnProductChunksThatWasteLittle) {
  for (const VideoShape& shape : {VideoShape{176, 144, 120},
                                  {640, 272, 250},
                                  {1280, 720, 132},
                                  {1921, 1081, 7},
                                  {250, 40, 3000},
                                  {1000, 1000, 1},
                                  {4000, 3, 400}}) {
    for (const AutoFamily family : {AutoFamily::Best, AutoFamily::ExpertsOnChunks}) {
      for (const double seconds : {0.0, 20.0, 60.0, 600.0}) {
        SCOPED_TRACE(testing::Message() << shape.width << 'x' << shape.height << 'x' << shape.n_frames << ", "
                                        << seconds << " s, family " << static_cast<int>(family));
        const FitConfig config = plan(shape, family, seconds);
        const NetworkSpec spec = build_network(config.network);
        EXPECT_EQ(config.sampling, PixelSampling::ProductChunks);
        const std::array<int64_t, 3> size = {shape.width, shape.height, shape.n_frames};
        ASSERT_EQ(ProductChunks::why_not(spec, size), "");
        // Draws outside of the clip are lost. What the box of all digits is: the coarsest tile, as often as it repeats.
        double box = 1;
        for (int axis = 0; axis < 3; ++axis) {
          double cells = static_cast<double>(size[axis]);
          for (const Tile& tile : config.network.tiles) cells /= tile.n[axis];
          box *= std::ceil(cells - 1e-9) / cells;
        }
        EXPECT_LT(box, 1.25);
        EXPECT_EQ(spec.input.embedding.levels.size(), family == AutoFamily::Best ? 8U : 0U);
        EXPECT_GT(spec.input.embedding.size(), spec.n_params() / 2);
        EXPECT_LE(static_cast<double>(spec.n_params()), 0.71 * shape.width * shape.height * shape.n_frames);
      }
    }
  }
}

TEST(ClipPlan, ParametersFollowTheBudgetsFromBelow) {
  const VideoShape shape{640, 272, 250};
  for (const AutoFamily family : {AutoFamily::Best, AutoFamily::ExpertsOnChunks}) {
    for (const int64_t n_params : {150'000, 1'000'000, 4'000'000}) {
      const int64_t found = build_network(plan(shape, family, 60, n_params).network).n_params();
      EXPECT_LE(found, n_params);
      EXPECT_GT(static_cast<double>(found), 0.88 * static_cast<double>(n_params)) << "nodes along an axis are whole";
    }
    const auto found = [&](double seconds) { return build_network(plan(shape, family, seconds).network).n_params(); };
    EXPECT_LT(found(5), found(20));
    EXPECT_LT(found(20), found(60));
    EXPECT_GT(found(60), 1'000'000) << "43.5 million pixels";
  }
}

TEST(ClipPlan, SaysWhatItChose) {
  const AutoPlan best = auto_video_plan({640, 272, 250}, 3, 60, 0, Precision::F32, 150, AutoFamily::Best);
  EXPECT_EQ(best.reason.find('\n'), std::string::npos);
  EXPECT_NE(best.reason.find("on a grid of features up to "), std::string::npos) << best.reason;
  const AutoPlan pure = auto_video_plan({640, 272, 250}, 3, 60, 0, Precision::F32, 150, AutoFamily::ExpertsOnChunks);
  EXPECT_NE(pure.reason.find("beside a table of "), std::string::npos) << pure.reason;
}

TEST(ClipPlan, OtherClipsAndPrecisionsKeepTheFamilyOfExperts) {
  const auto reason = [](const VideoShape& shape, int64_t n_params, Precision precision, AutoFamily family) {
    return auto_video_plan(shape, 3, 60, n_params, precision, 150, family).reason;
  };
  const auto expect_same = [&](const VideoShape& shape, int64_t n_params, Precision precision) {
    EXPECT_EQ(reason(shape, n_params, precision, AutoFamily::Best),
              reason(shape, n_params, precision, AutoFamily::Experts));
  };
  expect_same({64, 64, 100}, 0, Precision::F32);
  expect_same({640, 272, 250}, 0, Precision::Bf16);
  expect_same({640, 272, 250}, 20'000, Precision::F32);
  EXPECT_THROW(reason({0, 272, 250}, 0, Precision::F32, AutoFamily::Best), Error);
}

/// Waves that move, enough pixels for the plan.
Video moving_waves() {
  Video video(112, 96, 3, PixelType::U8);
  std::vector<float> row(std::size_t{112} * 3);
  for (int t = 0; t < 96; ++t) {
    Image frame(112, 96, 3, PixelType::U8);
    for (int y = 0; y < 96; ++y) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = static_cast<float>(0.5 + 0.3 * std::sin(0.02 * static_cast<double>(i) + 0.1 * t) * std::cos(0.05 * y));
      }
      frame.write_row(0, y, 112, row.data());
    }
    video.append(std::move(frame));
  }
  return video;
}

class PlannedClip : public testing::Test {
 protected:
  RunState fresh() const { return initial_run_state(build_network(config_.network), 5, config_.network.init); }

  /// Trains up to a step, or until the time is up.
  void run(RunState& state, int n_threads, int64_t last_step = 0) {
    VideoProblem problem(video_, config_);
    const std::unique_ptr<Executor> executor =
        cpu_backend().compile(build_network(config_.network), {Precision::F32, n_threads, ""});
    ModelExecutor model(*executor);
    model.set_params(state.params.params);
    std::atomic<bool> cancel = false;
    TrainOptions options = config_.train;
    options.steps_per_log = 1;
    TrainerEvents events;
    events.on_log = [&](const Progress& progress) { cancel = last_step > 0 && progress.step == last_step; };
    if (last_step > 0) options.max_seconds = 0;
    train(problem, model, options, state, events, [&] { return cancel.load(); });
    psnr_db_ = problem.evaluate_psnr(model).value();
  }

  Video video_ = moving_waves();
  FitConfig config_ = plan({112, 96, 96}, AutoFamily::Best, 0.5, 60'000);
  double psnr_db_ = 0;
};

TEST_F(PlannedClip, LearnsAndResumesWithinItsTimePlanBitForBit) {
  RunState timed = fresh();
  run(timed, 2);
  EXPECT_GT(psnr_db_, 25) << "a constant has 16.5 dB";
  ASSERT_GT(timed.plan.size(), 3U);
  ASSERT_GT(timed.step, 16);
  // The same plan again: on other numbers of threads, and stopped in its middle.
  const int64_t every = config_.train.adam.embedding.every;
  const int64_t middle = timed.step / 2 / every * every;
  RunState parts = fresh();
  parts.plan = timed.plan;
  run(parts, 1, middle);
  ASSERT_EQ(parts.step, middle);
  run(parts, 3, timed.step);
  EXPECT_EQ(parts.step, timed.step);
  EXPECT_EQ(std::memcmp(parts.params.params.data(), timed.params.params.data(), 4 * timed.params.params.size()), 0);
  EXPECT_EQ(std::memcmp(parts.params.adam_v.data(), timed.params.adam_v.data(), 4 * timed.params.adam_v.size()), 0);

  // Others decode the same frames from these parameters.
  const std::unique_ptr<Executor> reference =
      reference_backend().compile(build_network(config_.network), {Precision::F32, 1, ""});
  reference->set_params(timed.params.params);
  const std::unique_ptr<Executor> cpu = cpu_backend().compile(build_network(config_.network), {Precision::F32, 1, ""});
  cpu->set_params(timed.params.params);
  ClipView view = whole_clip({112, 96, 96});
  view.region = {40, 30, 16, 8};
  view.width = 16;
  view.height = 8;
  view.first_frame = 50;
  view.n_source_frames = 2;
  view.n_frames = 2;
  std::vector<float> found;
  std::vector<float> expected;
  for (auto* const decoder : {cpu.get(), reference.get()}) {
    std::vector<float>& values = decoder == cpu.get() ? found : expected;
    decode_video(*decoder, {112, 96, 96}, view, [&](int, int, int n_rows, const float* rows) {
      values.insert(values.end(), rows, rows + std::ptrdiff_t{n_rows} * 16 * 3);
    });
  }
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4);
}

}  // namespace
}  // namespace loe
