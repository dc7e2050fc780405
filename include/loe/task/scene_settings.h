// What a radiance field's fit has beside the settings of every fit.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "loe/base/settings.h"
#include "loe/signal/field_info.h"

namespace loe {

/// What of a scene's files is read, and as what.
struct SceneSource {
  std::string format;        ///< "blender", "transforms", "nsvf", "llff", "colmap"; empty: found out
  std::string images;        ///< folder of the pictures inside the scene's; empty: found out
  int test_every = 8;        ///< every n-th view is for testing where the files state none; 0: none is
  double box_half_side = 0;  ///< half the side of the cube to be modelled, in the files' units; 0: found out
  std::array<double, 3> box_centre{};
  int max_side = 0;    ///< larger pictures are reduced to this longest side; 0: none
  int test_views = 0;  ///< at most so many views for testing, evenly chosen; 0: all
  bool operator==(const SceneSource&) const = default;
};

/// What rays see that meet nothing.
enum class RayBackground {
  Scene,  ///< as the data has it: white for pictures with alpha and for NSVF's scenes, else black
  White,
  Black,
  Random,  ///< a new colour for each ray of a training batch (pictures with alpha only); evaluated on white
};
/// "scene", "white", "black", "random".
const char* to_string(RayBackground background);

/// Settings of a radiance field; keys in docs/config.md.
struct SceneSettings {
  SceneSource source;
  RaySettings rays;  ///< but for the background colour, which follows from `background` and the data
  RayBackground background = RayBackground::Scene;
  int n_direction_frequencies = 4;  ///< RadianceFieldConfig
  int color_width = 128;
  /// Cells along each axis of the occupancy grid, a multiple of 4 in 4..256; 0: none, as the paper. Samples in cells
  /// that the grid calls empty are not given to the networks.
  int occupancy_resolution = 0;
  double occupancy_threshold = 5.9;  ///< OccupancySpec::threshold
  int64_t steps_per_occupancy = 16;  ///< updates between two of the grid
  /// Fine samples behind a (coarse) transmittance below this are left out; 0: none, as the paper.
  double min_transmittance = 0;
};

/// Reads the keys of a scene over `settings`' own values; other keys are left alone. Error(InvalidArgument).
SceneSettings scene_settings_from(const Settings& settings);
/// The keys data.* of them alone: the scene must be read before the rest can be resolved.
SceneSource scene_source_from(const Settings& settings);

}  // namespace loe
