#include "loe/train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "base/enum_names.h"
#include "loe/base/error.h"
#include "loe/metric/image_metrics.h"
#include "loe/nn/network.h"
#include "train/finite.h"
#include "train/time_plan.h"

namespace loe {
namespace {

constexpr double kSecondsPerLog = 0.5;
constexpr double kSecondsPerSave = 60;
/// Weight of a new loss in the smoothed one: a memory of about 20 steps, enough to flatten batch noise.
constexpr double kSmoothing = 0.05;
/// The smoothed loss lags behind and does not clip, so the target may be reached a little before it says so.
constexpr double kTargetMarginDb = 0.1;
/// Training time per evaluation time between two tries for the target: evaluations stay below a tenth.
constexpr double kTrainPerEvaluation = 10;

constexpr detail::EnumNames<ScheduleBy, 2> kScheduleByNames = {
    {{ScheduleBy::Steps, "steps"}, {ScheduleBy::Time, "time"}}};

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

bool is_multiple(int64_t step, int64_t interval) {
  return interval > 0 && step % interval == 0;
}

void check_arguments(const ModelSpec& spec, const TrainOptions& options, const RunState& state) {
  const auto fail = [](const std::string& message) { throw Error(ErrorKind::InvalidArgument, "[train] " + message); };
  options.schedule.validate();
  if (options.max_steps < 1) {
    fail(fmt::format("max_steps: expected at least 1, got {}", options.max_steps));
  }
  if (!(options.max_seconds >= 0) || !(options.until_psnr_db >= 0)) {
    fail(fmt::format("max_seconds and until_psnr_db: expected at least 0, got {} and {}", options.max_seconds,
                     options.until_psnr_db));
  }
  if (std::min({options.steps_per_log, options.steps_per_eval, options.steps_per_save}) < 0) {
    fail(fmt::format("steps_per_log, steps_per_eval, steps_per_save: expected at least 0, got {}, {}, {}",
                     options.steps_per_log, options.steps_per_eval, options.steps_per_save));
  }
  const int64_t n_params = spec.n_params();
  for (const auto* values : {&state.params.params, &state.params.adam_m, &state.params.adam_v}) {
    if (static_cast<int64_t>(values->size()) != n_params) {
      fail(
          fmt::format("state: expected {} numbers for parameters and for each moment, got {}; the state belongs to "
                      "another network",
                      n_params, values->size()));
    }
  }
  if (state.step < 0) {
    fail(fmt::format("state: expected a step of at least 0, got {}", state.step));
  }
  if (!is_plan(state.plan)) {
    fail("state: expected points of the plan by step, with a progress in [0, 1] and an end above the step, got others");
  }
}

/// One call of train(): the state of a session that is not worth keeping beyond it.
class Session {
 public:
  Session(Problem& problem, ModelExecutor& model, const TrainOptions& options, RunState& state,
          const TrainerEvents& events, const std::function<bool()>& should_stop)
      : problem_(problem),
        model_(model),
        options_(options),
        state_(state),
        events_(events),
        should_stop_(should_stop),
        seconds_before_(state.seconds),
        start_(Clock::now()),
        last_log_(start_),
        last_save_(start_),
        target_reached_(options.until_psnr_db > 0 && state.best_step == state.step &&
                        state.best_psnr_db >= options.until_psnr_db) {}

  /// What run() throws leaves the state of the last good step, wherever the parameters are.
  StopReason run_to_the_end() {
    try {
      return run();
    } catch (...) {
      try {
        download();
      } catch (const Error&) {  // a device that is gone; the first error says more
      }
      throw;
    }
  }

 private:
  void download() { model_.download(state_.params); }

  StopReason run() {
    std::optional<StopReason> reason;
    while (!(reason = stop_reason())) {
      step();
      if (log_due()) {
        log();
      }
      if (evaluation_due()) {
        evaluate();
      }
      if (save_due() && !stop_reason()) {
        save(false);
      }
    }
    finish(*reason);
    return *reason;
  }

  /// Between two updates that move an embedding's tables their gradient is in the executor alone: a state is whole only
  /// where none is pending, or where the run ends whatever was pending.
  bool is_whole() const {
    return is_multiple(state_.step, options_.adam.embedding.every) || state_.step >= options_.max_steps;
  }

  std::optional<StopReason> stop_reason() const {
    if (!is_whole()) {
      return std::nullopt;
    }
    if (should_stop_ && should_stop_()) {
      return StopReason::Cancelled;
    }
    if (target_reached_) {
      return StopReason::TargetReached;
    }
    if (state_.step >= options_.max_steps) {
      return StopReason::MaxSteps;
    }
    if (options_.max_seconds > 0 && state_.seconds >= options_.max_seconds) {
      return StopReason::MaxSeconds;
    }
    return std::nullopt;
  }

