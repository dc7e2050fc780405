#include "backend/cpu/plan.h"

#include <algorithm>

#include "loe/backend/routing.h"

namespace loe::cpu {
namespace {

// Rows hold `width` values and a column of ones behind them: the bias gradient is then one more row of the weight
// gradient. An odd number of cache lines keeps rows from falling on the same cache sets: with 256-wide f32 rows at
// a stride of exactly 1 KB, 64 rows would share 16 sets of the L1. f32 rows of 32 take 3 lines instead of 6 that way.
int64_t row_stride(int width, bool has_bf16) {
  const int line = has_bf16 ? 32 : 16;
  const int n_lines = round_up(width + 1, line) / line;
  return line * (n_lines % 2 == 0 ? n_lines + 1 : n_lines);
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

int max_experts(const NetworkPlan& plan) {
  int n_experts = 1;
  for (const LayerPlan& layer : plan.layers) n_experts = std::max(n_experts, layer.n_experts);
  return n_experts;
}

// Samples per tile: many enough that a block of weights is used often (random samples: tile / experts of them share
// one), few enough that the activations of two neighbouring layers stay close. Swept on Zen 4, share of peak:
// toy (4 experts) f32 0.78 at 256 against 0.70 at 128 and 0.67 at 512; 16 experts of 64 x 64: 0.65 at 512, 0.68 at
// 1024, where a batch of 2,048 would leave threads idle; Table 1 in f32, whose weights stream from memory for every
// tile: 0.80 at 2048, 0.76 at 1024. 64 experts share a tile of 2048 in groups of 32 rows and pass 67 MB of weights for
// each: Table 2 in f32 66 GF per core at 512, 76 at 2048, 81 at 4096 (with super-batches of 16,384),
// 82 at 8192, whose batch of 65,536 would feed 8 threads only (docs/performance.md).
int choose_tile_rows(const NetworkPlan& plan) {
  constexpr int64_t kSmallWeightBytes = int64_t{4} << 20;
  constexpr int64_t kStreamedWeightBytes = int64_t{48} << 20;
  const int n_experts = max_experts(plan);
  if (n_experts <= 4) return 256;
  const int64_t bytes = weight_bytes(plan);
  if (bytes < kStreamedWeightBytes) return bytes < kSmallWeightBytes ? 512 : 1024;
  return n_experts < 64 ? 2048 : 4096;
}

// The same where products are so fast that weights streaming from memory show more (AMX): twice the rows halve how
// often they pass by, while small networks keep their tile in L2. Two cores with AMX: toy 0.131 s a step with 256 rows,
// 0.139 with 512, 0.136 with 1024; Table 1 0.409 s with 2048 rows, 0.431 with 4096.
int longer_tile_rows(int tile_rows) {
  return tile_rows < 1024 ? tile_rows : std::max(2048, tile_rows);
}

// Activations and gradients of a super-batch stay allocated between its two phases. 8,192 rows amortise reading and
// writing all weight gradients once per super-batch (37 MB for Table 1) to about 2% of the step. With more than 32
// experts an expert's share would fall below 256 rows, and its sums come from memory each time: for Table 2 (64
// experts) 16,384 rows take 12% off the weight gradients. The byte limit keeps wide networks in bounds (Table 1 in f32:
// 157 MB, Table 2: 195 MB).
int64_t choose_super_batch_rows(const NetworkPlan& plan) {
  constexpr int64_t kRows = 8192;
  constexpr int64_t kRowsPerExpert = 256;
  constexpr int64_t kMaxRows = 16384;
  constexpr int64_t kBytes = int64_t{200} << 20;
  const int64_t element_bytes = plan.backward_bf16 ? 2 : 4;
  int64_t row_bytes = plan.input_stride * element_bytes;
  for (const LayerPlan& layer : plan.layers) {
    row_bytes += (2 * layer.stride + (layer.n_features > 0 ? layer.read_stride : 0)) * element_bytes;
  }
  return std::min(std::clamp(kRowsPerExpert * max_experts(plan), kRows, kMaxRows), kBytes / row_bytes);
}

LayerPlan plan_layer(const NetworkSpec& spec, int index, bool even_depth, bool has_bf16) {
  const LayerSpec& layer = spec.layers[index];
  const std::vector<int> outputs = spec.output_layers();
  const ActivationKind kind = layer.activation.kind;
  LayerPlan plan;
  plan.n_in = layer.n_in;
  plan.n_out = layer.n_out;
  plan.depth = even_depth ? round_up(layer.n_in, 2) : layer.n_in;
  plan.n_padded = round_up(layer.n_out, kPadding);
  plan.stride = row_stride(plan.n_padded, has_bf16);
  plan.n_experts = layer.n_experts();
  plan.n_blended = n_blended(layer, spec.n_dims);
  plan.source = spec.source_of(index);
  plan.n_features = layer.n_features;
  plan.feature_offset = spec.feature_offset(index);
  plan.residual = layer.residual;
  for (const int output : outputs) {
    if (output == index) plan.is_output = true;
    if (!plan.is_output) plan.output_column += spec.layers[output].n_out;
  }
  plan.is_dot = plan.is_output && layer.n_out <= kMaxDotOutputs;
  plan.is_fused = kind == ActivationKind::Identity || kind == ActivationKind::Relu || kind == ActivationKind::LeakyRelu;
  plan.slope = kind == ActivationKind::Identity ? 1.0F
               : kind == ActivationKind::Relu   ? 0.0F
                                                : static_cast<float>(layer.activation.slope);
  if (plan.n_blended > 1) {
    for (int e = 0; e < plan.n_experts; ++e) plan.blends.push_back(blend_experts(layer, spec.n_dims, e));
  }
  if (index > 0 || spec.input.kind == InputKind::Features) {
    plan.n_grad_columns = layer.n_in - layer.n_features;
  } else if (spec.input.has_embedding()) {
    plan.grad_column = spec.input.encoding_width(spec.n_dims);
    plan.n_grad_columns = spec.input.embedding.n_features();
  }
  plan.n_biases = layer.n_biases();
  plan.weight_offset = spec.weight_offset(index);
  plan.bias_offset = spec.bias_offset(index);
  return plan;
}

/// Which layers read which, and the buffers they can take in turn: a slot is free again after its last reader.
void connect_layers(NetworkPlan& plan) {
  std::vector<int> busy_until;
  for (int l = 0; l < static_cast<int>(plan.layers.size()); ++l) {
    const LayerPlan& layer = plan.layers[l];
    if (layer.source >= 0) plan.layers[layer.source].readers.push_back({l, false});
    if (layer.residual >= 0) plan.layers[layer.residual].readers.push_back({l, true});
  }
  for (int l = 0; l < static_cast<int>(plan.layers.size()); ++l) {
    LayerPlan& layer = plan.layers[l];
    layer.read_stride = layer.n_features > 0 ? row_stride(round_up(layer.n_in, kPadding), plan.backward_bf16)
                        : layer.source < 0   ? plan.input_stride
                                             : plan.layers[layer.source].stride;
    plan.max_stride = std::max({plan.max_stride, layer.stride, layer.read_stride});
    if (layer.is_output) continue;
    const auto free = std::find_if(busy_until.begin(), busy_until.end(), [&](int until) { return until < l; });
    layer.slot = static_cast<int>(free - busy_until.begin());
    if (free == busy_until.end()) busy_until.push_back(0);
    busy_until[layer.slot] = layer.readers.back().layer;
  }
  plan.n_slots = static_cast<int>(busy_until.size());
}

}  // namespace

NetworkPlan make_plan(const NetworkSpec& spec, Precision precision, int max_group, const KernelTable& kernels) {
  NetworkPlan plan;
  plan.spec = spec;
  plan.precision = precision;
  plan.forward_bf16 = precision == Precision::Bf16;
  plan.backward_bf16 = precision != Precision::F32;
  plan.forward_split = precision == Precision::Mixed && kernels.gemm_split != nullptr;
  plan.input_width = spec.n_in();
  plan.input_stride = row_stride(round_up(plan.input_width, kPadding), plan.backward_bf16);
  plan.max_stride = plan.input_stride;
  for (int l = 0; l < static_cast<int>(spec.layers.size()); ++l) {
    plan.layers.push_back(plan_layer(spec, l, plan.forward_bf16, plan.backward_bf16));
  }
  plan.n_features = spec.n_features();
  plan.n_out = spec.n_out();
  connect_layers(plan);
  // Groups fill a tile up to the last that fits: with room for four, seven eighths of a tile are in use on average.
  constexpr int kGroupsPerTile = 4;
  constexpr int kMaxTileRows = 65536;  // rows of a tile are listed in 16 bits
  plan.tile_rows = choose_tile_rows(plan);
  plan.min_tile_rows = plan.tile_rows;
  if (kernels.has_long_groups && plan.backward_bf16) plan.tile_rows = longer_tile_rows(plan.tile_rows);
  if (max_group > 1) {
    plan.tile_rows = std::max(plan.tile_rows, std::min(kGroupsPerTile * round_up(max_group, 64), kMaxTileRows));
    plan.min_tile_rows = plan.tile_rows;
  }
  plan.super_batch_rows = choose_super_batch_rows(plan);
  plan.n_params = spec.n_params();
  return plan;
}

}  // namespace loe::cpu
