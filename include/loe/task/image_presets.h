// Presets of the task "image", and the choice of a network from a picture's size and a budget.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/base/settings.h"

namespace loe {

struct PresetInfo {
  std::string name;
  std::string summary;   ///< one line
  std::string expected;  ///< time and PSNR to expect, one line
};

/// The presets of this task: "auto", "toy", "pluto", "hash_grid".
std::vector<PresetInfo> image_presets();

/// Settings of a preset other than "auto", which needs a budget: auto_settings. The grid of "hash_grid" is cut for a
/// picture of that size, the others are fixed. Error(NotFound) for another name, with a suggestion.
Settings image_preset(const std::string& name, int width = 512, int height = 512);

/// Settings of the preset "auto": levels, tiles, widths, frequencies, batch, steps and learning rate for a picture.
///
/// Grids: with S = max(width, height), the ceil(log2 S) bits of the pixel index are dealt out to the levels, each to
/// exactly one, the finest level first (layout fine_to_coarse; resolutions are listed coarse to fine, tiles by level);
/// a level that owns bits k .. k + t - 1 has cells of 2^k x 2^k pixels (resolution size / 2^k along each axis, so cells
/// are square on any picture) and a tile of at most 2^t experts per axis. So the finest cell is one pixel and every
/// pixel has its own path of experts (paper.md section 1.6).
///
/// Budgets, 0 = none given: max_seconds of training on a machine that trains at `gflops` GFLOP/s (0: an estimate for
/// this machine and precision), counted as batch * (6 MACs - 2 MACs of the first layer) per step; n_params: the widest
/// network of at most that many parameters. Neither: about 90 s for 512 x 512, growing with the square root of the
/// pixels. Only a given max_seconds becomes a stopping rule; otherwise the run ends by its steps.
/// Deterministic for gflops > 0. Error(InvalidArgument) for sizes outside 1..65536, channels outside 1..4, negative or
/// not finite budgets, or fewer parameters than the narrowest network has.
Settings auto_settings(int width, int height, int n_channels, double max_seconds, int64_t n_params, Precision precision,
                       double gflops);

}  // namespace loe
