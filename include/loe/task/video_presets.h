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

/// Settings of the preset "auto" for a clip: the rules of auto_settings over three axes. Cells are cubes of 2^k pixels
/// by 2^k frames; an axis shorter than a level's tile reaches gets only the experts that occur on it, so short clips
/// have tiles such as 4 x 4 x 1 on their coarse levels and no expert that is never trained. Every pixel of every frame
/// has its own path of experts. Errors as auto_settings; sizes, frames included, 1..65536.
Settings auto_video_settings(const VideoShape& shape, int n_channels, double max_seconds, int64_t n_params,
                             Precision precision, double gflops);

}  // namespace loe
