// The tables of the paper that `loe paper` repeats: their rows, what the paper prints for them, and the configs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analytic_data.h"
#include "loe/base/settings.h"
#include "paper_report.h"

namespace loe::app {

/// A row: its config is paper/table<N>/<key>.toml over that of a scale; see row_settings.
struct TableRow {
  std::string key;
  std::string title;
  std::string about;
  PrintedNumber headline;  ///< Headline::paper_key
  std::optional<PrintedNumber> ssim;
  std::string params;
  std::string macs;
};

struct PaperTable {
  int number = 5;
  std::string task = "image";  ///< of the signal that the rows fit
  std::string title;
  std::string small_scale;  ///< what --scale small stands for
  std::vector<std::string> scales;
  std::vector<std::string> notes;  ///< what differs from the paper, one sentence each
  std::vector<TableRow> rows;
  std::string data_hint;  ///< where the data come from, if the user gave none
  /// By scale: data that the table makes itself where the user gives none.
  std::map<std::string, AnalyticViews> analytic;

  const AnalyticViews* analytic_views(const std::string& scale) const {
    const auto found = analytic.find(scale);
    return found == analytic.end() ? nullptr : &found->second;
  }
};

/// Tables 1 to 5. Error(InvalidArgument) lists them.
const PaperTable& paper_table(int number);

/// Settings of one row at one scale: paper/table<N>/<scale>.toml, then paper/table<N>/<key>.toml, then, for what the
/// row has at this scale only, paper/table<N>/<scale>/<key>.toml if there is one.
Settings row_settings(int table, const std::string& scale, const std::string& key);

/// The network of that row for a signal of so many channels.
NetworkSpec row_network(int table, const std::string& scale, const std::string& key, int n_channels);

/// Path below configs/ -> TOML text; compiled in.
const std::map<std::string, std::string>& embedded_configs();

}  // namespace loe::app
