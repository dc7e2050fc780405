#include "backend/cpu/embedding_rows.h"

#include <algorithm>

namespace loe::cpu {
namespace {

constexpr int64_t kSlotBytes = int64_t{64} << 20;
// A band of the gradient stays in L1 or L2 while a slot is added, and every thread finds several bands to own.
constexpr int64_t kBandBytes = int64_t{32} << 10;
constexpr int64_t kMaxBands = 256;
/// Samples of one cell that are added in one go.
constexpr int kRunRows = 32;

constexpr int kRowBits = 16;

int64_t cell_of(uint64_t key) {
  return static_cast<int64_t>(key >> kRowBits);
}
int row_of(uint64_t key) {
  return static_cast<int>(key & ((1U << kRowBits) - 1));
}

}  // namespace

EmbeddingRows::EmbeddingRows(const NetworkPlan& plan, const KernelTable& kernels)
    : EmbeddingTables(plan, kernels),
      grid_(plan.spec.input.embedding, plan.spec.n_dims),
      n_dims_(plan.spec.n_dims),
      n_nodes_(plan.spec.input.embedding.n_nodes()) {
  const int64_t bytes = table_.n_bytes();
  const int64_t wanted = std::clamp<int64_t>(bytes / kBandBytes, 1, kMaxBands);
  band_nodes_ = (n_nodes_ + wanted - 1) / wanted;
  n_bands_ = (n_nodes_ + band_nodes_ - 1) / band_nodes_;
}

int64_t EmbeddingRows::max_slots() const {
  const int64_t row_bytes = 4 * (grad_stride_ + grid_.n_corners()) + 8;
  return std::max<int64_t>(1, kSlotBytes / (slot_rows_ * row_bytes));
}

std::pair<int64_t, int64_t> EmbeddingRows::band(int64_t index) const {
  return {index * band_nodes_, std::min(n_nodes_, (index + 1) * band_nodes_)};
}

void EmbeddingRows::features(const float* coords, int n, int slot, float* out, int64_t stride) {
  const int n_corners = grid_.n_corners();
  for (int row = 0; row < n; ++row) {
    const EmbeddingPlace place = grid_.place(coords + int64_t{row} * n_dims_);
    const float* rows[1 << kMaxDims];
    for (int k = 0; k < n_corners; ++k) rows[k] = table_.data() + place.entry[k] * n_channels_;
    kernels_->weighted_rows(rows, place.coefficient.data(), n_corners, n_channels_, false, out + row * stride);
    if (slot < 0) continue;
    const int64_t at = slot * slot_rows_ + row;
    keys_[at] = static_cast<uint64_t>(place.entry[0]) << kRowBits | static_cast<uint64_t>(row);
    std::copy_n(place.coefficient.data(), n_corners, coefficients_.data() + at * n_corners);
  }
}

void EmbeddingRows::begin_tiles(int n_slots) {
  const int64_t rows = n_slots * slot_rows_;
  if (keys_.size() < rows) {
    feature_grads_.resize(rows * grad_stride_);
    coefficients_.resize(rows * grid_.n_corners());
    keys_.resize(rows);
  }
  slot_sizes_.assign(n_slots, 0);
}

void EmbeddingRows::finish_tile(int slot, int n) {
  uint64_t* const keys = keys_.data() + slot * slot_rows_;
  std::sort(keys, keys + n);
  slot_sizes_[slot] = n;
}

void EmbeddingRows::add_tiles(ThreadPool& pool) {
  pool.parallel_for(n_bands_, [&](int64_t index, int) {
    const auto [first, end] = band(index);
    for (int slot = 0; slot < static_cast<int>(slot_sizes_.size()); ++slot) add_slot(slot, first, end);
  });
}

void EmbeddingRows::add_slot(int slot, int64_t first_node, int64_t end_node) {
  const int n_corners = grid_.n_corners();
  const int n = slot_sizes_[slot];
  const uint64_t* const keys = keys_.data() + slot * slot_rows_;
  const float* const coefficients = coefficients_.data() + slot * slot_rows_ * n_corners;
  const float* const grads = gradient_rows(slot);
  for (int corner = 0; corner < n_corners; ++corner) {
    const int64_t step = grid_.corner_step(corner);
    // Most slots lie outside most bands.
    if (n == 0 || cell_of(keys[n - 1]) + step < first_node || cell_of(keys[0]) + step >= end_node) continue;
    const uint64_t first_key = static_cast<uint64_t>(std::max<int64_t>(0, first_node - step)) << kRowBits;
    const uint64_t* key = std::lower_bound(keys, keys + n, first_key);
    while (key != keys + n && cell_of(*key) + step < end_node) {
      const int64_t cell = cell_of(*key);
      const float* rows[kRunRows];
      float scales[kRunRows];
      int n_rows = 0;
      for (; n_rows < kRunRows && key != keys + n && cell_of(*key) == cell; ++key, ++n_rows) {
        rows[n_rows] = grads + int64_t{row_of(*key)} * grad_stride_;
        scales[n_rows] = coefficients[int64_t{row_of(*key)} * n_corners + corner];
      }
      kernels_->weighted_rows(rows, scales, n_rows, n_channels_, true, gradient_.data() + (cell + step) * n_channels_);
    }
  }
}

int64_t EmbeddingRows::n_bytes() const {
  return EmbeddingTables::n_bytes() + coefficients_.n_bytes() + keys_.n_bytes();
}

}  // namespace loe::cpu
