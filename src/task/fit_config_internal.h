// Shared by the config and the presets of the tasks.
#pragma once

#include <string>

#include "loe/base/settings.h"
#include "loe/task/fit_config.h"

namespace loe {

/// fit_config_to_settings with every entry's origin set to `origin` ("preset toy").
Settings config_to_settings(const FitConfig& config, const std::string& origin);

}  // namespace loe
