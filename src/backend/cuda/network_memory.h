// Device memory of a network: parameters and what belongs to them, and rows of the samples that go through together.
#pragma once

#include <type_traits>
#include <vector>

#include "backend/cuda/device/memory.h"
#include "backend/cuda/kernels/embedding.h"
#include "backend/cuda/kernels/expert_product.h"
#include "backend/cuda/kernels/outputs.h"
#include "backend/cuda/kernels/weight_gradient.h"
#include "backend/cuda/network_plan.h"
#include "backend/cuda/tile_plan.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// Rows that a product reads: in the forward pass's numbers, and in the backward pass's where those differ.
template <typename F, typename B>
class Rows {
 public:
  static constexpr bool kIsOne = std::is_same_v<F, B>;
  void resize(int64_t n_rows, int stride) {
    stride_ = stride;
    forward_.resize(n_rows * stride);
    if constexpr (!kIsOne) backward_.resize(n_rows * stride);
  }
  RowView<F> forward() { return {forward_.buffer(), stride_}; }
  RowView<const F> read_forward() const { return {forward_.const_buffer(), stride_}; }
  RowView<const B> read_backward() const {
    if constexpr (kIsOne) {
      return {forward_.const_buffer(), stride_};
    } else {
      return {backward_.const_buffer(), stride_};
    }
  }
  /// For who writes the backward pass's numbers alone.
  RowView<B> backward() {
    if constexpr (kIsOne) {
      return {forward_.buffer(), stride_};
    } else {
      return {backward_.buffer(), stride_};
    }
  }
  /// After the first n rows of forward() are there.
  void finish(const Stream& stream, [[maybe_unused]] int64_t n) {
    if constexpr (!kIsOne) {
      launch_items(stream, n * stride_, round_rows<B>, read_forward(), RowView<B>{backward_.buffer(), stride_});
    }
  }
  int64_t n_bytes() const { return forward_.n_bytes() + backward_.n_bytes(); }

 private:
  int stride_ = 0;
  DeviceArray<F> forward_;
  DeviceArray<B> backward_;
};

/// Where the samples of a route go.
struct RouteMemory {
  DeviceArray<int> order;
  DeviceArray<int> offsets;
  DeviceArray<int> tile_offsets;
  DeviceArray<float> coefficients;  ///< [B, n_blended], of blended layers
  DeviceArray<int> cells;           ///< WeightPlaces::cells
  int64_t n_bytes() const {
    return order.n_bytes() + offsets.n_bytes() + tile_offsets.n_bytes() + coefficients.n_bytes() + cells.n_bytes();
  }
};

template <typename F, typename B>
struct LayerMemory {
  DeviceArray<F> weights;     ///< [matrices, n_out, read_stride]
  DeviceArray<B> transposed;  ///< [matrices, width, stride]
  DeviceArray<float> partials;
  DeviceArray<float> bias_partials;
  Rows<F, B> values;                 ///< of layers that are read
  DeviceArray<float> output_values;  ///< of outputs [B, stride]
  DeviceArray<float> sums;           ///< where phi' needs them [B, stride]
  Rows<F, B> joined;                 ///< with features
  Rows<F, B> stacked;                ///< blended
  DeviceArray<B> grads;              ///< by values, then by sums [B, stride]
  int64_t n_bytes() const {
    return weights.n_bytes() + transposed.n_bytes() + partials.n_bytes() + bias_partials.n_bytes() + values.n_bytes() +
           output_values.n_bytes() + sums.n_bytes() + joined.n_bytes() + stacked.n_bytes() + grads.n_bytes();
  }
};

template <typename F, typename B>
struct NetworkMemory {
  // Of the network.
  DeviceArray<float> params;  ///< flat, as the next three
  DeviceArray<float> adam_m;
  DeviceArray<float> adam_v;
  DeviceArray<float> param_grads;  ///< for callers who ask for them
  std::vector<RouteMemory> routes;
  DeviceArray<RouteSpec> route_specs;
  std::vector<LayerMemory<F, B>> layers;
  DeviceArray<float> table_gradient;
  DeviceArray<int64_t> table_sums;
  DeviceArray<int> largest;
  DeviceArray<double> loss;
  DeviceArray<AdamScalars> scalars;
  DeviceArray<TableScalars> table_scalars;
  // Of a piece of a batch.
  DeviceArray<float> coords;
  DeviceArray<float> features;
  DeviceArray<float> targets;
  DeviceArray<float> outputs;
  DeviceArray<float> output_grads;
  DeviceArray<double> error_sums;
  DeviceArray<int> experts;
  DeviceArray<int> starts;
  Rows<F, B> input;
  DeviceArray<float> wide_grads;  ///< of blended rows
  DeviceArray<float> input_grads;
  int64_t n_rows = 0;  ///< that there is room for
  int64_t n_training_rows = 0;

  explicit NetworkMemory(const NetworkPlan& plan, const Stream& stream);
  /// Room for n_rows samples, with is_training for their gradients too. False: there was.
  bool reserve(const NetworkPlan& plan, const Stream& stream, int64_t n, bool is_training);
  int64_t n_bytes() const;

 private:
  void reserve_rows(const NetworkPlan& plan, int64_t n);
  void reserve_training(const NetworkPlan& plan, const Stream& stream, int64_t n);
};

