// The config's keys of a generator's fit.
#pragma once

#include "loe/base/setting_table.h"
#include "loe/task/gan_settings.h"

namespace loe {

/// The keys that a generator's fit has beside those of every fit.
SettingTable gan_setting_table(GanSettings& gan);

}  // namespace loe
