// Everything needed to resume a training bit for bit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loe/backend/backend.h"

namespace loe {

/// From here on the run's progress rises evenly from `progress` towards 1 at step `end`, but not above `limit` before
/// the next point.
struct PlanPoint {
  int64_t step = 0;
  double progress = 0;
  int64_t end = 0;     ///< above step
  double limit = 1;    ///< at least progress, at most 1
  double seconds = 0;  ///< RunState::seconds when it was made
  bool operator==(const PlanPoint&) const = default;
};

struct RunState {
  ParamState params;
  int64_t step = 0;  ///< finished updates
  uint64_t seed = 0;
  double seconds = 0;  ///< training time so far, over all sessions
  /// Of a run whose schedule follows the time (TrainOptions::schedule_by), by step; empty for others. The updates
  /// depend on it and on nothing else of the time, so a run that is given the points of another repeats its bits.
  std::vector<PlanPoint> plan;
  double best_psnr_db = -1;  ///< of evaluations so far; -1: none yet
  int64_t best_step = -1;
  /// What a task keeps beside the parameters: the densities of a radiance field's occupancy grid. Empty for most.
  std::vector<float> task_state;
  std::string config_hash;  ///< of the settings that determine the result; a foreign checkpoint is refused
};

}  // namespace loe
