// Runs whose schedule follows the time: on a clock of our own, and through train().
#include "train/time_plan.h"

#include <gtest/gtest.h>

#include <cmath>

#include "loe/base/error.h"
#include "train/fakes.h"

namespace loe {
namespace {

constexpr int64_t kManySteps = 1'000'000'000;

/// What a run with these step times would have seen: the progress of every update, until the time is up.
struct SimulatedRun {
  std::vector<PlanPoint> plan;
  int64_t step = 0;
  double seconds = 0;
  std::vector<double> progress;

  void go_on(double max_seconds, int64_t max_steps, const std::function<double(int64_t)>& seconds_of_step,
             int64_t n_steps = kManySteps) {
    for (int64_t i = 0; i < n_steps && seconds < max_seconds && step < max_steps; ++i) {
      progress.push_back(planned_progress(plan, step, max_steps));
      seconds += seconds_of_step(step);
      ++step;
      extend_plan(plan, step, seconds, max_steps, max_seconds);
    }
  }
};

void expect_it_lands(const SimulatedRun& run, double least) {
  EXPECT_TRUE(is_plan(run.plan));
  EXPECT_LT(run.progress.front(), 1e-3);
  for (std::size_t i = 1; i < run.progress.size(); ++i) {
    ASSERT_GE(run.progress[i], run.progress[i - 1]) << i;
  }
  EXPECT_GT(run.progress.back(), least);
  EXPECT_LE(run.progress.back(), 1);
}

TEST(TimePlan, LandsAtAnySpeed) {
  for (const double seconds_of_step : {1e-4, 1e-2, 0.3}) {
    SCOPED_TRACE(seconds_of_step);
    SimulatedRun run;
    run.go_on(20, kManySteps, [&](int64_t) { return seconds_of_step; });
    EXPECT_NEAR(static_cast<double>(run.step), 20 / seconds_of_step, 2);
    expect_it_lands(run, seconds_of_step < 0.1 ? 0.99 : 0.9);
    EXPECT_LE(run.plan.size(), 52U);
  }
}

TEST(TimePlan, FollowsAMachineThatChangesItsSpeed) {
  SimulatedRun slower;
  slower.go_on(10, kManySteps, [](int64_t step) { return step < 3000 ? 0.001 : 0.005; });
  expect_it_lands(slower, 0.99);
  SimulatedRun faster;
  faster.go_on(10, kManySteps, [](int64_t step) { return step < 300 ? 0.01 : 0.001; });
  EXPECT_NEAR(static_cast<double>(faster.step), 300 + 7000, 2);
  expect_it_lands(faster, 0.99);
  // Half of the time of a run that would have been cut at half of its steps.
  EXPECT_NEAR(faster.progress[300], 0.3, 0.03);
  SimulatedRun pausing;  // an evaluation of a second, every 1,000 steps
  pausing.go_on(20, kManySteps, [](int64_t step) { return step % 1000 == 999 ? 1 : 0.001; });
  expect_it_lands(pausing, 0.9);
  SimulatedRun first_step_is_slow;
  first_step_is_slow.go_on(10, kManySteps, [](int64_t step) { return step == 0 ? 2 : 0.001; });
  expect_it_lands(first_step_is_slow, 0.99);
}

TEST(TimePlan, AmpleTimeChangesNothing) {
  SimulatedRun run;
  run.go_on(100, 700, [](int64_t) { return 0.01; });
  EXPECT_TRUE(run.plan.empty());
  for (int64_t step = 0; step < 700; ++step) {
    ASSERT_EQ(run.progress[step], static_cast<double>(step) / 700);
  }
}

TEST(TimePlan, StepsMayComeFirstAfterAll) {
  SimulatedRun run;  // seems too slow for its 1,000 steps at first
  run.go_on(10, 1000, [](int64_t step) { return step < 50 ? 0.02 : 0.002; });
  EXPECT_EQ(run.step, 1000);
  expect_it_lands(run, 0.99);
}

TEST(TimePlan, ResumingNeedsNothingButTheState) {
  const auto seconds_of_step = [](int64_t step) { return 0.001 * static_cast<double>(1 + step % 7); };
  SimulatedRun whole;
  whole.go_on(10, kManySteps, seconds_of_step);
  SimulatedRun parts;
  for (const int64_t n_steps : {int64_t{1}, int64_t{400}, int64_t{777}, kManySteps}) {
    SimulatedRun next = {parts.plan, parts.step, parts.seconds, parts.progress};  // all that a checkpoint holds
    next.go_on(10, kManySteps, seconds_of_step, n_steps);
    parts = next;
  }
  EXPECT_EQ(parts.progress, whole.progress);
  EXPECT_EQ(parts.plan, whole.plan);
}

TEST(TimePlan, ALaterLimitGoesOnFromWhereItIs) {
  SimulatedRun run;
  run.go_on(
      10, kManySteps, [](int64_t) { return 0.001; }, 5000);
  const double before = run.progress.back();
  run.go_on(40, kManySteps, [](int64_t) { return 0.001; });
  expect_it_lands(run, 0.99);
  EXPECT_NEAR(run.progress[20000], before + (1 - before) * 15000 / 35000, 0.02);
}

TEST(TimePlan, PointsMustFitTogether) {
  EXPECT_TRUE(is_plan({}));
  EXPECT_TRUE(is_plan({{5, 0, 10, 0.5, 1}, {8, 0.5, 9, 1, 2}}));
  EXPECT_FALSE(is_plan({{5, 0, 5, 1, 1}}));
  EXPECT_FALSE(is_plan({{5, 0, 10, 1, 1}, {5, 0.5, 9, 1, 2}}));
  EXPECT_FALSE(is_plan({{5, 0.5, 10, 1, 1}, {8, 0.4, 9, 1, 2}}));
  EXPECT_FALSE(is_plan({{5, std::nan(""), 10, 1, 1}}));
  EXPECT_FALSE(is_plan({{5, 0.5, 10, 0.4, 1}}));
  EXPECT_FALSE(is_plan({{5, 0.5, 10, 1.5, 1}}));
  EXPECT_FALSE(is_plan({{5, 0.5, 10, 1, 3}, {8, 0.6, 9, 1, 2}}));
}

class TimedTraining : public testing::Test {
 protected:
  TimedTraining() {
    options.max_steps = kManySteps;
    options.schedule.kind = ScheduleKind::Cosine;
    executor.step_seconds = 0.001;
  }

