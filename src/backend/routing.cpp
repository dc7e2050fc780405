#include "loe/backend/routing.h"

#include <algorithm>

#include <fmt/format.h>

#include "loe/base/error.h"

namespace loe {
namespace {

/// A position along one axis of the lattice, relative to the expert nodes: the cell's place in the tile and the
/// fraction of the way to the next node.
struct AxisPlace {
  int cell = 0;
  double fraction = 0;
};

double node_offset_of(const LayerSpec& layer) {
  return layer.interpolation == Interpolation::Linear ? layer.node_offset : 0.0;
}

std::array<AxisPlace, kMaxDims> locate(const LayerSpec& layer, int n_dims, const float* p) {
  const std::array<double, kMaxDims> q = grid_position(layer.grid, n_dims, p);
  std::array<AxisPlace, kMaxDims> places{};
  for (int d = 0; d < n_dims; ++d) {
    const double u = q[d] - node_offset_of(layer);
    places[d].cell = place_in_tile(u, layer.tile.n[d]);
    const double fraction = u - std::floor(u);
    places[d].fraction = std::isfinite(fraction) ? fraction : 0.0;
  }
  return places;
}

/// Axes along which a Linear layer blends.
struct BlendAxes {
  int n = 0;
  std::array<int, kMaxDims> axis{};
};

BlendAxes blend_axes(const LayerSpec& layer, int n_dims) {
  BlendAxes axes;
  if (layer.interpolation == Interpolation::Linear) {
    for (int d = 0; d < n_dims; ++d) {
      if (layer.tile.n[d] > 1) {
        axes.axis[axes.n++] = d;
      }
    }
  }
  return axes;
}

/// Linear index of the corner of a dual cell: bit k of `corner` steps along the k-th blending axis, cyclically.
int corner_expert(const LayerSpec& layer, int n_dims, const BlendAxes& axes, std::array<int, kMaxDims> cell,
                  int corner) {
  for (int k = 0; k < axes.n; ++k) {
    const int d = axes.axis[k];
    if ((corner >> k) & 1) {
      cell[d] = cell[d] + 1 == layer.tile.n[d] ? 0 : cell[d] + 1;
    }
  }
  int index = 0;
  for (int d = n_dims - 1; d >= 0; --d) {
    index = index * layer.tile.n[d] + cell[d];
  }
  return index;
}

/// The lattice of a layer with its scales alone, the case of every layout but RandomAffine.
bool is_diagonal(const Grid& grid, int n_dims) {
  for (int row = 0; row < n_dims; ++row) {
    for (int column = 0; column < n_dims; ++column) {
      if (row != column && grid.a[row][column] != 0) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace

int route_index(const LayerSpec& layer, int n_dims, const float* p) {
  if (layer.n_experts() == 1) {
    return 0;
  }
  const std::array<double, kMaxDims> q = grid_position(layer.grid, n_dims, p);
  int index = 0;
  for (int d = n_dims - 1; d >= 0; --d) {
    index = index * layer.tile.n[d] + place_in_tile(q[d] - node_offset_of(layer), layer.tile.n[d]);
  }
  return index;
}

ExpertBlend route_blend(const LayerSpec& layer, int n_dims, const float* p) {
  const std::array<AxisPlace, kMaxDims> places = locate(layer, n_dims, p);
  const BlendAxes axes = blend_axes(layer, n_dims);
  std::array<int, kMaxDims> cell{};
  for (int d = 0; d < n_dims; ++d) {
    cell[d] = places[d].cell;
  }
  ExpertBlend blend;
  blend.n = 1 << axes.n;
  for (int corner = 0; corner < blend.n; ++corner) {
    double coefficient = 1;
    for (int k = 0; k < axes.n; ++k) {
      const double fraction = places[axes.axis[k]].fraction;
      coefficient *= ((corner >> k) & 1) ? fraction : 1 - fraction;
    }
    blend.expert[corner] = corner_expert(layer, n_dims, axes, cell, corner);
    blend.coefficient[corner] = static_cast<float>(coefficient);
  }
  return blend;
}

std::vector<int> blend_experts(const LayerSpec& layer, int n_dims, int index) {
  LOE_ASSERT(index >= 0 && index < layer.n_experts());
  std::array<int, kMaxDims> cell{};
  for (int d = 0; d < n_dims; ++d) {
    cell[d] = index % layer.tile.n[d];
    index /= layer.tile.n[d];
  }
  const BlendAxes axes = blend_axes(layer, n_dims);
  std::vector<int> experts(size_t{1} << axes.n);
  for (size_t corner = 0; corner < experts.size(); ++corner) {
    experts[corner] = corner_expert(layer, n_dims, axes, cell, static_cast<int>(corner));
  }
  return experts;
}

void route(const LayerSpec& layer, int n_dims, std::span<const float> coords, std::span<int> experts) {
  if (coords.size() != experts.size() * static_cast<size_t>(n_dims)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[routing] coords: expected {} numbers ({} samples of {} coordinates), got {}",
                            experts.size() * n_dims, experts.size(), n_dims, coords.size()));
  }
  if (layer.n_experts() == 1) {
    std::fill(experts.begin(), experts.end(), 0);
    return;
  }
  if (!is_diagonal(layer.grid, n_dims)) {
    for (size_t sample = 0; sample < experts.size(); ++sample) {
      experts[sample] = route_index(layer, n_dims, coords.data() + sample * n_dims);
    }
    return;
  }
  // Same arithmetic as route_index without the products that are exactly 0: same bits. 32-bit cells first, a loop the
  // compiler vectorises; the rare batch with |q| >= 2^31 is routed again with 64 bits.
  const double offset = node_offset_of(layer);
  int stride = 1;
  for (int d = 0; d < n_dims; ++d) {
    const double scale = layer.grid.a[d][d];
    const double shift = layer.grid.b[d];
    const int n = layer.tile.n[d];
    const auto position = [&](size_t sample) {
      return shift + scale * static_cast<double>(coords[sample * n_dims + d]) - offset;
    };
    const bool is_first = d == 0;
    const auto add = [&](size_t sample, int place) {
      experts[sample] = is_first ? place : experts[sample] + stride * place;
    };
    int n_far = 0;  // NaN counts as far: the 64-bit path maps it to cell 0
    for (size_t sample = 0; sample < experts.size(); ++sample) n_far += std::abs(position(sample)) < 0x1p31 ? 0 : 1;
    if (n_far == 0 && (n & (n - 1)) == 0) {
      for (size_t sample = 0; sample < experts.size(); ++sample) {
        const double u = position(sample);
        int cell = static_cast<int>(u);
        cell -= static_cast<double>(cell) > u ? 1 : 0;
        add(sample, cell & (n - 1));
      }
    } else {
      for (size_t sample = 0; sample < experts.size(); ++sample) add(sample, place_in_tile(position(sample), n));
    }
    stride *= n;
  }
}

}  // namespace loe
