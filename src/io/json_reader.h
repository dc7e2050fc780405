// Typed, strict reads from a small JSON document of a hostile file.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace loe {

struct JsonLimits {
  std::size_t max_bytes = 0;
  int max_nesting = 0;
};
/// Parses a hostile text of any origin. fail(expected, found) must throw. A key that is there twice: the last counts.
nlohmann::json parse_json(const std::string& text, const JsonLimits& limits,
                          const std::function<void(const std::string& expected, const std::string& found)>& fail);

/// A value for messages: short, on one line.
std::string describe_json(const nlohmann::json& value);

/// Parses at most 4 MiB with at most 8 nested lists or objects. Error(Format) "[model] <origin>: ...".
nlohmann::json parse_small_json(const std::string& text, const std::string& origin);

/// One JSON object with a path such as "layers[3].grid"; every read names it in its Error(Format).
class JsonObject {
 public:
  /// Error(Format) if `value` is no object or has a key that is not in `keys`.
  JsonObject(const nlohmann::json& value, const std::string& origin, const std::string& path,
             const std::vector<std::string>& keys);

  bool has(const std::string& key) const { return value_.contains(key); }
  const nlohmann::json& at(const std::string& key) const;
  int get_int(const std::string& key, int min, int max) const;
  /// Finite.
  double get_double(const std::string& key) const;
  bool get_bool(const std::string& key) const;
  /// At most 200 bytes.
  std::string get_string(const std::string& key) const;
  /// A list of exactly `size` elements.
  const nlohmann::json& get_list(const std::string& key, std::size_t size) const;
  JsonObject get_object(const std::string& key, const std::vector<std::string>& keys) const;
  /// "layers[3].grid.a"
  std::string path_of(const std::string& key) const;
  const std::string& origin() const { return origin_; }

 private:
  const nlohmann::json& value_;
  std::string origin_;
  std::string path_;
};

/// Error(Format) "[model] <origin>: <field>: expected <expected>, got <found>; ...".
[[noreturn]] void throw_json_error(const std::string& origin, const std::string& field, const std::string& expected,
                                   const std::string& found);
int json_to_int(const nlohmann::json& value, int min, int max, const std::string& origin, const std::string& field);
double json_to_double(const nlohmann::json& value, const std::string& origin, const std::string& field);

}  // namespace loe
