#include "loe/optim/schedule.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "loe/base/error.h"
#include "loe/base/settings.h"

namespace loe {
namespace {

constexpr std::pair<ScheduleKind, const char*> kScheduleNames[] = {
    {ScheduleKind::Constant, "constant"},
    {ScheduleKind::Step, "step"},
    {ScheduleKind::Exponential, "exponential"},
    {ScheduleKind::Cosine, "cosine"},
};

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorKind::InvalidArgument, "[schedule] " + message);
}

bool is_positive(double value) {
  return std::isfinite(value) && value > 0;
}

void check_milestones(const std::vector<double>& milestones) {
  double previous = 0;
  for (double milestone : milestones) {
    if (!(milestone > previous && milestone < 1)) {
      fail(
          fmt::format("milestones: expected increasing fractions of the run, each above 0 and below 1, got [{}]; "
                      "correct {}",
                      fmt::join(milestones, ", "), milestone));
    }
    previous = milestone;
  }
}

}  // namespace

double Schedule::at(int64_t step, int64_t max_steps) const {
  // The quotient is correctly rounded, so a milestone of 0.3 starts exactly at step 3 of 10.
  return at(max_steps < 1 ? 0.0 : static_cast<double>(step) / static_cast<double>(max_steps));
}

double Schedule::at(double progress) const {
  progress = std::clamp(progress, 0.0, 1.0);
  switch (kind) {
    case ScheduleKind::Constant:
      return learning_rate;
    case ScheduleKind::Step: {
      const auto n_passed =
          std::count_if(milestones.begin(), milestones.end(), [&](double m) { return m <= progress; });
      return learning_rate * std::pow(factor, static_cast<double>(n_passed));
    }
    case ScheduleKind::Exponential:
      return learning_rate * std::pow(final_factor, progress);
    case ScheduleKind::Cosine:
      return learning_rate * (final_factor + (1 - final_factor) * (1 + std::cos(std::numbers::pi * progress)) / 2);
  }
  return learning_rate;
}

void Schedule::validate() const {
  if (!is_positive(learning_rate)) {
    fail(fmt::format("learning_rate: expected a finite number above 0, got {}; 0.001 is usual", learning_rate));
  }
  if (kind == ScheduleKind::Step) {
    if (!is_positive(factor)) {
      fail(fmt::format("factor: expected a finite number above 0, got {}; 0.1 is usual", factor));
    }
    check_milestones(milestones);
  }
  if (kind == ScheduleKind::Exponential && !is_positive(final_factor)) {
    fail(fmt::format("final_factor: expected a finite number above 0, got {}; 0.01 is usual", final_factor));
  }
  if (kind == ScheduleKind::Cosine && !(std::isfinite(final_factor) && final_factor >= 0)) {
    fail(fmt::format("final_factor: expected a finite number, 0 or above, got {}; 0.01 is usual", final_factor));
  }
}

const char* to_string(ScheduleKind kind) {
  for (const auto& [known, name] : kScheduleNames) {
    if (known == kind) {
      return name;
    }
  }
  return "?";
}

ScheduleKind schedule_kind_from_string(const std::string& text) {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kScheduleNames) {
    if (text == name) {
      return kind;
    }
    names.emplace_back(name);
  }
  const std::string suggestion = closest_match(text, names);
  fail(fmt::format("kind: expected one of {}, got '{}'; {}", fmt::join(names, ", "), text,
                   suggestion.empty() ? "choose one of them" : fmt::format("did you mean '{}'?", suggestion)));
}

}  // namespace loe
