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

/// Levels of a network at least, and experts along an axis of a tile at most. Measured at equal CPU time: three levels
/// of 8 x 8 had 1.3 to 5 dB more than five of 4 x 4. With more experts an expert is visited less and leaves fewer
/// parameters for the table: tiles of 10, 9 and 9 lost 1.5 dB to 8 x 8 on kodim05.
constexpr int kLevels = 3;
constexpr int kMaxTile = 8;
/// Cells along an axis of the cell above; beyond kMaxTile experts repeat there. Larger ratios get a level more.
constexpr int kMaxRatio = 16;

/// Samples per pixel from which on the finest cell is one pixel; below, a cell is to see at least so many samples.
constexpr double kVisitsForPixels = 7;
constexpr double kSamplesPerCell = 8;
/// Frames per pixel's width of the finest cell of a clip, and of its samples as above: neighbours in time are alike.
constexpr double kFramesPerPixel = 2;
/// From so many visits on the finest level comes first; before, the coarsest.
constexpr double kVisitsForFineFirst = 15;

/// A table of features beside the encoding (`model.embedding`), which every sample near a node moves: its share of the
/// parameters (less if the experts would become too narrow), its channels, and the least distance of its nodes. At
/// equal parameters and CPU time (kodim05, 0.15 to 0.17 M) it gained 1 dB with 8 channels and a third of the
/// parameters, 1.8 dB with these; 2 channels lost 1 dB again.
constexpr double kTableShare = 0.6;
constexpr double kMinTableShare = 0.2;
constexpr double kMaxTableShare = 0.75;
constexpr int kTableChannels = 4;
constexpr double kMinNodeDistance = 3;

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

/// Beyond this a small picture gains nothing visible.
constexpr double kMaxVisits = 10000;
/// Levels are widened beyond kWidth or kClipWidth only while each pixel is still seen so often.
constexpr double kVisitsForWidth = 50;
constexpr int kWidth = 64;
constexpr int kClipWidth = 32;
/// A run of fewer samples has narrow levels and small batches: it lacks updates most.
constexpr double kFewSamples = 1e6;
constexpr int kWidthOfFewSamples = 32;
constexpr int64_t kBatchOfFewSamples = 512;

/// Updates that the batch size aims at: at equal samples each halving of the batch from 16,384 to 2,048 gained 0.8
/// to 3 dB. A fast machine sees more samples in its time, so its batches grow and feed its cores.
constexpr double kTargetSteps = 25000;
constexpr int64_t kMinSteps = 200;
constexpr int64_t kMaxSteps = 200000;
constexpr int64_t kMaxTimedSteps = 1'000'000'000;
constexpr int64_t kBatch = 2048;
constexpr int64_t kClipBatch = 4096;
constexpr int64_t kMaxBatch = 262144;
/// Numbers in the table: beyond, what Adam reads and writes in every step outweighs the samples.
constexpr double kMaxTableSize = 1 << 24;
/// Adam visits every parameter in every step: with fewer samples for each that would be a third of the time and more.
constexpr double kParamsPerSample = 500;

/// What a sample costs per layer beside its products, in FLOPs at their speed: grouping by expert, copying, packing.
/// From steps of 2,048 samples with levels of 16 (0.75 us a sample on one core), 32 and 64 (1.4 and 2.3 us).
constexpr double kFlopsPerLayer = 7000;

/// Narrower levels waste the vector units; wider ones are beyond any picture's needs.
constexpr int kMinWidth = 16;
constexpr int kMaxAutoWidth = 1024;
/// Widths are whole vectors of 8 where nothing is given, and meet a parameter budget more closely.
constexpr int kWidthStep = 8;
constexpr int kBudgetWidthStep = 4;
/// Frequencies of the encoding: 8 to 10 are as good, fewer lose a dB. Beside a table, in long runs on pictures, 4 are
/// as good as 10 and leave it more parameters (kodim05 1.4 dB, camera.png 0.5 dB at equal parameters); clips and short
/// runs, the coarsest level first, lose 0.8 dB with them.
constexpr int kFrequencies = 10;
constexpr int kFrequenciesBesideTable = 4;

/// Four times the paper's 0.005, which is for longer runs. Sines have no more from 0.01 than from 0.02 at width 16, but
/// at width 64: above 32, rate times inputs stays constant.
constexpr double kLearningRate = 0.02;
constexpr double kLearningRateWidth = 32;
constexpr double kMinLearningRate = 0.001;

