// What a caller hears while something is read, fitted and evaluated.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "loe/base/facts.h"
#include "loe/train/trainer.h"

namespace loe {

/// Called with the share that is done; may throw to give up.
using OnShare = std::function<void(double)>;

/// Functions that are not set are not called. All are called on the thread that called the library.
struct FitEvents {
  std::function<void(const std::string&)> on_warning;  ///< what the user should know about the data or the run
  std::function<void(const std::string&)> on_info;     ///< what was decided
  std::function<void(const std::string&)> on_detail;   ///< kernels, saves
  std::function<void(const Progress&)> on_progress;    ///< a line of training
  /// An evaluation of the whole signal in the middle of training: Evaluation::headline.
  std::function<void(int64_t step, const Facts& headline)> on_evaluation;
  /// Work outside of training ("reading", "evaluating", "timing steps") and the share of it that is done.
  std::function<void(const std::string& job, double share)> on_job;
  /// The run folder, as soon as there is one.
  std::function<void(const std::string& folder)> on_folder;
  /// Asked between steps and within evaluations: true ends the fit after saving.
  std::function<bool()> should_stop;

  void warning(const std::string& text) const {
    if (on_warning) on_warning(text);
  }
  void info(const std::string& text) const {
    if (on_info) on_info(text);
  }
  void detail(const std::string& text) const {
    if (on_detail) on_detail(text);
  }
  void job(const std::string& name, double share) const {
    if (on_job) on_job(name, share);
  }
  bool is_stopped() const { return should_stop && should_stop(); }
};

}  // namespace loe
