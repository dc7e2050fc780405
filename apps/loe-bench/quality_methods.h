// The methods that `loe bench quality` compares, each as the request of a fit that it is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loe/fitting/fit_job.h"

namespace loe::app {

struct QualityMethod {
  const char* key;
  const char* title;  ///< one line: what it is
};
/// best, experts (the two families of the preset auto), hash_grid (the preset, its tables cut for the budget), siren,
/// pe_mlp (plain networks).
const std::vector<QualityMethod>& quality_methods();

/// A fit of `signal`, a picture, by a method with at most so many parameters whose schedule ends after so many seconds.
/// Error(InvalidArgument) if no network of the method is that small, or for an unknown key.
FitRequest quality_request(const std::string& method, const FitSignal& signal, int64_t max_params, double seconds);

}  // namespace loe::app
