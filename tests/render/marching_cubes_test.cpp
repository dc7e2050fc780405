// Marching cubes: watertight for all cases, and right in area, volume and topology on shapes with closed forms.
#include "loe/render/marching_cubes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>
#include <utility>
#include <vector>

#include "loe/base/error.h"
#include "render/marching_cubes_table.h"
#include "render/random_rays.h"

namespace loe {
namespace {

constexpr double kPi = std::numbers::pi;

FieldSpec cube_field(int n) {
  FieldSpec spec;
  spec.size = {n, n, n};
  return spec;
}

template <typename Function>
std::vector<float> field_of(const FieldSpec& spec, const Function& function) {
  return sample_field(spec, [&](std::span<const float> points, std::span<float> values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(function(points[i * 3], points[i * 3 + 1], points[i * 3 + 2]));
    }
  });
}

struct Measures {
  double area = 0;
  double volume = 0;
  int64_t n_edges = 0;
  int64_t characteristic = 0;
};

/// Fails unless each directed edge is used once and its opposite once.
Measures measure(const Mesh& mesh) {
  Measures m;
  std::set<std::pair<uint32_t, uint32_t>> directed;
  for (int64_t t = 0; t < mesh.n_triangles(); ++t) {
    double p[3][3];
    for (int i = 0; i < 3; ++i) {
      const uint32_t vertex = mesh.triangles[t * 3 + i];
      EXPECT_TRUE(directed.emplace(vertex, mesh.triangles[t * 3 + (i + 1) % 3]).second) << "edge used twice";
      for (int a = 0; a < 3; ++a) {
        p[i][a] = mesh.positions[vertex * 3 + a];
      }
    }
    double cross[3];
    for (int a = 0; a < 3; ++a) {
      const int b = (a + 1) % 3;
      const int c = (a + 2) % 3;
      cross[a] = (p[1][b] - p[0][b]) * (p[2][c] - p[0][c]) - (p[1][c] - p[0][c]) * (p[2][b] - p[0][b]);
    }
    m.area += 0.5 * std::sqrt(cross[0] * cross[0] + cross[1] * cross[1] + cross[2] * cross[2]);
    for (int a = 0; a < 3; ++a) {
      m.volume += p[0][a] * cross[a] / 6;
    }
  }
  for (const auto& [from, to] : directed) {
    EXPECT_TRUE(directed.contains({to, from})) << "edge without a neighbour";
  }
  m.n_edges = static_cast<int64_t>(directed.size()) / 2;
  m.characteristic = mesh.n_vertices() - m.n_edges + mesh.n_triangles();
  return m;
}

TEST(MarchingCubes, ASphereIsASphere) {
  for (const double centre : {0.0, 0.0371}) {  // nodes on the surface, and not
    const FieldSpec spec = cube_field(49);
    const std::vector<float> values = field_of(spec, [centre](double x, double y, double z) {
      return 0.35 - std::sqrt((x - centre) * (x - centre) + y * y + z * z);
    });
    const Mesh mesh = marching_cubes(spec, values, 0.0F);
    const Measures m = measure(mesh);
    EXPECT_EQ(m.characteristic, 2);
    EXPECT_NEAR(m.area, 4 * kPi * 0.35 * 0.35, 0.01 * m.area);
    EXPECT_NEAR(m.volume, 4.0 / 3 * kPi * 0.35 * 0.35 * 0.35, 0.01 * m.volume);  // positive: turned outwards
    ASSERT_EQ(mesh.normals.size(), mesh.positions.size());
    for (int64_t v = 0; v < mesh.n_vertices(); ++v) {
      const float* p = mesh.positions.data() + v * 3;
      const double r = std::sqrt((p[0] - centre) * (p[0] - centre) + p[1] * p[1] + p[2] * p[2]);
      EXPECT_NEAR(r, 0.35, 1e-3);
      const float* n = mesh.normals.data() + v * 3;
      EXPECT_GT((n[0] * (p[0] - centre) + n[1] * p[1] + n[2] * p[2]) / r, 0.999);
    }
  }
}

TEST(MarchingCubes, ATorusHasAHole) {
  FieldSpec spec;
  spec.size = {41, 61, 25};
  spec.box = {{-0.6, -0.6, -0.2}, {0.6, 0.6, 0.2}};
  const Mesh mesh = marching_cubes(
      spec,
      field_of(spec, [](double x, double y, double z) { return 5.0 - 50 * std::hypot(std::hypot(x, y) - 0.35, z); }),
      0.0F);
  const Measures m = measure(mesh);
  EXPECT_EQ(m.characteristic, 0);
  EXPECT_NEAR(m.volume, 2 * kPi * kPi * 0.35 * 0.01, 0.02 * m.volume);
  EXPECT_NEAR(m.area, 4 * kPi * kPi * 0.35 * 0.1, 0.02 * m.area);
}

TEST(MarchingCubes, NoiseIsWatertight) {
  // Random signs meet all 256 cases, with all their ambiguous faces, in all their neighbourhoods.
  const FieldSpec spec = cube_field(24);
  TestNumbers numbers(61);
  for (const float level : {0.5F, 0.2F, 0.85F}) {
    std::vector<float> values(24 * 24 * 24);
    for (float& value : values) {
      value = numbers.next();
    }
    std::set<int> cases;
    for (int z = 0; z < 23; ++z) {
      for (int y = 0; y < 23; ++y) {
        for (int x = 0; x < 23; ++x) {
          int inside = 0;
          for (int c = 0; c < 8; ++c) {
            const int node = ((z + (c >> 2)) * 24 + y + ((c >> 1) & 1)) * 24 + x + (c & 1);
            inside |= (values[node] > level ? 1 : 0) << c;
          }
          cases.insert(inside);
        }
      }
    }
    const Mesh mesh = marching_cubes(spec, values, level);
    if (level == 0.5F) {
      EXPECT_EQ(cases.size(), 256U);
    }
    EXPECT_GT(mesh.n_triangles(), 10000);
    EXPECT_GT(measure(mesh).volume, 0);  // turned outwards
  }
}

TEST(MarchingCubes, TheTableSeparatesCornersAndIsSymmetric) {
  const auto& table = marching_cubes_table();
  EXPECT_TRUE(table[0].empty());
  EXPECT_TRUE(table[255].empty());
  for (int inside = 0; inside < 256; ++inside) {
    std::set<int> used;
    for (const uint8_t edge : table[inside]) {
      used.insert(edge);
    }
    for (int edge = 0; edge < 12; ++edge) {
      const CubeEdge e = cube_edge(edge);
      const int low = e.base[0] + 2 * e.base[1] + 4 * e.base[2];
      const int high = low + (1 << e.axis);
      const bool cut = ((inside >> low) & 1) != ((inside >> high) & 1);
      EXPECT_EQ(used.contains(edge), cut) << "case " << inside << ", edge " << edge;
    }
    EXPECT_LE(table[inside].size(), 5U * 3);
  }
  for (int corner = 0; corner < 8; ++corner) {
    EXPECT_EQ(table[1 << corner].size(), 3U);
    EXPECT_EQ(table[255 - (1 << corner)].size(), 3U);
  }
}

TEST(MarchingCubes, BordersAreLidsOrHoles) {
  const FieldSpec spec = cube_field(21);
  const std::vector<float> everywhere(21 * 21 * 21, 1.0F);
  const Measures closed = measure(marching_cubes(spec, everywhere, 0.5F));
  EXPECT_EQ(closed.characteristic, 2);
  // The box but for its edges and corners, which are cut off one node wide.
  EXPECT_NEAR(closed.volume, 1, 12 * 0.05 * 0.05 / 2);
  EXPECT_EQ(marching_cubes(spec, everywhere, 0.5F, false).n_triangles(), 0);
  const Mesh half =
      marching_cubes(spec, field_of(spec, [](double x, double, double) { return x - 0.01; }), 0.0F, false);
  EXPECT_EQ(half.n_triangles(), 20 * 20 * 2);
  for (int64_t v = 0; v < half.n_vertices(); ++v) {
    EXPECT_NEAR(half.positions[v * 3], 0.01F, 1e-6);
    EXPECT_NEAR(half.normals[v * 3], -1.0F, 1e-5);
  }
}

TEST(MarchingCubes, ColoursComeFromTheCallback) {
  const FieldSpec spec = cube_field(40);
  Mesh mesh = marching_cubes(
      spec, field_of(spec, [](double x, double y, double z) { return 0.3 - std::sqrt(x * x + y * y + z * z); }), 0.0F);
  ASSERT_GT(mesh.n_vertices(), 2000);
  int n_calls = 0;
  color_vertices(mesh, [&](std::span<const float> positions, std::span<const float> normals, std::span<float> colors) {
    ASSERT_EQ(positions.size(), colors.size());
    ASSERT_EQ(normals.size(), colors.size());
    ++n_calls;
    for (std::size_t i = 0; i < colors.size(); ++i) {
      colors[i] = 0.5F + positions[i];
    }
  });
  EXPECT_EQ(n_calls, (mesh.n_vertices() + 8191) / 8192);
  ASSERT_EQ(mesh.colors.size(), mesh.positions.size());
  for (std::size_t i = 0; i < mesh.colors.size(); ++i) {
    ASSERT_EQ(mesh.colors[i], 0.5F + mesh.positions[i]);
  }
}

TEST(MarchingCubes, MistakesAreErrors) {
  FieldSpec spec = cube_field(3);
  std::vector<float> values(27, 0.0F);
  EXPECT_NO_THROW(marching_cubes(spec, values, 0.5F));
  EXPECT_THROW(marching_cubes(spec, std::span(values).first(26), 0.5F), Error);
  values[5] = NAN;
  EXPECT_THROW(marching_cubes(spec, values, 0.5F), Error);
  spec.size[1] = 1;
  EXPECT_THROW(marching_cubes(spec, values, 0.5F), Error);
  EXPECT_THROW(sample_field(spec, [](std::span<const float>, std::span<float>) {}), Error);
  Mesh without_normals;
  without_normals.positions = {0, 0, 0};
  EXPECT_THROW(color_vertices(without_normals, {}), Error);
}

}  // namespace
}  // namespace loe
