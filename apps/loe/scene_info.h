// `loe info` of a scene, and of what a model keeps of one.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "loe/signal/scene.h"

namespace loe::app {

/// Format, views, intrinsics (one number, or the smallest and the largest), box, alpha, warnings.
nlohmann::ordered_json scene_info(const Scene& scene);

/// What a model file says of its scene: the views' camera, box, place in the world, and how rays are sampled.
nlohmann::ordered_json field_json(const FieldInfo& field);

}  // namespace loe::app
