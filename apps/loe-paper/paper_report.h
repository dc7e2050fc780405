// What `loe paper` found, and the page that shows it.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "loe/backend/network_spec.h"
#include "loe/metric/seams.h"

namespace loe::app {

/// A number as the paper prints it.
struct PrintedNumber {
  double value = 0;
  std::optional<double> std_dev;
};

inline constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

struct CurvePoint {
  int64_t step = 0;
  double value = 0;
};

/// One finished training: one row of a table, one seed.
struct PaperRun {
  uint64_t seed = 0;
  double headline = 0;  ///< PSNR in dB, or what PaperKind::headline() says
  double ssim = kNotMeasured;
  double seconds = 0;                   ///< of training, all sessions
  double seconds_per_step = 0;          ///< median
  SeamStats seams;                      ///< over 4 x 4 chunks
  std::vector<CurvePoint> curve;        ///< Headline::curve_key, coarse enough to draw
  std::vector<double> part_psnr_db;     ///< videos, scenes: of each frame or view
  std::vector<std::string> part_names;  ///< scenes: of the views
  double psnr_frame_db = kNotMeasured;  ///< videos: mean of the frames' PSNR
  double empty_opacity = kNotMeasured;  ///< scenes: EmptySpaceOpacity::mean, where it is known what is empty
  double empty_opacity_largest = kNotMeasured;
  double random_frechet = kNotMeasured;    ///< generators: GanEvaluation::random_frechet
  double pattern_rms = kNotMeasured;       ///< generators: NoisePatternStats::pattern_rms
  double data_pattern_rms = kNotMeasured;  ///< and of the data
  std::string folder;                      ///< run folder: error.png and the reconstruction are there
};

struct PaperRow {
  std::string key;               ///< "quad_tree": name of its config
  std::string title;             ///< "Quad Tree"
  std::string about;             ///< one line: what is special about it
  NetworkSpec network;           ///< of a model of several the main one: tables count one
  PrintedNumber paper_headline;  ///< Headline::paper_key
  std::optional<PrintedNumber> paper_ssim;
  std::string paper_params;  ///< as printed, "9.37M"; empty: not given
  std::string paper_macs;
  std::vector<PaperRun> runs;  ///< finished ones; may be empty while others still run
};

struct PaperReport {
  int table = 5;
  std::string scale;  ///< "full", "toy-128"
  std::string title;  ///< "Table 5: layouts on a 512 x 512 picture"
  std::string task = "image";
  std::string picture;  ///< what was fitted, one line
  std::string machine;  ///< CPU, threads, precision, version: one line
  std::string command;  ///< that repeats it
  int width = 0;        ///< of the picture, video or views that were fitted
  int height = 0;
  int n_parts = 1;                      ///< frames of the video, views of the scene that the fit is measured on
  std::vector<std::string> part_names;  ///< of the views
  int64_t max_steps = 0;
  std::vector<std::string> notes;  ///< differences to the paper, one sentence each
  std::vector<PaperRow> rows;      ///< in the paper's order
  std::string source_picture;      ///< picture file of the shown parts of the data, one below the other; empty: none
  std::string comparison;          ///< videos: name of a video beside the page; empty: none yet
  std::vector<std::string> comparison_columns;  ///< what it shows, from left to right
};

/// One self-contained HTML page (no script, no other file): the table with our mean and spread beside the paper's
/// numbers, training curves (paper Fig. 8), error maps side by side with one scale (paper Fig. 2), the layout of each
/// row (paper Fig. 1), cost, and what a kind of signal has of its own (PaperKind): seams; PSNR per frame and a few
/// frames; the same of views, and what is seen of empty space. Rows without finished runs are shown as missing.
/// Error(Io) if the page cannot be written; pictures that cannot be read are left out and said so on the page.
void write_paper_page(const PaperReport& report, const std::string& path);

}  // namespace loe::app
