// `loe bench quality`: the same picture by several methods, one after another, with equal parameters in equal time.
#pragma once

#include <string>
#include <vector>

namespace loe::app {

struct QualityOptions {
  std::string input;
  std::vector<std::string> methods;
  std::vector<std::string> params;  ///< limits, "108k"; empty: what the preset auto takes in the longest time
  std::vector<double> seconds = {10};
  int threads = 0;  ///< 0: all usable cores
  int n_seeds = 1;
  int n_moments = 12;  ///< evaluations of a run on the way
  std::string out;     ///< folder of quality.json, index.html and curves; "": none
  std::string rivals;  ///< file of runs made elsewhere that are shown beside these
  bool json = false;
};

/// Runs every combination, methods innermost so that they take turns, and prints a line for each at the end; --out is
/// written anew after every run. Returns the exit code. Error(InvalidArgument) for a file that is no picture, and all
/// errors of resolve_fit.
int bench_quality(const QualityOptions& options);

}  // namespace loe::app
