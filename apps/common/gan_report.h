// What the program prints of a generator's evaluation.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "loe/task/gan_task.h"

namespace loe::app {

/// For people; `result` contains facts_of(GanEvaluation).
void print_distances(const nlohmann::ordered_json& result);

}  // namespace loe::app