/// What a plan may spend.
struct Budget {
  double max_params = 0;
  double flops = 0;            ///< of the whole training
  bool has_params = false;     ///< given by the user: met closely
  bool is_size_alone = false;  ///< and no time: whoever asks for a size alone gets it
  int width_step = kWidthStep;
};

int index_bits(int size) {
  return std::bit_width(static_cast<unsigned>(size - 1));
}

double n_pixels_of(const SignalSize& signal) {
  return double{1} * signal.size[0] * signal.size[1] * signal.size[2];
}

int divide_up(int64_t size, int64_t cell) {
  return static_cast<int>((size + cell - 1) / cell);
}

/// Whole numbers whose product covers `n_cells` with as little to spare as even ratios allow.
std::vector<int> split_evenly(int n_cells, int n_parts) {
  std::vector<int> ratios;
  int64_t covered = 1;
  for (int part = 0; part < n_parts; ++part) {
    const double left = static_cast<double>(n_cells) / static_cast<double>(covered);
    // A hair below, so that the cube root of 512 is 8 and not 9.
    const double ratio = std::pow(std::max(left, 1.0), 1.0 / (n_parts - part)) * (1 - 1e-9);
    ratios.push_back(static_cast<int>(std::ceil(ratio)));
    covered *= ratios.back();
  }
  return ratios;
}

/// Cells of each level along an axis of the cell above, the finest level first, the last along the whole signal: even,
/// unless the coarsest tile would then not cover it.
std::vector<int> ratios_of_levels(int n_cells, int n_levels) {
  if (n_cells <= std::pow(double{kMaxTile}, n_levels)) {
    return split_evenly(n_cells, n_levels);
  }
  std::vector<int> ratios = split_evenly(divide_up(n_cells, kMaxTile), n_levels - 1);
  int64_t covered = 1;
  for (const int ratio : ratios) {
    covered *= ratio;
  }
  ratios.push_back(divide_up(n_cells, covered));
  return ratios;
}

/// Side of the finest cells in pixels (frames along t) if each pixel is seen so often.
std::array<int, 3> finest_cell(const SignalSize& signal, double n_visits) {
  if (n_visits >= kVisitsForPixels) {
    return {1, 1, 1};
  }
  const double n_samples = kSamplesPerCell / std::max(n_visits, 1e-3);
  if (signal.n_dims == 2) {
    const int side = static_cast<int>(std::lround(std::max(2.0, std::sqrt(n_samples))));
    return {side, side, 1};
  }
  const double side = std::round(std::max(2.0, std::cbrt(kFramesPerPixel * n_samples)));
  return {static_cast<int>(side), static_cast<int>(side), static_cast<int>(kFramesPerPixel * side)};
}

/// Grids and tiles of `n_levels` levels. Cells are nested, the coarsest tile covers the signal once, and all cells but
/// clips' along t are square. An axis that is shorter than a tile reaches gets only the experts that occur on it.
NetworkConfig plan_levels(const SignalSize& signal, int n_levels, double n_visits) {
  NetworkConfig network;
  network.n_dims = signal.n_dims;
  network.n_channels = signal.n_channels;
  const int longest = std::max(signal.size[0], signal.size[1]);
  network.input.n_frequencies = std::clamp(index_bits(std::max(longest, signal.size[2])), 1, kFrequencies);
  network.output_range = kAutoOutputRange;
  // One start for all experts: 0.9 dB. Sines gained 1.1 dB on a grey photo and nothing on a colour one, for a fifth
  // more time; omega and scheme suit inputs that an encoding has already spread over the frequencies.
  network.init = {ExpertInit::Shared, InitScheme::Lecun};
  network.activation = {ActivationKind::Sine, 0.2, 1};
  const std::array<int, 3> finest = finest_cell(signal, n_visits);
  const std::vector<int> space = ratios_of_levels(divide_up(longest, finest[0]), n_levels);
  const std::vector<int> time = ratios_of_levels(divide_up(signal.size[2], finest[2]), n_levels);
  std::array<int64_t, 3> cell = {finest[0], finest[1], finest[2]};
  for (int level = 0; level < n_levels; ++level) {
    Tile tile;
    Resolution resolution = {1, 1, 1, 1};
    for (int axis = 0; axis < signal.n_dims; ++axis) {
      const int ratio = axis < 2 ? space[level] : time[level];
      tile.n[axis] = std::min({kMaxTile, ratio, divide_up(signal.size[axis], cell[axis])});
      resolution[axis] = signal.size[axis] / static_cast<double>(cell[axis]);
      cell[axis] *= ratio;
    }
    network.tiles.push_back(tile);
    network.layout.resolutions.push_back(resolution);
  }
  std::reverse(network.layout.resolutions.begin(), network.layout.resolutions.end());  // listed coarse to fine
  if (n_visits >= kVisitsForFineFirst) {
    network.layout.kind = LayoutKind::FineToCoarse;
  } else {
    std::reverse(network.tiles.begin(), network.tiles.end());
  }
  return network;
}

