#include "task/scene/scene_settings.h"

#include <fmt/format.h>

#include <limits>

#include "base/enum_names.h"
#include "loe/backend/network_spec.h"
#include "loe/base/error.h"
#include "task/fit_config_internal.h"

namespace loe {
namespace {

constexpr detail::EnumNames<RayBackground, 4> kBackgroundNames = {{{RayBackground::Scene, "scene"},
                                                                   {RayBackground::White, "white"},
                                                                   {RayBackground::Black, "black"},
                                                                   {RayBackground::Random, "random"}}};
constexpr int kMaxRaySamples = 4096;
constexpr int kMaxSide = 65536;
constexpr double kMaxLength = 1e12;

std::array<double, 3> get_point(const Settings& settings, const std::string& key,
                                const std::array<double, 3>& fallback) {
  const std::vector<double> values = settings.get_list(key, {fallback.begin(), fallback.end()});
  if (values.size() != 3) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[config] {} ({}): expected three numbers [x, y, z], got {}",
                                                        key, settings.entries().at(key).origin, values.size()));
  }
  return {values[0], values[1], values[2]};
}

void read_rays(const Settings& settings, RaySettings& rays) {
  rays.n_coarse = get_small_int(settings, "rays.n_coarse", rays.n_coarse, 1, kMaxRaySamples);
  rays.n_fine = get_small_int(settings, "rays.n_fine", rays.n_fine, 0, kMaxRaySamples);
  rays.importance = importance_draw_from_string(
      settings.get_choice("rays.importance", to_string(rays.importance), {"independent", "stratified"}));
  rays.density = density_activation_from_string(
      settings.get_choice("rays.density", to_string(rays.density), {"relu", "softplus"}));
  rays.density_shift = settings.get_double("rays.density_shift", rays.density_shift, -1e6, 1e6);
  rays.color =
      color_activation_from_string(settings.get_choice("rays.color", to_string(rays.color), {"sigmoid", "sinh"}));
  rays.last = last_interval_from_string(
      settings.get_choice("rays.last_interval", to_string(rays.last), {"to_far", "infinite"}));
}

}  // namespace

const char* to_string(RayBackground background) {
  return detail::enum_name(kBackgroundNames, background);
}

const std::vector<std::string>& scene_keys() {
  static const std::vector<std::string> keys = {"model.direction_frequencies",
                                                "model.color_width",
                                                "rays.n_coarse",
                                                "rays.n_fine",
                                                "rays.importance",
                                                "rays.density",
                                                "rays.density_shift",
                                                "rays.color",
                                                "rays.last_interval",
                                                "rays.background",
                                                "rays.occupancy",
                                                "rays.occupancy_threshold",
                                                "rays.steps_per_occupancy",
                                                "rays.min_transmittance",
                                                "data.format",
                                                "data.images",
                                                "data.test_every",
                                                "data.box_half_side",
                                                "data.box_centre",
                                                "data.max_side",
                                                "data.test_views"};
  return keys;
}

SceneSource scene_source_from(const Settings& settings) {
  SceneSource source;
  source.format = settings.get_choice("data.format", "", {"", "blender", "transforms", "nsvf", "llff", "colmap"});
  source.images = settings.get_string("data.images", "");
  source.test_every = get_small_int(settings, "data.test_every", source.test_every, 0, kMaxSide);
  source.box_half_side = settings.get_double("data.box_half_side", 0, 0, kMaxLength);
  source.box_centre = get_point(settings, "data.box_centre", source.box_centre);
  source.max_side = get_small_int(settings, "data.max_side", source.max_side, 0, kMaxSide);
  source.test_views = get_small_int(settings, "data.test_views", source.test_views, 0, kMaxSide);
  return source;
}

SceneSettings scene_settings_from(const Settings& settings) {
  SceneSettings scene;
  scene.source = scene_source_from(settings);
  read_rays(settings, scene.rays);
  const std::string background =
      settings.get_choice("rays.background", to_string(scene.background), {"scene", "white", "black", "random"});
  scene.background = detail::enum_value(kBackgroundNames, background, "[config] rays.background");
  scene.n_direction_frequencies =
      get_small_int(settings, "model.direction_frequencies", scene.n_direction_frequencies, 0, 24);
  scene.color_width = get_small_int(settings, "model.color_width", scene.color_width, 1, kMaxWidth);
  scene.occupancy_resolution = get_small_int(settings, "rays.occupancy", scene.occupancy_resolution, 0, 256);
  if (scene.occupancy_resolution % 4 != 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[config] rays.occupancy ({}): expected a multiple of 4 in 4..256, or 0 for none, got {}",
                            settings.entries().at("rays.occupancy").origin, scene.occupancy_resolution));
  }
  scene.occupancy_threshold = settings.get_double("rays.occupancy_threshold", scene.occupancy_threshold, 0, 1e9);
  scene.steps_per_occupancy =
      settings.get_int("rays.steps_per_occupancy", scene.steps_per_occupancy, 1, std::numeric_limits<int64_t>::max());
  scene.min_transmittance = settings.get_double("rays.min_transmittance", scene.min_transmittance, 0, 0.5);
  return scene;
}

void write_scene_settings(const SceneSettings& scene, const std::string& origin, Settings& settings) {
  const auto set = [&](const char* key, SettingValue value) { settings.set(key, std::move(value), origin); };
  set("model.direction_frequencies", int64_t{scene.n_direction_frequencies});
  set("model.color_width", int64_t{scene.color_width});
  set("rays.n_coarse", int64_t{scene.rays.n_coarse});
  set("rays.n_fine", int64_t{scene.rays.n_fine});
  set("rays.importance", std::string(to_string(scene.rays.importance)));
  set("rays.density", std::string(to_string(scene.rays.density)));
  set("rays.density_shift", scene.rays.density_shift);
  set("rays.color", std::string(to_string(scene.rays.color)));
  set("rays.last_interval", std::string(to_string(scene.rays.last)));
  set("rays.background", std::string(to_string(scene.background)));
  set("rays.occupancy", int64_t{scene.occupancy_resolution});
  set("rays.occupancy_threshold", scene.occupancy_threshold);
  set("rays.steps_per_occupancy", scene.steps_per_occupancy);
  set("rays.min_transmittance", scene.min_transmittance);
  const SceneSource& source = scene.source;
  set("data.format", source.format);
  set("data.images", source.images);
  set("data.test_every", int64_t{source.test_every});
  set("data.box_half_side", source.box_half_side);
  set("data.box_centre", std::vector<double>(source.box_centre.begin(), source.box_centre.end()));
  set("data.max_side", int64_t{source.max_side});
  set("data.test_views", int64_t{source.test_views});
}

}  // namespace loe
