// Line charts as inline SVG.
#pragma once

#include <string>
#include <vector>

namespace loe::app {

struct ChartPoint {
  double x = 0;
  double y = 0;
};

struct ChartLine {
  std::string label;                          ///< written beside the line's end; escaped here
  std::string color;                          ///< "#0077bb"
  std::string dashes;                         ///< stroke-dasharray, empty: solid
  std::vector<ChartPoint> points;             ///< x ascending; values that are not finite are skipped; one is a dot
  std::vector<std::vector<ChartPoint>> thin;  ///< drawn faintly behind
};

struct LineChart {
  std::string title;  ///< for screen readers
  std::string x_label;
  std::string y_label;
  double x_max = 0;  ///< the x axis is [0, x_max], or as far as points go if that is further
  std::vector<ChartLine> lines;
  double settling = 0.02;  ///< share of the x axis at its beginning whose values may lie below the y axis
  bool is_log_x = false;   ///< the x axis is logarithmic, from the first point above 0
};

/// Multiples of 1, 2 or 5 times a power of ten that cover [low, high], about `n` of them: the first is <= low, the last
/// >= high.
std::vector<double> round_ticks(double low, double high, int n);

/// An <svg> element without scripts, ids or references. The y axis starts at the lowest value of the chart after the
/// first part of the x axis, `settling`: a training's first steps would squeeze everything else. Empty if there is no
/// finite point.
std::string svg_line_chart(const LineChart& chart);

/// The same as a file of its own, on white.
std::string svg_line_chart_file(const LineChart& chart);

}  // namespace loe::app
