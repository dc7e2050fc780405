// One fit in its run folder, from the resolved job to result.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loe/fitting/fit_job.h"

namespace loe {

/// Where a new run lives; a resumed one stays in its folder.
struct FitPlace {
  std::string out;     ///< run folder; "": runs/NAME-DATE-TIME
  bool force = false;  ///< what is in `out` moves to its folder previous-N
};

/// How a run ended.
struct FitOutcome {
  StopReason reason = StopReason::MaxSteps;  ///< Cancelled: `saved_step` can be resumed, there is no result
  int64_t saved_step = -1;
  std::string folder;
  Facts result;                     ///< what result.json says, but for the kernels
  std::vector<KernelInfo> kernels;  ///< what computed, and why
};

/// Trains and evaluates; writes config.toml, environment.json, metrics.jsonl, checkpoints, model.safetensors, previews,
/// reconstruction and result.json into the run folder. All errors of the parts below; the run keeps its last good
/// checkpoint then.
FitOutcome run_fit(FitJob& job, const FitPlace& place = {}, const FitEvents& events = {});

/// What a run would cost, from real steps that leave nothing behind.
struct FitEstimate {
  int64_t samples_per_step = 0;
  double seconds_per_step = 0;  ///< median of three
  int64_t n_steps = 0;          ///< until the first stopping rule
  double total_seconds = 0;
  int n_threads = 0;
};
/// Writes no file.
FitEstimate estimate_fit(const FitJob& job, const FitEvents& events = {});

/// What a batch counts: "samples_per_step", of a scene "rays_per_step".
std::string batch_key(const FitSignal& signal);

}  // namespace loe
