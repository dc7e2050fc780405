#include "paper_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "loe/base/error.h"
#include "loe/io/file.h"
#include "paper_kind.h"
#include "progress.h"

namespace loe::app {
namespace {

using Json = nlohmann::ordered_json;

/// Points of a curve that a chart of a page's width can show.
constexpr std::size_t kMaxCurvePoints = 400;

/// Logs are twice a second: every n-th is enough to draw. The last one is always kept.
std::vector<CurvePoint> thin_out(const std::vector<CurvePoint>& points) {
  const std::size_t every = points.size() / kMaxCurvePoints + 1;
  std::vector<CurvePoint> kept;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i % every == 0 || i + 1 == points.size()) kept.push_back(points[i]);
  }
  return kept;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Curve and median time of a step, from the progress lines. The time is that between two lines: how many samples a
/// step of a scene has changes from step to step.
void read_metrics(const std::string& path, const char* curve_key, PaperRun& run) {
  std::istringstream lines(read_text_file(path, std::size_t{256} << 20));
  std::vector<double> seconds_per_step;
  std::vector<CurvePoint> points;
  double last_seconds = 0;
  int64_t last_step = 0;
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step")) continue;  // a line cut by a crash
    const auto step = static_cast<int64_t>(run_number(json, "step", path));
    const double seconds = run_number(json, "seconds", path);
    if (json.contains(curve_key)) points.push_back({step, run_number(json, curve_key, path)});
    if (!json.contains("loss")) continue;  // an evaluation
    if (step > last_step) seconds_per_step.push_back((seconds - last_seconds) / static_cast<double>(step - last_step));
    last_step = step;
    last_seconds = seconds;
  }
  run.curve = thin_out(points);
  run.seconds_per_step = median(std::move(seconds_per_step));
}

/// The PSNR of each part, and its name if parts have one. A part that is met exactly has no PSNR: null.
void read_parts(const Json& json, const char* key, const std::string& path, PaperRun& run) {
  const Json parts = json.value(key, Json());
  const Json psnr = parts.is_object() ? parts.value("psnr_db", Json()) : Json();
  if (!psnr.is_array()) {
    throw Error(ErrorKind::Format, fmt::format("[paper] {}: {}.psnr_db: expected a list, found none; remove this "
                                               "run's folder, so that it is repeated",
                                               path, key));
  }
  for (const Json& value : psnr) run.part_psnr_db.push_back(value.is_number() ? value.get<double>() : kNotMeasured);
  const Json names = parts.value("name", Json());
  if (!names.is_array()) return;
  for (const Json& name : names) run.part_names.push_back(name.is_string() ? name.get<std::string>() : "");
}

Json printed_to_json(const PrintedNumber& printed) {
  Json json = {{"value", printed.value}};
  if (printed.std_dev) json["std"] = *printed.std_dev;
  return json;
}

Json run_to_json(const PaperReport& report, const PaperRun& run) {
  const PaperKind& kind = paper_kind(report.task);
  Json json = {{"seed", run.seed}, {kind.headline().key, run.headline}};
  if (kind.has_ssim()) json["ssim"] = run.ssim;
  json["seconds"] = run.seconds;
  json["seconds_per_step"] = run.seconds_per_step;
  for (const Measure& measure : measures_of(report)) json[measure.key] = run.*measure.value;
  if (const Parts* parts = kind.parts(); parts != nullptr) {
    json[parts->key] = {{"psnr_db", run.part_psnr_db}};
    if (!run.part_names.empty()) json[parts->key]["name"] = run.part_names;
  }
  kind.add_to_json(run, json);
  json["run"] = run.folder;
  return json;
}

void add_mean(Json& json, const std::string& key, const MeanAndSpread& value) {
  json[key + "_mean"] = value.mean;
  if (value.spread) json[key + "_std"] = *value.spread;
}

Json row_to_json(const PaperReport& report, const PaperRow& row) {
  const PaperKind& kind = paper_kind(report.task);
  Json json = {{"row", row.key},
               {"title", row.title},
               {"n_params", row.network.n_params()},
               {"macs_per_sample", row.network.macs_per_sample()},
               {fmt::format("paper_{}", kind.headline().paper_key), printed_to_json(row.paper_headline)}};
  if (row.paper_ssim) json["paper_ssim"] = printed_to_json(*row.paper_ssim);
  if (!row.runs.empty()) {
    add_mean(json, kind.headline().key, headline_of(row));
    for (const Measure& measure : measures_of(report)) add_mean(json, measure.key, measured(row, measure));
    if (kind.has_ssim()) add_mean(json, "ssim", ssim_of(row));
    json["seconds_per_step"] = step_seconds_of(row).mean;
  }
  json["runs"] = Json::array();
  for (const PaperRun& run : row.runs) json["runs"].push_back(run_to_json(report, run));
  return json;
}

/// A column of the text, with a blank before it.
std::string text_column(const std::string& value, const std::string& heading) {
  return fmt::format(" {:>{}}", value, std::max<std::size_t>(10, heading.size()));
}

}  // namespace

Json read_run_json(const std::string& path) {
  const Json json = Json::parse(read_text_file(path), nullptr, false);
  if (!json.is_object()) {
    throw Error(ErrorKind::Format,
                fmt::format("[paper] {}: expected a JSON object, got something else; remove this run's folder, so that "
                            "it is repeated",
                            path));
  }
  return json;
}