template <typename F, typename B>
NetworkMemory<F, B>::NetworkMemory(const NetworkPlan& plan, const Stream& stream)
    : params(plan.n_params),
      routes(plan.routes.size()),
      route_specs(static_cast<int64_t>(plan.routes.size())),
      layers(plan.layers.size()),
      loss(1) {
  std::vector<RouteSpec> specs;
  for (const RoutePlan& route : plan.routes) {
    specs.push_back(route_spec(plan.spec.layers[static_cast<std::size_t>(route.layer)], plan.spec.n_dims));
  }
  route_specs.upload(stream, specs.data(), route_specs.size());
  finish(stream);
  for (std::size_t r = 0; r < routes.size(); ++r) {
    const RoutePlan& route = plan.routes[r];
    routes[r].offsets.resize(route.n_experts + 1);
    routes[r].tile_offsets.resize(route.n_experts + 1);
    if (route.n_blended == 1) continue;
    const LayerSpec& layer = plan.spec.layers[static_cast<std::size_t>(route.layer)];
    std::vector<int> cells(static_cast<std::size_t>(route.n_blended) * static_cast<std::size_t>(route.n_experts));
    for (int cell = 0; cell < route.n_experts; ++cell) {
      const std::vector<int> corners = blend_experts(layer, plan.spec.n_dims, cell);
      for (std::size_t c = 0; c < corners.size(); ++c) {
        cells[c * static_cast<std::size_t>(route.n_experts) + static_cast<std::size_t>(corners[c])] = cell;
      }
    }
    routes[r].cells.resize(static_cast<int64_t>(cells.size()));
    routes[r].cells.upload(stream, cells.data(), routes[r].cells.size());
    finish(stream);
  }
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const LayerPlan& layer = plan.layers[l];
    layers[l].weights.resize(int64_t{layer.n_experts} * layer.n_out * layer.read_stride);
    layers[l].transposed.resize(int64_t{layer.n_experts} * layer.width * layer.stride);
    layers[l].weights.clear(stream);  // blended rows have columns between their segments that no weight fills
    layers[l].transposed.clear(stream);
  }
}

template <typename F, typename B>
bool NetworkMemory<F, B>::reserve(const NetworkPlan& plan, const Stream& stream, int64_t n, bool is_training) {
  const bool has_room = n <= n_rows && (!is_training || (n <= n_training_rows && adam_m.size() == plan.n_params));
  if (has_room) return false;
  check_memory(planned_bytes(plan, n) - n_bytes());
  if (n > n_rows) reserve_rows(plan, n);
  if (is_training) reserve_training(plan, stream, std::max(n, n_training_rows));
  return true;
}

template <typename F, typename B>
void NetworkMemory<F, B>::reserve_rows(const NetworkPlan& plan, int64_t n) {
  const NetworkSpec& spec = plan.spec;
  n_rows = 0;
  n_training_rows = 0;
  coords.resize(n * spec.n_dims);
  features.resize(n * spec.n_features());
  outputs.resize(n * spec.n_out());
  experts.resize(n);
  starts.resize(n_route_chunks(n) * plan.max_experts);
  input.resize(n, plan.input_stride);
  for (std::size_t r = 0; r < routes.size(); ++r) {
    routes[r].order.resize(n);
    if (plan.routes[r].n_blended > 1) routes[r].coefficients.resize(n * plan.routes[r].n_blended);
  }
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const LayerPlan& layer = plan.layers[l];
    LayerMemory<F, B>& memory = layers[l];
    if (layer.is_output) {
      memory.output_values.resize(n * layer.stride);
    } else {
      memory.values.resize(n, layer.stride);
    }
    if (!layer.is_sloped) memory.sums.resize(n * layer.stride);
    if (layer.n_features > 0) memory.joined.resize(n, layer.segment);
    if (layer.n_blended > 1) memory.stacked.resize(n, layer.read_stride);
  }
  n_rows = n;
}

template <typename F, typename B>
void NetworkMemory<F, B>::reserve_training(const NetworkPlan& plan, const Stream& stream, int64_t n) {
  const NetworkSpec& spec = plan.spec;
  adam_m.resize(plan.n_params);
  adam_v.resize(plan.n_params);
  scalars.resize(1);
  table_scalars.resize(1);
  targets.resize(n * spec.n_out());
  output_grads.resize(n * spec.n_out());
  error_sums.resize(std::max(n_error_blocks(n * spec.n_out()), (n + kLossRows - 1) / kLossRows));
  int64_t n_wide = 0;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const LayerPlan& layer = plan.layers[l];
    layers[l].grads.resize(n * layer.stride);
    layers[l].partials.resize(n_splits_of(layer, n) * layer.n_matrix_elements());
    layers[l].bias_partials.resize(n_bias_chunks(n) * layer.n_biases);
    if (layer.n_blended > 1) n_wide = std::max<int64_t>(n_wide, n * layer.read_stride);
  }
  wide_grads.resize(n_wide);
  if (spec.input.kind == InputKind::Features || spec.input.has_embedding()) input_grads.resize(n * plan.input_stride);
  if (spec.input.has_embedding()) {
    table_gradient.resize(spec.input.embedding.size());
    table_sums.resize(spec.input.embedding.size());
    table_sums.clear(stream);
    largest.resize(1);
  }
  n_training_rows = n;
}

template <typename F, typename B>
int64_t NetworkMemory<F, B>::n_bytes() const {
  int64_t n = params.n_bytes() + adam_m.n_bytes() + adam_v.n_bytes() + param_grads.n_bytes() +
              table_gradient.n_bytes() + table_sums.n_bytes() + coords.n_bytes() + features.n_bytes() +
              targets.n_bytes() + outputs.n_bytes() + output_grads.n_bytes() + error_sums.n_bytes() +
              experts.n_bytes() + starts.n_bytes() + input.n_bytes() + wide_grads.n_bytes() + input_grads.n_bytes();
  for (const RouteMemory& route : routes) n += route.n_bytes();
  for (const LayerMemory<F, B>& layer : layers) n += layer.n_bytes();
  return n;
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
