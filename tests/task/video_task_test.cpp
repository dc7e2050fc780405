#include "loe/task/video_task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "loe/base/error.h"
#include "loe/metric/image_metrics.h"
#include "loe/task/video_presets.h"
#include "task/task_pictures.h"

namespace loe {
namespace {

Settings small_video_settings() {
  Settings settings;
  settings.set("model.widths", std::vector<double>{8, 8, 8}, "test");
  settings.set("model.tiles", std::vector<std::vector<double>>{{2, 2, 1}, {2, 2, 2}, {4, 2, 2}}, "test");
  settings.set("model.resolutions", std::vector<std::vector<double>>{{2, 2, 1}, {4, 4, 2}, {16, 8, 4}}, "test");
  settings.set("model.n_frequencies", int64_t{3}, "test");
  settings.set("data.batch_size", int64_t{512}, "test");
  settings.set("train.learning_rate", 0.01, "test");
  settings.set("train.max_steps", int64_t{400}, "test");
  return settings;
}

/// A bright bar that moves to the right over a smooth ground.
Video moving_bar(int width, int height, int n_frames, PixelType type = PixelType::U8) {
  Video video(width, height, 3, type);
  std::vector<float> row(std::size_t(width) * 3);
  for (int t = 0; t < n_frames; ++t) {
    Image frame(width, height, 3, type);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const bool is_bar = std::abs(x - (t + 0.5) * width / n_frames) < 2;
        row[3 * x] = is_bar ? 0.9F : 0.2F + 0.3F * static_cast<float>(y) / static_cast<float>(height);
        row[3 * x + 1] = is_bar ? 0.8F : 0.4F;
        row[3 * x + 2] = static_cast<float>(x) / static_cast<float>(width);
      }
      frame.write_row(0, y, width, row.data());
    }
    video.append(std::move(frame));
  }
  return video;
}

class VideoTask : public testing::Test {
 protected:
  VideoTask() { executor->set_params(initial_params(executor->spec(), 3)); }

  std::vector<float> decode(const VideoShape& shape, const ClipView& view) {
    std::vector<float> values;
    int next_row = 0;
    int next_frame = 0;
    decode_video(*executor, shape, view, [&](int frame, int first_row, int n_rows, const float* rows) {
      EXPECT_EQ(frame, next_frame);
      EXPECT_EQ(first_row, next_row);
      values.insert(values.end(), rows, rows + std::size_t(n_rows) * view.width * 3);
      next_row += n_rows;
      if (next_row == view.height) {
        next_row = 0;
        ++next_frame;
      }
    });
    EXPECT_EQ(next_frame, view.n_frames);
    return values;
  }

  std::vector<float> forward(const std::vector<float>& coords) {
    std::vector<float> outputs(coords.size());
    executor->forward({static_cast<int64_t>(coords.size() / 3), coords, {}}, outputs);
    return outputs;
  }

  std::vector<float> coords_of(const VideoShape& shape, float t) const {
    std::vector<float> coords;
    for (int y = 0; y < shape.height; ++y) {
      for (int x = 0; x < shape.width; ++x) {
        coords.insert(coords.end(), {pixel_coordinate(x, shape.width), pixel_coordinate(y, shape.height), t});
      }
    }
    return coords;
  }

  FitConfig config = video_config_from_settings(small_video_settings(), 3);
  std::unique_ptr<Executor> executor = compile_reference(config);
};

TEST_F(VideoTask, DecodingEqualsForwardAtPixelAndFrameCentres) {
  for (const VideoShape& shape : {VideoShape{1, 1, 1}, {5, 1, 3}, {70, 33, 4}, {64, 64, 7}}) {
    std::vector<float> expected;
    for (int t = 0; t < shape.n_frames; ++t) {
      const std::vector<float> frame = forward(coords_of(shape, pixel_coordinate(t, shape.n_frames)));
      expected.insert(expected.end(), frame.begin(), frame.end());
    }
    EXPECT_EQ(decode(shape, whole_clip(shape)), expected) << shape.width << "x" << shape.height;
  }
}

