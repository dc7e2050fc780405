#include "fit_session.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "fitting/facts_json.h"
#include "gan_report.h"
#include "interrupt.h"
#include "loe/base/error.h"
#include "loe/fitting/machine.h"
#include "loe/fitting/pictures.h"
#include "loe/io/run_folder.h"
#include "parse.h"

namespace loe::app {
namespace {

using Json = nlohmann::ordered_json;

/// What PSNR was measured against, where it is not [0, 1].
std::string range_remark(const Facts& result) {
  const FactValue* range = result.find("range");
  if (range == nullptr) return "";
  const auto& ends = std::get<std::vector<double>>(*range);
  return fmt::format("   of values from {:.6g} to {:.6g}", ends[0], ends[1]);
}

void print_result(const FitJob& job, const FitOutcome& outcome, const FitFlags& flags) {
  const Facts& result = outcome.result;
  if (flags.json) {
    Json json = to_json(result);
    json["kernels"] = kernels_to_json(outcome.kernels);
    std::puts(json_text(json, -1).c_str());
    return;
  }
  if (flags.quiet) return;
  const auto file = [&](const std::string& name) { return outcome.folder + "/" + name; };
  if (result.find("psnr_db") != nullptr) {
    fmt::print("PSNR {:.2f} dB   SSIM {} (Gaussian window {}){}\n", result.number("psnr_db"),
               format_measure(result.number("ssim"), 4), format_measure(result.number("ssim_gaussian"), 4),
               range_remark(result));
  }
  if (!result.of("distances").empty()) print_distances(to_json(result));
  if (result.find("psnr_db_bf16") != nullptr) {
    fmt::print("PSNR {:.2f} dB when evaluated in bf16, as trained\n", result.number("psnr_db_bf16"));
  }
  fmt::print("{} parameters, {} steps in {} ({})\n", format_integer(job.model.n_params()),
             format_integer(static_cast<int64_t>(result.number("steps"))), format_duration(result.number("seconds")),
             to_string(outcome.reason));
  const bool has_truth = !job.signal->error_name().empty();
  fmt::print("{:<15} {}\n", has_truth ? "reconstruction" : "samples", file(job.signal->reconstruction_name()));
  if (has_truth) {
    fmt::print("error map       {}  (black 0, brightest {} of the data range or more)\n",
               file(job.signal->error_name()), kErrorMapScale);
  }
  fmt::print("model           {}\n", file("model.safetensors"));
  fmt::print("all results     {}\n", file("result.json"));
}

std::string continue_command(const std::string& folder, const FitFlags& flags) {
  return flags.continue_with.empty() ? "loe fit --resume " + shell_quote(folder) : flags.continue_with;
}

/// The run's log.txt, from the moment on that there is a run folder.
class RunLog {
 public:
  explicit RunLog(Reporter& reporter) : reporter_(reporter) {}
  ~RunLog() { reporter_.set_log(nullptr); }
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  void open(const std::string& folder) {
    folder_ = folder;
    file_ = std::make_unique<LineFile>(folder + "/log.txt");
    reporter_.set_log(file_.get());
  }
  void add_error(const Error& error) {
    reporter_.set_log(nullptr);
    if (file_ == nullptr) return;
    try {
      file_->append(std::string("error: ") + error.what());
    } catch (const Error&) {
      // The disk that caused the error cannot take its description either.
    }
  }
  const std::string& folder() const { return folder_; }

