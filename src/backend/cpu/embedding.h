// The learned coordinate embedding on the CPU: the table, its interpolation, its gradient by owner, its Adam.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "backend/cpu/isa/kernels.h"
#include "backend/cpu/plan.h"
#include "base/aligned_buffer.h"
#include "loe/backend/embedding.h"
#include "loe/base/thread_pool.h"

namespace loe::cpu {

/// The executor's own copy of the table, and dL/dtable over the tiles of a step.
///
/// A tile under training has a slot: its samples' cells and coefficients, left by features(), and the gradients of its
/// features, filled in by the caller. finish_tile() sorts the slot's samples by cell (the samples of a tile are
/// neighbours, so it meets few cells). Once all slots are full, add_tiles() adds them up: a task owns a band of nodes
/// and goes through the slots in order, in each of them through the corners, and at each corner through the samples of
/// the cells that have it in the band. The order of the terms of a node follows from the slots alone, so the bits
/// depend neither on the threads nor on the bands, and no buffer the size of the table is cleared but once per step.
class EmbeddingTable {
 public:
  /// Of a plan with an embedding.
  EmbeddingTable(const NetworkPlan& plan, const KernelTable& kernels);

  /// Slots of about that many bytes altogether keep the memory of a large batch in bounds (at least 1).
  int64_t max_slots() const;
  /// Takes the table out of the flat parameters.
  void set_params(ThreadPool& pool, const float* params);

  /// Features of row `row` of a tile at p [n_dims] -> out [n_channels]. slot >= 0: remembered for training.
  /// Distinct slots: thread-safe.
  void features(const float* p, int slot, int row, float* out);

  /// dL/dtable = 0, before the first tile of a step.
  void clear_gradient(ThreadPool& pool);
  /// Empties all slots and makes room for that many.
  void begin_tiles(int n_slots);
  /// dL/dfeatures [tile_rows, n_channels] of a slot, to be filled in.
  float* feature_grads(int slot) { return feature_grads_.data() + slot * slot_rows_ * n_channels_; }
  /// The first n rows of the slot are there.
  void finish_tile(int slot, int n);
  /// dL/dtable += the slots, in their order.
  void add_tiles(ThreadPool& pool);
  /// One Adam update of the table with dL/dtable.
  void apply_adam(ThreadPool& pool, const AdamUpdate& update, ParamSlice state);
  /// Writes dL/dtable to its place in the flat gradient.
  void write(ThreadPool& pool, float* param_grads);
  int64_t n_bytes() const;

 private:
  /// Nodes [first, second) of a band.
  std::pair<int64_t, int64_t> band(int64_t index) const;
  void add_slot(int slot, int64_t first_node, int64_t end_node);

  const KernelTable* kernels_;
  EmbeddingGrid grid_;
  int n_channels_;
  int64_t n_nodes_;
  int64_t offset_;  ///< in the flat parameters
  int64_t band_nodes_;
  int64_t n_bands_;
  int64_t slot_rows_;
  AlignedBuffer<float> table_;
  AlignedBuffer<float> gradient_;  ///< allocated by the first training call
  AlignedBuffer<float> feature_grads_;
  AlignedBuffer<float> coefficients_;  ///< [slot][row][corner]
  AlignedBuffer<uint64_t> keys_;       ///< [slot][row]: first node of the cell << 16 | row, sorted by finish_tile
  std::vector<int> slot_sizes_;
};

}  // namespace loe::cpu
