// The frequency encoding gamma(p), exactly as every backend must reproduce it.
#pragma once

#include "loe/backend/network_spec.h"

namespace loe {

/// Writes the input of the first layer for one sample: gamma(p) of InputSpec, or the 1 of a constant input.
///
/// p [n_dims] -> out [input.encoding_width(n_dims)]; the features of an embedding are not written (see embedding.h).
/// Raw coordinates are computed in double and rounded once; with the default range they are p, bit for bit.
/// Each sine and cosine is computed in double of the double 2^k c p_d and rounded once to float: within half a unit in
/// the last place of the true value for c p 2^k up to about 2^30. A pure function. Not for InputKind::Features, whose
/// rows come from the caller (asserted).
void encode(const InputSpec& input, int n_dims, const float* p, float* out);

}  // namespace loe