 private:
  Reporter& reporter_;
  std::string folder_;
  std::unique_ptr<LineFile> file_;
};

int report(const FitJob& job, const FitOutcome& outcome, const FitFlags& flags, Reporter& reporter) {
  reporter.end_line();
  if (outcome.reason == StopReason::Cancelled) {
    // Shown with -q too: the user is about to look for it.
    reporter.notice(fmt::format("interrupted; saved step {}; continue with: {}", format_integer(outcome.saved_step),
                                continue_command(outcome.folder, flags)));
    return 130;
  }
  if (!job.signal->error_name().empty()) {
    reporter.detail(fmt::format("{}: mean absolute error over the channels, black 0, brightest {}",
                                job.signal->error_name(), kErrorMapScale));
  }
  if (outcome.reason == StopReason::MaxSeconds && job.config.train.schedule_by == ScheduleBy::Steps) {
    reporter.info(
        fmt::format("time was up at step {} of {}, before the learning rate had come down: a smaller "
                    "--max-steps or train.schedule_by=time would fit the time",
                    format_integer(static_cast<int64_t>(outcome.result.number("steps"))),
                    format_integer(job.config.train.max_steps)));
  }
  print_result(job, outcome, flags);
  return 0;
}

}  // namespace

FitEvents events_of(Reporter& reporter) {
  FitEvents events;
  events.on_warning = [&reporter](const std::string& text) { reporter.warning(text); };
  events.on_info = [&reporter](const std::string& text) { reporter.info(text); };
  events.on_detail = [&reporter](const std::string& text) { reporter.detail(text); };
  events.on_progress = [&reporter](const Progress& progress) { reporter.progress(progress); };
  events.on_evaluation = [&reporter](int64_t step, const Facts& headline) {
    reporter.evaluation(step, to_json(headline));
  };
  events.on_job = [&reporter](const std::string& name, double share) {
    reporter.job(name, share);
    if (name == "reading" && share >= 1) reporter.end_line();
  };
  events.should_stop = [] { return InterruptGuard::requested().load(std::memory_order_relaxed); };
  return events;
}

int run_and_report(FitJob& job, const FitFlags& flags, Reporter& reporter) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pager must not end a training
  const InterruptGuard guard;
  RunLog log(reporter);
  FitEvents events = events_of(reporter);
  events.on_folder = [&log](const std::string& folder) { log.open(folder); };
  try {
    const FitOutcome outcome = run_fit(job, {flags.out, flags.force}, events);
    return report(job, outcome, flags, reporter);
  } catch (const Error& error) {
    log.add_error(error);
    // A full disk is not the end of the run: say where it goes on.
    const bool can_go_on =
        error.kind() == ErrorKind::Io && !log.folder().empty() && !list_checkpoints(log.folder()).empty();
    if (!can_go_on) throw;
    throw Error(error.kind(), fmt::format("{}; the last checkpoint is safe, continue with: {}", error.what(),
                                          continue_command(log.folder(), flags)));
  }
}

int dry_run(const FitJob& job, const FitFlags& flags, Reporter& reporter) {
  const FitEstimate estimate = estimate_fit(job, events_of(reporter));
  reporter.end_line();
  const FitSignal& signal = *job.signal;
  const bool is_batch_of_samples = std::string(signal.batch_noun()) == signal.sample_noun();
  const int64_t n_batch = is_batch_of_samples ? estimate.samples_per_step : job.config.batch_size;
  const std::string device = backend_of_flag(job.run.device).name();
  if (flags.json) {
    Facts result = {{"preset", job.config.preset},
                    {"n_params", job.model.n_params()},
                    {"macs_per_sample", job.model.macs_per_sample()},
                    {"samples_per_step", estimate.samples_per_step},
                    {fmt::format("{}_bytes", signal.noun()), signal.n_bytes()},
                    {"peak_memory_bytes", peak_resident_bytes()},
                    {"seconds_per_step", estimate.seconds_per_step},
                    {"max_steps", job.config.train.max_steps},
                    {"likely_steps", estimate.n_steps},
                    {"total_seconds", estimate.total_seconds},
                    {"threads", estimate.n_threads},
                    {"precision", to_string(job.config.precision)},
                    {"device", device},
                    {batch_key(signal), n_batch}};
    std::puts(json_text(to_json(result), -1).c_str());
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
  if (!is_batch_of_samples) print_count("samples per step", estimate.samples_per_step);
  fmt::print("memory            {} ({} {})\n", format_bytes(peak_resident_bytes()), signal.noun(),
             format_bytes(signal.n_bytes()));
  fmt::print("seconds per step  {:.4f} ({} threads, {}, {})\n", estimate.seconds_per_step, estimate.n_threads,
             to_string(job.config.precision), device);
  fmt::print("steps             {}\n", format_integer(estimate.n_steps));
  fmt::print("total             {}\n", format_duration(estimate.total_seconds));
  return 0;
}

}  // namespace loe::app
