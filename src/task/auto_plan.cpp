// The preset "auto" of all tasks. Every number that is a choice and not arithmetic stands at the top, with its reason;
// the measurements behind them are in docs/dev/auto_preset.md.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "loe/base/error.h"
#include "loe/base/thread_pool.h"
#include "task/auto_plan.h"
#include "task/fit_config_internal.h"

namespace loe {
namespace {

/// Index bits per level, so tiles of up to 4x4: sixteen times the parameters of a plain layer at its cost. Measured at
/// equal FLOPs: 2x2 tiles lose 3 to 5 dB, since they need twice the levels for a quarter of the experts per level; 8x8
/// tiles had 0.6 to 0.9 dB less at equal parameters, with two thirds of the FLOPs.
constexpr int kBitsPerLevel = 2;
/// Small pictures get narrower tiles rather than fewer levels: below this depth the network has too few nonlinearities.
constexpr int kMinLevels = 4;

/// Parameters per pixel between the paper's two settings: 0.53 at 2^18 pixels (Table 5) and 0.14 at 2^26 (Table 1),
/// a straight line in the logarithms.
constexpr double kParamsPerPixel = 0.53;
constexpr double kParamsPerPixelExponent = -0.24;
constexpr double kReferencePixels = 1 << 18;
constexpr double kMinParamsPerPixel = 0.14;
/// 0.7 and not the paper's 0.53, so that a 256 x 256 picture still gets levels of 24.
constexpr double kMaxParamsPerPixel = 0.7;

/// Seconds when no budget is given: for 512 x 512, and how they grow with the number of pixels.
constexpr double kDefaultSeconds = 90;
constexpr double kSecondsExponent = 0.5;

/// Times each pixel is seen. The network narrows until time allows the lower number; at equal FLOPs 59 and 94 visits
/// gave the same PSNR, 18 and 181 gave 2 to 3 dB less. Without a time budget the run is planned for the higher.
constexpr double kMinVisits = 50;
constexpr double kVisitsForParams = 400;
/// Beyond this a small picture gains nothing visible.
constexpr double kMaxVisits = 10000;

/// Updates that the batch size aims at: at equal samples each halving of the batch from 16,384 to 2,048 gained 0.8
/// to 3 dB. A fast machine sees more samples in its time, so its batches grow and feed its cores.
constexpr double kTargetSteps = 25000;
constexpr int64_t kMinSteps = 200;
constexpr int64_t kMaxSteps = 200000;
constexpr int64_t kMinBatch = 2048;
constexpr int64_t kMaxBatch = 262144;

/// Narrower levels waste the vector units; wider ones are beyond any picture's needs.
constexpr int kMinWidth = 16;
constexpr int kMaxAutoWidth = 1024;
/// Widths are whole AVX2 vectors; a parameter budget is met more closely.
constexpr int kWidthStep = 8;
constexpr int kBudgetWidthStep = 4;

/// Four times the paper's 0.005, which is for longer runs: doubling the rate gained 1 to 2.5 dB up to 0.02 at width 24
/// and at 64. Above width 64, where nothing was measured, rate times inputs stays constant.
constexpr double kLearningRate = 0.02;
constexpr double kLearningRateWidth = 64;
constexpr double kMinLearningRate = 0.001;
constexpr double kFinalFactor = 0.01;
/// Short runs need second moments that forget the first, large gradients: 1 to 4 dB over 0.999.
constexpr double kBeta2 = 0.99;

int index_bits(int size) {
  return std::bit_width(static_cast<unsigned>(size - 1));
}

/// Bits that each level owns, coarse to fine; they sum to n_bits. The finer levels take the larger shares, as in the
/// paper's 2, 8, 32, 128, 512.
std::vector<int> deal_bits(int n_bits) {
  const int n_levels = std::max({1, (n_bits + kBitsPerLevel - 1) / kBitsPerLevel, std::min(n_bits, kMinLevels)});
  std::vector<int> bits(n_levels, n_bits / n_levels);
  for (int i = 0; i < n_bits % n_levels; ++i) {
    ++bits[n_levels - 1 - i];
  }
  return bits;
}

/// Grids and tiles, finest level first (measured: 0.2 to 1.2 dB over coarse to fine; the paper's Table 5 has 1.85 dB).
/// An axis shorter than the tile's reach at a coarse level gets only the experts that occur on it.
NetworkConfig plan_levels(const SignalSize& signal) {
  NetworkConfig network;
  network.n_dims = signal.n_dims;
  network.n_channels = signal.n_channels;
  const int n_bits = index_bits(*std::max_element(signal.size.begin(), signal.size.end()));
  network.input.n_frequencies = std::max(1, n_bits);
  network.output_range = {-1, 1};
  int shift = n_bits;
  for (const int bits : deal_bits(n_bits)) {
    shift -= bits;
    const double pitch = std::ldexp(1.0, shift);
    const auto n_experts = [&](int size) {
      return std::min(1 << bits, static_cast<int>(std::ceil(static_cast<double>(size) / pitch)));
    };
    Tile tile;
    Resolution resolution = {1, 1, 1, 1};
    for (int axis = 0; axis < signal.n_dims; ++axis) {
      tile.n[axis] = n_experts(signal.size[axis]);
      resolution[axis] = signal.size[axis] / pitch;
    }
    network.tiles.push_back(tile);
    network.layout.resolutions.push_back(resolution);
  }
  // The layout reverses the resolutions, which are listed coarse to fine, but not the tiles.
  network.layout.kind = LayoutKind::FineToCoarse;
  std::reverse(network.tiles.begin(), network.tiles.end());
  return network;
}

NetworkSpec with_width(NetworkConfig& network, int width) {
  network.widths.assign(network.tiles.size(), width);
  return build_network(network);
}

double flops_per_sample(const NetworkSpec& spec) {
  const LayerSpec& first = spec.layers.front();
  return 6.0 * static_cast<double>(spec.macs_per_sample()) - 2.0 * first.n_in * first.n_out;
}

/// Sets the widest widths whose parameters and FLOPs per sample stay within the limits, at least min_width.
NetworkSpec widest(NetworkConfig& network, double max_params, double max_flops, int min_width, int step) {
  int width = min_width;
  while (width + step <= kMaxAutoWidth) {
    const NetworkSpec wider = with_width(network, width + step);
    if (static_cast<double>(wider.n_params()) > max_params || flops_per_sample(wider) > max_flops) {
      break;
    }
    width += step;
  }
  return with_width(network, width);
}

/// The network of a parameter budget: never above it, so narrow widths go down to 1 and up singly.
NetworkSpec within_params(NetworkConfig& network, int64_t n_params) {
  const int64_t smallest = with_width(network, 1).n_params();
  if (smallest > n_params) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[auto] params: expected at least {} for a signal of this size, got {}; raise the budget",
                            smallest, n_params));
  }
  const auto limit = static_cast<double>(n_params);
  if (static_cast<double>(with_width(network, kMinWidth).n_params()) > limit) {
    return widest(network, limit, HUGE_VAL, 1, 1);
  }
  return widest(network, limit, HUGE_VAL, kMinWidth, kBudgetWidthStep);
}

