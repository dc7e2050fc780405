// Keys of a scene's settings, for the config of all tasks.
#pragma once

#include "loe/base/setting_table.h"
#include "loe/task/scene_settings.h"

namespace loe {

/// The keys that a scene's fit has beside those of every fit.
SettingTable scene_setting_table(SceneSettings& scene);

}  // namespace loe
