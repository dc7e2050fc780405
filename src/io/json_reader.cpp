#include "io/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/text.h"
#include "loe/base/error.h"

namespace loe {
namespace {

constexpr std::size_t kMaxText = std::size_t{4} << 20;
constexpr int kMaxNesting = 8;
constexpr std::size_t kMaxString = 200;

}  // namespace

void throw_json_error(const std::string& origin, const std::string& field, const std::string& expected,
                      const std::string& found) {
  throw Error(ErrorKind::Format, fmt::format("[model] {}: {}: expected {}, got {}; the file is damaged or from another "
                                             "program, so take another copy",
                                             origin, field, expected, found));
}

nlohmann::json parse_json(const std::string& text, const JsonLimits& limits,
                          const std::function<void(const std::string& expected, const std::string& found)>& fail) {
  if (text.size() > limits.max_bytes) {
    fail(fmt::format("at most {} bytes of JSON", limits.max_bytes), std::to_string(text.size()));
  }
  // The parser takes a zero byte for the end and would ignore what follows it.
  if (text.find('\0') != std::string::npos) {
    fail("JSON", "a zero byte");
  }
  const auto limit_nesting = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json&) {
    using Event = nlohmann::json::parse_event_t;
    if ((event == Event::object_start || event == Event::array_start) && depth >= limits.max_nesting) {
      fail(fmt::format("at most {} nested lists", limits.max_nesting), "more");
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, limit_nesting);
  } catch (const nlohmann::json::parse_error& error) {
    fail("JSON", fmt::format("a syntax error at byte {}", error.byte));
  } catch (const nlohmann::json::exception&) {
    fail("JSON", "a number out of range");
  }
  return {};
}

nlohmann::json parse_small_json(const std::string& text, const std::string& origin) {
  return parse_json(text, {kMaxText, kMaxNesting}, [&](const std::string& expected, const std::string& found) {
    throw_json_error(origin, "description", expected, found);
  });
}

std::string describe_json(const nlohmann::json& value) {
  return value.is_structured() ? fmt::format("a list or object of {}", value.size())
                               : printable(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

int json_to_int(const nlohmann::json& value, int min, int max, const std::string& origin, const std::string& field) {
  if (value.is_number_integer()) {
    const bool negative = !value.is_number_unsigned();
    if (negative ? value.get<int64_t>() >= min && value.get<int64_t>() <= max
                 : value.get<uint64_t>() <= static_cast<uint64_t>(max) && value.get<int64_t>() >= min) {
      return value.get<int>();
    }
  }
  throw_json_error(origin, field, fmt::format("a whole number in {}..{}", min, max), describe_json(value));
}

double json_to_double(const nlohmann::json& value, const std::string& origin, const std::string& field) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    throw_json_error(origin, field, "a finite number", describe_json(value));
  }
  return value.get<double>();
}

JsonObject::JsonObject(const nlohmann::json& value, const std::string& origin, const std::string& path,
                       const std::vector<std::string>& keys)
    : value_(value), origin_(origin), path_(path) {
  if (!value.is_object()) {
    throw_json_error(origin, path.empty() ? "description" : path, "an object", describe_json(value));
  }
  for (const auto& [key, ignored] : value.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      throw_json_error(origin, path_of(printable(key)), "no such field", "one (of a newer version?)");
    }
  }
}

std::string JsonObject::path_of(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

const nlohmann::json& JsonObject::at(const std::string& key) const {
  const auto found = value_.find(key);
  if (found == value_.end()) {
    throw_json_error(origin_, path_of(key), "a value", "none");
  }
  return *found;
}

int JsonObject::get_int(const std::string& key, int min, int max) const {
  return json_to_int(at(key), min, max, origin_, path_of(key));
}

double JsonObject::get_double(const std::string& key) const {
  return json_to_double(at(key), origin_, path_of(key));
}

bool JsonObject::get_bool(const std::string& key) const {
  const nlohmann::json& value = at(key);
  if (!value.is_boolean()) {
    throw_json_error(origin_, path_of(key), "true or false", describe_json(value));
  }
  return value.get<bool>();
}

std::string JsonObject::get_string(const std::string& key) const {
  const nlohmann::json& value = at(key);
  if (!value.is_string() || value.get_ref<const std::string&>().size() > kMaxString) {
    throw_json_error(origin_, path_of(key), fmt::format("text of at most {} bytes", kMaxString), describe_json(value));
  }
  return value.get<std::string>();
}

const nlohmann::json& JsonObject::get_list(const std::string& key, std::size_t size) const {
  const nlohmann::json& value = at(key);
  if (!value.is_array() || value.size() != size) {
    throw_json_error(origin_, path_of(key), fmt::format("a list of {}", size), describe_json(value));
  }
  return value;
}

JsonObject JsonObject::get_object(const std::string& key, const std::vector<std::string>& keys) const {
  return JsonObject(at(key), origin_, path_of(key), keys);
}

}  // namespace loe
