// Mesh files, read back byte by byte and word by word.
#include "loe/io/mesh_file.h"

#include <cstring>
#include <limits>
#include <sstream>

#include "io/io_test_helpers.h"

namespace loe {
namespace {

Mesh two_triangles(bool normals, bool colors) {
  Mesh mesh;
  mesh.positions = {0, 0, 0, 1, 0, 0, 0, 1.5F, 0, 0.1F, 0.2F, -1e-7F};
  mesh.triangles = {0, 1, 2, 1, 3, 2};
  if (normals) {
    mesh.normals = {0, 0, 1, 0, 0, 1, 0, 0.6F, 0.8F, 1, 0, 0};
  }
  if (colors) {
    mesh.colors = {0, 0.5F, 1, 0.25F, -1, 2, 1, 1, 1, 0, 0, 0};
  }
  return mesh;
}

TEST(MeshFile, PlyReadsBack) {
  const TempFolder folder;
  for (const bool normals : {false, true}) {
    for (const bool colors : {false, true}) {
      const Mesh mesh = two_triangles(normals, colors);
      const std::string path = folder.file("mesh.ply");
      write_mesh(path, mesh);
      const std::string bytes = read_bytes(path);
      const std::size_t body = bytes.find("end_header\n") + 11;
      const std::string header = bytes.substr(0, body);
      EXPECT_EQ(header.rfind("ply\nformat binary_little_endian 1.0\nelement vertex 4\nproperty float x\n", 0), 0U);
      EXPECT_NE(header.find("element face 2\nproperty list uchar int vertex_indices\n"), std::string::npos);
      EXPECT_EQ(header.find("property float nx") != std::string::npos, normals);
      EXPECT_EQ(header.find("property uchar green") != std::string::npos, colors);
      const std::size_t stride = 12 + (normals ? 12 : 0) + (colors ? 3 : 0);
      ASSERT_EQ(bytes.size(), body + 4 * stride + 2 * 13);
      for (std::size_t v = 0; v < 4; ++v) {
        const char* vertex = bytes.data() + body + v * stride;
        EXPECT_EQ(std::memcmp(vertex, mesh.positions.data() + v * 3, 12), 0);
        if (normals) {
          EXPECT_EQ(std::memcmp(vertex + 12, mesh.normals.data() + v * 3, 12), 0);
        }
      }
      if (colors) {
        const std::size_t first = body + stride - 3;
        const auto byte = [&](std::size_t v, std::size_t c) {
          return static_cast<int>(static_cast<unsigned char>(bytes[first + v * stride + c]));
        };
        EXPECT_EQ(byte(0, 1), 128);
        EXPECT_EQ(byte(1, 0), 64);
        EXPECT_EQ(byte(1, 1), 0);    // clipped
        EXPECT_EQ(byte(1, 2), 255);  // clipped
      }
      const char* faces = bytes.data() + body + 4 * stride;
      for (int t = 0; t < 2; ++t) {
        EXPECT_EQ(faces[t * 13], 3);
        EXPECT_EQ(std::memcmp(faces + t * 13 + 1, mesh.triangles.data() + t * 3, 12), 0);
      }
      EXPECT_EQ(folder.names(), std::vector<std::string>{"mesh.ply"});
    }
  }
}

TEST(MeshFile, ObjReadsBack) {
  const TempFolder folder;
  const std::string path = folder.file("mesh.obj");
  write_mesh(path, two_triangles(true, true));
  std::istringstream lines(read_bytes(path));
  std::string line;
  std::vector<std::string> found;
  while (std::getline(lines, line)) {
    found.push_back(line);
  }
  ASSERT_EQ(found.size(), 10U);
  EXPECT_EQ(found[0], "v 0 0 0 0 0.5 1");
  EXPECT_EQ(found[1], "v 1 0 0 0.25 0 1");
  EXPECT_EQ(found[3], "v 0.1 0.2 -1e-07 0 0 0");
  EXPECT_EQ(found[6], "vn 0 0.6 0.8");
  EXPECT_EQ(found[9], "f 2//2 4//4 3//3");
  write_mesh(path, two_triangles(false, false));
  EXPECT_EQ(read_bytes(path), "v 0 0 0\nv 1 0 0\nv 0 1.5 0\nv 0.1 0.2 -1e-07\nf 1 2 3\nf 2 4 3\n");
}

TEST(MeshFile, LargeAndEmptyMeshes) {
  const TempFolder folder;
  Mesh mesh;
  write_mesh(folder.file("empty.obj"), mesh);
  EXPECT_EQ(read_bytes(folder.file("empty.obj")), "");
  for (int i = 0; i < 100000; ++i) {  // beyond one chunk
    mesh.positions.insert(mesh.positions.end(), {static_cast<float>(i), 0, 0});
    mesh.triangles.insert(mesh.triangles.end(), {static_cast<uint32_t>(i), 0, 99999});
  }
  write_mesh(folder.file("large.ply"), mesh);
  const std::string bytes = read_bytes(folder.file("large.ply"));
  const std::size_t body = bytes.find("end_header\n") + 11;
  ASSERT_EQ(bytes.size(), body + 100000 * 25U);
  float x = 0;
  std::memcpy(&x, bytes.data() + body + 70000 * 12, 4);
  EXPECT_EQ(x, 70000.0F);
}

TEST(MeshFile, MistakesAreErrorsAndLeaveNothing) {
  const TempFolder folder;
  const std::string path = folder.file("mesh.ply");
  expect_error(ErrorKind::Unsupported, ".ply or .obj", [&] { write_mesh(folder.file("mesh.stl"), Mesh()); });
  Mesh mesh = two_triangles(true, true);
  mesh.triangles[4] = 4;
  expect_error(ErrorKind::InvalidArgument, "indices below 4, got 4", [&] { write_mesh(path, mesh); });
  mesh = two_triangles(true, true);
  mesh.colors.pop_back();
  expect_error(ErrorKind::InvalidArgument, "normals and colors", [&] { write_mesh(path, mesh); });
  mesh = two_triangles(true, true);
  mesh.positions[2] = std::numeric_limits<float>::infinity();
  expect_error(ErrorKind::InvalidArgument, "finite", [&] { write_mesh(path, mesh); });
  mesh = two_triangles(true, true);
  mesh.triangles.pop_back();
  expect_error(ErrorKind::InvalidArgument, "three numbers", [&] { write_mesh(path, mesh); });
  EXPECT_TRUE(folder.names().empty());
  expect_error(ErrorKind::Io, "create the folder first",
               [&] { write_mesh(folder.file("missing/mesh.ply"), two_triangles(true, true)); });
}

}  // namespace
}  // namespace loe
