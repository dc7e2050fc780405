// The training loop. It knows no task and no file format: a Problem supplies batches and evaluations, TrainerEvents
// receive what happened.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/nn/model.h"
#include "loe/optim/schedule.h"
#include "loe/train/run_state.h"

namespace loe {

/// What the schedule's progress follows in a run with a time limit.
enum class ScheduleBy {
  Steps,  ///< step / max_steps; the limit only decides when to stop
  Time,   ///< the time: whatever the speed, the rate has come down when max_seconds are over, see RunState::plan
};
/// "steps", "time".
const char* to_string(ScheduleBy schedule_by);

struct TrainOptions {
  Schedule schedule;
  AdamUpdate adam;  ///< learning_rate and t are set per step
  int64_t max_steps = 10000;
  double max_seconds = 0;  ///< 0: no limit. Stops after the step that passes it.
  ScheduleBy schedule_by = ScheduleBy::Time;
  double until_psnr_db = 0;  ///< 0: none. Stops when an evaluation reaches it (and is tried when the loss suggests it).
  int64_t steps_per_log = 0;   ///< 0: by time (about twice a second)
  int64_t steps_per_eval = 0;  ///< 0: only at the end
  int64_t steps_per_save = 0;  ///< 0: by time (about every 60 s) and at the end
};

/// A run before its first update: initial_params(spec, seed, init), zero moments.
RunState initial_run_state(const ModelSpec& spec, uint64_t seed, const InitConfig& init = {});

/// A part of a loss, or another number that is worth watching.
struct LossTerm {
  std::string name;
  double value = 0;
};

struct StepResult {
  double loss = 0;  ///< mean squared error of the batch before the update; a task without PSNR: what it minimises
  int64_t n_samples = 0;
  std::vector<LossTerm> terms = {};  ///< beside the loss, the same names every time
};

/// What a task supplies.
class Problem {
 public:
  virtual ~Problem() = default;
  /// Update number state.step (0-based) of the model's networks, whose parameters state holds; state.step stays. Must
  /// be a pure function of the state and the task's settings. If the loss is not finite nothing in the state changes,
  /// nor does the model.
  virtual StepResult step(ModelExecutor& model, const AdamUpdate& update, RunState& state) = 0;
  /// Whether losses are mean squared errors of a signal whose PSNR can be told; a GAN has neither.
  virtual bool has_psnr() const { return true; }
  /// Largest minus least value of the signal: what PSNR compares errors with.
  virtual double range_size() const { return 1; }
  /// Evaluates the current parameters on the whole signal: PSNR in dB, or nothing without has_psnr().
  virtual std::optional<double> evaluate_psnr(ModelExecutor& model) = 0;
  /// What is not finite in what update `step` was given (`target of sample 7, output 0 is inf`), or "".
  virtual std::string find_non_finite_input(int64_t step) = 0;
};

/// A task with one network, whose samples' values are known.
class SupervisedProblem : public Problem {
 public:
  /// The samples of update `step`. Valid until the next call. Must be a pure function of (seed, step).
  virtual const SampleSource& batch(int64_t step) = 0;

  StepResult step(ModelExecutor& model, const AdamUpdate& update, RunState& state) override;
  std::string find_non_finite_input(int64_t step) override;

 private:
  int n_dims_ = 0;  ///< of the network last stepped
  int n_out_ = 0;
};

struct Progress {
  int64_t step = 0;
  int64_t max_steps = 0;  ///< or, if the time is up before, about as many as it is worth
  double loss = 0;        ///< of the last batch, before its update
  /// -10 log10(loss / range_size^2), smoothed over the logging interval; see Problem::has_psnr
  std::optional<double> psnr_db;
  std::vector<LossTerm> terms;  ///< of the last step
  double learning_rate = 0;
  double samples_per_second = 0;
  double seconds = 0;      ///< training time, all sessions
  double eta_seconds = 0;  ///< to the first stopping rule that will apply
};

/// Any may be empty. What they throw leaves train() at once, with the state of the last finished step. Cadences "every
/// n steps" count finished updates of the run, not of the session. on_save never sees a number that is not finite.
struct TrainerEvents {
  std::function<void(const Progress&)> on_log;
  std::function<void(const RunState&, std::optional<double> psnr_db)> on_eval;
  std::function<void(const RunState&, bool is_last)> on_save;
};

enum class StopReason { MaxSteps, MaxSeconds, TargetReached, Cancelled };
const char* to_string(StopReason reason);

/// Runs updates from state.step on until a stopping rule applies: cancel, then until_psnr_db, max_steps, max_seconds.
/// Evaluates at the end, except when cancelled, and saves through on_save at the end and when cancelled. A run that is
/// already complete is only evaluated and saved. should_stop is asked before each step: true ends the run after saving.
/// Where an embedding's tables move in every k-th update only (EmbeddingUpdate::every), a run is stopped and saved
/// after multiples of k and at max_steps: what is pending between two of them is not part of a state.
/// state.seconds counts the whole call, evaluations and saves included.
/// until_psnr_db: an evaluation is tried when the smoothed loss suggests that the target is reached; tries take at most
/// about a tenth of the time.
/// Throws Error(Numerical) naming the step and the first tensor that is not finite; the state is then that of the
/// last good step (nothing half-updated), and on_save has not been called for it.
/// Error(InvalidArgument) if options are outside their ranges or the state does not fit the model.
/// A limit of max_seconds that comes before max_steps also decides the rates, unless schedule_by is Steps: the plan is
/// made again about fifty times as the run learns its speed (state.plan); points that lie ahead of state.step are
/// followed as they stand. Resumed with a later limit, the rate comes down from where it is.
/// Determinism: a run stopped at any step and resumed equals an uninterrupted one bit for bit, if max_steps and the
/// plan are the same.
StopReason train(Problem& problem, ModelExecutor& model, const TrainOptions& options, RunState& state,
                 const TrainerEvents& events, const std::function<bool()>& should_stop = {});

}  // namespace loe
