#include "parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "loe/base/error.h"

namespace loe::app {
namespace {

constexpr int kMaxSize = 65536;

[[noreturn]] void fail(const std::string& flag, const std::string& expected, const std::string& found) {
  throw Error(ErrorKind::InvalidArgument, fmt::format("[flags] {}: expected {}, got '{}'", flag, expected, found));
}

/// Whole text as a number, or false. from_chars: no locale, no leading blanks, no octal, no hexadecimal.
template <typename T>
bool read_whole(const std::string& text, T& value) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  return result.ec == std::errc{} && result.ptr == end && !text.empty();
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

}  // namespace

int64_t parse_int(const std::string& flag, const std::string& text, int64_t min, int64_t max) {
  int64_t value = 0;
  if (!read_whole(text, value) || value < min || value > max) {
    const bool is_open = max == std::numeric_limits<int64_t>::max();
    fail(flag, is_open ? fmt::format("a whole number >= {}", min) : fmt::format("a whole number in {}..{}", min, max),
         text);
  }
  return value;
}

double parse_double(const std::string& flag, const std::string& text, double min, double max) {
  double value = 0;
  if (!read_whole(text, value) || !std::isfinite(value) || value < min || value > max) {
    fail(flag, fmt::format("a number in {}..{}", min, max), text);
  }
  return value;
}

SettingValue number_or_text(const std::string& text) {
  int64_t whole = 0;
  double number = 0;
  if (read_whole(text, whole)) return whole;
  if (read_whole(text, number)) return number;
  return text;
}

double parse_decibel(const std::string& flag, const std::string& text) {
  std::string number = text;
  for (const char* unit : {"dB", "db", "DB"}) {
    if (number.ends_with(unit)) {
      number.resize(number.size() - 2);
      break;
    }
  }
  while (number.ends_with(' ')) number.pop_back();
  double value = 0;
  if (!read_whole(number, value) || !(value > 0) || value > 200) fail(flag, "a PSNR like 40dB, at most 200dB", text);
  return value;
}

int64_t parse_count(const std::string& flag, const std::string& text, int64_t min, int64_t max) {
  double factor = 1;
  std::string number = text;
  if (!number.empty()) {
    const char last = number.back();
    factor = last == 'k' || last == 'K' ? 1e3 : last == 'M' ? 1e6 : last == 'G' ? 1e9 : 1;
  }
  if (factor > 1) number.pop_back();
  double value = 0;
  const bool is_number = read_whole(number, value) && std::isfinite(value);
  value = std::round(value * factor);
  if (!is_number || value < static_cast<double>(min) || value > static_cast<double>(max)) {
    fail(flag, fmt::format("a number in {}..{} (k, M and G may follow: 250k, 9.4M)", min, max), text);
  }
  return static_cast<int64_t>(value);
}

PictureSize parse_size(const std::string& flag, const std::string& text) {
  const std::vector<std::string> parts = split(text, 'x');
  PictureSize size;
  if (parts.size() != 2 || !read_whole(parts[0], size.width) || !read_whole(parts[1], size.height) || size.width < 1 ||
      size.height < 1 || size.width > kMaxSize || size.height > kMaxSize) {
    fail(flag, fmt::format("WIDTHxHEIGHT like 1024x768, each in 1..{}", kMaxSize), text);
  }
  return size;
}

Region parse_region(const std::string& flag, const std::string& text) {
  const std::vector<std::string> parts = split(text, ',');
  Region region;
  if (parts.size() != 4 || !read_whole(parts[0], region.x) || !read_whole(parts[1], region.y) ||
      !read_whole(parts[2], region.width) || !read_whole(parts[3], region.height) || region.x < 0 || region.y < 0 ||
      region.width < 1 || region.height < 1) {
    fail(flag, "x,y,width,height in whole pixels like 0,0,64,64", text);
  }
  return region;
}

FrameSpan parse_frames(const std::string& flag, const std::string& text, int n_frames) {
  const auto fail = [&] {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] {}: expected a:b inside 0:{} with a < b, or one frame in 0..{}, got '{}'", flag,
                            n_frames, n_frames - 1, text));
  };
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return {parse_double(flag, text, 0, n_frames - 1), 1, true};
  const std::string begin = text.substr(0, colon);
  const std::string end = text.substr(colon + 1);
  if (begin.find(':') != std::string::npos || end.find(':') != std::string::npos) fail();
  const double first = begin.empty() ? 0 : parse_double(flag, begin, 0, n_frames);
  const double last = end.empty() ? n_frames : parse_double(flag, end, 0, n_frames);
  if (first >= last) fail();
  return {first, last - first, false};
}

FrameRate parse_frame_rate(const std::string& flag, const std::string& text) {
  constexpr double kMaxRate = 10000;
  constexpr int64_t kMaxPart = 1000000000;
  const std::size_t slash = text.find('/');
  FrameRate rate;
  if (slash != std::string::npos) {
    rate.numerator = parse_int(flag, text.substr(0, slash), 1, kMaxPart);
    rate.denominator = parse_int(flag, text.substr(slash + 1), 1, kMaxPart);
  } else {
    const double value = parse_double(flag, text, 0, kMaxRate);
    rate.denominator = 1;
    // Decimals as they are written: at most five places.
    while (rate.denominator < 100000 && std::round(value * rate.denominator) != value * rate.denominator) {
      rate.denominator *= 10;
    }
    rate.numerator = std::llround(value * static_cast<double>(rate.denominator));
  }
  if (rate.numerator < 1 || rate.value() > kMaxRate) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] {}: expected frames per second above 0, at most {}, such as 25 or 30000/1001, got "
                            "'{}'",
                            flag, kMaxRate, text));
  }
  return rate;
}

std::string shell_quote(const std::string& text) {
  const auto is_plain = [](unsigned char c) { return std::isalnum(c) != 0 || std::strchr("/._-+,:@%", c) != nullptr; };
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace loe::app
