// The preset "auto": a network and a training from a signal's size and a budget. What it does: auto_settings in
// image_presets.h.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "loe/backend/backend.h"
#include "loe/base/settings.h"
#include "loe/task/fit_config.h"
#include "loe/task/image_presets.h"

namespace loe {

struct SignalSize {
  int n_dims = 2;
  std::array<int, 3> size = {1, 1, 1};  ///< width, height, frames; 1 beyond n_dims
  int n_channels = 3;
};

/// Training GFLOP/s per core when the caller has no measurement.
double assumed_gflops_per_core(Precision precision);

/// What both families of networks (auto_plan.cpp, grid_plan.cpp) have found best. Outputs for the signal's 0 and 1:
/// wider than the signal's [-1, 1], which never lost and gained up to 0.4 dB.
inline constexpr std::array<double, 2> kAutoOutputRange = {-2, 2};
/// Short runs need second moments that forget the first, large gradients: 1 to 4 dB over 0.999.
inline constexpr double kAutoBeta2 = 0.99;
/// The cosine's end as a share of the rate.
inline constexpr double kAutoFinalFactor = 0.01;

/// A scene's or a generator's limit of steps as a share of those that a budget is estimated to be worth. With seconds
/// the schedule follows the time, and the limit only catches what no estimate foresaw; without, the estimate is the
/// plan.
inline double limit_share(double max_seconds) {
  return max_seconds > 0 ? 3 : 0.85;
}

AutoPlan plan_auto(const SignalSize& signal, double max_seconds, int64_t n_params, Precision precision, double gflops,
                   AutoFamily family = AutoFamily::Experts);

/// Narrow Levels of Experts on product chunks for pictures (grid_plan.cpp), AutoFamily::Best on a grid of features,
/// ExpertsOnChunks beside a table of them: sets network, sampling, batch size and rates; false, with `config` as it
/// was, if it does not fit this signal or leaves too few parameters for the features.
bool plan_grid_experts(const SignalSize& signal, double max_params, AutoFamily family, FitConfig& config);

/// The same for clips (clip_plan.cpp), whose grid has an axis for time; AutoFamily::ExpertsOnChunks gets an encoding
/// and a table instead of the grid. n_samples: how many a budget is worth, by samples_of(network). has_params:
/// max_params was asked for.
bool plan_clip(const SignalSize& signal, double max_params, bool has_params, AutoFamily family,
               const std::function<double(const NetworkSpec&)>& samples_of, FitConfig& config);

/// Batch and rates of a narrow network on product chunks: so many samples of each expert in a step, the features' rate
/// as a multiple of the others'. config.network is set.
void plan_product_training(int rows_per_expert, double grid_rate, FitConfig& config);

}  // namespace loe
