#include "backend/reference/conv_net.h"

#include <algorithm>
#include <utility>

#include "backend/reference/activation.h"

namespace loe::reference {
namespace {

/// Calls body(weight index, x index, y index) for every product of a convolution; those with padding's zeros are left
/// out.
template <class Body>
void for_each_product(const ConvLayerSpec& layer, MapSize input, const Body& body) {
  const MapSize output = layer.output_size(input);
  const int k = layer.kernel;
  for (int o = 0; o < layer.n_out; ++o) {
    for (int c = 0; c < layer.n_in; ++c) {
      for (int r = 0; r < k; ++r) {
        for (int s = 0; s < k; ++s) {
          const int64_t w = ((int64_t{o} * layer.n_in + c) * k + r) * k + s;
          for (int i = 0; i < output.height; ++i) {
            const int y = layer.stride * i + r - layer.padding;
            if (y < 0 || y >= input.height) {
              continue;
            }
            for (int j = 0; j < output.width; ++j) {
              const int x = layer.stride * j + s - layer.padding;
              if (x >= 0 && x < input.width) {
                body(w, (int64_t{c} * input.height + y) * input.width + x,
                     (int64_t{o} * output.height + i) * output.width + j);
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace

void conv_forward(const ConvLayerSpec& layer, MapSize input, std::span<const double> weight,
                  std::span<const double> bias, std::span<const double> x, std::span<double> y) {
  const int64_t n_pixels = layer.output_size(input).n_pixels();
  for (size_t k = 0; k < y.size(); ++k) {
    y[k] = bias[k / n_pixels];
  }
  for_each_product(layer, input, [&](int64_t w, int64_t from, int64_t to) { y[to] += weight[w] * x[from]; });
}

void conv_backward(const ConvLayerSpec& layer, MapSize input, std::span<const double> weight, std::span<const double> x,
                   std::span<const double> y_grads, std::span<double> weight_grads, std::span<double> bias_grads,
                   std::span<double> x_grads) {
  const int64_t n_pixels = layer.output_size(input).n_pixels();
  if (!bias_grads.empty()) {
    for (size_t k = 0; k < y_grads.size(); ++k) {
      bias_grads[k / n_pixels] += y_grads[k];
    }
  }
  if (!weight_grads.empty()) {
    for_each_product(layer, input,
                     [&](int64_t w, int64_t from, int64_t to) { weight_grads[w] += y_grads[to] * x[from]; });
  }
  if (!x_grads.empty()) {
    std::fill(x_grads.begin(), x_grads.end(), 0.0);
    for_each_product(layer, input,
                     [&](int64_t w, int64_t from, int64_t to) { x_grads[from] += y_grads[to] * weight[w]; });
  }
}

ConvPass conv_net_forward(const ConvNetSpec& spec, MapSize size, std::span<const double> params,
                          std::span<const double> picture) {
  ConvPass pass;
  pass.sizes = spec.map_sizes(size);
  pass.picture.assign(picture.begin(), picture.end());
  for (int i = 0; i < static_cast<int>(spec.layers.size()); ++i) {
    const ConvLayerSpec& layer = spec.layers[i];
    std::vector<double> sums(layer.n_out * pass.sizes[i + 1].n_pixels());
    conv_forward(layer, pass.sizes[i], params.subspan(spec.weight_offset(i), layer.n_weights()),
                 params.subspan(spec.bias_offset(i), layer.n_out), pass.reads(i), sums);
    std::vector<double> values(sums.size());
    activation_forward(layer.activation, sums, values);
    pass.sums.push_back(std::move(sums));
    pass.values.push_back(std::move(values));
  }
  return pass;
}

void conv_net_backward(const ConvNetSpec& spec, std::span<const double> params, const ConvPass& pass,
                       std::span<const double> output_grads, std::span<double> param_grads,
                       std::span<double> picture_grads) {
  std::vector<double> grads(output_grads.begin(), output_grads.end());
  for (int i = static_cast<int>(spec.layers.size()) - 1; i >= 0; --i) {
    const ConvLayerSpec& layer = spec.layers[i];
    activation_backward(layer.activation, pass.sums[i], pass.values[i], grads);
    std::span<double> weight_grads;
    std::span<double> bias_grads;
    if (!param_grads.empty()) {
      weight_grads = param_grads.subspan(spec.weight_offset(i), layer.n_weights());
      bias_grads = param_grads.subspan(spec.bias_offset(i), layer.n_out);
    }
    std::vector<double> x_grads(i > 0 || !picture_grads.empty() ? pass.reads(i).size() : 0);
    conv_backward(layer, pass.sizes[i], params.subspan(spec.weight_offset(i), layer.n_weights()), pass.reads(i), grads,
                  weight_grads, bias_grads, x_grads);
    grads = std::move(x_grads);
  }
  if (!picture_grads.empty()) {
    std::copy(grads.begin(), grads.end(), picture_grads.begin());
  }
}

}  // namespace loe::reference
