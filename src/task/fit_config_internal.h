// Shared by the config and the presets of the tasks.
#pragma once

#include <string>

#include "loe/base/settings.h"
#include "loe/task/fit_config.h"

namespace loe {

/// fit_config_to_settings with every entry's origin set to `origin` ("preset toy").
Settings config_to_settings(const FitConfig& config, const std::string& origin);

/// Appends a level with the same number of experts and the same resolution along every axis; 1 beyond n_dims.
void add_level(NetworkConfig& network, int width, int n, double resolution);

/// What a config that names no preset starts from: the network "Ours" of Table 5, 2 or 3.
NetworkConfig default_network(SignalKind kind);

}  // namespace loe
