#include "loe/task/scene_presets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "loe/base/error.h"
#include "loe/base/thread_pool.h"
#include "loe/nn/radiance_field.h"
#include "loe/task/fit_config.h"
#include "task/auto_plan.h"
#include "task/fit_config_internal.h"

namespace loe {
namespace {

/// Table 3, row "Ours".
FitConfig table_3() {
  FitConfig config;
  config.kind = SignalKind::Scene;
  config.preset = "nerf";
  config.network = default_network(SignalKind::Scene);
  config.sampling = PixelSampling::RandomPixels;
  config.batch_size = 16384;
  config.train.schedule.kind = ScheduleKind::Exponential;
  config.train.schedule.learning_rate = 5e-4;
  config.train.schedule.final_factor = 0.1;
  config.train.max_steps = 500000;
  return config;
}

/// What "auto" starts from; the trials behind it are in docs/dev/auto_preset.md.
constexpr int kLevels = 5;
constexpr int kWidth = 64;
constexpr int kMinWidth = 16;
constexpr int kWidest = 256;
constexpr int64_t kRays = 256;
constexpr double kDefaultSeconds = 600;
constexpr int64_t kMinSteps = 200;
constexpr int64_t kMaxSteps = 100000;
/// Share of the samples that are left after skipping empty space, on average over a training: an object cut out of its
/// background (0.13 at the end, 0.84 at the start), and photos that are filled to their edges.
constexpr double kKeptOfObject = 0.25;
constexpr double kKeptOfPhotos = 0.65;

FitConfig auto_field(int width) {
  FitConfig config;
  config.kind = SignalKind::Scene;
  config.preset = "auto";
  config.network.n_dims = 3;
  config.network.input.n_frequencies = 8;
  for (int level = 0; level < kLevels; ++level) {
    add_level(config.network, width, 2, std::ldexp(4.0, level));
  }
  SceneSettings& scene = config.scene;
  scene.color_width = std::max(kMinWidth, width / 2);
  scene.rays.n_coarse = 48;
  scene.rays.n_fine = 48;
  scene.rays.importance = ImportanceDraw::Stratified;
  scene.rays.density = DensityActivation::Softplus;
  scene.occupancy_resolution = 64;
  scene.min_transmittance = 1e-3;
  config.sampling = PixelSampling::RandomPixels;
  config.batch_size = kRays;
  config.train.adam.beta2 = 0.99;
  config.train.schedule.kind = ScheduleKind::Cosine;
  config.train.schedule.final_factor = 0.01;
  config.train.schedule.learning_rate = 0.002;
  return config;
}

}  // namespace

std::vector<PresetInfo> scene_presets() {
  return {
      {"auto", "any posed photos: a field of 5 levels that skips empty space, steps from a budget",
       "10 minutes on 2 cores"},
      {"nerf",
       "Table 3, Ours: 5 levels of 256 with tiles of 4x4x4, 16,384 rays a step, 96 + 192 samples; for a "
       "bounded object",
       "more than a year on 2 cores; the paper has 31.46 dB"},
  };
}

Settings scene_preset(const std::string& name) {
  if (name == "nerf") {
    return config_to_settings(table_3(), "preset nerf");
  }
  refuse_preset(name, {"nerf"}, "scene", "auto_scene_settings");
}

Settings auto_scene_settings(int64_t n_pixels, bool has_alpha, double max_seconds, int64_t n_params,
                             Precision precision, double gflops) {
  if (n_pixels < 1 || !std::isfinite(max_seconds) || max_seconds < 0 || n_params < 0 || !std::isfinite(gflops) ||
      gflops < 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[auto] expected pixels, and seconds, parameters and GFLOP/s of at least 0 (0: none "
                            "given), got {}, {}, {}, {}",
                            n_pixels, max_seconds, n_params, gflops));
  }
  int width = kWidth;
  if (n_params > 0) {
    width = kWidest;
    while (width > kMinWidth && build_model(auto_field(width)).n_params() > n_params) width -= 8;
  }
  FitConfig config = auto_field(width);
  config.precision = precision;
  const double seconds = max_seconds > 0 ? max_seconds : kDefaultSeconds;
  const double rate = 1e9 * (gflops > 0 ? gflops : assumed_gflops_per_core(precision) * n_usable_cores());
  const RaySettings& rays = config.scene.rays;
  const double samples = static_cast<double>(config.batch_size) * (2 * rays.n_coarse + rays.n_fine) *
                         (has_alpha ? kKeptOfObject : kKeptOfPhotos);
  const double flops = 6.0 * static_cast<double>(build_model(config).macs_per_sample()) * samples;
  const double n_steps = rate * seconds * limit_share(max_seconds) / flops;
  config.train.max_steps = static_cast<int64_t>(std::clamp(std::round(n_steps), double{kMinSteps}, double{kMaxSteps}));
  config.train.max_seconds = max_seconds;
  return config_to_settings(config, "preset auto");
}

}  // namespace loe
