#include "loe/fitting/fit_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "fitting/facts_json.h"
#include "loe/base/error.h"
#include "loe/base/format.h"
#include "loe/base/version.h"
#include "loe/fitting/machine.h"
#include "loe/fitting/pictures.h"
#include "loe/io/config_file.h"
#include "loe/io/file.h"
#include "loe/io/model_file.h"
#include "loe/io/run_folder.h"
#include "loe/nn/network.h"
#include "loe/train/trainer.h"

namespace loe {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

/// Saves by time (about once a minute) thin out as a run grows, so that a day does not leave 1,440 checkpoints, which
/// we never delete: a crash costs at most this share of the training time so far.
constexpr double kSaveShare = 0.05;
constexpr double kMinSecondsPerSave = 55;
/// Previews by time: not within the first seconds, later about 20 times per tenfold of the time.
constexpr double kMinSecondsPerPreview = 10;
constexpr double kPreviewSpacing = 0.1;
/// and never more than this share of the time.
constexpr double kPreviewCost = 0.05;
/// A training step costs about three forward passes.
constexpr double kForwardsPerStep = 3;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Evaluations that show their progress, can be interrupted, and leave reconstruction and error map in the run folder.
class FitProblem : public Problem {
 public:
  FitProblem(const FitJob& job, const RunFolder& folder, const FitEvents& events)
      : job_(job),
        folder_(folder),
        events_(events),
        inner_(job.signal->problem(job.config, job.run.device, job.run.threads)) {}

  StepResult step(ModelExecutor& model, const AdamUpdate& update, RunState& state) override {
    return inner_->step(model, update, state);
  }
  std::string find_non_finite_input(int64_t step) override { return inner_->find_non_finite_input(step); }
  bool has_psnr() const override { return inner_->has_psnr(); }
  double range_size() const override { return inner_->range_size(); }

  std::optional<double> evaluate_psnr(ModelExecutor& model) override {
    try {
      // Rounded activations: worth a number, but the pictures and the headline come from an f32 evaluation.
      const bool is_exact = job_.config.precision != Precision::Bf16;
      last_ = is_exact ? evaluate_with_pictures(model)
                       : job_.signal->evaluate(model, [this](double done) { on_progress(done); });
    } catch (const Interrupted&) {
      was_cut_ = true;
      last_ = {};
      return {};
    }
    if (!last_.fidelity) return {};
    return last_.fidelity->psnr_db;
  }

  /// Interrupted is thrown if the user asked to stop.
  struct Interrupted {};
  Evaluation evaluate_with_pictures(ModelExecutor& model) {
    return job_.signal->write_reconstruction(model, folder_.path(), [this](double done) { on_progress(done); });
  }

  const Evaluation& last() const { return last_; }
  bool was_cut() const { return was_cut_; }

 private:
  void on_progress(double done) {
    events_.job("evaluating", done);
    if (done < 1 && events_.is_stopped()) throw Interrupted();
  }

  const FitJob& job_;
  const RunFolder& folder_;
  const FitEvents& events_;
  std::unique_ptr<Problem> inner_;
  Evaluation last_;
  bool was_cut_ = false;
};

/// Writes what happens during training to the run folder.
class Recorder {
 public:
  Recorder(const FitJob& job, const RunFolder& folder, const FitEvents& events, const FitProblem& problem,
           ModelExecutor& model, RunState& state)
      : job_(job),
        folder_(folder),
        problem_(problem),
        events_(events),
        model_(model),
        state_(state),
        metrics_(folder.file("metrics.jsonl")),
        last_save_(Clock::now()),
        last_preview_seconds_(state.seconds) {}

  TrainerEvents events() {
    TrainerEvents events;
    events.on_log = [this](const Progress& progress) { on_log(progress); };
    events.on_eval = [this](const RunState&, std::optional<double>) { on_eval(); };
    events.on_save = [this](const RunState&, bool is_last) { on_save(is_last); };
    return events;
  }

  int64_t saved_step() const { return saved_step_; }

 private:
  void on_log(const Progress& progress) {
    Json line = {{"step", progress.step}, {"loss", progress.loss}};
    if (progress.psnr_db) line["psnr_db"] = *progress.psnr_db;
    for (const LossTerm& term : progress.terms) line[term.name] = term.value;
    line.update({{"learning_rate", progress.learning_rate},
                 {"samples_per_second", progress.samples_per_second},
                 {"seconds", progress.seconds}});
    metrics_.append(line.dump());
    if (events_.on_progress) events_.on_progress(progress);
    if (job_.config.train.steps_per_eval == 0 && is_preview_due(progress)) preview(progress.step, progress.seconds);
  }

