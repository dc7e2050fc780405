// Rows times the matrices of their experts (expert_product.h) by warpgroups: an expert's weights stay in shared memory
// while its rows stream past, so that a weight is read once per block instead of once per 64 rows.
//
// A block takes a slice of the outputs and a range of the tiles of 64 rows, in the order of experts. Its two warpgroups
// share the rows; each has half of the slice. Rows come a panel of 64 inputs at a time, through a ring of panels.
#pragma once

#include "backend/cuda/device/warpgroup.h"
#include "backend/cuda/kernels/expert_product.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

inline constexpr int kPairThreads = 2 * kWarpgroupThreads;
/// Panels of rows in shared memory: one is multiplied, one may still be, the others are on their way.
inline constexpr int kRingPanels = 4;
inline constexpr int kRowPanel = panel_size(kTileRows);
/// Outputs below which warpgroups would mostly multiply zeros.
inline constexpr int kMinWarpgroupColumns = 48;

constexpr int n_panels_of(int n) {
  return (n + kPanelColumns - 1) / kPanelColumns;
}

/// Shared memory for a slice of n_columns outputs, in bytes.
constexpr int64_t slice_bytes(int n_in, int n_columns) {
  return kPanelAlignment + static_cast<int64_t>(sizeof(Bf16)) *
                               (int64_t{n_panels_of(n_in)} * panel_size(n_columns) + kRingPanels * kRowPanel);
}
/// Outputs of a block: 256 or 128; 0 if not even 128 have room.
constexpr int slice_columns(int n_in, int n_out, int64_t max_bytes) {
  if (n_out > 128 && slice_bytes(n_in, 256) <= max_bytes) return 256;
  return slice_bytes(n_in, 128) <= max_bytes ? 128 : 0;
}

/// Starts to copy 8 numbers of a row into a panel, zeros where there is none: row < 0, or column at or behind n.
LOE_DEVICE void copy_chunk(const SharedView<Bf16>& memory, int panel, int panel_row, int chunk,
                           const Buffer<const Bf16>& from, int64_t row, int stride, int column, int n) {
  const int left = n - column;
  const int n_valid = row < 0 || left < 0 ? 0 : left < 8 ? left : 8;
  copy_16_bytes(&memory[panel + panel_at(panel_row, 8 * chunk)], from, row * stride + column, n_valid);
}

/// Rows first .. first + n_rows - 1 of a matrix [*, stride], its first n_valid_rows and n columns, into the first
/// n_panels panels of memory.
LOE_DEVICE void copy_matrix(const SharedView<Bf16>& memory, int n_panels, int n_rows, int n_valid_rows,
                            const Buffer<const Bf16>& from, int64_t first, int stride, int n) {
  const int per_panel = 8 * n_rows;
  for (int i = thread_index(); i < n_panels * per_panel; i += kPairThreads) {
    const int p = i / per_panel;
    const int row = i % per_panel / 8;
    copy_chunk(memory, p * panel_size(n_rows), row, i % 8, from, row < n_valid_rows ? first + row : -1, stride,
               p * kPanelColumns + i % 8 * 8, n);
  }
}

/// The panels of rows that a block multiplies, copied ahead: all those of its first tile, of the next, and so on.
template <typename Out>
struct RowStream {
  const ProductArguments<Bf16, Out>& product;
  SharedView<Bf16> memory;
  int ring;      ///< where its panels begin
  int n_panels;  ///< of a row
  int tile;      ///< of the next panel
  int end;       ///< behind the last tile
  int panel = 0;
  int n_copied = 0;
  int64_t rows[2] = {-1, -1};  ///< of which this thread copies a chunk

  LOE_METHOD void copy_next() {
    if (tile < end) {
      if (panel == 0) find();
      const int at = ring + n_copied % kRingPanels * kRowPanel;
      LOE_UNROLL
      for (int half = 0; half < 2; ++half) {
        copy_chunk(memory, at, thread_index() / 8 + half * kTileRows / 2, thread_index() % 8, product.x, rows[half],
                   product.shape.x_stride, panel * kPanelColumns + thread_index() % 8 * 8, product.shape.n_in);
      }
      ++n_copied;
      if (++panel == n_panels) {
        panel = 0;
        ++tile;
      }
    }
    commit_copies();  // so that a panel is a group, whether it is there or not
  }

 private:
  LOE_METHOD void find() {
    const ProductTile of = find_rows(tile, product.shape.n_experts, product.offsets, product.tile_offsets);
    LOE_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int i = thread_index() / 8 + half * kTileRows / 2;
      rows[half] = i < of.n_rows ? product.order[of.first + i] : -1;
    }
  }
};
static_assert(kPairThreads == kTileRows / 2 * 8);

