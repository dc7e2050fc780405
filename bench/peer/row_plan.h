// Which rows of a chunk of samples each expert multiplies, layer by layer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loe/backend/network_spec.h"

namespace loe::peer {

/// Rows of one expert: [first, first + n_rows) of the layer's order, n_rows a multiple of kRowMultiple.
struct Group {
  int expert = 0;
  int64_t first = 0;
  int64_t n_rows = 0;
};

/// Groups are padded with zero rows so that few different GEMM shapes occur: a JIT library compiles each shape once,
/// and random samples would otherwise bring new ones in every chunk.
inline constexpr int64_t kRowMultiple = 64;

/// Order of the samples in one layer: position -> sample, and back.
struct LayerOrder {
  std::vector<Group> groups;
  std::vector<int32_t> sample_of;    ///< [n_rows]; -1 for padding
  std::vector<int32_t> position_of;  ///< [n_samples]
  std::vector<int32_t>
      from_below;  ///< [n_rows] position of the same sample in the layer below (its sample for layer 0)
  std::vector<int32_t> from_above;  ///< [n_rows] position in the layer above; empty for the last layer
  int64_t n_rows() const { return static_cast<int64_t>(sample_of.size()); }
};

/// Orders of all layers for the samples at coords [n, n_dims].
std::vector<LayerOrder> plan_rows(const NetworkSpec& spec, std::span<const float> coords);

}  // namespace loe::peer
