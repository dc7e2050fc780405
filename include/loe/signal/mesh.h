// A triangle mesh in memory.
#pragma once

#include <cstdint>
#include <vector>

namespace loe {

/// V vertices and T triangles. Seen from outside, a triangle's vertices go round anticlockwise.
struct Mesh {
  std::vector<float> positions;     ///< [V, 3]
  std::vector<float> normals;       ///< [V, 3] of length 1, outwards; or empty
  std::vector<float> colors;        ///< [V, 3] RGB in [0, 1]; or empty
  std::vector<uint32_t> triangles;  ///< [T, 3] indices of vertices

  int64_t n_vertices() const { return static_cast<int64_t>(positions.size()) / 3; }
  int64_t n_triangles() const { return static_cast<int64_t>(triangles.size()) / 3; }
};

}  // namespace loe
