#include "scene_info.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "loe/io/image_file.h"
#include "loe/io/scene_file.h"

namespace loe::app {
namespace {

using Json = nlohmann::ordered_json;

/// The value that all views have, or [smallest, largest].
template <typename Value>
Json range_of(const Scene& scene, Value value) {
  auto least = value(scene.views.front());
  auto most = least;
  for (const View& view : scene.views) {
    least = std::min(least, value(view));
    most = std::max(most, value(view));
  }
  if (least == most) return least;
  return Json::array({least, most});
}

Json lens_info(const Scene& scene) {
  std::set<std::string> models;
  for (const View& view : scene.views) models.insert(to_string(view.intrinsics.lens.model));
  Json info = {{"model", models.size() == 1 ? Json(*models.begin()) : Json(models)}};
  for (std::size_t i = 0; i < 4; ++i) {
    const Json k = range_of(scene, [i](const View& view) { return view.intrinsics.lens.k[i]; });
    if (k != 0.0) info[fmt::format("k{}", i + 1)] = k;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const Json p = range_of(scene, [i](const View& view) { return view.intrinsics.lens.p[i]; });
    if (p != 0.0) info[fmt::format("p{}", i + 1)] = p;
  }
  return info;
}

/// What `of` gives for members of Intrinsics.
template <typename Of>
void add_camera(Json& info, const Of& of) {
  info["focal_x"] = of(&Intrinsics::fl_x);
  info["focal_y"] = of(&Intrinsics::fl_y);
  info["centre_x"] = of(&Intrinsics::cx);
  info["centre_y"] = of(&Intrinsics::cy);
}

/// Of a scene or a field: normalised = (world - centre) scale; the rest is normalised.
template <typename Placed>
void add_space(Json& info, const Placed& placed) {
  info["world_centre"] = placed.centre;
  info["world_scale"] = placed.scale;
  info["box_min"] = placed.box_min;
  info["box_max"] = placed.box_max;
}

/// Of some of the views, evenly chosen: decoding all would take minutes. Null for integer pictures.
Json value_range(const Scene& scene) {
  constexpr std::size_t kMostViews = 8;
  std::array<double, 2> range = {0, 1};
  bool has_floats = false;
  const std::size_t n = std::min(kMostViews, scene.views.size());
  for (std::size_t i = 0; i < n; ++i) {
    const View& view = scene.views[i * scene.views.size() / n];
    const PixelType type = read_image_info(view.image_path).type;
    if (type == PixelType::U8 || type == PixelType::U16) continue;
    has_floats = true;
    widen_range(read_view_image(view), range);
  }
  return has_floats ? Json(range) : Json();
}

}  // namespace

Json scene_info(const Scene& scene) {
  Json views = Json::object();
  for (const Split split : {Split::Train, Split::Validation, Split::Test}) {
    const auto n = std::count_if(scene.views.begin(), scene.views.end(),
                                 [split](const View& view) { return view.split == split; });
    if (n > 0) views[to_string(split)] = n;
  }
  const auto n_masks =
      std::count_if(scene.views.begin(), scene.views.end(), [](const View& view) { return !view.mask_path.empty(); });
  const auto of = [&](auto member) {
    return range_of(scene, [member](const View& view) { return view.intrinsics.*member; });
  };
  Json info = {{"kind", "scene"}, {"path", scene.path}, {"format", scene.format}, {"views", views}};
  info["width"] = of(&Intrinsics::width);
  info["height"] = of(&Intrinsics::height);
  add_camera(info, of);
  info["lens"] = lens_info(scene);
  info["alpha"] = scene.has_alpha;
  const Json range = value_range(scene);
  if (!range.is_null()) {
    info["range"] = range;
    info["color"] = to_string(range == Json({0.0, 1.0}) ? ColorActivation::Sigmoid : ColorActivation::Sinh);
  }
  info["background"] = scene.background == Background::None    ? "none"
                       : scene.background == Background::White ? "white"
                                                               : "random";
  info["masks"] = n_masks;
  add_space(info, scene);
  info["camera_radius"] = range_of(scene, [](const View& view) {
    const auto& m = view.camera_to_world.matrix;
    return std::hypot(m[0][3], m[1][3], m[2][3]);
  });
  const bool has_bounds =
      std::any_of(scene.views.begin(), scene.views.end(), [](const View& view) { return view.far > 0; });
  if (has_bounds) {
    info["near"] = range_of(scene, [](const View& view) { return view.near; });
    info["far"] = range_of(scene, [](const View& view) { return view.far; });
  }
  info["notes"] = scene.notes;
  info["warnings"] = scene.warnings;
  return info;
}

Json field_json(const FieldInfo& field) {
  const Intrinsics& lens = field.intrinsics;
  Json info;
  add_camera(info, [&](auto member) { return lens.*member; });
  info["lens"] = {{"model", to_string(lens.lens.model)}};
  info["poses"] = field.poses.size();
  add_space(info, field);
  if (field.far > 0) {
    info["near"] = field.near;
    info["far"] = field.far;
  }
  Json& rays = info["rays"];
  visit_settings(field.rays, [&](const char* name, const auto& value) { rays[name] = value; });
  return info;
}

}  // namespace loe::app
