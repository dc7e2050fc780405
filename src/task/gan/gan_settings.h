// The config's keys of a generator's fit.
#pragma once

#include <string>
#include <vector>

#include "loe/task/gan_settings.h"

namespace loe {

const std::vector<std::string>& gan_keys();
void write_gan_settings(const GanSettings& gan, const std::string& origin, Settings& settings);

}  // namespace loe
