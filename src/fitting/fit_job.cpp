#include "loe/fitting/fit_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "loe/base/error.h"
#include "loe/fitting/machine.h"
#include "loe/io/config_file.h"
#include "loe/io/file.h"
#include "loe/io/run_folder.h"
#include "loe/nn/network.h"
#include "loe/task/auto_precision.h"

namespace loe {
namespace {

constexpr double kMaxSeconds = 1e9;
constexpr int kMaxThreads = 1024;
constexpr const char* kAutoPrecision = "auto";

/// The entries whose key starts with "run." if `of_run`, else the others.
Settings part(const Settings& settings, bool of_run) {
  Settings result;
  for (const auto& [key, entry] : settings.entries()) {
    if (key.starts_with("run.") == of_run) result.set(key, entry.value, entry.origin);
  }
  return result;
}

RunSettings read_run_settings(const Settings& settings) {
  RunSettings run;
  const SettingTable table = run_setting_table(run);
  const Settings given = part(settings, true);
  given.require_known(table.keys());
  table.read(given);
  backend_of_flag(run.device);
  return run;
}

/// Where the data of the request lies.
std::string choose_data(const FitRequest& request, const RunSettings& run) {
  std::string data = request.data.empty() ? run.data : request.data;
  if (data.empty()) {
    throw Error(ErrorKind::InvalidArgument,
                "[fit] expected a picture, video or scene to fit, got none; try `loe fit FILE`");
  }
  std::error_code error;
  if (!std::filesystem::exists(data, error)) data = path_from_text(data);
  return std::filesystem::absolute(data).lexically_normal().string();
}

/// "clip" for "videos/clip.mp4", "frames" for the folder "frames/".
std::string name_of_data(const std::string& data) {
  std::filesystem::path path(data);
  if (path.filename().empty()) path = path.parent_path();
  return safe_name(path.stem().string());
}

/// GFLOP/s that real training steps of this network reach on this machine, in a quarter of a second.
double measure_gflops(const RunSettings& run, FitConfig config, const FitSignal& signal) {
  constexpr double kMeasureSeconds = 0.25;
  constexpr int kMinSteps = 3;
  constexpr int kMaxSteps = 1000;
  constexpr int64_t kBatch = 32768;
  const ModelSpec spec = build_model(config);
  ModelExecutor model = compile(run.device, spec, config.precision, run.threads, signal.max_group(config));
  RunState state = initial_run_state(spec, 0, config.network.init);
  model.set_params(state.params.params);
  // What is timed is what will run: the trainer of product chunks is several times as fast as the general path.
  if (config.sampling != PixelSampling::ProductChunks) config.sampling = PixelSampling::RandomPixels;
  config.scene.occupancy_resolution = 0;  // the first steps fill the grid, later ones hardly touch it
  config.batch_size = std::min(config.batch_size, kBatch);
  const std::unique_ptr<Problem> problem = signal.problem(config, run.device, run.threads);
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  std::vector<double> seconds;
  int64_t n_samples = 0;
  for (int i = 0; i < kMaxSteps; ++i) {
    const Clock::time_point begin = Clock::now();
    AdamUpdate update = config.train.adam;
    update.t = i + 1;
    state.step = i;
    n_samples = problem->step(model, update, state).n_samples;
    const Clock::time_point end = Clock::now();
    seconds.push_back(std::chrono::duration<double>(end - begin).count());
    if (i + 1 >= kMinSteps && std::chrono::duration<double>(end - start).count() > kMeasureSeconds) break;
  }
  // The median, not the fastest: what the other programs on this machine leave us.
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return training_flops(spec.main()) * static_cast<double>(n_samples) / *middle / 1e9;
}

/// The instruction set that a fit on this backend would run; "": it has none.
std::string isa_of(const Backend& backend) {
  const std::vector<std::string> isas = backend.isas();
  const std::string forced = forced_isa();
  return !forced.empty() ? forced : isas.empty() ? "" : isas.front();
}

PrecisionChoice precision_for(const FitConfig& config, const RunSettings& run) {
  const Backend& backend = backend_of_flag(run.device);
  return choose_precision(config, backend.name(), isa_of(backend));
}

/// The precision that was given, f32 if none was; nothing: "auto".
std::optional<Precision> given_precision(const Settings& given) {
  const std::string name =
      given.get_choice("train.precision", to_string(Precision::F32), {kAutoPrecision, "f32", "mixed", "bf16", "tf32"});
  if (name == kAutoPrecision) return std::nullopt;
  return precision_from_string(name);
}

std::string own_precision(const Settings& run) {
  return run.get_string("train.precision", to_string(Precision::F32));
}

/// The preset "auto" for this signal. With --max-seconds the machine is timed on the network that a guess of its speed
/// gives, so that the size fits the budget; without, nothing is timed and the same command gives the same bits.
AutoPlan automatic_settings(const FitRequest& request, const Settings& given, const RunSettings& run,
                            const FitSignal& signal, const FitEvents& events) {
  const double max_seconds = given.get_double("train.max_seconds", 0, 0, kMaxSeconds);
  const std::optional<Precision> wanted = given_precision(given);
  Precision precision = wanted.value_or(Precision::F32);
  // Product chunks are for the CPU's trainer; other backends train them like any other pixels.
  const bool has_chunks = backend_of_flag(run.device).name() == "cpu";
  const AutoFamily family = !has_chunks                             ? AutoFamily::Experts
                            : request.family == AutoFamily::Experts ? AutoFamily::ExpertsOnChunks
                                                                    : AutoFamily::Best;
  const auto plan_for = [&](double gflops) {
    return signal.automatic(max_seconds, request.n_params, precision, gflops, family);
  };
  AutoPlan plan = plan_for(0);
  if (!wanted) {
    precision =
        precision_for(fit_config_from_settings(plan.settings, signal.kind(), signal.n_channels()), run).precision;
    if (precision != Precision::F32) plan = plan_for(0);
  }
  if (max_seconds > 0) {
    const double gflops =
        measure_gflops(run, fit_config_from_settings(plan.settings, signal.kind(), signal.n_channels()), signal);
    events.detail(fmt::format("auto: this machine trains such a network at {:.3g} GFLOP/s", gflops));
    plan = plan_for(gflops);
  }
  return plan;
}

/// What the preset sets, and why.
AutoPlan preset_settings(const FitRequest& request, const Settings& given, const RunSettings& run,
                         const FitSignal& signal, const FitEvents& events) {
  const std::string name = given.get_string("preset", "auto");
  if (name == "none" && request.n_params == 0) return {};
  if (name == "auto") {
    // A resolved config names its preset but decides everything itself: nothing is left to choose or to time.
    const bool is_complete = given.contains("model.widths") && given.contains("train.max_steps");
    if (request.n_params != 0 && given.contains("model.widths")) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[fit] --params: cannot go with model.widths ({}), which fixes the number of "
                              "parameters; leave one of them out",
                              given.entries().at("model.widths").origin));
    }
    return is_complete && given.contains("data.sampling") ? AutoPlan()
                                                          : automatic_settings(request, given, run, signal, events);
  }
  if (request.family.has_value()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[fit] --model: expected the preset auto, which chooses a network, got '{}'; leave one of "
                            "them out",
                            name));
  }
  if (request.n_params != 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[fit] --params: expected the preset auto, which chooses a network, got '{}'; leave one "
                            "of them out",
                            name));
  }
  try {
    return {signal.preset(name), ""};
  } catch (const Error& error) {  // a name from a flag or config, not a file that is missing
    throw Error(ErrorKind::InvalidArgument, error.what());
  }
}

