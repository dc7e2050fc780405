// Keys of a scene's settings, for the config of all tasks.
#pragma once

#include <string>
#include <vector>

#include "loe/task/scene_settings.h"

namespace loe {

const std::vector<std::string>& scene_keys();
void write_scene_settings(const SceneSettings& scene, const std::string& origin, Settings& settings);

}  // namespace loe
