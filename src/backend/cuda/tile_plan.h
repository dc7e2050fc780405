// Networks that one block takes through all layers, a tile of samples at a time: which ones, and how the block's shared
// memory is laid out. Plain C++, for host and device compilers.
#pragma once

#include <string>

#include "backend/cuda/network_plan.h"

namespace loe::cuda {

/// Widest layer, and rows of a tile's matrices in shared memory.
inline constexpr int kTileWidth = 64;
inline constexpr int kMaxTileRows = 256;  ///< samples are numbered by bytes
inline constexpr int kMaxTileLayers = 16;
inline constexpr int kMaxTileExperts = 64;
/// Samples whose errors are summed together, so that the loss does not depend on the rows of a tile.
inline constexpr int kLossRows = 32;
/// Fewer tiles leave multiprocessors idle; a constant, not the device's.
inline constexpr int64_t kTilesWanted = 264;

/// From one row to the next of numbers of n_bytes each: 16 bytes beside a power of two, so that 8 rows read at a time
/// are in different banks.
constexpr int tile_stride(int n_bytes) {
  return kTileWidth + 16 / n_bytes;
}

/// Shared memory of a block, in bytes: [rows | weights | signs | order | experts | ends].
struct TileShape {
  int n_rows = 0;   ///< samples, at most
  int n_slots = 0;  ///< experts whose weights are there together
  int weights_at = 0;
  int signs_at = 0;    ///< a bit per value [layers, rows, 64]: is it above 0?
  int order_at = 0;    ///< [routes, rows], places of rows by expert
  int experts_at = 0;  ///< [routes, rows]
  int ends_at = 0;     ///< [routes, max_experts], behind each expert's rows in order
  int n_bytes = 0;
};

struct TilePlan {
  TileShape shape;     ///< n_rows is 0 if the network goes layer by layer
  std::string reason;  ///< why, or why not
  bool is_on() const { return shape.n_rows > 0; }
};

/// n_bytes_of_number: of the wider of the forward and backward passes' numbers.
inline TileShape tile_shape(const NetworkPlan& plan, int n_bytes_of_number, int n_rows, int n_slots) {
  const int row_bytes = tile_stride(n_bytes_of_number) * n_bytes_of_number;
  const int n_layers = static_cast<int>(plan.layers.size());
  const int n_routes = static_cast<int>(plan.routes.size());
  TileShape shape;
  shape.n_rows = n_rows;
  shape.n_slots = std::min(n_slots, plan.max_experts);
  shape.weights_at = n_rows * row_bytes;
  shape.signs_at = shape.weights_at + shape.n_slots * kTileWidth * row_bytes;
  shape.order_at = shape.signs_at + n_layers * n_rows * kTileWidth / 8;
  shape.experts_at = shape.order_at + n_routes * n_rows;
  shape.ends_at = shape.experts_at + n_routes * n_rows;
  shape.n_bytes = (shape.ends_at + n_routes * plan.max_experts * static_cast<int>(sizeof(int)) + 15) / 16 * 16;
  return shape;
}

/// Why a tile cannot take the network, whatever the memory; empty: it can.
inline std::string why_no_tile(const NetworkPlan& plan) {
  if (static_cast<int>(plan.layers.size()) > kMaxTileLayers) return "more than 16 layers";
  for (int l = 0; l < static_cast<int>(plan.layers.size()); ++l) {
    const LayerPlan& layer = plan.layers[static_cast<std::size_t>(l)];
    if (layer.n_in > kTileWidth || layer.n_out > kTileWidth) return "a layer is wider than 64";
    if (layer.n_blended > 1) return "a layer blends its experts";
    if (layer.n_experts > kMaxTileExperts) return "a layer has more than 64 experts";
    if (!plan.is_link(l) || layer.n_features > 0) return "the layers are no plain chain";
    if (!layer.is_sloped) return "an activation needs its sums again";
  }
  return "";
}

/// The largest tile of which two blocks fit a multiprocessor of max_bytes, else one; with at least 128 rows if
/// possible, since every tile reads the weights of all its experts. plan.tile_rows above 0: of that many rows.
inline TilePlan make_tile_plan(const NetworkPlan& plan, int n_bytes_of_number, int max_bytes) {
  TilePlan tile;
  if (plan.tile_rows < 0) {
    tile.reason = "asked for layer by layer";
    return tile;
  }
  tile.reason = why_no_tile(plan);
  if (!tile.reason.empty()) return tile;
  constexpr int kChoices[][2] = {{256, 4}, {128, 4}, {128, 2}, {64, 4}, {64, 2}, {64, 1}};
  for (const int n_blocks : {2, 1}) {
    for (const auto& [n_rows, n_slots] : kChoices) {
      const TileShape shape =
          tile_shape(plan, n_bytes_of_number, plan.tile_rows > 0 ? plan.tile_rows : n_rows, n_slots);
      if (n_blocks * (shape.n_bytes + 1024) > max_bytes + 1024) continue;  // 1024 a block are the device's own
      tile.shape = shape;
      tile.reason = "all layers at most 64 wide; tiles of up to " + std::to_string(shape.n_rows) + " samples in " +
                    std::to_string((shape.n_bytes + 1023) / 1024) + " KiB of shared memory";
      return tile;
    }
  }
  tile.reason = "a tile of 64 samples does not fit " + std::to_string(max_bytes / 1024) + " KiB of shared memory";
  return tile;
}

/// For a piece of n samples: smaller tiles, down to 64 rows, where there would be too few of them. Bits do not depend
/// on it.
inline TileShape shape_for(const NetworkPlan& plan, const TilePlan& tile, int n_bytes_of_number, int64_t n) {
  int n_rows = tile.shape.n_rows;
  while (plan.tile_rows == 0 && n_rows > 64 && n < kTilesWanted * n_rows) n_rows /= 2;
  return tile_shape(plan, n_bytes_of_number, n_rows, tile.shape.n_slots);
}

}  // namespace loe::cuda
