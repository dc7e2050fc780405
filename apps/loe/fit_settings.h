// From the flags of `loe fit` to a resolved job: built-in default < preset < --config < --set < dedicated flag.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fit_signal.h"
#include "loe/base/setting_table.h"
#include "loe/base/settings.h"
#include "loe/task/fit_config.h"
#include "progress.h"

namespace loe::app {

/// A flag that is short for one setting, whose table checks the value.
struct SettingFlag {
  enum class Form { Text, Number, Decibel };
  const char* name;
  const char* key;
  Form form;
  const char* type_name;  ///< for --help
  const char* help;
};
const std::vector<SettingFlag>& setting_flags();

/// Flags as the user wrote them; empty: not given.
struct FitFlags {
  std::string input;
  std::string data;
  std::vector<std::string> config;  ///< files, later ones win
  Settings base;  ///< of a caller that decides for the user (`loe paper`): above the preset, below --config
  std::vector<std::string> set;
  std::map<std::string, std::string> settings;  ///< by SettingFlag::name; what was not given is not there, or ""
  std::string out;
  std::string resume;
  std::string params;
  std::string model = "best";  ///< of the preset auto: "best" or "experts"
  std::string progress = "auto";
  std::string continue_with;  ///< command named after an interruption; empty: loe fit --resume RUN
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  bool dry_run = false;
  bool force = false;
};

/// What a run is besides its network and training: the keys run.* of config.toml.
struct RunSettings {
  std::string data;             ///< absolute path of the picture or video
  std::string task;             ///< "image", "video"; empty: by the content of data
  std::string name;             ///< start of the run folder's name
  std::string device = "auto";  ///< see find_backend
  int threads = 0;              ///< 0: all usable cores
};

/// The keys run.*, bound to `run`.
SettingTable run_setting_table(RunSettings& run);

/// Everything that `loe fit` decided before it starts.
struct FitJob {
  RunSettings run;
  FitConfig config;
  Settings resolved;  ///< config and run as written to config.toml
  std::unique_ptr<FitSignal> signal;
  std::string config_hash;  ///< of the settings that decide the parameters' bits, and of the signal
  ModelSpec model;
  std::string choice;            ///< what the preset auto chose and why, or ""
  std::string precision_reason;  ///< why this precision, where it was chosen here; or ""
};

/// Reads the signal and resolves all settings. With --resume the run's config.toml takes the place of preset and
/// --config, and only stopping rules, logging and threads may change.
/// Error(InvalidArgument) for wrong flags and settings, and all errors of read_signal and read_config.
FitJob resolve_fit(const FitFlags& flags, Reporter& reporter);

}  // namespace loe::app
