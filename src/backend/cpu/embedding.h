// The learned tables of an embedding on the CPU: blending, gradient by owner, Adam.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/cpu/isa/kernels.h"
#include "backend/cpu/plan.h"
#include "base/aligned_buffer.h"
#include "loe/base/thread_pool.h"

namespace loe::cpu {

/// The executor's own copy of the tables, and dL/dtables over the tiles of a step. What blends and adds depends on the
/// shape of the tables: EmbeddingRows for one table of many channels, EmbeddingGrids for levels of few.
///
/// A tile under training has a slot: what its samples' gradient needs, left by features(), and the gradients of its
/// features, written to gradient_rows(). Once all slots are full, add_tiles() adds them up, every number of a table by
/// one thread, in an order that follows from the slots alone, so the bits do not depend on the threads.
class EmbeddingTables {
 public:
  /// Of a plan with an embedding.
  static std::unique_ptr<EmbeddingTables> make(const NetworkPlan& plan, const KernelTable& kernels);
  EmbeddingTables(const NetworkPlan& plan, const KernelTable& kernels);
  virtual ~EmbeddingTables() = default;

  /// "samples by cell", for KernelInfo.
  virtual std::string method() const = 0;
  /// Slots of about that many bytes altogether keep the memory of a large batch in bounds (at least 1).
  virtual int64_t max_slots() const = 0;
  /// Takes the tables out of the flat parameters, and forgets gradients.
  void set_params(ThreadPool& pool, const float* params);

  /// Features of coords [n, n_dims] -> rows [n, n_features], `stride` apart, with room for kGridPadding numbers behind
  /// them. slot >= 0: remembered for training. Distinct slots: thread-safe.
  virtual void features(const float* coords, int n, int slot, float* out, int64_t stride) = 0;

  /// dL/dtables = 0 before the first tile of a step, unless `continues` and the last update did not move the tables.
  void begin_gradient(ThreadPool& pool, bool continues);
  /// A step that is not taken: nor are those before it that have not moved the tables yet.
  void forget_gradient() { is_pending_ = false; }
  /// Empties all slots and makes room for that many.
  virtual void begin_tiles(int n_slots) = 0;
  /// dL/dfeatures of a slot: rows of NetworkPlan::max_stride, to be filled in.
  float* gradient_rows(int slot) { return feature_grads_.data() + slot * slot_rows_ * grad_stride_; }
  /// The first n rows of the slot are there. Distinct slots: thread-safe.
  virtual void finish_tile(int slot, int n) = 0;
  /// dL/dtables += the slots, in their order.
  virtual void add_tiles(ThreadPool& pool) = 0;
  /// The update of the tables, if this is one that moves them.
  void apply_adam(ThreadPool& pool, const AdamUpdate& update, ParamSlice state);
  /// The same for a caller that needs no parameters but the tables': state.params stays behind until store(). Returns
  /// largest() of tables that have moved, found while they are in the caches.
  std::optional<uint32_t> apply_adam_in_place(ThreadPool& pool, const AdamUpdate& update, ParamSlice state);
  /// Writes the tables to their place in the flat parameters.
  void store(ThreadPool& pool, float* params) const;
  /// The largest |number| in the tables as bits: more than those of any number if one is NaN.
  uint32_t largest(ThreadPool& pool) const;
  /// Writes dL/dtables to its place in the flat gradient.
  void write(ThreadPool& pool, float* param_grads);
  virtual int64_t n_bytes() const { return table_.n_bytes() + gradient_.n_bytes() + feature_grads_.n_bytes(); }

 protected:
  const KernelTable* kernels_;
  int n_channels_;
  int64_t slot_rows_;
  int64_t grad_stride_;
  AlignedBuffer<float> table_;
  AlignedBuffer<float> gradient_;  ///< allocated by the first training call
  AlignedBuffer<float> feature_grads_;
  std::vector<int> slot_sizes_;

 private:
  /// body(first, n, worker) for blocks of the tables.
  template <class Body>
  void for_each_block(ThreadPool& pool, const Body& body) const;
  /// Adam on numbers first .. first + n - 1, whose parameters lie at `params`; leaves a gradient of 0.
  void move_block(const AdamScalars& scalars, const AdamUpdate& update, ParamSlice state, float* params, int64_t first,
                  int64_t n);

  int64_t offset_;           ///< in the flat parameters
  bool is_pending_ = false;  ///< the gradient belongs to updates that did not move the tables
  bool is_zero_ = false;     ///< the gradient is 0: Adam has taken it
};

}  // namespace loe::cpu
