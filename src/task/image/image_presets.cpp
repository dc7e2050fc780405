#include "loe/task/image_presets.h"

#include "task/auto_plan.h"
#include "task/fit_config_internal.h"
#include "task/hash_grid_preset.h"

namespace loe {
namespace {

/// Table 5, row "Quad Tree".
FitConfig toy() {
  FitConfig config;
  config.preset = "toy";
  config.network = default_network(SignalKind::Image);
  config.network.output_range = {-1, 1};
  config.sampling = PixelSampling::AllPixels;
  config.train.schedule.learning_rate = 0.005;
  config.train.max_steps = 10000;
  return config;
}

/// Table 1, row "Ours".
FitConfig pluto() {
  FitConfig config;
  config.preset = "pluto";
  config.network.input.n_frequencies = 13;
  config.network.output_range = {-1, 1};
  add_level(config.network, 512, 4, 4);
  add_level(config.network, 384, 4, 8);
  for (const double resolution : {32.0, 128.0, 512.0, 2048.0, 8192.0}) {
    add_level(config.network, 256, 4, resolution);
  }
  config.sampling = PixelSampling::RandomPixels;
  config.batch_size = 262144;
  config.train.schedule.learning_rate = 0.001;
  config.train.max_steps = 200000;
  return config;
}

}  // namespace

std::vector<PresetInfo> image_presets() {
  return {
      {"auto", "any picture: network, batch and steps from its size and a budget",
       "1 to 2 minutes for 512x512 on 2 cores, growing with the square root of the pixels; photos of 256x256 at 250 "
       "visits a pixel have 30 to 41 dB"},
      {"toy", "Table 5, Quad Tree: 9 levels of 64 with 2x2 tiles, every pixel in every step; for 512x512",
       "30 to 60 minutes on 2 cores; 37.98 dB on camera.png in bf16, the paper has 40.55"},
      {"pluto", "Table 1, Ours: 7 levels of 512 to 256 with 4x4 tiles, 262,144 random pixels a step; for 8192x8192",
       "two weeks on 2 cores; the paper has 44.24 dB on its 64-megapixel picture"},
      {"hash_grid", "instant-ngp's network, a yardstick: 16 levels of hashed features and two plain layers of 32",
       "250 samples a pixel: 22 s of one core for 512x512 at 0.33 us a sample, growing with the pixels"},
  };
}

Settings image_preset(const std::string& name, int width, int height) {
  if (name == "toy") {
    return config_to_settings(toy(), "preset toy");
  }
  if (name == "pluto") {
    return config_to_settings(pluto(), "preset pluto");
  }
  if (name == "hash_grid") {
    return hash_grid_settings(SignalKind::Image, {width, height, 1});
  }
  refuse_preset(name, {"toy", "pluto", "hash_grid"}, "picture", "auto_settings");
}

AutoPlan auto_plan(int width, int height, int n_channels, double max_seconds, int64_t n_params, Precision precision,
                   double gflops, AutoFamily family) {
  return plan_auto({2, {width, height, 1}, n_channels}, max_seconds, n_params, precision, gflops, family);
}

Settings auto_settings(int width, int height, int n_channels, double max_seconds, int64_t n_params, Precision precision,
                       double gflops) {
  return auto_plan(width, height, n_channels, max_seconds, n_params, precision, gflops).settings;
}

}  // namespace loe
