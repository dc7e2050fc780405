// The parameters and moments of a narrow network as its trainer keeps them: an expert's matrix and its two moments side
// by side, each [depth][width].
#pragma once

#include <span>
#include <vector>

#include "backend/cpu/narrow_plan.h"
#include "base/aligned_buffer.h"
#include "loe/base/thread_pool.h"

namespace loe::cpu {

class NarrowParams {
 public:
  explicit NarrowParams(const NarrowPlan& plan);

  /// From and to the flat buffers of NetworkSpec.
  void load(ThreadPool& pool, const ParamSlice& state);
  void store(ThreadPool& pool, const ParamSlice& state) const;
  /// The parameters alone.
  void store_params(ThreadPool& pool, std::span<float> params) const;

  /// Matrix, first and second moments of an expert, [3][depth][width], as they are and as they will be after commit().
  const float* current(int layer, int expert) const { return block(current_[layer], layer, expert); }
  float* next(int layer, int expert) { return block(next_[layer], layer, expert); }
  /// In place, for layers that are not double-buffered in this step.
  float* current(int layer, int expert) { return block(current_[layer], layer, expert); }
  /// What next() was given becomes what is: experts of these layers that were not updated must not occur in any sample.
  void commit(int layer) { std::swap(current_[layer], next_[layer]); }
  /// Makes next() equal to current().
  void copy_to_next();
  /// Biases and head: parameters, then both moments, [3][n_small].
  float* small(int which) { return small_.data() + which * plan_->n_small; }
  const float* small(int which) const { return small_.data() + which * plan_->n_small; }

  int64_t n_bytes() const;

 private:
  const float* block(const AlignedBuffer<float>& buffer, int layer, int expert) const {
    return buffer.data() + 3 * plan_->layers[layer].matrix_size() * expert;
  }
  float* block(AlignedBuffer<float>& buffer, int layer, int expert) {
    return buffer.data() + 3 * plan_->layers[layer].matrix_size() * expert;
  }
  void store_part(ThreadPool& pool, int which, std::span<float> flat) const;

  const NarrowPlan* plan_;
  std::vector<AlignedBuffer<float>> current_;  ///< [layer]
  std::vector<AlignedBuffer<float>> next_;
  AlignedBuffer<float> small_;
};

}  // namespace loe::cpu
