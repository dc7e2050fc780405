// How a product is cut into register blocks: the same for every instruction set and operand type.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "backend/cpu/isa/kernels.h"

namespace loe::cpu {

/// Largest register block: 6 rows x 4 vectors are 24 accumulators; with 4 weights and a broadcast they fill the 32
/// registers of AVX-512 and NEON.
inline constexpr int kBlockRows = 6;

/// The blocks of an instruction set for one operand type: block[(n_vectors - 1) * kBlockRows + n_rows - 1].
template <class Function, int kVectors, int kLanes>
struct BlockTable {
  std::array<Function, static_cast<std::size_t>(kVectors) * kBlockRows> block{};
  Function at(int n_vectors, int n_rows) const { return block[(n_vectors - 1) * kBlockRows + n_rows - 1]; }
};

/// Depth of an inner loop between two rounds of prefetches: one line of f32.
inline constexpr int kPrefetchDepth = 16;

/// What one block of rows asks for while it multiplies: a line of each row of the next block's input and some lines of
/// the next panel per round. Spread over the inner loop, because a burst of 200 lines fills the miss buffers and stalls
/// the block it was meant to help.
struct BlockPrefetch {
  const char* next_a[8] = {};
  int n_next = 0;
  int64_t a_step = 0;  ///< bytes of input per round
  const char* panel = nullptr;
  const char* panel_end = nullptr;
  int lines_per_round = 0;

  void round() {
    for (int i = 0; i < n_next; ++i) {
      __builtin_prefetch(next_a[i], 0, 3);
      next_a[i] += a_step;
    }
    for (int i = 0; i < lines_per_round && panel < panel_end; ++i, panel += 64) __builtin_prefetch(panel, 0, 2);
  }
};

/// Prefetching of one panel of a GEMM. What a block of rows reads and writes was last touched a layer or a super-batch
/// ago and sits in L3 or memory; asked for one block early it is there in time (measured: docs/performance.md).
/// kColumns: outputs of the panel.
template <int kColumns>
class PanelPrefetch {
 public:
  /// next_panel: n_bytes of weights read after this panel, spread evenly over its blocks of rows.
  PanelPrefetch(const GemmArgs& g, int column, int n_blocks, int element_bytes, const void* next_panel, int64_t n_bytes)
      : g_(&g), column_(column), element_bytes_(element_bytes) {
    const int64_t rounds = int64_t{n_blocks} * ((g.depth + kPrefetchDepth - 1) / kPrefetchDepth);
    block_.a_step = int64_t{kPrefetchDepth} * element_bytes;
    block_.panel = static_cast<const char*>(next_panel);
    block_.panel_end = next_panel == nullptr ? nullptr : block_.panel + n_bytes;
    block_.lines_per_round =
        next_panel == nullptr || rounds == 0 ? 0 : static_cast<int>((n_bytes / 64 + rounds - 1) / rounds);
  }

  /// Before a block: asks for the rows it writes; the returned plan covers the next block's inputs (first panel only:
  /// later panels find them in L2) and a share of the next panel.
  BlockPrefetch* before_block(const int64_t* c_row, int n_rows, int next_first) {
    for (int i = 0; i < n_rows; ++i) {
      const int64_t at = c_row[i] * g_->c_stride + column_;
      if (g_->c32 != nullptr) {
        for (int j = 0; j < kColumns; j += 16) __builtin_prefetch(g_->c32 + at + j, 1, 3);
      }
      if (g_->c16 != nullptr) {
        for (int j = 0; j < kColumns; j += 32) __builtin_prefetch(g_->c16 + at + j, 1, 3);
      }
    }
    block_.n_next = 0;
    if (column_ == 0 && g_->n_segments == 1) {
      for (int i = next_first; i < next_first + n_rows && i < g_->n_rows; ++i) {
        const int64_t row = g_->rows != nullptr && !g_->a_compact ? g_->rows[i] : i;
        block_.next_a[block_.n_next++] = static_cast<const char*>(g_->a) + row * g_->a_stride * element_bytes_;
      }
    }
    return &block_;
  }

