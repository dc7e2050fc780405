#include "task/hash_grid_preset.h"

#include <algorithm>

#include "task/fit_config_internal.h"

namespace loe {
namespace {

constexpr int kLevels = 16;
constexpr int kWidth = 32;
constexpr double kCoarsest = 16;
constexpr double kParamsPerPixel = 0.4;
constexpr double kParamsPerVideoPixel = 0.05;
constexpr double kMinParams = 2e4;
constexpr double kMaxParams = 4e6;
constexpr int kMinLog2Entries = 8;
constexpr int kMaxLog2Entries = 19;
constexpr int64_t kBatch = 8192;
/// Samples per pixel of a run; long enough for what the network can, camera.png's curve is flat from there on.
constexpr double kVisits = 250;
constexpr double kMinSteps = 1000;
constexpr double kMaxSteps = 20000;

GridConfig grid_of(int n_dims, const std::array<int, 3>& size) {
  const double longest = std::max(size[0], size[1]);
  GridConfig grid;
  grid.n_levels = kLevels;
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(n_dims); ++axis) {
    grid.finest[axis] = std::max(1.0, static_cast<double>(size[axis]));
    grid.coarsest[axis] = std::clamp(kCoarsest * size[axis] / longest, 0.5, grid.finest[axis]);
  }
  double n_pixels = 1;
  for (const int n : size) {
    n_pixels *= n;
  }
  const double budget =
      std::clamp((n_dims == 2 ? kParamsPerPixel : kParamsPerVideoPixel) * n_pixels, kMinParams, kMaxParams);
  grid.log2_entries = kMaxLog2Entries;
  while (grid.log2_entries > kMinLog2Entries &&
         static_cast<double>(make_grid_embedding(grid, n_dims).size()) > budget) {
    --grid.log2_entries;
  }
  return grid;
}

}  // namespace

Settings hash_grid_settings(SignalKind kind, const std::array<int, 3>& size) {
  FitConfig config;
  config.kind = kind;
  config.preset = "hash_grid";
  NetworkConfig& network = config.network;
  network.n_dims = n_dims_of(kind);
  network.grid = grid_of(network.n_dims, size);
  add_level(network, kWidth, 1, 1);
  add_level(network, kWidth, 1, 1);
  network.activation.kind = ActivationKind::Relu;
  network.output_range = {-1, 1};
  config.sampling = PixelSampling::ProductChunks;  // random pixels of a plain network, for the trainer of narrow ones
  config.batch_size = kBatch;
  TrainOptions& train = config.train;
  train.schedule.kind = ScheduleKind::Cosine;
  train.schedule.learning_rate = 0.02;
  train.schedule.final_factor = 0;
  train.adam.beta2 = 0.99;
  train.adam.epsilon = 1e-15;
  train.adam.embedding.skips_zeros = true;
  const double n_pixels = double{1} * size[0] * size[1] * size[2];
  train.max_steps = static_cast<int64_t>(std::clamp(kVisits * n_pixels / kBatch, kMinSteps, kMaxSteps));
  return config_to_settings(config, "preset hash_grid");
}

}  // namespace loe
