#include "loe/render/marching_cubes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "loe/base/error.h"
#include "render/check.h"
#include "render/marching_cubes_table.h"

namespace loe {
namespace {

constexpr const char* kPart = "marching_cubes";
constexpr int64_t kBatch = 8192;
constexpr int kMaxSize = 1024;  ///< three edges per node are then still numbered in 32 bits

void check_field(const FieldSpec& spec) {
  for (int a = 0; a < 3; ++a) {
    if (spec.size[a] < 2 || spec.size[a] > kMaxSize) {
      throw Error(
          ErrorKind::InvalidArgument,
          fmt::format("[{}] size: expected 2..{} on each axis, got {}; 128 is usual", kPart, kMaxSize, spec.size[a]));
    }
  }
}

int64_t n_nodes(const FieldSpec& spec) {
  return int64_t{spec.size[0]} * spec.size[1] * spec.size[2];
}

double node_position(const FieldSpec& spec, int axis, double index) {
  return spec.box.min[axis] + index / (spec.size[axis] - 1) * (spec.box.max[axis] - spec.box.min[axis]);
}

/// Walks through the lattice layer by layer in z.
class Extractor {
 public:
  Extractor(const FieldSpec& spec, std::span<const float> values, float level, bool close_border)
      : spec_(spec), values_(values), level_(level), close_border_(close_border) {
    const std::size_t layer = static_cast<std::size_t>(spec.size[0]) * static_cast<std::size_t>(spec.size[1]);
    for (auto& edges : vertex_of_edge_) {
      edges.resize(layer);
    }
  }

  Mesh run() {
    add_plane(0, 0);
    for (int z = 0; z + 1 < spec_.size[2]; ++z) {
      add_plane(z + 1, (z + 1) & 1);
      for (int y = 0; y < spec_.size[1]; ++y) {
        for (int x = 0; x < spec_.size[0]; ++x) {
          add_vertex({x, y, z}, 2, kVertical);
        }
      }
      for (int y = 0; y + 1 < spec_.size[1]; ++y) {
        for (int x = 0; x + 1 < spec_.size[0]; ++x) {
          add_cube(x, y, z);
        }
      }
    }
    return std::move(mesh_);
  }

 private:
  using Node = std::array<int, 3>;
  static constexpr int kVertical = 4;  ///< of vertex_of_edge_; 2 parity + axis: edges along x and y of a layer

  float value(const Node& node) const {
    const float v = values_[(static_cast<std::size_t>(node[2]) * static_cast<std::size_t>(spec_.size[1]) +
                             static_cast<std::size_t>(node[1])) *
                                static_cast<std::size_t>(spec_.size[0]) +
                            static_cast<std::size_t>(node[0])];
    if (close_border_) {
      for (int a = 0; a < 3; ++a) {
        if (node[a] == 0 || node[a] == spec_.size[a] - 1) {
          return std::min(v, level_);  // just outside: the lid lies in the box's face
        }
      }
    }
    return v;
  }

  std::size_t in_layer(int x, int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(spec_.size[0]) + static_cast<std::size_t>(x);
  }

  std::array<double, 3> gradient(const Node& node) const {
    std::array<double, 3> g{};
    for (int a = 0; a < 3; ++a) {
      Node low = node;
      Node high = node;
      low[a] = std::max(node[a] - 1, 0);
      high[a] = std::min(node[a] + 1, spec_.size[a] - 1);
      const double distance = node_position(spec_, a, high[a]) - node_position(spec_, a, low[a]);
      g[a] = (static_cast<double>(value(high)) - static_cast<double>(value(low))) / distance;
    }
    return g;
  }

  void add_plane(int z, int parity) {
    for (int y = 0; y < spec_.size[1]; ++y) {
      for (int x = 0; x < spec_.size[0]; ++x) {
        add_vertex({x, y, z}, 0, 2 * parity);
        add_vertex({x, y, z}, 1, 2 * parity + 1);
      }
    }
  }

