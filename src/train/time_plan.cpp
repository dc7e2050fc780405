#include "train/time_plan.h"

#include <algorithm>
#include <cmath>

namespace loe {
namespace {

/// Shares of the time between two points, and before the first. A run whose speed changes for good is off by at most
/// about one such share at its end, where a cosine has come down to a thousandth of its rate.
constexpr double kShare = 0.02;
constexpr double kFirstShare = 0.005;
/// The first step pays for touching all memory; fewer tell nothing of the speed.
constexpr int64_t kMinSteps = 3;
/// Points over whose time the speed is averaged: a tenth of the run, so that an evaluation now and then is part of it.
constexpr std::size_t kMemory = 5;
/// Times that the progress may rise faster than the time until the next point: a speed taken for too low (a first step
/// that waits for a disk) must not end the schedule before the mistake is seen.
constexpr double kMaxHurry = 2;

}  // namespace

double planned_progress(const std::vector<PlanPoint>& plan, int64_t step, int64_t max_steps) {
  const double by_steps =
      max_steps < 1 ? 0 : std::clamp(static_cast<double>(step) / static_cast<double>(max_steps), 0.0, 1.0);
  const auto next = std::upper_bound(plan.begin(), plan.end(), step,
                                     [](int64_t s, const PlanPoint& point) { return s < point.step; });
  if (next == plan.begin()) {
    return by_steps;
  }
  const PlanPoint& point = *(next - 1);
  const double share =
      step < point.end ? static_cast<double>(step - point.step) / static_cast<double>(point.end - point.step) : 1;
  return std::max(by_steps, std::min(point.progress + (1 - point.progress) * share, point.limit));
}

bool is_plan(const std::vector<PlanPoint>& plan) {
  PlanPoint last = {-1, 0, 0, 0, 0};
  for (const PlanPoint& point : plan) {
    const bool is_good = point.step > last.step && point.progress >= last.progress && point.limit >= point.progress &&
                         point.limit <= 1 && point.end > point.step && point.seconds >= last.seconds;
    if (!is_good) {
      return false;
    }
    last = point;
  }
  return true;
}

void extend_plan(std::vector<PlanPoint>& plan, int64_t step, double seconds, int64_t max_steps, double max_seconds) {
  if (!plan.empty() && plan.back().step > step) {
    return;  // of a plan that was given
  }
  const bool is_first = plan.empty();
  const PlanPoint last = is_first ? PlanPoint() : plan.back();
  const double due = (is_first ? kFirstShare : kShare) * max_seconds;
  if (step - last.step < kMinSteps || seconds - last.seconds < due || step >= max_steps) {
    return;
  }
  const PlanPoint since = plan.size() < kMemory ? (is_first ? last : plan.front()) : plan[plan.size() - kMemory];
  const double seconds_per_step = (seconds - since.seconds) / static_cast<double>(step - since.step);
  const double seconds_left = std::max(max_seconds - seconds, 0.0);
  const double n_left = std::max(1.0, std::floor(seconds_left / seconds_per_step));
  const bool is_ample = n_left >= static_cast<double>(max_steps - step);
  if (is_first && is_ample) {
    return;
  }
  const int64_t end = is_ample ? max_steps : step + static_cast<int64_t>(n_left);
  const double until_next = std::max(kShare * max_seconds, kMinSteps * seconds_per_step);
  const double hurry = std::min(1.0, kMaxHurry * until_next / std::max(seconds_left, until_next));
  const double progress = planned_progress(plan, step, max_steps);
  plan.push_back({step, progress, end, progress + (1 - progress) * hurry, seconds});
}

}  // namespace loe
