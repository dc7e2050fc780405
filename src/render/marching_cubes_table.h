// The cases of marching cubes: which triangles separate which corners of a cube.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace loe {

/// Corner c of a cube is at ((c >> 0) & 1, (c >> 1) & 1, (c >> 2) & 1). Edge e = 4 a + i + 2 j runs along axis a from
/// the corner whose coordinates on axes a + 1 and a + 2 (mod 3) are i and j.
struct CubeEdge {
  int axis;
  std::array<int, 3> base;  ///< coordinates of its lower corner
};
CubeEdge cube_edge(int edge);

/// Triangles of case m (bit c: corner c is inside), three edges each, anticlockwise seen from outside. Made at first
/// use.
const std::array<std::vector<uint8_t>, 256>& marching_cubes_table();

}  // namespace loe
