#include "io/signal_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "io/json_reader.h"
#include "io/text.h"
#include "loe/base/error.h"

namespace loe {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxSide = 65536;

const std::vector<std::string> kImageKeys = {"task", "width", "height", "pixel_type", "color_space"};
const std::vector<std::string> kVideoKeys = {"task",     "width",      "height", "pixel_type",
                                             "n_frames", "frame_rate", "color"};
const std::vector<std::string> kSceneKeys = {"task", "width", "height", "pixel_type",
                                             "rays", "space", "camera", "poses"};

void write_video(const SignalInfo& signal, Json& json) {
  json["n_frames"] = signal.n_frames;
  json["frame_rate"] = {signal.frame_rate.numerator, signal.frame_rate.denominator};
  json["color"] = {{"matrix", signal.color.matrix},
                   {"range", signal.color.range},
                   {"primaries", signal.color.primaries},
                   {"transfer", signal.color.transfer}};
}

void write_scene(const FieldInfo& field, Json& json) {
  Json& rays = json["rays"];
  visit_settings(field.rays, [&](const char* name, const auto& value) { rays[name] = value; });
  json["space"] = {
      {"centre", field.centre}, {"scale", field.scale}, {"box_min", field.box_min}, {"box_max", field.box_max}};
  const Intrinsics& lens = field.intrinsics;
  json["camera"] = {{"fl_x", lens.fl_x},
                    {"fl_y", lens.fl_y},
                    {"cx", lens.cx},
                    {"cy", lens.cy},
                    {"model", to_string(lens.lens.model)},
                    {"k", lens.lens.k},
                    {"p", lens.lens.p},
                    {"near", field.near},
                    {"far", field.far}};
  Json poses = Json::array();
  for (const Pose& pose : field.poses) poses.push_back(pose.matrix);
  json["poses"] = std::move(poses);
}

void read_video(const JsonObject& object, SignalInfo& signal) {
  constexpr int kMaxRate = 1000000000;
  signal.n_frames = object.get_int("n_frames", 1, kMaxSide);
  const nlohmann::json& rate = object.get_list("frame_rate", 2);
  const std::string field = object.path_of("frame_rate");
  signal.frame_rate.numerator = json_to_int(rate[0], 1, kMaxRate, object.origin(), field);
  signal.frame_rate.denominator = json_to_int(rate[1], 1, kMaxRate, object.origin(), field);
  const JsonObject color = object.get_object("color", {"matrix", "range", "primaries", "transfer"});
  signal.color.matrix = printable(color.get_string("matrix"));
  signal.color.range = printable(color.get_string("range"));
  signal.color.primaries = printable(color.get_string("primaries"));
  signal.color.transfer = printable(color.get_string("transfer"));
}

template <std::size_t n>
std::array<double, n> numbers(const nlohmann::json& list, const std::string& origin, const std::string& field) {
  if (!list.is_array() || list.size() != n) {
    throw_json_error(origin, field, fmt::format("{} numbers", n), describe_json(list));
  }
  std::array<double, n> values;
  for (std::size_t i = 0; i < n; ++i) values[i] = json_to_double(list[i], origin, field);
  return values;
}

template <std::size_t n>
std::array<double, n> numbers(const JsonObject& object, const std::string& key) {
  return numbers<n>(object.at(key), object.origin(), object.path_of(key));
}

double positive(const JsonObject& object, const std::string& key) {
  const double value = object.get_double(key);
  if (!(value > 0)) throw_json_error(object.origin(), object.path_of(key), "above 0", fmt::format("{}", value));
  return value;
}

/// The enumerator of a name; what the choices are is in the message of `from_string`.
template <class Enum>
Enum choice(const JsonObject& object, const std::string& key, Enum (*from_string)(const std::string&)) {
  const std::string text = printable(object.get_string(key));
  try {
    return from_string(text);
  } catch (const Error& error) {
    throw_json_error(object.origin(), object.path_of(key), "a known name", error.what());
  }
}

RaySettings read_rays(const JsonObject& object) {
  RaySettings rays;
  rays.n_coarse = object.get_int("n_coarse", 1, kMaxSide);
  rays.n_fine = object.get_int("n_fine", 0, kMaxSide);
  rays.importance = choice(object, "importance", importance_draw_from_string);
  rays.density = choice(object, "density", density_activation_from_string);
  rays.density_shift = object.get_double("density_shift");
  if (object.has("color")) rays.color = choice(object, "color", color_activation_from_string);
  rays.last = choice(object, "last_interval", last_interval_from_string);
  rays.background = numbers<3>(object, "background");
  try {
    rays.validate();
  } catch (const Error& error) {
    throw_json_error(object.origin(), object.path_of("rays"), "settings in their ranges", error.what());
  }
  return rays;
}

Intrinsics read_camera(const JsonObject& object, const SignalInfo& signal) {
  Intrinsics camera;
  camera.width = signal.width;
  camera.height = signal.height;
  camera.fl_x = positive(object, "fl_x");
  camera.fl_y = positive(object, "fl_y");
  camera.cx = object.get_double("cx");
  camera.cy = object.get_double("cy");
  camera.lens.model = choice(object, "model", lens_model_from_string);
  camera.lens.k = numbers<4>(object, "k");
  camera.lens.p = numbers<2>(object, "p");
  return camera;
}

Pose read_pose(const nlohmann::json& value, const std::string& origin, const std::string& field) {
  if (!value.is_array() || value.size() != 3) {
    throw_json_error(origin, field, "3 rows of 4 numbers", describe_json(value));
  }
  Pose pose;
  for (std::size_t i = 0; i < 3; ++i) pose.matrix[i] = numbers<4>(value[i], origin, field);
  return pose;
}

void read_scene(const JsonObject& object, SignalInfo& signal) {
  FieldInfo& field = signal.field;
  field.rays = read_rays(object.get_object("rays", {"n_coarse", "n_fine", "importance", "density", "density_shift",
                                                    "color", "last_interval", "background"}));
  const JsonObject space = object.get_object("space", {"centre", "scale", "box_min", "box_max"});
  field.centre = numbers<3>(space, "centre");
  field.scale = positive(space, "scale");
  field.box_min = numbers<3>(space, "box_min");
  field.box_max = numbers<3>(space, "box_max");
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const bool is_inside = field.box_min[axis] >= -0.5 && field.box_max[axis] <= 0.5;
    if (!is_inside || !(field.box_min[axis] < field.box_max[axis])) {
      throw_json_error(object.origin(), space.path_of("box_min"), "a box inside [-0.5, 0.5]^3",
                       fmt::format("{} to {}", field.box_min[axis], field.box_max[axis]));
    }
  }
  const JsonObject camera = object.get_object("camera", {"fl_x", "fl_y", "cx", "cy", "model", "k", "p", "near", "far"});
  field.intrinsics = read_camera(camera, signal);
  field.near = camera.get_double("near");
  field.far = camera.get_double("far");
  const nlohmann::json& poses = object.at("poses");
  const std::string where = object.path_of("poses");
  if (!poses.is_array() || poses.empty() || poses.size() > kMaxFieldPoses) {
    throw_json_error(object.origin(), where, fmt::format("1 to {} poses", kMaxFieldPoses), describe_json(poses));
  }
  for (std::size_t i = 0; i < poses.size(); ++i) {
    field.poses.push_back(read_pose(poses[i], object.origin(), fmt::format("{}[{}]", where, i)));
  }
}

}  // namespace

