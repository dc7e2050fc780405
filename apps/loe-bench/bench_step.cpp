#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench.h"
#include "bench_measure.h"
#include "bench_peaks.h"
#include "bench_rival.h"
#include "bench_workload.h"
#include "loe/base/error.h"
#include "loe/fitting/machine.h"

namespace loe::app {
namespace {

constexpr uint64_t kParamSeed = 7;

ParamState initial_state(const NetworkSpec& spec) {
  ParamState state;
  state.params = initial_params(spec, kParamSeed);
  state.adam_m.assign(state.params.size(), 0.0F);
  state.adam_v.assign(state.params.size(), 0.0F);
  return state;
}

/// One network being trained by one executor.
class Side {
 public:
  Side(const NetworkConfig& network, const BenchOptions& options, Precision precision)
      : spec_(build_network(network)), executor_(compile_for(options, spec_, precision)), state_(initial_state(spec_)) {
    executor_->set_params(state_.params);
  }

  const NetworkSpec& spec() const { return spec_; }
  Executor& executor() { return *executor_; }
  const ParamState& state() const { return state_; }
  const Series& seconds() const { return seconds_; }

  /// Undoes what a comparison did to the executor.
  void restore_params() { executor_->set_params(state_.params); }
  void warm_up(const SampleSource& source) { step(source); }
  void measure(const SampleSource& source, double draw_seconds) {
    seconds_.add(draw_seconds + time_seconds([&] { step(source); }));
  }

 private:
  void step(const SampleSource& source) {
    const double loss = executor_->train_step(source, update_, state_);
    if (!(loss < 1e6)) {
      throw Error(
          ErrorKind::Numerical,
          fmt::format("[bench] loss: expected a number below 1e6, got {}; this is a bug, please report it", loss));
    }
    ++update_.t;
  }

  NetworkSpec spec_;
  std::unique_ptr<Executor> executor_;
  ParamState state_;
  AdamUpdate update_;
  Series seconds_;
};

/// The rival beside our side; refuses to be timed if its results are not ours.
class RivalSide {
 public:
  RivalSide(Side& ours, Precision precision, const SampleSource& source, const std::string& device)
      : rival_(make_rival(device, ours.spec(), precision, ours.executor().n_threads())),
        state_(initial_state(ours.spec())) {
    if (!rival_.train_step) {
      return;
    }
    try {
      rival_.prepare(source);
      agreement_ = compare(ours.executor(), rival_, precision, state_.params, source);
      if (agreement_.agrees) {
        rival_.train_step(update_, state_);
        rival_.name = rival_.full_name();
        ++update_.t;
      }
    } catch (const Error& error) {
      // A library that declines, or a device without room for both.
      if (error.kind() != ErrorKind::Unsupported && error.kind() != ErrorKind::OutOfMemory) throw;
      rival_ = Rival{"none: " + std::string(error.what()), {}, {}, {}, {}};
    }
    ours.restore_params();
  }

  bool is_timed() const { return rival_.train_step && agreement_.agrees; }
  bool disagrees() const { return rival_.train_step && !agreement_.agrees; }
  const Series& seconds() const { return seconds_; }
  const Agreement& agreement() const { return agreement_; }
  std::string name() const { return disagrees() ? "none: results of " + rival_.name + " differ" : rival_.name; }

  void measure() {
    if (is_timed()) {
      let_threads_settle();
      seconds_.add(time_seconds([&] { rival_.train_step(update_, state_); }));
      ++update_.t;
      let_threads_settle();
    }
  }

