#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "bench.h"
#include "bench_measure.h"
#include "bench_peaks.h"
#include "bench_workload.h"
#include "loe/base/error.h"
#include "loe/task/image_task.h"
#include "loe/task/video_task.h"

namespace loe::app {
namespace {

/// Runs a network with a constant input as one whose caller supplies the constant as a feature: the same parameters and
/// the same arithmetic, sample by sample, because a backend cannot know that the features are all alike.
class FeatureTwin final : public Executor {
 public:
  FeatureTwin(const NetworkSpec& spec, std::unique_ptr<Executor> twin) : spec_(spec), twin_(std::move(twin)) {}
  static NetworkSpec spec_of(NetworkSpec spec) {
    spec.input = {.kind = InputKind::Features, .n_features = 1};
    return spec;
  }

  const NetworkSpec& spec() const override { return spec_; }
  int n_threads() const override { return twin_->n_threads(); }
  std::vector<KernelInfo> kernels() const override { return twin_->kernels(); }
  int64_t memory_bytes() const override { return twin_->memory_bytes(); }
  void set_params(std::span<const float> params) override { twin_->set_params(params); }
  void forward(const BatchView& batch, std::span<float> outputs) override {
    ones_.resize(batch.n_samples, 1.0F);
    twin_->forward({batch.n_samples, batch.coords, ones_}, outputs);
  }
  void backward(const BatchView&, std::span<const float>, std::span<float>, std::span<float>) override { refuse(); }
  double mse_gradients(const SampleSource&, std::span<float>) override { return refuse(); }
  double objective_gradients(const Objective&, std::span<float>) override { return refuse(); }
  double train_step(const Objective&, const AdamUpdate&, ParamSlice) override { return refuse(); }
  double train_step(const SampleSource&, const AdamUpdate&, ParamSlice) override { return refuse(); }

 private:
  static double refuse() { throw Error(ErrorKind::Unsupported, "[bench] twin: expected forward calls only"); }

  NetworkSpec spec_;
  std::unique_ptr<Executor> twin_;
  std::vector<float> ones_;
};

/// A square in the middle of the workload's picture, or of the middle frame of its video.
struct Window {
  const Workload& workload;
  Region region;

  Window(const Workload& of, int size)
      : workload(of), region{(of.width - size) / 2, (of.height - size) / 2, size, size} {}

  /// FNV-1a over the bits of all values: decoding is timed only where both ways agree in every bit.
  uint64_t decode(Executor& executor, bool with_hash) const {
    uint64_t hash = 0xcbf29ce484222325U;
    const int64_t row_size = int64_t{region.width} * executor.spec().n_out();
    const auto add_rows = [&](int n_rows, const float* values) {
      for (int64_t i = 0; with_hash && i < n_rows * row_size; ++i) {
        hash = (hash ^ std::bit_cast<uint32_t>(values[i])) * 0x100000001b3U;
      }
    };
    if (workload.n_frames > 1) {
      const int frame = workload.n_frames / 2;
      decode_video(executor, {workload.width, workload.height, workload.n_frames},
                   {region, region.width, region.height, static_cast<double>(frame), 1, 1},
                   [&](int, int, int n_rows, const float* values) { add_rows(n_rows, values); });
    } else {
      decode_image(executor, workload.width, workload.height, region, region.width, region.height,
                   [&](int, int n_rows, const float* values) { add_rows(n_rows, values); });
    }
    return hash;
  }
};

/// The network with a constant input computed sample by sample, or nullptr for other inputs.
std::unique_ptr<Executor> compile_twin(const BenchOptions& options, const NetworkSpec& spec, Precision precision) {
  if (spec.input.kind != InputKind::Constant) return nullptr;
  return std::make_unique<FeatureTwin>(spec, compile_for(options, FeatureTwin::spec_of(spec), precision));
}

nlohmann::ordered_json decode_record(const Workload& workload, Precision precision, const BenchOptions& options) {
  const NetworkSpec spec = build_network(workload.network);
  const std::vector<float> params = initial_params(spec, 7);
  const auto executor = compile_for(options, spec, precision);
  executor->set_params(params);
  // Decoding is a forward pass, which mixed does in f32.
  const Precision type = precision == Precision::Mixed ? Precision::F32 : precision;
  Peaks peaks(options.device, executor->n_threads());

  const int size = std::min(options.size > 0 ? options.size : std::min(workload.width, 2048), workload.width);
  const Window window(workload, size);
  const uint64_t hash = window.decode(*executor, true);
  const std::unique_ptr<Executor> twin = compile_twin(options, spec, precision);
  if (twin != nullptr) {
    twin->set_params(params);
    if (window.decode(*twin, true) != hash) {
      throw Error(ErrorKind::Unsupported, "[bench] decode: expected the same bits as sample by sample, got others");
    }
  }
  Series seconds;
  Series twin_seconds;
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    peaks.sample(type);
    seconds.add(time_seconds([&] { window.decode(*executor, false); }));
    peaks.sample(type);
    if (twin != nullptr) twin_seconds.add(time_seconds([&] { window.decode(*twin, false); }));
  }
  const double n_pixels = static_cast<double>(size) * size;
  nlohmann::ordered_json record = {{"workload", workload.name},
                                   {"precision", to_string(precision)},
                                   {"size", size},
                                   {"threads", executor->n_threads()},
                                   {"seconds", seconds.median()},
                                   {"seconds_min", seconds.min()},
                                   {"seconds_max", seconds.max()},
                                   {"pixels_per_second", n_pixels / seconds.median()},
                                   {"memory_bytes", executor->memory_bytes()},
                                   {"hash", fmt::format("{:016x}", hash)},
                                   {"repeats", options.repeats}};
  peaks.describe(spec, type, record);
  if (peaks.is_measured()) {
    const double peak = record["peak_gflops"];
    const double floor = 2 * static_cast<double>(spec.macs_per_sample()) * n_pixels / (peak * 1e9);
    record["floor_seconds"] = floor;
    record["ratio_to_floor"] = seconds.median() / floor;
  }
  if (workload.n_frames > 1) {
    record["frames_per_second"] = n_pixels / seconds.median() / (static_cast<double>(workload.width) * workload.height);
  }
  if (twin != nullptr) {
    record["sample_by_sample_seconds"] = twin_seconds.median();
    record["sample_by_sample_ratio"] = twin_seconds.median() / seconds.median();
  }
  return record;
}

}  // namespace

int bench_decode(const BenchOptions& options) {
  std::vector<nlohmann::ordered_json> records;
  for (const std::string& workload : options.workloads) {
    for (const std::string& precision : options.precisions) {
      records.push_back(decode_record(find_workload(workload), precision_from_string(precision), options));
    }
  }
  print_records(
      records,
      {"workload", "precision", "size", "threads", "seconds", "pixels_per_second", "frames_per_second", "peak_gflops",
       "floor_seconds", "ratio_to_floor", "sample_by_sample_seconds", "sample_by_sample_ratio"},
      options.json);
  return 0;
}

}  // namespace loe::app
