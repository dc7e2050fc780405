#include "render/marching_cubes_table.h"

#include "loe/base/error.h"

namespace loe {
namespace {

constexpr int kNone = -1;

int edge_between(int corner, int other) {
  const int axis = (corner ^ other) >> 1;  // 1, 2, 4 -> 0, 1, 2
  const int base = corner & other;
  return 4 * axis + ((base >> ((axis + 1) % 3)) & 1) + 2 * ((base >> ((axis + 2) % 3)) & 1);
}

/// Corners of a face anticlockwise seen from outside: axis and side (0 or 1).
std::array<int, 4> face_corners(int axis, int side) {
  const int u = 1 << ((axis + 1) % 3);
  const int v = 1 << ((axis + 2) % 3);
  const int base = side << axis;
  return side == 1 ? std::array<int, 4>{base, base + u, base + u + v, base + v}
                   : std::array<int, 4>{base, base + v, base + u + v, base + u};
}

/// next[e]: the edge to which the surface's outline runs from edge e, across the face where e enters the inside.
std::array<int, 12> outlines(int inside) {
  std::array<int, 12> next{};
  next.fill(kNone);
  for (int face = 0; face < 6; ++face) {
    const std::array<int, 4> corners = face_corners(face / 2, face % 2);
    const auto is_inside = [&](int i) { return ((inside >> corners[i % 4]) & 1) != 0; };
    for (int i = 0; i < 4; ++i) {
      if (!is_inside(i + 3) && is_inside(i)) {
        int last = i;
        while (is_inside(last + 1)) {
          ++last;
        }
        next[edge_between(corners[(i + 3) % 4], corners[i])] = edge_between(corners[last % 4], corners[(last + 1) % 4]);
      }
    }
  }
  return next;
}

bool share_a_face(int a, int b) {
  const CubeEdge first = cube_edge(a);
  const CubeEdge second = cube_edge(b);
  for (int axis = 0; axis < 3; ++axis) {
    if (axis != first.axis && axis != second.axis && first.base[axis] == second.base[axis]) {
      return true;
    }
  }
  return false;
}

/// Cuts the polygon of loop[first..last] into triangles; false if it takes a diagonal within a face.
bool triangulate(const std::vector<int>& loop, int first, int last, std::vector<uint8_t>& triangles) {
  if (last - first < 2) {
    return true;
  }
  const int n = static_cast<int>(loop.size());
  const auto allowed = [&](int i, int j) { return j - i == 1 || j - i == n - 1 || !share_a_face(loop[i], loop[j]); };
  for (int middle = first + 1; middle < last; ++middle) {
    const std::size_t size = triangles.size();
    if (allowed(first, middle) && allowed(middle, last) && triangulate(loop, first, middle, triangles) &&
        triangulate(loop, middle, last, triangles)) {
      for (const int corner : {first, middle, last}) {
        triangles.push_back(static_cast<uint8_t>(loop[corner]));
      }
      return true;
    }
    triangles.resize(size);
  }
  return false;
}

std::array<std::vector<uint8_t>, 256> make_table() {
  std::array<std::vector<uint8_t>, 256> table;
  for (int inside = 0; inside < 256; ++inside) {
    std::array<int, 12> next = outlines(inside);
    for (int start = 0; start < 12; ++start) {
      std::vector<int> loop;
      for (int edge = start; next[edge] != kNone;) {
        loop.push_back(edge);
        const int following = next[edge];
        next[edge] = kNone;
        edge = following;
      }
      const bool found = triangulate(loop, 0, static_cast<int>(loop.size()) - 1, table[inside]);
      LOE_ASSERT(found);
    }
  }
  return table;
}

}  // namespace

CubeEdge cube_edge(int edge) {
  CubeEdge result{edge / 4, {}};
  result.base[(result.axis + 1) % 3] = edge & 1;
  result.base[(result.axis + 2) % 3] = (edge >> 1) & 1;
  return result;
}

const std::array<std::vector<uint8_t>, 256>& marching_cubes_table() {
  static const std::array<std::vector<uint8_t>, 256> table = make_table();
  return table;
}

}  // namespace loe
