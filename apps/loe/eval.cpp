// `loe eval`: how close a model is to its picture, video or scene.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "commands.h"
#include "fit_session.h"
#include "fitting/facts_json.h"
#include "gan_fid.h"
#include "gan_report.h"
#include "loe/base/error.h"
#include "loe/fitting/fit_signal.h"
#include "loe/fitting/machine.h"
#include "loe/fitting/model_source.h"
#include "loe/io/config_file.h"
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
  bool views = false;
  bool quiet = false;
  std::string samples;
  std::string seed;
  FidFlags fid;
};

void check_match(const ModelSource& source, const FitSignal& signal, const std::string& data) {
  // Any photos of the scene will do, of any size and lens: their cameras are brought into the model's coordinates. And
  // a generator makes pictures of any size.
  if (signal.kind() == SignalKind::Scene || signal.kind() == SignalKind::Gan) return;
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

void print_fidelity(const Fidelity& fidelity, SignalKind kind) {
  const char* mean = kind == SignalKind::Scene ? "  (mean of the views, as SSIM)" : "";
  fmt::print("PSNR            {:.3f} dB{}\n", fidelity.psnr_db, mean);
  fmt::print("SSIM            {}  (7x7 uniform window)\n", format_measure(fidelity.ssim, 5));
  fmt::print("SSIM Gaussian   {}  (11x11 Gaussian window)\n", format_measure(fidelity.ssim_gaussian, 5));
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
    fmt::print("{:>5}  {:>8.3f}  {}\n", t, frames["psnr_db"][t].get<double>(),
               format_measure(frames["ssim"][t].get<double>(), 5));
  }
}

void print_views(const Json& views, bool all) {
  const std::vector<double> psnr = views["psnr_db"].get<std::vector<double>>();
  const auto name = [&](std::size_t i) { return views["name"][i].get<std::string>(); };
  const auto [worst, best] = std::minmax_element(psnr.begin(), psnr.end());
  fmt::print("views           {}, worst {:.3f} dB ({}), best {:.3f} dB ({})\n", psnr.size(), *worst,
             name(static_cast<std::size_t>(worst - psnr.begin())), *best,
             name(static_cast<std::size_t>(best - psnr.begin())));
  if (!all) return;
  fmt::print("    PSNR     SSIM  view\n");
  for (std::size_t i = 0; i < psnr.size(); ++i) {
    fmt::print("{:>8.3f}  {}  {}\n", psnr[i], format_measure(views["ssim"][i].get<double>(), 5), name(i));
  }
}

void refuse_other_tasks(const EvalFlags& flags, const FitSignal& signal) {
  const auto refuse = [&](bool is_given, const char* flag, SignalKind right, const char* what) {
    if (!is_given || signal.kind() == right) return;
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[flags] {}: is for models of {}s, got one of a {}; leave it out", flag, what, signal.noun()));
  };
  refuse(flags.frames, "--frames", SignalKind::Video, "video");
  refuse(flags.views, "--views", SignalKind::Scene, "scene");
  const FidFlags& fid = flags.fid;
  refuse(!fid.network.empty(), "--fid-network", SignalKind::Gan, "set of pictures");
  refuse(!flags.samples.empty(), "--samples", SignalKind::Gan, "set of pictures");
  refuse(!flags.seed.empty(), "--seed", SignalKind::Gan, "set of pictures");
  for (const auto& [name, text] : {std::pair{"--fid-statistics", fid.statistics}, std::pair{"--fid-size", fid.size},
                                   std::pair{"--fid-resize", fid.resize}, std::pair{"--fid-range", fid.range},
                                   std::pair{"--fid-layer", fid.layer}}) {
    if (text.empty() || !fid.network.empty()) continue;
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] {}: goes with --fid-network, the ONNX file; give that too", name));
  }
}

/// What --samples and --seed say over the run's own config.
void configure_generator(const EvalFlags& flags, const ModelSource& source, GanSettings& settings, uint64_t& seed) {
  if (!source.run_path.empty()) {
    const Settings config = read_config(source.run_path + "/config.toml");
    settings = gan_settings_from(config);
    seed = static_cast<uint64_t>(config.get_int("train.seed", 0, 0, std::numeric_limits<int64_t>::max()));
  }
  if (!flags.samples.empty()) {
    settings.n_evaluated = static_cast<int>(parse_int("--samples", flags.samples, 16, 1 << 24));
  }
  if (!flags.seed.empty()) {
    seed = static_cast<uint64_t>(parse_int("--seed", flags.seed, 0, std::numeric_limits<int64_t>::max()));
  }
}

/// Of a generator: the distances, and FID if there is a network for it.
Evaluation evaluate_generator(const EvalFlags& flags, const ModelSource& source, const FitSignal& signal,
                              ModelExecutor& model, Reporter& reporter) {
  GanSettings settings;
  uint64_t seed = 0;
  configure_generator(flags, source, settings, seed);
  const PictureSet& pictures = *signal.pictures();
  Evaluation evaluation;
  evaluation.more =
      facts_of(evaluate_gan(model.main(), pictures, settings, seed, flags.device, model.main().n_threads(),
                            [&](double share) { reporter.job("evaluating", share); }));
  if (!flags.fid.network.empty()) {
    evaluation.more.set({"distances.fid", measure_fid(flags.fid, model.main(), pictures, settings.n_evaluated, seed,
                                                      [&](double share) { reporter.job("measuring FID", share); })});
  }
  return evaluation;
}

