// Routing: coordinates -> expert(s) of a level. Shared by every backend, so that all pick the same expert.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "loe/backend/network_spec.h"

namespace loe {

/// The experts that one sample blends in one layer, with their coefficients B_j (sum 1).
struct ExpertBlend {
  int n = 0;                                ///< 1 for Nearest, up to 2^D for Linear
  std::array<int, 1 << kMaxDims> expert{};  ///< linear index = sum over axes of t_d * prod_{e<d} N_e
  std::array<float, 1 << kMaxDims> coefficient{};
};

/// q = A p + b in double. p: n_dims coordinates.
inline std::array<double, kMaxDims> grid_position(const Grid& grid, int n_dims, const float* p) {
  std::array<double, kMaxDims> q{};
  for (int row = 0; row < n_dims; ++row) {
    double sum = grid.b[row];
    for (int column = 0; column < n_dims; ++column) {
      sum += grid.a[row][column] * static_cast<double>(p[column]);
    }
    q[row] = sum;
  }
  return q;
}

/// Positive remainder of floor(q) by n: a mod n = a - n floor(a / n). q must be finite and |q| < 2^52.
inline int cell_modulo(double floor_q, int n) {
  return static_cast<int>(floor_q - n * std::floor(floor_q / n));
}

/// floor(u) mod n, exact for |u| < 2^52. Beyond (or NaN) there are no cells left to tell apart: cell 0.
/// constexpr, so that code for other devices can call it.
constexpr int place_in_tile(double u, int n) {
  constexpr double kLimit = 0x1p52;
  if (!(u < kLimit && u > -kLimit)) {
    return 0;
  }
  // Truncation and a correction instead of std::floor, which is a library call on baseline x86-64.
  int64_t cell = static_cast<int64_t>(u);
  cell -= static_cast<double>(cell) > u;
  if ((n & (n - 1)) == 0) {
    return static_cast<int>(cell & (n - 1));
  }
  const int64_t remainder = cell % n;
  return static_cast<int>(remainder < 0 ? remainder + n : remainder);
}

/// Expert of `layer` at coordinates p [n_dims] under Nearest: (floor(q_d) mod N_d) over the axes.
/// For Linear: the index of the dual cell, that is of the blend's lower corner node, (floor(q_d - node_offset) mod N_d)
/// (all samples with the same index blend the same experts).
int route_index(const LayerSpec& layer, int n_dims, const float* p);

/// The full blend of one sample (paper eqs. 4, 5, 7).
ExpertBlend route_blend(const LayerSpec& layer, int n_dims, const float* p);

/// The 2^D experts of dual cell `index` in the order of route_blend (bit d of the corner number = step along axis d,
/// over the axes with tile size > 1).
std::vector<int> blend_experts(const LayerSpec& layer, int n_dims, int index);

/// route_index for many samples. coords [B, n_dims]; experts [B].
/// Error(InvalidArgument) if the sizes disagree.
void route(const LayerSpec& layer, int n_dims, std::span<const float> coords, std::span<int> experts);

}  // namespace loe
