// The preset "auto": a network and a training from a signal's size and a budget. What it does: auto_settings in
// image_presets.h.
#pragma once

#include <array>
#include <cstdint>

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

/// A scene's or a generator's limit of steps as a share of those that a budget is estimated to be worth. With seconds
/// the schedule follows the time, and the limit only catches what no estimate foresaw; without, the estimate is the
/// plan.
inline double limit_share(double max_seconds) {
  return max_seconds > 0 ? 3 : 0.85;
}

AutoPlan plan_auto(const SignalSize& signal, double max_seconds, int64_t n_params, Precision precision, double gflops,
                   AutoFamily family = AutoFamily::Experts);

/// The family "narrow Levels of Experts on a grid of features" (grid_plan.cpp): sets network, sampling, batch size and
/// rates; false, with `config` as it was, if it does not fit this signal or leaves too few parameters for the grid.
bool plan_grid_experts(const SignalSize& signal, double max_params, FitConfig& config);

}  // namespace loe
