#include "svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "html.h"
#include "progress.h"

namespace loe::app {
namespace {

constexpr double kWidth = 960;
constexpr double kHeight = 430;
constexpr double kLeft = 58;
constexpr double kRight = 190;  // for the labels
constexpr double kTop = 12;
constexpr double kBottom = 48;
constexpr double kLabelGap = 17;

struct Axes {
  std::vector<double> x_ticks;
  std::vector<double> y_ticks;
  double x_min = 0;  ///< of a logarithmic axis
  double x_max = 1;
  double y_min = 0;
  double y_max = 1;

  bool is_log() const { return x_min > 0; }
  double share(double value) const {
    return is_log() ? std::log(value / x_min) / std::log(x_max / x_min) : value / x_max;
  }
  double x(double value) const { return kLeft + share(value) * (kWidth - kLeft - kRight); }
  double y(double value) const {
    return kHeight - kBottom - (value - y_min) / (y_max - y_min) * (kHeight - kTop - kBottom);
  }
};

std::vector<ChartPoint> finite_points(const std::vector<ChartPoint>& points, bool is_log) {
  std::vector<ChartPoint> finite;
  for (const ChartPoint& point : points) {
    const bool is_right = is_log ? point.x > 0 : point.x >= 0;
    if (is_right && std::isfinite(point.x) && std::isfinite(point.y)) finite.push_back(point);
  }
  return finite;
}

/// 1, 2 and 5 times powers of ten within [low, high].
std::vector<double> log_ticks(double low, double high) {
  std::vector<double> ticks;
  for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * power;
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks;
}

/// Points less than about half a pixel apart are left out, but the last; a line that starts below the y axis enters it
/// where it crosses.
std::vector<ChartPoint> visible_points(const std::vector<ChartPoint>& points, const Axes& axes) {
  constexpr double kMinDistance = 0.6;
  std::vector<ChartPoint> visible;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const ChartPoint& point = points[i];
    if (point.y < axes.y_min) {
      // Later dips are drawn on the axis; the rise at the beginning is left out.
      if (!visible.empty()) visible.push_back({point.x, axes.y_min});
      continue;
    }
    if (visible.empty() && i > 0) {
      const ChartPoint& below = points[i - 1];
      const double share = (axes.y_min - below.y) / (point.y - below.y);
      visible.push_back({below.x + share * (point.x - below.x), axes.y_min});
    }
    if (visible.empty() || i + 1 == points.size() || axes.x(point.x) - axes.x(visible.back().x) >= kMinDistance) {
      visible.push_back(point);
    }
  }
  return visible;
}

/// Empty y_ticks: nothing to draw.
Axes make_axes(const LineChart& chart) {
  Axes axes;
  std::vector<ChartPoint> all;
  const auto add = [&](const std::vector<ChartPoint>& points) {
    const std::vector<ChartPoint> finite = finite_points(points, chart.is_log_x);
    all.insert(all.end(), finite.begin(), finite.end());
  };
  for (const ChartLine& line : chart.lines) {
    add(line.points);
    for (const auto& thin : line.thin) add(thin);
  }
  if (all.empty()) return axes;
  axes.x_max = std::isfinite(chart.x_max) ? std::max(chart.x_max, 0.0) : 0.0;
  for (const ChartPoint& point : all) axes.x_max = std::max(axes.x_max, point.x);
  if (axes.x_max <= 0) axes.x_max = 1;
  if (chart.is_log_x) {
    axes.x_min = axes.x_max;
    for (const ChartPoint& point : all) axes.x_min = std::min(axes.x_min, point.x);
    if (axes.x_min >= axes.x_max) axes.x_min = axes.x_max / 2;
  }
  double high = all.front().y;
  double low = std::numeric_limits<double>::infinity();
  for (const ChartPoint& point : all) {
    high = std::max(high, point.y);
    if (axes.share(point.x) >= chart.settling) low = std::min(low, point.y);
  }
  axes.y_ticks = round_ticks(std::min(low, high), high, 7);
  axes.y_min = axes.y_ticks.front();
  axes.y_max = axes.y_ticks.back();
  if (axes.is_log()) {
    axes.x_ticks = log_ticks(axes.x_min, axes.x_max);
    return axes;
  }
  for (const double tick : round_ticks(0, axes.x_max, 6)) {
    if (tick <= axes.x_max * (1 + 1e-9)) axes.x_ticks.push_back(tick);
  }
  return axes;
}

std::string tick_text(double value) {
  const bool is_integer = std::abs(value - std::round(value)) < 1e-9 && std::abs(value) < 1e15;
  return is_integer ? format_integer(static_cast<int64_t>(std::round(value))) : fmt::format("{:.4g}", value);
}

std::string draw_axes(const LineChart& chart, const Axes& axes) {
  const double right = kWidth - kRight;
  const double bottom = kHeight - kBottom;
  std::string svg = "<g stroke=\"currentColor\" stroke-opacity=\"0.14\" stroke-width=\"1\">";
  for (const double tick : axes.y_ticks) {
    svg += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\"/>", kLeft, axes.y(tick), right);
  }
  for (const double tick : axes.x_ticks) {
    svg += fmt::format("<path d=\"M{:.1f} {:.1f}V{:.1f}\"/>", axes.x(tick), kTop, bottom);
  }
  svg += "</g>\n<g fill=\"currentColor\" fill-opacity=\"0.75\" font-size=\"13\">";
  for (const double tick : axes.y_ticks) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLeft - 8, axes.y(tick) + 4.5,
                       tick_text(tick));
  }
  for (const double tick : axes.x_ticks) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", axes.x(tick), bottom + 19,
                       tick_text(tick));
  }
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", (kLeft + right) / 2,
                     kHeight - 6, escape_html(chart.x_label));
  svg += fmt::format("<text transform=\"translate(14 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text></g>\n",
                     (kTop + bottom) / 2, escape_html(chart.y_label));
  return svg;
}

