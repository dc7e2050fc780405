#include "quality_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "html.h"
#include "loe/base/error.h"
#include "loe/io/file.h"
#include "page_style.h"
#include "progress.h"

namespace loe::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 8> kColors = {"#0077bb", "#009988", "#cc3311", "#ee7733",
                                                "#ee3377", "#66457c", "#997700", "#555555"};

/// Different values of a member, ascending.
template <class Value>
std::vector<Value> values_of(const QualityReport& report, Value QualityRun::*member) {
  std::vector<Value> values;
  for (const QualityRun& run : report.runs) values.push_back(run.*member);
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

/// Methods in the order of their first runs.
std::vector<std::string> methods_of(const QualityReport& report) {
  std::vector<std::string> methods;
  for (const QualityRun& run : report.runs) {
    if (std::find(methods.begin(), methods.end(), run.method) == methods.end()) methods.push_back(run.method);
  }
  return methods;
}

ChartLine line_of(std::size_t method, const std::string& label) {
  return {label, kColors[method % kColors.size()], method >= kColors.size() ? "6 4" : "", {}, {}};
}

/// Runs over the seeds of one method, size and time.
struct Cell {
  int n = 0;
  double mean = 0;
  double low = 0;
  double high = 0;
  const QualityRun* first = nullptr;
};

Cell cell_of(const QualityReport& report, const std::string& method, int64_t max_params, double budget_seconds) {
  Cell cell;
  for (const QualityRun& run : report.runs) {
    if (run.method != method || run.max_params != max_params || run.budget_seconds != budget_seconds) continue;
    cell.low = cell.n == 0 ? run.psnr_db : std::min(cell.low, run.psnr_db);
    cell.high = cell.n == 0 ? run.psnr_db : std::max(cell.high, run.psnr_db);
    if (cell.n == 0) cell.first = &run;
    cell.mean = (cell.mean * cell.n + run.psnr_db) / (cell.n + 1);
    ++cell.n;
  }
  return cell;
}

std::string seconds_file(const QualityReport& report, int64_t max_params) {
  const bool is_one = values_of(report, &QualityRun::max_params).size() == 1;
  return is_one ? "seconds.svg" : fmt::format("seconds_{}.svg", max_params);
}

std::string page_table(const QualityReport& report, int64_t max_params) {
  const std::vector<double> budgets = values_of(report, &QualityRun::budget_seconds);
  std::string html = "<div class=\"scroll\"><table>\n<thead><tr><th>method</th><th>parameters</th>";
  for (const double budget : budgets) html += fmt::format("<th>dB after {:.4g} s</th>", budget);
  html += "<th>samples/s</th></tr></thead>\n<tbody>\n";
  const std::vector<std::string> methods = methods_of(report);
  for (std::size_t i = 0; i < methods.size(); ++i) {
    std::string cells;
    const QualityRun* longest = nullptr;
    for (const double budget : budgets) {
      const Cell cell = cell_of(report, methods[i], max_params, budget);
      if (cell.n == 0) {
        cells += "<td class=\"missing\">-</td>";
        continue;
      }
      longest = cell.first;
      const std::string spread =
          cell.n > 1 ? fmt::format("<small>{:.2f} to {:.2f}, {} seeds</small>", cell.low, cell.high, cell.n) : "";
      cells += fmt::format("<td>{:.2f}{}</td>", cell.mean, spread);
    }
    if (longest == nullptr) continue;
    html += fmt::format(
        "<tr><th scope=\"row\"><span class=\"swatch\" style=\"background:{}\"></span>{}<span class=\"about\">{}</span>"
        "</th><td>{}</td>{}<td>{}</td></tr>\n",
        kColors[i % kColors.size()], escape_html(methods[i]), escape_html(longest->title),
        format_integer(longest->n_params), cells, format_rate(longest->samples_per_second));
  }
  return html + "</tbody></table></div>\n";
}

std::string page(const QualityReport& report) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"/>\n<title>Quality per second</title>\n<style>{}</style>\n"
      "</head>\n<body>\n<header><h1>Quality per second</h1>\n<dl>\n<dt>Picture</dt><dd>{}</dd>\n<dt>Machine</dt>"
      "<dd>{}</dd>\n<dt>Command</dt><dd><code>{}</code></dd>\n</dl>\n",
      page_style(), escape_html(report.picture), escape_html(report.machine), escape_html(report.command));
  html +=
      "<ul class=\"notes\"><li>One training for each number, one after the other, nothing else by this program beside "
      "it. Its learning rate has come down to its end when its time is up.</li><li>Seconds of training: evaluations on "
      "the way, reading the picture and choosing a network are not counted.</li><li>PSNR of the whole picture, "
      "predictions clipped to its range.</li></ul>\n</header>\n<main>\n";
  for (const int64_t max_params : values_of(report, &QualityRun::max_params)) {
    html += fmt::format("<section>\n<h2>At most {} parameters</h2>\n", format_integer(max_params));
    html += page_table(report, max_params);
    html += "<div class=\"scroll\">" + svg_line_chart(seconds_chart(report, max_params)) + "</div>\n</section>\n";
  }
  if (values_of(report, &QualityRun::max_params).size() > 1) {
    html += "<section>\n<h2>Against parameters</h2>\n<div class=\"scroll\">" + svg_line_chart(params_chart(report)) +
            "</div>\n</section>\n";
  }
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace

