// Cutting and resizing a picture before it is fitted.
#pragma once

#include <cstdint>

#include "loe/signal/image.h"

namespace loe {

/// The rectangle [x, x + width) x [y, y + height). Error(InvalidArgument) unless it lies inside the picture and holds a
/// pixel.
/// Image::no_data goes along, as with resize_image: a new pixel has what the source's pixel at its centre has.
Image crop_image(const Image& image, int x, int y, int width, int height);

/// Resampled to width x height, at the picture's own depth (integers rounded to nearest). If both sides shrink by whole
/// factors each pixel is the average of its block; else a triangle filter, widened when shrinking: what PIL and
/// torchvision call bilinear. Error(InvalidArgument) for sizes outside 1..65536.
Image resize_image(const Image& image, int width, int height);

/// The size x size pixels that the square [x, x + side) x [y, y + side) averages to, RGB of 8 bits; out [size, size,
/// 3]. Pixel (i, j) is the mean over its area, [i, i + 1) side / size by [j, j + 1) side / size, in which source pixels
/// count by the share of their own area: exact box weights for every ratio side / size >= 1. Means are of the stored
/// values (floats clipped to [0, 1]), rounded to nearest. Grey becomes R = G = B. Transparency is shown on black:
/// colours are multiplied by a straight alpha; of an unstated kind those of half and float pictures hold it already.
/// Error(InvalidArgument) unless the square lies inside the picture and 1 <= size <= side. Sums are
/// double; a mean within 1e-4 of k + 1/2 rounds up.
void area_average_to_u8(const Image& image, int x, int y, int side, int size, uint8_t* out);

}  // namespace loe
