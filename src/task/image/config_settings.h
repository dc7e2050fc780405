// Shared by the config and the presets of the task "image".
#pragma once

#include <string>

#include "loe/base/settings.h"
#include "loe/task/image_task.h"

namespace loe {

/// image_config_to_settings with every entry's origin set to `origin` ("preset toy").
Settings config_to_settings(const ImageFitConfig& config, const std::string& origin);

}  // namespace loe