  void step() {
    const Clock::time_point begin = Clock::now();
    AdamUpdate update = options_.adam;
    update.learning_rate = options_.schedule.at(planned_progress(state_.plan, state_.step, options_.max_steps));
    update.t = state_.step + 1;
    const auto [loss, n_samples, terms] = problem_.step(model_, update, state_);
    if (!std::isfinite(loss)) {
      fail_not_finite(fmt::format("loss is {}", loss), true);
    }
    ++state_.step;
    ++n_session_steps_;
    loss_ = loss;
    terms_ = terms;
    learning_rate_ = update.learning_rate;
    smoothed_loss_ += kSmoothing * (loss - smoothed_loss_);
    smoothing_weight_ += kSmoothing * (1 - smoothing_weight_);
    interval_loss_ += loss;
    ++n_interval_steps_;
    n_interval_samples_ += n_samples;
    const double seconds = seconds_between(begin, Clock::now());
    interval_seconds_ += seconds;
    seconds_since_evaluation_ += seconds;
    update_clock();
    if (options_.max_seconds > 0 && options_.schedule_by == ScheduleBy::Time) {
      extend_plan(state_.plan, state_.step, state_.seconds, options_.max_steps, options_.max_seconds);
    }
  }

  void update_clock() { state_.seconds = seconds_before_ + seconds_between(start_, Clock::now()); }

  double seconds_per_step() const { return (state_.seconds - seconds_before_) / static_cast<double>(n_session_steps_); }

  /// max_steps, or fewer if the time will be up before.
  int64_t likely_steps() const {
    if (options_.max_seconds <= 0) {
      return options_.max_steps;
    }
    const double n_left = std::max(0.0, options_.max_seconds - state_.seconds) / seconds_per_step();
    const double n_steps = static_cast<double>(state_.step) + std::ceil(n_left);
    return n_steps < static_cast<double>(options_.max_steps) ? static_cast<int64_t>(n_steps) : options_.max_steps;
  }

  bool log_due() const {
    if (options_.steps_per_log > 0) {
      return is_multiple(state_.step, options_.steps_per_log);
    }
    return n_session_steps_ == 1 || seconds_between(last_log_, Clock::now()) >= kSecondsPerLog;
  }

  double psnr_of(double mse) const { return psnr_from_mse(mse / (problem_.range_size() * problem_.range_size())); }

  void log() {
    Progress progress;
    progress.step = state_.step;
    progress.max_steps = likely_steps();
    progress.loss = loss_;
    progress.terms = terms_;
    if (problem_.has_psnr()) {
      progress.psnr_db = psnr_of(interval_loss_ / static_cast<double>(n_interval_steps_));
    }
    progress.learning_rate = learning_rate_;
    progress.samples_per_second = static_cast<double>(n_interval_samples_) / std::max(interval_seconds_, 1e-9);
    progress.seconds = state_.seconds;
    progress.eta_seconds = static_cast<double>(options_.max_steps - state_.step) * seconds_per_step();
    if (options_.max_seconds > 0) {
      progress.eta_seconds = std::min(progress.eta_seconds, std::max(0.0, options_.max_seconds - state_.seconds));
    }
    interval_loss_ = 0;
    n_interval_steps_ = 0;
    n_interval_samples_ = 0;
    interval_seconds_ = 0;
    last_log_ = Clock::now();
    if (events_.on_log) {
      events_.on_log(progress);
    }
  }

  bool evaluation_due() const {
    if (is_multiple(state_.step, options_.steps_per_eval)) {
      return true;
    }
    if (options_.until_psnr_db <= 0 || !problem_.has_psnr() ||
        seconds_since_evaluation_ < kTrainPerEvaluation * last_evaluation_seconds_) {
      return false;
    }
    return psnr_of(smoothed_loss_ / smoothing_weight_) >= options_.until_psnr_db - kTargetMarginDb;
  }

  void evaluate() {
    const Clock::time_point begin = Clock::now();
    const std::optional<double> psnr_db = problem_.evaluate_psnr(model_);
    if (psnr_db && std::isnan(*psnr_db)) {
      fail_not_finite("PSNR of the evaluation is nan", false);
    }
    if (psnr_db && (state_.best_step < 0 || *psnr_db > state_.best_psnr_db)) {
      state_.best_psnr_db = *psnr_db;
      state_.best_step = state_.step;
    }
    evaluated_step_ = state_.step;
    last_evaluation_seconds_ = seconds_between(begin, Clock::now());
    seconds_since_evaluation_ = 0;
    target_reached_ = options_.until_psnr_db > 0 && psnr_db && *psnr_db >= options_.until_psnr_db;
    update_clock();
    if (events_.on_eval) {
      download();
      events_.on_eval(state_, psnr_db);
    }
  }

