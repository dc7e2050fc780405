// One training in its run folder, from the resolved job to result.json.
#pragma once

#include "fit_settings.h"
#include "progress.h"

namespace loe::app {

/// Trains and evaluates. Returns 0, or 130 after an interruption that was saved.
/// All errors of the parts below; the run keeps its last good checkpoint then.
int run_fit(FitJob& job, const FitFlags& flags, Reporter& reporter);

/// --dry-run: prints parameters, MACs, memory, seconds per step (measured by real steps that leave nothing behind) and
/// the total. Writes no file.
int dry_run_fit(const FitJob& job, const FitFlags& flags, Reporter& reporter);

}  // namespace loe::app
