// Figures on the page of `loe paper`: training curves, reconstructions and error maps, layouts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "html.h"
#include "layout_picture.h"
#include "page_pictures.h"
#include "paper_sections.h"
#include "pictures.h"
#include "svg_chart.h"

namespace loe::app {
namespace {

std::vector<ChartPoint> chart_points(const std::vector<CurvePoint>& curve) {
  std::vector<ChartPoint> points;
  points.reserve(curve.size());
  for (const CurvePoint& point : curve) points.push_back({static_cast<double>(point.step), point.psnr_db});
  return points;
}

bool same_steps(const std::vector<CurvePoint>& a, const std::vector<CurvePoint>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const CurvePoint& p, const CurvePoint& q) { return p.step == q.step; });
}

/// The mean of the seeds if all report at the same steps, else the first seed; each seed faintly behind.
ChartLine row_line(const PaperReport& report, std::size_t i) {
  const PaperRow& row = report.rows[i];
  const RowStyle style = row_style(report, i);
  ChartLine line{row.title, style.color, style.dashes, chart_points(row.runs.front().curve), {}};
  const auto runs = static_cast<double>(row.runs.size());
  if (row.runs.size() == 1) return line;
  for (const PaperRun& run : row.runs) line.thin.push_back(chart_points(run.curve));
  const bool is_common = std::all_of(row.runs.begin(), row.runs.end(), [&](const PaperRun& run) {
    return same_steps(run.curve, row.runs.front().curve);
  });
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
    RowPictures found{row, read_run_pictures(run.folder), run.seed};
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
  const auto psnr =
      mean_and_spread(row, [&](const PaperRun& run) { return run.seed == found.seed ? run.psnr_db : std::nan(""); });
  const std::string quality = psnr.n > 0 ? fmt::format("{:.2f} dB", psnr.mean) : std::string("&#8211;");
  const std::string seed = row.runs.size() > 1 ? fmt::format(", seed {}", found.seed) : "";
  html += fmt::format("<figcaption><strong>{}</strong><br/>{}{}</figcaption>\n", escape_html(row.title), quality, seed);
  const auto absent = [](const char* what) { return fmt::format("<span class=\"absent\">no {}</span>\n", what); };
  html += pictures.reconstruction ? picture_tag("Reconstruction, " + row.title, *pictures.reconstruction, false) + "\n"
                                  : absent("reconstruction");
  if (pictures.errors && pictures.detail) {
    html += picture_tag("Error map, " + row.title, color_errors(*pictures.errors, scale), false) + "\n";
    html += picture_tag("Detail of the error map, " + row.title, color_errors(*pictures.detail, scale), true) + "\n";
  } else {
    html += absent("error map");
  }
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

std::string pictures_text(const std::vector<RowPictures>& found, double scale) {
  int side = kDetailSide;
  for (const RowPictures& row : found) {
    if (row.pictures.detail) side = row.pictures.detail->width;
  }
  return fmt::format(
      "<p>From top to bottom: reconstruction, mean absolute error over the channels, and {0} &#215; {0} pixels around "
      "the middle of the error map, where borders of chunks cross. Pixel values lie in 0..1; one scale for all, the "
      "same for the details. Large pictures are box-averaged.</p>\n{1}",
      side, scale_bar(scale));
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
  LineChart chart{"PSNR against training steps, one line per layout",
                  "training step",
                  "PSNR (dB)",
                  static_cast<double>(report.max_steps),
                  {}};
  std::vector<std::size_t> missing;
  bool has_seeds = false;
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const PaperRow& row = report.rows[i];
    if (row.runs.empty()) {
      missing.push_back(i);
    } else {
      chart.lines.push_back(row_line(report, i));
      has_seeds = has_seeds || row.runs.size() > 1;
    }
  }
  std::string html = "<section>\n<h2>Training curves</h2>\n<p>PSNR of the training batches.";
  if (has_seeds) html += " Strong lines: the mean over seeds; faint lines: each seed.";
  const std::string svg = svg_line_chart(chart);
  html +=
      "</p>\n" + (svg.empty() ? "<p class=\"soft\">No curves yet.</p>\n" : "<div class=\"scroll\">" + svg + "</div>\n");
  return html + left_out(report, missing, "Not run yet") + "</section>\n";
}

std::string pictures_section(const PaperReport& report) {
  std::vector<RowPictures> found;
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    if (report.rows[i].runs.empty()) {
      missing.push_back(i);
    } else {
      found.push_back(read_row_pictures(report, i));
    }
  }
  std::vector<const ErrorValues*> maps;
  for (const RowPictures& row : found) {
    if (row.pictures.errors) maps.push_back(&*row.pictures.errors);
  }
  const double scale = common_scale(maps);
  std::string html = "<section>\n<h2>Error maps</h2>\n";
  if (!found.empty()) html += pictures_text(found, scale) + "<div class=\"maps\">\n";
  for (const RowPictures& row : found) html += row_figure(report, row, scale);
  if (!found.empty()) html += "</div>\n";
  html += left_out(report, missing, "Not run yet");
  for (const RowPictures& row : found) {
    for (const std::string& problem : row.pictures.problems) {
      html += fmt::format("<p class=\"soft\">Left out, {}: {}</p>\n", escape_html(report.rows[row.row].title),
                          escape_html(problem));
    }
  }
  return html + "</section>\n";
}

std::string layouts_section(const PaperReport& report) {
  std::string html =
      "<section>\n<h2>Layouts</h2>\n<p>Which expert each position selects, one square per position-dependent level, "
      "one "
      "colour per expert. &#215;16 means that the square shows the top left corner, a sixteenth of width and height. "
      "Levels that interpolate show blended colours.</p>\n";
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const PaperRow& row = report.rows[i];
    html += fmt::format("<h3><span class=\"swatch\" style=\"background:{}\"></span>{}</h3>\n",
                        row_style(report, i).color, escape_html(row.title));
    html += has_experts(row) ? layout_figures(row) : "<p class=\"soft\">One expert: the same weights everywhere.</p>\n";
  }
  return html + "</section>\n";
}

}  // namespace loe::app
