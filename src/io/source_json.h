// What a model file says about its signal's source beside "signal": docs/formats.md.
#pragma once

#include <string>

#include "loe/io/model_file.h"

namespace loe {

/// Metadata "source"; empty if all is as usual.
std::string source_to_json(const SignalInfo& signal);
/// Error(Format) naming the field.
void source_from_json(const std::string& text, const std::string& path, SignalInfo& signal);

}  // namespace loe
