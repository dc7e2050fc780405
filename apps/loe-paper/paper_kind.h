// What `loe paper` does differently for each kind of signal: one interface, an implementation per task.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include "loe/fitting/fit_signal.h"
#include "page_pictures.h"
#include "paper_report.h"

namespace loe::app {

/// A number that runs of one kind only have: a column of the table, and keys of result.json.
struct Measure {
  const char* key;         ///< of a run; a row has KEY_mean and KEY_std
  const char* group;       ///< columns of one group stand together on the page; "": among PSNR's
  const char* heading;     ///< of its column on the page
  const char* short_name;  ///< the same as text
  int n_digits;
  double PaperRun::*value;  ///< NaN: not measured
};

/// The number that a table compares its rows by.
struct Headline {
  const char* key = "psnr_db";          ///< of runs and rows in result.json
  const char* heading = "PSNR (dB)";    ///< on the page
  const char* short_name = "PSNR dB";   ///< the same as text
  const char* unit = " dB";             ///< behind a value
  const char* paper_key = "psnr_db";    ///< what the paper prints; another than `key`: the two are not compared
  const char* paper_heading = "paper";  ///< of its column
  bool higher_is_better = true;
  const char* curve_key = "psnr_db";  ///< of a run's metrics.jsonl
  const char* curve_text = "PSNR of the training batches.";
  bool is_papers() const { return std::string_view(key) == paper_key; }
};

/// Words for what a signal is measured in pieces of.
struct Parts {
  const char* one;        ///< "frame"
  const char* many;       ///< "frames"
  const char* title;      ///< "Frame by frame": heading on the page
  const char* key;        ///< "frames": of a run's result.json, with psnr_db and perhaps name, a value per part
  const char* count_key;  ///< "n_frames": of the table's result.json
};

/// A training that has ended, to be looked at once more for the table.
struct FinishedRun {
  const FitSignal& signal;
  ModelExecutor& model;  ///< in f32, with the final parameters
  std::string folder;    ///< of the run
  std::string table_folder;
  bool is_analytic = false;  ///< the data are those of analytic_data.h: it is known where nothing is
  std::function<void(const char* job, double done)> on_progress;
};

/// All rows have run.
struct FinishedTable {
  struct Run {
    std::string title;   ///< of the row
    std::string folder;  ///< of its first seed
  };
  std::string folder;
  std::vector<Run> runs;  ///< in the table's order
  bool has_new_runs = false;
  std::function<std::unique_ptr<FitSignal>()> read_signal;
  /// file: what is being written. May throw to give up.
  std::function<void(const std::string& file, double done)> on_progress;
};

class PaperKind {
 public:
  virtual ~PaperKind() = default;

  virtual const char* noun() const = 0;         ///< FitSignal::noun()
  virtual int n_channels() const = 0;           ///< to assume before the data are read
  virtual const char* row_word() const = 0;     ///< what the rows of a table are: "layout", "network"
  virtual const char* sample_word() const = 0;  ///< what MACs are counted per: "pixel"
  virtual const Parts* parts() const { return nullptr; }
  virtual const Headline& headline() const {
    static constexpr Headline kPsnr;
    return kPsnr;
  }
  /// Of a fit's result.json. Errors of run_number.
  virtual double read_headline(const nlohmann::ordered_json& result, const std::string& path) const;
  /// Whether runs have an SSIM.
  virtual bool has_ssim() const { return true; }
  /// Whether reconstructions differ from a truth, pixel by pixel.
  virtual bool has_error_maps() const { return true; }
  /// Of RunPictures::extra.
  virtual const char* extra_title() const { return "Empty space"; }
  virtual std::vector<Measure> measures() const { return {}; }
  /// What must be known to read the table, a sentence each on the page and below the text.
  virtual std::vector<std::string> remarks(const PaperReport&) const { return {}; }

  /// File in a run's folder that finish_run writes last.
  virtual const char* last_file() const = 0;
  virtual void finish_run(const FinishedRun& run) const = 0;
  /// Reads back what finish_run wrote, and what a fit's result.json has of this kind only. Errors of read_paper_run.
  virtual void read_run(PaperRun& run) const = 0;
  virtual void finish_table(const FinishedTable&) const {}
  /// Files of finish_run and finish_table in the table's folder that the page names or shows.
  virtual void find_files(const std::string& /*table_folder*/, PaperReport&) const {}
  /// Adds what report and run have of this kind only.
  virtual void add_to_json(const PaperRun&, nlohmann::ordered_json& /*json*/) const {}

  virtual const char* pictures_title() const = 0;
  /// Never throws loe::Error.
  virtual RunPictures read_pictures(const PaperReport& report, const PaperRun& run) const = 0;
  /// What the pictures show from top to bottom, as HTML.
  virtual std::string pictures_text(const PaperReport& report,
                                    const std::vector<const RunPictures*>& pictures) const = 0;
  /// Which slice of a grid with three axes the layouts show, "" for two.
  virtual const char* slice_text() const { return ""; }
  /// A section that no other kind has, as HTML.
  virtual std::string own_section(const PaperReport&) const { return ""; }
};

/// `task`: "image", "video", "scene", "gan".
const PaperKind& paper_kind(const std::string& task);

/// The implementations.
const PaperKind& picture_paper();
const PaperKind& video_paper();
const PaperKind& scene_paper();
const PaperKind& gan_paper();

/// Those of a kind's measures that some run of the report has.
std::vector<Measure> measures_of(const PaperReport& report);

/// Parts that the page shows, at 1/6, 1/2 and 5/6 of all; all of three or fewer.
std::vector<int> shown_parts(int n_parts);

/// "frame 50, 150, 250 (the first is 0)", or by their names: what the page says of them.
std::string shown_parts_text(const PaperReport& report);

}  // namespace loe::app