NetworkSpec with_width(NetworkConfig& network, int width) {
  network.widths.assign(network.tiles.size(), width);
  return build_network(network);
}

/// Gives the table as many evenly spaced nodes as `n_numbers` numbers hold.
void size_table(const SignalSize& signal, double n_numbers, EmbeddingSpec& table) {
  const double n_nodes = std::min(n_numbers, kMaxTableSize) / kTableChannels;
  const auto n_long =
      std::count_if(signal.size.begin(), signal.size.end(), [](int size) { return size > kMinNodeDistance; });
  const double even = std::pow(n_pixels_of(signal) / n_nodes, 1.0 / static_cast<double>(std::max<int64_t>(n_long, 1)));
  const double distance = std::max(even, kMinNodeDistance);
  for (int axis = 0; axis < signal.n_dims; ++axis) {
    table.resolution[axis] = std::max(1, static_cast<int>(signal.size[axis] / distance));
  }
}

/// Adds the table, of at most its share of the parameters; false if the experts leave too little for one.
bool add_table(NetworkConfig& network, const SignalSize& signal, double max_params) {
  if (signal.n_dims == 2 && network.layout.kind == LayoutKind::FineToCoarse) {
    network.input.n_frequencies = std::min(network.input.n_frequencies, kFrequenciesBesideTable);
  }
  EmbeddingSpec& table = network.input.embedding;
  table = {{1, 1, signal.n_dims == 3 ? 1 : 0, 0}, kTableChannels};
  const double n_experts = static_cast<double>(with_width(network, kMinWidth).n_params());
  const double share = std::min(kTableShare, 1 - n_experts / max_params);
  if (share < kMinTableShare) {
    return false;
  }
  size_table(signal, share * max_params, table);
  return true;
}

/// Sets the widest widths in min_width..max_width whose parameters and FLOPs per sample stay within the limits, at
/// least min_width.
NetworkSpec widest(NetworkConfig& network, double max_params, double max_flops, int min_width, int step,
                   int max_width) {
  int width = min_width;
  while (width + step <= max_width) {
    const NetworkSpec wider = with_width(network, width + step);
    if (static_cast<double>(wider.n_params()) > max_params || training_flops(wider) > max_flops) {
      break;
    }
    width += step;
  }
  return with_width(network, width);
}

double visits_of(const NetworkSpec& spec, const SignalSize& signal, const Budget& budget) {
  return budget.flops / (n_pixels_of(signal) * training_flops(spec));
}

/// Widest levels of a structure within the budget: of its parameters, and of its time as far as width is worth it.
NetworkSpec widen(NetworkConfig& network, const SignalSize& signal, const Budget& budget) {
  const bool is_clip = signal.n_dims == 3;
  const double flops_for_width = budget.flops / (n_pixels_of(signal) * kVisitsForWidth);
  const double smallest = static_cast<double>(with_width(network, kMinWidth).n_params());
  if (smallest > budget.max_params) {
    return budget.has_params ? widest(network, budget.max_params, HUGE_VAL, 1, 1, kMinWidth)
                             : with_width(network, kMinWidth);
  }
  const NetworkSpec free =
      widest(network, budget.max_params, flops_for_width, kMinWidth, budget.width_step, kMaxAutoWidth);
  const int usual = budget.is_size_alone ? kMaxAutoWidth : is_clip ? kClipWidth : kWidth;
  if (network.widths[0] >= usual) {
    return free;
  }
  NetworkSpec spec = widest(network, budget.max_params, HUGE_VAL, kMinWidth, budget.width_step, usual);
  if (!budget.is_size_alone && visits_of(spec, signal, budget) * n_pixels_of(signal) < kFewSamples) {
    spec = widest(network, budget.max_params, HUGE_VAL, kMinWidth, budget.width_step, kWidthOfFewSamples);
  }
  return spec;
}