 private:
  Rival rival_;
  ParamState state_;
  AdamUpdate update_;
  Agreement agreement_;
  Series seconds_;
};

/// Everything measured for one workload and precision.
class StepBench {
 public:
  StepBench(const Workload& workload, Precision precision, const BenchOptions& options)
      : workload_(workload),
        precision_(precision),
        batch_(options.batch > 0 ? options.batch : workload.batch),
        order_(options.order),
        source_(workload, batch_, sample_order_from_string(options.order)),
        ours_(workload.network, options, precision),
        peaks_(options.device, ours_.executor().n_threads()) {
    batch_ = source_.n_samples();  // whole chunks
    // Without experts there is no plain twin; what a network of sines costs is told by its twin without them.
    const bool has_experts = std::any_of(ours_.spec().layers.begin(), ours_.spec().layers.end(),
                                         [](const LayerSpec& layer) { return layer.n_experts() > 1; });
    if (options.plain && workload.network.activation.kind == ActivationKind::Sine) {
      leaky_ = std::make_unique<Side>(leaky_relu_twin(workload.network), options, precision);
    }
    if (workload.is_product) {
      Workload general = workload;
      general.is_product = false;
      general_source_ = std::make_unique<LatticeSource>(general, batch_, sample_order_from_string(options.order));
      general_ = std::make_unique<Side>(workload.network, options, precision);
    }
    if (options.plain && has_experts && !workload.is_product) {
      plain_ = std::make_unique<Side>(plain_twin(workload.network), options, precision);
    }
    if (options.bilinear && !workload.is_product) {
      bilinear_ = std::make_unique<Side>(bilinear_twin(workload.network), options, precision);
    }
    if (options.rivals) {
      rival_ = std::make_unique<RivalSide>(ours_, precision, source_, options.device);
    }
  }

  void run(int n_repeats);
  bool rival_disagrees() const { return rival_ && rival_->disagrees(); }
  nlohmann::ordered_json record();

 private:
  void add_own_speed(nlohmann::ordered_json& record) const;
  void add_rival(nlohmann::ordered_json& record) const;
  void add_twins(nlohmann::ordered_json& record) const;
  std::string kernel();

