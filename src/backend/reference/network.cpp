#include "backend/reference/network.h"

#include <algorithm>

#include "backend/reference/activation.h"
#include "backend/reference/embedding.h"
#include "backend/reference/expert_linear.h"
#include "loe/backend/encoding.h"

namespace loe::reference {
namespace {

std::vector<double> network_input(const NetworkSpec& spec, const BatchView& batch) {
  if (spec.input.kind == InputKind::Features) {
    return {batch.features.begin(), batch.features.end()};
  }
  const size_t width = spec.n_in();
  std::vector<double> input(batch.n_samples * width);
  std::vector<float> row(width);
  for (int64_t sample = 0; sample < batch.n_samples; ++sample) {
    encode(spec.input, spec.n_dims, batch.coords.data() + sample * spec.n_dims, row.data());
    std::copy(row.begin(), row.end(), input.begin() + static_cast<int64_t>(sample * width));
  }
  return input;
}

/// Fills in the embedding's columns of the input and remembers where the samples lie.
void add_embedding(const NetworkSpec& spec, std::span<const double> params, const BatchView& batch, NetworkPass& pass) {
  const EmbeddingGrid grid(spec.input.embedding, spec.n_dims);
  for (int64_t sample = 0; sample < batch.n_samples; ++sample) {
    pass.places.push_back(grid.place(batch.coords.data() + sample * spec.n_dims));
  }
  embedding_forward(grid, spec.input.embedding.n_channels, pass.places, params.subspan(spec.embedding_offset()),
                    pass.values.front().data() + spec.input.encoding_width(spec.n_dims), spec.n_in());
}

std::vector<ExpertBlend> route_blends(const LayerSpec& layer, int n_dims, const BatchView& batch) {
  std::vector<ExpertBlend> blends(batch.n_samples);
  for (int64_t sample = 0; sample < batch.n_samples; ++sample) {
    blends[sample] = route_blend(layer, n_dims, batch.coords.data() + sample * n_dims);
  }
  return blends;
}

/// The weight and the bias of one layer inside a flat buffer.
template <class T>
struct LayerParams {
  std::span<T> weight;
  std::span<T> bias;

  LayerParams(const NetworkSpec& spec, int layer, std::span<T> flat)
      : weight(flat.subspan(spec.weight_offset(layer), spec.bias_offset(layer) - spec.weight_offset(layer))),
        bias(flat.subspan(spec.bias_offset(layer), spec.layers[layer].n_out)) {}
};

}  // namespace

std::vector<double> signal_of(const OutputSpec& output, std::span<const double> last) {
  std::vector<double> signal(last.begin(), last.end());
  for (double& value : signal) {
    value = output.offset + output.scale * value;
  }
  return signal;
}

NetworkPass network_forward(const NetworkSpec& spec, std::span<const double> params, const BatchView& batch) {
  NetworkPass pass;
  pass.values.push_back(network_input(spec, batch));
  if (spec.input.has_embedding()) {
    add_embedding(spec, params, batch, pass);
  }
  for (int i = 0; i < static_cast<int>(spec.layers.size()); ++i) {
    const LayerSpec& layer = spec.layers[i];
    const LayerParams<const double> own(spec, i, params);
    std::vector<ExpertBlend> blends = route_blends(layer, spec.n_dims, batch);
    std::vector<double> sums(batch.n_samples * layer.n_out);
    std::vector<double> values(sums.size());
    expert_linear_forward(layer, blends, own.weight, own.bias, pass.values.back(), sums);
    activation_forward(layer.activation, sums, values);
    pass.blends.push_back(std::move(blends));
    pass.sums.push_back(std::move(sums));
    pass.values.push_back(std::move(values));
  }
  pass.signal = signal_of(spec.output, pass.values.back());
  return pass;
}

void network_backward(const NetworkSpec& spec, std::span<const double> params, const NetworkPass& pass,
                      std::span<const double> output_grads, std::span<double> param_grads,
                      std::span<double> input_grads) {
  std::vector<double> grads = signal_of({spec.output.scale, 0}, output_grads);
  for (int i = static_cast<int>(spec.layers.size()) - 1; i >= 0; --i) {
    const LayerSpec& layer = spec.layers[i];
    const LayerParams<const double> own(spec, i, params);
    const LayerParams<double> own_grads(spec, i, param_grads);
    activation_backward(layer.activation, pass.sums[i], pass.values[i + 1], grads);
    const bool wants_x_grads = i > 0 || !input_grads.empty() || spec.input.has_embedding();
    std::vector<double> x_grads(wants_x_grads ? pass.values[i].size() : 0);
    expert_linear_backward(layer, pass.blends[i], own.weight, pass.values[i], grads, own_grads.weight, own_grads.bias,
                           x_grads);
    grads = std::move(x_grads);
  }
  if (spec.input.has_embedding()) {
    const EmbeddingGrid grid(spec.input.embedding, spec.n_dims);
    embedding_backward(grid, spec.input.embedding.n_channels, pass.places,
                       grads.data() + spec.input.encoding_width(spec.n_dims), spec.n_in(),
                       param_grads.subspan(spec.embedding_offset()));
  }
  if (!input_grads.empty()) {
    std::copy(grads.begin(), grads.end(), input_grads.begin());
  }
}

}  // namespace loe::reference