  /// The vertex on the edge from `node` along `axis`, if the surface crosses it.
  void add_vertex(const Node& node, int axis, int edges) {
    Node other = node;
    ++other[axis];
    if (other[axis] >= spec_.size[axis]) {
      return;
    }
    const float here = value(node);
    const float there = value(other);
    if ((here > level_) == (there > level_)) {
      return;
    }
    const double share = (static_cast<double>(level_) - static_cast<double>(here)) /
                         (static_cast<double>(there) - static_cast<double>(here));
    const std::array<double, 3> from = gradient(node);
    const std::array<double, 3> to = gradient(other);
    std::array<double, 3> normal{};
    double norm = 0;
    for (int a = 0; a < 3; ++a) {
      normal[a] = -(from[a] + share * (to[a] - from[a]));
      norm += normal[a] * normal[a];
    }
    if (!(norm > 0)) {  // a ridge between nodes: along the edge, outwards
      normal = {};
      normal[axis] = here > there ? 1 : -1;
      norm = 1;
    }
    vertex_of_edge_[edges][in_layer(node[0], node[1])] = static_cast<uint32_t>(mesh_.n_vertices());
    for (int a = 0; a < 3; ++a) {
      const double index = node[a] + (a == axis ? share : 0.0);
      mesh_.positions.push_back(static_cast<float>(node_position(spec_, a, index)));
      mesh_.normals.push_back(static_cast<float>(normal[a] / std::sqrt(norm)));
    }
  }

  void add_cube(int x, int y, int z) {
    int inside = 0;
    for (int corner = 0; corner < 8; ++corner) {
      const Node node = {x + (corner & 1), y + ((corner >> 1) & 1), z + (corner >> 2)};
      inside |= (value(node) > level_ ? 1 : 0) << corner;
    }
    for (const uint8_t number : table_[inside]) {
      const CubeEdge edge = cube_edge(number);
      const int edges = edge.axis == 2 ? kVertical : 2 * ((z + edge.base[2]) & 1) + edge.axis;
      mesh_.triangles.push_back(vertex_of_edge_[edges][in_layer(x + edge.base[0], y + edge.base[1])]);
    }
  }

  const FieldSpec& spec_;
  std::span<const float> values_;
  float level_;
  bool close_border_;
  const std::array<std::vector<uint8_t>, 256>& table_ = marching_cubes_table();
  std::array<std::vector<uint32_t>, 5> vertex_of_edge_;
  Mesh mesh_;
};

}  // namespace

std::vector<float> sample_field(
    const FieldSpec& spec,
    const std::function<void(std::span<const float> points, std::span<float> values)>& function) {
  check_field(spec);
  std::vector<float> values(static_cast<std::size_t>(n_nodes(spec)));
  std::vector<float> points(kBatch * 3);
  for (int64_t first = 0; first < n_nodes(spec); first += kBatch) {
    const int64_t count = std::min(kBatch, n_nodes(spec) - first);
    for (int64_t i = 0; i < count; ++i) {
      int64_t rest = first + i;
      for (int a = 0; a < 3; ++a) {
        points[i * 3 + a] = static_cast<float>(node_position(spec, a, static_cast<double>(rest % spec.size[a])));
        rest /= spec.size[a];
      }
    }
    const std::size_t size = static_cast<std::size_t>(count);
    function(std::span<const float>(points).first(size * 3),
             std::span<float>(values).subspan(static_cast<std::size_t>(first), size));
  }
  return values;
}

Mesh marching_cubes(const FieldSpec& spec, std::span<const float> values, float level, bool close_border) {
  check_field(spec);
  require_size(kPart, "values", values.size(), n_nodes(spec));
  const auto bad = std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  if (bad != values.end() || !std::isfinite(level)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[{}] {}: expected finite numbers, got {}; look at the density for a NaN", kPart,
                            bad != values.end() ? "values" : "level", bad != values.end() ? *bad : level));
  }
  return Extractor(spec, values, level, close_border).run();
}

void color_vertices(Mesh& mesh,
                    const std::function<void(std::span<const float> positions, std::span<const float> normals,
                                             std::span<float> colors)>& color) {
  require_size(kPart, "normals", mesh.normals.size(), static_cast<int64_t>(mesh.positions.size()));
  mesh.colors.resize(mesh.positions.size());
  for (std::size_t first = 0; first < mesh.positions.size(); first += kBatch * 3) {
    const std::size_t size = std::min<std::size_t>(kBatch * 3, mesh.positions.size() - first);
    color(std::span<const float>(mesh.positions).subspan(first, size),
          std::span<const float>(mesh.normals).subspan(first, size),
          std::span<float>(mesh.colors).subspan(first, size));
  }
}

}  // namespace loe
