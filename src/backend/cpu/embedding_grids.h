// The levels of a multiresolution grid: few features per node, many nodes per sample.
#pragma once

#include <vector>

#include "backend/cpu/embedding.h"
#include "loe/backend/embedding.h"

namespace loe::cpu {

/// A slot keeps its samples' coordinates. add_tiles(): a task owns some levels and goes through the slots in order, in
/// each through its levels, in each of them through the samples, and at each through the corners. The order of the
/// terms of an entry follows from the slots alone, so the bits do not depend on who owns which level. Places are
/// computed again: a vector of them costs less than reading them back. Pairs of features in 2-D and 3-D have kernels of
/// their own; everything else goes sample by sample.
class EmbeddingGrids final : public EmbeddingTables {
 public:
  EmbeddingGrids(const NetworkPlan& plan, const KernelTable& kernels);

  std::string method() const override;
  int64_t max_slots() const override;
  void features(const float* coords, int n, int slot, float* out, int64_t stride) override;
  void begin_tiles(int n_slots) override;
  void finish_tile(int slot, int n) override { slot_sizes_[slot] = n; }
  void add_tiles(ThreadPool& pool) override;
  int64_t n_bytes() const override;

 private:
  bool has_kernels() const {
    return kernels_->grid_features != nullptr && n_channels_ == 2 && (n_dims_ == 2 || n_dims_ == 3);
  }
  void list_levels(const EmbeddingSpec& embedding);
  float* coords_of(int slot) { return coords_.data() + slot * slot_rows_ * n_dims_; }
  int n_levels() const { return static_cast<int>(grids_.size()); }
  void add_slot(int slot, int level);

  std::vector<EmbeddingGrid> grids_;
  int n_dims_;
  AlignedBuffer<float> coords_;  ///< [slot][row][n_dims]

  GridLevels levels_;  ///< of the arrays below
  std::vector<float> cells_;
  std::vector<float> last_;
  std::vector<uint32_t> step_;
  std::vector<uint32_t> mask_;
  std::vector<uint32_t> first_entry_;
};

}  // namespace loe::cpu