 private:
  const GemmArgs* g_;
  int column_;
  int element_bytes_;
  BlockPrefetch block_;
};

/// Sums over rows in pairs: X packed [pair][m][2], Z packed [pair][n][2] (see pack_pairs).
struct GradPairsArgs {
  const bf16* x = nullptr;
  int64_t x_stride = 0;  ///< elements between pairs
  const bf16* z = nullptr;
  int64_t z_stride = 0;
  int n_pairs = 0;
  int m = 0;
  int n = 0;
  float* d = nullptr;
  int64_t d_stride = 0;
};

/// KernelTable::grad_bf16 by pairs of rows. pack: out[(r / 2)][i][r % 2] = rows[r][i] for i < n.
template <class Pack, class Grad>
void grad_rows(const GradRowsArgs& g, Pack pack, Grad grad) {
  const int m = g.n_in + 1;
  bf16* const x = g.scratch;
  bf16* const z = x + int64_t{g.n_rows} * round_up(m, 2 * kPadding);
  pack(g.x, g.n_rows, m, x, 2 * m);
  pack(g.z, g.n_rows, g.n, z, 2 * g.n);
  grad({x, 2 * m, z, 2 * g.n, g.n_rows / 2, m, g.n, g.d + g.column, g.n_padded});
}

template <class T>
using GemmBlock = void (*)(const GemmArgs&, const T* const* a_row, const int64_t* c_row, int64_t panel_offset,
                           int column, BlockPrefetch* prefetch);
template <class Args>
using GradBlock = void (*)(const Args&, int i0, int j0);

/// Rows of the next block when `left` are left: 6, but 7 are split 4 + 3 and not 6 + 1, whose single row would have
/// fewer accumulator chains than the latency of a multiply-add.
inline int next_rows(int left) {
  return left >= kBlockRows + 2 || left == kBlockRows ? kBlockRows : std::min(left, 4);
}

// The number of vectors is a constant: a block of 64 bf16 inputs takes 800 cycles, and prefetch loops of unknown length
// cost 50 of them.
template <int kPanelVectors, class T, int kVectors, int kLanes>
void gemm_panel(const GemmArgs& g, const BlockTable<GemmBlock<T>, kVectors, kLanes>& table, int column) {
  constexpr int kColumns = kPanelVectors * kLanes;
  const int next_column = column + kColumns;
  const void* next = next_column < g.n ? static_cast<const T*>(g.b[0]) + int64_t{next_column} * g.depth : g.next_b;
  PanelPrefetch<kColumns> prefetch(g, column, (g.n_rows + kBlockRows - 1) / kBlockRows, sizeof(T), next,
                                   int64_t{kColumns} * g.depth * static_cast<int64_t>(sizeof(T)));
  const T* a_row[kBlockRows];
  int64_t c_row[kBlockRows];
  for (int first = 0; first < g.n_rows;) {
    const int n = next_rows(g.n_rows - first);
    for (int i = 0; i < n; ++i) {
      const int64_t row = g.rows != nullptr ? g.rows[first + i] : first + i;
      c_row[i] = g.c_compact ? first + i : row;
      a_row[i] = static_cast<const T*>(g.a) + (g.a_compact ? first + i : row) * g.a_stride;
    }
    BlockPrefetch* const ahead = prefetch.before_block(c_row, n, first + n);
    table.at(kPanelVectors, n)(g, a_row, c_row, int64_t{column} * g.depth, column, ahead);
    first += n;
  }
}

template <class T, int kVectors, int kLanes>
void gemm(const GemmArgs& g, const BlockTable<GemmBlock<T>, kVectors, kLanes>& table) {
  for (int column = 0; column < g.n; column += kVectors * kLanes) {
    const int n_vectors = std::min(kVectors, (g.n - column) / kLanes);
    if (n_vectors == kVectors) gemm_panel<kVectors, T>(g, table, column);
    if constexpr (kVectors > 1) {
      if (n_vectors == 1) gemm_panel<1, T>(g, table, column);
    }
    if constexpr (kVectors > 2) {
      if (n_vectors == 2) gemm_panel<2, T>(g, table, column);
    }
    if constexpr (kVectors > 3) {
      if (n_vectors == 3) gemm_panel<3, T>(g, table, column);
    }
  }
}

template <class Args, int kVectors, int kLanes>
void grad(const Args& g, const BlockTable<GradBlock<Args>, kVectors, kLanes>& table) {
  for (int j = 0; j < g.n; j += kVectors * kLanes) {
    const int n_vectors = std::min(kVectors, (g.n - j) / kLanes);
    int i = 0;
    for (; g.m - i >= 2 * kBlockRows || g.m - i == kBlockRows; i += kBlockRows)
      table.at(n_vectors, kBlockRows)(g, i, j);
    // The last rows are split evenly (65 = 9 x 6 + 6 + 5, not 10 x 6 + 5; 9 = 5 + 4): short blocks lose most.
    while (i < g.m) {
      const int left = g.m - i;
      const int n = left > kBlockRows ? (left + 1) / 2 : left;
      table.at(n_vectors, n)(g, i, j);
      i += n;
    }
  }
}

}  // namespace loe::cpu
