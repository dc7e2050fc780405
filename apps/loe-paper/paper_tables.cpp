// Tables on the page of `loe paper`: results and seams.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "html.h"
#include "paper_kind.h"
#include "paper_sections.h"
#include "progress.h"

namespace loe::app {
namespace {

constexpr const char* kDash = "&#8211;";
constexpr const char* kPlainRow = "pe_mlp";

/// "-1.30" with a real minus sign.
std::string signed_number(double value, int n_digits) {
  // Half a unit of the last digit and less prints as zero, which has no sign.
  const bool is_zero = std::abs(value) < 0.5 * std::pow(10.0, -n_digits);
  const char* sign = is_zero ? "" : value < 0 ? "&#8722;" : "+";
  return fmt::format("{}{:.{}f}", sign, std::abs(value), n_digits);
}

/// The mean, and below it in small print the spread and, if asked for, over how many runs.
std::string with_spread(const MeanAndSpread& value, int n_digits, const std::string& count = "") {
  std::string text = value.n == 0 ? kDash : fmt::format("{:.{}f}", value.mean, n_digits);
  std::string below = value.spread ? fmt::format("&#177; {:.{}f}", *value.spread, n_digits) : "";
  if (!count.empty()) below += (below.empty() ? "" : ", ") + count;
  return below.empty() ? text : text + "<small>" + below + "</small>";
}

std::string printed(const PrintedNumber& number, int n_digits) {
  if (!std::isfinite(number.value)) return kDash;
  std::string text = fmt::format("{:.{}f}", number.value, n_digits);
  if (number.std_dev) text += fmt::format("<small>&#177; {:g}</small>", *number.std_dev);
  return text;
}

std::string time_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return kDash;
  if (seconds < 99.95) return fmt::format("{:.1f} s", seconds);
  const auto total = static_cast<int64_t>(std::min(std::round(seconds), 1e12));
  if (total < 3600) return fmt::format("{} min {} s", total / 60, total % 60);
  return fmt::format("{} h {} min", total / 3600, total / 60 % 60);
}

std::string step_text(double seconds) {
  if (!(seconds > 0)) return kDash;
  return seconds < 1 ? fmt::format("{:.3g} ms", seconds * 1e3) : fmt::format("{:.3g} s", seconds);
}

std::string cell(const std::string& html, bool is_best = false) {
  return fmt::format("<td{}>{}</td>", is_best ? " class=\"best\"" : "", html);
}

std::string count_cell(int64_t ours, const std::string& paper) {
  std::string html = format_integer(ours);
  if (!paper.empty()) html += fmt::format("<small>paper {}</small>", escape_html(paper));
  return cell(html);
}

/// The best values of the columns as they are printed: what prints alike is alike.
struct BestValues {
  std::string headline;
  std::string ssim;
  std::string paper_headline;
  std::string paper_ssim;
};

/// Best only means something among at least two.
BestValues best_values(const PaperReport& report) {
  std::array<std::vector<double>, 4> values;
  for (const PaperRow& row : report.rows) {
    if (const MeanAndSpread headline = headline_of(row); headline.n > 0) values[0].push_back(headline.mean);
    if (const MeanAndSpread ssim = ssim_of(row); ssim.n > 0) values[1].push_back(ssim.mean);
    if (std::isfinite(row.paper_headline.value)) values[2].push_back(row.paper_headline.value);
    if (row.paper_ssim && std::isfinite(row.paper_ssim->value)) values[3].push_back(row.paper_ssim->value);
  }
  const bool is_largest = paper_kind(report.task).headline().higher_is_better;
  const auto text = [&](std::size_t i, int n_digits) {
    if (values[i].size() < 2) return std::string();
    const auto [smallest, largest] = std::minmax_element(values[i].begin(), values[i].end());
    return fmt::format("{:.{}f}", is_largest ? *largest : *smallest, n_digits);
  };
  return {text(0, 2), text(1, 4), text(2, 2), text(3, 3)};
}

/// What all lines of the results share.
struct ResultColumns {
  BestValues best;
  const Headline* headline = nullptr;
  bool has_ssim = true;
  bool has_paper_ssim = false;
  std::vector<Measure> psnr_measures;  ///< further columns among PSNR's
  std::vector<Measure> own_measures;   ///< columns of another group, all of one
  double plain_step_seconds = 0;       ///< 0: no plain MLP to compare with
};

ResultColumns result_columns(const PaperReport& report) {
  ResultColumns columns;
  columns.best = best_values(report);
  columns.headline = &paper_kind(report.task).headline();
  columns.has_ssim = paper_kind(report.task).has_ssim();
  for (const Measure& measure : measures_of(report)) {
    (*measure.group == '\0' ? columns.psnr_measures : columns.own_measures).push_back(measure);
  }
  for (const PaperRow& row : report.rows) {
    columns.has_paper_ssim = columns.has_paper_ssim || row.paper_ssim.has_value();
    if (row.key == kPlainRow) columns.plain_step_seconds = std::max(step_seconds_of(row).mean, 0.0);
  }
  return columns;
}

std::string group_head(const std::string& title, std::size_t n_columns) {
  return n_columns == 0 ? "" : fmt::format("<th class=\"group\" colspan=\"{}\">{}</th>", n_columns, title);
}

std::string column_heads(const std::vector<Measure>& measures) {
  std::string html;
  for (const Measure& measure : measures) html += fmt::format("<th scope=\"col\">{}</th>", measure.heading);
  return html;
}

std::string results_head(const ResultColumns& columns, const PaperKind& kind) {
  const bool has_ratio = columns.plain_step_seconds > 0;
  const std::string own_group = columns.own_measures.empty() ? "" : columns.own_measures.front().group;
  return fmt::format(
      "<thead><tr class=\"groups\"><th></th><th></th><th></th>{}{}{}{}</tr>\n"
      "<tr><th scope=\"col\">{}</th><th scope=\"col\">parameters</th><th scope=\"col\">MACs per {}</th>"
      "<th scope=\"col\">ours</th><th scope=\"col\">{}</th>{}{}"
      "{}{}{}<th scope=\"col\">per run</th><th scope=\"col\">per step</th>{}</tr></thead>\n",
      group_head(columns.headline->heading, (columns.headline->is_papers() ? 3 : 2) + columns.psnr_measures.size()),
      group_head("SSIM", columns.has_ssim ? columns.has_paper_ssim ? 2 : 1 : 0),
      group_head(own_group, columns.own_measures.size()), group_head("time", has_ratio ? 3 : 2), kind.row_word(),
      kind.sample_word(), columns.headline->paper_heading,
      columns.headline->is_papers() ? "<th scope=\"col\">difference</th>" : "", column_heads(columns.psnr_measures),
      columns.has_ssim ? "<th scope=\"col\">ours</th>" : "",
      columns.has_paper_ssim ? "<th scope=\"col\">paper</th>" : "", column_heads(columns.own_measures),
      has_ratio ? "<th scope=\"col\">/ PE MLP</th>" : "");
}

std::string measure_cells(const PaperRow& row, const std::vector<Measure>& measures) {
  std::string html;
  for (const Measure& measure : measures) html += cell(with_spread(measured(row, measure), measure.n_digits));
  return html;
}

/// The cells that need finished runs.
struct MeasuredCells {
  std::string headline;
  std::string difference;
  std::string ssim;
  std::string times;
};

MeasuredCells measured_cells(const PaperRow& row, const ResultColumns& columns) {
  const std::string missing = cell(kDash);
  const std::string no_ratio = columns.plain_step_seconds > 0 ? missing : "";
  if (row.runs.empty()) {
    return {fmt::format("<td class=\"missing\">{}<small>not run yet</small></td>", kDash),
            columns.headline->is_papers() ? missing : "", columns.has_ssim ? missing : "",
            missing + missing + no_ratio};
  }
  const MeanAndSpread headline = headline_of(row);
  const MeanAndSpread ssim = ssim_of(row);
  const MeanAndSpread step = step_seconds_of(row);
  const MeanAndSpread seconds = mean_and_spread(row, [](const PaperRun& run) { return run.seconds; });
  MeasuredCells cells;
  const std::string seeds = fmt::format("{} seed{}", row.runs.size(), row.runs.size() == 1 ? "" : "s");
  const bool is_best = headline.n > 0 && fmt::format("{:.2f}", headline.mean) == columns.best.headline;
  cells.headline = cell(with_spread(headline, 2, seeds), is_best);
  const double difference = headline.mean - row.paper_headline.value;
  if (columns.headline->is_papers()) {
    cells.difference = headline.n > 0 && std::isfinite(difference) ? cell(signed_number(difference, 2)) : missing;
  }
  if (columns.has_ssim) {
    cells.ssim = cell(with_spread(ssim, 4), ssim.n > 0 && fmt::format("{:.4f}", ssim.mean) == columns.best.ssim);
  }
  cells.times = cell(seconds.n > 0 ? time_text(seconds.mean) : kDash) + cell(step.n > 0 ? step_text(step.mean) : kDash);
  if (columns.plain_step_seconds > 0) {
    const double ratio = step.mean / columns.plain_step_seconds;
    cells.times += cell(step.mean > 0 ? fmt::format("{:.2f} &#215;", ratio) : kDash);
  }
  return cells;
}

std::string results_line(const PaperReport& report, std::size_t i, const ResultColumns& columns) {
  const PaperRow& row = report.rows[i];
  const MeasuredCells cells = measured_cells(row, columns);
  std::string html = "<tr>" + row_heading(report, i, true);
  if (row.network.layers.empty()) {
    html += cell(kDash) + cell(kDash);
  } else {
    html += count_cell(row.network.n_params(), row.paper_params);
    html += count_cell(row.network.macs_per_sample(), row.paper_macs);
  }
  html += cells.headline;
  html += cell(printed(row.paper_headline, 2),
               fmt::format("{:.2f}", row.paper_headline.value) == columns.best.paper_headline);
  html += cells.difference + measure_cells(row, columns.psnr_measures) + cells.ssim;
  if (columns.has_paper_ssim) {
    html += row.paper_ssim ? cell(printed(*row.paper_ssim, 3),
                                  fmt::format("{:.3f}", row.paper_ssim->value) == columns.best.paper_ssim)
                           : cell(kDash);
  }
  return html + measure_cells(row, columns.own_measures) + cells.times + "</tr>\n";
}

/// NaN, which is left out, if there is nothing to compare with.
double ratio(double a, double b) {
  return b > 0 ? a / b : std::nan("");
}

/// Chunks per side of the first run that says, 0: none does.
int chunks_per_side(const PaperReport& report) {
  for (const PaperRow& row : report.rows) {
    for (const PaperRun& run : row.runs) {
      if (!run.seams.chunk_mse.empty()) {
        return static_cast<int>(std::lround(std::sqrt(static_cast<double>(run.seams.chunk_mse.size()))));
      }
    }
  }
  return 0;
}

}  // namespace

