// The cameras of a scene as a picture: where they stand and where they look.
#pragma once

#include <array>

#include "loe/signal/image.h"
#include "loe/signal/scene.h"

namespace loe::app {

/// Side of each of the two halves in pixels.
inline constexpr int kCameraPictureSide = 512;

/// sRGB: blue trains, green validates, red tests.
std::array<int, 3> split_color(Split split);

/// Left: seen along -z (x to the right, y up). Right: seen along +y (x to the right, z up). Both at one scale, which
/// shows all cameras; the origin is in the middle. The normalised cube is light grey, the box dark grey; each camera
/// is a dot with a line in its viewing direction.
Image draw_cameras(const Scene& scene);

}  // namespace loe::app
