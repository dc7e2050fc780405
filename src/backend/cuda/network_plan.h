// How the CUDA backend lays a network out in memory: strides, routes, splits. Plain C++, for host and device compilers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "loe/backend/network_spec.h"
#include "loe/backend/routing.h"

namespace loe::cuda {

/// Rows begin at multiples of 16 bytes in every format.
inline constexpr int kRowPadding = 8;
constexpr int padded(int n) {
  return (n + kRowPadding - 1) / kRowPadding * kRowPadding;
}

/// Samples that go through the network together: a piece of the batch. Of the network alone, so that the order of sums
/// is. 2^18 (the paper's batch), less if their rows would take more than kMaxPieceBytes.
inline constexpr int64_t kMaxPieceRows = int64_t{1} << 18;
inline constexpr int64_t kMinPieceRows = int64_t{1} << 12;
inline constexpr int64_t kMaxPieceBytes = int64_t{12} << 30;

struct LayerPlan {
  int n_in = 0;  ///< as LayerSpec has it
  int n_out = 0;
  int n_experts = 1;
  int n_blended = 1;  ///< experts per sample
  int segment = 0;    ///< columns of a row per blended expert
  int width = 0;      ///< columns of a product's rows: n_in, or n_blended segments
  int read_stride = 0;
  int stride = 0;  ///< of the rows of values and of their gradients
  int source = -1;
  int source_width = 0;  ///< n_in without features
  int n_features = 0;
  int feature_offset = 0;
  int residual = -1;
  int route = 0;  ///< index into NetworkPlan::routes
  bool is_output = false;
  int output_column = 0;
  Activation activation;
  bool is_sloped = false;  ///< phi(v) = v > 0 ? v : slope v; else sums are kept
  float slope = 1;
  bool is_masked_by_reader = false;  ///< its only reader's product multiplies by phi' at once
  int n_biases = 0;
  int64_t weight_offset = 0;
  int64_t bias_offset = 0;
  int64_t n_weights() const { return int64_t{n_experts} * n_out * n_in; }
  int64_t n_matrix_elements() const { return int64_t{n_experts} * n_out * width; }
  /// What the layer reads is a copy: blended, or with features behind.
  bool has_own_rows() const { return n_blended > 1 || n_features > 0; }
};

/// Layers whose samples go to the same experts share the sorting.
struct RoutePlan {
  int layer = 0;  ///< the first that takes it
  int n_experts = 1;
  int n_blended = 1;
};

struct NetworkPlan {
  NetworkSpec spec;
  std::vector<LayerPlan> layers;
  std::vector<RoutePlan> routes;
  int max_experts = 1;
  int input_stride = 0;
  int64_t piece_rows = 0;
  int64_t row_bytes = 0;  ///< of a sample in training, about
  int64_t n_params = 0;
  /// Of the kernel that takes a tile of samples through all layers: 0: chosen by make_tile_plan; below 0: layer by
  /// layer.
  int tile_rows = 0;

