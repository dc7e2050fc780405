// `loe eval`: how close a model is to its picture or video.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "fit_signal.h"
#include "loe/base/error.h"
#include "machine.h"
#include "model_source.h"
#include "parse.h"
#include "progress.h"

namespace loe::app {
namespace {

using Json = nlohmann::ordered_json;

struct EvalFlags {
  std::string source;
  std::string data;
  std::string device = "auto";
  std::string threads;
  std::string precision = "f32";
  std::string progress = "auto";
  bool json = false;
  bool frames = false;
  bool quiet = false;
};

void check_match(const ModelSource& source, const FitSignal& signal, const std::string& data) {
  const SignalInfo& expected = source.model.signal;
  const SignalInfo found = signal.info();
  const int n_channels = source.model.spec.main().n_out();
  if (expected.width == found.width && expected.height == found.height && expected.n_frames == found.n_frames &&
      n_channels == signal.n_channels()) {
    return;
  }
  const std::string frames = expected.n_frames > 0 ? fmt::format(", {} frames", expected.n_frames) : "";
  throw Error(
      ErrorKind::InvalidArgument,
      fmt::format("[eval] {}: expected the {} of this model, {} x {}{} with {} channels, got {}; name the right "
                  "one with --data",
                  data, signal.noun(), expected.width, expected.height, frames, n_channels, signal.describe()));
}

void print_frames(const Json& more, bool all) {
  const auto number = [&](const char* key) { return more[key].get<double>(); };
  fmt::print("frames          mean PSNR {:.3f} dB, worst {:.3f} dB (frame {}), best {:.3f} dB (frame {})\n",
             number("psnr_frame_db"), number("worst_frame_psnr_db"), more["worst_frame"].get<int>(),
             number("best_frame_psnr_db"), more["best_frame"].get<int>());
  if (!all) return;
  const Json& frames = more["frames"];
  fmt::print("frame      PSNR     SSIM\n");
  for (std::size_t t = 0; t < frames["psnr_db"].size(); ++t) {
    fmt::print("{:>5}  {:>8.3f}  {:.5f}\n", t, frames["psnr_db"][t].get<double>(), frames["ssim"][t].get<double>());
  }
}

int eval(const EvalFlags& flags) {
  const Precision precision = precision_from_string(flags.precision);
  const int threads = flags.threads.empty() ? 0 : static_cast<int>(parse_int("--threads", flags.threads, 0, 1024));
  backend_of_flag(flags.device);
  Reporter reporter(progress_mode(flags.progress), flags.quiet ? Verbosity::Quiet : Verbosity::Normal);
  const ModelSource source = open_model(flags.source);
  const std::string data = flags.data.empty() ? data_of_run(source) : flags.data;
  const std::unique_ptr<FitSignal> signal =
      read_data_of_run(source, data, flags.data.empty(), [&](const std::string& text) { reporter.warning(text); });
  check_match(source, *signal, data);
  ModelExecutor model = compile(flags.device, source.model.spec, precision, threads);
  model.set_params(source.model.params);
  const Evaluation evaluation = signal->evaluate(model, [&](double share) { reporter.job("evaluating", share); });
  reporter.end_line();
  const ModelSpec& spec = source.model.spec;
  if (flags.json) {
    Json result = {{"psnr_db", evaluation.psnr_db},
                   {"ssim", evaluation.ssim},
                   {"ssim_gaussian", evaluation.ssim_gaussian},
                   {"n_params", spec.n_params()},
                   {"macs_per_sample", spec.macs_per_sample()}};
    result.update(signal->shape());
    result["precision"] = to_string(precision);
    result["device"] = flags.device;
    result["threads"] = model.main().n_threads();
    result["model"] = source.model_path;
    result[signal->noun()] = data;
    result.update(evaluation.more);
    std::puts(result.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    return 0;
  }
  fmt::print("model           {}\n", source.model_path);
  fmt::print("{:<15} {}  ({})\n", signal->noun(), data, signal->describe());
  fmt::print("PSNR            {:.3f} dB\n", evaluation.psnr_db);
  fmt::print("SSIM            {:.5f}  (7x7 uniform window)\n", evaluation.ssim);
  fmt::print("SSIM Gaussian   {:.5f}  (11x11 Gaussian window)\n", evaluation.ssim_gaussian);
  fmt::print("parameters      {}\n", format_integer(spec.n_params()));
  fmt::print("MACs per pixel  {}\n", format_integer(spec.macs_per_sample()));
  if (evaluation.more.contains("frames")) print_frames(evaluation.more, flags.frames);
  return 0;
}

}  // namespace

void add_eval_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("eval", "PSNR and SSIM of a model against its picture or video");
  auto flags = std::make_shared<EvalFlags>();
  command->add_option("RUN", flags->source, "a run folder, model.safetensors, or a run's checkpoint")->required();
  command->add_option("--data", flags->data, "the picture or video (default: the run's own)")->type_name("PATH");
  command->add_flag("--frames", flags->frames, "of a video: a line per frame");
  command->add_option("--device", flags->device, "auto, cpu, reference")->type_name("NAME")->capture_default_str();
  command->add_option("--threads", flags->threads, "0: all usable cores")->type_name("N");
  command->add_option("--precision", flags->precision, "f32, bf16")->type_name("NAME")->capture_default_str();
  command->add_option("--progress", flags->progress, "auto, plain, none")->type_name("MODE")->capture_default_str();
  command->add_flag("--json", flags->json, "print one line of JSON");
  command->add_flag("-q,--quiet", flags->quiet, "no progress");
  command->callback([flags, &invocation] { invocation.run = [flags] { return eval(*flags); }; });
}

}  // namespace loe::app