  void on_eval() {
    if (problem_.was_cut()) return;
    const Facts headline = problem_.last().headline();
    Json line = {{"step", state_.step}};
    const Json measures = to_json(headline);
    for (const auto& [name, value] : measures.items()) line["eval_" + name] = value;
    line["seconds"] = state_.seconds;
    metrics_.append(line.dump());
    if (events_.on_evaluation) events_.on_evaluation(state_.step, headline);
    const bool is_final = state_.step >= job_.config.train.max_steps;
    if (job_.config.train.steps_per_eval > 0 && !is_final) preview(state_.step, state_.seconds);
    if (state_.best_step == state_.step) write_checkpoint(folder_.best_checkpoint_path(), job_.model, state_);
  }

  void on_save(bool is_last) {
    const double since = seconds_since(last_save_);
    const bool is_by_time = job_.config.train.steps_per_save == 0;
    if (!is_last && is_by_time && since < std::max(kMinSecondsPerSave, kSaveShare * state_.seconds)) return;
    write_checkpoint(folder_.checkpoint_path(state_.step), job_.model, state_);
    if (!folder_.mark_last(state_.step) && !warned_about_links_) {
      events_.detail("no symbolic links here: checkpoints/last.safetensors is left out");
      warned_about_links_ = true;
    }
    write_model(folder_.file("model.safetensors"), {job_.model, state_.params.params, job_.signal->info()});
    saved_step_ = state_.step;
    last_save_ = Clock::now();
    events_.detail(fmt::format("step {}: saved", format_integer(state_.step)));
  }

  bool is_preview_due(const Progress& progress) const {
    if (progress.step >= job_.config.train.max_steps) return false;  // the full reconstruction follows
    const double since = progress.seconds - last_preview_seconds_;
    if (since < std::max(kMinSecondsPerPreview, kPreviewSpacing * progress.seconds)) return false;
    const double guess = static_cast<double>(job_.signal->preview_pixels()) /
                         std::max(1.0, kForwardsPerStep * progress.samples_per_second);
    return std::max(guess, preview_cost_) <= kPreviewCost * since;
  }

  void preview(int64_t step, double seconds) {
    const Clock::time_point start = Clock::now();
    job_.signal->write_preview(model_, folder_.image_path(step), folder_.error_path(step));
    preview_cost_ = seconds_since(start);
    last_preview_seconds_ = seconds;
    const std::string errors = job_.signal->error_name().empty()
                                   ? ""
                                   : fmt::format(" (error map: {} of the data range is brightest)", kErrorMapScale);
    events_.detail(fmt::format("step {}: preview {}{}", format_integer(step), folder_.image_path(step), errors));
  }

  const FitJob& job_;
  const RunFolder& folder_;
  const FitProblem& problem_;
  const FitEvents& events_;
  ModelExecutor& model_;
  RunState& state_;
  LineFile metrics_;
  Clock::time_point last_save_;
  double last_preview_seconds_;
  double preview_cost_ = 0;
  int64_t saved_step_ = -1;
  bool warned_about_links_ = false;
};

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

RunFolder open_folder(const FitJob& job, const FitPlace& place) {
  if (!job.resume.empty()) return RunFolder::open(job.resume);
  if (!place.out.empty()) return RunFolder::create_at(place.out, place.force);
  return RunFolder::create("runs", job.run.name);
}

/// The newest checkpoint that can be read; damaged ones are passed over with a warning. A new state if there is none.
RunState load_state(const FitJob& job, const RunFolder& folder, const FitEvents& events) {
  const std::vector<CheckpointFile> files = list_checkpoints(folder.path());
  for (const CheckpointFile& file : files) {
    std::optional<RunState> state;
    try {
      state = read_checkpoint(file.path, job.model);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Format && error.kind() != ErrorKind::Io) throw;
      events.warning(fmt::format("{}; trying an older checkpoint", error.what()));
      continue;
    }
    if (state->config_hash != job.config_hash || state->seed != job.config.seed) {
      throw Error(ErrorKind::Format,
                  fmt::format("[resume] {}: expected a checkpoint of this config and {} ({}), got one of another "
                              "({}); restore the run's config.toml and {}, or start a new run",
                              file.path, job.signal->noun(), job.config_hash, state->config_hash, job.signal->noun()));
    }
    return std::move(*state);
  }
  if (!files.empty()) {
    throw Error(ErrorKind::Format, fmt::format("[resume] {}: expected at least one readable checkpoint, all {} are "
                                               "damaged; start a new run",
                                               folder.path(), files.size()));
  }
  events.info("no checkpoint yet: starting at step 0");
  RunState state = initial_run_state(job.model, job.config.seed, job.config.network.init);
  state.config_hash = job.config_hash;
  return state;
}

