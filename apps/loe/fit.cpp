// `loe fit`: a picture, video or scene in, a trained network and everything about its training out.
#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "fit_flags.h"
#include "fit_session.h"
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
  command.add_option("--config", flags.config, "settings as TOML, a run's config.toml works too; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command.add_option("--set", flags.set, "one setting, key=value; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--params", flags.params, "preset auto: at most this many parameters, 250k, 9.4M")->type_name("N");
  command
      .add_option("--model", flags.model,
                  "preset auto: best, with a grid of features where that gains, or experts, the paper's network alone")
      ->check(CLI::IsMember({"best", "experts"}))
      ->default_str("best");
  for (const SettingFlag& flag : setting_flags()) {
    const std::string name = flag.name;
    command
        .add_option_function<std::string>(
            name, [&flags, name](const std::string& text) { flags.settings[name] = text; }, flag.help)
        ->type_name(flag.type_name);
  }
}

void add_run_flags(CLI::App& command, FitFlags& flags) {
  command.add_option("--out", flags.out, "run folder (default runs/NAME-DATE-TIME)")->type_name("FOLDER");
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
  FitJob job = resolve_fit(request_of(flags), events_of(reporter));
  return flags.dry_run ? dry_run(job, flags, reporter) : run_and_report(job, flags, reporter);
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
