#include "loe/train/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "loe/base/error.h"
#include "train/fakes.h"

namespace loe {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TrainOptions options_of(int64_t max_steps) {
  TrainOptions options;
  options.max_steps = max_steps;
  return options;
}

class TrainerTest : public testing::Test {
 protected:
  StopReason run(const TrainOptions& options) {
    return train(problem, model, options, state, recorder.events(), nullptr);
  }

  std::string error_of(const TrainOptions& options, ErrorKind kind) {
    try {
      run(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind);
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  FakeProblem problem;
  FakeExecutor executor;
  ModelExecutor model{executor};
  Recorder recorder;
  RunState state = initial_run_state(tiny_spec(), 1);
};

using Saves = std::vector<std::pair<int64_t, bool>>;
using Evaluations = std::vector<std::pair<int64_t, double>>;

TEST_F(TrainerTest, InitialStateHasParametersAndZeroMoments) {
  EXPECT_EQ(state.params.params.size(), 3U);
  EXPECT_NE(state.params.params[0], 0);
  EXPECT_EQ(state.params.adam_m, std::vector<float>(3, 0.0F));
  EXPECT_EQ(state.params.adam_v, std::vector<float>(3, 0.0F));
  EXPECT_EQ(state.seed, 1U);
  EXPECT_EQ(state.step, 0);
}

TEST_F(TrainerTest, StepsCarryScheduleAndAdamTime) {
  TrainOptions options = options_of(4);
  options.schedule.learning_rate = 0.5;
  options.schedule.milestones = {0.5};
  options.adam.beta1 = 0.7;
  EXPECT_EQ(run(options), StopReason::MaxSteps);
  ASSERT_EQ(executor.updates.size(), 4U);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(executor.updates[i].t, i + 1);
    EXPECT_DOUBLE_EQ(executor.updates[i].learning_rate, i < 2 ? 0.5 : 0.05);
    EXPECT_EQ(executor.updates[i].beta1, 0.7);
  }
  EXPECT_EQ(problem.batches, (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(state.step, 4);
  EXPECT_EQ(executor.n_set_params, 1);
  EXPECT_GT(state.seconds, 0);
  // By default: one evaluation and one save, both at the end, the evaluation first.
  EXPECT_EQ(recorder.evaluations, (Evaluations{{4, 20.0}}));
  EXPECT_EQ(recorder.saves, (Saves{{4, true}}));
  EXPECT_EQ(recorder.last_saved.best_psnr_db, 20.0);
  EXPECT_EQ(recorder.last_saved.best_step, 4);
}

TEST_F(TrainerTest, ResumedRunContinuesScheduleAndTime) {
  state.step = 7;
  state.seconds = 100;
  TrainOptions options = options_of(10);
  options.schedule.milestones = {0.9};
  run(options);
  EXPECT_EQ(problem.batches, (std::vector<int64_t>{7, 8, 9}));
  EXPECT_EQ(executor.updates[0].t, 8);
  EXPECT_GT(executor.updates[1].learning_rate, executor.updates[2].learning_rate);
  EXPECT_GT(state.seconds, 100);
  EXPECT_LT(state.seconds, 110);
}

TEST_F(TrainerTest, CompleteRunIsEvaluatedAndSavedOnly) {
  state.step = 10;
  EXPECT_EQ(run(options_of(10)), StopReason::MaxSteps);
  EXPECT_TRUE(problem.batches.empty());
  EXPECT_EQ(recorder.evaluations.size(), 1U);
  EXPECT_EQ(recorder.saves, (Saves{{10, true}}));
  EXPECT_TRUE(recorder.logs.empty());
}

TEST_F(TrainerTest, CadencesBySteps) {
  TrainOptions options = options_of(12);
  options.steps_per_log = 5;
  options.steps_per_eval = 4;
  options.steps_per_save = 6;
  executor.loss = [](const AdamUpdate& update, ParamSlice) { return update.t <= 5 ? 0.1 : 0.001; };
  problem.psnr = [](int64_t n) { return n == 8 ? 30.0 : 10.0; };
  run(options);
  ASSERT_EQ(recorder.logs.size(), 3U);
  EXPECT_EQ(recorder.logs[0].step, 5);
  EXPECT_NEAR(recorder.logs[0].psnr_db.value(), 10, 1e-9);  // the mean of the interval, not of the run
  EXPECT_EQ(recorder.logs[1].step, 10);
  EXPECT_NEAR(recorder.logs[1].psnr_db.value(), 30, 1e-9);
  EXPECT_EQ(recorder.logs[2].step, 12);
  EXPECT_EQ(recorder.logs[1].max_steps, 12);
  EXPECT_EQ(recorder.logs[1].loss, 0.001);
  EXPECT_GT(recorder.logs[1].samples_per_second, 0);
  EXPECT_EQ(recorder.logs[2].eta_seconds, 0);
  EXPECT_EQ(recorder.evaluations, (Evaluations{{4, 10.0}, {8, 30.0}, {12, 10.0}}));
  EXPECT_EQ(recorder.saves, (Saves{{6, false}, {12, true}}));
  EXPECT_EQ(state.best_psnr_db, 30);
  EXPECT_EQ(state.best_step, 8);
}

// Tables that move in every third update: what is pending in between belongs to no state.
TEST_F(TrainerTest, StopsAndSavesWhereNoTableIsPending) {
  TrainOptions options = options_of(11);
  options.adam.embedding.every = 3;
  options.steps_per_save = 2;
  run(options);
  EXPECT_EQ(recorder.saves, (Saves{{6, false}, {11, true}}));
  options = options_of(100);
  options.adam.embedding.every = 3;
  std::atomic<bool> cancel = false;
  executor.loss = [&](const AdamUpdate& update, ParamSlice) {
    cancel = update.t >= 13;
    return 0.1;
  };
  EXPECT_EQ(train(problem, model, options, state, {}, [&] { return cancel.load(); }), StopReason::Cancelled);
  EXPECT_EQ(state.step, 15);
}

TEST_F(TrainerTest, LogsByTimeFromTheFirstStepOn) {
  executor.step_seconds = 0.06;
  run(options_of(12));  // 0.72 s: the first step, one after 0.5 s, the last
  ASSERT_GE(recorder.logs.size(), 3U);
  EXPECT_EQ(recorder.logs.front().step, 1);
  EXPECT_EQ(recorder.logs.back().step, 12);
  for (std::size_t i = 1; i + 1 < recorder.logs.size(); ++i) {
    EXPECT_GE(recorder.logs[i].seconds - recorder.logs[i - 1].seconds, 0.49);
  }
  EXPECT_LT(recorder.logs[0].samples_per_second, 5000 / 0.06 + 1);
  EXPECT_GT(recorder.logs[0].eta_seconds, 11 * 0.06);
}

TEST_F(TrainerTest, BestCountsNegativePsnr) {
  problem.psnr = [](int64_t) { return -15.0; };
  run(options_of(1));
  EXPECT_EQ(state.best_psnr_db, -15);
  EXPECT_EQ(state.best_step, 1);
}

TEST_F(TrainerTest, StopsAfterMaxSecondsOfAllSessions) {
  executor.step_seconds = 0.02;
  state.seconds = 9.9;
  TrainOptions options = options_of(1000);
  options.max_seconds = 10;
  options.steps_per_log = 1;
  EXPECT_EQ(run(options), StopReason::MaxSeconds);
  EXPECT_GE(state.seconds, 10);
  EXPECT_GE(state.step, 1);
  EXPECT_LE(state.step, 5);
  EXPECT_EQ(recorder.saves, (Saves{{state.step, true}}));
  for (const Progress& log : recorder.logs) {
    EXPECT_LE(log.eta_seconds, 0.1);
  }
  const int64_t step = state.step;
  EXPECT_EQ(run(options), StopReason::MaxSeconds);  // nothing left
  EXPECT_EQ(state.step, step);
}

TEST_F(TrainerTest, StopsWhenAnEvaluationReachesTheTarget) {
  // 21 dB of loss from the start; evaluations agree from the sixth step on.
  executor.loss = [](const AdamUpdate&, ParamSlice) { return 0.0079; };
  problem.psnr = [](int64_t n) { return n >= 6 ? 21.5 : 20.5; };
  TrainOptions options = options_of(100000);
  options.until_psnr_db = 21;
  executor.step_seconds = 1e-4;
  EXPECT_EQ(run(options), StopReason::TargetReached);
  EXPECT_EQ(recorder.evaluations.back(), (std::pair{state.step, 21.5}));
  EXPECT_EQ(recorder.saves, (Saves{{state.step, true}}));  // and no second evaluation at the end
  EXPECT_EQ(static_cast<int>(recorder.evaluations.size()), problem.n_evaluations);
  EXPECT_LT(state.step, 1000);
  const int64_t step = state.step;
  EXPECT_EQ(run(options), StopReason::TargetReached);  // resumed: it was reached already
  EXPECT_EQ(state.step, step);
}

TEST_F(TrainerTest, TargetIsNotTriedBeforeTheLossSuggestsIt) {
  executor.loss = [](const AdamUpdate& update, ParamSlice) { return update.t < 50 ? 0.1 : 0.001; };
  problem.psnr = [](int64_t n) { return n < 50 ? 10.0 : 30.0; };
  TrainOptions options = options_of(5000);
  options.until_psnr_db = 29;
  EXPECT_EQ(run(options), StopReason::TargetReached);
  EXPECT_GT(state.step, 50);
  EXPECT_LT(state.step, 200);  // the smoothing forgets within about 100 steps
  EXPECT_EQ(recorder.evaluations.front().second, 30);
}

TEST_F(TrainerTest, TriesForTheTargetStayRare) {
  // The loss promises what evaluations never confirm; each costs 20 steps' time.
  executor.loss = [](const AdamUpdate&, ParamSlice) { return 1e-6; };
  executor.step_seconds = 0.001;
  problem.evaluation_seconds = 0.02;
  TrainOptions options = options_of(400);
  options.until_psnr_db = 50;
  EXPECT_EQ(run(options), StopReason::MaxSteps);
  // The first try, one per 0.2 s of training, and the end's.
  EXPECT_GE(problem.n_evaluations, 2);
  EXPECT_LE(problem.n_evaluations, 2 + state.seconds / 0.2);
}

TEST_F(TrainerTest, CancelSavesWithoutEvaluating) {
  std::atomic<bool> cancel = false;
  executor.loss = [&](const AdamUpdate& update, ParamSlice) {
    cancel = update.t == 3;
    return 0.01;
  };
  EXPECT_EQ(train(problem, model, options_of(100), state, recorder.events(), [&] { return cancel.load(); }),
            StopReason::Cancelled);
  EXPECT_EQ(state.step, 3);
  EXPECT_EQ(recorder.saves, (Saves{{3, true}}));
  EXPECT_TRUE(recorder.evaluations.empty());
  EXPECT_EQ(recorder.logs.back().step, 3);
}

TEST_F(TrainerTest, EventsMayBeEmpty) {
  EXPECT_EQ(train(problem, model, options_of(3), state, {}, nullptr), StopReason::MaxSteps);
  EXPECT_EQ(state.step, 3);
}

TEST_F(TrainerTest, NonFiniteLossNamesStepAndTensorAndKeepsTheState) {
  executor.loss = [](const AdamUpdate& update, ParamSlice) { return update.t == 4 ? std::nan("") : 0.01; };
  TrainOptions options = options_of(10);
  options.steps_per_save = 3;
  const std::string output = error_of(options, ErrorKind::Numerical);
  EXPECT_NE(output.find("step 3"), std::string::npos) << output;
  EXPECT_NE(output.find("the network's output"), std::string::npos) << output;
  EXPECT_NE(output.find("learning_rate"), std::string::npos) << output;
  EXPECT_EQ(state.step, 3);
  EXPECT_EQ(recorder.saves, (Saves{{3, false}}));

  state.params.adam_v[2] = kInfinity;
  const std::string moment = error_of(options, ErrorKind::Numerical);
  EXPECT_NE(moment.find("adam_v of head.bias (element 0 is inf)"), std::string::npos) << moment;
  state.params.params[1] = kNan;
  const std::string param = error_of(options, ErrorKind::Numerical);
  EXPECT_NE(param.find("params of head.weight (element 1 is nan)"), std::string::npos) << param;
}

TEST_F(TrainerTest, NonFiniteTargetIsNamed) {
  problem.source.target = -kInfinity;
  executor.loss = [](const AdamUpdate&, ParamSlice) { return double{kInfinity}; };
  const std::string message = error_of(options_of(2), ErrorKind::Numerical);
  EXPECT_NE(message.find("step 0"), std::string::npos) << message;
  EXPECT_NE(message.find("target of sample 4999, output 0 is -inf"), std::string::npos) << message;
}

TEST_F(TrainerTest, NonFiniteStateIsNeverSaved) {
  executor.loss = [](const AdamUpdate& update, ParamSlice params) {
    params.adam_m[0] = update.t == 2 ? kInfinity : 0.0F;
    return 0.01;
  };
  TrainOptions options = options_of(10);
  options.steps_per_save = 1;
  const std::string message = error_of(options, ErrorKind::Numerical);
  EXPECT_NE(message.find("adam_m of head.weight (element 0 is inf)"), std::string::npos) << message;
  EXPECT_EQ(recorder.saves, (Saves{{1, false}}));
}

TEST_F(TrainerTest, NanEvaluationStops) {
  problem.psnr = [](int64_t) { return std::nan(""); };
  const std::string message = error_of(options_of(2), ErrorKind::Numerical);
  EXPECT_NE(message.find("PSNR"), std::string::npos) << message;
  EXPECT_TRUE(recorder.saves.empty());
}

TEST_F(TrainerTest, RejectsWhatCannotRun) {
  TrainOptions options = options_of(0);
  EXPECT_NE(error_of(options, ErrorKind::InvalidArgument).find("max_steps"), std::string::npos);
  options = options_of(1);
  options.max_seconds = kNan;
  EXPECT_NE(error_of(options, ErrorKind::InvalidArgument).find("max_seconds"), std::string::npos);
  options = options_of(1);
  options.steps_per_eval = -1;
  EXPECT_NE(error_of(options, ErrorKind::InvalidArgument).find("steps_per_eval"), std::string::npos);
  options = options_of(1);
  options.schedule.learning_rate = -1;
  error_of(options, ErrorKind::InvalidArgument);
  options = options_of(1);
  state.params.adam_m.pop_back();
  EXPECT_NE(error_of(options, ErrorKind::InvalidArgument).find("expected 3 numbers"), std::string::npos);
  EXPECT_TRUE(problem.batches.empty());
}

TEST(StopReason, HasNames) {
  EXPECT_STREQ(to_string(StopReason::MaxSteps), "max_steps");
  EXPECT_STREQ(to_string(StopReason::MaxSeconds), "max_seconds");
  EXPECT_STREQ(to_string(StopReason::TargetReached), "target_reached");
  EXPECT_STREQ(to_string(StopReason::Cancelled), "cancelled");
}

/// A task that minimises something else than a squared error, as a GAN does.
struct FakeGan : Problem {
  StepResult step(ModelExecutor&, const AdamUpdate&, RunState& state) override {
    for (float& param : state.params.params) param += 1;
    return {-0.5, 7, {{"discriminator", 2.0 + static_cast<double>(state.step)}}};
  }
  bool has_psnr() const override { return false; }
  std::optional<double> evaluate_psnr(ModelExecutor&) override {
    ++n_evaluations;
    return {};
  }
  std::string find_non_finite_input(int64_t) override { return ""; }
  int n_evaluations = 0;
};

TEST(Trainer, ATaskWithoutPsnrIsEvaluatedAndHasNoBest) {
  FakeGan problem;
  FakeExecutor executor;
  ModelExecutor model(executor);
  RunState state = initial_run_state(tiny_spec(), 1);
  TrainOptions options;
  options.max_steps = 4;
  options.steps_per_eval = 2;
  options.steps_per_log = 2;
  options.until_psnr_db = 1;  // never reached
  Recorder recorder;
  EXPECT_EQ(train(problem, model, options, state, recorder.events(), nullptr), StopReason::MaxSteps);
  EXPECT_EQ(problem.n_evaluations, 2);
  EXPECT_EQ(state.best_step, -1);
  ASSERT_EQ(recorder.logs.size(), 2U);
  EXPECT_FALSE(recorder.logs[1].psnr_db.has_value());
  EXPECT_EQ(recorder.logs[1].loss, -0.5);
  ASSERT_EQ(recorder.logs[1].terms.size(), 1U);
  EXPECT_EQ(recorder.logs[1].terms[0].name, "discriminator");
  EXPECT_EQ(recorder.logs[1].terms[0].value, 5);
}

}  // namespace
}  // namespace loe
