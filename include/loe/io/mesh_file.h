// Meshes to files that other programs open.
#pragma once

#include <string>

#include "loe/signal/mesh.h"

namespace loe {

/// Writes `path` whole or not at all; the extension chooses the format:
///   .ply  binary little-endian: x y z, nx ny nz (if there are normals) as float, red green blue as uchar (if there are
///         colours: round(255 c), clipped), faces as lists of int
///   .obj  text: "v x y z [r g b]" (colours as MeshLab and Blender read them), "vn", "f"
/// Positions are written as they are. Cost: 40 bytes per vertex and 13 per triangle (.ply).
/// Error(Unsupported) for another extension; Error(InvalidArgument) if arrays disagree, an index is no vertex's, a
/// position or normal is not finite, or there are 2^31 vertices or more; Error(Io) as write_file_atomically.
void write_mesh(const std::string& path, const Mesh& mesh);

}  // namespace loe
