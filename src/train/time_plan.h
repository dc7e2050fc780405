// How a run under a time limit spends it: which share of the run each step stands at.
#pragma once

#include <cstdint>
#include <vector>

#include "loe/train/run_state.h"

namespace loe {

/// Share of the run, in [0, 1], that the update after `step` finished ones sees: that of the last point at or before
/// `step`, risen evenly towards 1 at its end; at least step / max_steps, should the steps come first.
double planned_progress(const std::vector<PlanPoint>& plan, int64_t step, int64_t max_steps);

/// Whether the points are by step, their progress in [0, 1] and never falling, their ends above their steps.
bool is_plan(const std::vector<PlanPoint>& plan);

/// Adds a point at `step`, reached after `seconds`, if one is due: the time since the last one tells how many steps the
/// rest of max_seconds is worth, and the remaining share of the schedule is spread over them. Points are due about
/// every fiftieth of the time, the first one earlier; none while max_steps will be reached in time, so that such a run
/// has the bits of one without a limit. A pure function of its arguments.
void extend_plan(std::vector<PlanPoint>& plan, int64_t step, double seconds, int64_t max_steps, double max_seconds);

}  // namespace loe
