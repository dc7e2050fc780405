// Shared by the config and the presets of the tasks.
#pragma once

#include <string>
#include <vector>

#include "loe/base/settings.h"
#include "loe/task/fit_config.h"

namespace loe {

/// fit_config_to_settings with every entry's origin set to `origin` ("preset toy").
Settings config_to_settings(const FitConfig& config, const std::string& origin);

/// Error(InvalidArgument) naming the key and where it was set.
[[noreturn]] void fail_setting(const Settings& settings, const std::string& key, const std::string& expected,
                               double found);
/// A whole number in min..max, else fail_setting.
int setting_to_int(const Settings& settings, const std::string& key, double value, int min, int max);
/// Whether the key, which is there, holds a number and not a list.
bool is_number_setting(const Settings& settings, const std::string& key);

/// What the first level reads: model.input and the keys of encoding, embedding and grid.
void read_input(const Settings& settings, NetworkConfig& network);
void write_input(const NetworkConfig& network, const std::string& origin, Settings& settings);

/// settings.get_int for a range of ints.
inline int get_small_int(const Settings& settings, const std::string& key, int fallback, int min, int max) {
  return static_cast<int>(settings.get_int(key, fallback, min, max));
}

/// Appends a level with the same number of experts and the same resolution along every axis; 1 beyond n_dims.
void add_level(NetworkConfig& network, int width, int n, double resolution);

/// What a config that names no preset starts from: the network "Ours" of Table 5, 2 or 3.
NetworkConfig default_network(SignalKind kind);

/// What a task throws for a name that is none of its `fixed` presets: Error(NotFound) with the closest one, or
/// Error(InvalidArgument) for "auto", which is made by `automatic`. noun: "picture".
[[noreturn]] void refuse_preset(const std::string& name, const std::vector<std::string>& fixed, const char* noun,
                                const char* automatic);

}  // namespace loe
