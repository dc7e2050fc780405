// `loe eval`: how close a model is to its picture.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "loe/base/error.h"
#include "loe/io/image_file.h"
#include "loe/task/image_task.h"
#include "machine.h"
#include "model_source.h"
#include "parse.h"
#include "progress.h"

namespace loe::app {
namespace {

struct EvalFlags {
  std::string source;
  std::string data;
  std::string device = "auto";
  std::string threads;
  std::string precision = "f32";
  std::string progress = "auto";
  bool json = false;
  bool quiet = false;
};

void check_match(const ModelSource& source, const Image& image, const std::string& data) {
  const SignalInfo& signal = source.model.signal;
  const int n_channels = source.model.network.n_out();
  if (signal.width == image.width() && signal.height == image.height() && n_channels == image.n_channels()) return;
  throw Error(
      ErrorKind::InvalidArgument,
      fmt::format("[eval] {}: expected the picture of this model, {} x {} with {} channels, got {} x {} with "
                  "{}; name the right one with --data",
                  data, signal.width, signal.height, n_channels, image.width(), image.height(), image.n_channels()));
}

int eval(const EvalFlags& flags) {
  const Precision precision = precision_from_string(flags.precision);
  const int threads = flags.threads.empty() ? 0 : static_cast<int>(parse_int("--threads", flags.threads, 0, 1024));
  backend_of_flag(flags.device);
  Reporter reporter(progress_mode(flags.progress), flags.quiet ? Verbosity::Quiet : Verbosity::Normal);
  const ModelSource source = open_model(flags.source);
  const std::string data = flags.data.empty() ? picture_of_run(source) : flags.data;
  const Image image = read_picture_of_run(source, data, flags.data.empty());
  check_match(source, image, data);
  const std::unique_ptr<Executor> executor = compile(flags.device, source.model.network, precision, threads);
  executor->set_params(source.model.params);
  const ImageEvaluation evaluation =
      evaluate_image(*executor, image, [&](int first_row, int n_rows, const float*, const float*) {
        reporter.job("evaluating", static_cast<double>(first_row + n_rows) / image.height());
      });
  reporter.end_line();
  const NetworkSpec& network = source.model.network;
  if (flags.json) {
    const nlohmann::ordered_json result = {{"psnr_db", evaluation.psnr_db},
                                           {"ssim", evaluation.ssim},
                                           {"ssim_gaussian", evaluation.ssim_gaussian},
                                           {"n_params", network.n_params()},
                                           {"macs_per_sample", network.macs_per_sample()},
                                           {"width", image.width()},
                                           {"height", image.height()},
                                           {"channels", image.n_channels()},
                                           {"precision", to_string(precision)},
                                           {"device", flags.device},
                                           {"threads", executor->n_threads()},
                                           {"model", source.model_path},
                                           {"picture", data}};
    std::puts(result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
    return 0;
  }
  fmt::print("model           {}\n", source.model_path);
  fmt::print("picture         {}  ({} x {}, {} channels)\n", data, image.width(), image.height(), image.n_channels());
  fmt::print("PSNR            {:.3f} dB\n", evaluation.psnr_db);
  fmt::print("SSIM            {:.5f}  (7x7 uniform window)\n", evaluation.ssim);
  fmt::print("SSIM Gaussian   {:.5f}  (11x11 Gaussian window)\n", evaluation.ssim_gaussian);
  fmt::print("parameters      {}\n", format_integer(network.n_params()));
  fmt::print("MACs per pixel  {}\n", format_integer(network.macs_per_sample()));
  return 0;
}

}  // namespace

void add_eval_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("eval", "PSNR and SSIM of a model against its picture");
  auto flags = std::make_shared<EvalFlags>();
  command->add_option("RUN", flags->source, "a run folder, model.safetensors, or a run's checkpoint")->required();
  command->add_option("--data", flags->data, "the picture (default: the run's own)")->type_name("PICTURE");
  command->add_option("--device", flags->device, "auto, cpu, reference")->type_name("NAME")->capture_default_str();
  command->add_option("--threads", flags->threads, "0: all usable cores")->type_name("N");
  command->add_option("--precision", flags->precision, "f32, bf16")->type_name("NAME")->capture_default_str();
  command->add_option("--progress", flags->progress, "auto, plain, none")->type_name("MODE")->capture_default_str();
  command->add_flag("--json", flags->json, "print one line of JSON");
  command->add_flag("-q,--quiet", flags->quiet, "no progress");
  command->callback([flags, &invocation] { invocation.run = [flags] { return eval(*flags); }; });
}

}  // namespace loe::app
