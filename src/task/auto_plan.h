// The preset "auto": a network and a training from a signal's size and a budget. What it does: auto_settings in
// image_presets.h.
#pragma once

#include <array>
#include <cstdint>

#include "loe/backend/backend.h"
#include "loe/base/settings.h"

namespace loe {

struct SignalSize {
  int n_dims = 2;
  std::array<int, 3> size = {1, 1, 1};  ///< width, height, frames; 1 beyond n_dims
  int n_channels = 3;
};

/// Training GFLOP/s per core when the caller has no measurement.
double assumed_gflops_per_core(Precision precision);

/// Share of the seconds that is planned for updates: the rest goes to reading, evaluations, pictures and the error of
/// the throughput estimate, a quarter of a second on a machine that others may use.
inline constexpr double kPlannedShare = 0.85;

Settings plan_auto(const SignalSize& signal, double max_seconds, int64_t n_params, Precision precision, double gflops);

}  // namespace loe