/// The hash leaves max_steps out where no step depends on it, so that such a run can be prolonged.
std::string deciding_hash(FitConfig config, const FitSignal& signal) {
  if (config.train.schedule.kind == ScheduleKind::Constant) config.train.max_steps = 1;
  return signal.config_hash(config);
}

std::string value_text(const Settings& settings, const std::string& key) {
  return settings.contains(key) ? to_text(settings.entries().at(key).value) : "nothing";
}

/// Keys that say when to stop, what to report and where to run, never what a step computes. Only they may change when a
/// run is resumed. train.max_steps joins them if the schedule is constant.
std::vector<std::string> free_keys(SignalKind kind) {
  RunSettings run;
  std::vector<std::string> keys;
  std::vector<SettingInfo> infos = setting_infos(kind);
  for (const SettingInfo& info : run_setting_table(run).infos()) infos.push_back(info);
  for (const SettingInfo& info : infos) {
    if (info.decides != Decides::Result) keys.push_back(info.key);
  }
  return keys;
}

/// With --resume: only free keys may differ from the run's own config.
void check_resumed_settings(const FitConfig& own, const Settings& before, const Settings& now,
                            const std::string& run_path) {
  const std::vector<std::string> free = free_keys(own.kind);
  const ScheduleKind schedule = own.train.schedule.kind;
  Settings all = before;
  all.merge(now);
  for (const auto& [key, entry] : all.entries()) {
    const bool is_same =
        before.contains(key) && now.contains(key) && before.entries().at(key).value == now.entries().at(key).value;
    if (is_same || std::find(free.begin(), free.end(), key) != free.end()) continue;
    if (key == "train.max_steps" && schedule == ScheduleKind::Constant) continue;
    const std::string reason = key == "train.max_steps"
                                   ? fmt::format("the {} schedule depends on it", to_string(schedule))
                                   : "it decides what a step computes";
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[resume] {}: expected {} as in {}/config.toml, got {}; {}, so start a new run instead "
                            "(stopping rules, logging and --threads may change)",
                            key, value_text(before, key), run_path, value_text(now, key), reason));
  }
}

