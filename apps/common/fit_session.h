// A fit with its progress, its messages and its result for people.
#pragma once

#include "fit_flags.h"
#include "loe/fitting/fit_run.h"
#include "progress.h"

namespace loe::app {

/// What happens goes to the user; Ctrl-C stops after saving (while an InterruptGuard lives).
FitEvents events_of(Reporter& reporter);

/// Trains, evaluates and prints the result. Returns 0, or 130 after an interruption that was saved.
int run_and_report(FitJob& job, const FitFlags& flags, Reporter& reporter);

/// --dry-run: prints parameters, MACs, memory, seconds per step (measured by real steps that leave nothing behind) and
/// the total. Writes no file.
int dry_run(const FitJob& job, const FitFlags& flags, Reporter& reporter);

}  // namespace loe::app
