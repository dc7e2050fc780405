// The parameters and moments of a narrow network as its trainer keeps them: an expert's matrix and its two moments side
// by side, each [depth][width].
#pragma once

#include <cstdint>
#include <span>
#include <utility>
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

  /// Matrix, first and second moments of an expert, [3][depth][width].
  const float* current(int layer, int expert) const { return block(current_[layer], layer, expert); }
  float* current(int layer, int expert) { return block(current_[layer], layer, expert); }
  /// The same in a second copy, after prepare_next(), for a step that may yet be dropped.
  float* next(int layer, int expert) { return block(next_[layer], layer, expert); }
  /// Makes next() equal to current() where a step does not write it: experts without samples.
  void prepare_next();
  /// Adopts a layer of the second copy.
  void commit(int layer) { std::swap(current_[layer], next_[layer]); }
  /// Someone wrote to current(), or other experts will be without samples.
  void outdate_next() { is_next_old_ = true; }
  /// The largest |parameter| of biases, head and some layers, as bits: more than those of any number if one is NaN.
  uint32_t largest(const NarrowKernels& kernels, const std::vector<bool>& layers) const;
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
  std::vector<AlignedBuffer<float>> next_;     ///< empty until it is needed
  bool is_next_old_ = true;
  AlignedBuffer<float> small_;
};

}  // namespace loe::cpu