double run_number(const Json& json, const std::string& key, const std::string& path) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number()) {
    throw Error(ErrorKind::Format, fmt::format("[paper] {}: {}: expected a number, found none; remove this run's "
                                               "folder, so that it is repeated",
                                               path, key));
  }
  return found->get<double>();
}

double run_number_or_nan(const Json& json, const std::string& key, const std::string& path) {
  return json.contains(key) && json[key].is_null() ? std::nan("") : run_number(json, key, path);
}

std::optional<PaperRun> read_paper_run(const std::string& folder, const std::string& task) {
  const std::string path = folder + "/result.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  const Json json = read_run_json(path);
  PaperRun run;
  run.folder = folder;
  run.seed = static_cast<uint64_t>(run_number(json, "seed", path));
  const PaperKind& kind = paper_kind(task);
  run.headline = kind.read_headline(json, path);
  if (kind.has_ssim()) run.ssim = run_number_or_nan(json, "ssim", path);  // below 7 x 7 pixels there is no window
  run.seconds = run_number(json, "seconds", path);
  read_metrics(folder + "/metrics.jsonl", kind.headline().curve_key, run);
  if (kind.parts() != nullptr) read_parts(json, kind.parts()->key, path, run);
  kind.read_run(run);
  return run;
}

MeanAndSpread mean_and_spread(const PaperRow& row, const std::function<double(const PaperRun&)>& value) {
  MeanAndSpread result;
  double sum = 0;
  for (const PaperRun& run : row.runs) {
    if (!std::isfinite(value(run))) continue;
    sum += value(run);
    ++result.n;
  }
  if (result.n == 0) return result;
  result.mean = sum / result.n;
  if (result.n == 1) return result;
  double squares = 0;
  for (const PaperRun& run : row.runs) {
    const double deviation = value(run) - result.mean;
    if (std::isfinite(deviation)) squares += deviation * deviation;
  }
  result.spread = std::sqrt(squares / (result.n - 1));
  return result;
}

MeanAndSpread headline_of(const PaperRow& row) {
  return mean_and_spread(row, [](const PaperRun& run) { return run.headline; });
}

MeanAndSpread measured(const PaperRow& row, const Measure& measure) {
  return mean_and_spread(row, [&](const PaperRun& run) { return run.*measure.value; });
}

MeanAndSpread ssim_of(const PaperRow& row) {
  return mean_and_spread(row, [](const PaperRun& run) { return run.ssim; });
}

MeanAndSpread step_seconds_of(const PaperRow& row) {
  return mean_and_spread(row, [](const PaperRun& run) { return run.seconds_per_step; });
}

Json report_to_json(const PaperReport& report) {
  const PaperKind& kind = paper_kind(report.task);
  Json json = {{"table", report.table},
               {"scale", report.scale},
               {kind.noun(), report.picture},
               {"width", report.width},
               {"height", report.height}};
  if (kind.parts() != nullptr) json[kind.parts()->count_key] = report.n_parts;
  json["max_steps"] = report.max_steps;
  json["machine"] = report.machine;
  json["command"] = report.command;
  if (!report.comparison.empty()) json["comparison"] = report.comparison;
  json["rows"] = Json::array();
  for (const PaperRow& row : report.rows) json["rows"].push_back(row_to_json(report, row));
  return json;
}

std::string report_to_text(const PaperReport& report) {
  const PaperKind& kind = paper_kind(report.task);
  const std::vector<Measure> measures = measures_of(report);
  const std::string paper_heading = kind.headline().paper_heading;
  std::string headings;
  std::string none;
  for (const Measure& measure : measures) {
    headings += text_column(measure.short_name, measure.short_name);
    none += text_column("-", measure.short_name);
  }
  const auto ssim_column = [&](const std::string& text) {
    return kind.has_ssim() ? fmt::format(" {:>7}", text) : std::string();
  };
  const auto paper_column = [&](const std::string& text) {
    return fmt::format(" {:>{}}", text, std::max<std::size_t>(6, paper_heading.size()));
  };
  std::string text =
      fmt::format("{:<24} {:>15}{}{}{} {:>12} {:>10} {:>8}\n", "row", kind.headline().short_name,
                  paper_column(paper_heading), headings, ssim_column("SSIM"), "parameters", "MACs", "s/step");
  for (const PaperRow& row : report.rows) {
    const std::string counts = fmt::format("{:>12} {:>10}", format_integer(row.network.n_params()),
                                           format_integer(row.network.macs_per_sample()));
    const std::string paper = paper_column(fmt::format("{:.2f}", row.paper_headline.value));
    if (row.runs.empty()) {
      text += fmt::format("{:<24} {:>15}{}{}{} {} {:>8}\n", row.title, "-", paper, none, ssim_column("-"), counts, "-");
      continue;
    }
    const MeanAndSpread headline = headline_of(row);
    const std::string spread = headline.spread ? fmt::format("{:.2f} +- {:.2f}", headline.mean, *headline.spread)
                                               : fmt::format("{:.2f}", headline.mean);
    std::string values;
    for (const Measure& measure : measures) {
      values += text_column(fmt::format("{:.{}f}", measured(row, measure).mean, measure.n_digits), measure.short_name);
    }
    text += fmt::format("{:<24} {:>15}{}{}{} {} {:8.4f}\n", row.title, spread, paper, values,
                        ssim_column(fmt::format("{:.4f}", ssim_of(row).mean)), counts, step_seconds_of(row).mean);
  }
  for (const std::string& remark : kind.remarks(report)) text += remark + "\n";
  return text;
}

}  // namespace loe::app
