#include "loe/base/setting_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>
#include <utility>

#include "base/enum_names.h"

namespace loe {
namespace {

constexpr detail::EnumNames<Decides, 4> kDecidesNames = {
    {{Decides::Result, "result"}, {Decides::Stop, "stop"}, {Decides::Report, "report"}, {Decides::Label, "label"}}};

/// Large and small powers of ten as 10^n.
std::string bound_text(double value) {
  const double exponent = std::log10(std::abs(value));
  if (value != 0 && std::abs(exponent) >= 4 && exponent == std::round(exponent)) {
    return fmt::format("{}10^{}", value < 0 ? "-" : "", exponent);
  }
  return fmt::format("{}", value);
}

std::string whole_range_text(int64_t min, int64_t max) {
  return max == std::numeric_limits<int64_t>::max() ? fmt::format(">= {}", min) : fmt::format("{}..{}", min, max);
}

/// A list of equal numbers as one, "9 times 64"; a list of lists of equal numbers as their list.
std::string default_text(const SettingValue& value) {
  constexpr std::size_t kMaxShown = 4;
  const auto is_constant = [](const std::vector<double>& list) {
    return std::all_of(list.begin(), list.end(), [&](double number) { return number == list[0]; });
  };
  if (const auto* lists = std::get_if<std::vector<std::vector<double>>>(&value);
      lists != nullptr && !lists->empty() && std::all_of(lists->begin(), lists->end(), is_constant)) {
    std::vector<double> firsts;
    for (const std::vector<double>& list : *lists) {
      firsts.push_back(list.at(0));
    }
    return default_text(firsts);
  }
  if (const auto* list = std::get_if<std::vector<double>>(&value);
      list != nullptr && list->size() > kMaxShown && is_constant(*list)) {
    return fmt::format("{} times {}", list->size(), list->at(0));
  }
  return to_text(value);
}

}  // namespace

SettingInfo Setting::info() const {
  return {key, type, values, default_text.empty() ? loe::default_text(write()) : default_text, meaning, decides};
}

const char* to_string(Decides decides) {
  return detail::enum_name(kDecidesNames, decides);
}

std::string to_string(const NumberRange& range) {
  if (!range.excludes_min && !range.excludes_max) {
    return fmt::format("{}..{}", bound_text(range.min), bound_text(range.max));
  }
  return fmt::format("{}{} up to{} {}", range.excludes_min ? "above " : "",
                     bound_text(range.min) + (range.excludes_min ? "," : ""),
                     range.excludes_max ? ", not including," : "", bound_text(range.max));
}

std::vector<int> get_whole_list(const Settings& settings, const std::string& key, int min, int max) {
  std::vector<int> list;
  for (const double value : settings.get_list(key, {})) {
    if (!(value >= min && value <= max) || value != std::floor(value)) {
      settings.refuse(key, fmt::format("whole numbers in {}..{}", min, max));
    }
    list.push_back(static_cast<int>(value));
  }
  return list;
}

Setting& SettingTable::add(Setting setting) {
  return rows_.emplace_back(std::move(setting));
}

void SettingTable::append(SettingTable other) {
  for (Setting& row : other.rows_) {
    rows_.push_back(std::move(row));
  }
}

Setting* SettingTable::find(const std::string& key) {
  const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Setting& setting) { return setting.key == key; });
  return row == rows_.end() ? nullptr : &*row;
}

void SettingTable::set_written(bool is_written) {
  for (Setting& row : rows_) {
    row.is_written = is_written;
  }
}

const Setting* SettingTable::find(const std::string& key) const {
  const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Setting& setting) { return setting.key == key; });
  return row == rows_.end() ? nullptr : &*row;
}

std::vector<std::string> SettingTable::keys() const {
  std::vector<std::string> keys;
  for (const Setting& row : rows_) {
    keys.push_back(row.key);
  }
  return keys;
}

std::vector<SettingInfo> SettingTable::infos() const {
  std::vector<SettingInfo> infos;
  for (const Setting& row : rows_) {
    infos.push_back(row.info());
  }
  return infos;
}

void SettingTable::read(const Settings& settings) const {
  for (const Setting& row : rows_) {
    if (settings.contains(row.key)) {
      row.read(settings);
    }
  }
}

void SettingTable::write(Settings& settings, const std::string& origin) const {
  for (const Setting& row : rows_) {
    if (row.is_written) {
      settings.set(row.key, row.write(), origin);
    }
  }
}

Setting& SettingTable::whole(const std::string& key, int& value, int min, int max, const std::string& meaning) {
  return add({.key = key,
              .type = "whole number",
              .values = whole_range_text(min, max),
              .meaning = meaning,
              .read = [=, &value](const Settings& s) { value = get_small_int(s, key, value, min, max); },
              .write = [&value] { return SettingValue(int64_t{value}); }});
}

