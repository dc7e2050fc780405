// Figures on the page of `loe paper`: training curves, reconstructions and error maps, layouts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "html.h"
#include "layout_picture.h"
#include "loe/base/error.h"
#include "loe/fitting/pictures.h"
#include "loe/io/image_file.h"
#include "page_pictures.h"
#include "paper_kind.h"
#include "paper_sections.h"
#include "progress.h"
#include "svg_chart.h"

namespace loe::app {
namespace {

std::vector<ChartPoint> chart_points(const std::vector<CurvePoint>& curve) {
  std::vector<ChartPoint> points;
  points.reserve(curve.size());
  for (const CurvePoint& point : curve) points.push_back({static_cast<double>(point.step), point.value});
  return points;
}

/// PSNR against the part's number.
std::vector<ChartPoint> part_points(const PaperRun& run) {
  std::vector<ChartPoint> points;
  points.reserve(run.part_psnr_db.size());
  for (const double psnr_db : run.part_psnr_db) points.push_back({static_cast<double>(points.size()), psnr_db});
  return points;
}

using PointsOf = std::function<std::vector<ChartPoint>(const PaperRun&)>;

bool same_x(const std::vector<ChartPoint>& a, const std::vector<ChartPoint>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ChartPoint& p, const ChartPoint& q) { return p.x == q.x; });
}

/// The mean of the seeds if all report at the same steps, else the first seed; each seed faintly behind.
ChartLine row_line(const PaperReport& report, std::size_t i, const PointsOf& points_of) {
  const PaperRow& row = report.rows[i];
  const RowStyle style = row_style(report, i);
  ChartLine line{row.title, style.color, style.dashes, points_of(row.runs.front()), {}};
  const auto runs = static_cast<double>(row.runs.size());
  if (row.runs.size() == 1) return line;
  for (const PaperRun& run : row.runs) line.thin.push_back(points_of(run));
  const bool is_common = std::all_of(line.thin.begin(), line.thin.end(),
                                     [&](const std::vector<ChartPoint>& thin) { return same_x(thin, line.points); });
  if (!is_common) {
    line.thin.erase(line.thin.begin());
    return line;
  }
  for (std::size_t k = 0; k < line.points.size(); ++k) {
    line.points[k].y = 0;
    for (const auto& thin : line.thin) line.points[k].y += thin[k].y / runs;
  }
  return line;
}

std::string title_list(const PaperReport& report, const std::vector<std::size_t>& rows) {
  std::string text;
  for (const std::size_t row : rows) text += (text.empty() ? "" : ", ") + escape_html(report.rows[row].title);
  return text;
}

std::string left_out(const PaperReport& report, const std::vector<std::size_t>& rows, const std::string& why) {
  if (rows.empty()) return "";
  return fmt::format("<p class=\"soft\">{}: {}.</p>\n", why, title_list(report, rows));
}

/// What is shown of one row.
struct RowPictures {
  std::size_t row;
  RunPictures pictures;
  uint64_t seed;
};

/// The first run that has everything, else the first.
RowPictures read_row_pictures(const PaperReport& report, std::size_t row) {
  RowPictures first{row, {}, 0};
  for (const PaperRun& run : report.rows[row].runs) {
    RowPictures found{row, paper_kind(report.task).read_pictures(report, run), run.seed};
    const bool is_complete = found.pictures.problems.empty();
    if (is_complete || &run == &report.rows[row].runs.front()) first = std::move(found);
    if (is_complete) break;
  }
  return first;
}

std::string picture_tag(const std::string& text, const Image& image, bool pixelated) {
  return fmt::format("<img{} src=\"{}\" width=\"{}\" height=\"{}\" alt=\"{}\"/>", pixelated ? " class=\"pixels\"" : "",
                     png_data_uri(image), image.width(), image.height(), escape_html(text));
}

