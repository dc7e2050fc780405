// A surface of constant density as triangles.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <vector>

#include "loe/render/rays.h"
#include "loe/signal/mesh.h"

namespace loe {

/// Nodes of a lattice over a box, its faces included: node (x, y, z) lies at min + (x, y, z) / (n - 1) (max - min) and
/// is number (z n_y + y) n_x + x.
struct FieldSpec {
  Box box;
  std::array<int, 3> size = {128, 128, 128};  ///< n_x, n_y, n_z, each in 2..1024
};

/// Values of a function at all nodes, [n_z, n_y, n_x]. function: points [B, 3] -> values [B], B at most 8192.
/// Error(InvalidArgument) if a size is out of range.
std::vector<float> sample_field(
    const FieldSpec& spec, const std::function<void(std::span<const float> points, std::span<float> values)>& function);

/// Marching cubes (Lorensen and Cline 1987) with consistent faces: the surface value = level, larger values inside.
///
///   values        [n_z, n_y, n_x], finite
///   close_border  true: nodes on the box's faces count as outside, so that the mesh ends there in a flat lid
/// Vertices lie on the lattice's edges by linear interpolation and are shared by all their triangles; normals are the
/// negative gradient (central differences). With close_border, or if the surface does not meet the box's faces, the
/// mesh is watertight: each edge belongs to exactly two triangles, which run along it in opposite directions.
///
/// The table of cases is derived, not copied: on each face of a cube, seen from outside, each run of inside corners is
/// cut off by one segment, from the edge by which the face's outline enters the run to the edge by which it leaves
/// (two inside corners across a diagonal: two runs). Two cubes see their common face alike, so segments match. The
/// segments of the six faces form closed loops; a loop is cut into triangles by diagonals that do not lie in a face,
/// which exist for all 256 cases, so that no diagonal of one cube meets one of its neighbour.
/// Cost: about 35 ns per node, one thread; memory: the mesh and three layers of nodes.
/// Throws Error(InvalidArgument) if sizes disagree or are out of range, or a value is not finite.
Mesh marching_cubes(const FieldSpec& spec, std::span<const float> values, float level, bool close_border = true);

/// Fills mesh.colors. color: positions [B, 3], normals [B, 3] -> colors [B, 3], B at most 8192; a colour that depends
/// on the view is asked for from straight above: direction = -normal. Error(InvalidArgument) if the mesh has no
/// normals.
void color_vertices(Mesh& mesh,
                    const std::function<void(std::span<const float> positions, std::span<const float> normals,
                                             std::span<float> colors)>& color);

}  // namespace loe
