// The flags of `loe fit`, and the request that they come to.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "loe/base/settings.h"
#include "loe/fitting/fit_job.h"

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

/// --config < --set < dedicated flags. Error(InvalidArgument) for flags that contradict each other.
FitRequest request_of(const FitFlags& flags);

}  // namespace loe::app