  bool save_due() const {
    if (!is_whole()) {
      return false;
    }
    if (options_.steps_per_save > 0) {
      return is_multiple(state_.step, options_.steps_per_save);
    }
    return seconds_between(last_save_, Clock::now()) >= kSecondsPerSave;
  }

  void save(bool is_last) {
    // A finite loss can still leave an infinite moment behind, which only the next step would notice: a checkpoint
    // with one inside could never be resumed.
    download();
    const std::string bad = find_non_finite(model_.spec(), state_.params);
    if (!bad.empty()) {
      fail_not_finite("state cannot be saved", false);
    }
    update_clock();
    if (events_.on_save) {
      events_.on_save(state_, is_last);
    }
    last_save_ = Clock::now();
  }

  void finish(StopReason reason) {
    if (n_interval_steps_ > 0) {
      log();
    }
    if (reason != StopReason::Cancelled && evaluated_step_ != state_.step) {
      evaluate();
    }
    save(true);
  }

  [[noreturn]] void fail_not_finite(const std::string& what, bool in_step) {
    download();
    std::string where = find_non_finite(model_.spec(), state_.params);
    std::string advice = fmt::format("lower train.learning_rate ({})", options_.schedule.learning_rate);
    if (where.empty() && in_step) {
      where = problem_.find_non_finite_input(state_.step);
      if (!where.empty()) {
        advice = "repair the input";
      }
    }
    if (where.empty()) {
      where = "the network's output (parameters, moments and targets are finite)";
    }
    throw Error(ErrorKind::Numerical,
                fmt::format("[train] step {}: expected finite numbers, but {}; first that is not finite: {}; {}",
                            state_.step, what, where, advice));
  }

  Problem& problem_;
  ModelExecutor& model_;
  const TrainOptions& options_;
  RunState& state_;
  const TrainerEvents& events_;
  const std::function<bool()>& should_stop_;

  const double seconds_before_;
  const Clock::time_point start_;
  Clock::time_point last_log_;
  Clock::time_point last_save_;

  int64_t n_session_steps_ = 0;
  double loss_ = 0;
  std::vector<LossTerm> terms_;
  double learning_rate_ = 0;
  double smoothed_loss_ = 0;
  double smoothing_weight_ = 0;  ///< 1 - (1 - kSmoothing)^steps: removes the pull of the initial 0

  double interval_loss_ = 0;  ///< since the last log, as the next three
  int64_t n_interval_steps_ = 0;
  int64_t n_interval_samples_ = 0;
  double interval_seconds_ = 0;

  bool target_reached_;
  int64_t evaluated_step_ = -1;
  double last_evaluation_seconds_ = 0;
  double seconds_since_evaluation_ = 0;
};

}  // namespace

const char* to_string(ScheduleBy schedule_by) {
  return detail::enum_name(kScheduleByNames, schedule_by);
}

const char* to_string(StopReason reason) {
  switch (reason) {
    case StopReason::MaxSteps:
      return "max_steps";
    case StopReason::MaxSeconds:
      return "max_seconds";
    case StopReason::TargetReached:
      return "target_reached";
    case StopReason::Cancelled:
      return "cancelled";
  }
  return "?";
}

StepResult SupervisedProblem::step(ModelExecutor& model, const AdamUpdate& update, RunState& state) {
  const SampleSource& source = batch(state.step);
  n_dims_ = model.spec().main().n_dims;
  n_out_ = model.spec().main().n_out();
  return {model.main().train_step(source, update, state.params), source.n_samples()};
}

std::string SupervisedProblem::find_non_finite_input(int64_t step) {
  return find_non_finite_target(batch(step), n_dims_, n_out_);
}

RunState initial_run_state(const ModelSpec& spec, uint64_t seed, const InitConfig& init) {
  RunState state;
  state.params.params = initial_params(spec, seed, init);
  state.params.adam_m.assign(state.params.params.size(), 0.0F);
  state.params.adam_v.assign(state.params.params.size(), 0.0F);
  state.seed = seed;
  return state;
}

StopReason train(Problem& problem, ModelExecutor& model, const TrainOptions& options, RunState& state,
                 const TrainerEvents& events, const std::function<bool()>& should_stop) {
  check_arguments(model.spec(), options, state);
  model.set_params(state.params.params);
  return Session(problem, model, options, state, events, should_stop).run_to_the_end();
}

}  // namespace loe
