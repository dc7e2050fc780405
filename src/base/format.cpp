#include "loe/base/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace loe {

std::string format_measure(double value, int n_digits) {
  return std::isnan(value) ? "n/a" : fmt::format("{:.{}f}", value, n_digits);
}

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  const auto total = static_cast<int64_t>(std::min(std::round(seconds), 1e15));
  const int64_t hours = total / 3600;
  const int64_t minutes = total / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02d}:{:02d}", hours, minutes, total % 60);
  return fmt::format("{}:{:02d}", minutes, total % 60);
}

std::string format_integer(int64_t value) {
  std::string digits = fmt::format("{}", value);
  for (auto i = static_cast<int>(digits.size()) - 3; i > (value < 0 ? 1 : 0); i -= 3) {
    digits.insert(static_cast<std::size_t>(i), 1, ',');
  }
  return digits;
}

std::string format_rate(double value) {
  if (!std::isfinite(value)) return "?";
  const struct {
    double unit;
    const char* suffix;
  } units[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
  for (const auto& [unit, suffix] : units) {
    if (value >= unit) return fmt::format("{:.{}f}{}", value / unit, value / unit < 10 ? 2 : 1, suffix);
  }
  return fmt::format("{:.0f}", value);
}

std::string format_bytes(int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value >= 1e9) return fmt::format("{:.1f} GB", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.0f} MB", value / 1e6);
  return fmt::format("{:.0f} kB", std::ceil(value / 1e3));
}

}  // namespace loe