/// Levels that keep the ratios of their cells small.
int levels_for(const SignalSize& signal, double n_visits, int most_levels) {
  const std::array<int, 3> finest = finest_cell(signal, n_visits);
  int n_levels = kLevels;
  const auto is_steep = [&](int axis) {
    const std::vector<int> ratios = ratios_of_levels(divide_up(signal.size[axis], finest[axis]), n_levels);
    return *std::max_element(ratios.begin(), ratios.end()) > kMaxRatio;
  };
  while (n_levels < most_levels && (is_steep(0) || is_steep(1) || is_steep(2))) {
    ++n_levels;
  }
  return n_levels;
}

/// Sets the network of one structure, as wide as the budget allows; false if that is too narrow to be good, or too
/// large.
bool try_structure(int n_levels, bool has_table, double n_visits, const SignalSize& signal, const Budget& budget,
                   NetworkConfig& network) {
  network = plan_levels(signal, n_levels, n_visits);
  if (has_table && !add_table(network, signal, budget.max_params)) {
    return false;
  }
  NetworkSpec spec = widen(network, signal, budget);
  if (has_table) {  // what the step of the widths has left
    EmbeddingSpec& table = network.input.embedding;
    const double n_left = budget.max_params - static_cast<double>(spec.n_params() - table.size());
    size_table(signal, std::min(n_left, kMaxTableShare * budget.max_params), table);
    spec = build_network(network);
  }
  const bool may_exceed = !budget.has_params && !has_table;  // the limit per pixel is no law for tiny pictures
  return network.widths[0] >= kMinWidth && (may_exceed || static_cast<double>(spec.n_params()) <= budget.max_params);
}

/// Sets the network of the family "Levels of Experts on an encoding and a table" for a budget; returns how often each
/// pixel is seen.
double plan_experts(const SignalSize& signal, const Budget& budget, NetworkConfig& network) {
  const int most_levels = std::max(kLevels, index_bits(*std::max_element(signal.size.begin(), signal.size.end())));
  double n_visits = kVisitsForPixels;
  // Cells depend on the visits, these on the width, and the widths that the parameters allow on the cells.
  for (int round = 0; round < 3; ++round) {
    int n_levels = levels_for(signal, n_visits, most_levels);
    if (!try_structure(n_levels, true, n_visits, signal, budget, network)) {
      while (!try_structure(n_levels, false, n_visits, signal, budget, network) && n_levels < most_levels) {
        ++n_levels;
      }
    }
    n_visits = visits_of(build_network(network), signal, budget);
  }
  return n_visits;
}

/// A run that follows the time takes what it can get; its steps are a limit for small pictures.
void plan_steps(FitConfig& config, double n_pixels, double n_visits) {
  const bool is_timed = config.train.max_seconds > 0;
  const double n_samples = n_pixels * (is_timed ? kMaxVisits : std::min(n_visits, kMaxVisits));
  const double n_steps = std::round(n_samples / static_cast<double>(config.batch_size));
  config.train.max_steps =
      static_cast<int64_t>(std::clamp(n_steps, double{kMinSteps}, double(is_timed ? kMaxTimedSteps : kMaxSteps)));
}

void plan_batches(FitConfig& config, const SignalSize& signal, double n_visits, double n_params) {
  const double n_pixels = n_pixels_of(signal);
  const double n_samples = n_pixels * std::min(n_visits, kMaxVisits);
  const int64_t smallest = n_samples < kFewSamples ? kBatchOfFewSamples : signal.n_dims == 3 ? kClipBatch : kBatch;
  const double wanted = std::clamp(std::max(n_samples / kTargetSteps, n_params / kParamsPerSample),
                                   static_cast<double>(smallest), double{kMaxBatch});
  if (wanted >= n_pixels) {
    config.sampling = PixelSampling::AllPixels;
    config.batch_size = static_cast<int64_t>(n_pixels);
  } else {
    config.sampling = PixelSampling::RandomPixels;
    config.batch_size = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(wanted)));
  }
  plan_steps(config, n_pixels, n_visits);
}

