// `loe info` of a scene.
#pragma once

#include <nlohmann/json.hpp>

#include "loe/signal/scene.h"

namespace loe::app {

/// Format, views, intrinsics (one number, or the smallest and the largest), box, alpha, warnings.
nlohmann::ordered_json scene_info(const Scene& scene);

}  // namespace loe::app