/// A network gives values of about 0 to 1: the range of a picture that leaves them becomes part of its output_range.
Settings with_range(Settings task, const FitSignal& signal) {
  const Image* picture = signal.picture();
  if (picture == nullptr || picture->tags.range == PictureTags{}.range) return task;
  const auto [low, high] = picture->tags.range;
  std::vector<double> outputs = {0, 1};
  if (task.contains("model.output_range")) outputs = task.get_list("model.output_range", outputs);
  const double slope = (outputs[1] - outputs[0]) / (high - low);
  task.set("model.output_range", std::vector<double>{outputs[0] - low * slope, outputs[0] + (1 - low) * slope}, "auto");
  return task;
}

/// Resolved task and run settings together, as config.toml holds them.
Settings resolve(const FitConfig& config, const RunSettings& run) {
  Settings resolved = fit_config_to_settings(config);
  RunSettings written = run;  // a table is bound to variables, which writing only reads
  run_setting_table(written).write(resolved, "run");
  return resolved;
}

}  // namespace

SettingTable run_setting_table(RunSettings& run) {
  SettingTable table;
  Setting& data = table.text("run.data", run.data, "a path", "what is fitted");
  data.read = [&run](const Settings& settings) { run.data = path_from_text(settings.get_string("run.data", "")); };
  data.write = [&run] { return SettingValue(path_to_text(run.data)); };
  data.decides = Decides::Label;
  table.choice("run.task", run.task, {"", "image", "video", "scene", "gan"},
               "kind of signal; empty: by the content of the data");
  table.text("run.name", run.name, "", "start of the run folder's name; empty: the data's").decides = Decides::Label;
  table.text("run.device", run.device, "`auto`, `cpu`, `cuda`, `reference`", "what computes");
  table.whole("run.threads", run.threads, 0, kMaxThreads, "0: all usable cores; never changes a result").decides =
      Decides::Label;
  return table;
}

FitJob resolve_fit(const FitRequest& request, const FitEvents& events) {
  const bool is_resumed = !request.resume.empty();
  Settings given;
  if (is_resumed) {
    if (!RunFolder::is_run(request.resume)) {
      throw Error(ErrorKind::NotFound, fmt::format("[resume] {}: expected a run folder with a config.toml, found none; "
                                                   "give the folder that `loe fit` printed",
                                                   request.resume));
    }
    given = read_config(request.resume + "/config.toml");
  }
  const Settings before = given;
  given.merge(request.settings);

  FitJob job;
  job.resume = request.resume;
  job.run = read_run_settings(given);
  job.signal = request.signal;
  if (job.signal == nullptr) {
    job.run.data = choose_data(request, job.run);
    if (job.run.task.empty()) job.run.task = task_of_data(job.run.data);
    job.signal = read_signal(job.run.data, job.run.task, read_options(given, job.run.task), events);
    if (job.run.name.empty()) job.run.name = name_of_data(job.run.data);
  }
  if (job.run.task.empty()) job.run.task = to_string(job.signal->kind());
  if (job.run.name.empty()) job.run.name = job.signal->noun();

  const auto config_of = [&](const Settings& settings) {
    return fit_config_from_settings(settings, job.signal->kind(), job.signal->n_channels());
  };
  Settings task = part(given, false);
  const bool is_precision_auto = !given_precision(task);
  if (!is_resumed) {
    const bool is_range_given = task.contains("model.output_range");
    AutoPlan preset = preset_settings(request, task, job.run, *job.signal, events);
    Settings merged = std::move(preset.settings);
    merged.merge(job.signal->needs());
    job.choice = std::move(preset.reason);
    merged.merge(task);
    task = is_range_given ? merged : with_range(std::move(merged), *job.signal);
  }
  // Chosen once the network is known. A resumed run keeps what it has.
  if (is_precision_auto) {
    task.set("train.precision", is_resumed ? own_precision(before) : to_string(Precision::F32), kAutoPrecision);
  }
  job.config = config_of(task);
  if (is_precision_auto && !is_resumed) {
    const PrecisionChoice chosen = precision_for(job.config, job.run);
    job.config.precision = chosen.precision;
    job.precision_reason = chosen.reason;
  }
  job.signal->configure(job.config);
  job.model = build_model(job.config);
  job.resolved = resolve(job.config, job.run);
  job.config_hash = deciding_hash(job.config, *job.signal);
  if (is_resumed) {
    const FitConfig own = config_of(part(before, false));
    RunSettings own_run = read_run_settings(before);
    if (own_run.task.empty()) own_run.task = job.run.task;  // of a version that knew pictures only
    check_resumed_settings(own, resolve(own, own_run), job.resolved, request.resume);
  }
  return job;
}

}  // namespace loe
