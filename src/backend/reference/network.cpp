#include "backend/reference/network.h"

#include <algorithm>
#include <functional>

#include "backend/reference/activation.h"
#include "backend/reference/embedding.h"
#include "backend/reference/expert_linear.h"
#include "loe/backend/encoding.h"

namespace loe::reference {
namespace {

/// Columns [column, column + n) of rows [B, row_width].
std::vector<double> columns_of(std::span<const float> rows, int64_t n_samples, int row_width, int column, int n) {
  std::vector<double> columns;
  columns.reserve(n_samples * n);
  for (int64_t sample = 0; sample < n_samples; ++sample) {
    const auto row = rows.begin() + sample * row_width + column;
    columns.insert(columns.end(), row, row + n);
  }
  return columns;
}

std::vector<double> network_input(const NetworkSpec& spec, const BatchView& batch) {
  if (spec.input.kind == InputKind::Features) {
    return columns_of(batch.features, batch.n_samples, spec.n_features(), 0, spec.input.n_features);
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

/// What layer `index` reads: the rows of its source, each followed by the layer's features.
std::vector<double> layer_reads(const NetworkSpec& spec, int index, const BatchView& batch, const NetworkPass& pass) {
  const LayerSpec& layer = spec.layers[index];
  const int source = spec.source_of(index);
  const std::vector<double>& rows = source < 0 ? pass.input : pass.values[source];
  if (layer.n_features == 0) {
    return rows;
  }
  const std::vector<double> features =
      columns_of(batch.features, batch.n_samples, spec.n_features(), spec.feature_offset(index), layer.n_features);
  const int width = layer.n_in - layer.n_features;
  std::vector<double> joined;
  joined.reserve(batch.n_samples * layer.n_in);
  for (int64_t sample = 0; sample < batch.n_samples; ++sample) {
    const auto row = rows.begin() + sample * width;
    const auto own = features.begin() + sample * layer.n_features;
    joined.insert(joined.end(), row, row + width);
    joined.insert(joined.end(), own, own + layer.n_features);
  }
  return joined;
}

/// Fills in the embedding's columns of the input and remembers where the samples lie.
void add_embedding(const NetworkSpec& spec, std::span<const double> params, const BatchView& batch, NetworkPass& pass) {
  const EmbeddingSpec& embedding = spec.input.embedding;
  for (int level = 0; level < embedding.n_levels(); ++level) {
    const EmbeddingGrid grid(embedding, spec.n_dims, level);
    std::vector<EmbeddingPlace>& places = pass.places.emplace_back();
    for (int64_t sample = 0; sample < batch.n_samples; ++sample) {
      places.push_back(grid.place(batch.coords.data() + sample * spec.n_dims));
    }
    if (batch.n_samples == 0) continue;
    const int column = spec.input.encoding_width(spec.n_dims) + level * embedding.n_channels;
    embedding_forward(grid, embedding.n_channels, places, params.subspan(spec.embedding_offset()),
                      pass.input.data() + column, spec.n_in());
  }
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
        bias(flat.subspan(spec.bias_offset(layer), spec.layers[layer].n_biases())) {}
};

}  // namespace

std::vector<double> signal_of(const NetworkSpec& spec, const std::vector<std::vector<double>>& values) {
  std::vector<double> signal;
  const std::vector<int> outputs = spec.output_layers();
  const auto n_samples = static_cast<int64_t>(values[outputs[0]].size()) / spec.layers[outputs[0]].n_out;
  for (int64_t sample = 0; sample < n_samples; ++sample) {
    for (const int layer : outputs) {
      const int n_out = spec.layers[layer].n_out;
      for (int64_t at = sample * n_out; at < (sample + 1) * n_out; ++at) {
        signal.push_back(spec.output.offset + spec.output.scale * values[layer][at]);
      }
    }
  }
  return signal;
}

std::vector<std::vector<double>> grads_of_values(const NetworkSpec& spec, std::span<const double> output_grads) {
  const int64_t n_samples = static_cast<int64_t>(output_grads.size()) / spec.n_out();
  std::vector<std::vector<double>> grads;
  for (const LayerSpec& layer : spec.layers) {
    grads.emplace_back(n_samples * layer.n_out);
  }
  int column = 0;
  for (const int layer : spec.output_layers()) {
    const int n_out = spec.layers[layer].n_out;
    for (int64_t sample = 0; sample < n_samples; ++sample) {
      for (int o = 0; o < n_out; ++o) {
        grads[layer][sample * n_out + o] = spec.output.scale * output_grads[sample * spec.n_out() + column + o];
      }
    }
    column += n_out;
  }
  return grads;
}

NetworkPass network_forward(const NetworkSpec& spec, std::span<const double> params, const BatchView& batch) {
  NetworkPass pass;
  pass.input = network_input(spec, batch);
  add_embedding(spec, params, batch, pass);
  for (int i = 0; i < static_cast<int>(spec.layers.size()); ++i) {
    const LayerSpec& layer = spec.layers[i];
    const LayerParams<const double> own(spec, i, params);
    std::vector<ExpertBlend> blends = route_blends(layer, spec.n_dims, batch);
    std::vector<double> reads = layer_reads(spec, i, batch, pass);
    std::vector<double> sums(batch.n_samples * layer.n_out);
    std::vector<double> values(sums.size());
    expert_linear_forward(layer, blends, own.weight, own.bias, reads, sums);
    if (layer.residual != kNoResidual) {
      std::transform(sums.begin(), sums.end(), pass.values[layer.residual].begin(), sums.begin(), std::plus<>());
    }
    activation_forward(layer.activation, sums, values);
    pass.blends.push_back(std::move(blends));
    pass.reads.push_back(std::move(reads));
    pass.sums.push_back(std::move(sums));
    pass.values.push_back(std::move(values));
  }
  pass.signal = signal_of(spec, pass.values);
  return pass;
}

void network_backward(const NetworkSpec& spec, std::span<const double> params, const NetworkPass& pass,
                      std::span<const double> output_grads, std::span<double> param_grads,
                      std::span<double> input_grads) {
  const auto n_layers = static_cast<int>(spec.layers.size());
  const int64_t n_samples = static_cast<int64_t>(output_grads.size()) / spec.n_out();
  // Of each layer, and of the input: sums over all that read them.
  std::vector<std::vector<double>> grads = grads_of_values(spec, output_grads);
  std::vector<double> first_grads(pass.input.size());
  for (int i = n_layers - 1; i >= 0; --i) {
    const LayerSpec& layer = spec.layers[i];
    const LayerParams<const double> own(spec, i, params);
    const LayerParams<double> own_grads(spec, i, param_grads);
    activation_backward(layer.activation, pass.sums[i], pass.values[i], grads[i]);
    if (layer.residual != kNoResidual) {
      std::vector<double>& added = grads[layer.residual];
      std::transform(added.begin(), added.end(), grads[i].begin(), added.begin(), std::plus<>());
    }
    const int source = spec.source_of(i);
    const bool wants_x_grads = source >= 0 || !input_grads.empty() || spec.input.has_embedding();
    std::vector<double> x_grads(wants_x_grads ? pass.reads[i].size() : 0);
    expert_linear_backward(layer, pass.blends[i], own.weight, pass.reads[i], grads[i], own_grads.weight, own_grads.bias,
                           x_grads);
    std::vector<double>& to = source < 0 ? first_grads : grads[source];
    const int width = layer.n_in - layer.n_features;
    for (int64_t sample = 0; wants_x_grads && sample < n_samples; ++sample) {
      for (int k = 0; k < width; ++k) {
        to[sample * width + k] += x_grads[sample * layer.n_in + k];
      }
    }
  }
  const EmbeddingSpec& embedding = spec.input.embedding;
  for (int level = 0; level < embedding.n_levels(); ++level) {
    const EmbeddingGrid grid(embedding, spec.n_dims, level);
    if (pass.places[level].empty()) continue;
    const int column = spec.input.encoding_width(spec.n_dims) + level * embedding.n_channels;
    embedding_backward(grid, embedding.n_channels, pass.places[level], first_grads.data() + column, spec.n_in(),
                       param_grads.subspan(spec.embedding_offset()));
  }
  if (!input_grads.empty()) {
    std::copy(first_grads.begin(), first_grads.end(), input_grads.begin());
  }
}

}  // namespace loe::reference