/// Of the model's networks and of what the task runs beside them.
std::vector<KernelInfo> all_kernels(const FitJob& job, const ModelExecutor& model) {
  std::vector<KernelInfo> kernels = model.main().kernels();
  const std::vector<KernelInfo> more = job.signal->companions(job.run.device).kernels;
  kernels.insert(kernels.end(), more.begin(), more.end());
  return kernels;
}

void write_environment(const FitJob& job, const RunFolder& folder, const ModelExecutor& model) {
  Json environment = to_json(machine_facts());
  environment["started"] = utc_time();
  environment["device"] = backend_of_flag(job.run.device).name();
  environment["threads"] = model.main().n_threads();
  environment["precision"] = to_string(job.config.precision);
  if (!job.precision_reason.empty()) environment["precision_reason"] = job.precision_reason;
  Json& data = environment[job.signal->noun()];
  data = {{"path", path_to_text(job.run.data)}};
  data.update(to_json(job.signal->shape()));
  data["type"] = job.signal->info().pixel_type;
  environment["config_hash"] = job.config_hash;
  environment["kernels"] = kernels_to_json(all_kernels(job, model));
  write_text_file(folder.file("environment.json"), json_text(environment, 2) + "\n");
}

void describe_job(const FitJob& job, const RunFolder& folder, const ModelExecutor& model, const FitEvents& events) {
  events.info(fmt::format("{}: {}", job.run.data, job.signal->describe()));
  events.info(fmt::format("preset {}: {} parameters, {} MACs per {}, {} threads, {}", job.config.preset,
                          format_integer(job.model.n_params()), format_integer(job.model.macs_per_sample()),
                          job.signal->sample_noun(), model.main().n_threads(), to_string(job.config.precision)));
  if (!job.choice.empty()) events.info(fmt::format("{}: {}", job.config.preset, job.choice));
  if (!job.precision_reason.empty()) {
    events.info(fmt::format("precision {}: {}", to_string(job.config.precision), job.precision_reason));
  }
  events.info(fmt::format("run {}", folder.path()));
  const std::string warning = job.signal->companions(job.run.device).warning;
  if (!warning.empty()) events.warning(warning);
  for (const KernelInfo& kernel : all_kernels(job, model)) {
    events.detail(fmt::format("{}: {} ({})", kernel.operation, kernel.kernel, kernel.reason));
  }
}

}  // namespace

std::string batch_key(const FitSignal& signal) {
  const std::string batch = signal.batch_noun();
  return fmt::format("{}s_per_step", batch == signal.sample_noun() ? "sample" : batch);
}

namespace {

Facts result_facts(const FitJob& job, const RunFolder& folder, const ModelExecutor& model, const RunState& state,
                   StopReason reason, const Evaluation& evaluation, std::optional<double> psnr_bf16) {
  Facts result = Evaluation{evaluation.fidelity, {}}.all();
  if (psnr_bf16) result.set({"psnr_db_bf16", *psnr_bf16});
  const bool is_all = job.config.sampling == PixelSampling::AllPixels;
  result.set({{"n_params", job.model.n_params()},
              {"macs_per_sample", job.model.macs_per_sample()},
              {"steps", state.step},
              {"max_steps", job.config.train.max_steps},
              {batch_key(*job.signal), is_all ? job.signal->n_pixels() : job.config.batch_size},
              {"stop_reason", to_string(reason)},
              {"seconds", state.seconds}});
  if (evaluation.fidelity) {
    result.set({"best_psnr_db", state.best_psnr_db});
    result.set({"best_step", state.best_step});
  }
  result.set({{"preset", job.config.preset},
              {"precision", to_string(job.config.precision)},
              {"device", backend_of_flag(job.run.device).name()},
              {"threads", model.main().n_threads()},
              {"seed", static_cast<int64_t>(job.config.seed)},
              {job.signal->noun(), path_to_text(job.run.data)}});
  result.set(job.signal->shape());
  result.set(evaluation.more);
  result.set({{"peak_memory_bytes", peak_resident_bytes()},
              {"version", version()},
              {"commit", build_commit()},
              {"run", path_to_text(folder.path())}});
  return result;
}

/// The f32 evaluation of the final parameters that the headline numbers come from.
Evaluation final_evaluation(const FitJob& job, const RunState& state, FitProblem& problem) {
  if (job.config.precision != Precision::Bf16) return problem.last();  // the trainer's last evaluation was it
  ModelExecutor exact = compile(job.run.device, job.model, Precision::F32, job.run.threads);
  exact.set_params(state.params.params);
  return problem.evaluate_with_pictures(exact);
}

FitOutcome train_and_evaluate(const FitJob& job, const RunFolder& folder, ModelExecutor& model, RunState& state,
                              const FitEvents& events) {
  FitProblem problem(job, folder, events);
  Recorder recorder(job, folder, events, problem, model, state);
  FitOutcome outcome;
  outcome.folder = folder.path();
  outcome.reason = train(problem, model, job.config.train, state, recorder.events(), events.should_stop);
  outcome.saved_step = recorder.saved_step();
  if (problem.was_cut()) outcome.reason = StopReason::Cancelled;
  if (outcome.reason == StopReason::Cancelled) return outcome;
  std::optional<double> psnr_bf16;
  if (job.config.precision == Precision::Bf16 && problem.has_psnr()) psnr_bf16 = problem.last().fidelity->psnr_db;
  Evaluation evaluation;
  try {
    evaluation = final_evaluation(job, state, problem);
  } catch (const FitProblem::Interrupted&) {
    outcome.reason = StopReason::Cancelled;
    return outcome;
  }
  outcome.result = result_facts(job, folder, model, state, outcome.reason, evaluation, psnr_bf16);
  outcome.kernels = all_kernels(job, model);
  Json result = to_json(outcome.result);
  result["kernels"] = kernels_to_json(outcome.kernels);
  write_text_file(folder.file("result.json"), json_text(result, 2) + "\n");
  events.detail(fmt::format("stopped by {} at step {}: {}", to_string(outcome.reason), state.step,
                            to_json(evaluation.headline()).dump()));
  return outcome;
}

}  // namespace

