// What a model file says about its signal, as JSON.
#pragma once

#include <string>

#include "loe/io/model_file.h"

namespace loe {

std::string signal_to_json(const SignalInfo& signal);
/// Error(Format) naming `path` and the field.
SignalInfo signal_from_json(const std::string& text, const std::string& path);

}  // namespace loe
