// Numbers for people.
#pragma once

#include <cstdint>
#include <string>

namespace loe {

/// "1,234,567".
std::string format_integer(int64_t value);
/// "0.9876"; "n/a" where nothing could be measured (NaN: the SSIM of a picture smaller than its window).
std::string format_measure(double value, int n_digits);
/// "0:42", "12:03", "3:04:05".
std::string format_duration(double seconds);
/// "12.3M", "950", "1.20k".
std::string format_rate(double value);
/// "201 MB", "1.3 GB" (powers of 1000).
std::string format_bytes(int64_t bytes);

}  // namespace loe
