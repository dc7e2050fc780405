// What `loe paper` found, and the page that shows it.
#pragma once

#include <cstdint>
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

struct CurvePoint {
  int64_t step = 0;
  double psnr_db = 0;
};

/// One finished training: one row of a table, one seed.
struct PaperRun {
  uint64_t seed = 0;
  double psnr_db = 0;
  double ssim = 0;
  double seconds = 0;                 ///< of training, all sessions
  double seconds_per_step = 0;        ///< median
  SeamStats seams;                    ///< over 4 x 4 chunks
  std::vector<CurvePoint> curve;      ///< training PSNR, coarse enough to draw
  double psnr_frame_db = 0;           ///< videos: mean of the frames' PSNR
  std::vector<double> frame_psnr_db;  ///< videos: of each frame
  std::string folder;                 ///< run folder: error.png and the reconstruction are there
};

struct PaperRow {
  std::string key;    ///< "quad_tree": name of its config
  std::string title;  ///< "Quad Tree"
  std::string about;  ///< one line: what is special about it
  NetworkSpec network;
  PrintedNumber paper_psnr;
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
  int width = 0;        ///< of the picture or video that was fitted
  int height = 0;
  int n_frames = 1;
  int64_t max_steps = 0;
  std::vector<std::string> notes;  ///< differences to the paper, one sentence each
  std::vector<PaperRow> rows;      ///< in the paper's order
  std::string source_frames;       ///< videos: picture file of the frames that the page shows; empty: none yet
  std::string comparison;          ///< videos: name of a video beside the page; empty: none yet
  std::vector<std::string> comparison_columns;  ///< what it shows, from left to right
};

/// One self-contained HTML page (no script, no other file): the table with our mean and spread beside the paper's
/// numbers, training curves (paper Fig. 8), error maps side by side with one scale (paper Fig. 2), the layout of each
/// row (paper Fig. 1), seams, cost; for videos PSNR per frame and a few frames instead of seams. Rows without finished
/// runs are shown as missing.
/// Error(Io) if the page cannot be written; pictures that cannot be read are left out and said so on the page.
void write_paper_page(const PaperReport& report, const std::string& path);

}  // namespace loe::app
