// A piece of a batch through a network, forward and backward: which kernels are launched, in what order.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "backend/cuda/kernels/encode.h"
#include "backend/cuda/network_memory.h"
#include "backend/cuda/tile_pass.h"
#include "backend/cuda/warpgroup_kernels.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// ForwardMath, BackwardMath: PlainF32, Tf32, Bf16Products. Launches only: nothing here waits.
template <typename ForwardMath, typename BackwardMath>
class NetworkPass {
 public:
  using F = typename ForwardMath::Number;
  using B = typename BackwardMath::Number;
  using Memory = NetworkMemory<F, B>;

  NetworkPass(const NetworkPlan& plan, Memory& memory, const Stream& stream)
      : plan_(plan), m_(memory), stream_(stream), tiles_(plan, memory, stream) {}

  const TilePlan& tile_plan() const { return tiles_.plan(); }
  /// Why the products of layers that are wide enough are not done by warpgroups; empty: they are.
  static std::string why_no_warpgroups() {
    if constexpr (!kHasBf16Products) return "products of bf16 alone are";
    return loe::cuda::why_no_warpgroups();
  }

  /// From memory.coords and features to memory.outputs [n, n_out].
  void forward(int64_t n);
  /// From memory.output_grads to partial sums of all gradients, on top of those of earlier pieces if `adds`; with
  /// wants_input_grads to memory.input_grads. After forward of the same piece.
  void backward(int64_t n, bool adds, bool wants_input_grads);
  /// What a step needs and no parameter has a part in, in any stream: routes and encoded inputs.
  void prepare(const Stream& stream, int64_t n);
  /// Forward and memory.loss, the mean over all n_total outputs of the batch, of prepared samples.
  void mse(int64_t n, int64_t n_total, bool adds);
  /// After mse of the same piece: partial sums of all gradients, as backward has them.
  void mse_backward(int64_t n, bool adds);
  /// One update by Adam, unless memory.loss is not finite.
  void update();
  /// Both, of a batch of one piece: a layer whose gradient is one sum is updated where that is found.
  void mse_backward_and_update(int64_t n);
  /// The gradients to memory.param_grads.
  void write_gradients();
  /// The products' copies of memory.params.
  void write_weight_copies();

 private:
  static constexpr bool kHasBf16Products =
      std::is_same_v<ForwardMath, Bf16Products> || std::is_same_v<BackwardMath, Bf16Products>;
  using Layer = LayerMemory<F, B>;
  const LayerPlan& plan_of(int l) const { return plan_.layers[static_cast<std::size_t>(l)]; }
  Layer& layer(int l) { return m_.layers[static_cast<std::size_t>(l)]; }
  RouteMemory& route_of(int l) { return m_.routes[static_cast<std::size_t>(plan_of(l).route)]; }
  int n_layers() const { return static_cast<int>(plan_.layers.size()); }
  Blend blend_of(int l) { return {plan_of(l).n_blended, plan_of(l).segment, route_of(l).coefficients.const_buffer()}; }
  const Rows<F, B>& source_rows(int l) { return plan_of(l).source < 0 ? m_.input : layer(plan_of(l).source).values; }
  /// What layer l's product reads.
  const Rows<F, B>& read_rows(int l) {
    if (plan_of(l).n_blended > 1) return layer(l).stacked;
    return plan_of(l).n_features > 0 ? layer(l).joined : source_rows(l);
  }
  FeatureView features(int offset, int count) {
    return {m_.features.const_buffer(), plan_.spec.n_features(), offset, count};
  }
  OutputColumns columns_of(int l) const {
    return {plan_of(l).output_column, plan_of(l).n_out, plan_.spec.n_out(), static_cast<float>(plan_.spec.output.scale),
            static_cast<float>(plan_.spec.output.offset)};
  }
  WeightPlaces places_of(int l) {
    const LayerPlan& p = plan_of(l);
    return {p.n_experts, p.n_in, p.n_out, p.n_blended, p.segment, route_of(l).cells.const_buffer()};
  }
  WeightCopies<F, B> copies_of(int l) {
    return {places_of(l), plan_of(l).read_stride, plan_of(l).stride, layer(l).weights.buffer(),
            layer(l).transposed.buffer()};
  }
  WeightGradient weight_gradient_of(int l) {
    return {places_of(l), n_splits_of(plan_of(l), first_piece_), layer(l).partials.const_buffer()};
  }
  PlainGradient bias_gradient_of(int l) {
    return {plan_of(l).n_biases, n_bias_chunks(m_.n_training_rows), layer(l).bias_partials.const_buffer()};
  }
  PlainGradient table_gradient() { return {m_.table_gradient.size(), 1, m_.table_gradient.const_buffer()}; }
  /// body(offset in the flat buffers, size, gradient, copies) for each weight and bias, not for an embedding.
  template <typename Body>
  void for_each_tensor(const Body& body);

