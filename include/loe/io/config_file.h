// Settings from and to TOML.
#pragma once

#include <string>

#include "loe/base/settings.h"

namespace loe {

/// Error(Format) naming path, line and column for bad TOML, dates or tables in arrays.
Settings read_config(const std::string& path);
Settings parse_config(const std::string& text, const std::string& origin);
/// One "key=value" of --set; the value is read as TOML, a bare word as a string.
void apply_override(Settings& settings, const std::string& assignment);
/// TOML with one table per first key component, accepted back by read_config.
std::string config_to_toml(const Settings& settings);

}  // namespace loe