TEST_F(VideoTask, FramesInBetweenLieBetweenTheTrainedTimes) {
  const VideoShape shape{6, 4, 10};
  ClipView view = whole_clip(shape);
  view.first_frame = 2;
  view.n_source_frames = 4;
  view.n_frames = 8;  // two for each frame: at its quarters
  const std::vector<float> values = decode(shape, view);
  for (int i = 0; i < 8; ++i) {
    const auto t = static_cast<float>((2 + (i + 0.5) / 2) / 10);
    const std::vector<float> expected = forward(coords_of(shape, t));
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), values.begin() + std::ptrdiff_t(i) * 6 * 4 * 3)) << i;
  }
}

TEST_F(VideoTask, PartsAreCutFromTheWhole) {
  const VideoShape shape{20, 12, 6};
  const std::vector<float> whole = decode(shape, whole_clip(shape));
  ClipView view = whole_clip(shape);
  view.region = {3, 2, 9, 5};
  view.width = 9;
  view.height = 5;
  view.first_frame = 4;
  view.n_source_frames = 2;
  view.n_frames = 2;
  const std::vector<float> part = decode(shape, view);
  std::vector<float> expected;
  for (int t = 4; t < 6; ++t) {
    for (int y = 2; y < 7; ++y) {
      const auto row = whole.begin() + ((t * 12 + y) * 20 + 3) * 3;
      expected.insert(expected.end(), row, row + 27);
    }
  }
  EXPECT_EQ(part, expected);
}

TEST_F(VideoTask, RefusesViewsOutsideTheVideo) {
  const VideoShape shape{20, 12, 6};
  const auto refused = [&](auto change) {
    ClipView view = whole_clip(shape);
    change(view);
    EXPECT_THROW(decode_video(*executor, shape, view, [](int, int, int, const float*) {}), Error);
  };
  refused([](ClipView& view) { view.first_frame = -0.5; });
  refused([](ClipView& view) { view.first_frame = 1; });  // ends at frame 7
  refused([](ClipView& view) { view.n_source_frames = 0; });
  refused([](ClipView& view) { view.n_source_frames = std::nan(""); });
  refused([](ClipView& view) { view.n_frames = 0; });
  refused([](ClipView& view) { view.region.x = 1; });
  refused([](ClipView& view) { view.width = 70000; });
  const FitConfig flat = image_config_from_settings(small_settings(), 3);
  const std::unique_ptr<Executor> picture = compile_reference(flat);
  EXPECT_THROW(decode_video(*picture, shape, whole_clip(shape), [](int, int, int, const float*) {}), Error);
}

TEST_F(VideoTask, EvaluationPoolsTheErrorAndKeepsTheFrames) {
  for (const PixelType type : {PixelType::U8, PixelType::U16}) {
    const Video video = moving_bar(24, 18, 5, type);
    const VideoShape shape{24, 18, 5};
    const VideoEvaluation evaluation = evaluate_video(*executor, video, {});
    ASSERT_EQ(evaluation.frames.size(), 5U);
    const std::vector<float> predicted = decode(shape, whole_clip(shape));
    double sum = 0;
    double psnr_sum = 0;
    double ssim_sum = 0;
    for (int t = 0; t < 5; ++t) {
      ImageMetrics metrics(24, 18, 3, true);
      std::vector<float> target(24 * 3);
      for (int y = 0; y < 18; ++y) {
        video.frame(t).read_row(0, y, 24, target.data());
        metrics.add_row(predicted.data() + (t * 18 + y) * 72, target.data());
      }
      sum += metrics.mse();
      psnr_sum += metrics.psnr_db();
      ssim_sum += metrics.ssim(SsimWindow::Uniform7);
      EXPECT_EQ(evaluation.frames[t].psnr_db, metrics.psnr_db());
      EXPECT_EQ(evaluation.frames[t].ssim_gaussian, metrics.ssim(SsimWindow::Gaussian11));
    }
    EXPECT_NEAR(evaluation.psnr_db, psnr_from_mse(sum / 5), 1e-9);
    EXPECT_NEAR(evaluation.psnr_frame_db, psnr_sum / 5, 1e-9);
    EXPECT_NEAR(evaluation.ssim, ssim_sum / 5, 1e-12);
    VideoProblem problem(video, config);
    ModelExecutor model(*executor);
    EXPECT_NEAR(problem.evaluate_psnr(model).value(), evaluation.psnr_db, 1e-6);
  }
}

