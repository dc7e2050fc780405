// Laplacian pyramid of a small picture (Burt and Adelson 1983).
#pragma once

#include <vector>

namespace loe {

/// Channels apart: value (x, y) of channel c is element (c * size + y) * size + x.
struct PlanarPicture {
  int size = 0;
  std::vector<float> values;  ///< [3, size, size]
};

/// Filtered by [1 4 6 4 1] / 16 along both axes, borders mirrored (x_-1 = x_1), every other pixel kept: side / 2.
PlanarPicture halve(const PlanarPicture& picture);

/// Twice the side: zeros between the pixels, the same filter times 4. Subtracted from `fine`, whose side that is.
void subtract_doubled(const PlanarPicture& coarse, PlanarPicture& fine);

/// Sides of the levels: `size`, halved while even and the next is at least `smallest`.
std::vector<int> pyramid_sizes(int size, int smallest);

/// Level `level` of the pyramid that ends at level n_levels - 1: G_k - up(G_(k+1)), or G_k at the end.
PlanarPicture laplacian_level(PlanarPicture picture, int level, int n_levels);

/// All levels at once.
std::vector<PlanarPicture> laplacian_pyramid(PlanarPicture picture, int n_levels);

}  // namespace loe
