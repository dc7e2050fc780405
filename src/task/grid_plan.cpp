// The preset "auto" for larger pictures: narrow Levels of Experts on a grid of features, or beside a table of them,
// trained on product chunks.
#include <algorithm>
#include <cmath>

#include "loe/backend/product_chunks.h"
#include "task/auto_plan.h"

namespace loe {
namespace {

/// Below, the family of auto_plan.cpp gains as much in no time, and every number here would be another.
constexpr int kMinSide = 128;

/// Measured at equal parameters and CPU time: three levels of 16 sines on a grid had 0.5 dB more than a plain network
/// of 32 on the same grid, and cost less than levels of 32.
constexpr int kLevels = 3;
constexpr int kWidth = 16;
/// Experts along an axis of a tile, and cells of the next level along one of this: 1, 16 and 256 pixels, or 1, 8
/// and 64. The coarsest tile repeats beyond 4,096 or 512 pixels; there the grid tells places apart.
constexpr int kTiles[] = {16, 8};

/// Levels of pairs of features, all dense: the grid grows with its finest level alone. Shares of the parameters that
/// features are to have at least: 16 x 16 experts are for budgets that leave most to them.
constexpr int kGridLevels = 8;
constexpr double kCoarsest = 16;
constexpr double kMinGrowth = 4;
constexpr double kMinFeatureShare[] = {0.6, 0.35};
constexpr int kLog2Entries = 28;
/// The one table of the pure family, and the frequencies of the encoding beside it.
constexpr int kTableChannels = 4;
constexpr int kFrequencies = 4;

/// Rows of an expert in a step. More lose updates, fewer pass by the parameters more often than the samples are worth.
constexpr int kRowsPerExpert = 32;
/// The rate of Adam, and the grid's as a multiple.
constexpr double kLearningRate = 0.01;
constexpr double kGridRate = 2.5;
/// Numbers of the features per sample of a step from which on Adam over them would cost as much as the rest of the
/// step: then it moves every second step, every fourth from twice as many on, up to every eighth. No loss was seen of
/// it.
constexpr double kNumbersPerSample = 25;
constexpr int kMaxEvery = 8;

/// Experts along an axis of the coarsest tile, which repeats until it covers so many cells: at most `side`, with as few
/// draws that fall outside the signal as that allows.
int repeated_side(int64_t n_cells, int side) {
  const int64_t n_repetitions = (n_cells + side - 1) / side;
  return static_cast<int>((n_cells + n_repetitions - 1) / n_repetitions);
}

NetworkConfig levels_of(const SignalSize& signal, int side) {
  NetworkConfig network;
  network.n_dims = 2;
  network.n_channels = signal.n_channels;
  network.output_range = kAutoOutputRange;
  network.init = {ExpertInit::Shared, InitScheme::Lecun};
  network.activation = {ActivationKind::Sine, 0.2, 1};
  network.layout.kind = LayoutKind::FineToCoarse;
  network.widths.assign(kLevels, kWidth);
  int64_t cell = 1;
  for (int level = 0; level < kLevels; ++level) {
    Tile tile;
    Resolution resolution = {1, 1, 1, 1};
    for (int axis = 0; axis < 2; ++axis) {
      const int64_t n_cells = (signal.size[axis] + cell - 1) / cell;
      tile.n[axis] =
          level + 1 < kLevels ? static_cast<int>(std::min<int64_t>(side, n_cells)) : repeated_side(n_cells, side);
      resolution[axis] = signal.size[axis] / static_cast<double>(cell);
    }
    network.tiles.push_back(tile);
    network.layout.resolutions.push_back(resolution);
    cell *= side;
  }
  std::reverse(network.layout.resolutions.begin(), network.layout.resolutions.end());  // listed coarse to fine
  return network;
}

/// The grid whose finest level has this many cells along the longer axis.
void set_grid(const SignalSize& signal, double finest, NetworkConfig& network) {
  const double longest = std::max(signal.size[0], signal.size[1]);
  GridConfig& grid = network.grid;
  grid.n_levels = kGridLevels;
  grid.log2_entries = kLog2Entries;
  for (int axis = 0; axis < 2; ++axis) {
    grid.finest[axis] = std::max(1.0, std::round(finest * signal.size[axis] / longest));
    grid.coarsest[axis] =
        std::clamp(kCoarsest * signal.size[axis] / longest, 1 / kMinGrowth, grid.finest[axis] / kMinGrowth);
  }
}

/// The encoding, and behind it one table with this many nodes along the longer axis.
void set_table(const SignalSize& signal, double finest, NetworkConfig& network) {
  const double longest = std::max(signal.size[0], signal.size[1]);
  network.input.n_frequencies = kFrequencies;
  EmbeddingSpec& table = network.input.embedding;
  table.n_channels = kTableChannels;
  for (int axis = 0; axis < 2; ++axis) {
    table.resolution[axis] = std::max(1, static_cast<int>(finest * signal.size[axis] / longest));
  }
}

/// Sets the finest features with which the network has at most so many parameters; false if the experts leave less than
/// their share.
bool fit_features(const SignalSize& signal, double max_params, double min_share, bool has_grid,
                  NetworkConfig& network) {
  const auto spec_of = [&](double finest) {
    has_grid ? set_grid(signal, finest, network) : set_table(signal, finest, network);
    return build_network(network);
  };
  const auto n_params = [&](double finest) { return static_cast<double>(spec_of(finest).n_params()); };
  const double longest = std::max(signal.size[0], signal.size[1]);
  double low = kCoarsest;
  const NetworkSpec smallest = spec_of(low);
  const auto n_experts = static_cast<double>(smallest.n_params() - smallest.input.embedding.size());
  if (n_params(low) > max_params || n_experts > (1 - min_share) * max_params) return false;
  for (double high = longest; high - low > 1;) {
    const double middle = std::floor((low + high) / 2);
    (n_params(middle) <= max_params ? low : high) = middle;
  }
  n_params(low);
  return true;
}

}  // namespace

void plan_product_training(int rows_per_expert, double grid_rate, FitConfig& config) {
  int most_experts = 1;
  for (const Tile& tile : config.network.tiles) most_experts = std::max(most_experts, tile.n_experts());
  config.sampling = PixelSampling::ProductChunks;
  config.batch_size = int64_t{rows_per_expert} * most_experts;
  config.train.adam.beta2 = kAutoBeta2;
  EmbeddingUpdate& tables = config.train.adam.embedding;
  tables.rate = grid_rate;
  const double n_numbers = static_cast<double>(build_network(config.network).input.embedding.size());
  const double numbers = n_numbers / static_cast<double>(config.batch_size);
  for (tables.every = 1; tables.every < kMaxEvery && numbers > kNumbersPerSample * 2 * tables.every;) {
    tables.every *= 2;
  }
  Schedule& schedule = config.train.schedule;
  schedule.kind = ScheduleKind::Cosine;
  schedule.final_factor = kAutoFinalFactor;
  schedule.learning_rate = kLearningRate;
}

bool plan_grid_experts(const SignalSize& signal, double max_params, AutoFamily family, FitConfig& config) {
  if (family == AutoFamily::Experts) return false;
  if (signal.n_dims != 2 || std::min(signal.size[0], signal.size[1]) < kMinSide) return false;
  const bool has_grid = family == AutoFamily::Best;
  for (std::size_t i = 0; i < std::size(kTiles); ++i) {
    NetworkConfig network = levels_of(signal, kTiles[i]);
    if (!fit_features(signal, max_params, kMinFeatureShare[i], has_grid, network)) continue;
    if (!ProductChunks::why_not(build_network(network), {signal.size[0], signal.size[1], 1}).empty()) continue;
    config.network = network;
    plan_product_training(kRowsPerExpert, kGridRate, config);
    return true;
  }
  return false;
}

}  // namespace loe
