// Which expert of a level each position selects, as a small picture (paper Fig. 1).
#pragma once

#include <array>

#include "loe/backend/network_spec.h"
#include "loe/signal/image.h"

namespace loe::app {

/// Pixels of a side: a multiple of 2, 3, 4, 6, 8, 12, 16, 24, so that cells of usual grids have equal sizes.
inline constexpr int kLayoutSide = 96;

struct LayoutPicture {
  Image image;   ///< [kLayoutSide, kLayoutSide] RGB, 8 bits
  int zoom = 1;  ///< a power of two: the picture shows [0, 1 / zoom]^2, the top left corner
};

/// sRGB bytes. Up to 4 experts and up to 16 have a palette each (a 4 x 4 tile: hues along x, lightness along y); more
/// repeat the latter.
std::array<int, 3> expert_color(int expert, int n_experts);

/// Pixel (i, j) has the colour of the expert at ((i + 0.5) / (side zoom), (j + 0.5) / (side zoom)); further coordinates
/// are 0.5. Linear levels: the experts' colours blended by their coefficients. The zoom is the smallest that gives a
/// cell four pixels or more.
LayoutPicture draw_layout(const LayerSpec& layer, int n_dims);

}  // namespace loe::app