  StopReason run(RunState& state, const std::function<bool()>& should_stop = {}) {
    return train(problem, model, options, state, recorder.events(), should_stop);
  }

  std::vector<double> rates() const {
    std::vector<double> result;
    for (const AdamUpdate& update : executor.updates) {
      result.push_back(update.learning_rate);
    }
    return result;
  }

  FakeProblem problem;
  FakeExecutor executor;
  ModelExecutor model{executor};
  Recorder recorder;
  TrainOptions options;
};

TEST_F(TimedTraining, RateHasComeDownWhenTheTimeIsUp) {
  RunState state = initial_run_state(tiny_spec(), 1);
  options.max_seconds = 0.6;
  options.steps_per_log = 1;
  EXPECT_EQ(run(state), StopReason::MaxSeconds);
  EXPECT_EQ(executor.updates.front().learning_rate, options.schedule.learning_rate);
  EXPECT_LT(executor.updates.back().learning_rate,
            1.5 * options.schedule.final_factor * options.schedule.learning_rate);
  // What is shown is a number of steps that can be reached.
  EXPECT_LT(recorder.logs[recorder.logs.size() / 2].max_steps, 2 * state.step);
}

TEST_F(TimedTraining, RepeatsTheRatesOfAPlanAlsoWhenResumed) {
  RunState state = initial_run_state(tiny_spec(), 1);
  options.max_seconds = 0.3;
  run(state);
  const std::vector<double> whole = rates();
  ASSERT_GT(state.plan.size(), 5U);

  executor.updates.clear();
  executor.step_seconds = 0;  // another machine
  RunState again = initial_run_state(tiny_spec(), 1);
  again.plan = state.plan;
  options.max_seconds = 0;
  std::atomic<bool> cancel = false;
  executor.loss = [&](const AdamUpdate& update, ParamSlice) {
    if (update.t == static_cast<int64_t>(whole.size()) / 2) cancel = true;
    return 0.01;
  };
  EXPECT_EQ(run(again, [&] { return cancel.load(); }), StopReason::Cancelled);
  RunState resumed = recorder.last_saved;
  cancel = false;
  executor.loss = [&](const AdamUpdate& update, ParamSlice) {
    if (update.t == static_cast<int64_t>(whole.size())) cancel = true;
    return 0.01;
  };
  EXPECT_EQ(run(resumed, [&] { return cancel.load(); }), StopReason::Cancelled);
  EXPECT_EQ(rates(), whole);
  EXPECT_EQ(resumed.params.params, state.params.params);
}

TEST_F(TimedTraining, ByStepsTheLimitOnlyStops) {
  RunState state = initial_run_state(tiny_spec(), 1);
  options.max_seconds = 0.05;
  options.schedule_by = ScheduleBy::Steps;
  EXPECT_EQ(run(state), StopReason::MaxSeconds);
  EXPECT_TRUE(state.plan.empty());
  for (std::size_t i = 0; i < executor.updates.size(); ++i) {
    EXPECT_EQ(executor.updates[i].learning_rate, options.schedule.at(static_cast<int64_t>(i), kManySteps));
  }
}

TEST_F(TimedTraining, RefusesAPlanThatIsNone) {
  RunState state = initial_run_state(tiny_spec(), 1);
  state.plan = {{5, 0.5, 4, 1, 1}};
  try {
    run(state);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    EXPECT_NE(std::string(error.what()).find("plan"), std::string::npos);
  }
}

}  // namespace
}  // namespace loe
