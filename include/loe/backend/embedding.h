// Where a sample lies in the table of a coordinate embedding. Shared by every backend, so that all blend the same nodes
// with the same coefficients.
#pragma once

#include <array>
#include <cstdint>

#include "loe/backend/network_spec.h"

namespace loe {

/// The nodes that one sample blends: first_node + EmbeddingGrid::corner_step(k), k < n_corners(), sum of
/// coefficients 1.
struct EmbeddingPlace {
  int64_t first_node = 0;
  std::array<float, 1 << kMaxDims> coefficient{};
};

/// The lattice of an embedding: R_d nodes along axis d at the centres of R_d equal cells of [0, 1] (the convention of
/// textures), edges clamped.
///   u_d = min(max(p_d R_d - 1/2, 0), R_d - 1), i_d = min(floor(u_d), R_d - 2), f_d = u_d - i_d
///   features(p) = sum over corners c of prod_d (c_d ? f_d : 1 - f_d) * table[i + c]
/// Node (i_0, i_1, ..) has index i_0 + R_0 (i_1 + R_1 (..)). Axes with one node do not blend. Positions are computed in
/// double, a coefficient is rounded once to float. Coordinates outside [0, 1] take the edge's value, NaN that of p = 0.
/// Source: "PE + CE" of the paper's Tables 1, 2 and 4, which do not print where the nodes lie.
class EmbeddingGrid {
 public:
  /// Of a validated spec, with an embedding.
  EmbeddingGrid(const EmbeddingSpec& embedding, int n_dims);

  /// Nodes per sample: 2^(axes with more than one node).
  int n_corners() const { return n_corners_; }
  /// From the first node of a cell to corner k; bit b of k steps along the b-th blending axis.
  int64_t corner_step(int corner) const { return corner_step_[corner]; }
  /// p [n_dims]. Every node of the place is inside the table.
  EmbeddingPlace place(const float* p) const;

 private:
  struct Axis {
    int dimension = 0;
    int resolution = 0;
    int64_t stride = 0;  ///< in nodes
  };

  int n_axes_ = 0;  ///< that blend
  int n_corners_ = 1;
  std::array<Axis, kMaxDims> axes_{};
  std::array<int64_t, 1 << kMaxDims> corner_step_{};
};

}  // namespace loe