Setting& SettingTable::whole(const std::string& key, int64_t& value, int64_t min, int64_t max,
                             const std::string& meaning) {
  return add({.key = key,
              .type = "whole number",
              .values = whole_range_text(min, max),
              .meaning = meaning,
              .read = [=, &value](const Settings& s) { value = s.get_int(key, value, min, max); },
              .write = [&value] { return SettingValue(value); }});
}

Setting& SettingTable::seed(const std::string& key, uint64_t& value, const std::string& meaning) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return add({.key = key,
              .type = "whole number",
              .values = "0..2^63-1",
              .meaning = meaning,
              .read = [=, &value](const Settings& s) { value = static_cast<uint64_t>(s.get_int(key, 0, 0, kMax)); },
              .write = [&value] { return SettingValue(static_cast<int64_t>(value)); }});
}

Setting& SettingTable::number(const std::string& key, double& value, const NumberRange& range,
                              const std::string& meaning) {
  const auto read = [=, &value](const Settings& settings) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const bool is_number = settings.is_number(key);
    const double found = is_number ? settings.get_double(key, 0, -kInfinity, kInfinity) : 0;
    if (!is_number || !range.contains(found)) {
      settings.refuse(key, fmt::format("a number {}{}", range.excludes_min ? "" : "in ", to_string(range)));
    }
    value = found;
  };
  return add(
      {.key = key, .type = "number", .values = to_string(range), .meaning = meaning, .read = read, .write = [&value] {
         return SettingValue(value);
       }});
}

Setting& SettingTable::flag(const std::string& key, bool& value, const std::string& meaning) {
  return add({.key = key,
              .type = "true/false",
              .values = "",
              .meaning = meaning,
              .read = [=, &value](const Settings& s) { value = s.get_bool(key, value); },
              .write = [&value] { return SettingValue(value); }});
}

Setting& SettingTable::text(const std::string& key, std::string& value, const std::string& values,
                            const std::string& meaning) {
  return add({.key = key,
              .type = "text",
              .values = values,
              .meaning = meaning,
              .read = [=, &value](const Settings& s) { value = s.get_string(key, value); },
              .write = [&value] { return SettingValue(value); }});
}

Setting& SettingTable::choice(const std::string& key, std::string& value, const std::vector<std::string>& choices,
                              const std::string& meaning) {
  std::vector<std::string> shown;
  for (const std::string& choice : choices) {
    if (!choice.empty()) {
      shown.push_back(fmt::format("`{}`", choice));
    }
  }
  return add({.key = key,
              .type = "text",
              .values = fmt::format("{}", fmt::join(shown, ", ")),
              .meaning = meaning,
              .read = [=, &value](const Settings& s) { value = s.get_choice(key, value, choices); },
              .write = [&value] { return SettingValue(value); }});
}

Setting& SettingTable::wholes(const std::string& key, std::vector<int>& value, int min, int max,
                              const std::string& values, const std::string& meaning) {
  return add({.key = key,
              .type = "list",
              .values = values,
              .meaning = meaning,
              .read = [=, &value](const Settings& s) { value = get_whole_list(s, key, min, max); },
              .write = [&value] { return SettingValue(std::vector<double>(value.begin(), value.end())); }});
}

Setting& SettingTable::numbers(const std::string& key, std::vector<double>& value, const std::string& values,
                               const std::string& meaning) {
  return add({.key = key,
              .type = "list",
              .values = values,
              .meaning = meaning,
              .read = [=, &value](const Settings& s) { value = s.get_list(key, value); },
              .write = [&value] { return SettingValue(value); }});
}

Setting& SettingTable::numbers(const std::string& key, double* value, std::size_t n, const std::string& form,
                               const std::string& meaning) {
  const auto read = [=](const Settings& settings) {
    const std::vector<double> list = settings.get_list(key, {});
    if (list.size() != n) {
      settings.refuse(key, form);
    }
    std::copy(list.begin(), list.end(), value);
  };
  return add({.key = key, .type = "list", .values = form, .meaning = meaning, .read = read, .write = [=] {
                return SettingValue(std::vector<double>(value, value + n));
              }});
}

Setting& SettingTable::optional_wholes(const std::string& key, int* value, std::size_t n, int min, int max,
                                       const std::string& form, const std::string& meaning) {
  const auto read = [=](const Settings& settings) {
    const std::vector<int> list = get_whole_list(settings, key, min, max);
    if (!list.empty() && list.size() != n) {
      settings.refuse(key, form + ", or []");
    }
    std::fill_n(value, n, 0);
    std::copy(list.begin(), list.end(), value);
  };
  const auto write = [=] {
    const bool is_none = std::all_of(value, value + n, [](int number) { return number == 0; });
    return SettingValue(is_none ? std::vector<double>() : std::vector<double>(value, value + n));
  };
  return add(
      {.key = key, .type = "list", .values = form + ", or `[]`", .meaning = meaning, .read = read, .write = write});
}

}  // namespace loe
