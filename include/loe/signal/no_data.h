// Pixels of a picture at which nothing was measured (Image::no_data).
#pragma once

#include <cstdint>

#include "loe/signal/image.h"

namespace loe {

/// Pixels with values.
int64_t n_measured(const Image& image);

/// Gives the pixels without values some that continue the others smoothly: each channel is averaged over blocks of 2 x
/// 2, 4 x 4, ... of the values that are there, until none is missing, and what is missing is interpolated linearly from
/// the next coarser level, from the coarsest one down. Values that are there stay as they are, and so do Image::no_data
/// and alpha, unless it is NaN. Deterministic. Memory: 7 bytes per pixel for the time of the call.
/// Error(InvalidArgument) if no pixel has values.
void fill_no_data(Image& image);

}  // namespace loe
