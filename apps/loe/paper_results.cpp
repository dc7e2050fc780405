#include "paper_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "loe/base/error.h"
#include "loe/io/file.h"
#include "progress.h"

namespace loe::app {
namespace {

using Json = nlohmann::ordered_json;

/// Points of a curve that a chart of a page's width can show.
constexpr std::size_t kMaxCurvePoints = 400;

Json read_json(const std::string& path) {
  const Json json = Json::parse(read_text_file(path), nullptr, false);
  if (!json.is_object()) {
    throw Error(ErrorKind::Format,
                fmt::format("[paper] {}: expected a JSON object, got something else; remove this run's folder, so that "
                            "it is repeated",
                            path));
  }
  return json;
}

/// Field of a file that we wrote ourselves but that somebody may have edited.
double number(const Json& json, const std::string& key, const std::string& path) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number()) {
    throw Error(ErrorKind::Format, fmt::format("[paper] {}: {}: expected a number, found none; remove this run's "
                                               "folder, so that it is repeated",
                                               path, key));
  }
  return found->get<double>();
}

/// JSON has no NaN: a mean over nothing (a picture of 4 x 4 pixels is all border) is null.
double number_or_nan(const Json& json, const std::string& key, const std::string& path) {
  return json.contains(key) && json[key].is_null() ? std::nan("") : number(json, key, path);
}

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

/// Curve and median time of a step, from the progress lines; `samples`: per step.
void read_metrics(const std::string& path, double samples, PaperRun& run) {
  std::istringstream lines(read_text_file(path, std::size_t{256} << 20));
  std::vector<double> seconds;
  std::vector<CurvePoint> points;
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("loss")) continue;  // an evaluation, or a line cut by a crash
    points.push_back({static_cast<int64_t>(number(json, "step", path)), number(json, "psnr_db", path)});
    seconds.push_back(samples / std::max(1.0, number(json, "samples_per_second", path)));
  }
  run.curve = thin_out(points);
  run.seconds_per_step = median(std::move(seconds));
}

/// What only videos have. A frame that is met exactly has no PSNR: null.
void read_frames(const Json& json, const std::string& path, PaperRun& run) {
  run.psnr_frame_db = number_or_nan(json, "psnr_frame_db", path);
  const Json& frames = json["frames"];
  const Json psnr = frames.is_object() ? frames.value("psnr_db", Json()) : Json();
  if (!psnr.is_array()) {
    throw Error(ErrorKind::Format, fmt::format("[paper] {}: frames.psnr_db: expected a list, found none; remove this "
                                               "run's folder, so that it is repeated",
                                               path));
  }
  for (const Json& value : psnr) run.frame_psnr_db.push_back(value.is_number() ? value.get<double>() : std::nan(""));
}

SeamStats read_seams(const std::string& path) {
  const Json json = read_json(path);
  SeamStats seams;
  seams.border_mse = number_or_nan(json, "border_mse", path);
  seams.interior_mse = number_or_nan(json, "interior_mse", path);
  seams.border_jump = number_or_nan(json, "border_jump", path);
  seams.interior_jump = number_or_nan(json, "interior_jump", path);
  seams.chunk_spread_db = number_or_nan(json, "chunk_spread_db", path);
  for (const Json& value : json.value("chunk_mse", Json::array())) {
    seams.chunk_mse.push_back(value.is_number() ? value.get<double>() : std::nan(""));
  }
  return seams;
}

Json seams_to_json(const SeamStats& seams) {
  return {{"border_mse", seams.border_mse},   {"interior_mse", seams.interior_mse},
          {"border_jump", seams.border_jump}, {"interior_jump", seams.interior_jump},
          {"chunk_mse", seams.chunk_mse},     {"chunk_spread_db", seams.chunk_spread_db}};
}

Json printed_to_json(const PrintedNumber& printed) {
  Json json = {{"value", printed.value}};
  if (printed.std_dev) json["std"] = *printed.std_dev;
  return json;
}

Json run_to_json(const PaperReport& report, const PaperRun& run) {
  Json json = {{"seed", run.seed},
               {"psnr_db", run.psnr_db},
               {"ssim", run.ssim},
               {"seconds", run.seconds},
               {"seconds_per_step", run.seconds_per_step}};
  if (report.task == "video") {
    json["psnr_frame_db"] = run.psnr_frame_db;
    json["frames"] = {{"psnr_db", run.frame_psnr_db}};
  } else {
    json["seams"] = seams_to_json(run.seams);
  }
  json["run"] = run.folder;
  return json;
}

void add_mean(Json& json, const std::string& key, const MeanAndSpread& value) {
  json[key + "_mean"] = value.mean;
  if (value.spread) json[key + "_std"] = *value.spread;
}