FitOutcome run_fit(FitJob& job, const FitPlace& place, const FitEvents& events) {
  ModelExecutor model =
      compile(job.run.device, job.model, job.config.precision, job.run.threads, job.signal->max_group(job.config));
  const std::string config = config_to_toml(job.resolved);  // nothing is created before all is understood
  const RunFolder folder = open_folder(job, place);
  if (events.on_folder) events.on_folder(folder.path());
  RunState state;
  if (job.resume.empty()) {
    state = initial_run_state(job.model, job.config.seed, job.config.network.init);
    state.config_hash = job.config_hash;
  } else {
    state = load_state(job, folder, events);
    drop_metrics_after(folder.file("metrics.jsonl"), state.step);
    events.info(fmt::format("resuming {} at step {}", folder.path(), format_integer(state.step)));
  }
  write_text_file(folder.file("config.toml"), config);
  if (job.resume.empty()) write_environment(job, folder, model);
  describe_job(job, folder, model, events);
  return train_and_evaluate(job, folder, model, state, events);
}

FitEstimate estimate_fit(const FitJob& job, const FitEvents& events) {
  constexpr int kTimedSteps = 3;
  ModelExecutor model =
      compile(job.run.device, job.model, job.config.precision, job.run.threads, job.signal->max_group(job.config));
  RunState state = initial_run_state(job.model, job.config.seed, job.config.network.init);
  model.set_params(state.params.params);
  const std::unique_ptr<Problem> problem = job.signal->problem(job.config, job.run.device, job.run.threads);
  std::vector<double> seconds;
  FitEstimate estimate;
  estimate.n_threads = model.main().n_threads();
  for (int i = 0; i <= kTimedSteps; ++i) {
    const Clock::time_point start = Clock::now();
    AdamUpdate update = job.config.train.adam;
    update.learning_rate = job.config.train.schedule.at(i, job.config.train.max_steps);
    update.t = i + 1;
    state.step = i;
    estimate.samples_per_step = problem->step(model, update, state).n_samples;
    // The first step pays for touching all memory.
    if (i > 0) seconds.push_back(seconds_since(start));
    events.job("timing steps", static_cast<double>(i + 1) / (kTimedSteps + 1));
  }
  std::nth_element(seconds.begin(), seconds.begin() + kTimedSteps / 2, seconds.end());
  estimate.seconds_per_step = seconds[kTimedSteps / 2];
  const TrainOptions& train = job.config.train;
  const double all_steps = estimate.seconds_per_step * static_cast<double>(train.max_steps);
  estimate.total_seconds = train.max_seconds > 0 ? std::min(all_steps, train.max_seconds) : all_steps;
  estimate.n_steps = estimate.total_seconds < all_steps
                         ? std::llround(estimate.total_seconds / estimate.seconds_per_step)
                         : train.max_steps;
  return estimate;
}

}  // namespace loe
