// The preset "auto" for clips: narrow Levels of Experts on a grid of features with an axis for time, or on an encoding
// and one table, trained on product chunks of all frames.
#include <algorithm>
#include <cmath>

#include "loe/backend/product_chunks.h"
#include "task/auto_plan.h"

namespace loe {
namespace {

/// Below, the family of auto_plan.cpp is trained in no time.
constexpr double kMinPixels = 1e6;

constexpr int kLevels = 3;
constexpr int kWidth = 16;
/// Experts along an axis of a tile, tried from the largest on until they leave enough to the features.
constexpr int kLargestTile = 8;
constexpr int kSmallestTile = 2;
/// An axis may have so many more, if its pixels then divide evenly.
constexpr int kMoreExperts = 2;
/// Frames of a finest cell.
constexpr int kFramesPerCell = 1;

/// Samples of an expert in a step, and the features' rate as a multiple: half and twice those of pictures, which had
/// 0.3 and 0.2 dB less.
constexpr int kRowsPerExpert = 16;
constexpr double kFeatureRate = 5;

/// Share of the parameters that the features are to have at least.
constexpr double kMinShare = 0.65;
/// Parameters are limited to what so many samples move.
constexpr double kSamplesPerParam = 60;

/// Levels of pairs of features, all dense, from kCoarsest cells along the longer side to what the parameters allow.
constexpr int kGridLevels = 8;
constexpr double kCoarsest = 16;
constexpr double kMinGrowth = 4;
constexpr int kLog2Entries = 28;
/// Distance of the finest nodes in frames, in units of their distance in pixels.
constexpr double kFramesPerPixel = 1;
constexpr double kMinDistance = 1.5;

/// Cells of the levels along an axis, fine to coarse: each level's, in cells of the level before.
using Ratios = std::array<int, kLevels>;

/// The ratios whose product covers n cells with the least to spare, none above most and as even as that allows.
/// Samples in what is to spare are drawn for nothing.
Ratios best_ratios(int n, int most) {
  Ratios best = {1, 1, 1};
  double best_score = HUGE_VAL;
  for (int a = 1; a <= most; ++a) {
    for (int b = 1; b <= a; ++b) {
      for (int c = 1; c <= b; ++c) {
        const int64_t product = int64_t{a} * b * c;
        // The coarsest tile repeats along axes that are too long for it.
        const int64_t box = product * ((n + product - 1) / product);
        if (product <
            std::min<int64_t>(n, int64_t{most - kMoreExperts} * (most - kMoreExperts) * (most - kMoreExperts))) {
          continue;
        }
        const double score = static_cast<double>(box) / n * (1 + 0.05 * (double{1} * a / c - 1)) + 1e-3 * product / n;
        if (score < best_score) {
          best_score = score;
          best = {a, b, c};
        }
      }
    }
  }
  return best;
}

NetworkConfig levels_of(const SignalSize& signal, int side) {
  NetworkConfig network;
  network.n_dims = 3;
  network.n_channels = signal.n_channels;
  network.output_range = kAutoOutputRange;
  network.init = {ExpertInit::Shared, InitScheme::Lecun};
  network.activation = {ActivationKind::Sine, 0.2, 1};
  network.layout.kind = LayoutKind::FineToCoarse;
  network.widths.assign(kLevels, kWidth);
  std::array<Ratios, 3> ratios;
  std::array<int64_t, 3> cell = {1, 1, kFramesPerCell};
  for (int axis = 0; axis < 3; ++axis) {
    const auto n_cells = static_cast<int>((signal.size[axis] + cell[axis] - 1) / cell[axis]);
    ratios[axis] = best_ratios(n_cells, side + kMoreExperts);
    if (axis == 1) std::reverse(ratios[axis].begin(), ratios[axis].end());  // levels of about as many experts
  }
  for (int level = 0; level < kLevels; ++level) {
    Tile tile;
    Resolution resolution = {1, 1, 1, 1};
    for (int axis = 0; axis < 3; ++axis) {
      tile.n[axis] = ratios[axis][level];
      resolution[axis] = signal.size[axis] / static_cast<double>(cell[axis]);
      cell[axis] *= ratios[axis][level];
    }
    network.tiles.push_back(tile);
    network.layout.resolutions.push_back(resolution);
  }
  std::reverse(network.layout.resolutions.begin(), network.layout.resolutions.end());  // listed coarse to fine
  return network;
}

/// The grid whose finest nodes are so many pixels apart.
void set_grid(const SignalSize& signal, double distance, NetworkConfig& network) {
  const double longest = std::max(signal.size[0], signal.size[1]);
  GridConfig& grid = network.grid;
  grid.n_levels = kGridLevels;
  grid.log2_entries = kLog2Entries;
  for (int axis = 0; axis < 3; ++axis) {
    const double step = axis < 2 ? distance : distance * kFramesPerPixel;
    grid.finest[axis] = std::max(1.0, std::round(signal.size[axis] / step));
    grid.coarsest[axis] =
        std::clamp(kCoarsest * signal.size[axis] / longest, 1 / kMinGrowth, grid.finest[axis] / kMinGrowth);
  }
}

/// One table of four channels behind the encoding, with nodes so many pixels apart.
void set_table(const SignalSize& signal, double distance, NetworkConfig& network) {
  network.input.n_frequencies = 4;
  EmbeddingSpec& table = network.input.embedding;
  table.n_channels = 4;
  for (int axis = 0; axis < 3; ++axis) {
    const double step = axis < 2 ? distance : distance * kFramesPerPixel;
    table.resolution[axis] = std::max(1, static_cast<int>(std::round(signal.size[axis] / step)));
  }
}

/// Sets the finest features with which the network has at most so many parameters; false if there are too few of them.
template <class SetFeatures>
bool fit_features(double max_params, const SetFeatures& set_features, NetworkConfig& network) {
  const auto n_params = [&](double distance) {
    set_features(distance);
    return static_cast<double>(build_network(network).n_params());
  };
  double wide = 64;
  double narrow = kMinDistance;
  if (n_params(wide) > max_params) return false;
  if (n_params(narrow) > max_params) {
    while (wide - narrow > 0.01) {
      const double middle = (wide + narrow) / 2;
      (n_params(middle) <= max_params ? wide : narrow) = middle;
    }
    n_params(wide);
  }
  const NetworkSpec spec = build_network(network);
  const auto n_features = static_cast<double>(spec.input.embedding.size());
  return n_features >= kMinShare * std::min(max_params, static_cast<double>(spec.n_params()));
}

}  // namespace

bool plan_clip(const SignalSize& signal, double max_params, bool has_params, AutoFamily family,
               const std::function<double(const NetworkSpec&)>& samples_of, FitConfig& config) {
  const double n_pixels = double{1} * signal.size[0] * signal.size[1] * signal.size[2];
  if (signal.n_dims != 3 || n_pixels < kMinPixels || family == AutoFamily::Experts) return false;
  for (int side = kLargestTile; side >= kSmallestTile; --side) {
    NetworkConfig network = levels_of(signal, side);
    const double limit =
        has_params ? max_params : std::min(max_params, samples_of(build_network(network)) / kSamplesPerParam);
    const auto set_features = [&](double distance) {
      family == AutoFamily::Best ? set_grid(signal, distance, network) : set_table(signal, distance, network);
    };
    if (!fit_features(limit, set_features, network)) continue;
    const std::array<int64_t, 3> size = {signal.size[0], signal.size[1], signal.size[2]};
    if (!ProductChunks::why_not(build_network(network), size).empty()) continue;
    config.network = network;
    plan_product_training(kRowsPerExpert, kFeatureRate, config);
    return true;
  }
  return false;
}

}  // namespace loe
