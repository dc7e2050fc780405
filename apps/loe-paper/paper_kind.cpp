#include "paper_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "html.h"
#include "paper_results.h"
#include "progress.h"

namespace loe::app {

const PaperKind& paper_kind(const std::string& task) {
  return task == "gan"     ? gan_paper()
         : task == "scene" ? scene_paper()
         : task == "video" ? video_paper()
                           : picture_paper();
}

double PaperKind::read_headline(const nlohmann::ordered_json& result, const std::string& path) const {
  return run_number(result, headline().key, path);
}

std::vector<Measure> measures_of(const PaperReport& report) {
  std::vector<Measure> measures = paper_kind(report.task).measures();
  const auto is_unknown = [&](const Measure& measure) {
    return std::none_of(report.rows.begin(), report.rows.end(), [&](const PaperRow& row) {
      return std::any_of(row.runs.begin(), row.runs.end(),
                         [&](const PaperRun& run) { return std::isfinite(run.*measure.value); });
    });
  };
  measures.erase(std::remove_if(measures.begin(), measures.end(), is_unknown), measures.end());
  return measures;
}

std::vector<int> shown_parts(int n_parts) {
  constexpr int kShownParts = 3;
  const int n = std::min(kShownParts, n_parts);
  std::vector<int> parts;
  for (int i = 0; i < n; ++i) parts.push_back(static_cast<int>(int64_t{n_parts} * (2 * i + 1) / (2 * n)));
  return parts;
}

std::string shown_parts_text(const PaperReport& report) {
  const std::vector<int> shown = shown_parts(report.n_parts);
  std::vector<std::string> names;
  bool has_names = true;
  for (const int part : shown) {
    const auto i = static_cast<std::size_t>(part);
    has_names = has_names && i < report.part_names.size();
    names.push_back(has_names ? escape_html(report.part_names[i]) : format_integer(part));
  }
  return fmt::format("{} {}{}", paper_kind(report.task).parts()->one, fmt::join(names, ", "),
                     has_names ? "" : " (the first is 0)");
}

}  // namespace loe::app