std::string row_figure(const PaperReport& report, const RowPictures& found, double scale) {
  const PaperRow& row = report.rows[found.row];
  const RunPictures& pictures = found.pictures;
  std::string html = "<figure>\n";
  const auto headline =
      mean_and_spread(row, [&](const PaperRun& run) { return run.seed == found.seed ? run.headline : std::nan(""); });
  const std::string quality = headline.n > 0
                                  ? fmt::format("{:.2f}{}", headline.mean, paper_kind(report.task).headline().unit)
                                  : std::string("&#8211;");
  const std::string seed = row.runs.size() > 1 ? fmt::format(", seed {}", found.seed) : "";
  html += fmt::format("<figcaption><strong>{}</strong><br/>{}{}</figcaption>\n", escape_html(row.title), quality, seed);
  const auto absent = [](const char* what) { return fmt::format("<span class=\"absent\">no {}</span>\n", what); };
  html += pictures.reconstruction ? picture_tag("Reconstruction, " + row.title, *pictures.reconstruction, false) + "\n"
                                  : absent("reconstruction");
  const bool has_errors = paper_kind(report.task).has_error_maps();
  html += !has_errors ? ""
          : pictures.errors
              ? picture_tag("Error map, " + row.title, color_errors(*pictures.errors, scale), false) + "\n"
              : absent("error map");
  if (pictures.detail) {
    html += picture_tag("Detail of the error map, " + row.title, color_errors(*pictures.detail, scale), true) + "\n";
  }
  if (pictures.extra)
    html +=
        picture_tag(fmt::format("{}, {}", paper_kind(report.task).extra_title(), row.title), *pictures.extra, false) +
        "\n";
  return html + "</figure>\n";
}

std::string scale_bar(double scale) {
  constexpr int kStops = 17;
  std::string stops;
  for (int i = 0; i < kStops; ++i) {
    const std::array<float, 3> color = error_color(static_cast<double>(i) / (kStops - 1));
    stops +=
        fmt::format("{}rgb({:.0f},{:.0f},{:.0f})", i == 0 ? "" : ",", color[0] * 255, color[1] * 255, color[2] * 255);
  }
  return fmt::format(
      "<div class=\"scale\"><span>0</span><i style=\"background:linear-gradient(to right,{})\"></i><span>{:g} or more"
      "</span></div>\n",
      stops, scale);
}

std::string source_figure(const PaperReport& report) {
  std::string html = "<figure>\n<figcaption><strong>Source</strong><br/>&#160;</figcaption>\n";
  try {
    const auto n_shown = static_cast<int>(shown_parts(report.n_parts).size());
    html += picture_tag("The same of the source", shrink_frames(read_image(report.source_picture), n_shown), false);
  } catch (const Error& error) {
    html += fmt::format("<span class=\"absent\">left out: {}</span>", escape_html(error.what()));
  }
  return html + "\n</figure>\n";
}

/// What the folders of all rows hold.
struct FoundPictures {
  std::vector<RowPictures> rows;
  std::vector<std::size_t> missing;  ///< rows that have not run
  double scale = 0;                  ///< of all error maps
};

FoundPictures find_pictures(const PaperReport& report) {
  FoundPictures found;
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    if (report.rows[i].runs.empty()) {
      found.missing.push_back(i);
    } else {
      found.rows.push_back(read_row_pictures(report, i));
    }
  }
  std::vector<const ErrorValues*> maps;
  for (const RowPictures& row : found.rows) {
    if (row.pictures.errors) maps.push_back(&*row.pictures.errors);
  }
  found.scale = common_scale(maps);
  return found;
}

std::string picture_problems(const PaperReport& report, const FoundPictures& found) {
  std::string html;
  for (const RowPictures& row : found.rows) {
    for (const std::string& problem : row.pictures.problems) {
      html += fmt::format("<p class=\"soft\">Left out, {}: {}</p>\n", escape_html(report.rows[row.row].title),
                          escape_html(problem));
    }
  }
  return html;
}

/// A chart with a line for each row that has run, and which have not.
std::string chart_section(const PaperReport& report, const char* title, const char* text, LineChart chart,
                          const PointsOf& points_of) {
  std::vector<std::size_t> missing;
  bool has_seeds = false;
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const PaperRow& row = report.rows[i];
    if (row.runs.empty()) {
      missing.push_back(i);
    } else {
      chart.lines.push_back(row_line(report, i, points_of));
      has_seeds = has_seeds || row.runs.size() > 1;
    }
  }
  std::string html = fmt::format("<section>\n<h2>{}</h2>\n<p>{}", title, text);
  if (has_seeds) html += " Strong lines: the mean over seeds; faint lines: each seed.";
  const std::string svg = svg_line_chart(chart);
  html +=
      "</p>\n" + (svg.empty() ? "<p class=\"soft\">No curves yet.</p>\n" : "<div class=\"scroll\">" + svg + "</div>\n");
  return html + left_out(report, missing, "Not run yet") + "</section>\n";
}

