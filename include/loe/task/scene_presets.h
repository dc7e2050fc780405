// Presets of the task "scene".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/base/settings.h"
#include "loe/task/image_presets.h"

namespace loe {

/// The presets of this task: "auto", "nerf".
std::vector<PresetInfo> scene_presets();

/// Settings of a fixed preset ("nerf": Table 3, "Ours"). Errors as image_preset.
Settings scene_preset(const std::string& name);

/// The preset "auto" for a scene with n_pixels training pixels: a narrow field with an occupancy grid and early
/// termination, which is not the paper's setting but minutes on a CPU. Budgets as auto_plan; has_alpha: the pictures
/// show an object without its background, of whose rays most samples are skipped. AutoFamily::Best: two plain layers on
/// a hashed grid of features (as instant-ngp), whose tables shrink to n_params; else, and if n_params is too small for
/// a grid, levels of experts on an encoding.
AutoPlan auto_scene_plan(int64_t n_pixels, bool has_alpha, double max_seconds, int64_t n_params, Precision precision,
                         double gflops, AutoFamily family = AutoFamily::Experts);

}  // namespace loe