  Workload workload_;
  Precision precision_;
  int64_t batch_;
  std::string order_;
  LatticeSource source_;
  Side ours_;
  Peaks peaks_;
  std::unique_ptr<Side> plain_;
  std::unique_ptr<Side> leaky_;
  std::unique_ptr<Side> bilinear_;
  std::unique_ptr<Side> general_;  ///< the same network on random pixels, for workloads of product chunks
  std::unique_ptr<LatticeSource> general_source_;
  std::unique_ptr<RivalSide> rival_;
  Series draw_seconds_;
};

// Sides and peak take turns within each repeat, so that other programs on the machine disturb all of them alike.
void StepBench::run(int n_repeats) {
  std::vector<Side*> sides = {&ours_};
  for (Side* side : {plain_.get(), leaky_.get(), bilinear_.get()}) {
    if (side != nullptr) {
      sides.push_back(side);
    }
  }
  for (Side* side : sides) {
    side->warm_up(source_);
  }
  if (general_) general_->warm_up(*general_source_);
  for (int repeat = 0; repeat < n_repeats; ++repeat) {
    const double draw_seconds = time_seconds([&] { source_.begin_step(repeat + 1); });
    // Whoever takes product chunks draws them, within its step.
    draw_seconds_.add(workload_.is_product ? 0 : draw_seconds);
    for (Side* side : sides) {
      peaks_.sample(precision_);
      side->measure(source_, draw_seconds_.values.back());
    }
    peaks_.sample(precision_);
    if (general_) {
      general_->measure(*general_source_, time_seconds([&] { general_source_->begin_step(repeat + 1); }));
      peaks_.sample(precision_);
    }
    if (rival_) {
      rival_->measure();
    }
  }
}

void StepBench::add_own_speed(nlohmann::ordered_json& record) const {
  const double flops = flops_per_step(ours_.spec(), batch_);
  const double seconds = ours_.seconds().median();
  const double gflops = flops / seconds * 1e-9;
  record["seconds_per_step"] = seconds;
  record["seconds_min"] = ours_.seconds().min();
  record["seconds_max"] = ours_.seconds().max();
  record["draw_seconds"] = draw_seconds_.median();
  record["samples_per_second"] = static_cast<double>(batch_) / seconds;
  record["gflops"] = gflops;
  peaks_.describe(ours_.spec(), precision_, record);
  if (!peaks_.is_measured()) return;
  record["share_of_peak"] = gflops / record["peak_gflops"].get<double>();
  record["share_of_peak_best"] = flops / ours_.seconds().min() * 1e-9 / record["peak_gflops_max"].get<double>();
}

void StepBench::add_rival(nlohmann::ordered_json& record) const {
  const bool timed = rival_ && rival_->is_timed();
  record["baseline"] = rival_ ? rival_->name() : "none: --no-rivals";
  record["baseline_seconds_per_step"] = nullptr;
  record["speedup_over_baseline"] = nullptr;
  if (timed) {
    record["baseline_seconds_per_step"] = rival_->seconds().median();
    record["speedup_over_baseline"] = rival_->seconds().median() / ours_.seconds().median();
  }
  if (timed || rival_disagrees()) {
    record["baseline_loss_error"] = rival_->agreement().loss_error;
    record["baseline_gradient_error"] = rival_->agreement().gradient_error;
  }
}

void StepBench::add_twins(nlohmann::ordered_json& record) const {
  if (plain_) {
    record["plain_seconds_per_step"] = plain_->seconds().median();
    record["overhead_vs_plain"] = ours_.seconds().median() / plain_->seconds().median();
  }
  if (general_) {
    record["general_seconds_per_step"] = general_->seconds().median();
    record["speedup_over_general"] = general_->seconds().median() / ours_.seconds().median();
  }
  if (leaky_) {
    record["leaky_relu_seconds_per_step"] = leaky_->seconds().median();
    record["sine_vs_leaky_relu"] = ours_.seconds().median() / leaky_->seconds().median();
  }
  if (bilinear_) {
    record["bilinear_seconds_per_step"] = bilinear_->seconds().median();
    record["bilinear_ratio"] = bilinear_->seconds().median() / ours_.seconds().median();
  }
}

std::string StepBench::kernel() {
  const std::vector<KernelInfo> kernels = ours_.executor().kernels();
  for (const KernelInfo& info : kernels) {
    if (workload_.is_product && info.operation == "training on product chunks") return info.kernel;
  }
  return kernels.empty() ? "" : kernels.front().kernel;
}

nlohmann::ordered_json StepBench::record() {
  nlohmann::ordered_json record = {{"workload", workload_.name},
                                   {"precision", to_string(precision_)},
                                   {"batch", batch_},
                                   {"order", order_},
                                   {"threads", ours_.executor().n_threads()}};
  add_own_speed(record);
  add_rival(record);
  add_twins(record);
  record["memory_bytes"] = ours_.executor().memory_bytes();
  record["kernel"] = kernel();
  record["repeats"] = ours_.seconds().values.size();
  return record;
}

}  // namespace

int bench_step(const BenchOptions& options) {
  std::vector<nlohmann::ordered_json> records;
  bool all_agree = true;
  for (const std::string& workload : options.workloads) {
    for (const std::string& precision : options.precisions) {
      if (workload == kSceneWorkload || workload == kGanWorkload) {
        records.push_back(workload == kGanWorkload ? bench_gan_step(precision, options)
                                                   : bench_scene_step(precision, options));
        continue;
      }
      StepBench bench(find_workload(workload), precision_from_string(precision), options);
      bench.run(options.repeats);
      all_agree = all_agree && !bench.rival_disagrees();
      records.push_back(bench.record());
    }
  }
  print_records(records,
                {"workload",
                 "precision",
                 "batch",
                 "threads",
                 "seconds_per_step",
                 "samples_per_second",
                 "gflops",
                 "peak_gflops",
                 "share_of_peak",
                 "share_of_peak_best",
                 "copy_gigabytes_per_second",
                 "trunk_share_of_peak",
                 "other_share",
                 "generator_seconds",
                 "discriminator_update_seconds",
                 "picture_gradient_seconds",
                 "overhead_vs_plain",
                 "sine_vs_leaky_relu",
                 "bilinear_ratio",
                 "general_seconds_per_step",
                 "speedup_over_general",
                 "baseline",
                 "baseline_seconds_per_step",
                 "speedup_over_baseline"},
                options.json);
  return all_agree ? 0 : 1;
}

}  // namespace loe::app