TEST_F(VideoTask, RowsSeenByTheCallerAreTheFramesOfTheVideo) {
  const Video video = moving_bar(10, 7, 3);
  int next_frame = 0;
  std::vector<float> expected(10 * 3);
  evaluate_video(*executor, video, [&](int frame, int first_row, int n_rows, const float*, const float* target) {
    for (int i = 0; i < n_rows; ++i) {
      video.frame(frame).read_row(0, first_row + i, 10, expected.data());
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), target + i * 30));
    }
    next_frame += first_row + n_rows == 7 ? 1 : 0;
  });
  EXPECT_EQ(next_frame, 3);
}

TEST_F(VideoTask, TrainingLearnsTheClipAndDoesNotDependOnThreads) {
  const Video video = moving_bar(32, 24, 12);
  Settings settings = small_video_settings();
  settings.set("model.widths", std::vector<double>{16, 16, 16, 16}, "test");
  settings.set("model.tiles", int64_t{2}, "test");
  settings.set("model.resolutions", std::vector<std::vector<double>>{{2, 2, 2}, {8, 6, 3}, {16, 12, 6}, {32, 24, 12}},
               "test");
  settings.set("data.batch_size", int64_t{1024}, "test");
  settings.set("train.max_steps", int64_t{1500}, "test");
  config = video_config_from_settings(settings, 3);
  std::vector<float> params[2];
  for (const int n_threads : {1, 3}) {
    VideoProblem problem(video, config);
    const std::unique_ptr<Executor> fast =
        cpu_backend().compile(build_network(config.network), {Precision::F32, n_threads, ""});
    RunState state = initial_run_state(fast->spec(), 7);
    fast->set_params(state.params.params);
    ModelExecutor model(*fast);
    const double before = problem.evaluate_psnr(model).value();
    EXPECT_EQ(train(problem, model, config.train, state, {}, nullptr), StopReason::MaxSteps);
    const double after = problem.evaluate_psnr(model).value();
    EXPECT_GT(after, 26) << "a constant colour has 15 dB";
    EXPECT_LT(before, 15);
    params[n_threads == 1 ? 0 : 1] = state.params.params;
  }
  EXPECT_EQ(params[0], params[1]);
}

TEST_F(VideoTask, HashCoversFramesAndSettings) {
  const Video video = moving_bar(8, 6, 3);
  const std::string hash = video_config_hash(config, video);
  EXPECT_EQ(hash.size(), 16U);
  EXPECT_EQ(hash, video_config_hash(config, moving_bar(8, 6, 3)));
  EXPECT_NE(hash, video_config_hash(config, moving_bar(8, 6, 4)));
  EXPECT_NE(hash, video_config_hash(config, moving_bar(8, 6, 3, PixelType::U16)));
  FitConfig other = config;
  other.network.layout.resolutions[0][2] = 3;
  EXPECT_NE(hash, video_config_hash(other, video));
  Video slower = moving_bar(8, 6, 3);
  slower.frame_rate = {10, 1};
  EXPECT_EQ(hash, video_config_hash(config, slower));
}

