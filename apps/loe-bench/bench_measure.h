// Timing and printing shared by the bench commands.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace loe::app {

/// Wall-clock seconds of one call.
template <class F>
double time_seconds(F&& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Repeated measurements of one thing.
struct Series {
  std::vector<double> values;
  void add(double value) { values.push_back(value); }
  double median() const;  ///< of an even number: the mean of the middle two
  double min() const;
  double max() const;
};

/// Lets threads of another library that spin after their work go to sleep, so that they do not disturb the next side.
void let_threads_settle();

/// One object per line with json, else an aligned table of the columns `keys` (absent and null: "-").
void print_records(const std::vector<nlohmann::ordered_json>& records, const std::vector<std::string>& keys, bool json);

}  // namespace loe::app
