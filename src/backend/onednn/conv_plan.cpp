#include "backend/onednn/conv_plan.h"

#include <algorithm>
#include <bit>

namespace loe::onednn {
namespace {

using Tag = dnnl::memory::format_tag;
constexpr auto kF32 = dnnl::memory::data_type::f32;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;

/// Sums of a piece's weight gradients are written and read back once per piece: with fewer products than this per
/// weight, adding them would take a considerable share of the time.
constexpr int64_t kProductsPerWeight = 192;
/// More pieces than threads, also for small pictures.
constexpr int64_t kMaxPiece = 8;
/// Floats of all maps of a piece, about 64 MiB: what a thread holds.
constexpr int64_t kMaxMapFloats = int64_t{1} << 24;

/// Shapes and window of one convolution, layouts open.
struct Shape {
  Desc input;
  Desc weights;
  Desc bias;
  Desc output;
  dnnl::memory::dims stride;
  dnnl::memory::dims padding;

  Shape(const ConvLayerSpec& layer, int64_t n, MapSize in, MapSize out)
      : input({n, layer.n_in, in.height, in.width}, kF32, Tag::any),
        weights({layer.n_out, layer.n_in, layer.kernel, layer.kernel}, kF32, Tag::any),
        bias({layer.n_out}, kF32, Tag::x),
        output({n, layer.n_out, out.height, out.width}, kF32, Tag::any),
        stride{layer.stride, layer.stride},
        padding{layer.padding, layer.padding} {}
};

/// Scratchpads belong to the caller: a primitive may then run in several threads at once.
dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

ConvPlan::Layer plan_layer(const ConvLayerSpec& layer, const Shape& shape, bool has_backward,
                           const dnnl::engine& engine) {
  ConvPlan::Layer plan;
  dnnl::primitive_attr forward_attr = attributes();
  if (layer.activation.kind == ActivationKind::LeakyRelu) {
    dnnl::post_ops after;
    after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, static_cast<float>(layer.activation.slope), 0);
    forward_attr.set_post_ops(after);
  }
  using Forward = dnnl::convolution_forward;
  const Forward::primitive_desc forward(
      Forward::desc(dnnl::prop_kind::forward_training, kDirect, shape.input, shape.weights, shape.bias, shape.output,
                    shape.stride, shape.padding, shape.padding),
      forward_attr, engine);
  plan.forward = {Forward(forward),   forward.src_desc(),        forward.weights_desc(),
                  forward.dst_desc(), forward.scratchpad_desc(), forward.impl_info_str()};
  if (!has_backward) {
    return plan;
  }
  using Data = dnnl::convolution_backward_data;
  const Data::primitive_desc data(
      Data::desc(kDirect, shape.input, shape.weights, shape.output, shape.stride, shape.padding, shape.padding),
      attributes(), engine, forward);
  plan.input_grads = {Data(data),           data.diff_src_desc(),   data.weights_desc(),
                      data.diff_dst_desc(), data.scratchpad_desc(), data.impl_info_str()};
  using Weights = dnnl::convolution_backward_weights;
  const Weights::primitive_desc weights(Weights::desc(kDirect, shape.input, shape.weights, shape.bias, shape.output,
                                                      shape.stride, shape.padding, shape.padding),
                                        attributes(), engine, forward);
  plan.weight_grads = {Weights(weights),        weights.src_desc(),        weights.diff_weights_desc(),
                       weights.diff_dst_desc(), weights.scratchpad_desc(), weights.impl_info_str()};
  return plan;
}

}  // namespace

Desc plain_maps(int64_t n, int n_channels, MapSize size) {
  return {{n, n_channels, size.height, size.width}, kF32, Tag::nchw};
}

Desc plain_weights(const ConvLayerSpec& layer) {
  return {{layer.n_out, layer.n_in, layer.kernel, layer.kernel}, kF32, Tag::oihw};
}

ConvPlan::ConvPlan(const ConvNetSpec& spec, const std::vector<MapSize>& map_sizes, int64_t n, bool with_backward,
                   const dnnl::engine& engine)
    : n_pictures(n), sizes(map_sizes), has_backward(with_backward) {
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    layers.push_back(
        plan_layer(spec.layers[i], Shape(spec.layers[i], n, sizes[i], sizes[i + 1]), has_backward, engine));
  }
}

int64_t pictures_per_piece(const ConvNetSpec& spec, const std::vector<MapSize>& sizes, int64_t n_pictures) {
  int64_t n_floats = spec.n_in() * sizes.front().n_pixels();
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    n_floats += spec.layers[i].n_out * sizes[i + 1].n_pixels();
  }
  const int64_t wanted = kProductsPerWeight * spec.n_params() / spec.macs(sizes.front());
  const int64_t most = std::clamp<int64_t>(kMaxMapFloats / n_floats, 1, kMaxPiece);
  const auto size = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::clamp<int64_t>(wanted, 1, most))));
  // The same number of pieces, as equal as they can be.
  const int64_t n_pieces = std::max<int64_t>(1, (n_pictures + size - 1) / size);
  return std::max<int64_t>(1, (n_pictures + n_pieces - 1) / n_pieces);
}

}  // namespace loe::onednn
