// What the program prints of a generator's evaluation.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "loe/task/gan_task.h"

namespace loe::app {

/// "distances", "noise_pattern" and what they were measured on.
nlohmann::ordered_json gan_evaluation_json(const GanEvaluation& evaluation);
/// For people; `result` contains gan_evaluation_json.
void print_distances(const nlohmann::ordered_json& result);

}  // namespace loe::app