std::string draw_line(const std::vector<ChartPoint>& points, const Axes& axes, const ChartLine& line, bool thin) {
  const std::vector<ChartPoint> visible = visible_points(finite_points(points, axes.is_log()), axes);
  if (visible.empty()) return "";
  if (visible.size() == 1 && !thin) {
    return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n", axes.x(visible[0].x),
                       axes.y(visible[0].y), escape_html(line.color));
  }
  std::string path;
  for (const ChartPoint& point : visible) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", axes.x(point.x), axes.y(point.y));
  }
  std::string style = thin ? "stroke-width=\"1\" stroke-opacity=\"0.5\"" : "stroke-width=\"2.2\"";
  if (!thin && !line.dashes.empty()) style += fmt::format(" stroke-dasharray=\"{}\"", escape_html(line.dashes));
  return fmt::format("<path d=\"{}\" stroke=\"{}\" {}/>\n", path, escape_html(line.color), style);
}

/// Labels in the order of the lines' ends, moved apart so that none covers another.
std::string draw_labels(const LineChart& chart, const Axes& axes) {
  struct Label {
    const ChartLine* line;
    ChartPoint end;
    double y;
  };
  std::vector<Label> labels;
  for (const ChartLine& line : chart.lines) {
    const std::vector<ChartPoint> points = finite_points(line.points, axes.is_log());
    if (points.empty()) continue;
    const ChartPoint end{axes.x(points.back().x), axes.y(std::max(points.back().y, axes.y_min))};
    labels.push_back({&line, end, end.y});
  }
  std::stable_sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.y < b.y; });
  // Down from the top until there is room, then up from the bottom.
  for (std::size_t i = 1; i < labels.size(); ++i) labels[i].y = std::max(labels[i].y, labels[i - 1].y + kLabelGap);
  double limit = kHeight - kBottom;
  for (std::size_t i = labels.size(); i-- > 0; limit = labels[i].y - kLabelGap) {
    labels[i].y = std::min(labels[i].y, limit);
  }
  const double x = kWidth - kRight + 22;
  std::string svg = "<g font-size=\"13\">";
  for (const Label& label : labels) {
    svg += fmt::format(
        "<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}H{:.1f}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"currentColor\">{}</text>",
        label.end.x, label.end.y, x - 9, label.y, x - 3, escape_html(label.line->color), x, label.y + 4.5,
        escape_html(label.line->label));
  }
  return svg + "</g>\n";
}

}  // namespace

std::vector<double> round_ticks(double low, double high, int n) {
  if (!(high - low > 1e-9 * std::max(std::abs(low), std::abs(high)))) {
    // One value: an axis of length 2 around it.
    low -= 1;
    high += 1;
  }
  const double wanted = (high - low) / std::max(n - 1, 1);
  const double power = std::pow(10.0, std::floor(std::log10(wanted)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (factor * power >= wanted * (1 - 1e-9)) step = factor * power;
  }
  const double first = std::floor(low / step + 1e-9);
  const double last = std::ceil(high / step - 1e-9);
  std::vector<double> ticks;
  for (double i = first; i <= last; ++i) ticks.push_back(i * step);
  return ticks;
}

std::string svg_line_chart(const LineChart& chart) {
  const Axes axes = make_axes(chart);
  if (axes.y_ticks.empty()) return "";
  std::string svg = fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\" "
      "font-family=\"system-ui, sans-serif\">\n",
      kWidth, kHeight, escape_html(chart.title));
  svg += draw_axes(chart, axes);
  svg += "<g fill=\"none\" stroke-linejoin=\"round\">\n";
  for (const ChartLine& line : chart.lines) {
    for (const auto& thin : line.thin) svg += draw_line(thin, axes, line, true);
  }
  for (const ChartLine& line : chart.lines) svg += draw_line(line.points, axes, line, false);
  svg += "</g>\n" + draw_labels(chart, axes) + "</svg>\n";
  return svg;
}

std::string svg_line_chart_file(const LineChart& chart) {
  std::string svg = svg_line_chart(chart);
  const std::size_t end = svg.find('>');
  if (end == std::string::npos) return svg;
  svg.insert(end + 1, "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
  svg.insert(end, " xmlns=\"http://www.w3.org/2000/svg\" color=\"#1c1f23\"");
  return svg;
}

}  // namespace loe::app
