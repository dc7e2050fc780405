// Adam over the flat parameter buffer.
#pragma once

#include <span>

#include "loe/backend/backend.h"

namespace loe::reference {

/// One update of all parameters (AdamUpdate's equations) in double, rounded once per stored number. grads [n_params].
void adam_step(const AdamUpdate& update, std::span<const double> grads, ParamSlice state);

}  // namespace loe::reference
