#include <algorithm>

#include "bench.h"
#include "bench_measure.h"
#include "bench_workload.h"
#include "loe/backend/peak.h"
#include "loe/task/image_task.h"

namespace loe::app {
namespace {

nlohmann::ordered_json decode_record(const Workload& workload, Precision precision, const BenchOptions& options) {
  const NetworkSpec spec = build_network(workload.network);
  const auto executor = compile_for(options, spec, precision);
  executor->set_params(initial_params(spec, 7));
  // Decoding is a forward pass: f32 unless everything is bf16.
  const PeakKind kind = precision == Precision::Bf16 ? PeakKind::Bf16 : PeakKind::F32;
  PeakMeter meter(executor->n_threads());

  const int size = std::min(options.size > 0 ? options.size : std::min(workload.width, 2048), workload.width);
  const Region window{(workload.width - size) / 2, (workload.height - size) / 2, size, size};
  float checksum = 0;
  const auto decode = [&] {
    decode_image(*executor, workload.width, workload.height, window, size, size,
                 [&](int, int, const float* values) { checksum += values[0]; });
  };
  decode();
  Series seconds;
  Series peak;
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    peak.add(meter.sample(kind));
    seconds.add(time_seconds(decode));
    peak.add(meter.sample(kind));
  }
  const double n_pixels = static_cast<double>(size) * size;
  const double floor = 2 * static_cast<double>(spec.macs_per_sample()) * n_pixels / (peak.median() * 1e9);
  return {{"workload", workload.name},
          {"precision", to_string(precision)},
          {"size", size},
          {"threads", executor->n_threads()},
          {"seconds", seconds.median()},
          {"seconds_min", seconds.min()},
          {"seconds_max", seconds.max()},
          {"pixels_per_second", n_pixels / seconds.median()},
          {"peak_gflops", peak.median()},
          {"floor_seconds", floor},
          {"ratio_to_floor", seconds.median() / floor},
          {"memory_bytes", executor->memory_bytes()},
          {"checksum", checksum},
          {"repeats", options.repeats}};
}

}  // namespace

int bench_decode(const BenchOptions& options) {
  std::vector<nlohmann::ordered_json> records;
  for (const std::string& workload : options.workloads) {
    for (const std::string& precision : options.precisions) {
      records.push_back(decode_record(find_workload(workload), precision_from_string(precision), options));
    }
  }
  print_records(records,
                {"workload", "precision", "size", "threads", "seconds", "pixels_per_second", "peak_gflops",
                 "floor_seconds", "ratio_to_floor"},
                options.json);
  return 0;
}

}  // namespace loe::app