RowStyle row_style(const PaperReport& report, std::size_t row) {
  // Readable on white and on near-black; the second half is dashed, for eyes that confuse hues.
  static const std::array<RowStyle, 7> styles = {{{"#0077bb", ""},
                                                  {"#e06a20", ""},
                                                  {"#009988", ""},
                                                  {"#d6336c", ""},
                                                  {"#8860c0", "8 3"},
                                                  {"#a98510", "8 3"},
                                                  {"#2b9ac8", "8 3"}}};
  if (report.rows[row].key == kPlainRow) return {"#808890", ""};
  std::size_t n_before = 0;
  for (std::size_t i = 0; i < row; ++i) n_before += report.rows[i].key == kPlainRow ? 0 : 1;
  return styles[n_before % styles.size()];
}

std::string row_heading(const PaperReport& report, std::size_t row, bool with_about) {
  const PaperRow& r = report.rows[row];
  std::string html = fmt::format("<th scope=\"row\"><span class=\"swatch\" style=\"background:{}\"></span>{}",
                                 row_style(report, row).color, escape_html(r.title));
  if (with_about && !r.about.empty()) html += fmt::format("<span class=\"about\">{}</span>", escape_html(r.about));
  return html + "</th>";
}

std::string results_section(const PaperReport& report) {
  const ResultColumns columns = result_columns(report);
  std::string html = "<section>\n<h2>Results</h2>\n<div class=\"scroll\"><table>\n" +
                     results_head(columns, paper_kind(report.task)) + "<tbody>\n";
  for (std::size_t i = 0; i < report.rows.size(); ++i) html += results_line(report, i, columns);
  html += "</tbody></table></div>\n";
  html += "<p class=\"soft\"><small>&#177;: sample standard deviation over seeds; the paper's as printed.";
  if (paper_kind(report.task).headline().is_papers()) html += " Difference: ours minus paper.";
  html += " The best value of a column is shaded. Per step: the median of a run, averaged over seeds.";
  for (const std::string& remark : paper_kind(report.task).remarks(report))
    html += fmt::format(" {}", escape_html(remark));
  return html + "</small></p>\n</section>\n";
}