int eval(const EvalFlags& flags) {
  const Precision precision = precision_from_string(flags.precision);
  const int threads = flags.threads.empty() ? 0 : static_cast<int>(parse_int("--threads", flags.threads, 0, 1024));
  backend_of_flag(flags.device);
  Reporter reporter(progress_mode(flags.progress), flags.quiet ? Verbosity::Quiet : Verbosity::Normal);
  const ModelSource source = open_model(flags.source);
  const std::string data = flags.data.empty() ? data_of_run(source) : flags.data;
  const std::unique_ptr<FitSignal> signal = read_data_of_run(source, data, flags.data.empty(), events_of(reporter));
  check_match(source, *signal, data);
  refuse_other_tasks(flags, *signal);
  ModelExecutor model = compile_to_look(flags.device, source.model, precision, threads);
  const Evaluation evaluation = signal->kind() == SignalKind::Gan
                                    ? evaluate_generator(flags, source, *signal, model, reporter)
                                    : signal->evaluate(model, [&](double share) { reporter.job("evaluating", share); });
  reporter.end_line();
  const Json more = to_json(evaluation.more);
  const ModelSpec& spec = source.model.spec;
  if (flags.json) {
    Json result = to_json(Evaluation{evaluation.fidelity, {}}.all());
    result.update({{"n_params", spec.n_params()}, {"macs_per_sample", spec.macs_per_sample()}});
    result.update(to_json(signal->shape()));
    result["precision"] = to_string(precision);
    result["device"] = backend_of_flag(flags.device).name();
    result["threads"] = model.main().n_threads();
    result["model"] = source.model_path;
    result[signal->noun()] = data;
    result.update(more);
    std::puts(json_text(result, -1).c_str());
    return 0;
  }
  fmt::print("model           {}\n", source.model_path);
  fmt::print("{:<15} {}  ({})\n", signal->noun(), data, signal->describe());
  if (evaluation.fidelity) print_fidelity(*evaluation.fidelity, signal->kind());
  if (more.contains("distances")) print_distances(more);
  fmt::print("parameters      {}\n", format_integer(spec.n_params()));
  fmt::print("{:<15} {}\n", fmt::format("MACs per {}", signal->sample_noun()), format_integer(spec.macs_per_sample()));
  if (more.contains("frames")) print_frames(more, flags.frames);
  if (more.contains("views")) print_views(more["views"], flags.views);
  return 0;
}

}  // namespace

void add_eval_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand(
      "eval", "PSNR and SSIM of a model against its picture, video or scene; distances of a generator's pictures");
  auto flags = std::make_shared<EvalFlags>();
  command->add_option("RUN", flags->source, "a run folder, model.safetensors, or a run's checkpoint")->required();
  command->add_option("--data", flags->data, "the picture, video or scene (default: the run's own)")->type_name("PATH");
  command->add_flag("--frames", flags->frames, "of a video: a line per frame");
  command->add_flag("--views", flags->views, "of a scene: a line per view");
  const std::string group = "Of a generator";
  const auto add = [&](const char* name, std::string& value, const char* help, const char* type) {
    command->add_option(name, value, help)->type_name(type)->group(group);
  };
  add("--samples", flags->samples, "pictures to generate (default: the run's train.n_evaluated)", "N");
  add("--seed", flags->seed, "of the latents (default: the run's)", "N");
  add("--fid-network", flags->fid.network, "ONNX file of Inception v3 with pooled features: prints FID", "FILE");
  add("--fid-statistics", flags->fid.statistics, "keeps the data's share of FID; made if it is not there", "FILE");
  add("--fid-size", flags->fid.size, "side of the network's input (default 299)", "N");
  add("--fid-resize", flags->fid.resize, "bilinear (default), bilinear_corner (TensorFlow 1)", "NAME");
  add("--fid-range", flags->fid.range, "the network's input for black and white (default -1,1)", "LOW,HIGH");
  add("--fid-layer", flags->fid.layer, "layer to read (default: the last)", "NAME");
  command->add_option("--device", flags->device, kDeviceNames)->type_name("NAME")->capture_default_str();
  command->add_option("--threads", flags->threads, "0: all usable cores")->type_name("N");
  command->add_option("--precision", flags->precision, "f32, bf16")->type_name("NAME")->capture_default_str();
  command->add_option("--progress", flags->progress, "auto, plain, none")->type_name("MODE")->capture_default_str();
  command->add_flag("--json", flags->json, "print one line of JSON");
  command->add_flag("-q,--quiet", flags->quiet, "no progress");
  command->callback([flags, &invocation] { invocation.run = [flags] { return eval(*flags); }; });
}

}  // namespace loe::app
