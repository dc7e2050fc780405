// A piece of a batch through a narrow network in one launch: the arguments of kernels/tile_network.h.
#pragma once

#include "backend/cuda/kernels/tile_network.h"
#include "backend/cuda/network_memory.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// ForwardMath, BackwardMath: PlainF32, Tf32, Bf16Products. Launches only: nothing here waits.
template <typename ForwardMath, typename BackwardMath>
class TilePass {
 public:
  using F = typename ForwardMath::Number;
  using B = typename BackwardMath::Number;
  static constexpr int kNumberBytes = static_cast<int>(sizeof(F) > sizeof(B) ? sizeof(F) : sizeof(B));

  TilePass(const NetworkPlan& network, NetworkMemory<F, B>& memory, const Stream& stream)
      : network_(network),
        plan_(make_tile_plan(network, kNumberBytes, max_dynamic_memory())),
        m_(memory),
        stream_(stream) {}

  const TilePlan& plan() const { return plan_; }

  /// From memory.input and coords to memory.outputs.
  void forward(int64_t n) { launch_tiles<false>(arguments(n)); }
  /// The same, and back from memory.output_grads: each layer's values and grads, and with wants_input_grads
  /// memory.input_grads.
  void backward(int64_t n, bool wants_input_grads) {
    TileArguments<F, B> t = arguments(n);
    t.loss.output_grads = m_.output_grads.const_buffer();
    if (wants_input_grads) t.input_grads = m_.input_grads.buffer();
    launch_tiles<true>(t);
  }
  /// The same from memory.targets; leaves memory.loss, the mean over all n_total outputs of the batch.
  void mse(int64_t n, int64_t n_total, bool adds, bool wants_input_grads) {
    const double scale = 1.0 / static_cast<double>(n_total);
    TileArguments<F, B> t = arguments(n);
    t.loss = {true, static_cast<float>(2 * scale), m_.targets.const_buffer(), {}, m_.error_sums.buffer()};
    if (wants_input_grads) t.input_grads = m_.input_grads.buffer();
    launch_tiles<true>(t);
    launch(stream_, 1, kErrorThreads, add_losses, (n + kLossRows - 1) / kLossRows, scale, adds,
           m_.error_sums.const_buffer(), m_.loss.buffer());
  }

 private:
  TileLayer<F, B> layer_arguments(std::size_t l) {
    const LayerPlan& p = network_.layers[l];
    LayerMemory<F, B>& own = m_.layers[l];
    TileLayer<F, B> layer{p.n_in, p.n_out, p.n_experts, p.route, p.read_stride, p.stride, p.slope, {}, {}, {}, {}, {}};
    layer.weights = own.weights.const_buffer();
    layer.transposed = own.transposed.const_buffer();
    if (p.n_biases > 0) layer.bias = {m_.params.data() + p.bias_offset, p.n_biases};
    if (!p.is_output) layer.values = own.values.backward().data;
    layer.grads = own.grads.buffer();
    return layer;
  }
  TileArguments<F, B> arguments(int64_t n) {
    TileArguments<F, B> t;
    t.shape = shape_for(network_, plan_, kNumberBytes, n);
    t.n_layers = static_cast<int>(network_.layers.size());
    t.n_routes = static_cast<int>(network_.routes.size());
    t.max_experts = network_.max_experts;
    t.n_samples = n;
    t.routes = m_.route_specs.const_buffer();
    t.coords = m_.coords.const_buffer();
    t.n_dims = network_.spec.n_dims;
    t.input = m_.input.read_forward().data;
    t.input_stride = network_.input_stride;
    t.outputs = m_.outputs.buffer();
    t.output_scale = static_cast<float>(network_.spec.output.scale);
    t.output_offset = static_cast<float>(network_.spec.output.offset);
    for (std::size_t l = 0; l < network_.layers.size(); ++l) t.layers[l] = layer_arguments(l);
    return t;
  }
  template <bool is_training>
  void launch_tiles(const TileArguments<F, B>& t) {
    const int64_t n_tiles = (t.n_samples + t.shape.n_rows - 1) / t.shape.n_rows;
    launch_with_memory(stream_, n_tiles, kTileThreads, t.shape.n_bytes,
                       run_tile<ForwardMath, BackwardMath, is_training>, t);
  }

  const NetworkPlan& network_;
  TilePlan plan_;
  NetworkMemory<F, B>& m_;
  const Stream& stream_;
};

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
