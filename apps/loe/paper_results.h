// From the run folders of `loe paper` to its report.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "paper_report.h"

namespace loe::app {

/// Chunks per axis of the seam measures: Table 1's "Chunked" has 4 x 4.
inline constexpr int kSeamChunks = 4;

/// What a finished run left: result.json, metrics.jsonl, seams.json. Nothing if it has no result.json yet.
/// Error(Format) naming the file if one is damaged.
std::optional<PaperRun> read_paper_run(const std::string& folder);

/// Writes <folder>/seams.json.
void write_seams(const std::string& folder, const SeamStats& seams);

struct MeanAndSpread {
  double mean = 0;
  double std_dev = 0;  ///< of a sample; 0 for one value
};
MeanAndSpread mean_and_spread(const std::vector<double>& values);
MeanAndSpread psnr_of(const PaperRow& row);
MeanAndSpread ssim_of(const PaperRow& row);
/// Median over the row's runs, in seconds.
double seconds_per_step_of(const PaperRow& row);

nlohmann::ordered_json report_to_json(const PaperReport& report);

/// The table as text, a line per row.
std::string report_to_text(const PaperReport& report);

}  // namespace loe::app
