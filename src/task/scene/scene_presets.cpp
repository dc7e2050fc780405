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

/// What "auto" starts from; the trials behind it are in docs/dev/auto_preset.md. AutoFamily::Experts:
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

/// AutoFamily::Best: two layers behind a hashed grid of pairs of features.
constexpr int kGridLayers = 2;
constexpr int kGridWidth = 32;
constexpr int kGridLevels = 10;
constexpr double kGridCoarsest = 16;
constexpr double kGridFinest = 256;
constexpr int kMaxLog2Entries = 15;
constexpr int kMinLog2Entries = 10;
constexpr int64_t kGridRays = 512;
constexpr double kGridLearningRate = 0.01;

FitConfig auto_field() {
  FitConfig config;
  config.kind = SignalKind::Scene;
  config.preset = "auto";
  config.network.n_dims = 3;
  SceneSettings& scene = config.scene;
  scene.rays.n_coarse = 48;
  scene.rays.n_fine = 48;
  scene.rays.importance = ImportanceDraw::Stratified;
  scene.rays.density = DensityActivation::Softplus;
  scene.occupancy_resolution = 64;
  scene.min_transmittance = 1e-3;
  config.sampling = PixelSampling::RandomPixels;
  config.train.adam.beta2 = kAutoBeta2;
  config.train.schedule.kind = ScheduleKind::Cosine;
  config.train.schedule.final_factor = kAutoFinalFactor;
  return config;
}

FitConfig experts_field(int width) {
  FitConfig config = auto_field();
  config.network.input.n_frequencies = 8;
  for (int level = 0; level < kLevels; ++level) {
    add_level(config.network, width, 2, std::ldexp(4.0, level));
  }
  config.scene.color_width = std::max(kMinWidth, width / 2);
  config.batch_size = kRays;
  config.train.schedule.learning_rate = 0.002;
  return config;
}

FitConfig grid_field(int log2_entries) {
  FitConfig config = auto_field();
  NetworkConfig& network = config.network;
  for (int layer = 0; layer < kGridLayers; ++layer) add_level(network, kGridWidth, 1, 1);
  network.activation.kind = ActivationKind::Relu;
  network.grid.n_levels = kGridLevels;
  network.grid.coarsest.fill(kGridCoarsest);
  network.grid.finest.fill(kGridFinest);
  network.grid.log2_entries = log2_entries;
  config.scene.color_width = kGridWidth;
  config.batch_size = kGridRays;
  config.train.adam.epsilon = 1e-15;
  config.train.adam.embedding.skips_zeros = true;
  config.train.schedule.learning_rate = kGridLearningRate;
  return config;
}

/// The field of a family within a budget of parameters (0: none given).
FitConfig field_within(AutoFamily family, int64_t n_params) {
  const auto fits = [&](const FitConfig& config) {
    return n_params == 0 || build_model(config).n_params() <= n_params;
  };
  if (family == AutoFamily::Best) {
    for (int log2 = kMaxLog2Entries; log2 >= kMinLog2Entries; --log2) {
      FitConfig config = grid_field(log2);
      if (fits(config)) return config;
    }
  }
  int width = n_params > 0 ? kWidest : kWidth;
  while (width > kMinWidth && !fits(experts_field(width))) width -= 8;
  return experts_field(width);
}

std::string summary(const FitConfig& config) {
  const NetworkConfig& network = config.network;
  if (network.grid.n_levels == 0) {
    return fmt::format("{} levels of {} with 2x2x2 experts", network.widths.size(), network.widths[0]);
  }
  return fmt::format("{} layers of {} on a hashed grid of features of {} levels up to {:.0f} cells a side",
                     network.widths.size(), network.widths[0], network.grid.n_levels, network.grid.finest[0]);
}

}  // namespace

std::vector<PresetInfo> scene_presets() {
  return {
      {"auto", "any posed photos: a field on a hashed grid that skips empty space, steps from a budget",
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
  refuse_preset(name, {"nerf"}, "scene", "auto_scene_plan");
}

AutoPlan auto_scene_plan(int64_t n_pixels, bool has_alpha, double max_seconds, int64_t n_params, Precision precision,
                         double gflops, AutoFamily family) {
  if (n_pixels < 1 || !std::isfinite(max_seconds) || max_seconds < 0 || n_params < 0 || !std::isfinite(gflops) ||
      gflops < 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[auto] expected pixels, and seconds, parameters and GFLOP/s of at least 0 (0: none "
                            "given), got {}, {}, {}, {}",
                            n_pixels, max_seconds, n_params, gflops));
  }
  FitConfig config = field_within(family, n_params);
  config.precision = precision;
  const double seconds = max_seconds > 0 ? max_seconds : kDefaultSeconds;
  const double rate = 1e9 * (gflops > 0 ? gflops : assumed_gflops_per_core(precision) * n_usable_cores());
  const RaySettings& rays = config.scene.rays;
  const double samples = static_cast<double>(config.batch_size) * (2 * rays.n_coarse + rays.n_fine) *
                         (has_alpha ? kKeptOfObject : kKeptOfPhotos);
  const double flops = training_flops(build_model(config).main()) * samples;
  const double n_steps = rate * seconds * limit_share(max_seconds) / flops;
  config.train.max_steps = static_cast<int64_t>(std::clamp(std::round(n_steps), double{kMinSteps}, double{kMaxSteps}));
  config.train.max_seconds = max_seconds;
  return {config_to_settings(config, "preset auto"), summary(config)};
}

}  // namespace loe
