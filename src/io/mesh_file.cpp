#include "loe/io/mesh_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>

#include "io/file_handle.h"
#include "loe/base/error.h"

namespace loe {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;

[[noreturn]] void fail(const std::string& text) {
  throw Error(ErrorKind::InvalidArgument, "[mesh] " + text);
}

void check_mesh(const Mesh& mesh) {
  const std::size_t n = mesh.positions.size();
  if (n % 3 != 0 || mesh.triangles.size() % 3 != 0) {
    fail(fmt::format("positions and triangles: expected three numbers each, got {} and {} in all; drop the rest", n,
                     mesh.triangles.size()));
  }
  if ((!mesh.normals.empty() && mesh.normals.size() != n) || (!mesh.colors.empty() && mesh.colors.size() != n)) {
    fail(fmt::format("normals and colors: expected none or {} numbers, got {} and {}; make one for each vertex", n,
                     mesh.normals.size(), mesh.colors.size()));
  }
  if (n / 3 >= std::size_t{1} << 31) {
    fail(fmt::format("vertices: expected less than 2^31, got {}; take a coarser lattice", n / 3));
  }
  const auto is_finite = [](float x) { return std::isfinite(x); };
  if (!std::all_of(mesh.positions.begin(), mesh.positions.end(), is_finite) ||
      !std::all_of(mesh.normals.begin(), mesh.normals.end(), is_finite)) {
    fail("positions and normals: expected finite numbers, got others; look at the density for a NaN");
  }
  for (const uint32_t index : mesh.triangles) {
    if (index >= n / 3) {
      fail(fmt::format("triangles: expected indices below {}, got {}; rebuild the mesh", n / 3, index));
    }
  }
}

/// Collects bytes and writes them by the chunk.
class Output {
 public:
  explicit Output(const std::string& path) : file_(path) {}

  template <typename... Arguments>
  void print(fmt::format_string<const Arguments&...> format, const Arguments&... arguments) {
    fmt::format_to(std::back_inserter(buffer_), format, arguments...);
    flush_if_full();
  }
  void put_byte(uint8_t byte) { buffer_.push_back(static_cast<char>(byte)); }
  /// Little-endian on any machine.
  void put_word(uint32_t word) {
    for (int shift = 0; shift < 32; shift += 8) {
      put_byte(static_cast<uint8_t>(word >> shift));
    }
    flush_if_full();
  }
  void put_floats(const float* values, int count) {
    for (int i = 0; i < count; ++i) {
      put_word(std::bit_cast<uint32_t>(values[i]));
    }
  }
  void commit() {
    file_.append(buffer_.data(), buffer_.size());
    file_.commit();
  }

 private:
  void flush_if_full() {
    if (buffer_.size() >= kChunk) {
      file_.append(buffer_.data(), buffer_.size());
      buffer_.clear();
    }
  }

  AtomicFile file_;
  std::string buffer_;
};

uint8_t to_byte(float x) {
  return x > 0 ? static_cast<uint8_t>(std::min(x, 1.0F) * 255.0F + 0.5F) : uint8_t{0};  // NaN: 0
}

void write_ply(const Mesh& mesh, Output& out) {
  out.print("ply\nformat binary_little_endian 1.0\nelement vertex {}\n", mesh.n_vertices());
  out.print("property float x\nproperty float y\nproperty float z\n");
  if (!mesh.normals.empty()) {
    out.print("property float nx\nproperty float ny\nproperty float nz\n");
  }
  if (!mesh.colors.empty()) {
    out.print("property uchar red\nproperty uchar green\nproperty uchar blue\n");
  }
  out.print("element face {}\nproperty list uchar int vertex_indices\nend_header\n", mesh.n_triangles());
  for (int64_t v = 0; v < mesh.n_vertices(); ++v) {
    out.put_floats(mesh.positions.data() + v * 3, 3);
    if (!mesh.normals.empty()) {
      out.put_floats(mesh.normals.data() + v * 3, 3);
    }
    for (int c = 0; c < 3 && !mesh.colors.empty(); ++c) {
      out.put_byte(to_byte(mesh.colors[v * 3 + c]));
    }
  }
  for (int64_t t = 0; t < mesh.n_triangles(); ++t) {
    out.put_byte(3);
    for (int i = 0; i < 3; ++i) {
      out.put_word(mesh.triangles[t * 3 + i]);
    }
  }
}

void write_obj(const Mesh& mesh, Output& out) {
  for (int64_t v = 0; v < mesh.n_vertices(); ++v) {
    const float* p = mesh.positions.data() + v * 3;
    out.print("v {} {} {}", p[0], p[1], p[2]);
    if (!mesh.colors.empty()) {
      const float* c = mesh.colors.data() + v * 3;
      const auto clipped = [](float x) { return x > 0 ? std::min(x, 1.0F) : 0.0F; };
      out.print(" {:.4g} {:.4g} {:.4g}", clipped(c[0]), clipped(c[1]), clipped(c[2]));
    }
    out.print("\n");
  }
  for (std::size_t i = 0; i < mesh.normals.size(); i += 3) {
    out.print("vn {:.5g} {:.5g} {:.5g}\n", mesh.normals[i], mesh.normals[i + 1], mesh.normals[i + 2]);
  }
  for (std::size_t i = 0; i < mesh.triangles.size(); i += 3) {
    const uint64_t a = uint64_t{mesh.triangles[i]} + 1;
    const uint64_t b = uint64_t{mesh.triangles[i + 1]} + 1;
    const uint64_t c = uint64_t{mesh.triangles[i + 2]} + 1;
    if (mesh.normals.empty()) {
      out.print("f {} {} {}\n", a, b, c);
    } else {
      out.print("f {}//{} {}//{} {}//{}\n", a, a, b, b, c, c);
    }
  }
}

}  // namespace

void write_mesh(const std::string& path, const Mesh& mesh) {
  const bool ply = path.ends_with(".ply");
  if (!ply && !path.ends_with(".obj")) {
    throw Error(ErrorKind::Unsupported,
                fmt::format("[mesh] {}: expected a name ending in .ply or .obj, got another; rename it", path));
  }
  check_mesh(mesh);
  Output out(path);
  if (ply) {
    write_ply(mesh, out);
  } else {
    write_obj(mesh, out);
  }
  out.commit();
}

}  // namespace loe
