#include "backend/cpu/embedding_grids.h"

#include <algorithm>

namespace loe::cpu {
namespace {

constexpr int64_t kSlotBytes = int64_t{64} << 20;
constexpr int kLevelsPerTask = 8;

}  // namespace

EmbeddingGrids::EmbeddingGrids(const NetworkPlan& plan, const KernelTable& kernels)
    : EmbeddingTables(plan, kernels), n_dims_(plan.spec.n_dims) {
  const EmbeddingSpec& embedding = plan.spec.input.embedding;
  for (int level = 0; level < embedding.n_levels(); ++level) grids_.emplace_back(embedding, n_dims_, level);
  list_levels(embedding);
}

void EmbeddingGrids::list_levels(const EmbeddingSpec& embedding) {
  const int stride = round_up(n_levels(), kGridPadding);
  cells_.resize(static_cast<std::size_t>(n_dims_) * stride);
  last_.assign(cells_.size(), 1.0F);
  step_.resize(cells_.size());
  mask_.assign(stride, 0xffffffffU);
  first_entry_.resize(stride);
  for (int level = 0; level < n_levels(); ++level) {
    const GridLevel& grid = embedding.levels[static_cast<std::size_t>(level)];
    const std::array<int, kMaxDims> resolution = grid.resolution();
    uint32_t step = 1;
    for (int axis = 0; axis < n_dims_; ++axis) {
      const std::size_t at = static_cast<std::size_t>(axis) * stride + level;
      cells_[at] = static_cast<float>(grid.cells[axis]);
      last_[at] = static_cast<float>(resolution[axis] - 1);
      step_[at] = grid.is_dense() ? step : kHashPrimes[axis];
      step *= static_cast<uint32_t>(resolution[axis]);
    }
    if (!grid.is_dense()) mask_[level] = static_cast<uint32_t>(grid.n_entries - 1);
    first_entry_[level] = static_cast<uint32_t>(embedding.first_entry(level));
  }
  levels_ = {n_dims_, n_levels(), stride, cells_.data(), last_.data(), step_.data(), mask_.data(), first_entry_.data()};
}

std::string EmbeddingGrids::method() const {
  return has_kernels() ? "pairs, a level per lane" : "sample by sample";
}

int64_t EmbeddingGrids::max_slots() const {
  const int64_t row_bytes = 4 * (grad_stride_ + n_dims_);
  return std::max<int64_t>(1, kSlotBytes / (slot_rows_ * row_bytes));
}

void EmbeddingGrids::features(const float* coords, int n, int slot, float* out, int64_t stride) {
  if (slot >= 0) std::copy_n(coords, int64_t{n} * n_dims_, coords_of(slot));
  if (has_kernels()) {
    kernels_->grid_features({&levels_, coords, n, table_.data(), out, stride});
    return;
  }
  for (int i = 0; i < n; ++i) {
    for (int level = 0; level < n_levels(); ++level) {
      const EmbeddingPlace place = grids_[level].place(coords + int64_t{i} * n_dims_);
      const int n_corners = grids_[level].n_corners();
      const float* rows[1 << kMaxDims];
      for (int k = 0; k < n_corners; ++k) rows[k] = table_.data() + place.entry[k] * n_channels_;
      kernels_->weighted_rows(rows, place.coefficient.data(), n_corners, n_channels_, false,
                              out + i * stride + int64_t{level} * n_channels_);
    }
  }
}

void EmbeddingGrids::begin_tiles(int n_slots) {
  const int64_t rows = n_slots * slot_rows_;
  if (coords_.size() < (rows + kGridPadding) * n_dims_) {
    coords_.resize((rows + kGridPadding) * n_dims_);  // kernels read whole vectors of rows
    feature_grads_.resize(rows * grad_stride_);
  }
  slot_sizes_.assign(n_slots, 0);
}

void EmbeddingGrids::add_tiles(ThreadPool& pool) {
  // A line of a row holds the gradients of 8 pairs: read once for all of them, unless that leaves threads idle.
  const int levels_per_task = std::clamp(n_levels() / (2 * pool.n_threads()), 1, kLevelsPerTask);
  const int n_tasks = (n_levels() + levels_per_task - 1) / levels_per_task;
  pool.parallel_for(n_tasks, [&](int64_t task, int) {
    // The finest first: tables beyond the caches take longest, and nobody should be left with them at the end.
    const int first = (n_tasks - 1 - static_cast<int>(task)) * levels_per_task;
    const int end = std::min(n_levels(), first + levels_per_task);
    for (int slot = 0; slot < static_cast<int>(slot_sizes_.size()); ++slot) {
      for (int level = first; level < end; ++level) add_slot(slot, level);
    }
  });
}

void EmbeddingGrids::add_slot(int slot, int level) {
  const int n = slot_sizes_[slot];
  const float* const coords = coords_of(slot);
  const float* const grads = gradient_rows(slot) + int64_t{level} * n_channels_;
  if (has_kernels()) {
    kernels_->grid_gradient({&levels_, level, coords, grads, grad_stride_, n, gradient_.data()});
    return;
  }
  for (int i = 0; i < n; ++i) {
    const EmbeddingPlace place = grids_[level].place(coords + int64_t{i} * n_dims_);
    for (int k = 0; k < grids_[level].n_corners(); ++k) {
      kernels_->axpy_f32(place.coefficient[k], grads + i * grad_stride_, n_channels_,
                         gradient_.data() + place.entry[k] * n_channels_);
    }
  }
}

int64_t EmbeddingGrids::n_bytes() const {
  return EmbeddingTables::n_bytes() + coords_.n_bytes();
}

}  // namespace loe::cpu
