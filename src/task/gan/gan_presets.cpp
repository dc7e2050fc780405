#include "loe/task/gan_presets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "loe/base/error.h"
#include "loe/base/thread_pool.h"
#include "task/auto_plan.h"
#include "task/fit_config_internal.h"

namespace loe {
namespace {

/// Table 4, row "Ours" (reconstruction G-A).
FitConfig table_4() {
  FitConfig config;
  config.kind = SignalKind::Gan;
  config.preset = "gan";
  config.network = default_network(SignalKind::Gan);
  config.gan.resolution = 256;
  config.gan.n_evaluated = 50000;
  config.batch_size = 32;
  config.train.schedule.learning_rate = 1e-4;
  config.train.max_steps = 1000000;
  return config;
}

/// What "auto" starts from; the trials behind it are in docs/dev/auto_preset.md.
constexpr int kWidth = 96;
constexpr int kMinWidth = 16;
constexpr int kWidest = 256;
constexpr int kTile = 4;
constexpr double kDefaultSeconds = 3600;
constexpr int64_t kMinSteps = 500;
constexpr int64_t kMaxSteps = 1000000;

FitConfig auto_generator(int resolution, int width) {
  FitConfig config;
  config.kind = SignalKind::Gan;
  config.preset = "auto";
  config.network.n_dims = 2;
  config.network.input.n_frequencies = 8;
  config.network.output_range = {-1, 1};
  add_level(config.network, 2 * width, 1, 1);
  for (double cells = 4; cells <= resolution; cells *= 2) add_level(config.network, width, kTile, cells);
  config.gan.resolution = resolution;
  config.gan.n_latents = 128;
  config.gan.flip = true;
  config.gan.average_decay = 0.999;
  config.batch_size = 16;
  config.train.adam.beta1 = 0;
  config.train.adam.beta2 = 0.99;
  config.train.schedule.learning_rate = 5e-4;
  return config;
}

}  // namespace

std::vector<PresetInfo> gan_presets() {
  return {
      {"auto", "any folder of pictures: residual blocks on grids of 4x4 cells up to one per pixel, steps from a budget",
       "an hour on 2 cores for pictures of 64x64"},
      {"gan", "Table 4, Ours: 7 residual blocks of 256 with tiles of 6x6, batches of 32 pictures of 256x256",
       "years on 2 cores; the paper has an FID of 18.3"},
  };
}

Settings gan_preset(const std::string& name) {
  if (name == "gan") {
    return config_to_settings(table_4(), "preset gan");
  }
  refuse_preset(name, {"gan"}, "set of pictures", "auto_gan_settings");
}

Settings auto_gan_settings(int resolution, double max_seconds, int64_t n_params, Precision precision, double gflops) {
  if (resolution < 16 || resolution > 4096 || !std::isfinite(max_seconds) || max_seconds < 0 || n_params < 0 ||
      !std::isfinite(gflops) || gflops < 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[auto] expected a resolution in 16..4096, and seconds, parameters and GFLOP/s of at least "
                            "0 (0: none given), got {}, {}, {}, {}",
                            resolution, max_seconds, n_params, gflops));
  }
  int width = kWidth;
  const auto params_of = [&](int w) { return build_model(auto_generator(resolution, w)).main().n_params(); };
  if (n_params > 0) {
    width = kWidest;
    while (width > kMinWidth && params_of(width) > n_params) width -= 8;
  }
  FitConfig config = auto_generator(resolution, width);
  config.precision = precision;
  const double seconds = max_seconds > 0 ? max_seconds : kDefaultSeconds;
  const double rate = 1e9 * (gflops > 0 ? gflops : assumed_gflops_per_core(precision) * n_usable_cores());
  const double samples = static_cast<double>(config.batch_size) * resolution * resolution;
  // A measured rate counts the FLOPs of training_flops() in the whole step's time, the discriminators' included; an
  // assumed one knows nothing of the generator's second forward pass.
  const NetworkSpec spec = build_model(config).main();
  const double per_sample = gflops > 0 ? training_flops(spec) : 8.0 * static_cast<double>(spec.macs_per_sample());
  const double flops = per_sample * samples;
  const double n_steps = rate * seconds * limit_share(max_seconds) / flops;
  config.train.max_steps = static_cast<int64_t>(std::clamp(std::round(n_steps), double{kMinSteps}, double{kMaxSteps}));
  config.train.max_seconds = max_seconds;
  return config_to_settings(config, "preset auto");
}

}  // namespace loe
