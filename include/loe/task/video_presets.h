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
///
/// In f32, for clips of at least a million pixels whose budget of parameters allows it, AutoFamily::Best and
/// ExpertsOnChunks take three levels of 16 sines trained on product chunks, the finest on single pixels and first,
/// whose tiles divide each axis with little to spare. Most parameters are features: Best has eight dense levels of
/// pairs over x, y and t, ExpertsOnChunks one table behind the encoding. Without n_params the features are also limited
/// to what the samples of the budget can move.
AutoPlan auto_video_plan(const VideoShape& shape, int n_channels, double max_seconds, int64_t n_params,
                         Precision precision, double gflops, AutoFamily family = AutoFamily::Experts);
/// Its settings alone.
Settings auto_video_settings(const VideoShape& shape, int n_channels, double max_seconds, int64_t n_params,
                             Precision precision, double gflops);

}  // namespace loe
