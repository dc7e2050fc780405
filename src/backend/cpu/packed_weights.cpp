#include "backend/cpu/packed_weights.h"

#include <algorithm>

namespace loe::cpu {

void PackedMatrix::allocate(WeightFormat format, int n_experts, int depth, int n, const KernelTable& kernels) {
  const bool is_bf16 = format != WeightFormat::F32;
  kernels_ = &kernels;
  format_ = format;
  n_experts_ = n_experts;
  depth_ = round_up(depth, is_bf16 ? kernels.panels_bf16.depth_multiple : kernels.panels_f32.depth_multiple);
  n_ = n;
  const int64_t size = n_experts * expert_size();
  if (is_bf16) {
    bf16_.resize(size);
  } else {
    f32_.resize(size);
  }
}

const void* PackedMatrix::expert(int e) const {
  const int64_t offset = e * expert_size();
  return format_ != WeightFormat::F32 ? static_cast<const void*>(bf16_.data() + offset) : f32_.data() + offset;
}

void PackedMatrix::pack(int e, const float* source, int64_t k_stride, int64_t j_stride, int n_k, int n_j) {
  const int64_t start = e * expert_size();
  if (format_ != WeightFormat::F32) {
    PackArgs args{source, k_stride, j_stride, n_k, n_j, depth_, n_, kernels_->panels_bf16.columns};
    args.out = bf16_.data() + start;
    kernels_->pack_bf16(args);
    if (format_ == WeightFormat::Bf16) return;
    args.is_rest = true;
    args.out += int64_t{depth_} * n_;
    kernels_->pack_bf16(args);
    return;
  }
  const int columns = kernels_->panels_f32.columns;
  for (int j0 = 0; j0 < n_j; j0 += columns) {
    const int width = std::min(columns, n_ - j0);
    const int used = std::min(width, n_j - j0);
    // 16 x 16 blocks bound the lines touched on the strided side.
    for (int k0 = 0; k0 < n_k; k0 += 16) {
      const int k1 = std::min(k0 + 16, n_k);
      for (int c0 = 0; c0 < used; c0 += 16) {
        const int c1 = std::min(c0 + 16, used);
        for (int k = k0; k < k1; ++k) {
          const float* from = source + k * k_stride + j0 * j_stride;
          float* to = f32_.data() + start + int64_t{j0} * depth_ + int64_t{k} * width;
          for (int c = c0; c < c1; ++c) to[c] = from[c * j_stride];
        }
      }
    }
  }
}

PackedWeights::PackedWeights(const NetworkPlan& plan, const KernelTable& kernels)
    : plan_(&plan),
      forward_(plan.layers.size()),
      backward_(plan.layers.size()),
      bias_(plan.layers.size()),
      dot_(plan.layers.size()) {
  const WeightFormat forward = plan.forward_split  ? WeightFormat::Split
                               : plan.forward_bf16 ? WeightFormat::Bf16
                                                   : WeightFormat::F32;
  for (std::size_t l = 0; l < plan.layers.size(); ++l) {
    const LayerPlan& layer = plan.layers[l];
    bias_[l].resize(layer.n_padded);
    if (layer.is_dot) {
      dot_[l].resize(int64_t{layer.n_experts} * layer.n_out * layer.n_in);
      continue;
    }
    forward_[l].allocate(forward, layer.n_experts, layer.n_in, layer.n_padded, kernels);
    if (layer.n_grad_columns > 0) {
      backward_[l].allocate(plan.backward_bf16 ? WeightFormat::Bf16 : WeightFormat::F32, layer.n_experts, layer.n_out,
                            round_up(layer.n_grad_columns, kPadding), kernels);
    }
  }
}

void PackedWeights::pack_expert(int l, int e, const float* params) {
  const LayerPlan& layer = plan_->layers[l];
  const int64_t size = int64_t{layer.n_out} * layer.n_in;
  const float* weight = params + layer.weight_offset + e * size;
  if (layer.is_dot) {
    std::copy(weight, weight + size, dot_[l].data() + e * size);
    return;
  }
  forward_[l].pack(e, weight, 1, layer.n_in, layer.n_in, layer.n_out);
  if (!backward_[l].empty()) {
    backward_[l].pack(e, weight + layer.grad_column, layer.n_in, 1, layer.n_out, layer.n_grad_columns);
  }
}

void PackedWeights::pack_bias(int l, const float* params) {
  const float* bias = params + plan_->layers[l].bias_offset;
  std::copy(bias, bias + plan_->layers[l].n_biases, bias_[l].data());
}

const float* PackedWeights::dot_rows(int l, int e) const {
  const LayerPlan& layer = plan_->layers[l];
  return dot_[l].data() + int64_t{e} * layer.n_out * layer.n_in;
}

int64_t PackedWeights::n_bytes() const {
  int64_t bytes = 0;
  for (std::size_t l = 0; l < forward_.size(); ++l) {
    bytes += forward_[l].n_bytes() + backward_[l].n_bytes() + bias_[l].n_bytes() + dot_[l].n_bytes();
  }
  return bytes;
}

}  // namespace loe::cpu