  void sort_samples(const Stream& stream, int64_t n);
  void load_input(const Stream& stream, int64_t n);
  void forward_prepared(int64_t n);
  bool needs_input_grads() const { return plan_.spec.input.has_embedding(); }
  void read_embedding(int64_t n);
  /// After the gradients of all layers: those of the weights, which tiles leave to do.
  void finish_tiles(int64_t n, bool adds);
  void embedding_gradient(int64_t n, bool adds);
  void prepare_reads(int l, int64_t n);
  template <typename Out>
  void multiply_forward(int l, int64_t n, Buffer<Out> y, bool keeps_sums);
  void layer_forward(int l, int64_t n);
  /// grads of layer l from those of its values to those of its sums.
  void derive(int l, int64_t n);
  void layer_backward(int l, int64_t n, bool adds, bool wants_input_grads);
  template <typename Math, typename Out, typename Epilogue>
  void multiply(const ProductArguments<typename Math::Number, Out>& product, const Epilogue& epilogue);
  bool has_warpgroup_gradients(int l) const;
  bool updates_at_once(int l) const;
  template <typename Copies>
  ParamUpdate<Copies> update_of(int64_t offset, int64_t size, const Copies& copies);
  InputGradient input_gradient(int l);
  void weight_gradients(int l, int64_t n, bool adds, const InputGradient& input = {});
  template <typename Out>
  void multiply_backward(int l, int64_t n, int n_columns, RowView<Out> to, const GradientEpilogue<B, Out>& epilogue);

  const NetworkPlan& plan_;
  Memory& m_;
  const Stream& stream_;
  TilePass<ForwardMath, BackwardMath> tiles_;
  const bool has_warpgroups_ = why_no_warpgroups().empty();
  int64_t first_piece_ = 0;      ///< samples of the batch's first piece, which say how gradients are split
  std::vector<bool> has_grads_;  ///< of each layer: something is in its grads
  bool may_update_ = false;      ///< the weights, in mse_backward
};

