#include "task/scene/scene_settings.h"

#include <limits>

#include "base/enum_names.h"
#include "loe/backend/network_spec.h"

namespace loe {
namespace {

constexpr detail::EnumNames<RayBackground, 4> kBackgroundNames = {{{RayBackground::Scene, "scene"},
                                                                   {RayBackground::White, "white"},
                                                                   {RayBackground::Black, "black"},
                                                                   {RayBackground::Random, "random"}}};
constexpr int kMaxRaySamples = 4096;
constexpr int kMaxSide = 65536;
constexpr double kMaxLength = 1e12;

SettingTable ray_setting_table(RaySettings& rays) {
  SettingTable table;
  table.whole("rays.n_coarse", rays.n_coarse, 1, kMaxRaySamples, "stratified samples of a ray, for the coarse network");
  table.whole("rays.n_fine", rays.n_fine, 0, kMaxRaySamples, "importance samples; the fine network sees both sets");
  table.choice("rays.importance", rays.importance, {ImportanceDraw::Independent, ImportanceDraw::Stratified},
               "how importance samples are drawn: published NeRF, or one in each of n equal shares (less noise)");
  table.choice("rays.density", rays.density, {DensityActivation::Relu, DensityActivation::Softplus},
               "sigma from the raw output");
  table.number("rays.density_shift", rays.density_shift, from_to(-1e6, 1e6), "added to the raw output before");
  table.choice("rays.last_interval", rays.last, {LastInterval::ToFar, LastInterval::Infinite},
               "length of the last sample's interval: to the box, or 10^10 as published NeRF has it");
  table.choice("rays.color", rays.color, {ColorActivation::Sigmoid, ColorActivation::Sinh},
               "how colours come from the network's outputs: in [0, 1], or any radiance, compared by asinh. Not set: "
               "`sinh` for pictures with values outside [0, 1], whatever the preset");
  return table;
}

void add_occupancy(SettingTable& table, SceneSettings& scene) {
  const std::string values = "0 (none) or a multiple of 4 up to 256";
  Setting& row = table.whole("rays.occupancy", scene.occupancy_resolution, 0, 256,
                             "cells per axis of an occupancy grid: samples in cells known to be empty are not "
                             "evaluated. Not in the paper");
  row.values = values;
  row.read = [read = row.read, values, &scene](const Settings& settings) {
    read(settings);
    if (scene.occupancy_resolution % 4 != 0) {
      settings.refuse("rays.occupancy", values);
    }
  };
  table.number("rays.occupancy_threshold", scene.occupancy_threshold, from_to(0, 1e9),
               "density (per side of the box) from which on a cell counts as occupied; half the mean if that is less");
  table.whole("rays.steps_per_occupancy", scene.steps_per_occupancy, 1, std::numeric_limits<int64_t>::max(),
              "steps between updates of the grid");
}

SettingTable source_setting_table(SceneSource& source) {
  SettingTable table;
  table.choice("data.format", source.format, {"", "blender", "transforms", "nsvf", "llff", "colmap"},
               "layout of the files; empty: found out");
  table.text("data.images", source.images, "a folder inside the scene's",
             "where the pictures are; empty: found out. Not for NSVF");
  table.whole("data.test_every", source.test_every, 0, kMaxSide,
              "every n-th view is kept for measuring where the files have no split; 0: none");
  table.number("data.box_half_side", source.box_half_side, from_to(0, kMaxLength),
               "half the side of the cube that is modelled, in the files' units; 0: [found out](formats.md)");
  table.numbers("data.box_centre", source.box_centre.data(), 3, "three numbers [x, y, z]", "its centre");
  table.whole("data.max_side", source.max_side, 0, kMaxSide,
              "views with a longer side are reduced to it, with their cameras; 0: none");
  table.whole("data.test_views", source.test_views, 0, kMaxSide,
              "measure on at most so many views, evenly chosen; 0: all");
  return table;
}

}  // namespace

const char* to_string(RayBackground background) {
  return detail::enum_name(kBackgroundNames, background);
}

SettingTable scene_setting_table(SceneSettings& scene) {
  SettingTable table;
  table.whole("model.direction_frequencies", scene.n_direction_frequencies, 0, 24,
              "frequencies of the viewing direction's encoding");
  table.whole("model.color_width", scene.color_width, 1, kMaxWidth,
              "outputs of the layer that reads features and direction, before the colour");
  table.append(ray_setting_table(scene.rays));
  table.choice("rays.background", scene.background,
               {RayBackground::Scene, RayBackground::White, RayBackground::Black, RayBackground::Random},
               "behind everything; `scene`: white for pictures with alpha and NSVF scenes, else black; `random`: per "
               "ray in training (pictures with alpha), white when measured");
  add_occupancy(table, scene);
  table.number("rays.min_transmittance", scene.min_transmittance, from_to(0, 0.5),
               "fine samples behind a coarse transmittance below this are not evaluated; 0: none. Not in the paper");
  table.append(source_setting_table(scene.source));
  return table;
}

SceneSource scene_source_from(const Settings& settings) {
  SceneSource source;
  source_setting_table(source).read(settings);
  return source;
}

SceneSettings scene_settings_from(const Settings& settings) {
  SceneSettings scene;
  scene_setting_table(scene).read(settings);
  return scene;
}

}  // namespace loe
