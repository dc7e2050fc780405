// From a request to a job: what is fitted, with which settings. Built-in default < preset < the request's settings.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "loe/base/setting_table.h"
#include "loe/base/settings.h"
#include "loe/fitting/fit_events.h"
#include "loe/fitting/fit_signal.h"
#include "loe/task/fit_config.h"

namespace loe {

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

/// What a caller wants fitted. Everything that is not said follows from the data and the preset.
struct FitRequest {
  std::string data;                   ///< a path; "": run.data of the settings
  std::shared_ptr<FitSignal> signal;  ///< data in memory (picture_signal, video_signal), instead of a path
  Settings settings;                  ///< keys of docs/config.md, `run.*` among them
  std::string resume;                 ///< a run folder: its config takes the place of preset and defaults
  int64_t n_params = 0;               ///< preset auto: at most so many; 0: as the data and the time need
  std::optional<AutoFamily> family;   ///< preset auto: Experts, or Best, which it is if none is given
};

/// Everything that was decided before a fit starts.
struct FitJob {
  RunSettings run;
  FitConfig config;
  Settings resolved;  ///< config and run as written to config.toml
  std::shared_ptr<FitSignal> signal;
  std::string config_hash;  ///< of the settings that decide the parameters' bits, and of the signal
  ModelSpec model;
  std::string choice;            ///< what the preset auto chose and why, or ""
  std::string precision_reason;  ///< why this precision, where it was chosen here; or ""
  std::string resume;            ///< of the request: the run folder that run_fit continues, or ""
};

/// Reads the signal and resolves all settings. With `resume` only stopping rules, logging and threads may change.
/// With a time limit and the preset auto, the machine is timed for a quarter of a second.
/// Error(InvalidArgument) for wrong settings, and all errors of read_signal and read_config.
FitJob resolve_fit(const FitRequest& request, const FitEvents& events = {});

}  // namespace loe
