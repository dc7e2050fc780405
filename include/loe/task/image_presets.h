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

/// What a training sample costs, the unit in which the presets "auto" are told a machine's speed: 6 MACs - 2 MACs of
/// the first layer in FLOPs, and as many more per layer as the work beside its products takes the time of.
double training_flops(const NetworkSpec& spec);

/// Which networks the preset "auto" may choose from.
enum class AutoFamily {
  Experts,          ///< the paper's: Levels of Experts on an encoding and a learned table
  ExpertsOnChunks,  ///< the same, narrow and on product chunks where that fits: for a backend that trains these so
  Best,             ///< also narrow Levels of Experts on a grid of features, trained on product chunks
};

/// What the preset "auto" chose.
struct AutoPlan {
  Settings settings;
  std::string reason;  ///< one line: network, order, visits, and what limits the size; "" if there is nothing to say
};

/// The preset "auto": levels, tiles, widths, frequencies, batch, steps and learning rate for a picture and a budget.
///
/// Budgets, 0 = none given: max_seconds of training on a machine that trains at `gflops` GFLOP/s (0: an estimate for
/// this machine and precision) (training_flops); n_params, which the
/// network never exceeds. No seconds: about 90 for 512 x 512, growing with the square root of the pixels. No
/// parameters: 0.14 to 0.7 a pixel. Only a given max_seconds becomes a stopping rule, whose schedule follows the time
/// (max_steps is then a limit for small pictures); otherwise the run ends by its steps.
///
/// Grids: the finest cell is one pixel if time allows about 7 samples for each, else as large as it must be for 8
/// samples; three levels (more where tiles would exceed 16 x 16 or levels become narrower than 16) nest cells in even
/// ratios, so that the coarsest tile covers the picture once and every finest cell has its own path of experts. Cells
/// are square on any picture. Resolutions are listed coarse to fine, tiles by level.
///
/// AutoFamily::Best and ExpertsOnChunks take, for pictures of at least 128 pixels a side in f32 whose budget of
/// parameters allows it, three levels of 16 sines with tiles of 16 x 16 or 8 x 8 experts, the finest on single pixels
/// and first. What parameters remain are features: Best has eight dense levels of pairs of them, ExpertsOnChunks one
/// table beside the encoding. Else both are AutoFamily::Experts.
///
/// Deterministic for gflops > 0. Error(InvalidArgument) for sizes outside 1..65536, channels outside 1..4, negative or
/// not finite budgets, or fewer parameters than the narrowest network has.
AutoPlan auto_plan(int width, int height, int n_channels, double max_seconds, int64_t n_params, Precision precision,
                   double gflops, AutoFamily family = AutoFamily::Experts);
/// Its settings alone.
Settings auto_settings(int width, int height, int n_channels, double max_seconds, int64_t n_params, Precision precision,
                       double gflops);

}  // namespace loe
