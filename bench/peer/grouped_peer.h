// A training step by grouped products, one group per expert, on a GPU; in tests, emulated on the CPU.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend/cuda/device/memory.h"
#include "peer/grouped_kernels.h"
#include "peer/grouped_products.h"
#include "peer/peer.h"
#include "peer/peer_network.h"
#include "peer/row_plan.h"

namespace loe::peer {
inline namespace LOE_EXECUTION {

/// See PeerStep. Rows are gathered by expert and multiplied by one call per layer and direction; bias, activation and
/// its derivative are part of the gathers. All stays on the device: samples, encodings, routing and row lists are put
/// there by prepare(), parameters and moments by the first train_step(), which does not bring them back.
///
/// Products::Call holds the products of one call; Products(Stream, Precision), make(vector<Product>), run(Call).
/// T is float or cuda::Bf16, the operands' type and that of results.
template <typename T, typename Products>
class GroupedPeer final : public PeerStep {
 public:
  GroupedPeer(const NetworkSpec& spec, Precision precision, std::string name)
      : spec_(spec), name_(std::move(name)), products_(stream_.get(), precision) {}

  std::string name() const override { return name_; }
  void prepare(const SampleSource& source) override;
  double mse_gradients(std::span<const float> params, std::span<float> param_grads) override;
  double train_step(const AdamUpdate& update, ParamState& state) override;

 private:
  template <typename U>
  using Array = cuda::DeviceArray<U>;
  /// Rows start at multiples of 16 bytes in either type.
  static int stride_of(int width) { return (width + 7) / 8 * 8; }

  struct Layer {
    int n_in = 0, n_out = 0, in_stride = 0, out_stride = 0;
    int64_t n_rows = 0, n_weights = 0, n_experts = 0, weight_offset = 0, bias_offset = 0;
    float slope = 1;
    Array<int> from_below, from_above, sample_of;
    Array<T> inputs;        ///< [n_rows, in_stride]
    Array<T> weights;       ///< [n_experts, n_out, in_stride]
    Array<T> weight_grads;  ///< the same
    Array<float> column_sums;
    typename Products::Call forward, weight_gradient, input_gradient;
  };

  const cuda::Stream& stream() const { return stream_.get(); }
  template <typename U>
  static cuda::PeerRows<U> rows(Array<std::remove_const_t<U>>& data, int stride) {
    return {cuda::Buffer<U>(data.data(), data.size()), stride};
  }
  static int64_t n_chunks(const Layer& layer) { return (layer.n_rows + cuda::kColumnRows - 1) / cuda::kColumnRows; }
  void upload_batch(const SampleSource& source);
  void make_layer(int index, const LayerOrder& order);
  void make_products(Layer& layer, const LayerOrder& order, bool is_first);
  void pack_weights();
  void run();
  void run_backward();
  template <typename Visit>
  void for_tensors(const Visit& visit);
  double read_loss();

  NetworkSpec spec_;
  std::string name_;
  cuda::OwnStream stream_;
  Products products_;
  int64_t n_samples_ = 0;
  bool has_state_ = false;
  std::vector<Layer> layers_;
  Array<T> encoded_;
  Array<float> targets_, params_, adam_m_, adam_v_, grads_;
  Array<T> outputs_, output_grads_, input_grads_;  ///< of the layer under way
  Array<double> errors_, loss_;
  Array<loe::AdamScalars> scalars_;
};

template <typename T, typename P>
void GroupedPeer<T, P>::upload_batch(const SampleSource& source) {
  const int64_t n_out = spec_.n_out();
  std::vector<float> coords(static_cast<std::size_t>(n_samples_ * spec_.n_dims));
  std::vector<float> targets(static_cast<std::size_t>(n_samples_ * n_out));
  source.fill(0, n_samples_, coords.data(), targets.data());
  targets_.resize(n_samples_ * n_out);
  targets_.upload(stream(), targets.data(), targets_.size());
  const int n_in = spec_.n_in();
  const int stride = stride_of(n_in);
  std::vector<float> row(static_cast<std::size_t>(n_in));
  std::vector<T> encoded(static_cast<std::size_t>(n_samples_ * stride));
  for (int64_t i = 0; i < n_samples_; ++i) {
    encode(spec_, &coords[static_cast<std::size_t>(i * spec_.n_dims)], row.data());
    for (int k = 0; k < n_in; ++k) {
      T& to = encoded[static_cast<std::size_t>(i * stride + k)];
      if constexpr (sizeof(T) == 2) {
        store(row[static_cast<std::size_t>(k)], &to.bits);
      } else {
        to = row[static_cast<std::size_t>(k)];
      }
    }
  }
  encoded_.resize(n_samples_ * stride);
  encoded_.upload(stream(), encoded.data(), encoded_.size());
  const std::vector<LayerOrder> orders = plan_rows(spec_, coords);
  int64_t largest_in = 0;
  int64_t largest_out = 0;
  for (std::size_t l = 0; l < orders.size(); ++l) {
    largest_in = std::max(largest_in, orders[l].n_rows() * stride_of(spec_.layers[l].n_in));
    largest_out = std::max(largest_out, orders[l].n_rows() * stride_of(spec_.layers[l].n_out));
  }
  outputs_.resize(largest_out);
  output_grads_.resize(largest_out);
  input_grads_.resize(largest_in);
  layers_ = std::vector<Layer>(orders.size());
  for (std::size_t l = 0; l < orders.size(); ++l) make_layer(static_cast<int>(l), orders[l]);
  cuda::finish(stream());
}

template <typename T, typename P>
void GroupedPeer<T, P>::prepare(const SampleSource& source) {
  n_samples_ = source.n_samples();
  has_state_ = false;
  const int64_t n_params = spec_.n_params();
  for (Array<float>* array : {&params_, &adam_m_, &adam_v_, &grads_}) array->resize(n_params);
  loss_.resize(1);
  scalars_.resize(1);
  upload_batch(source);
}

template <typename T, typename P>
void GroupedPeer<T, P>::make_layer(int index, const LayerOrder& order) {
  const LayerSpec& spec = spec_.layers[static_cast<std::size_t>(index)];
  Layer& layer = layers_[static_cast<std::size_t>(index)];
  layer.n_in = spec.n_in;
  layer.n_out = spec.n_out;
  layer.in_stride = stride_of(spec.n_in);
  layer.out_stride = stride_of(spec.n_out);
  layer.n_rows = order.n_rows();
  layer.n_experts = spec.n_experts();
  layer.n_weights = layer.n_experts * spec.n_in * spec.n_out;
  layer.weight_offset = spec_.weight_offset(index);
  layer.bias_offset = spec_.bias_offset(index);
  layer.slope = slope_of(spec.activation);
  const auto put = [&](Array<int>& to, const std::vector<int32_t>& from) {
    to.resize(static_cast<int64_t>(from.size()));
    to.upload(stream(), from.data(), to.size());
  };
  put(layer.from_below, order.from_below);
  put(layer.from_above, order.from_above);
  put(layer.sample_of, order.sample_of);
  layer.inputs.resize(layer.n_rows * layer.in_stride);
  layer.weights.resize(layer.n_experts * layer.n_out * layer.in_stride);
  layer.weight_grads.resize(layer.weights.size());
  layer.column_sums.resize(n_chunks(layer) * layer.out_stride);
  // Strides' ends, and experts without samples: never written again.
  layer.weights.clear(stream());
  layer.weight_grads.clear(stream());
  make_products(layer, order, index == 0);
}

/// Rows are the columns of BLAS: a row-major [r, c] is a column-major [c, r].
template <typename T, typename P>
void GroupedPeer<T, P>::make_products(Layer& layer, const LayerOrder& order, bool is_first) {
  std::vector<Product> forward;
  std::vector<Product> weight_gradient;
  std::vector<Product> input_gradient;
  for (const Group& group : order.groups) {
    const auto n_rows = static_cast<int>(group.n_rows);
    const int64_t weights = int64_t{group.expert} * layer.n_out * layer.in_stride;
    T* const w = layer.weights.data() + weights;
    T* const x = layer.inputs.data() + group.first * layer.in_stride;
    T* const y = outputs_.data() + group.first * layer.out_stride;
    T* const dy = output_grads_.data() + group.first * layer.out_stride;
    forward.push_back(
        {true, false, layer.n_out, n_rows, layer.n_in, w, x, y, layer.in_stride, layer.in_stride, layer.out_stride});
    weight_gradient.push_back({false, true, layer.n_in, layer.n_out, n_rows, x, dy, layer.weight_grads.data() + weights,
                               layer.in_stride, layer.out_stride, layer.in_stride});
    if (is_first) continue;
    input_gradient.push_back({false, false, layer.n_in, n_rows, layer.n_out, w, dy,
                              input_grads_.data() + group.first * layer.in_stride, layer.in_stride, layer.out_stride,
                              layer.in_stride});
  }
  layer.forward = products_.make(forward);
  layer.weight_gradient = products_.make(weight_gradient);
  if (!is_first) layer.input_gradient = products_.make(input_gradient);
}

template <typename T, typename P>
void GroupedPeer<T, P>::pack_weights() {
  for (Layer& layer : layers_) {
    cuda::write_copies(stream(), layer.n_weights, params_.data() + layer.weight_offset,
                       cuda::PeerWeightCopies<T>{layer.weights.buffer(), layer.n_in, layer.in_stride});
  }
}

/// Forward, loss and backward of the batch with the packed weights.
template <typename T, typename P>
void GroupedPeer<T, P>::run() {
  const auto bias_of = [&](const Layer& layer) {
    return cuda::Buffer<const float>(params_.data() + layer.bias_offset, layer.n_out);
  };
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    const cuda::PeerRows<T> inputs = rows<T>(layer.inputs, layer.in_stride);
    if (l == 0) {
      cuda::launch_items(stream(), layer.inputs.size(), cuda::gather_rows<T>, layer.from_below.const_buffer(),
                         rows<const T>(encoded_, layer.in_stride), layer.n_in, inputs);
    } else {
      const Layer& below = layers_[l - 1];
      cuda::launch_items(stream(), layer.inputs.size(), cuda::gather_activated<T>, layer.from_below.const_buffer(),
                         rows<const T>(outputs_, below.out_stride), layer.n_in, bias_of(below), below.slope, inputs);
    }
    products_.run(layer.forward);
  }
  Layer& last = layers_.back();
  const int64_t n_items = last.n_rows * last.out_stride;
  const int64_t n_blocks = (n_items + cuda::kErrorThreads - 1) / cuda::kErrorThreads;
  if (errors_.size() != n_blocks) errors_.resize(n_blocks);
  const double n_values = static_cast<double>(n_samples_) * spec_.n_out();
  cuda::launch(stream(), n_blocks, cuda::kErrorThreads, cuda::compare_rows<T>, n_items, last.sample_of.const_buffer(),
               rows<const T>(outputs_, last.out_stride), last.n_out, bias_of(last), targets_.const_buffer(),
               static_cast<float>(spec_.output.scale), static_cast<float>(spec_.output.offset),
               static_cast<float>(2 * spec_.output.scale / n_values), rows<T>(output_grads_, last.out_stride),
               errors_.buffer());
  cuda::launch(stream(), 1, cuda::kErrorThreads, cuda::add_losses, n_blocks, 1 / n_values, false,
               errors_.const_buffer(), loss_.buffer());
  run_backward();
}

template <typename T, typename P>
void GroupedPeer<T, P>::run_backward() {
  for (int l = static_cast<int>(layers_.size()) - 1; l >= 0; --l) {
    Layer& layer = layers_[static_cast<std::size_t>(l)];
    cuda::launch_items(stream(), layer.column_sums.size(), cuda::add_columns<T>,
                       rows<const T>(output_grads_, layer.out_stride), layer.n_rows, layer.column_sums.buffer());
    products_.run(layer.weight_gradient);
    if (l == 0) break;
    products_.run(layer.input_gradient);
    Layer& below = layers_[static_cast<std::size_t>(l - 1)];
    cuda::launch_items(stream(), below.n_rows * below.out_stride, cuda::gather_gradients<T>,
                       below.from_above.const_buffer(), rows<const T>(input_grads_, layer.in_stride),
                       rows<const T>(layer.inputs, layer.in_stride), layer.n_in, below.slope,
                       rows<T>(output_grads_, below.out_stride));
  }
}

/// visit(offset, n, gradient, copies) for every tensor of the parameters.
template <typename T, typename P>
template <typename Visit>
void GroupedPeer<T, P>::for_tensors(const Visit& visit) {
  for (Layer& layer : layers_) {
    visit(layer.weight_offset, layer.n_weights,
          cuda::PeerWeightGradient<T>{layer.weight_grads.const_buffer(), layer.n_in, layer.in_stride},
          cuda::PeerWeightCopies<T>{layer.weights.buffer(), layer.n_in, layer.in_stride});
    visit(layer.bias_offset, int64_t{layer.n_out},
          cuda::PeerBiasGradient{layer.column_sums.const_buffer(), n_chunks(layer), layer.out_stride},
          cuda::NoCopies{});
  }
}

template <typename T, typename P>
double GroupedPeer<T, P>::read_loss() {
  double loss = 0;
  loss_.download(stream(), &loss, 1);
  cuda::finish(stream());
  return loss;
}

template <typename T, typename P>
double GroupedPeer<T, P>::mse_gradients(std::span<const float> params, std::span<float> param_grads) {
  params_.upload(stream(), params.data(), params_.size());
  has_state_ = false;
  pack_weights();
  run();
  for_tensors([&](int64_t offset, int64_t n, const auto& gradient, const auto& /*copies*/) {
    cuda::write_gradient(stream(), n, gradient, grads_.data() + offset);
  });
  grads_.download(stream(), param_grads.data(), grads_.size());
  return read_loss();
}

template <typename T, typename P>
double GroupedPeer<T, P>::train_step(const AdamUpdate& update, ParamState& state) {
  if (!has_state_) {
    params_.upload(stream(), state.params.data(), params_.size());
    adam_m_.upload(stream(), state.adam_m.data(), params_.size());
    adam_v_.upload(stream(), state.adam_v.data(), params_.size());
    pack_weights();
    has_state_ = true;
  }
  const loe::AdamScalars scalars(update);
  scalars_.upload(stream(), &scalars, 1);
  run();
  const cuda::UpdateBuffers buffers{scalars_.const_buffer(), loss_.const_buffer()};
  for_tensors([&](int64_t offset, int64_t n, const auto& gradient, const auto& copies) {
    cuda::update_by_adam(
        stream(), n, gradient,
        cuda::ParamUpdate<std::decay_t<decltype(copies)>>{
            buffers, {params_.data() + offset, n}, {adam_m_.data() + offset, n}, {adam_v_.data() + offset, n}, copies});
  });
  return read_loss();
}

}  // namespace LOE_EXECUTION
}  // namespace loe::peer
