// Which expert each sample goes to, and the samples in the order of their experts.
//
// A stable counting sort in three launches: every warp counts the experts of a chunk of samples, one block turns the
// counts into where each chunk's samples of each expert go, every warp puts its samples there. All sums are of integers
// and have one owner: the order is that of the samples, whatever runs first.
#pragma once

#include <cstdint>

#include "backend/cuda/device/warp.h"
#include "loe/backend/routing.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// What routing needs of a LayerSpec.
struct RouteSpec {
  int n_dims = 0;
  int n_experts = 1;
  int tile[kMaxDims] = {};
  double a[kMaxDims][kMaxDims] = {};
  double b[kMaxDims] = {};
  double offset = 0;  ///< of the nodes; 0 for Nearest
};

inline RouteSpec route_spec(const LayerSpec& layer, int n_dims) {
  RouteSpec spec;
  spec.n_dims = n_dims;
  spec.n_experts = layer.n_experts();
  spec.offset = layer.interpolation == Interpolation::Linear ? layer.node_offset : 0;
  for (int d = 0; d < n_dims; ++d) {
    spec.tile[d] = layer.tile.n[static_cast<std::size_t>(d)];
    spec.b[d] = layer.grid.b[static_cast<std::size_t>(d)];
    for (int e = 0; e < n_dims; ++e) {
      spec.a[d][e] = layer.grid.a[static_cast<std::size_t>(d)][static_cast<std::size_t>(e)];
    }
  }
  return spec;
}

#ifdef __CUDACC__
/// a b, rounded once whatever is done with it: never contracted with a later sum.
LOE_DEVICE float multiply_rounded(float a, float b) {
  return __fmul_rn(a, b);
}
/// a + b c in two roundings, as all backends have it: a fused one could pick another expert.
LOE_DEVICE double add_product(double a, double b, double c) {
  return __dadd_rn(a, __dmul_rn(b, c));
}
#else
inline float multiply_rounded(float a, float b) {
  return a * b;
}
inline double add_product(double a, double b, double c) {
  return a + b * c;
}
#endif

/// route_index, bit for bit. p: the sample's coordinates, from `first` on.
LOE_DEVICE int route_sample(const RouteSpec& spec, const Buffer<const float>& coords, int64_t first) {
  int index = 0;
  for (int row = spec.n_dims - 1; row >= 0; --row) {
    double q = spec.b[row];
    for (int column = 0; column < spec.n_dims; ++column) {
      q = add_product(q, spec.a[row][column], static_cast<double>(coords[first + column]));
    }
    index = index * spec.tile[row] + place_in_tile(q - spec.offset, spec.tile[row]);
  }
  return index;
}

/// Samples that one warp counts and places.
inline constexpr int kRouteChunk = 256;
inline constexpr int kRouteThreads = 128;
inline constexpr int kScanThreads = 1024;

#ifdef __CUDACC__
__host__ __device__
#endif
    constexpr int64_t
    n_route_chunks(int64_t n_samples) {
  return (n_samples + kRouteChunk - 1) / kRouteChunk;
}

/// counts[expert * n_chunks + chunk]: samples of the chunk with that expert.
LOE_KERNEL void count_experts(RouteSpec spec, int64_t n_samples, Buffer<const float> coords, Buffer<int> experts,
                              Buffer<int> counts) {
  const int64_t n_chunks = n_route_chunks(n_samples);
  const int64_t chunk = int64_t{block_index()} * (kRouteThreads / kLanes) + warp_index();
  if (chunk >= n_chunks) return;
  for (int64_t e = lane_index(); e < spec.n_experts; e += kLanes) counts[e * n_chunks + chunk] = 0;
  sync_warp();
  for (int i = 0; i < kRouteChunk; i += kLanes) {
    const int64_t sample = chunk * kRouteChunk + i + lane_index();
    const bool is_there = sample < n_samples;
    const int expert = is_there ? route_sample(spec, coords, sample * spec.n_dims) : -1;
    if (is_there) experts[sample] = expert;
    const unsigned same = match(expert);
    if (is_there && (same & lanes_below()) == 0) counts[expert * n_chunks + chunk] += count_bits(same);
    sync_warp();
  }
}