TEST_F(VideoTask, RefusesAnotherNetworkOrNumberOfChannels) {
  const Video video = moving_bar(8, 6, 3);
  EXPECT_THROW(VideoProblem(video, video_config_from_settings(small_video_settings(), 1)), Error);
  EXPECT_THROW(VideoProblem(video, image_config_from_settings(small_settings(), 3)), Error);
  EXPECT_THROW(evaluate_video(*compile_reference(video_config_from_settings(small_video_settings(), 1)), video, {}),
               Error);
}

TEST(VideoConfig, ListsPerAxisHaveThreeNumbersAndSurviveTheRoundTrip) {
  Settings settings = small_video_settings();
  settings.set("data.frames", std::vector<double>{10, 64}, "test");
  settings.set("model.embedding", true, "test");
  settings.set("model.embedding_resolution", std::vector<double>{6, 5, 4}, "test");
  settings.set("model.embedding_channels", int64_t{3}, "test");
  const FitConfig config = video_config_from_settings(settings, 3);
  EXPECT_EQ(config.network.n_dims, 3);
  EXPECT_EQ(config.network.tiles[2].n, (std::array<int, 4>{4, 2, 2, 1}));
  EXPECT_EQ(config.network.layout.resolutions[0][2], 1);
  EXPECT_EQ(config.edit.frames, (std::array<int, 2>{10, 64}));
  EXPECT_EQ(config.network.input.embedding.resolution, (std::array<int, 4>{6, 5, 4, 0}));
  const Settings written = fit_config_to_settings(config);
  const FitConfig back = video_config_from_settings(written, 3);
  EXPECT_EQ(build_network(back.network), build_network(config.network));
  EXPECT_EQ(back.edit, config.edit);

  settings.set("model.tiles", std::vector<std::vector<double>>{{2, 2}, {2, 2}, {4, 2}}, "test");
  EXPECT_THROW(video_config_from_settings(settings, 3), Error);
  Settings flat = small_settings();
  flat.set("data.frames", std::vector<double>{0, 5}, "test");
  EXPECT_THROW(image_config_from_settings(flat, 3), Error);
}

TEST(VideoConfig, DefaultIsTheNetworkOfTable2) {
  const NetworkSpec network = build_network(video_config_from_settings({}, 3).network);
  EXPECT_EQ(network.n_params(), 16896003);
  EXPECT_EQ(network.macs_per_sample(), 277504);
}

TEST(VideoPresets, Table2AndItsName) {
  const FitConfig config = video_config_from_settings(video_preset("video"), 3);
  const NetworkSpec network = build_network(config.network);
  EXPECT_EQ(network.n_params(), 16896003);
  EXPECT_EQ(network.macs_per_sample(), 277504);
  EXPECT_EQ(config.batch_size, 160000);
  EXPECT_EQ(config.train.max_steps, 200000);
  EXPECT_EQ(config.train.schedule.learning_rate, 0.01);
  for (const PresetInfo& preset : video_presets()) {
    EXPECT_TRUE(preset.name == "auto" || !video_preset(preset.name).entries().empty());
  }
  EXPECT_THROW(video_preset("auto"), Error);
  const FitConfig grid = video_config_from_settings(video_preset("hash_grid", {64, 32, 20}), 3);
  EXPECT_EQ(build_network(grid.network).input.embedding.levels.back().cells,
            (std::array<double, kMaxDims>{64, 32, 20, 0}));
  try {
    video_preset("vidio");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::NotFound);
    EXPECT_NE(std::string(error.what()).find("did you mean video?"), std::string::npos);
  }
}

