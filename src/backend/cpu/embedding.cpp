#include "backend/cpu/embedding.h"

#include <algorithm>
#include <vector>

#include "backend/cpu/embedding_grids.h"
#include "backend/cpu/embedding_rows.h"

namespace loe::cpu {
namespace {

/// Numbers of a table that one task copies, clears or updates.
constexpr int64_t kBlock = 8192;

}  // namespace

std::unique_ptr<EmbeddingTables> EmbeddingTables::make(const NetworkPlan& plan, const KernelTable& kernels) {
  if (plan.spec.input.embedding.levels.empty()) return std::make_unique<EmbeddingRows>(plan, kernels);
  return std::make_unique<EmbeddingGrids>(plan, kernels);
}

EmbeddingTables::EmbeddingTables(const NetworkPlan& plan, const KernelTable& kernels)
    : kernels_(&kernels),
      n_channels_(plan.spec.input.embedding.n_channels),
      slot_rows_(plan.tile_rows),
      grad_stride_(plan.max_stride),
      table_(plan.spec.input.embedding.size()),
      offset_(plan.spec.embedding_offset()) {}

template <class Body>
void EmbeddingTables::for_each_block(ThreadPool& pool, const Body& body) const {
  pool.parallel_for((table_.size() + kBlock - 1) / kBlock, [&](int64_t index, int worker) {
    const int64_t first = index * kBlock;
    body(first, std::min(kBlock, table_.size() - first), worker);
  });
}

void EmbeddingTables::set_params(ThreadPool& pool, const float* params) {
  for_each_block(
      pool, [&](int64_t first, int64_t n, int) { std::copy_n(params + offset_ + first, n, table_.data() + first); });
  is_pending_ = false;
}

void EmbeddingTables::begin_gradient(ThreadPool& pool, bool continues) {
  if (continues && is_pending_) return;
  is_pending_ = false;
  gradient_.resize(table_.size());
  if (!is_zero_) {
    for_each_block(pool, [&](int64_t first, int64_t n, int) { std::fill_n(gradient_.data() + first, n, 0.0F); });
  }
  is_zero_ = false;
}

void EmbeddingTables::move_block(const AdamScalars& scalars, const AdamUpdate& update, ParamSlice state, float* params,
                                 int64_t first, int64_t n) {
  kernels_->adam_of_table(scalars, update.embedding.skips_zeros, gradient_.data() + first, n, params,
                          state.adam_m.data() + offset_ + first, state.adam_v.data() + offset_ + first,
                          table_.data() + first);
}

void EmbeddingTables::apply_adam(ThreadPool& pool, const AdamUpdate& update, ParamSlice state) {
  is_pending_ = !update.moves_embedding();
  if (is_pending_) return;
  const AdamScalars scalars(update.of_embedding());
  for_each_block(pool, [&](int64_t first, int64_t n, int) {
    move_block(scalars, update, state, state.params.data() + offset_ + first, first, n);
  });
  is_zero_ = true;
}

std::optional<uint32_t> EmbeddingTables::apply_adam_in_place(ThreadPool& pool, const AdamUpdate& update,
                                                             ParamSlice state) {
  is_pending_ = !update.moves_embedding();
  if (is_pending_) return std::nullopt;
  const AdamScalars scalars(update.of_embedding());
  std::vector<uint32_t> of_worker(pool.n_threads());
  for_each_block(pool, [&](int64_t first, int64_t n, int worker) {
    move_block(scalars, update, state, table_.data() + first, first, n);
    of_worker[worker] = std::max(of_worker[worker], kernels_->narrow.largest(table_.data() + first, n));
  });
  is_zero_ = true;
  return *std::max_element(of_worker.begin(), of_worker.end());
}

void EmbeddingTables::store(ThreadPool& pool, float* params) const {
  for_each_block(
      pool, [&](int64_t first, int64_t n, int) { std::copy_n(table_.data() + first, n, params + offset_ + first); });
}

uint32_t EmbeddingTables::largest(ThreadPool& pool) const {
  std::vector<uint32_t> of_worker(pool.n_threads());
  for_each_block(pool, [&](int64_t first, int64_t n, int worker) {
    of_worker[worker] = std::max(of_worker[worker], kernels_->narrow.largest(table_.data() + first, n));
  });
  return *std::max_element(of_worker.begin(), of_worker.end());
}

void EmbeddingTables::write(ThreadPool& pool, float* param_grads) {
  for_each_block(pool, [&](int64_t first, int64_t n, int) {
    std::copy_n(gradient_.data() + first, n, param_grads + offset_ + first);
  });
}

}  // namespace loe::cpu
