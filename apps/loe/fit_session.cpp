#include "fit_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "gan_report.h"
#include "interrupt.h"
#include "loe/base/error.h"
#include "loe/base/version.h"
#include "loe/io/config_file.h"
#include "loe/io/file.h"
#include "loe/io/model_file.h"
#include "loe/io/run_folder.h"
#include "loe/nn/network.h"
#include "loe/train/trainer.h"
#include "machine.h"
#include "parse.h"
#include "pictures.h"

namespace loe::app {
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
  FitProblem(const FitJob& job, const RunFolder& folder, Reporter& reporter)
      : job_(job),
        folder_(folder),
        reporter_(reporter),
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
    reporter_.job("evaluating", done);
    if (InterruptGuard::requested().load() && done < 1) throw Interrupted();
  }

  const FitJob& job_;
  const RunFolder& folder_;
  Reporter& reporter_;
  std::unique_ptr<Problem> inner_;
  Evaluation last_;
  bool was_cut_ = false;
};

/// Writes what happens during training to the run folder.
class Recorder {
 public:
  Recorder(const FitJob& job, const RunFolder& folder, Reporter& reporter, const FitProblem& problem,
           ModelExecutor& model, RunState& state)
      : job_(job),
        folder_(folder),
        problem_(problem),
        reporter_(reporter),
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
    add_measures(progress, line);
    line.update({{"learning_rate", progress.learning_rate},
                 {"samples_per_second", progress.samples_per_second},
                 {"seconds", progress.seconds}});
    metrics_.append(line.dump());
    reporter_.progress(progress);
    if (job_.config.train.steps_per_eval == 0 && is_preview_due(progress)) preview(progress.step, progress.seconds);
  }

  void on_eval() {
    if (problem_.was_cut()) return;
    const Json headline = problem_.last().headline();
    Json line = {{"step", state_.step}};
    for (const auto& [name, value] : headline.items()) line["eval_" + name] = value;
    line["seconds"] = state_.seconds;
    metrics_.append(line.dump());
    reporter_.evaluation(state_.step, headline);
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
      reporter_.detail("no symbolic links here: checkpoints/last.safetensors is left out");
      warned_about_links_ = true;
    }
    write_model(folder_.file("model.safetensors"), {job_.model, state_.params.params, job_.signal->info()});
    saved_step_ = state_.step;
    last_save_ = Clock::now();
    reporter_.detail(fmt::format("step {}: saved", format_integer(state_.step)));
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
    reporter_.detail(fmt::format("step {}: preview {}{}", format_integer(step), folder_.image_path(step), errors));
  }

  const FitJob& job_;
  const RunFolder& folder_;
  const FitProblem& problem_;
  Reporter& reporter_;
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

RunFolder open_folder(const FitJob& job, const FitFlags& flags) {
  if (!flags.resume.empty()) return RunFolder::open(flags.resume);
  if (!flags.out.empty()) return RunFolder::create_at(flags.out, flags.force);
  return RunFolder::create("runs", job.run.name);
}

