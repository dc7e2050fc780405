// `loe fit`: a picture, video or scene in, a trained network and everything about its training out.
#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "fit_session.h"
#include "fit_settings.h"
#include "loe/base/error.h"
#include "progress.h"

namespace loe::app {
namespace {

void add_setting_flags(CLI::App& command, FitFlags& flags) {
  command.add_option(
      "INPUT", flags.input,
      "a picture (PNG, JPEG, TIFF, EXR, HDR, WebP), a video (any container, folder of frames, .y4m, .npy) or a scene "
      "of posed photos (NeRF synthetic, transforms.json, NSVF, LLFF, COLMAP); with --task gan a folder of pictures");
  command.add_option("--data", flags.data, "the same as INPUT")->type_name("PATH");
  command.add_option("--task", flags.task, "image, video, scene (default: by the content of INPUT) or gan")
      ->type_name("NAME");
  command.add_option("--config", flags.config, "settings as TOML, a run's config.toml works too; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command
      .add_option("--preset", flags.preset,
                  "auto (default), toy, pluto, video, hash_grid, nerf, gan: see `loe presets`")
      ->type_name("NAME");
  command.add_option("--set", flags.set, "one setting, key=value; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--params", flags.params, "preset auto: at most this many parameters, 250k, 9.4M")->type_name("N");
  command
      .add_option("--model", flags.model,
                  "preset auto: best, with a grid of features where that gains, or experts, the paper's network alone")
      ->check(CLI::IsMember({"best", "experts"}))
      ->default_str("best");
  command.add_option("--seed", flags.seed, "of weights and samples")->type_name("N");
  command.add_option("--device", flags.device, kDeviceNames)->type_name("NAME");
  command.add_option("--threads", flags.threads, "0: all usable cores; never changes a result")->type_name("N");
  command.add_option("--precision", flags.precision, "f32, mixed (f32 forward, bf16 backward), bf16; tf32 on GPUs")
      ->type_name("NAME");
  command.add_option("--batch-size", flags.batch_size, "pixels per step, rays of a scene, pictures of a gan")
      ->type_name("N");
  command.add_option("--learning-rate", flags.learning_rate, "at the start of the schedule")->type_name("X");
}

void add_run_flags(CLI::App& command, FitFlags& flags) {
  command.add_option("--max-steps", flags.max_steps, "stop after so many steps")->type_name("N");
  command.add_option("--max-seconds", flags.max_seconds, "stop after so much training; preset auto plans for it")
      ->type_name("S");
  command.add_option("--until", flags.until, "stop when the whole signal reaches this PSNR, 40dB")->type_name("PSNR");
  command.add_option("--steps-per-log", flags.steps_per_log, "0: twice a second")->type_name("N");
  command.add_option("--steps-per-save", flags.steps_per_save, "checkpoints; 0: once a minute, later less often")
      ->type_name("N");
  command.add_option("--steps-per-eval", flags.steps_per_eval, "PSNR of the whole signal and a preview; 0: at the end")
      ->type_name("N");
  command.add_option("--out", flags.out, "run folder (default runs/NAME-DATE-TIME)")->type_name("FOLDER");
  command.add_option("--name", flags.name, "start of the run folder's name (default: the input's)")->type_name("NAME");
  command.add_flag("--force", flags.force, "reuse --out; what is in it moves to its folder previous-N");
  command.add_option("--resume", flags.resume, "continue the run in this folder from its last checkpoint")
      ->type_name("RUN");
  command.add_flag("--dry-run", flags.dry_run, "print size, memory and time, write nothing");
  command.add_option("--progress", flags.progress, "auto, plain, json (lines on stdout), none")
      ->type_name("MODE")
      ->capture_default_str();
  command.add_flag("--json", flags.json, "print the result as one line of JSON");
  command.add_flag("-q,--quiet", flags.quiet, "print errors only (and --json's result)");
  command.add_flag("-v,--verbose", flags.verbose, "print kernels, evaluations, saves");
}

int fit(FitFlags flags) {
  if (flags.quiet && flags.verbose) {
    throw Error(ErrorKind::InvalidArgument, "[flags] expected at most one of -q and -v, got both");
  }
  if (flags.force && flags.out.empty() && flags.resume.empty()) {
    throw Error(ErrorKind::InvalidArgument, "[flags] --force: expected --out with the folder to reuse, got none");
  }
  const Verbosity verbosity = flags.quiet ? Verbosity::Quiet : flags.verbose ? Verbosity::Verbose : Verbosity::Normal;
  Reporter reporter(progress_mode(flags.progress), verbosity);
  flags.json = flags.json || reporter.mode() == ProgressMode::Json;  // stdout is JSON lines from first to last
  FitJob job = resolve_fit(flags, reporter);
  return flags.dry_run ? dry_run_fit(job, flags, reporter) : run_fit(job, flags, reporter);
}

}  // namespace

void add_fit_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      app.add_subcommand("fit", "fit a network to a picture, video or scene, or train a generator of pictures");
  auto flags = std::make_shared<FitFlags>();
  add_setting_flags(*command, *flags);
  add_run_flags(*command, *flags);
  command->footer(
      "Settings, later ones win: built-in default, preset, --config, --set, dedicated flag.\n"
      "Ctrl-C finishes the step, saves and exits with 130; --resume goes on from there.");
  command->callback([flags, &invocation] { invocation.run = [flags] { return fit(*flags); }; });
}

}  // namespace loe::app
