#include "io/scene_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "io/scene_builder.h"
#include "io/text.h"

namespace loe {

std::vector<std::string_view> split_words(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::vector<std::string_view> words;
  for (std::size_t at = line.find_first_not_of(kSpace); at != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kSpace, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kSpace, end);
  }
  return words;
}

double parse_finite(std::string_view word, const std::string& path, const std::string& field) {
  const std::string_view digits = !word.empty() && word[0] == '+' ? word.substr(1) : word;
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  // Too small a number is a zero, too large a one is none.
  const bool is_tiny = error == std::errc::result_out_of_range && digits.find("e-") != std::string_view::npos;
  if (end != digits.data() + digits.size() || !(error == std::errc() || is_tiny) || !std::isfinite(value)) {
    fail_scene_format(path, field, "a finite number", fmt::format("'{}'", printable(word)));
  }
  return value;
}

std::vector<std::vector<double>> parse_rows(const std::string& text, const std::string& path) {
  constexpr std::size_t kMax = 64;
  std::vector<std::vector<double>> rows;
  for (std::size_t at = 0, line = 1; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::vector<std::string_view> words = split_words(std::string_view(text).substr(at, end - at));
    at = end + 1;
    if (words.empty()) {
      continue;
    }
    const std::string field = fmt::format("line {}", line);
    if (words.size() > kMax || rows.size() == kMax) {
      fail_scene_format(path, field, fmt::format("at most {} lines of at most {} numbers", kMax, kMax), "more");
    }
    rows.emplace_back();
    for (const std::string_view word : words) {
      rows.back().push_back(parse_finite(word, path, field));
    }
  }
  return rows;
}

}  // namespace loe
