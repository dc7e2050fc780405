#include "loe/base/settings.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "loe/base/error.h"

namespace loe {
namespace {

// Values are user text: errors quote at most this much of them, on one line.
constexpr std::size_t kMaxQuoted = 60;

std::string quoted(const std::string& text) {
  std::string shown = text.substr(0, kMaxQuoted);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      c = '?';
    }
  }
  return fmt::format("\"{}{}\"", shown, text.size() > kMaxQuoted ? "..." : "");
}

/// Of the text of a value: at most kMaxQuoted characters, a string's own quotes included.
std::string describe(const SettingValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return quoted(*text);
  }
  const std::string text = to_text(value);
  return text.size() > kMaxQuoted ? text.substr(0, kMaxQuoted) + "..." : text;
}

[[noreturn]] void fail(const std::string& key, const Settings::Entry& entry, const std::string& expected) {
  throw Error(ErrorKind::InvalidArgument, fmt::format("[config] {} ({}): expected {}, got {}; change it there",
                                                      quoted(key), entry.origin, expected, describe(entry.value)));
}

const Settings::Entry* find(const std::map<std::string, Settings::Entry>& entries, const std::string& key) {
  const auto it = entries.find(key);
  return it == entries.end() ? nullptr : &it->second;
}

/// Optimal string alignment distance (insert, delete, replace, swap neighbours).
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> previous(b.size() + 1);
  std::vector<std::size_t> current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    previous[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

std::string last_component(const std::string& key) {
  return key.substr(key.rfind('.') + 1);  // npos + 1 == 0: the whole key
}

}  // namespace

std::string closest_key(const std::string& key, const std::vector<std::string>& known) {
  const std::string whole = closest_match(key, known);
  if (!whole.empty()) {
    return whole;
  }
  std::vector<std::string> names;
  for (const std::string& candidate : known) {
    names.push_back(last_component(candidate));
  }
  const std::string name = closest_match(last_component(key), names);
  const auto it = std::find(names.begin(), names.end(), name);
  return name.empty() ? "" : known[static_cast<std::size_t>(it - names.begin())];
}