std::string seams_section(const PaperReport& report) {
  const int n_chunks = chunks_per_side(report);
  const std::string chunks =
      n_chunks > 0 ? fmt::format("{0} &#215; {0} equal chunks", n_chunks) : std::string("equal chunks");
  std::string html = fmt::format(
      "<section>\n<h2>Seams</h2>\n<p>The picture is cut into {}. The ratios compare the error on inner chunk borders "
      "(one pixel on each side) with the error elsewhere, and its jumps across borders with jumps between other "
      "neighbours: near 1 means no visible seam, clearly above 1 means one. A large spread between chunks means that "
      "some are fitted better than others; part of it is the picture's own.</p>\n",
      chunks);
  html +=
      "<div class=\"scroll narrow\"><table>\n<thead><tr><th scope=\"col\">layout</th><th scope=\"col\">squared error, "
      "border / interior</th><th scope=\"col\">jump, border / interior</th><th scope=\"col\">spread between chunks "
      "(dB)</th></tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const PaperRow& row = report.rows[i];
    const auto mse =
        mean_and_spread(row, [](const PaperRun& run) { return ratio(run.seams.border_mse, run.seams.interior_mse); });
    const auto jump =
        mean_and_spread(row, [](const PaperRun& run) { return ratio(run.seams.border_jump, run.seams.interior_jump); });
    const auto spread = mean_and_spread(row, [](const PaperRun& run) {
      return run.seams.chunk_mse.empty() ? std::nan("") : run.seams.chunk_spread_db;
    });
    html += "<tr>" + row_heading(report, i, false) + cell(with_spread(mse, 3)) + cell(with_spread(jump, 3)) +
            cell(with_spread(spread, 2)) + "</tr>\n";
  }
  return html + "</tbody></table></div>\n</section>\n";
}

}  // namespace loe::app