  /// Whether layer l reads the one before it alone, and is an output only if it is the last.
  bool is_link(int l) const {
    const LayerPlan& layer = layers[static_cast<std::size_t>(l)];
    const bool is_last = l + 1 == static_cast<int>(layers.size());
    return layer.source == l - 1 && layer.residual < 0 && layer.is_output == is_last;
  }
  bool is_chain() const {
    for (int l = 0; l < static_cast<int>(layers.size()); ++l) {
      if (!is_link(l)) return false;
    }
    return true;
  }
};

inline bool same_route(const LayerSpec& a, const LayerSpec& b) {
  if (a.n_experts() == 1 && b.n_experts() == 1) return true;
  return a.tile == b.tile && a.grid == b.grid && a.interpolation == b.interpolation && a.node_offset == b.node_offset;
}

/// Ranges of samples that a weight gradient is summed over apart from each other, for a first piece of n samples:
/// enough blocks of 64 x 64 weights to keep a device busy, if each has work for some turns.
inline int n_splits_of(const LayerPlan& layer, int64_t n) {
  constexpr int64_t kBlocksWanted = 1024;
  constexpr int64_t kMaxSplits = 64;
  constexpr int64_t kRowsPerSplit = 256;
  const int64_t n_blocks = int64_t{(layer.n_out + 63) / 64} * ((layer.width + 63) / 64) * layer.n_experts;
  const int64_t n_useful = n / (layer.n_experts * kRowsPerSplit);
  return static_cast<int>(std::clamp<int64_t>(std::min(kBlocksWanted / n_blocks, n_useful), 1, kMaxSplits));
}

inline LayerPlan plan_layer(const NetworkSpec& spec, int index) {
  const LayerSpec& layer = spec.layers[static_cast<std::size_t>(index)];
  LayerPlan plan;
  plan.n_in = layer.n_in;
  plan.n_out = layer.n_out;
  plan.n_experts = layer.n_experts();
  plan.n_blended = n_blended(layer, spec.n_dims);
  plan.segment = padded(layer.n_in);
  plan.width = plan.n_blended == 1 ? layer.n_in : plan.n_blended * plan.segment;
  plan.read_stride = padded(plan.width);
  plan.stride = padded(layer.n_out);
  plan.source = spec.source_of(index);
  plan.source_width = layer.n_in - layer.n_features;
  plan.n_features = layer.n_features;
  plan.feature_offset = spec.feature_offset(index);
  plan.residual = layer.residual;
  plan.activation = layer.activation;
  const ActivationKind kind = layer.activation.kind;
  plan.is_sloped =
      kind == ActivationKind::Identity || kind == ActivationKind::LeakyRelu || kind == ActivationKind::Relu;
  plan.slope = kind == ActivationKind::Identity    ? 1.0F
               : kind == ActivationKind::LeakyRelu ? static_cast<float>(layer.activation.slope)
                                                   : 0.0F;
  plan.n_biases = layer.n_biases();
  plan.weight_offset = spec.weight_offset(index);
  plan.bias_offset = spec.bias_offset(index);
  return plan;
}

/// The plan of a validated spec.
inline NetworkPlan make_plan(const NetworkSpec& spec, int max_group) {
  NetworkPlan plan;
  plan.spec = spec;
  plan.input_stride = padded(spec.n_in());
  plan.n_params = spec.n_params();
  plan.row_bytes = 2 * int64_t{plan.input_stride} * 4;
  for (int i = 0; i < static_cast<int>(spec.layers.size()); ++i) {
    const LayerSpec& layer = spec.layers[static_cast<std::size_t>(i)];
    LayerPlan own = plan_layer(spec, i);
    const auto same = std::find_if(plan.routes.begin(), plan.routes.end(), [&](const RoutePlan& route) {
      return same_route(spec.layers[static_cast<std::size_t>(route.layer)], layer);
    });
    own.route = static_cast<int>(same - plan.routes.begin());
    if (same == plan.routes.end()) plan.routes.push_back({i, own.n_experts, own.n_blended});
    plan.max_experts = std::max(plan.max_experts, own.n_experts);
    plan.row_bytes += 4 * (int64_t{2} * own.stride + (own.has_own_rows() ? 2 * own.read_stride : 0));
    plan.layers.push_back(own);
  }
  int column = 0;
  for (const int output : spec.output_layers()) {
    LayerPlan& layer = plan.layers[static_cast<std::size_t>(output)];
    layer.is_output = true;
    layer.output_column = column;
    column += layer.n_out;
  }
  std::vector<int> n_readers(plan.layers.size());
  std::vector<int> last_reader(plan.layers.size(), -1);
  for (int i = 0; i < static_cast<int>(plan.layers.size()); ++i) {
    const LayerPlan& layer = plan.layers[static_cast<std::size_t>(i)];
    for (const int read : {layer.source, layer.residual}) {
      if (read < 0) continue;
      ++n_readers[static_cast<std::size_t>(read)];
      last_reader[static_cast<std::size_t>(read)] = read == layer.residual || layer.n_blended > 1 ? -1 : i;
    }
  }
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    plan.layers[i].is_masked_by_reader = plan.layers[i].is_sloped && n_readers[i] == 1 && last_reader[i] >= 0;
  }
  plan.piece_rows = std::clamp(kMaxPieceBytes / plan.row_bytes / 1024 * 1024, kMinPieceRows, kMaxPieceRows);
  plan.piece_rows = std::max<int64_t>(plan.piece_rows, max_group);
  return plan;
}

/// Device memory that training takes with pieces of n samples, about.
inline int64_t planned_bytes(const NetworkPlan& plan, int64_t n) {
  int64_t bytes = 4 * 4 * plan.n_params + 12 * plan.spec.input.embedding.size() + n * plan.row_bytes;
  for (const LayerPlan& layer : plan.layers) bytes += 4 * (n_splits_of(layer, n) + 2) * layer.n_matrix_elements();
  return bytes;
}

}  // namespace loe::cuda