std::string signal_to_json(const SignalInfo& signal) {
  Json json;
  json["task"] = signal.task;
  json["width"] = signal.width;
  json["height"] = signal.height;
  json["pixel_type"] = signal.pixel_type;
  if (signal.task == "video") {
    write_video(signal, json);
  } else if (signal.task == "scene") {
    write_scene(signal.field, json);
  } else {
    json["color_space"] = signal.tags.color_space;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

SignalInfo signal_from_json(const std::string& text, const std::string& path) {
  const nlohmann::json json = parse_small_json(text, path);
  const std::string task =
      json.is_object() && json.contains("task") && json["task"].is_string() ? json["task"].get<std::string>() : "";
  const JsonObject object(json, path, "signal",
                          task == "video"   ? kVideoKeys
                          : task == "scene" ? kSceneKeys
                                            : kImageKeys);
  SignalInfo signal;
  signal.task = printable(object.get_string("task"));
  const int min_side = task == "image" || task == "video" || task == "scene" || task == "gan" ? 1 : 0;
  signal.width = object.get_int("width", min_side, kMaxSide);
  signal.height = object.get_int("height", min_side, kMaxSide);
  signal.pixel_type = object.get_string("pixel_type");
  const std::vector<std::string> types = {"u8", "u16", "f16", "f32"};
  if (std::find(types.begin(), types.end(), signal.pixel_type) == types.end()) {
    throw_json_error(path, "signal.pixel_type", "u8, u16, f16 or f32",
                     fmt::format("'{}'", printable(signal.pixel_type)));
  }
  if (task == "video") {
    read_video(object, signal);
  } else if (task == "scene") {
    read_scene(object, signal);
  } else {
    signal.tags.color_space = printable(object.get_string("color_space"));
  }
  return signal;
}

}  // namespace loe
