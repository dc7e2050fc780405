#include "backend/cpu/embedding.h"

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

EmbeddingTable::EmbeddingTable(const NetworkPlan& plan, const KernelTable& kernels)
    : kernels_(&kernels),
      grid_(plan.spec.input.embedding, plan.spec.n_dims),
      n_channels_(plan.spec.input.embedding.n_channels),
      n_nodes_(plan.spec.input.embedding.n_nodes()),
      offset_(plan.spec.embedding_offset()),
      slot_rows_(plan.tile_rows),
      table_(n_nodes_ * n_channels_) {
  const int64_t bytes = table_.n_bytes();
  const int64_t wanted = std::clamp<int64_t>(bytes / kBandBytes, 1, kMaxBands);
  band_nodes_ = (n_nodes_ + wanted - 1) / wanted;
  n_bands_ = (n_nodes_ + band_nodes_ - 1) / band_nodes_;
}

int64_t EmbeddingTable::max_slots() const {
  const int64_t row_bytes = 4 * (n_channels_ + grid_.n_corners()) + 8;
  return std::max<int64_t>(1, kSlotBytes / (slot_rows_ * row_bytes));
}

std::pair<int64_t, int64_t> EmbeddingTable::band(int64_t index) const {
  return {index * band_nodes_, std::min(n_nodes_, (index + 1) * band_nodes_)};
}

void EmbeddingTable::set_params(ThreadPool& pool, const float* params) {
  pool.parallel_for(n_bands_, [&](int64_t index, int) {
    const auto [first, end] = band(index);
    std::copy(params + offset_ + first * n_channels_, params + offset_ + end * n_channels_,
              table_.data() + first * n_channels_);
  });
}

void EmbeddingTable::features(const float* p, int slot, int row, float* out) {
  const EmbeddingPlace place = grid_.place(p);
  const int n_corners = grid_.n_corners();
  const float* rows[1 << kMaxDims];
  for (int k = 0; k < n_corners; ++k) {
    rows[k] = table_.data() + place.entry[k] * n_channels_;
  }
  kernels_->weighted_rows(rows, place.coefficient.data(), n_corners, n_channels_, false, out);
  if (slot < 0) return;
  const int64_t at = slot * slot_rows_ + row;
  keys_[at] = static_cast<uint64_t>(place.entry[0]) << kRowBits | static_cast<uint64_t>(row);
  std::copy_n(place.coefficient.data(), n_corners, coefficients_.data() + at * n_corners);
}

void EmbeddingTable::clear_gradient(ThreadPool& pool) {
  gradient_.resize(n_nodes_ * n_channels_);
  pool.parallel_for(n_bands_, [&](int64_t index, int) {
    const auto [first, end] = band(index);
    std::fill(gradient_.data() + first * n_channels_, gradient_.data() + end * n_channels_, 0.0F);
  });
}

void EmbeddingTable::begin_tiles(int n_slots) {
  const int64_t rows = n_slots * slot_rows_;
  if (keys_.size() < rows) {
    feature_grads_.resize(rows * n_channels_);
    coefficients_.resize(rows * grid_.n_corners());
    keys_.resize(rows);
  }
  slot_sizes_.assign(n_slots, 0);
}

void EmbeddingTable::finish_tile(int slot, int n) {
  uint64_t* const keys = keys_.data() + slot * slot_rows_;
  std::sort(keys, keys + n);
  slot_sizes_[slot] = n;
}

void EmbeddingTable::add_tiles(ThreadPool& pool) {
  pool.parallel_for(n_bands_, [&](int64_t index, int) {
    const auto [first, end] = band(index);
    for (int slot = 0; slot < static_cast<int>(slot_sizes_.size()); ++slot) add_slot(slot, first, end);
  });
}

void EmbeddingTable::add_slot(int slot, int64_t first_node, int64_t end_node) {
  const int n_corners = grid_.n_corners();
  const int n = slot_sizes_[slot];
  const uint64_t* const keys = keys_.data() + slot * slot_rows_;
  const float* const coefficients = coefficients_.data() + slot * slot_rows_ * n_corners;
  const float* const grads = feature_grads(slot);
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
        rows[n_rows] = grads + int64_t{row_of(*key)} * n_channels_;
        scales[n_rows] = coefficients[int64_t{row_of(*key)} * n_corners + corner];
      }
      kernels_->weighted_rows(rows, scales, n_rows, n_channels_, true, gradient_.data() + (cell + step) * n_channels_);
    }
  }
}

void EmbeddingTable::apply_adam(ThreadPool& pool, const AdamUpdate& update, ParamSlice state) {
  const AdamScalars scalars(update);
  pool.parallel_for(n_bands_, [&](int64_t index, int) {
    const auto [first_node, end_node] = band(index);
    const int64_t first = first_node * n_channels_;
    const int64_t size = end_node * n_channels_ - first;
    float* const params = state.params.data() + offset_ + first;
    kernels_->adam(scalars, gradient_.data() + first, size, params, state.adam_m.data() + offset_ + first,
                   state.adam_v.data() + offset_ + first);
    std::copy_n(params, size, table_.data() + first);
  });
}

void EmbeddingTable::write(ThreadPool& pool, float* param_grads) {
  pool.parallel_for(n_bands_, [&](int64_t index, int) {
    const auto [first, end] = band(index);
    std::copy(gradient_.data() + first * n_channels_, gradient_.data() + end * n_channels_,
              param_grads + offset_ + first * n_channels_);
  });
}

int64_t EmbeddingTable::n_bytes() const {
  return table_.n_bytes() + gradient_.n_bytes() + feature_grads_.n_bytes() + coefficients_.n_bytes() + keys_.n_bytes();
}

}  // namespace loe::cpu