Json to_json(const QualityRun& run) {
  Json curve = Json::array();
  for (const QualityPoint& point : run.curve) curve.push_back({point.seconds, point.psnr_db});
  return {{"method", run.method},
          {"title", run.title},
          {"seed", run.seed},
          {"max_params", run.max_params},
          {"n_params", run.n_params},
          {"budget_seconds", run.budget_seconds},
          {"seconds", run.seconds},
          {"psnr_db", run.psnr_db},
          {"steps", run.steps},
          {"samples_per_second", run.samples_per_second},
          {"curve", curve}};
}

Json to_json(const QualityReport& report) {
  Json runs = Json::array();
  for (const QualityRun& run : report.runs) runs.push_back(to_json(run));
  return {{"picture", report.picture}, {"machine", report.machine}, {"command", report.command}, {"runs", runs}};
}

std::vector<QualityRun> read_quality_runs(const std::string& path) {
  const Json json = Json::parse(read_text_file(path), nullptr, false);
  const auto fail = [&](const std::string& expected) {
    throw Error(ErrorKind::Format, fmt::format("[quality] {}: expected {}, found something else; give a quality.json "
                                               "or what bench/peer/quality_peer.py writes",
                                               path, expected));
  };
  if (!json.is_object() || !json.contains("runs") || !json["runs"].is_array()) fail("a list `runs`");
  std::vector<QualityRun> runs;
  for (const Json& object : json["runs"]) {
    if (!object.is_object() || !object.contains("method") || !object["method"].is_string()) {
      fail("runs with a `method` each");
    }
    QualityRun run;
    run.method = object["method"].get<std::string>();
    run.title = object.contains("title") && object["title"].is_string() ? object["title"].get<std::string>() : "";
    const auto number = [&](const char* key) {
      if (!object.contains(key) || !object[key].is_number()) fail(fmt::format("a number `{}` in each run", key));
      return object[key].get<double>();
    };
    run.seed = static_cast<uint64_t>(std::max(0.0, number("seed")));
    run.max_params = std::llround(number("max_params"));
    run.n_params = std::llround(number("n_params"));
    run.budget_seconds = number("budget_seconds");
    run.seconds = number("seconds");
    run.psnr_db = number("psnr_db");
    run.steps = std::llround(number("steps"));
    run.samples_per_second = number("samples_per_second");
    for (const Json& point : object.value("curve", Json::array())) {
      if (!point.is_array() || point.size() != 2 || !point[0].is_number() || !point[1].is_number()) {
        fail("a `curve` of pairs, seconds and dB");
      }
      run.curve.push_back({point[0].get<double>(), point[1].get<double>()});
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

LineChart seconds_chart(const QualityReport& report, int64_t max_params) {
  LineChart chart;
  chart.title = "PSNR against seconds of training, one line per method";
  chart.x_label = "seconds of training (logarithmic)";
  chart.y_label = "PSNR (dB)";
  chart.is_log_x = true;
  chart.settling = 0.25;
  const std::vector<std::string> methods = methods_of(report);
  for (std::size_t i = 0; i < methods.size(); ++i) {
    ChartLine line = line_of(i, methods[i]);
    std::map<double, Cell> ends;
    for (const QualityRun& run : report.runs) {
      if (run.method != methods[i] || run.max_params != max_params) continue;
      std::vector<ChartPoint> course;
      for (const QualityPoint& point : run.curve) course.push_back({point.seconds, point.psnr_db});
      line.thin.push_back(std::move(course));
      ends[run.budget_seconds] = cell_of(report, methods[i], max_params, run.budget_seconds);
    }
    if (ends.empty()) continue;
    for (const auto& [budget, cell] : ends) line.points.push_back({budget, cell.mean});
    if (ends.size() == 1 && !line.thin.front().empty()) {
      line.points = line.thin.front();
      line.thin.erase(line.thin.begin());
    }
    line.label = fmt::format("{} {:.1f}", methods[i], ends.rbegin()->second.mean);
    chart.lines.push_back(std::move(line));
  }
  return chart;
}

LineChart params_chart(const QualityReport& report) {
  const double longest = values_of(report, &QualityRun::budget_seconds).back();
  LineChart chart;
  chart.title = "PSNR against parameters, one line per method";
  chart.x_label = fmt::format("parameters, {:.4g} s of training (logarithmic)", longest);
  chart.y_label = "PSNR (dB)";
  chart.is_log_x = true;
  const std::vector<std::string> methods = methods_of(report);
  for (std::size_t i = 0; i < methods.size(); ++i) {
    ChartLine line = line_of(i, methods[i]);
    for (const int64_t max_params : values_of(report, &QualityRun::max_params)) {
      const Cell cell = cell_of(report, methods[i], max_params, longest);
      if (cell.n > 0) line.points.push_back({static_cast<double>(cell.first->n_params), cell.mean});
    }
    if (!line.points.empty()) chart.lines.push_back(std::move(line));
  }
  return chart;
}

void write_quality_report(const QualityReport& report, const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw Error(ErrorKind::Io, fmt::format("[quality] {}: expected a folder to write to, got: {}; give another --out",
                                           folder, error.message()));
  }
  const auto path = [&](const std::string& name) { return (std::filesystem::path(folder) / name).string(); };
  write_text_file(path("quality.json"), to_json(report).dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  if (report.runs.empty()) return;
  write_text_file(path("index.html"), page(report));
  const std::vector<int64_t> sizes = values_of(report, &QualityRun::max_params);
  for (const int64_t max_params : sizes) {
    write_text_file(path(seconds_file(report, max_params)), svg_line_chart_file(seconds_chart(report, max_params)));
  }
  if (sizes.size() > 1) write_text_file(path("params.svg"), svg_line_chart_file(params_chart(report)));
}

}  // namespace loe::app
