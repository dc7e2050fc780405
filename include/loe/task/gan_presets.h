// Presets of the task "gan", and the choice of a generator from a resolution and a budget.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/base/settings.h"
#include "loe/task/image_presets.h"

namespace loe {

/// The presets of this task: "auto", "gan".
std::vector<PresetInfo> gan_presets();

/// Settings of a fixed preset ("gan": Table 4, row "Ours"). Error(NotFound) for another name, with a suggestion; "auto"
/// needs a resolution: auto_gan_settings.
Settings gan_preset(const std::string& name);

/// Settings of the preset "auto" for pictures of resolution x resolution pixels: blocks of one width on grids of 4 x 4
/// cells, 8 x 8, ... up to one cell per pixel, tiles of 4 x 4, a moving average of the generator.
/// Budgets as auto_settings: max_seconds of training decides the number of steps (none given: an hour); n_params: the
/// widest network of at most that many parameters, the average not counted.
/// Error(InvalidArgument) for a resolution outside 16..4096, budgets that are negative or not finite.
Settings auto_gan_settings(int resolution, double max_seconds, int64_t n_params, Precision precision, double gflops);

}  // namespace loe
