// From the run folders of `loe paper` to its report.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "paper_kind.h"
#include "paper_report.h"

namespace loe::app {

/// Chunks per axis of the seam measures: Table 1's "Chunked" has 4 x 4.
inline constexpr int kSeamChunks = 4;

/// What a finished run of this task left: result.json, metrics.jsonl, and what PaperKind::read_run reads. Nothing if it
/// has no result.json yet. Error(Format) naming the file if one is damaged.
std::optional<PaperRun> read_paper_run(const std::string& folder, const std::string& task);

/// A run's files are ours, but somebody may have edited them. Error(Format) naming file and key, for an object and for
/// numbers; null is NaN where a number may be undefined (a mean over nothing).
nlohmann::ordered_json read_run_json(const std::string& path);
double run_number(const nlohmann::ordered_json& json, const std::string& key, const std::string& path);
double run_number_or_nan(const nlohmann::ordered_json& json, const std::string& key, const std::string& path);

/// Over the runs of a row, values that are not finite left out.
struct MeanAndSpread {
  int n = 0;
  double mean = 0;
  std::optional<double> spread;  ///< sample standard deviation (n - 1); none for fewer than two values
};
MeanAndSpread mean_and_spread(const PaperRow& row, const std::function<double(const PaperRun&)>& value);
MeanAndSpread headline_of(const PaperRow& row);
MeanAndSpread measured(const PaperRow& row, const Measure& measure);
MeanAndSpread ssim_of(const PaperRow& row);
MeanAndSpread step_seconds_of(const PaperRow& row);

nlohmann::ordered_json report_to_json(const PaperReport& report);

/// The table as text, a line per row.
std::string report_to_text(const PaperReport& report);

}  // namespace loe::app
