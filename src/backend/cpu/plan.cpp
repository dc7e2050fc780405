#include "backend/cpu/plan.h"

#include <algorithm>

#include "loe/backend/routing.h"

namespace loe::cpu {
namespace {

// Rows hold `width` values and a column of ones behind them: the bias gradient is then one more row of the weight
// gradient. An odd multiple of 32 elements keeps rows from falling on the same cache sets: with 256-wide f32 rows at
// a stride of exactly 1 KB, 64 rows would share 16 sets of the L1.
int64_t row_stride(int width) {
  const int blocks = round_up(width + 1, 32) / 32;
  return 32 * (blocks % 2 == 0 ? blocks + 1 : blocks);
}

// Packed weights of both directions.
int64_t weight_bytes(const NetworkPlan& plan) {
  int64_t bytes = 0;
  for (const LayerPlan& layer : plan.layers) {
    bytes += int64_t{layer.n_experts} * layer.n_in * layer.n_padded *
             ((plan.forward_bf16 ? 2 : 4) + (plan.backward_bf16 ? 2 : 4));
  }
  return bytes;
}

// Samples per tile: many enough that a block of weights is used often (random samples: tile / experts of them share
// one), few enough that the activations of two neighbouring layers stay close. Swept on Zen 4, share of peak:
// toy (4 experts) f32 0.78 at 256 against 0.70 at 128 and 0.67 at 512; 16 experts of 64 x 64: 0.65 at 512, 0.68 at
// 1024, where a batch of 2,048 would leave threads idle; Table 1 in f32, whose weights stream from memory for every
// tile: 0.80 at 2048, 0.76 at 1024.
int choose_tile_rows(const NetworkPlan& plan) {
  constexpr int64_t kSmallWeightBytes = int64_t{4} << 20;
  constexpr int64_t kStreamedWeightBytes = int64_t{48} << 20;
  int n_experts = 1;
  for (const LayerPlan& layer : plan.layers) n_experts = std::max(n_experts, layer.n_experts);
  if (n_experts <= 4) return 256;
  const int64_t bytes = weight_bytes(plan);
  return bytes < kSmallWeightBytes ? 512 : bytes < kStreamedWeightBytes ? 1024 : 2048;
}

LayerPlan plan_layer(const NetworkSpec& spec, int index, bool even_depth) {
  const LayerSpec& layer = spec.layers[index];
  const bool is_last = index + 1 == static_cast<int>(spec.layers.size());
  const ActivationKind kind = layer.activation.kind;
  LayerPlan plan;
  plan.n_in = layer.n_in;
  plan.n_out = layer.n_out;
  plan.depth = even_depth ? round_up(layer.n_in, 2) : layer.n_in;
  plan.n_padded = round_up(layer.n_out, kPadding);
  plan.stride = row_stride(plan.n_padded);
  plan.n_experts = layer.n_experts();
  plan.n_blended = n_blended(layer, spec.n_dims);
  plan.is_dot = is_last && layer.n_out <= kMaxDotOutputs;
  plan.is_fused = kind == ActivationKind::Identity || kind == ActivationKind::Relu || kind == ActivationKind::LeakyRelu;
  plan.slope = kind == ActivationKind::Identity ? 1.0F
               : kind == ActivationKind::Relu   ? 0.0F
                                                : static_cast<float>(layer.activation.slope);
  if (plan.n_blended > 1) {
    for (int e = 0; e < plan.n_experts; ++e) plan.blends.push_back(blend_experts(layer, spec.n_dims, e));
  }
  if (index > 0 || spec.input.kind == InputKind::Features) {
    plan.n_grad_columns = layer.n_in;
  } else if (spec.input.has_embedding()) {
    plan.grad_column = spec.input.encoding_width(spec.n_dims);
    plan.n_grad_columns = spec.input.embedding.n_channels;
  }
  plan.weight_offset = spec.weight_offset(index);
  plan.bias_offset = spec.bias_offset(index);
  return plan;
}

}  // namespace

NetworkPlan make_plan(const NetworkSpec& spec, Precision precision) {
  NetworkPlan plan;
  plan.spec = spec;
  plan.precision = precision;
  plan.forward_bf16 = precision == Precision::Bf16;
  plan.backward_bf16 = precision != Precision::F32;
  plan.input_width = spec.n_in();
  plan.input_stride = row_stride(round_up(plan.input_width, kPadding));
  plan.max_stride = plan.input_stride;
  for (int l = 0; l < static_cast<int>(spec.layers.size()); ++l) {
    plan.layers.push_back(plan_layer(spec, l, plan.forward_bf16));
    plan.max_stride = std::max(plan.max_stride, plan.layers.back().stride);
  }
  plan.tile_rows = choose_tile_rows(plan);
  plan.n_params = spec.n_params();
  return plan;
}

}  // namespace loe::cpu
