// One table with many channels: rows blended and added as vectors.
#pragma once

#include <utility>
#include <vector>

#include "backend/cpu/embedding.h"
#include "loe/backend/embedding.h"

namespace loe::cpu {

/// A slot keeps its samples' cells and coefficients, sorted by cell once its gradients are there (the samples of a tile
/// are neighbours, so it meets few cells). add_tiles(): a task owns a band of nodes and goes through the slots in
/// order, in each of them through the corners, and at each corner through the samples of the cells that have it in the
/// band. The order of the terms of a node follows from the slots alone, so the bits depend neither on the threads nor
/// on the bands.
class EmbeddingRows final : public EmbeddingTables {
 public:
  EmbeddingRows(const NetworkPlan& plan, const KernelTable& kernels);

  std::string method() const override { return "samples by cell"; }
  int64_t max_slots() const override;
  void features(const float* coords, int n, int slot, float* out, int64_t stride) override;
  void begin_tiles(int n_slots) override;
  void finish_tile(int slot, int n) override;
  void add_tiles(ThreadPool& pool) override;
  int64_t n_bytes() const override;

 private:
  /// Nodes [first, second) of a band.
  std::pair<int64_t, int64_t> band(int64_t index) const;
  void add_slot(int slot, int64_t first_node, int64_t end_node);

  EmbeddingGrid grid_;
  int n_dims_;
  int64_t n_nodes_;
  int64_t band_nodes_;
  int64_t n_bands_;
  AlignedBuffer<float> coefficients_;  ///< [slot][row][corner]
  AlignedBuffer<uint64_t> keys_;       ///< [slot][row]: first node of the cell << 16 | row, sorted by finish_tile
};

}  // namespace loe::cpu