bool has_experts(const PaperRow& row) {
  return std::any_of(row.network.layers.begin(), row.network.layers.end(),
                     [](const LayerSpec& layer) { return layer.n_experts() > 1; });
}

std::string layout_figures(const PaperRow& row) {
  std::string html = "<div class=\"layout\">\n";
  int level = 0;
  for (const LayerSpec& layer : row.network.layers) {
    ++level;
    if (layer.n_experts() == 1) continue;
    const LayoutPicture picture = draw_layout(layer, row.network.n_dims);
    const std::string zoom = picture.zoom > 1 ? fmt::format(", &#215;{}", picture.zoom) : "";
    html += fmt::format("<figure>{}<figcaption>level {}{}</figcaption></figure>\n",
                        picture_tag(fmt::format("Experts of level {}", level), picture.image, true), level, zoom);
  }
  return html + "</div>\n";
}

}  // namespace

std::string curves_section(const PaperReport& report) {
  const Headline& headline = paper_kind(report.task).headline();
  const LineChart chart{fmt::format("{} against training steps, one line per row", headline.heading),
                        "training step",
                        headline.heading,
                        static_cast<double>(report.max_steps),
                        {}};
  return chart_section(report, "Training curves", headline.curve_text, chart,
                       [](const PaperRun& run) { return chart_points(run.curve); });
}

std::string parts_section(const PaperReport& report) {
  const Parts* const parts = paper_kind(report.task).parts();
  if (parts == nullptr) return "";
  const std::string about = fmt::format("PSNR of each {}", parts->one);
  LineChart chart{about + ", one line per row", parts->one, "PSNR (dB)", report.n_parts - 1.0, {}};
  chart.settling = 0;  // the first part is as good as any
  return chart_section(report, parts->title, (about + ".").c_str(), chart, part_points);
}

std::string pictures_section(const PaperReport& report) {
  const PaperKind& kind = paper_kind(report.task);
  const FoundPictures found = find_pictures(report);
  std::string html = fmt::format("<section>\n<h2>{}</h2>\n", kind.pictures_title());
  if (!found.rows.empty()) {
    std::vector<const RunPictures*> pictures;
    for (const RowPictures& row : found.rows) pictures.push_back(&row.pictures);
    const bool has_parts = kind.parts() != nullptr;
    const bool has_source = has_parts || !kind.has_error_maps();
    html += fmt::format("<p>{}</p>\n{}<div class=\"maps{}\">\n", kind.pictures_text(report, pictures),
                        kind.has_error_maps() ? scale_bar(found.scale) : "", has_source ? " frames" : "");
    if (has_parts || !report.source_picture.empty()) html += source_figure(report);
    for (const RowPictures& row : found.rows) html += row_figure(report, row, found.scale);
    html += "</div>\n";
  }
  html += left_out(report, found.missing, "Not run yet") + picture_problems(report, found);
  if (!report.comparison.empty()) {
    html += fmt::format(
        "<p>All frames: <code>{}</code> beside this page shows, line by line from left to right, {}.</p>\n",
        escape_html(report.comparison), escape_html(fmt::format("{}", fmt::join(report.comparison_columns, ", "))));
  }
  return html + "</section>\n";
}

std::string layouts_section(const PaperReport& report) {
  std::string html =
      "<section>\n<h2>Layouts</h2>\n<p>Which expert each position selects, one square per position-dependent level, "
      "one "
      "colour per expert. &#215;16 means that the square shows the top left corner, a sixteenth of width and height. "
      "Levels that interpolate show blended colours.";
  if (const std::string slice = paper_kind(report.task).slice_text(); !slice.empty()) {
    html += fmt::format(" The grids have three axes: what is shown is the slice {}, a part of each level's experts.",
                        slice);
  }
  html += "</p>\n";
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const PaperRow& row = report.rows[i];
    html += fmt::format("<h3><span class=\"swatch\" style=\"background:{}\"></span>{}</h3>\n",
                        row_style(report, i).color, escape_html(row.title));
    html += has_experts(row) ? layout_figures(row) : "<p class=\"soft\">One expert: the same weights everywhere.</p>\n";
  }
  return html + "</section>\n";
}

}  // namespace loe::app