std::string to_text(const SettingValue& value) {
  const auto list_text = [](const std::vector<double>& list) { return fmt::format("[{}]", fmt::join(list, ", ")); };
  if (const auto* text = std::get_if<std::string>(&value)) {
    return fmt::format("\"{}\"", *text);
  }
  if (const auto* list = std::get_if<std::vector<double>>(&value)) {
    return list_text(*list);
  }
  if (const auto* lists = std::get_if<std::vector<std::vector<double>>>(&value)) {
    std::vector<std::string> parts;
    for (const std::vector<double>& list : *lists) {
      parts.push_back(list_text(list));
    }
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
  const auto* integer = std::get_if<int64_t>(&value);
  const auto* real = std::get_if<double>(&value);
  return integer != nullptr ? fmt::format("{}", *integer)
         : real != nullptr  ? fmt::format("{}", *real)
                            : (std::get<bool>(value) ? "true" : "false");
}

void Settings::set(const std::string& key, SettingValue value, const std::string& origin) {
  entries_[key] = Entry{std::move(value), origin};
}

void Settings::merge(const Settings& other) {
  for (const auto& [key, entry] : other.entries_) {
    entries_[key] = entry;
  }
}

bool Settings::get_bool(const std::string& key, bool fallback) const {
  const Entry* entry = find(entries_, key);
  if (entry == nullptr) {
    return fallback;
  }
  if (const bool* value = std::get_if<bool>(&entry->value)) {
    return *value;
  }
  fail(key, *entry, "true or false");
}

int64_t Settings::get_int(const std::string& key, int64_t fallback, int64_t min, int64_t max) const {
  const Entry* entry = find(entries_, key);
  if (entry == nullptr) {
    return fallback;
  }
  const std::string expected = max == std::numeric_limits<int64_t>::max()
                                   ? fmt::format("a whole number >= {}", min)
                                   : fmt::format("a whole number in {}..{}", min, max);
  int64_t value = 0;
  if (const auto* integer = std::get_if<int64_t>(&entry->value)) {
    value = *integer;
  } else if (const auto* real = std::get_if<double>(&entry->value);
             real != nullptr && std::abs(*real) <= 0x1p53 && *real == std::floor(*real)) {
    value = static_cast<int64_t>(*real);  // max_steps = 1e5
  } else {
    fail(key, *entry, expected);
  }
  if (value < min || value > max) {
    fail(key, *entry, expected);
  }
  return value;
}

double Settings::get_double(const std::string& key, double fallback, double min, double max) const {
  const Entry* entry = find(entries_, key);
  if (entry == nullptr) {
    return fallback;
  }
  const std::string expected = fmt::format("a number in {}..{}", min, max);
  double value = 0;
  if (const auto* integer = std::get_if<int64_t>(&entry->value)) {
    value = static_cast<double>(*integer);
  } else if (const auto* real = std::get_if<double>(&entry->value)) {
    value = *real;
  } else {
    fail(key, *entry, expected);
  }
  if (!(value >= min && value <= max)) {
    fail(key, *entry, expected);
  }
  return value;
}

std::string Settings::get_string(const std::string& key, const std::string& fallback) const {
  const Entry* entry = find(entries_, key);
  if (entry == nullptr) {
    return fallback;
  }
  if (const auto* value = std::get_if<std::string>(&entry->value)) {
    return *value;
  }
  fail(key, *entry, "a text in quotes");
}

std::string Settings::get_choice(const std::string& key, const std::string& fallback,
                                 const std::vector<std::string>& choices) const {
  const Entry* entry = find(entries_, key);
  if (entry == nullptr) {
    return fallback;
  }
  const auto* value = std::get_if<std::string>(&entry->value);
  if (value != nullptr && std::find(choices.begin(), choices.end(), *value) != choices.end()) {
    return *value;
  }
  const std::string suggestion = value == nullptr ? "" : closest_match(*value, choices);
  throw Error(ErrorKind::InvalidArgument,
              fmt::format("[config] {} ({}): expected one of {}, got {}; {}", quoted(key), entry->origin,
                          fmt::join(choices, ", "), describe(entry->value),
                          suggestion.empty() ? "choose one of them" : fmt::format("did you mean {}?", suggestion)));
}

std::vector<double> Settings::get_list(const std::string& key, const std::vector<double>& fallback) const {
  const Entry* entry = find(entries_, key);
  if (entry == nullptr) {
    return fallback;
  }
  if (const auto* value = std::get_if<std::vector<double>>(&entry->value)) {
    return *value;
  }
  if (const auto* nested = std::get_if<std::vector<std::vector<double>>>(&entry->value);
      nested != nullptr && nested->empty()) {
    return {};
  }
  fail(key, *entry, "a list of numbers such as [64, 64]");
}

std::vector<std::vector<double>> Settings::get_nested_list(const std::string& key,
                                                           const std::vector<std::vector<double>>& fallback) const {
  const Entry* entry = find(entries_, key);
  if (entry == nullptr) {
    return fallback;
  }
  if (const auto* value = std::get_if<std::vector<std::vector<double>>>(&entry->value)) {
    return *value;
  }
  if (const auto* flat = std::get_if<std::vector<double>>(&entry->value); flat != nullptr && flat->empty()) {
    return {};  // TOML's [] does not say of what
  }
  fail(key, *entry, "a list of lists of numbers such as [[2, 2], [4, 4]]");
}

bool Settings::is_number(const std::string& key) const {
  const Entry* entry = find(entries_, key);
  return entry != nullptr &&
         (std::holds_alternative<int64_t>(entry->value) || std::holds_alternative<double>(entry->value));
}

void Settings::refuse(const std::string& key, const std::string& expected) const {
  const Entry& entry = entries_.at(key);
  throw Error(ErrorKind::InvalidArgument,
              fmt::format("[config] {} ({}): expected {}, got {}", key, entry.origin, expected, describe(entry.value)));
}

void Settings::require_known(const std::vector<std::string>& known) const {
  for (const auto& [key, entry] : entries_) {
    if (std::find(known.begin(), known.end(), key) != known.end()) {
      continue;
    }
    const std::string suggestion = closest_key(key, known);
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[config] {} ({}): expected a known key, got an unknown one; {}", quoted(key), entry.origin,
                            suggestion.empty() ? fmt::format("remove it or use one of {}", fmt::join(known, ", "))
                                               : fmt::format("did you mean {}?", suggestion)));
  }
}

std::string closest_match(const std::string& word, const std::vector<std::string>& choices) {
  const std::string folded = lower(word);
  std::string best;
  std::size_t best_distance = 0;
  for (const std::string& choice : choices) {
    // A third of the letters wrong is still a slip; more is another word. Also bounds the work for hostile lengths.
    const std::size_t limit = std::max<std::size_t>(1, std::min(word.size(), choice.size()) / 3);
    if (std::max(word.size(), choice.size()) - std::min(word.size(), choice.size()) > limit) {
      continue;
    }
    const std::size_t distance = edit_distance(folded, lower(choice));
    if (distance <= limit && distance < std::min(word.size(), choice.size()) &&
        (best.empty() || distance < best_distance)) {
      best = choice;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace loe
