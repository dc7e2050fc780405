// What the user sees while something runs: one live line, plain lines, JSON lines or nothing; and the run's log.txt.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "loe/base/format.h"
#include "loe/io/run_folder.h"
#include "loe/train/trainer.h"

namespace loe::app {

enum class ProgressMode {
  Live,   ///< one line on stderr, redrawn
  Plain,  ///< a line on stderr every few seconds
  Json,   ///< one JSON object per line on stdout, every log step
  None,
};

/// "auto" is Live on a terminal that can redraw, else Plain. Error(InvalidArgument) lists the choices.
ProgressMode progress_mode(const std::string& text);

enum class Verbosity { Quiet, Normal, Verbose };

/// Human text goes to stderr, so that stdout holds results only. Not thread-safe.
class Reporter {
 public:
  Reporter(ProgressMode mode, Verbosity verbosity);
  ~Reporter();  ///< ends a live line, so that what follows starts on its own
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  /// Also writes everything to this log.txt from now on (kept even when quiet). nullptr: stop.
  void set_log(LineFile* log) { log_ = log; }

  /// Says which of several runs is under way: set before every line of progress; while there is one, info() counts as
  /// detail(). "": none.
  void set_label(const std::string& label) { label_ = label; }

  void info(const std::string& text);     ///< not shown with -q
  void detail(const std::string& text);   ///< shown with -v only
  void warning(const std::string& text);  ///< always shown, as "loe: warning: ..."
  void notice(const std::string& text);   ///< always shown, as "loe: ..."
  void progress(const Progress& progress);
  /// Numbers of the whole signal (Evaluation::headline): shown with -v, an object with "event": "eval" in JSON mode.
  void evaluation(int64_t step, const nlohmann::ordered_json& headline);
  /// A long job after training, done in [0, 1]; redrawn like progress.
  void job(const std::string& name, double done);
  /// Erases the live line.
  void end_line();
  ProgressMode mode() const { return mode_; }

 private:
  using Clock = std::chrono::steady_clock;
  void draw(const std::string& line);
  void show(const std::string& text);
  void log(const std::string& text);
  bool is_due(Clock::time_point& last, double interval_s) const;

  ProgressMode mode_;
  Verbosity verbosity_;
  LineFile* log_ = nullptr;
  std::string label_;
  bool has_line_ = false;
  Clock::time_point last_draw_;
  Clock::time_point last_plain_;
  Clock::time_point last_logged_;
  Clock::time_point last_job_;
};

/// psnr_db or the terms of the loss, by their names.
void add_measures(const Progress& progress, nlohmann::ordered_json& object);
/// "45% step 4,500/10,000  loss 1.2e-04  39.12 dB  12.3M samples/s  ETA 0:42", shortened field by field from the
/// right until it fits `width` columns.
std::string progress_line(const Progress& progress, int width);
}  // namespace loe::app