/// One block. counts become starts: the sum of all counts before. offsets [n_experts + 1]: where each expert's samples
/// begin. tile_offsets [n_experts + 1]: the same in tiles of up to tile_rows samples of one expert.
LOE_KERNEL void scan_counts(int n_experts, int64_t n_chunks, int tile_rows, Buffer<int> counts, Buffer<int> offsets,
                            Buffer<int> tile_offsets) {
  LOE_SHARED SharedArray<int, kScanThreads / kLanes> sums;
  const int64_t n = n_experts * n_chunks;
  int before = 0;
  for (int64_t first = 0; first < n; first += kScanThreads) {
    const int64_t i = first + thread_index();
    const int count = i < n ? counts[i] : 0;
    int up_to = count;
    for (int distance = 1; distance < kLanes; distance *= 2) {
      const int below = shuffle_up(up_to, distance);
      up_to += lane_index() >= distance ? below : 0;
    }
    if (lane_index() == kLanes - 1) sums[warp_index()] = up_to;
    sync_block();
    int below = 0;
    int all = 0;
    for (int warp = 0; warp < kScanThreads / kLanes; ++warp) {
      below += warp < warp_index() ? sums[warp] : 0;
      all += sums[warp];
    }
    if (i < n) counts[i] = before + below + up_to - count;
    before += all;
    sync_block();
  }
  for (int e = thread_index(); e <= n_experts; e += kScanThreads) {
    offsets[e] = e < n_experts && n_chunks > 0 ? counts[e * n_chunks] : before;
  }
  sync_block();
  if (thread_index() != 0) return;
  int n_tiles = 0;
  for (int e = 0; e < n_experts; ++e) {
    tile_offsets[e] = n_tiles;
    n_tiles += (offsets[e + 1] - offsets[e] + tile_rows - 1) / tile_rows;
  }
  tile_offsets[n_experts] = n_tiles;
}

/// order[k]: the sample that comes k-th by expert, samples of one expert in their own order.
LOE_KERNEL void place_samples(int64_t n_samples, Buffer<const int> experts, Buffer<int> starts, Buffer<int> order) {
  const int64_t n_chunks = n_route_chunks(n_samples);
  const int64_t chunk = int64_t{block_index()} * (kRouteThreads / kLanes) + warp_index();
  if (chunk >= n_chunks) return;
  for (int i = 0; i < kRouteChunk; i += kLanes) {
    const int64_t sample = chunk * kRouteChunk + i + lane_index();
    const int expert = sample < n_samples ? experts[sample] : -1;
    const unsigned same = match(expert);
    const int start = expert >= 0 ? starts[expert * n_chunks + chunk] : 0;
    if (expert >= 0) order[start + count_bits(same & lanes_below())] = static_cast<int>(sample);
    sync_warp();
    if (expert >= 0 && (same & lanes_below()) == 0) starts[expert * n_chunks + chunk] = start + count_bits(same);
    sync_warp();
  }
}

/// Device memory of sort_by_expert.
struct RouteBuffers {
  const float* coords = nullptr;  ///< [B, n_dims]
  int* experts = nullptr;         ///< [B], route_index
  int* starts = nullptr;          ///< work space [n_experts * n_route_chunks(B)]
  int* order = nullptr;           ///< [B]
  int* offsets = nullptr;         ///< [n_experts + 1]
  int* tile_offsets = nullptr;    ///< [n_experts + 1], in tiles of tile_rows samples
};

/// B below 2^31.
inline void sort_by_expert(const Stream& stream, const RouteSpec& spec, int64_t n_samples, int tile_rows,
                           const RouteBuffers& buffers) {
  const int64_t n_chunks = n_route_chunks(n_samples);
  constexpr int kChunksPerBlock = kRouteThreads / kLanes;
  const int64_t n_blocks_of_grid = (n_chunks + kChunksPerBlock - 1) / kChunksPerBlock;
  const Buffer<int> experts(buffers.experts, n_samples);
  const Buffer<int> starts(buffers.starts, spec.n_experts * n_chunks);
  launch(stream, n_blocks_of_grid, kRouteThreads, count_experts, spec, n_samples,
         Buffer<const float>(buffers.coords, n_samples * spec.n_dims), experts, starts);
  launch(stream, 1, kScanThreads, scan_counts, spec.n_experts, n_chunks, tile_rows, starts,
         Buffer<int>(buffers.offsets, spec.n_experts + 1), Buffer<int>(buffers.tile_offsets, spec.n_experts + 1));
  launch(stream, n_blocks_of_grid, kRouteThreads, place_samples, n_samples,
         Buffer<const int>(buffers.experts, n_samples), starts, Buffer<int>(buffers.order, n_samples));
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
