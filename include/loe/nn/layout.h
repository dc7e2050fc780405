// Layouts: the grids of a network's levels.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "loe/backend/network_spec.h"

namespace loe {

enum class LayoutKind {
  CoarseToFine,  ///< A_l = r_l I, b = 0: the paper's choice ("Quad Tree", "Ours")
  FineToCoarse,  ///< the same resolutions, reversed
  GrayCode,  ///< A_1 = r_1 I, b = gray_first_offset; l > 1: A_l = r_l / 2 I, b = 1/2 (Table 5; defined for tiles of 2
             ///< per axis)
  RandomPermute,  ///< the same resolutions in the order `permutation`, or a seeded shuffle if it is empty
  RandomAffine,   ///< entries of A iid N(0, affine_std^2), of b iid U(0, 1), drawn per level from `seed`
  Interleaved,    ///< A = the finest resolution on every level
  Chunked,        ///< A = the tile size on every level: each expert owns one block of the signal
  SingleScale,    ///< A = `single_resolution` on every level
};

/// Resolution of one level along each axis: cells across [0, 1]. Axes beyond n_dims are ignored.
using Resolution = std::array<double, kMaxDims>;

struct LayoutConfig {
  LayoutKind kind = LayoutKind::CoarseToFine;
  std::vector<Resolution> resolutions;  ///< one per level, coarse to fine
  std::vector<int> permutation;         ///< RandomPermute: 0-based indices into resolutions
  double gray_first_offset = 0;  ///< GrayCode: b of the first level; 1/2 repeats the second one's cells (docs/paper.md)
  double affine_std = 16;
  double single_resolution = 64;
  uint64_t seed = 0;
};

/// The grid of each level. tiles: one per level (Chunked and GrayCode read them).
/// RandomAffine, Chunked and SingleScale need no resolutions; given ones are still checked. If every tile has one
/// expert (a plain MLP) and there are no resolutions, all grids are 0.
/// Error(InvalidArgument) for contradictory input: sizes that disagree, a permutation that is none, resolutions <= 0
/// or above 2^30 or not finite, GrayCode with tiles other than 2.
std::vector<Grid> make_grids(const LayoutConfig& config, int n_dims, const std::vector<Tile>& tiles);

/// "coarse_to_fine", "fine_to_coarse", "gray_code", "random_permute", "random_affine", "interleaved", "chunked",
/// "single_scale"; the reverse throws Error(InvalidArgument) listing them.
const char* to_string(LayoutKind kind);
LayoutKind layout_kind_from_string(const std::string& text);

}  // namespace loe