/// "3 levels of 20, 8x8 experts on cells of 1, 8, 64 pixels, the finest first; each pixel seen about 40 times; ..."
std::string summary(const NetworkConfig& network, double n_visits, const Budget& budget) {
  const bool is_fine_first = network.layout.kind == LayoutKind::FineToCoarse;
  std::vector<std::string> tiles;
  for (const Tile& tile : network.tiles) {
    tiles.push_back(fmt::format("{}", fmt::join(tile.n.begin(), tile.n.begin() + network.n_dims, "x")));
  }
  const bool is_at_limit = static_cast<double>(build_network(network).n_params()) > 0.9 * budget.max_params;
  const char* const limit = budget.has_params ? "--params"
                            : is_at_limit     ? "its limit of parameters a pixel"
                                              : "the time";
  const auto& nodes = network.input.embedding.resolution;
  std::string table;
  if (network.grid.n_levels > 0) {
    std::vector<std::string> cells;
    for (int axis = 0; axis < network.n_dims; ++axis) cells.push_back(fmt::format("{:.0f}", network.grid.finest[axis]));
    table = fmt::format(" on a grid of features up to {}", fmt::join(cells, "x"));
  } else if (network.input.has_embedding()) {
    table = fmt::format(" beside a table of {} x {}", fmt::join(nodes.begin(), nodes.begin() + network.n_dims, "x"),
                        network.input.embedding.n_channels);
  }
  return fmt::format("{} levels of {}, tiles {}, the {} first{}: each pixel is seen about {:.3g} times; size by {}",
                     network.widths.size(), network.widths[0], fmt::join(tiles, " "),
                     is_fine_first ? "finest" : "coarsest", table, n_visits, limit);
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

double training_flops(const NetworkSpec& spec) {
  const LayerSpec& first = spec.layers.front();
  return 6.0 * static_cast<double>(spec.macs_per_sample()) - 2.0 * first.n_in * first.n_out +
         kFlopsPerLayer * static_cast<double>(spec.layers.size());
}

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

AutoPlan plan_auto(const SignalSize& signal, double max_seconds, int64_t n_params, Precision precision, double gflops,
                   AutoFamily family) {
  check(signal, max_seconds, n_params, gflops);
  const double n_pixels = n_pixels_of(signal);
  const double scale = n_pixels / kReferencePixels;
  FitConfig config;
  config.kind = signal.n_dims == 2 ? SignalKind::Image : SignalKind::Video;
  config.preset = "auto";
  config.precision = precision;
  config.train.max_seconds = max_seconds;

  const double rate = 1e9 * (gflops > 0 ? gflops : assumed_gflops_per_core(precision) * n_usable_cores());
  const double seconds = max_seconds > 0 ? max_seconds : kDefaultSeconds * std::pow(scale, kSecondsExponent);
  const double per_pixel =
      std::clamp(kParamsPerPixel * std::pow(scale, kParamsPerPixelExponent), kMinParamsPerPixel, kMaxParamsPerPixel);
  Budget budget;
  budget.flops = rate * seconds;
  budget.has_params = n_params > 0;
  budget.is_size_alone = budget.has_params && max_seconds == 0;
  budget.max_params = budget.has_params ? static_cast<double>(n_params) : per_pixel * n_pixels;
  budget.width_step = budget.has_params ? kBudgetWidthStep : kWidthStep;
  const auto samples_of = [&](const NetworkSpec& spec) { return budget.flops / training_flops(spec); };
  const bool has_chunks = precision == Precision::F32 && family != AutoFamily::Experts;
  if (has_chunks &&
      (signal.n_dims == 3 ? plan_clip(signal, budget.max_params, budget.has_params, family, samples_of, config)
                          : plan_grid_experts(signal, budget.max_params, family, config))) {
    const double n_visits = visits_of(build_network(config.network), signal, budget);
    plan_steps(config, n_pixels, n_visits);
    return {config_to_settings(config, "preset auto"), summary(config.network, n_visits, budget)};
  }
  const double n_visits = plan_experts(signal, budget, config.network);
  const int64_t found = build_network(config.network).n_params();
  if (budget.has_params && found > n_params) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[auto] params: expected at least {} for a signal of this size, got {}; raise the budget",
                            found, n_params));
  }
  plan_batches(config, signal, n_visits, static_cast<double>(found));

  config.train.adam.beta2 = kAutoBeta2;
  Schedule& schedule = config.train.schedule;
  schedule.kind = ScheduleKind::Cosine;
  schedule.final_factor = kAutoFinalFactor;
  schedule.learning_rate =
      std::clamp(kLearningRate * kLearningRateWidth / config.network.widths[0], kMinLearningRate, kLearningRate);
  return {config_to_settings(config, "preset auto"), summary(config.network, n_visits, budget)};
}

}  // namespace loe
