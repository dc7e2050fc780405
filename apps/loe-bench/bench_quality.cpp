#include "bench_quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bench_measure.h"
#include "fit_session.h"
#include "loe/base/error.h"
#include "loe/base/version.h"
#include "loe/fitting/machine.h"
#include "loe/train/trainer.h"
#include "parse.h"
#include "quality_methods.h"
#include "quality_report.h"

namespace loe::app {
namespace {

constexpr int64_t kMaxParams = int64_t{1} << 33;
/// Between two evaluations on the way, as a ratio of their times; none before kFirstMoment.
constexpr double kMomentRatio = 1.4142135623730951;
constexpr double kFirstMoment = 0.05;

/// seconds / ratio^k for k = n .. 1, ascending.
std::vector<double> moments_of(double seconds, int n) {
  std::vector<double> moments;
  for (int k = n; k >= 1; --k) {
    const double moment = seconds * std::pow(kMomentRatio, -k);
    if (moment >= kFirstMoment) moments.push_back(moment);
  }
  return moments;
}

/// Stops the training at given moments, and counts samples. What is stopped goes on with the same bits, so that
/// evaluations lie outside the time that the trainer counts.
class PausedProblem : public Problem {
 public:
  explicit PausedProblem(std::unique_ptr<Problem> inner) : inner_(std::move(inner)) {}

  void pause_at(double seconds) {
    moment_ = seconds;
    is_paused_ = false;
  }
  StepResult step(ModelExecutor& model, const AdamUpdate& update, RunState& state) override {
    if (moment_ > 0 && state.seconds >= moment_) is_paused_ = true;
    const StepResult result = inner_->step(model, update, state);
    n_samples_ += result.n_samples;
    return result;
  }
  bool has_psnr() const override { return inner_->has_psnr(); }
  double range_size() const override { return inner_->range_size(); }
  std::string find_non_finite_input(int64_t step) override { return inner_->find_non_finite_input(step); }
  /// The trainer's own evaluation at the end would count as time: evaluate() is called after it.
  std::optional<double> evaluate_psnr(ModelExecutor&) override { return 0.0; }
  double evaluate(ModelExecutor& model) { return inner_->evaluate_psnr(model).value_or(0); }
  int64_t n_samples() const { return n_samples_; }
  bool is_paused() const { return is_paused_; }

 private:
  std::unique_ptr<Problem> inner_;
  bool is_paused_ = false;
  double moment_ = 0;
  int64_t n_samples_ = 0;
};

/// One run, already resolved.
QualityRun train_one(const FitJob& job, int n_moments) {
  ModelExecutor model = compile(job.run.device, job.model, job.config.precision, job.run.threads);
  RunState state = initial_run_state(job.model, job.config.seed, job.config.network.init);
  PausedProblem problem(job.signal->problem(job.config, job.run.device, job.run.threads));
  QualityRun run;
  const std::vector<double> moments = moments_of(job.config.train.max_seconds, n_moments);
  auto next = moments.begin();
  for (StopReason reason = StopReason::Cancelled; reason == StopReason::Cancelled;) {
    while (next != moments.end() && *next <= state.seconds) ++next;
    problem.pause_at(next != moments.end() ? *next : 0);
    reason = train(problem, model, job.config.train, state, {}, [&] { return problem.is_paused(); });
    const bool ends_next = reason == StopReason::Cancelled && state.seconds >= job.config.train.max_seconds;
    if (!ends_next) run.curve.push_back({state.seconds, problem.evaluate(model)});
  }
  run.seed = job.config.seed;
  run.n_params = job.model.n_params();
  run.seconds = state.seconds;
  run.psnr_db = run.curve.back().psnr_db;
  run.steps = state.step;
  run.samples_per_second = static_cast<double>(problem.n_samples()) / state.seconds;
  return run;
}

std::string command_of(const QualityOptions& options) {
  std::string command = "loe bench quality " + shell_quote(options.input);
  if (!options.params.empty()) command += fmt::format(" --params {}", fmt::join(options.params, ","));
  command +=
      fmt::format(" --seconds {} --methods {}", fmt::join(options.seconds, ","), fmt::join(options.methods, ","));
  if (options.threads > 0) command += fmt::format(" --threads {}", options.threads);
  if (options.n_seeds > 1) command += fmt::format(" --seeds {}", options.n_seeds);
  return command;
}

/// The runs of one call.
class QualityBench {
 public:
  explicit QualityBench(const QualityOptions& options)
      : options_(options),
        reporter_(ProgressMode::None, options.json ? Verbosity::Quiet : Verbosity::Normal),
        signal_(read_picture()) {
    report_.picture = fmt::format("{}: {}", name_of(options.input), signal_->describe());
    report_.command = command_of(options);
    if (!options.rivals.empty()) report_.runs = read_quality_runs(options.rivals);
    for (const std::string& text : options.params) limits_.push_back(parse_count("--params", text, 1, kMaxParams));
    if (limits_.empty()) limits_.push_back(limit_of_auto());
  }

