// What `loe bench quality` found: as JSON, as curves, as a page.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "svg_chart.h"

namespace loe::app {

/// PSNR of the whole picture after some seconds of training.
struct QualityPoint {
  double seconds = 0;
  double psnr_db = 0;
};

/// One training of one method: a number of parameters at most, a time, a seed.
struct QualityRun {
  std::string method;  ///< "best"
  std::string title;   ///< "levels of experts on a grid"
  uint64_t seed = 0;
  int64_t max_params = 0;     ///< what it was allowed
  int64_t n_params = 0;       ///< what it has
  double budget_seconds = 0;  ///< when its rate has come down and it stops
  double seconds = 0;         ///< of training, evaluations not counted
  double psnr_db = 0;         ///< at the end
  int64_t steps = 0;
  double samples_per_second = 0;
  std::vector<QualityPoint> curve;  ///< on the way, the end included; may be empty
};

struct QualityReport {
  std::string picture;  ///< "camera.png: 512 x 512, 1 channels, u8"
  std::string machine;  ///< CPU, threads, version: one line
  std::string command;  ///< that repeats it
  std::vector<QualityRun> runs;
};

nlohmann::ordered_json to_json(const QualityRun& run);
nlohmann::ordered_json to_json(const QualityReport& report);
/// The "runs" of a file that to_json() or a script of the same form has written. Error(Format) naming file and key.
std::vector<QualityRun> read_quality_runs(const std::string& path);

/// PSNR against seconds of all runs that were allowed so many parameters: a strong line per method through the ends of
/// its runs (mean over the seeds), or along its one run's course; each course faintly.
LineChart seconds_chart(const QualityReport& report, int64_t max_params);
/// PSNR after the longest time against parameters: a line per method.
LineChart params_chart(const QualityReport& report);

/// Writes quality.json, index.html (one page without scripts or other files) and the curves as seconds.svg (for several
/// numbers of parameters seconds_<N>.svg each) and, for several, params.svg. What lies there under these names is
/// replaced. Error(Io).
void write_quality_report(const QualityReport& report, const std::string& folder);

}  // namespace loe::app
