// Everything needed to resume a training bit for bit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loe/backend/backend.h"

namespace loe {

struct RunState {
  ParamState params;
  int64_t step = 0;  ///< finished updates
  uint64_t seed = 0;
  double seconds = 0;        ///< training time so far, over all sessions
  double best_psnr_db = -1;  ///< of evaluations so far; -1: none yet
  int64_t best_step = -1;
  /// What a task keeps beside the parameters: the densities of a radiance field's occupancy grid. Empty for most.
  std::vector<float> task_state;
  std::string config_hash;  ///< of the settings that determine the result; a foreign checkpoint is refused
};

}  // namespace loe
