// Where a sample lies in the tables of an embedding. Shared by every backend, so that all blend the same entries with
// the same coefficients.
#pragma once

#include <array>
#include <cstdint>

#include "loe/backend/network_spec.h"

namespace loe {

/// What the node's coordinate along axis d is multiplied with, modulo 2^32, in the hash of a level. The first is 1:
/// neighbours along x then lie in one line of the cache. Source: Mueller et al. 2022 (and Teschner et al. 2003).
inline constexpr std::array<uint32_t, kMaxDims> kHashPrimes = {1U, 2654435761U, 805459861U, 3674653429U};

/// The entries that one sample blends in one level: entry[k], k < n_corners(), sum of coefficients 1. Several may be
/// the same where the level is hashed.
struct EmbeddingPlace {
  std::array<int64_t, 1 << kMaxDims> entry{};  ///< counted from the first of all levels
  std::array<float, 1 << kMaxDims> coefficient{};
};

/// The lattice of one level of an embedding.
///   features(p) = sum over corners c of prod_d (c_d ? f_d : 1 - f_d) * table[entry(i + c)]
///   u_d = min(max(position, 0), R_d - 1), i_d = min(floor(u_d), R_d - 2), f_d = u_d - i_d
/// A level of a grid (GridLevel): position = s_d p_d, so node i is at p = i / s_d. All in float, rounded operation by
///   operation (never contracted), the product of the d-th axis last: the same bits wherever it is computed.
/// The one table of a spec without levels: position = p_d R_d - 1/2, so nodes are at the centres of R_d equal cells
/// (the
///   convention of textures); positions and products in double, a coefficient rounded once to float. Axes with one node
///   do not blend. Source: "PE + CE" of the paper's Tables 1, 2 and 4, which do not print where the nodes lie.
/// entry(i) = i_0 + R_0 (i_1 + R_1 (..)) if the level is dense, else
///   (i_0 kHashPrimes[0] xor i_1 kHashPrimes[1] xor ..) mod 2^32 mod n_entries.
/// Coordinates outside [0, 1] take the edge's value, NaN that of p = 0.
class EmbeddingGrid {
 public:
  /// Of a validated spec with an embedding. n_dims: the network's.
  EmbeddingGrid(const EmbeddingSpec& embedding, int n_dims, int level = 0);

  /// Nodes per sample: 2^(axes with more than one node). Bit b of a corner's number steps along the b-th of them.
  int n_corners() const { return n_corners_; }
  /// From a place's first entry to that of a corner, the same for all places of a dense level.
  int64_t corner_step(int corner) const;
  /// p [n_dims]. Every entry is inside the table.
  EmbeddingPlace place(const float* p) const;

 private:
  struct Axis {
    int dimension = 0;
    int resolution = 0;
    float cells = 0;      ///< s_d; 0: nodes at the centres of cells
    uint32_t stride = 0;  ///< what the node's coordinate is multiplied with: a step in entries or the hash's prime
  };

  template <class T>
  EmbeddingPlace place_in(const float* p) const;

  int n_axes_ = 0;  ///< that blend
  int n_corners_ = 1;
  int64_t first_entry_ = 0;
  uint32_t hash_mask_ = 0;  ///< n_entries - 1 of a hashed level; 0: dense
  bool at_centres_ = true;
  std::array<Axis, kMaxDims> axes_{};
};

}  // namespace loe
