// Settings: dotted keys with typed values, the common form of config files, presets and --set flags.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace loe {

/// One value of a config. Lists are homogeneous; nested lists are written [[2, 2], [4, 4]].
using SettingValue =
    std::variant<bool, int64_t, double, std::string, std::vector<double>, std::vector<std::vector<double>>>;

/// A flat map from dotted key ("model.widths", "train.max_steps") to value, each remembering where it came from
/// (preset name, file:line, "--set"), so that an error can name the place.
class Settings {
 public:
  struct Entry {
    SettingValue value;
    std::string origin;
  };

  void set(const std::string& key, SettingValue value, const std::string& origin);
  bool contains(const std::string& key) const { return entries_.count(key) != 0; }
  const std::map<std::string, Entry>& entries() const { return entries_; }

  /// Later settings win: every entry of `other` replaces ours.
  void merge(const Settings& other);

  /// Typed reads. Missing: the fallback. Wrong type or outside [min, max]: Error(InvalidArgument) naming key,
  /// origin, expected and found.
  bool get_bool(const std::string& key, bool fallback) const;
  int64_t get_int(const std::string& key, int64_t fallback, int64_t min, int64_t max) const;
  double get_double(const std::string& key, double fallback, double min, double max) const;
  std::string get_string(const std::string& key, const std::string& fallback) const;
  /// One of `choices`, else an error that lists them.
  std::string get_choice(const std::string& key, const std::string& fallback,
                         const std::vector<std::string>& choices) const;
  std::vector<double> get_list(const std::string& key, const std::vector<double>& fallback) const;
  std::vector<std::vector<double>> get_nested_list(const std::string& key,
                                                   const std::vector<std::vector<double>>& fallback) const;

  /// Whether the key is there and holds a number, not a list.
  bool is_number(const std::string& key) const;

  /// Error(InvalidArgument): `[config] key (origin): expected ..., got ...`, for a key that is there; the value is
  /// shown as its user would write it.
  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;

  /// Error(InvalidArgument) naming the first key that is not in `known`, its origin and the closest known key.
  void require_known(const std::vector<std::string>& known) const;

 private:
  std::map<std::string, Entry> entries_;
};

/// As a config file holds it: true, 64, "toy", [[2, 2], [4, 4]].
std::string to_text(const SettingValue& value);

/// The key of `known` that was probably meant by `key`, or ""; also finds "model.widths" for "widths", under any table.
std::string closest_key(const std::string& key, const std::vector<std::string>& known);

/// The entry of `choices` with the smallest edit distance to `word`, or "" if none is close enough to suggest.
std::string closest_match(const std::string& word, const std::vector<std::string>& choices);

}  // namespace loe
