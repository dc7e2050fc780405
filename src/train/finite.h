// Where a training went wrong: the first number that is not finite.
#pragma once

#include <string>

#include "loe/backend/backend.h"
#include "loe/nn/model.h"

namespace loe {

/// "" if all of the state is finite, else `params of levels.0.weight (element 12 is nan)`: parameters first, then
/// Adam's moments, tensors in order.
std::string find_non_finite(const ModelSpec& spec, const ParamState& state);

/// "" if all targets of the batch are finite, else `target of sample 7, output 0 is inf`. Pulls the whole batch.
std::string find_non_finite_target(const SampleSource& source, int n_dims, int n_out);

}  // namespace loe
