// Learning-rate schedules.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace loe {

enum class ScheduleKind {
  Constant,
  Step,         ///< lr = learning_rate * factor^(number of milestones <= progress)
  Exponential,  ///< lr = learning_rate * final_factor^progress
  Cosine,       ///< lr = learning_rate * (final_factor + (1 - final_factor) (1 + cos(pi progress)) / 2)
};

/// The rate is a pure function of progress, so a resumed run continues it. progress in [0, 1] is step / max_steps,
/// where step counts finished updates; the first update sees progress 0.
struct Schedule {
  ScheduleKind kind = ScheduleKind::Step;
  double learning_rate = 1e-3;
  double factor = 0.1;
  std::vector<double> milestones = {0.5};  ///< Step: fractions of the run, increasing, in (0, 1)
  double final_factor = 0.01;              ///< Exponential, Cosine

  /// Learning rate at `progress`, clamped to [0, 1].
  double at(double progress) const;
  /// Learning rate of the update after `step` finished ones. Progress outside [0, 1] is clamped (max_steps < 1: 0).
  double at(int64_t step, int64_t max_steps) const;
  /// Error(InvalidArgument) naming the field, for the fields that `kind` reads.
  void validate() const;
};

/// "constant", "step", "exponential", "cosine"; the reverse throws Error(InvalidArgument) listing them.
const char* to_string(ScheduleKind kind);
ScheduleKind schedule_kind_from_string(const std::string& text);

}  // namespace loe