TEST(AutoVideo, EveryFramePixelHasItsOwnPathAndNoExpertIsUnused) {
  for (const VideoShape& shape :
       {VideoShape{176, 144, 120}, {640, 272, 250}, {1280, 720, 4}, {8, 8, 1000}, {1, 1, 1}}) {
    const NetworkConfig network =
        video_config_from_settings(auto_video_settings(shape, 3, 1e6, 0, Precision::F32, 1e4), 3).network;
    const NetworkSpec spec = build_network(network);
    const std::array<int, 3> size = {shape.width, shape.height, shape.n_frames};
    for (int axis = 0; axis < 3; ++axis) {
      std::vector<std::vector<int>> paths(size[axis]);
      for (const LayerSpec& layer : spec.layers) {
        const int n = layer.tile.n[axis];
        if (layer.n_experts() == 1) continue;
        std::vector<bool> used(n);
        for (int i = 0; i < size[axis]; ++i) {
          const double q = layer.grid.a[axis][axis] * (i + 0.5) / size[axis];
          const int expert = static_cast<int>(std::floor(q)) % n;
          paths[i].push_back(expert);
          used[expert] = true;
        }
        EXPECT_TRUE(std::all_of(used.begin(), used.end(), [](bool is_used) { return is_used; }))
            << layer.name << " axis " << axis;
      }
      std::sort(paths.begin(), paths.end());
      // Three levels of eight experts tell 512 cells apart; longer axes repeat experts within a cell.
      const double most = std::pow(8, network.widths.size());
      const int longest = axis < 2 ? std::max(size[0], size[1]) : size[2];
      const auto n_paths = std::unique(paths.begin(), paths.end()) - paths.begin();
      EXPECT_GE(static_cast<double>(n_paths), longest <= most ? size[axis] : 0.5 * std::min<double>(most, size[axis]))
          << "axis " << axis;
    }
  }
}

TEST(AutoVideo, ShortRunsHaveCellsOfSeveralFrames) {
  const auto settings = auto_video_settings({640, 272, 250}, 3, 60, 0, Precision::F32, 50);
  const FitConfig config = video_config_from_settings(settings, 3);
  const Resolution& finest = config.network.layout.resolutions.back();
  EXPECT_GE(640 / finest[0], 2);
  EXPECT_EQ(640 / finest[0], 272 / finest[1]);
  EXPECT_EQ(250 / finest[2], 2 * 640 / finest[0]);
  EXPECT_EQ(config.network.layout.kind, LayoutKind::CoarseToFine);
  EXPECT_GE(config.batch_size, 4096);
  // The coarsest tile covers the clip once.
  EXPECT_GE(config.network.tiles[0].n[0], config.network.layout.resolutions[0][0]);
  EXPECT_GE(config.network.tiles[0].n[2], config.network.layout.resolutions[0][2]);
}

TEST(AutoVideo, BudgetsAndBadSizes) {
  const VideoShape shape{176, 144, 120};
  const auto params = [&](int64_t budget) {
    return build_network(
               video_config_from_settings(auto_video_settings(shape, 3, 0, budget, Precision::F32, 100), 3).network)
        .n_params();
  };
  EXPECT_LE(params(250000), 250000);
  EXPECT_GT(params(250000), 200000);
  const FitConfig config = video_config_from_settings(auto_video_settings(shape, 3, 60, 0, Precision::F32, 100), 3);
  EXPECT_EQ(config.train.max_seconds, 60);
  EXPECT_THROW(auto_video_settings({0, 144, 120}, 3, 0, 0, Precision::F32, 100), Error);
  EXPECT_THROW(auto_video_settings({176, 144, 70000}, 3, 0, 0, Precision::F32, 100), Error);
  EXPECT_THROW(auto_video_settings(shape, 3, 0, 10, Precision::F32, 100), Error);
}

TEST(FramesPerFinestCell, CountsCellsAlongTime) {
  const NetworkSpec table_2 = build_network(video_config_from_settings(video_preset("video"), 3).network);
  EXPECT_EQ(frames_per_finest_cell(table_2, 512), 1);
  EXPECT_EQ(frames_per_finest_cell(table_2, 256), 0.5);
  Settings plain = small_video_settings();
  plain.set("model.tiles", int64_t{1}, "test");
  EXPECT_EQ(frames_per_finest_cell(build_network(video_config_from_settings(plain, 3).network), 10),
            std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace loe
