#include "io/source_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "io/json_reader.h"
#include "io/text.h"
#include "loe/base/error.h"

namespace loe {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxProfileBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxTimes = 65536;
constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += k <= n ? kDigits[group >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

/// False if it is not base64.
bool from_base64(std::string_view text, std::string& bytes) {
  if (text.size() % 4 != 0) return false;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  uint32_t group = 0;
  int n_bits = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return false;
    group = group << 6 | static_cast<uint32_t>(digit);
    n_bits += 6;
    if (n_bits >= 8) {
      n_bits -= 8;
      bytes += static_cast<char>(group >> n_bits & 255U);
    }
  }
  return true;
}

AlphaKind alpha_from_string(const JsonObject& object) {
  const std::string text = object.get_string("alpha");
  for (const AlphaKind kind : {AlphaKind::Straight, AlphaKind::Associated, AlphaKind::None}) {
    if (text == to_string(kind)) return kind;
  }
  throw_json_error(object.origin(), object.path_of("alpha"), "straight, associated or none",
                   fmt::format("'{}'", printable(text)));
}

void read_list(const JsonObject& object, const std::string& key, std::size_t min, std::size_t max,
               const std::function<void(const nlohmann::json& value)>& read) {
  const nlohmann::json& list = object.at(key);
  if (!list.is_array() || list.size() < min || list.size() > max) {
    throw_json_error(object.origin(), object.path_of(key), fmt::format("a list of {} to {}", min, max),
                     describe_json(list));
  }
  for (const nlohmann::json& value : list) read(value);
}

void read_profile(const JsonObject& object, PictureTags& tags) {
  const nlohmann::json& value = object.at("icc_profile");
  const bool is_text = value.is_string() && value.get_ref<const std::string&>().size() <= 2 * kMaxProfileBytes;
  if (!is_text || !from_base64(value.get_ref<const std::string&>(), tags.icc_profile)) {
    throw_json_error(object.origin(), object.path_of("icc_profile"), "base64", describe_json(value));
  }
}

void read_range(const JsonObject& object, PictureTags& tags) {
  const nlohmann::json& range = object.get_list("range", 2);
  for (std::size_t i = 0; i < 2; ++i) {
    tags.range[i] = json_to_double(range[i], object.origin(), object.path_of("range"));
  }
  if (!(tags.range[0] < tags.range[1])) {
    throw_json_error(object.origin(), object.path_of("range"), "the least and the largest value",
                     fmt::format("{} and {}", tags.range[0], tags.range[1]));
  }
}

}  // namespace

std::string source_to_json(const SignalInfo& signal) {
  const PictureTags& tags = signal.tags;
  const PictureTags usual;
  Json json = Json::object();
  if (tags.alpha != usual.alpha) json["alpha"] = to_string(tags.alpha);
  if (!tags.channels.empty()) json["channels"] = tags.channels;
  if (!tags.icc_profile.empty() && tags.icc_profile.size() <= kMaxProfileBytes) {
    json["icc_profile"] = base64(tags.icc_profile);
  }
  if (tags.pixel_aspect != usual.pixel_aspect) json["pixel_aspect"] = tags.pixel_aspect;
  if (tags.range != usual.range) json["range"] = tags.range;
  if (!signal.times.empty()) json["times"] = signal.times;
  return json.empty() ? "" : json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void source_from_json(const std::string& text, const std::string& path, SignalInfo& signal) {
  const nlohmann::json json = parse_small_json(text, path);
  const JsonObject object(json, path, "source", {"alpha", "channels", "icc_profile", "pixel_aspect", "range", "times"});
  PictureTags& tags = signal.tags;
  if (object.has("alpha")) tags.alpha = alpha_from_string(object);
  if (object.has("channels")) {
    read_list(object, "channels", 1, 4, [&](const nlohmann::json& value) {
      tags.channels.push_back(value.is_string() ? printable(value.get<std::string>()) : "?");
    });
  }
  if (object.has("icc_profile")) read_profile(object, tags);
  if (object.has("pixel_aspect")) {
    tags.pixel_aspect = object.get_double("pixel_aspect");
    if (!(tags.pixel_aspect >= 1e-3 && tags.pixel_aspect <= 1e3)) {
      throw_json_error(path, object.path_of("pixel_aspect"), "0.001 to 1000", fmt::format("{}", tags.pixel_aspect));
    }
  }
  if (object.has("range")) read_range(object, tags);
  if (object.has("times")) {
    read_list(object, "times", 1, kMaxTimes, [&](const nlohmann::json& value) {
      const double time = json_to_double(value, path, object.path_of("times"));
      if (!signal.times.empty() && !(time > signal.times.back())) {
        throw_json_error(path, object.path_of("times"), "times that grow", fmt::format("{}", time));
      }
      signal.times.push_back(time);
    });
    if (signal.times.size() != static_cast<std::size_t>(signal.n_frames)) {
      throw_json_error(path, object.path_of("times"), fmt::format("{} times", signal.n_frames),
                       fmt::format("{}", signal.times.size()));
    }
  }
}

}  // namespace loe
