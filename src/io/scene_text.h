// Numbers from the plain text files of scenes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loe {

/// The words of a line, separated by spaces, tabs and carriage returns.
std::vector<std::string_view> split_words(std::string_view line);

/// Error(Format) naming path and field unless `word` is a finite number, whole of it.
double parse_finite(std::string_view word, const std::string& path, const std::string& field);

/// All lines that are not empty, as numbers. Error(Format) for more than 64 of them, or more than 64 in one.
std::vector<std::vector<double>> parse_rows(const std::string& text, const std::string& path);

}  // namespace loe
