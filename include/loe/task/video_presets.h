// Presets of the task "video".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/base/settings.h"
#include "loe/task/image_presets.h"
#include "loe/task/video_task.h"

namespace loe {

/// The presets of this task: "auto", "video", "hash_grid".
std::vector<PresetInfo> video_presets();

/// Settings of a preset other than "auto" ("video": Table 2, "Ours"). The grid of "hash_grid" is cut for a clip of that
/// shape. Errors as image_preset.
Settings video_preset(const std::string& name, const VideoShape& shape = {512, 512, 300});

/// The preset "auto" for a clip: the rules of auto_plan over three axes, with finest cells of at least two frames a
/// pixel of their width while there are few samples, and ratios of their own along t. Errors as auto_plan; sizes,
/// frames included, 1..65536.
AutoPlan auto_video_plan(const VideoShape& shape, int n_channels, double max_seconds, int64_t n_params,
                         Precision precision, double gflops);
/// Its settings alone.
Settings auto_video_settings(const VideoShape& shape, int n_channels, double max_seconds, int64_t n_params,
                             Precision precision, double gflops);

}  // namespace loe
