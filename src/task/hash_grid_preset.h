// The preset "hash_grid": instant-ngp's network for pictures and videos, a yardstick for Levels of Experts.
#pragma once

#include <array>

#include "loe/base/settings.h"
#include "loe/task/fit_config.h"

namespace loe {

/// A multiresolution hash grid of feature pairs in front of two plain layers of 32 (Mueller et al. 2022), for a signal
/// of this size (1 frame: a picture): 16 levels from 16 cells to one per pixel along the longest side, cells of pixels
/// that are square; tables such that all parameters are about 0.4 per pixel of a picture, 0.05 per pixel of a clip.
Settings hash_grid_settings(SignalKind kind, const std::array<int, 3>& size);

}  // namespace loe
