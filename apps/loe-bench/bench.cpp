#include "bench.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench_measure.h"
#include "bench_quality.h"
#include "bench_workload.h"
#include "commands.h"
#include "loe/backend/peak.h"
#include "loe/fitting/machine.h"
#include "quality_methods.h"

namespace loe::app {
namespace {

using Command = int (*)(const BenchOptions&);

CLI::App* add_command(CLI::App& bench, Invocation& invocation, const std::shared_ptr<BenchOptions>& options,
                      const char* name, const char* help, Command command) {
  CLI::App* app = bench.add_subcommand(name, help);
  app->add_option("--threads", options->threads, "Threads; 0: all usable cores")->check(CLI::Range(0, 1024));
  app->callback([options, command, &invocation] { invocation.run = [options, command] { return command(*options); }; });
  return app;
}

void add_measure_options(CLI::App& app, const std::shared_ptr<BenchOptions>& options) {
  app.add_option("--repeats", options->repeats, "Measurements of each kind; the median counts")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_flag("--json", options->json, "One JSON object per line");
}

/// Of the workloads that are networks over a lattice, and of steps also the scene's and the generator's.
void add_network_options(CLI::App& app, const std::shared_ptr<BenchOptions>& options, bool for_steps = false) {
  std::vector<std::string> names = workload_names();
  if (for_steps) names.insert(names.end(), {kSceneWorkload, kGanWorkload});
  app.add_option("--workload", options->workloads, fmt::format("{}, separated by commas", fmt::join(names, ", ")))
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  app.add_option("--isa", options->isa, "Instruction set, as `loe info` names them; default: the best");
  app.add_option("--device", options->device, "Backend that is measured")->capture_default_str();
}

void add_precision_option(CLI::App& app, const std::shared_ptr<BenchOptions>& options) {
  app.add_option("--precision", options->precisions, "f32, bf16, mixed, tf32 (GPUs), separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember({"f32", "bf16", "mixed", "tf32"}))
      ->capture_default_str();
}

void add_batch_option(CLI::App& app, const std::shared_ptr<BenchOptions>& options) {
  app.add_option("--batch", options->batch,
                 "Samples per step; 0: the workload's own (toy: every pixel of 512x512; nerf: 1024 rays; gan: 16 "
                 "pictures of 64x64; others: 65536 random pixels)")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
}

void add_quality_command(CLI::App& bench, Invocation& invocation) {
  const auto options = std::make_shared<QualityOptions>();
  CLI::App* app = bench.add_subcommand(
      "quality", "PSNR against seconds and parameters: one picture by several methods, one after another");
  app->add_option("INPUT", options->input, "a picture")->required();
  std::vector<std::string> names;
  for (const QualityMethod& method : quality_methods()) names.emplace_back(method.key);
  options->methods = names;
  app->add_option("--methods", options->methods, fmt::format("{}, separated by commas", fmt::join(names, ", ")))
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->default_str("all");
  app->add_option("--params", options->params,
                  "Parameters at most, 108k, several separated by commas; default: what the preset auto takes")
      ->delimiter(',')
      ->type_name("LIST");
  app->add_option("--seconds", options->seconds, "Seconds of training, several separated by commas: a run for each")
      ->delimiter(',')
      ->check(CLI::Range(0.01, 1e6))
      ->type_name("LIST")
      ->capture_default_str();
  app->add_option("--threads", options->threads, "Threads; 0: all usable cores")->check(CLI::Range(0, 1024));
  app->add_option("--seeds", options->n_seeds, "Runs of each kind, seeds 0 to N-1")->check(CLI::Range(1, 1000));
  app->add_option("--moments", options->n_moments, "Evaluations of a run on the way, not counted as time")
      ->check(CLI::Range(0, 60))
      ->capture_default_str();
  app->add_option("--rivals", options->rivals, "File of runs made elsewhere (bench/peer/quality_peer.py), shown too");
  app->add_option("--out", options->out, "Folder for quality.json, index.html and curves as SVG");
  app->add_flag("--json", options->json, "One JSON object per line");
  app->callback([options, &invocation] { invocation.run = [options] { return bench_quality(*options); }; });
}

}  // namespace

std::unique_ptr<Executor> compile_for(const BenchOptions& options, const NetworkSpec& spec, Precision precision,
                                      int max_group) {
  const std::string isa = options.isa.empty() ? forced_isa() : options.isa;
  return backend_of_flag(options.device).compile(spec, {precision, options.threads, isa, max_group});
}

int bench_peak(const BenchOptions& options) {
  PeakMeter meter(options.threads);
  std::vector<nlohmann::ordered_json> records;
  for (PeakKind kind : {PeakKind::F32, PeakKind::Bf16}) {
    Series gflops;
    for (int i = 0; i < options.repeats; ++i) {
      gflops.add(meter.sample(kind));
    }
    records.push_back({{"kind", kind == PeakKind::F32 ? "f32" : "bf16"},
                       {"kernel", meter.kernel(kind)},
                       {"threads", meter.n_threads()},
                       {"gflops", gflops.median()},
                       {"gflops_min", gflops.min()},
                       {"gflops_max", gflops.max()}});
  }
  print_records(records, {"kind", "kernel", "threads", "gflops", "gflops_min", "gflops_max"}, options.json);
  return 0;
}

void add_bench_command(CLI::App& app, Invocation& invocation) {
  CLI::App* bench = app.add_subcommand("bench", "Speed, against this machine's own measured peak and against rivals");
  bench->require_subcommand(1);

  const auto peak = std::make_shared<BenchOptions>();
  add_measure_options(
      *add_command(*bench, invocation, peak, "peak", "Peak rates of this machine's arithmetic units", bench_peak),
      peak);

  const auto step = std::make_shared<BenchOptions>();
  CLI::App* step_app =
      add_command(*bench, invocation, step, "step", "Seconds per training step, share of the peak, rivals", bench_step);
  add_measure_options(*step_app, step);
  add_network_options(*step_app, step, true);
  add_precision_option(*step_app, step);
  add_batch_option(*step_app, step);
  step_app->add_flag("!--no-rivals", step->rivals, "Skip the rivals");
  step_app->add_flag("!--no-plain", step->plain, "Skip the plain twin (one expert a layer)");
  step_app->add_flag("--bilinear", step->bilinear, "Measure the bilinear (video: trilinear) twin too");
  step_app->add_option("--order", step->order, "Order of the samples in a batch: morton, raster, random (as drawn)")
      ->check(CLI::IsMember({"morton", "raster", "random"}))
      ->capture_default_str();

  const auto decode = std::make_shared<BenchOptions>();
  CLI::App* decode_app = add_command(*bench, invocation, decode, "decode",
                                     "Seconds to decode a window, against the arithmetic", bench_decode);
  add_measure_options(*decode_app, decode);
  add_network_options(*decode_app, decode);
  add_precision_option(*decode_app, decode);
  decode_app
      ->add_option("--size", decode->size,
                   "Side of the window in pixels; 0: 512 of 512 (toy; video: of one frame), 2048 of 8192 (pluto)")
      ->check(CLI::Range(0, 8192));

  const auto dump = std::make_shared<BenchOptions>();
  dump->workloads = {"toy"};
  CLI::App* dump_app =
      add_command(*bench, invocation, dump, "dump",
                  "Write parameters, samples, loss and gradient (f32) for a rival outside", bench_dump);
  add_network_options(*dump_app, dump);
  add_batch_option(*dump_app, dump);
  dump_app->add_option("--out,-o", dump->out, "File to write (.safetensors)")->required();

  add_quality_command(*bench, invocation);
}

}  // namespace loe::app
