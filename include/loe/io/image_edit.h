// Cutting and resizing a picture before it is fitted.
#pragma once

#include "loe/signal/image.h"

namespace loe {

/// The rectangle [x, x + width) x [y, y + height). Error(InvalidArgument) unless it lies inside the picture and holds a
/// pixel.
Image crop_image(const Image& image, int x, int y, int width, int height);

/// Resampled to width x height, at the picture's own depth (integers rounded to nearest). If both sides shrink by whole
/// factors each pixel is the average of its block; else a triangle filter, widened when shrinking: what PIL and
/// torchvision call bilinear. Error(InvalidArgument) for sizes outside 1..65536.
Image resize_image(const Image& image, int width, int height);

}  // namespace loe
