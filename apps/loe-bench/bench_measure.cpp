#include "bench_measure.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

namespace loe::app {
namespace {

std::string cell(const nlohmann::ordered_json& record, const std::string& key) {
  const auto found = record.find(key);
  if (found == record.end() || found->is_null()) {
    return "-";
  }
  if (found->is_string()) {
    return found->get<std::string>();
  }
  if (found->is_number_float()) {
    const double value = found->get<double>();
    return std::abs(value) >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
  }
  return found->dump();
}

}  // namespace

double Series::median() const {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : 0.5 * (sorted[half - 1] + sorted[half]);
}

double Series::min() const {
  return *std::min_element(values.begin(), values.end());
}

double Series::max() const {
  return *std::max_element(values.begin(), values.end());
}

// libgomp's workers spin for some milliseconds before they sleep.
void let_threads_settle() {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

void print_records(const std::vector<nlohmann::ordered_json>& records, const std::vector<std::string>& keys,
                   bool json) {
  if (json) {
    for (const auto& record : records) {
      fmt::print("{}\n", record.dump());
    }
    return;
  }
  std::vector<std::size_t> widths;
  for (const std::string& key : keys) {
    std::size_t width = key.size();
    for (const auto& record : records) {
      width = std::max(width, cell(record, key).size());
    }
    widths.push_back(width);
    fmt::print("{:>{}}  ", key, width);
  }
  fmt::print("\n");
  for (const auto& record : records) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      fmt::print("{:>{}}  ", cell(record, keys[i]), widths[i]);
    }
    fmt::print("\n");
  }
}

}  // namespace loe::app
