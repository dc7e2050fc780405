// The executor's own copy of the parameters, in the order its kernels stream them.
#pragma once

#include <span>
#include <vector>

#include "backend/cpu/plan.h"
#include "base/aligned_buffer.h"

namespace loe::cpu {

/// How a packed weight is kept: Split is two of bf16, see KernelTable::gemm_split.
enum class WeightFormat : uint8_t { F32, Bf16, Split };

/// One matrix per expert as a PanelLayout says. Padding columns and a padding depth are zero.
class PackedMatrix {
 public:
  void allocate(WeightFormat format, int n_experts, int depth, int n, const KernelTable& kernels);
  /// Packs expert `e` from element (k, j) = source[k * k_stride + j * j_stride], k < n_k, j < n_j; one stride is 1.
  void pack(int e, const float* source, int64_t k_stride, int64_t j_stride, int n_k, int n_j);
  const void* expert(int e) const;
  int64_t n_bytes() const { return f32_.n_bytes() + bf16_.n_bytes(); }
  bool empty() const { return n_experts_ == 0; }

 private:
  /// Elements of an expert.
  int64_t expert_size() const { return (format_ == WeightFormat::Split ? 2 : 1) * int64_t{depth_} * n_; }

  WeightFormat format_ = WeightFormat::F32;
  int n_experts_ = 0;
  int depth_ = 0;
  int n_ = 0;
  const KernelTable* kernels_ = nullptr;
  AlignedBuffer<float> f32_;
  AlignedBuffer<bf16> bf16_;
};

class PackedWeights {
 public:
  PackedWeights(const NetworkPlan& plan, const KernelTable& kernels);

  /// Repacks expert e of a layer, or its bias, from the flat parameters. Distinct (layer, e): thread-safe.
  void pack_expert(int layer, int e, const float* params);
  void pack_bias(int layer, const float* params);

  const void* forward(int layer, int e) const { return forward_[layer].expert(e); }
  const void* backward(int layer, int e) const { return backward_[layer].expert(e); }
  const float* bias(int layer) const { return bias_[layer].data(); }
  /// Rows [n_out, n_in] of expert e of a dot layer.
  const float* dot_rows(int layer, int e) const;
  int64_t n_bytes() const;

 private:
  const NetworkPlan* plan_;
  std::vector<PackedMatrix> forward_;   ///< depth n_in, columns n_out
  std::vector<PackedMatrix> backward_;  ///< depth n_out, columns the inputs whose gradient is wanted
  std::vector<AlignedBuffer<float>> bias_;
  std::vector<AlignedBuffer<float>> dot_;
};

}  // namespace loe::cpu
