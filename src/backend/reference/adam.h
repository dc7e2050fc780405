// Adam over the flat parameter buffer.
#pragma once

#include <span>

#include "loe/backend/backend.h"

namespace loe::reference {

/// One update of these parameters (AdamUpdate's equations) in double, rounded once per stored number; grads as many.
/// skips_zeros: numbers without a gradient stay as they are.
void adam_step(const AdamUpdate& update, std::span<const double> grads, ParamSlice state, bool skips_zeros = false);

}  // namespace loe::reference
