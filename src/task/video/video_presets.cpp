#include "loe/task/video_presets.h"

#include "task/auto_plan.h"
#include "task/fit_config_internal.h"
#include "task/hash_grid_preset.h"

namespace loe {
namespace {

/// Table 2, row "Ours".
FitConfig table_2() {
  FitConfig config;
  config.preset = "video";
  config.kind = SignalKind::Video;
  config.network = default_network(SignalKind::Video);
  config.network.output_range = {-1, 1};
  config.sampling = PixelSampling::RandomPixels;
  config.batch_size = 160000;
  config.train.schedule.learning_rate = 0.01;
  config.train.max_steps = 200000;
  return config;
}

}  // namespace

std::vector<PresetInfo> video_presets() {
  return {
      {"auto", "any video: network, batch and steps from its size, length and a budget",
       "5 minutes for 176x144 and 120 frames on 2 cores, growing with the square root of the pixels of all frames"},
      {"video",
       "Table 2, Ours: 5 levels of 256 with tiles of 2x2x2 and 4x4x4, 160,000 random pixels a step; for 512x512 "
       "and 300 frames",
       "days on 2 cores; the paper has 39.98 dB"},
      {"hash_grid", "instant-ngp's network, a yardstick: 16 levels of hashed features and two plain layers of 32",
       "at most 20,000 steps of 8,192 samples"},
  };
}

Settings video_preset(const std::string& name, const VideoShape& shape) {
  if (name == "video") {
    return config_to_settings(table_2(), "preset video");
  }
  if (name == "hash_grid") {
    return hash_grid_settings(SignalKind::Video, {shape.width, shape.height, shape.n_frames});
  }
  refuse_preset(name, {"video", "hash_grid"}, "video", "auto_video_settings");
}

AutoPlan auto_video_plan(const VideoShape& shape, int n_channels, double max_seconds, int64_t n_params,
                         Precision precision, double gflops, AutoFamily family) {
  return plan_auto({3, {shape.width, shape.height, shape.n_frames}, n_channels}, max_seconds, n_params, precision,
                   gflops, family);
}

Settings auto_video_settings(const VideoShape& shape, int n_channels, double max_seconds, int64_t n_params,
                             Precision precision, double gflops) {
  return auto_video_plan(shape, n_channels, max_seconds, n_params, precision, gflops).settings;
}

}  // namespace loe