/// The newest checkpoint that can be read; damaged ones are passed over with a warning. A new state if there is none.
RunState load_state(const FitJob& job, const RunFolder& folder, Reporter& reporter) {
  const std::vector<CheckpointFile> files = list_checkpoints(folder.path());
  for (const CheckpointFile& file : files) {
    std::optional<RunState> state;
    try {
      state = read_checkpoint(file.path, job.model);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Format && error.kind() != ErrorKind::Io) throw;
      reporter.warning(fmt::format("{}; trying an older checkpoint", error.what()));
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
  reporter.info("no checkpoint yet: starting at step 0");
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
  Json environment = machine_to_json();
  environment["started"] = utc_time();
  environment["device"] = backend_of_flag(job.run.device).name();
  environment["threads"] = model.main().n_threads();
  environment["precision"] = to_string(job.config.precision);
  if (!job.precision_reason.empty()) environment["precision_reason"] = job.precision_reason;
  Json& data = environment[job.signal->noun()];
  data = {{"path", path_to_text(job.run.data)}};
  data.update(job.signal->shape());
  data["type"] = job.signal->info().pixel_type;
  environment["config_hash"] = job.config_hash;
  environment["kernels"] = kernels_to_json(all_kernels(job, model));
  write_text_file(folder.file("environment.json"),
                  environment.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void describe_job(const FitJob& job, const RunFolder& folder, const ModelExecutor& model, Reporter& reporter) {
  reporter.info(fmt::format("{}: {}", job.run.data, job.signal->describe()));
  reporter.info(fmt::format("preset {}: {} parameters, {} MACs per {}, {} threads, {}", job.config.preset,
                            format_integer(job.model.n_params()), format_integer(job.model.macs_per_sample()),
                            job.signal->sample_noun(), model.main().n_threads(), to_string(job.config.precision)));
  if (!job.choice.empty()) reporter.info(fmt::format("{}: {}", job.config.preset, job.choice));
  if (!job.precision_reason.empty()) {
    reporter.info(fmt::format("precision {}: {}", to_string(job.config.precision), job.precision_reason));
  }
  reporter.info(fmt::format("run {}", folder.path()));
  const std::string warning = job.signal->companions(job.run.device).warning;
  if (!warning.empty()) reporter.warning(warning);
  for (const KernelInfo& kernel : all_kernels(job, model)) {
    reporter.detail(fmt::format("{}: {} ({})", kernel.operation, kernel.kernel, kernel.reason));
  }
}

/// What a batch counts: "samples_per_step", of a scene "rays_per_step".
std::string batch_key(const FitSignal& signal) {
  const std::string batch = signal.batch_noun();
  return fmt::format("{}s_per_step", batch == signal.sample_noun() ? "sample" : batch);
}

Json result_json(const FitJob& job, const RunFolder& folder, const ModelExecutor& model, const RunState& state,
                 StopReason reason, const Evaluation& evaluation, std::optional<double> psnr_bf16) {
  Json result = evaluation.fidelity_json();
  if (psnr_bf16) result["psnr_db_bf16"] = *psnr_bf16;
  result["n_params"] = job.model.n_params();
  result["macs_per_sample"] = job.model.macs_per_sample();
  result["steps"] = state.step;
  result["max_steps"] = job.config.train.max_steps;
  result[batch_key(*job.signal)] =
      job.config.sampling == PixelSampling::AllPixels ? job.signal->n_pixels() : job.config.batch_size;
  result["stop_reason"] = to_string(reason);
  result["seconds"] = state.seconds;
  if (evaluation.fidelity) {
    result["best_psnr_db"] = state.best_psnr_db;
    result["best_step"] = state.best_step;
  }
  result["preset"] = job.config.preset;
  result["precision"] = to_string(job.config.precision);
  result["device"] = backend_of_flag(job.run.device).name();
  result["threads"] = model.main().n_threads();
  result["seed"] = job.config.seed;
  result[job.signal->noun()] = path_to_text(job.run.data);
  result.update(job.signal->shape());
  for (const auto& [key, value] : evaluation.more.items()) result[key] = value;
  result["peak_memory_bytes"] = peak_resident_bytes();
  result["version"] = version();
  result["commit"] = build_commit();
  result["run"] = path_to_text(folder.path());
  result["kernels"] = kernels_to_json(all_kernels(job, model));
  return result;
}

/// What PSNR was measured against, where it is not [0, 1].
std::string range_remark(const Json& result) {
  if (!result.contains("range")) return "";
  return fmt::format("   of values from {:.6g} to {:.6g}", result["range"][0].get<double>(),
                     result["range"][1].get<double>());
}

void print_result(const FitJob& job, const RunFolder& folder, const Json& result, const FitFlags& flags) {
  if (flags.json) {
    std::puts(result.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  if (flags.quiet) return;
  const auto number = [&](const char* key) { return result[key].get<double>(); };
  if (result.contains("psnr_db")) {
    fmt::print("PSNR {:.2f} dB   SSIM {} (Gaussian window {}){}\n", number("psnr_db"),
               format_measure(number("ssim"), 4), format_measure(number("ssim_gaussian"), 4), range_remark(result));
  }
  if (result.contains("distances")) print_distances(result);
  if (result.contains("psnr_db_bf16")) {
    fmt::print("PSNR {:.2f} dB when evaluated in bf16, as trained\n", number("psnr_db_bf16"));
  }
  fmt::print("{} parameters, {} steps in {} ({})\n", format_integer(job.model.n_params()),
             format_integer(result["steps"].get<int64_t>()), format_duration(number("seconds")),
             result["stop_reason"].get<std::string>());
  const bool has_truth = !job.signal->error_name().empty();
  fmt::print("{:<15} {}\n", has_truth ? "reconstruction" : "samples", folder.file(job.signal->reconstruction_name()));
  if (has_truth) {
    fmt::print("error map       {}  (black 0, brightest {} of the data range or more)\n",
               folder.file(job.signal->error_name()), kErrorMapScale);
  }
  fmt::print("model           {}\n", folder.file("model.safetensors"));
  fmt::print("all results     {}\n", folder.file("result.json"));
}

std::string continue_command(const RunFolder& folder, const FitFlags& flags) {
  return flags.continue_with.empty() ? "loe fit --resume " + shell_quote(folder.path()) : flags.continue_with;
}

int interrupted(const RunFolder& folder, const FitFlags& flags, const Recorder& recorder, Reporter& reporter) {
  reporter.end_line();
  // Shown with -q too: the user is about to look for it.
  reporter.notice(fmt::format("interrupted; saved step {}; continue with: {}", format_integer(recorder.saved_step()),
                              continue_command(folder, flags)));
  return 130;
}

/// The f32 evaluation of the final parameters that the headline numbers come from.
Evaluation final_evaluation(const FitJob& job, const RunState& state, FitProblem& problem) {
  if (job.config.precision != Precision::Bf16) return problem.last();  // the trainer's last evaluation was it
  ModelExecutor exact = compile(job.run.device, job.model, Precision::F32, job.run.threads);
  exact.set_params(state.params.params);
  return problem.evaluate_with_pictures(exact);
}

int train_and_report(const FitJob& job, const FitFlags& flags, const RunFolder& folder, ModelExecutor& model,
                     RunState& state, Reporter& reporter) {
  const InterruptGuard guard;
  FitProblem problem(job, folder, reporter);
  Recorder recorder(job, folder, reporter, problem, model, state);
  const StopReason reason =
      train(problem, model, job.config.train, state, recorder.events(), &InterruptGuard::requested());
  if (reason == StopReason::Cancelled || problem.was_cut()) return interrupted(folder, flags, recorder, reporter);
  std::optional<double> psnr_bf16;
  if (job.config.precision == Precision::Bf16 && problem.has_psnr()) psnr_bf16 = problem.last().fidelity->psnr_db;
  Evaluation evaluation;
  try {
    evaluation = final_evaluation(job, state, problem);
  } catch (const FitProblem::Interrupted&) {
    return interrupted(folder, flags, recorder, reporter);
  }
  reporter.end_line();
  const Json result = result_json(job, folder, model, state, reason, evaluation, psnr_bf16);
  write_text_file(folder.file("result.json"), result.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  reporter.detail(
      fmt::format("stopped by {} at step {}: {}", to_string(reason), state.step, evaluation.headline().dump()));
  if (!job.signal->error_name().empty()) {
    reporter.detail(fmt::format("{}: mean absolute error over the channels, black 0, brightest {}",
                                job.signal->error_name(), kErrorMapScale));
  }
  if (reason == StopReason::MaxSeconds && job.config.train.schedule_by == ScheduleBy::Steps) {
    reporter.info(
        fmt::format("time was up at step {} of {}, before the learning rate had come down: a smaller "
                    "--max-steps or train.schedule_by=time would fit the time",
                    format_integer(state.step), format_integer(job.config.train.max_steps)));
  }
  print_result(job, folder, result, flags);
  return 0;
}

}  // namespace

int run_fit(FitJob& job, const FitFlags& flags, Reporter& reporter) {
  ModelExecutor model =
      compile(job.run.device, job.model, job.config.precision, job.run.threads, job.signal->max_group(job.config));
  std::signal(SIGPIPE, SIG_IGN);                            // a closed pager must not end a training
  const std::string config = config_to_toml(job.resolved);  // nothing is created before all is understood
  const RunFolder folder = open_folder(job, flags);
  LineFile log(folder.file("log.txt"));
  reporter.set_log(&log);
  try {
    RunState state;
    if (flags.resume.empty()) {
      state = initial_run_state(job.model, job.config.seed, job.config.network.init);
      state.config_hash = job.config_hash;
    } else {
      state = load_state(job, folder, reporter);
      drop_metrics_after(folder.file("metrics.jsonl"), state.step);
      reporter.info(fmt::format("resuming {} at step {}", folder.path(), format_integer(state.step)));
    }
    write_text_file(folder.file("config.toml"), config);
    if (flags.resume.empty()) write_environment(job, folder, model);
    describe_job(job, folder, model, reporter);
    const int code = train_and_report(job, flags, folder, model, state, reporter);
    reporter.set_log(nullptr);
    return code;
  } catch (const Error& error) {
    reporter.set_log(nullptr);
    try {
      log.append(std::string("error: ") + error.what());
    } catch (const Error&) {
      // The disk that caused the error cannot take its description either.
    }
    // A full disk is not the end of the run: say where it goes on.
    const bool can_go_on = error.kind() == ErrorKind::Io && !list_checkpoints(folder.path()).empty();
    if (!can_go_on) throw;
    throw Error(error.kind(), fmt::format("{}; the last checkpoint is safe, continue with: {}", error.what(),
                                          continue_command(folder, flags)));
  }
}

int dry_run_fit(const FitJob& job, const FitFlags& flags, Reporter& reporter) {
  constexpr int kTimedSteps = 3;
  ModelExecutor model =
      compile(job.run.device, job.model, job.config.precision, job.run.threads, job.signal->max_group(job.config));
  RunState state = initial_run_state(job.model, job.config.seed, job.config.network.init);
  model.set_params(state.params.params);
  const std::unique_ptr<Problem> problem = job.signal->problem(job.config, job.run.device, job.run.threads);
  std::vector<double> seconds;
  int64_t n_samples = 0;
  for (int i = 0; i <= kTimedSteps; ++i) {
    const Clock::time_point start = Clock::now();
    AdamUpdate update = job.config.train.adam;
    update.learning_rate = job.config.train.schedule.at(i, job.config.train.max_steps);
    update.t = i + 1;
    state.step = i;
    n_samples = problem->step(model, update, state).n_samples;
    // The first step pays for touching all memory.
    if (i > 0) seconds.push_back(seconds_since(start));
    reporter.job("timing steps", static_cast<double>(i + 1) / (kTimedSteps + 1));
  }
  reporter.end_line();
  std::nth_element(seconds.begin(), seconds.begin() + kTimedSteps / 2, seconds.end());
  const double seconds_per_step = seconds[kTimedSteps / 2];
  const TrainOptions& train = job.config.train;
  const double all_steps = seconds_per_step * static_cast<double>(train.max_steps);
  const double total = train.max_seconds > 0 ? std::min(all_steps, train.max_seconds) : all_steps;
  const int64_t n_steps = total < all_steps ? std::llround(total / seconds_per_step) : train.max_steps;
  const FitSignal& signal = *job.signal;
  const bool is_batch_of_samples = std::string(signal.batch_noun()) == signal.sample_noun();
  const int64_t n_batch = is_batch_of_samples ? n_samples : job.config.batch_size;
  Json result = {{"preset", job.config.preset},
                 {"n_params", job.model.n_params()},
                 {"macs_per_sample", job.model.macs_per_sample()},
                 {"samples_per_step", n_samples},
                 {fmt::format("{}_bytes", job.signal->noun()), job.signal->n_bytes()},
                 {"peak_memory_bytes", peak_resident_bytes()},
                 {"seconds_per_step", seconds_per_step},
                 {"max_steps", train.max_steps},
                 {"likely_steps", n_steps},
                 {"total_seconds", total},
                 {"threads", model.main().n_threads()},
                 {"precision", to_string(job.config.precision)},
                 {"device", backend_of_flag(job.run.device).name()}};
  result[batch_key(signal)] = n_batch;
  if (flags.json) {
    std::puts(result.dump().c_str());
    return 0;
  }
  fmt::print("preset            {}\n", job.config.preset);
  if (!job.choice.empty()) fmt::print("choice            {}\n", job.choice);
  if (!job.precision_reason.empty()) {
    fmt::print("precision         {}: {}\n", to_string(job.config.precision), job.precision_reason);
  }
  fmt::print("parameters        {}\n", format_integer(job.model.n_params()));
  const auto print_count = [](const std::string& what, int64_t count) {
    fmt::print("{:<17} {}\n", what, format_integer(count));
  };
  print_count(fmt::format("MACs per {}", signal.sample_noun()), job.model.macs_per_sample());
  print_count(fmt::format("{}s per step", signal.batch_noun()), n_batch);
  if (!is_batch_of_samples) print_count("samples per step", n_samples);
  fmt::print("memory            {} ({} {})\n", format_bytes(peak_resident_bytes()), job.signal->noun(),
             format_bytes(job.signal->n_bytes()));
  fmt::print("seconds per step  {:.4f} ({} threads, {}, {})\n", seconds_per_step, model.main().n_threads(),
             to_string(job.config.precision), backend_of_flag(job.run.device).name());
  fmt::print("steps             {}\n", format_integer(n_steps));
  fmt::print("total             {}\n", format_duration(total));
  return 0;
}

}  // namespace loe::app
