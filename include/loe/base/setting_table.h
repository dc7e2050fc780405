// A table of settings: each key once, with its type, range, meaning, and the variable that holds its value. Readers,
// writers, hashes, checks of a resumed run and documents all come from it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "loe/base/settings.h"

namespace loe {

/// What depends on a setting.
enum class Decides {
  Result,  ///< what a step computes, or what it computes on; fixed once a run has begun
  Stop,    ///< when a run ends
  Report,  ///< what is shown and saved, and when
  Label,   ///< nothing: a name, a place, a number of threads
};
/// "result", "stop", "report", "label".
const char* to_string(Decides decides);

/// What is to be known of a setting.
struct SettingInfo {
  std::string key;            ///< "train.max_steps"
  std::string type;           ///< "whole number"
  std::string values;         ///< what is allowed, in words: "1..64"; empty: any of the type
  std::string default_value;  ///< "64", "9 times 64"
  std::string meaning;        ///< one or two sentences, Markdown
  Decides decides = Decides::Result;
};

/// One row, bound to a variable.
struct Setting {
  std::string key;  ///< this and the following: see SettingInfo
  std::string type;
  std::string values;
  std::string meaning;
  Decides decides = Decides::Result;
  bool is_written = true;         ///< whether a resolved config holds it
  std::string default_text = {};  ///< shown as default instead of the bound variable's value, if not empty
  /// From settings that hold the key to the variable. Error(InvalidArgument) naming key, origin, expected and found.
  std::function<void(const Settings&)> read;
  /// The variable's value.
  std::function<SettingValue()> write;

  /// With the variable's value as the default.
  SettingInfo info() const;
};

/// Numbers that a setting may be.
struct NumberRange {
  double min = 0;
  double max = 0;
  bool excludes_min = false;
  bool excludes_max = false;
  bool contains(double value) const {
    return (excludes_min ? value > min : value >= min) && (excludes_max ? value < max : value <= max);
  }
};
/// "0..1", "above 0, up to 10^6", "0 up to, not including, 1".
std::string to_string(const NumberRange& range);
/// min <= x <= max; min < x <= max; min <= x < max.
inline NumberRange from_to(double min, double max) {
  return {min, max, false, false};
}
inline NumberRange above(double min, double max) {
  return {min, max, true, false};
}
inline NumberRange below(double min, double max) {
  return {min, max, false, true};
}

/// Rows in the order of reading and of documents. The variables must outlive the table.
class SettingTable {
 public:
  Setting& whole(const std::string& key, int& value, int min, int max, const std::string& meaning);
  Setting& whole(const std::string& key, int64_t& value, int64_t min, int64_t max, const std::string& meaning);
  /// 0..2^63-1.
  Setting& seed(const std::string& key, uint64_t& value, const std::string& meaning);
  Setting& number(const std::string& key, double& value, const NumberRange& range, const std::string& meaning);
  Setting& flag(const std::string& key, bool& value, const std::string& meaning);
  Setting& text(const std::string& key, std::string& value, const std::string& values, const std::string& meaning);
  /// One of `choices`; "" is allowed, and means that nothing was chosen, if it is among them.
  Setting& choice(const std::string& key, std::string& value, const std::vector<std::string>& choices,
                  const std::string& meaning);
  /// Any number of whole numbers in min..max.
  Setting& wholes(const std::string& key, std::vector<int>& value, int min, int max, const std::string& values,
                  const std::string& meaning);
  /// Any number of numbers; what else must hold is the caller's to check.
  Setting& numbers(const std::string& key, std::vector<double>& value, const std::string& values,
                   const std::string& meaning);
  /// n numbers; form: "two numbers [low, high]".
  Setting& numbers(const std::string& key, double* value, std::size_t n, const std::string& form,
                   const std::string& meaning);
  /// [] for none, which is all zeros, or n whole numbers in min..max.
  Setting& optional_wholes(const std::string& key, int* value, std::size_t n, int min, int max, const std::string& form,
                           const std::string& meaning);
  /// One of `choices`, by the names that to_string gives them.
  template <class Enum>
  Setting& choice(const std::string& key, Enum& value, const std::vector<Enum>& choices, const std::string& meaning);
  /// A row of its own kind.
  Setting& add(Setting setting);
  void append(SettingTable other);
  /// Setting::is_written of all rows.
  void set_written(bool is_written);

  const std::vector<Setting>& rows() const& { return rows_; }
  const std::vector<Setting>& rows() && = delete;
  std::vector<SettingInfo> infos() const;
  /// nullptr if there is none.
  const Setting* find(const std::string& key) const;
  Setting* find(const std::string& key);
  std::vector<std::string> keys() const;

  /// Reads the rows whose keys are there; other keys are left alone.
  void read(const Settings& settings) const;
  /// Sets every row that is written.
  void write(Settings& settings, const std::string& origin) const;

 private:
  std::vector<Setting> rows_;
};

/// settings.get_int for the range of an int.
inline int get_small_int(const Settings& settings, const std::string& key, int fallback, int min, int max) {
  return static_cast<int>(settings.get_int(key, fallback, min, max));
}
/// The numbers of a list as whole numbers in min..max. Error(InvalidArgument).
std::vector<int> get_whole_list(const Settings& settings, const std::string& key, int min, int max);

template <class Enum>
Setting& SettingTable::choice(const std::string& key, Enum& value, const std::vector<Enum>& choices,
                              const std::string& meaning) {
  std::vector<std::string> names;
  for (const Enum choice : choices) {
    names.emplace_back(to_string(choice));
  }
  std::string unused;
  Setting& row = choice(key, unused, names, meaning);
  row.read = [key, &value, choices, names](const Settings& settings) {
    const std::string name = settings.get_choice(key, "", names);
    value = choices[static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin())];
  };
  row.write = [&value] { return SettingValue(std::string(to_string(value))); };
  return row;
}

}  // namespace loe