Json row_to_json(const PaperReport& report, const PaperRow& row) {
  Json json = {{"row", row.key},
               {"title", row.title},
               {"n_params", row.network.n_params()},
               {"macs_per_sample", row.network.macs_per_sample()},
               {"paper_psnr_db", printed_to_json(row.paper_psnr)}};
  if (row.paper_ssim) json["paper_ssim"] = printed_to_json(*row.paper_ssim);
  if (!row.runs.empty()) {
    add_mean(json, "psnr_db", psnr_of(row));
    if (report.task == "video") add_mean(json, "psnr_frame_db", psnr_frame_of(row));
    add_mean(json, "ssim", ssim_of(row));
    json["seconds_per_step"] = step_seconds_of(row).mean;
  }
  json["runs"] = Json::array();
  for (const PaperRun& run : row.runs) json["runs"].push_back(run_to_json(report, run));
  return json;
}

}  // namespace

std::optional<PaperRun> read_paper_run(const std::string& folder) {
  const std::string path = folder + "/result.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  const Json json = read_json(path);
  PaperRun run;
  run.folder = folder;
  run.seed = static_cast<uint64_t>(number(json, "seed", path));
  run.psnr_db = number(json, "psnr_db", path);
  run.ssim = number_or_nan(json, "ssim", path);  // below 7 x 7 pixels there is no window
  run.seconds = number(json, "seconds", path);
  read_metrics(folder + "/metrics.jsonl", number(json, "samples_per_step", path), run);
  if (json.contains("frames")) read_frames(json, path, run);
  const std::string seams = folder + "/seams.json";
  if (std::filesystem::exists(seams, error)) run.seams = read_seams(seams);
  return run;
}

void write_seams(const std::string& folder, const SeamStats& seams) {
  write_text_file(folder + "/seams.json", seams_to_json(seams).dump(2) + "\n");
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

MeanAndSpread psnr_of(const PaperRow& row) {
  return mean_and_spread(row, [](const PaperRun& run) { return run.psnr_db; });
}

MeanAndSpread psnr_frame_of(const PaperRow& row) {
  return mean_and_spread(row, [](const PaperRun& run) { return run.psnr_frame_db; });
}

MeanAndSpread ssim_of(const PaperRow& row) {
  return mean_and_spread(row, [](const PaperRun& run) { return run.ssim; });
}

MeanAndSpread step_seconds_of(const PaperRow& row) {
  return mean_and_spread(row, [](const PaperRun& run) { return run.seconds_per_step; });
}

Json report_to_json(const PaperReport& report) {
  const bool is_video = report.task == "video";
  Json json = {{"table", report.table},
               {"scale", report.scale},
               {is_video ? "video" : "picture", report.picture},
               {"width", report.width},
               {"height", report.height}};
  if (is_video) json["n_frames"] = report.n_frames;
  json["max_steps"] = report.max_steps;
  json["machine"] = report.machine;
  json["command"] = report.command;
  if (!report.comparison.empty()) json["comparison"] = report.comparison;
  json["rows"] = Json::array();
  for (const PaperRow& row : report.rows) json["rows"].push_back(row_to_json(report, row));
  return json;
}

std::string report_to_text(const PaperReport& report) {
  const bool is_video = report.task == "video";
  const auto frame_mean = [&](const std::string& value) { return is_video ? fmt::format(" {:>10}", value) : ""; };
  std::string text = fmt::format("{:<24} {:>15} {:>6}{} {:>7} {:>12} {:>10} {:>8}\n", "row", "PSNR dB", "paper",
                                 frame_mean("frame mean"), "SSIM", "parameters", "MACs", "s/step");
  for (const PaperRow& row : report.rows) {
    const std::string counts = fmt::format("{:>12} {:>10}", format_integer(row.network.n_params()),
                                           format_integer(row.network.macs_per_sample()));
    if (row.runs.empty()) {
      text += fmt::format("{:<24} {:>15} {:6.2f}{} {:>7} {} {:>8}\n", row.title, "-", row.paper_psnr.value,
                          frame_mean("-"), "-", counts, "-");
      continue;
    }
    const MeanAndSpread psnr = psnr_of(row);
    const std::string spread =
        psnr.spread ? fmt::format("{:.2f} +- {:.2f}", psnr.mean, *psnr.spread) : fmt::format("{:.2f}", psnr.mean);
    text += fmt::format("{:<24} {:>15} {:6.2f}{} {:7.4f} {} {:8.4f}\n", row.title, spread, row.paper_psnr.value,
                        frame_mean(fmt::format("{:.2f}", psnr_frame_of(row).mean)), ssim_of(row).mean, counts,
                        step_seconds_of(row).mean);
  }
  return text;
}

}  // namespace loe::app