/// kPairThreads; kHalf: outputs of a warpgroup, 64 or 128. Blocks: n_ranges for each slice of 2 kHalf outputs.
template <int kHalf, typename Out, typename Epilogue>
LOE_KERNEL_OF(kPairThreads, 1)
multiply_rows_by_warpgroups(ProductArguments<Bf16, Out> product, Epilogue epilogue, int n_ranges) {
  constexpr int kSlice = 2 * kHalf;
  const ProductShape& shape = product.shape;
  const int n_panels = n_panels_of(shape.n_in);
  const int begin = first_multiple(kPanelAlignment);
  const auto memory = dynamic_memory<Bf16>(begin, n_panels * panel_size(kSlice) + kRingPanels * kRowPanel);
  const int ring = n_panels * panel_size(kSlice);
  const int slice = block_index() / n_ranges * kSlice;
  const int own = warpgroup_index() * kHalf;
  const int64_t n_tiles = product.tile_offsets[shape.n_experts];
  const int64_t range = block_index() % n_ranges;
  const auto first = static_cast<int>(range * n_tiles / n_ranges);
  const auto last = static_cast<int>((range + 1) * n_tiles / n_ranges);

  RowStream<Out> stream{product, memory, ring, n_panels, first, last};
  LOE_UNROLL
  for (int i = 0; i < kRingPanels - 2; ++i) stream.copy_next();
  int expert = -1;
  int turn = 0;
  for (int t = first; t < last; ++t) {
    const ProductTile tile = find_rows(t, shape.n_experts, product.offsets, product.tile_offsets);
    if (tile.expert != expert) {
      expert = tile.expert;
      sync_block();  // all products with the weights before are done
      copy_matrix(memory, n_panels, kSlice, shape.n_out - slice, product.weights,
                  int64_t{expert} * shape.n_rows + slice, shape.w_stride, shape.n_in);
      commit_copies();
      wait_copies<0>();
    }
    float sums[kHalf / 2];
    LOE_UNROLL
    for (float& sum : sums) sum = 0;
    for (int p = 0; p < n_panels; ++p, ++turn) {
      wait_copies<kRingPanels - 3>();
      publish_panels();
      wait_products<1>();  // of the panel whose place the next copy takes
      sync_block();
      const Bf16* const x = &memory[ring + turn % kRingPanels * kRowPanel];
      const Bf16* const w = &memory[p * panel_size(kSlice)];
      begin_products();
      LOE_UNROLL  // zeros behind n_in too: a number of products that is not known makes ptxas wait for each
          for (int k = 0; k < kPanelColumns; k += kProductDepth) {
        multiply_panels<false, false>(sums, rows_of_panel(x, 0, k), rows_of_panel(w, own, k));
      }
      commit_products();
      stream.copy_next();
    }
    wait_products<0>();
    take_sums(sums);
    LOE_UNROLL
    for (int i = 0; i < kHalf / 2; ++i) {
      const int row_of_tile = sum_row(i);
      const int n = slice + own + sum_column(i);
      if (row_of_tile >= tile.n_rows || n >= shape.n_out) continue;
      const int64_t row = product.order[tile.first + row_of_tile];
      store(product.y[row * shape.y_stride + n], epilogue(sums[i], row, n));
    }
  }
}

/// y of a batch sorted by expert; slice: slice_columns(), not 0. The order of sums is one panel after another, whatever
/// the number of blocks.
template <typename Out, typename Epilogue>
void multiply_by_warpgroups(const Stream& stream, const ProductArguments<Bf16, Out>& product, const Epilogue& epilogue,
                            int slice) {
  const ProductShape& shape = product.shape;
  const int64_t n_slices = (shape.n_out + slice - 1) / slice;
  const int64_t n_tiles = shape.n_samples / kTileRows + shape.n_experts;  // at most
  const int64_t n_ranges = std::max<int64_t>(1, std::min<int64_t>(n_multiprocessors() / n_slices, n_tiles));
  const auto n_bytes = static_cast<int>(slice_bytes(shape.n_in, slice));
  if (slice == 256) {
    launch_with_memory(stream, n_ranges * n_slices, kPairThreads, n_bytes,
                       multiply_rows_by_warpgroups<128, Out, Epilogue>, product, epilogue, static_cast<int>(n_ranges));
  } else {
    launch_with_memory(stream, n_ranges * n_slices, kPairThreads, n_bytes,
                       multiply_rows_by_warpgroups<64, Out, Epilogue>, product, epilogue, static_cast<int>(n_ranges));
  }
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