  void run() {
    for (int seed = 0; seed < options_.n_seeds; ++seed) {
      for (const int64_t max_params : limits_) {
        for (const double seconds : options_.seconds) {
          for (const std::string& method : options_.methods) run_one(method, max_params, seconds, seed);
        }
      }
    }
  }

  void print() const {
    std::vector<nlohmann::ordered_json> records;
    for (const QualityRun& run : report_.runs) {
      records.push_back(to_json(run));
      if (!options_.json) records.back()["psnr_db"] = fmt::format("{:.2f}", run.psnr_db);
    }
    print_records(records,
                  {"method", "seed", "n_params", "budget_seconds", "seconds", "psnr_db", "steps", "samples_per_second"},
                  options_.json);
  }

 private:
  static std::string name_of(const std::string& path) { return std::filesystem::path(path).filename().string(); }

  std::unique_ptr<FitSignal> read_picture() {
    std::unique_ptr<FitSignal> signal =
        read_signal(options_.input, task_of_data(options_.input), {}, events_of(reporter_));
    if (signal->picture() == nullptr) {
      throw Error(ErrorKind::InvalidArgument, fmt::format("[quality] {}: expected a picture, got a {}; give a picture",
                                                          options_.input, signal->noun()));
    }
    return signal;
  }

  FitJob job_of(const std::string& method, int64_t max_params, double seconds, int seed) {
    FitRequest request = quality_request(method, *signal_, max_params, seconds);
    request.signal = signal_;
    request.settings.set("train.seed", int64_t{seed}, "--seeds");
    request.settings.set("run.threads", int64_t{options_.threads}, "--threads");
    return resolve_fit(request, events_of(reporter_));
  }

  /// What the preset auto takes if nothing but the longest time is given.
  int64_t limit_of_auto() {
    return job_of("best", 0, *std::max_element(options_.seconds.begin(), options_.seconds.end()), 0).model.n_params();
  }

  void run_one(const std::string& method, int64_t max_params, double seconds, int seed) {
    const FitJob job = job_of(method, max_params, seconds, seed);
    if (report_.machine.empty()) {
      const int threads = compile(job.run.device, job.model, job.config.precision, job.run.threads).main().n_threads();
      report_.machine = fmt::format("{}, {} threads, loe {} ({})", cpu_name(), threads, version(), build_commit());
    }
    QualityRun run = train_one(job, options_.n_moments);
    run.method = method;
    for (const QualityMethod& known : quality_methods()) {
      if (known.key == method) run.title = known.title;
    }
    run.max_params = max_params;
    run.budget_seconds = seconds;
    reporter_.info(fmt::format("{}: {} parameters, {:.4g} s, seed {}: {:.2f} dB", method, format_integer(run.n_params),
                               seconds, seed, run.psnr_db));
    report_.runs.push_back(std::move(run));
    if (!options_.out.empty()) write_quality_report(report_, options_.out);
  }

  const QualityOptions& options_;
  Reporter reporter_;
  std::shared_ptr<FitSignal> signal_;
  std::vector<int64_t> limits_;
  QualityReport report_;
};

}  // namespace

int bench_quality(const QualityOptions& options) {
  QualityBench bench(options);
  bench.run();
  bench.print();
  return 0;
}

}  // namespace loe::app