template <typename FM, typename BM>
void NetworkPass<FM, BM>::sort_samples(const Stream& stream, int64_t n) {
  for (std::size_t r = 0; r < m_.routes.size(); ++r) {
    const LayerSpec& layer = plan_.spec.layers[static_cast<std::size_t>(plan_.routes[r].layer)];
    const RouteSpec spec = route_spec(layer, plan_.spec.n_dims);
    RouteMemory& route = m_.routes[r];
    sort_by_expert(stream, spec, n, kTileRows,
                   {m_.coords.data(), m_.experts.data(), m_.starts.data(), route.order.data(), route.offsets.data(),
                    route.tile_offsets.data()});
    if (plan_.routes[r].n_blended > 1) {
      launch_items(stream, n, find_coefficients, spec, m_.coords.const_buffer(), route.coefficients.buffer());
    }
  }
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::load_input(const Stream& stream, int64_t n) {
  const InputSpec& input = plan_.spec.input;
  if (input.kind == InputKind::Features) {
    launch_items(stream, n * plan_.input_stride, join_rows<F>, RowView<const F>{{nullptr, 0}, 0}, 0,
                 features(0, input.n_features), m_.input.forward());
  } else {
    encode_inputs(stream, encode_spec(input, plan_.spec.n_dims), n, plan_.input_stride, m_.coords.data(),
                  m_.input.forward().data.data);
  }
  if (!input.has_embedding()) m_.input.finish(stream, n);
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::read_embedding(int64_t n) {
  const InputSpec& input = plan_.spec.input;
  if (!input.has_embedding()) return;
  const int64_t offset = plan_.spec.embedding_offset();
  const Buffer<const float> table(m_.params.data() + offset, plan_.n_params - offset);
  for (int level = 0; level < input.embedding.n_levels(); ++level) {
    const int column = input.encoding_width(plan_.spec.n_dims) + level * input.embedding.n_channels;
    launch_items(stream_, n, read_table<F>, table_spec(input.embedding, plan_.spec.n_dims, level),
                 m_.coords.const_buffer(), table, column, m_.input.forward());
  }
  m_.input.finish(stream_, n);
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::prepare(const Stream& stream, int64_t n) {
  sort_samples(stream, n);
  load_input(stream, n);
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::prepare_reads(int l, int64_t n) {
  const LayerPlan& p = plan_of(l);
  const Rows<F, B>* rows = &source_rows(l);
  if (p.n_features > 0) {
    Rows<F, B>& joined = layer(l).joined;
    launch_items(stream_, n * p.segment, join_rows<F>, rows->read_forward(), p.source_width,
                 features(p.feature_offset, p.n_features), joined.forward());
    joined.finish(stream_, n);
    rows = &joined;
  }
  if (p.n_blended > 1) {
    Rows<F, B>& stacked = layer(l).stacked;
    launch_items(stream_, n * p.read_stride, stack_rows<F>, rows->read_forward(), p.n_in, blend_of(l),
                 stacked.forward());
    stacked.finish(stream_, n);
  }
}

template <typename FM, typename BM>
template <typename Math, typename Out, typename Epilogue>
void NetworkPass<FM, BM>::multiply(const ProductArguments<typename Math::Number, Out>& product,
                                   const Epilogue& epilogue) {
  if constexpr (std::is_same_v<Math, Bf16Products>) {
    const bool is_wide = has_warpgroups_ && product.shape.n_out >= kMinWarpgroupColumns;
    const int slice = is_wide ? slice_columns(product.shape.n_in, product.shape.n_out, max_dynamic_memory()) : 0;
    if (slice > 0) {
      multiply_by_warpgroups(stream_, product, epilogue, slice);
      return;
    }
  }
  multiply_by_experts<Math>(stream_, product, epilogue);
}

template <typename FM, typename BM>
template <typename Out>
void NetworkPass<FM, BM>::multiply_forward(int l, int64_t n, Buffer<Out> y, bool keeps_sums) {
  const LayerPlan& p = plan_of(l);
  RouteMemory& route = route_of(l);
  const RowView<const F> x = read_rows(l).read_forward();
  const ProductArguments<F, Out> product{{n, p.n_experts, p.width, p.n_out, p.n_out, x.stride, p.read_stride, p.stride},
                                         x.data,
                                         layer(l).weights.const_buffer(),
                                         route.order.const_buffer(),
                                         route.offsets.const_buffer(),
                                         route.tile_offsets.const_buffer(),
                                         y};
  LayerEpilogue<F> epilogue{
      {m_.params.data() + p.bias_offset, p.n_biases}, {nullptr, 0}, 0, keeps_sums ? 1.0F : p.slope};
  if (p.n_biases == 0) epilogue.bias = {nullptr, 0};
  if (p.residual >= 0) {
    const RowView<const F> residual = layer(p.residual).values.read_forward();
    epilogue.residuals = residual.data;
    epilogue.stride = residual.stride;
  }
  multiply<FM>(product, epilogue);
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::layer_forward(int l, int64_t n) {
  const LayerPlan& p = plan_of(l);
  Layer& own = layer(l);
  prepare_reads(l, n);
  if (!p.is_sloped) {
    multiply_forward<float>(l, n, own.sums.buffer(), true);
    const RowView<const float> sums{own.sums.const_buffer(), p.stride};
    if (p.is_output) {
      launch_items(stream_, n * p.n_out, activate_rows<float>, p.activation, sums, p.n_out,
                   RowView<float>{own.output_values.buffer(), p.stride});
    } else {
      launch_items(stream_, n * p.n_out, activate_rows<F>, p.activation, sums, p.n_out, own.values.forward());
    }
  } else if (p.is_output) {
    multiply_forward<float>(l, n, own.output_values.buffer(), false);
  } else {
    multiply_forward<F>(l, n, own.values.forward().data, false);
  }
  if (p.is_output) {
    launch_items(stream_, n * p.n_out, gather_outputs, RowView<const float>{own.output_values.const_buffer(), p.stride},
                 columns_of(l), m_.outputs.buffer());
  } else {
    own.values.finish(stream_, n);
  }
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::forward(int64_t n) {
  // A tile routes its own samples; their order by expert is for the weight gradients.
  if (!tile_plan().is_on()) sort_samples(stream_, n);
  load_input(stream_, n);
  forward_prepared(n);
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::forward_prepared(int64_t n) {
  read_embedding(n);
  if (tile_plan().is_on()) {
    tiles_.forward(n);
    return;
  }
  for (int l = 0; l < n_layers(); ++l) layer_forward(l, n);
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::mse(int64_t n, int64_t n_total, bool adds) {
  if (tile_plan().is_on()) {
    read_embedding(n);
    tiles_.mse(n, n_total, adds, needs_input_grads());
    return;
  }
  forward_prepared(n);
  find_mse(stream_, n * plan_.spec.n_out(), 1.0 / static_cast<double>(n_total), adds, m_.outputs.const_buffer(),
           m_.targets.const_buffer(), m_.output_grads.buffer(), m_.error_sums.buffer(), m_.error_sums.const_buffer(),
           m_.loss.buffer());
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::mse_backward(int64_t n, bool adds) {
  if (tile_plan().is_on()) {
    finish_tiles(n, adds);
  } else {
    backward(n, adds, false);
  }
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::finish_tiles(int64_t n, bool adds) {
  if (!adds) first_piece_ = n;
  for (int l = n_layers() - 1; l >= 0; --l) weight_gradients(l, n, adds);
  if (plan_.spec.input.has_embedding()) embedding_gradient(n, adds);
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::derive(int l, int64_t n) {
  const LayerPlan& p = plan_of(l);
  Layer& own = layer(l);
  const RowView<B> grads{own.grads.buffer(), p.stride};
  if (!p.is_sloped) {
    launch_items(stream_, n * p.n_out, derive_rows<B>, p.activation,
                 RowView<const float>{own.sums.const_buffer(), p.stride}, p.n_out, grads);
  } else if (p.slope != 1 && p.is_output) {
    launch_items(stream_, n * p.n_out, mask_rows<float, B>, p.slope,
                 RowView<const float>{own.output_values.const_buffer(), p.stride}, p.n_out, grads);
  } else if (p.slope != 1 && !p.is_masked_by_reader) {
    launch_items(stream_, n * p.n_out, mask_rows<B, B>, p.slope, own.values.read_backward(), p.n_out, grads);
  }
}

template <typename FM, typename BM>
bool NetworkPass<FM, BM>::has_warpgroup_gradients(int l) const {
  return has_warpgroups_ && std::is_same_v<BM, Bf16Products> && plan_of(l).n_out >= kMinWarpgroupColumns &&
         GradientMemory{kMaxGradientOutputs}.n_bytes() <= max_dynamic_memory();
}

/// With one range of samples, of layers whose weights nothing reads behind their gradients: those whose input's
/// gradient comes from the same kernel or is not wanted.
template <typename FM, typename BM>
bool NetworkPass<FM, BM>::updates_at_once(int l) const {
  const LayerPlan& p = plan_of(l);
  const bool is_read_later = p.source < 0 ? needs_input_grads() : p.n_out > kMaxGradientOutputs;
  return may_update_ && has_warpgroup_gradients(l) && plan_.is_chain() && p.n_blended == 1 && !is_read_later &&
         n_splits_of(p, first_piece_) == 1;
}

template <typename FM, typename BM>
template <typename Copies>
ParamUpdate<Copies> NetworkPass<FM, BM>::update_of(int64_t offset, int64_t size, const Copies& copies) {
  return {{m_.scalars.const_buffer(), m_.loss.const_buffer()},
          {m_.params.data() + offset, size},
          {m_.adam_m.data() + offset, size},
          {m_.adam_v.data() + offset, size},
          copies};
}

template <typename FM, typename BM>
InputGradient NetworkPass<FM, BM>::input_gradient(int l) {
  InputGradient input;
  if constexpr (std::is_same_v<BM, Bf16Products>) {
    const LayerPlan& p = plan_of(l);
    const LayerPlan& source = plan_of(p.source);
    input.n_columns = p.source_width;
    input.transposed = layer(l).transposed.const_buffer();
    input.transposed_stride = p.stride;
    input.dx = layer(p.source).grads.buffer();
    input.dx_stride = source.stride;
    if (source.is_masked_by_reader) input.slope = source.slope;
  }
  return input;
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::weight_gradients(int l, int64_t n, bool adds, const InputGradient& input) {
  const LayerPlan& p = plan_of(l);
  Layer& own = layer(l);
  RouteMemory& route = route_of(l);
  const RowView<const B> x = read_rows(l).read_backward();
  WeightGradientArguments<B> g{n,
                               p.n_experts,
                               p.width,
                               p.n_out,
                               x.stride,
                               p.stride,
                               n_splits_of(p, first_piece_),
                               adds,
                               x.data,
                               own.grads.const_buffer(),
                               route.order.const_buffer(),
                               route.offsets.const_buffer(),
                               own.partials.buffer()};
  if (!has_warpgroup_gradients(l)) {
    find_weight_gradients<BM>(stream_, g);
  } else if constexpr (std::is_same_v<BM, Bf16Products>) {
    if (updates_at_once(l)) {
      find_gradients_by_warpgroups(stream_, g, input, update_of(p.weight_offset, p.n_weights(), copies_of(l)));
    } else {
      find_gradients_by_warpgroups(stream_, g, input, KeepGradient{own.partials.buffer(), adds});
    }
  }
  if (p.n_biases == 0) return;
  if (!adds) own.bias_partials.clear(stream_);  // a later piece may have more chunks than the first
  find_bias_gradients(stream_, n, p.n_out, p.stride, own.grads.data(), own.bias_partials.data());
}

template <typename FM, typename BM>
template <typename Out>
void NetworkPass<FM, BM>::multiply_backward(int l, int64_t n, int n_columns, RowView<Out> to,
                                            const GradientEpilogue<B, Out>& epilogue) {
  const LayerPlan& p = plan_of(l);
  RouteMemory& route = route_of(l);
  const ProductArguments<B, Out> product{{n, p.n_experts, p.n_out, n_columns, p.width, p.stride, p.stride, to.stride},
                                         layer(l).grads.const_buffer(),
                                         layer(l).transposed.const_buffer(),
                                         route.order.const_buffer(),
                                         route.offsets.const_buffer(),
                                         route.tile_offsets.const_buffer(),
                                         to.data};
  multiply<BM>(product, epilogue);
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::layer_backward(int l, int64_t n, bool adds, bool wants_input_grads) {
  const LayerPlan& p = plan_of(l);
  derive(l, n);
  if (p.residual >= 0) {
    const auto r = static_cast<std::size_t>(p.residual);
    launch_items(stream_, n * p.n_out, add_rows<B>, RowView<const B>{layer(l).grads.const_buffer(), p.stride}, p.n_out,
                 bool{has_grads_[r]}, RowView<B>{layer(p.residual).grads.buffer(), plan_of(p.residual).stride});
    has_grads_[r] = true;
  }
  // What is in the source's gradients already, or blended, is not for the joint kernel.
  const bool is_joint = p.source >= 0 && p.n_blended == 1 && !has_grads_[static_cast<std::size_t>(p.source)] &&
                        p.n_out <= kMaxGradientOutputs && has_warpgroup_gradients(l);
  if (is_joint) {
    weight_gradients(l, n, adds, input_gradient(l));
    has_grads_[static_cast<std::size_t>(p.source)] = true;
    return;
  }
  weight_gradients(l, n, adds);
  if (p.source < 0 && !wants_input_grads) return;
  const RowView<float> wide{m_.wide_grads.buffer(), p.read_stride};
  const RowView<const float> read_wide{m_.wide_grads.const_buffer(), p.read_stride};
  if (p.n_blended > 1) multiply_backward<float>(l, n, p.width, wide, {{nullptr, 0}, 0, 1, {nullptr, 0}, 0});
  if (p.source < 0) {
    const RowView<float> to{m_.input_grads.buffer(), plan_.input_stride};
    if (p.n_blended > 1) {
      launch_items(stream_, n * p.source_width, fold_rows<float>, read_wide, p.source_width, blend_of(l), false, to);
    } else {
      multiply_backward<float>(l, n, p.source_width, to, {{nullptr, 0}, 0, 1, {nullptr, 0}, 0});
    }
    return;
  }
  const LayerPlan& source = plan_of(p.source);
  const RowView<B> to{layer(p.source).grads.buffer(), source.stride};
  const bool had_grads = has_grads_[static_cast<std::size_t>(p.source)];
  has_grads_[static_cast<std::size_t>(p.source)] = true;
  if (p.n_blended > 1) {
    launch_items(stream_, n * p.source_width, fold_rows<B>, read_wide, p.source_width, blend_of(l), bool{had_grads},
                 to);
    return;
  }
  GradientEpilogue<B, B> epilogue{{nullptr, 0}, 0, 1, {nullptr, 0}, 0};
  if (source.is_masked_by_reader && source.slope != 1) {
    const RowView<const B> values = layer(p.source).values.read_backward();
    epilogue.values = values.data;
    epilogue.stride = values.stride;
    epilogue.slope = source.slope;
  }
  if (had_grads) {
    epilogue.before = layer(p.source).grads.const_buffer();
    epilogue.before_stride = source.stride;
  }
  multiply_backward<B>(l, n, p.source_width, to, epilogue);
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::backward(int64_t n, bool adds, bool wants_input_grads) {
  const bool wants_grads = wants_input_grads || needs_input_grads();
  if (tile_plan().is_on()) {  // forward once more: that of a caller's own loss has left its outputs only
    sort_samples(stream_, n);
    tiles_.backward(n, wants_grads);
    finish_tiles(n, adds);
    return;
  }
  if (!adds) first_piece_ = n;
  has_grads_.assign(plan_.layers.size(), false);
  for (int l = 0; l < n_layers(); ++l) {
    if (!plan_of(l).is_output) continue;
    launch_items(stream_, n * plan_of(l).n_out, scatter_output_grads<B>, m_.output_grads.const_buffer(), columns_of(l),
                 RowView<B>{layer(l).grads.buffer(), plan_of(l).stride});
  }
  for (int l = n_layers() - 1; l >= 0; --l) layer_backward(l, n, adds, wants_grads);
  if (plan_.spec.input.has_embedding()) embedding_gradient(n, adds);
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::embedding_gradient(int64_t n, bool adds) {
  const InputSpec& input = plan_.spec.input;
  m_.largest.clear(stream_);
  find_table_gradient(stream_, input.embedding, plan_.spec.n_dims, n, adds,
                      {m_.coords.const_buffer(),
                       {m_.input_grads.const_buffer(), plan_.input_stride},
                       input.encoding_width(plan_.spec.n_dims),
                       m_.largest.buffer(),
                       m_.largest.const_buffer(),
                       m_.table_sums.buffer(),
                       m_.table_gradient.buffer()});
}

template <typename FM, typename BM>
template <typename Body>
void NetworkPass<FM, BM>::for_each_tensor(const Body& body) {
  for (int l = 0; l < n_layers(); ++l) {
    const LayerPlan& p = plan_of(l);
    if (!updates_at_once(l)) body(p.weight_offset, p.n_weights(), weight_gradient_of(l), copies_of(l));
    if (p.n_biases > 0) body(p.bias_offset, p.n_biases, bias_gradient_of(l), NoCopies{});
  }
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::update() {
  for_each_tensor([&](int64_t offset, int64_t size, const auto& gradient, const auto& copies) {
    update_by_adam(stream_, size, gradient, update_of(offset, size, copies));
  });
  if (!plan_.spec.input.has_embedding()) return;
  const int64_t offset = plan_.spec.embedding_offset();
  const int64_t size = plan_.spec.input.embedding.size();
  const TableUpdate update = {m_.table_scalars.const_buffer(),
                              m_.loss.const_buffer(),
                              {m_.params.data() + offset, size},
                              {m_.adam_m.data() + offset, size},
                              {m_.adam_v.data() + offset, size}};
  update_by_adam(stream_, size, table_gradient(), update);
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::mse_backward_and_update(int64_t n) {
  may_update_ = true;
  mse_backward(n, false);
  update();
  may_update_ = false;
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::write_gradients() {
  for_each_tensor([&](int64_t offset, int64_t size, const auto& gradient, const auto&) {
    write_gradient(stream_, size, gradient, m_.param_grads.data() + offset);
  });
  if (!plan_.spec.input.has_embedding()) return;
  write_gradient(stream_, plan_.spec.input.embedding.size(), table_gradient(),
                 m_.param_grads.data() + plan_.spec.embedding_offset());
}

template <typename FM, typename BM>
void NetworkPass<FM, BM>::write_weight_copies() {
  for (int l = 0; l < n_layers(); ++l) {
    write_copies(stream_, plan_of(l).n_weights(), m_.params.data() + plan_of(l).weight_offset, copies_of(l));
  }
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
