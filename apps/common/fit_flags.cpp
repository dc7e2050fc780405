#include "fit_flags.h"

#include <fmt/format.h>

#include "commands.h"
#include "loe/base/error.h"
#include "loe/io/config_file.h"
#include "parse.h"

namespace loe::app {
namespace {

constexpr int64_t kMaxParams = int64_t{1} << 33;

SettingValue value_of_flag(const SettingFlag& flag, const std::string& text) {
  switch (flag.form) {
    case SettingFlag::Form::Number:
      return number_or_text(text);
    case SettingFlag::Form::Decibel:
      return parse_decibel(flag.name, text);
    case SettingFlag::Form::Text:
      break;
  }
  return text;
}

bool is_given(const FitFlags& flags, const char* name) {
  const auto flag = flags.settings.find(name);
  return flag != flags.settings.end() && !flag->second.empty();
}

void check_resume_flags(const FitFlags& flags) {
  const struct {
    const char* name;
    bool is_given;
  } refused[] = {{"--preset", is_given(flags, "--preset")},
                 {"--config", !flags.config.empty()},
                 {"--params", !flags.params.empty()},
                 {"--out", !flags.out.empty()},
                 {"--name", is_given(flags, "--name")},
                 {"--force", flags.force},
                 {"--dry-run", flags.dry_run}};
  for (const auto& flag : refused) {
    if (flag.is_given) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[flags] {}: cannot go with --resume, which continues a run in its folder with its own "
                              "settings; leave one of them out",
                              flag.name));
    }
  }
}

}  // namespace

const std::vector<SettingFlag>& setting_flags() {
  using enum SettingFlag::Form;
  static const std::vector<SettingFlag> flags = {
      {"--task", "run.task", Text, "NAME", "image, video, scene (default: by the content of INPUT) or gan"},
      {"--preset", "preset", Text, "NAME",
       "auto (default), toy, pluto, video, hash_grid, nerf, gan: see `loe presets`"},
      {"--seed", "train.seed", Number, "N", "of weights and samples"},
      {"--device", "run.device", Text, "NAME", kDeviceNames},
      {"--threads", "run.threads", Number, "N", "0: all usable cores; never changes a result"},
      {"--precision", "train.precision", Text, "NAME",
       "f32 (default), mixed (f32 forward, bf16 backward), bf16, auto (mixed where that is faster); tf32 on GPUs"},
      {"--batch-size", "data.batch_size", Number, "N", "pixels per step, rays of a scene, pictures of a gan"},
      {"--learning-rate", "train.learning_rate", Number, "X", "at the start of the schedule"},
      {"--max-steps", "train.max_steps", Number, "N", "stop after so many steps"},
      {"--max-seconds", "train.max_seconds", Number, "S", "stop after so much training; preset auto plans for it"},
      {"--until", "train.until_psnr_db", Decibel, "PSNR", "stop when the whole signal reaches this PSNR, 40dB"},
      {"--steps-per-log", "train.steps_per_log", Number, "N", "0: twice a second"},
      {"--steps-per-save", "train.steps_per_save", Number, "N", "checkpoints; 0: once a minute, later less often"},
      {"--steps-per-eval", "train.steps_per_eval", Number, "N",
       "PSNR of the whole signal and a preview; 0: at the end"},
      {"--name", "run.name", Text, "NAME", "start of the run folder's name (default: the input's)"}};
  return flags;
}

FitRequest request_of(const FitFlags& flags) {
  if (!flags.input.empty() && !flags.data.empty() && flags.input != flags.data) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] expected one input, got INPUT '{}' and --data '{}'", flags.input, flags.data));
  }
  if (!flags.resume.empty()) check_resume_flags(flags);
  FitRequest request;
  request.data = flags.input.empty() ? flags.data : flags.input;
  request.resume = flags.resume;
  request.settings = flags.base;
  for (const std::string& path : flags.config) request.settings.merge(read_config(path));
  for (const std::string& assignment : flags.set) apply_override(request.settings, assignment);
  for (const SettingFlag& flag : setting_flags()) {
    if (is_given(flags, flag.name)) {
      request.settings.set(flag.key, value_of_flag(flag, flags.settings.at(flag.name)), flag.name);
    }
  }
  if (!flags.params.empty()) request.n_params = parse_count("--params", flags.params, 1, kMaxParams);
  if (flags.model != "best") request.family = AutoFamily::Experts;
  return request;
}

}  // namespace loe::app