void plan_batches(FitConfig& config, double n_pixels, double n_visits) {
  const double n_samples = n_pixels * std::min(n_visits, kMaxVisits);
  const double wanted = std::clamp(n_samples / kTargetSteps, double{kMinBatch}, double{kMaxBatch});
  if (wanted >= n_pixels) {
    config.sampling = PixelSampling::AllPixels;
    config.batch_size = static_cast<int64_t>(n_pixels);
  } else {
    config.sampling = PixelSampling::RandomPixels;
    config.batch_size = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(wanted)));
  }
  const double n_steps = std::round(n_samples / static_cast<double>(config.batch_size));
  config.train.max_steps = static_cast<int64_t>(std::clamp(n_steps, double{kMinSteps}, double{kMaxSteps}));
}

void check(const SignalSize& signal, double max_seconds, int64_t n_params, double gflops) {
  constexpr int kMaxSize = 65536;
  const auto fail = [](const std::string& message) { throw Error(ErrorKind::InvalidArgument, "[auto] " + message); };
  const bool is_size_good =
      std::all_of(signal.size.begin(), signal.size.end(), [](int size) { return size >= 1 && size <= kMaxSize; });
  if (!is_size_good || signal.n_channels < 1 || signal.n_channels > 4) {
    fail(fmt::format("signal: expected 1..{} along each axis with 1 to 4 channels, got {} with {}", kMaxSize,
                     fmt::join(signal.size.begin(), signal.size.begin() + signal.n_dims, "x"), signal.n_channels));
  }
  if (!std::isfinite(max_seconds) || max_seconds < 0 || n_params < 0 || !std::isfinite(gflops) || gflops < 0) {
    fail(fmt::format("budget: expected seconds, parameters and GFLOP/s of at least 0 (0: none given), got {}, {}, {}",
                     max_seconds, n_params, gflops));
  }
}

}  // namespace

double assumed_gflops_per_core(Precision precision) {
  switch (precision) {
    case Precision::F32:
    case Precision::Tf32:
      return 50;
    case Precision::Mixed:
      return 65;
    case Precision::Bf16:
      return 90;
  }
  return 50;
}

Settings plan_auto(const SignalSize& signal, double max_seconds, int64_t n_params, Precision precision, double gflops) {
  check(signal, max_seconds, n_params, gflops);
  const double n_pixels = double{1} * signal.size[0] * signal.size[1] * signal.size[2];
  const double scale = n_pixels / kReferencePixels;
  FitConfig config;
  config.kind = signal.n_dims == 2 ? SignalKind::Image : SignalKind::Video;
  config.preset = "auto";
  config.precision = precision;
  config.network = plan_levels(signal);

  const double rate = 1e9 * (gflops > 0 ? gflops : assumed_gflops_per_core(precision) * n_usable_cores());
  const double seconds = max_seconds > 0 ? max_seconds : kDefaultSeconds * std::pow(scale, kSecondsExponent);
  const double planned_flops = rate * seconds * kPlannedShare;
  double n_visits = kVisitsForParams;
  NetworkSpec spec;
  if (n_params > 0) {
    spec = within_params(config.network, n_params);
  } else {
    const double per_pixel =
        std::clamp(kParamsPerPixel * std::pow(scale, kParamsPerPixelExponent), kMinParamsPerPixel, kMaxParamsPerPixel);
    spec = widest(config.network, per_pixel * n_pixels, planned_flops / (n_pixels * kMinVisits), kMinWidth, kWidthStep);
  }
  if (n_params == 0 || max_seconds > 0) {
    n_visits = planned_flops / (n_pixels * flops_per_sample(spec));
  }
  plan_batches(config, n_pixels, n_visits);

  config.train.adam.beta2 = kBeta2;
  Schedule& schedule = config.train.schedule;
  schedule.kind = ScheduleKind::Cosine;
  schedule.final_factor = kFinalFactor;
  schedule.learning_rate =
      std::clamp(kLearningRate * kLearningRateWidth / config.network.widths[0], kMinLearningRate, kLearningRate);
  config.train.max_seconds = max_seconds;
  return config_to_settings(config, "preset auto");
}

}  // namespace loe
