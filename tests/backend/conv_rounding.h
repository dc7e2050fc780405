// rounding_model.h for convolutional networks: the reference in double with the errors of f32 put in.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "backend/reference/activation.h"
#include "backend/reference/conv_net.h"
#include "backend/rounding_model.h"

namespace loe::test {

/// One object is one run: weights are rounded once, sums get the error of a random walk, stored numbers one rounding.
class RoundedConvNet {
 public:
  RoundedConvNet(const ConvNetSpec& spec, std::span<const double> params, uint64_t seed)
      : spec_(spec), uniform_(seed), params_(params.begin(), params.end()) {
    round(params_);
  }

  /// Runs one picture; adds to param_grads and writes picture_grads, given what makes dL/doutputs of the outputs.
  template <class OutputGrads>
  std::vector<double> run(MapSize size, std::span<const double> picture, const OutputGrads& output_grads,
                          std::vector<double>& param_grads, std::vector<double>& picture_grads) {
    reference::ConvPass pass;
    pass.sizes = spec_.map_sizes(size);
    pass.picture.assign(picture.begin(), picture.end());
    for (int i = 0; i < n_layers(); ++i) {
      forward_layer(i, pass);
    }
    std::vector<double> grads = output_grads(pass.values.back());
    for (int i = n_layers() - 1; i >= 0; --i) {
      reference::activation_backward(spec_.layers[i].activation, pass.sums[i], pass.values[i], grads);
      round(grads);
      grads = backward_layer(i, pass, grads, param_grads);
    }
    picture_grads = grads;
    return pass.values.back();
  }

 private:
  int n_layers() const { return static_cast<int>(spec_.layers.size()); }
  std::span<const double> weight(int i) const {
    return std::span<const double>(params_).subspan(spec_.weight_offset(i), spec_.layers[i].n_weights());
  }
  std::span<const double> bias(int i) const {
    return std::span<const double>(params_).subspan(spec_.bias_offset(i), spec_.layers[i].n_out);
  }
  static std::vector<double> squared(std::span<const double> values) {
    std::vector<double> squares(values.begin(), values.end());
    for (double& value : squares) {
      value *= value;
    }
    return squares;
  }
  void round(std::span<double> values) {
    for (double& value : values) {
      value *= 1 + kUnitF32 * uniform_(-1, 1);
    }
  }
  void round_sums(int64_t n_terms, std::span<const double> squares, std::span<double> sums) {
    const double scale = kUnitF32 * std::sqrt(static_cast<double>(n_terms));
    for (size_t k = 0; k < sums.size(); ++k) {
      sums[k] += scale * std::sqrt(squares[k] + sums[k] * sums[k]) * uniform_(-1, 1);
    }
  }

  void forward_layer(int i, reference::ConvPass& pass) {
    const ConvLayerSpec& layer = spec_.layers[i];
    const std::vector<double>& x = pass.reads(i);
    std::vector<double> sums(layer.n_out * pass.sizes[i + 1].n_pixels());
    std::vector<double> squares(sums.size());
    reference::conv_forward(layer, pass.sizes[i], weight(i), bias(i), x, sums);
    reference::conv_forward(layer, pass.sizes[i], squared(weight(i)), squared(bias(i)), squared(x), squares);
    round_sums(layer.n_weights() / layer.n_out + 1, squares, sums);
    std::vector<double> values(sums.size());
    reference::activation_forward(layer.activation, sums, values);
    round(values);
    pass.sums.push_back(std::move(sums));
    pass.values.push_back(std::move(values));
  }

  std::vector<double> backward_layer(int i, const reference::ConvPass& pass, const std::vector<double>& grads,
                                     std::vector<double>& param_grads) {
    const ConvLayerSpec& layer = spec_.layers[i];
    const std::vector<double>& x = pass.reads(i);
    std::vector<double> sums[3] = {std::vector<double>(layer.n_weights()), std::vector<double>(layer.n_out),
                                   std::vector<double>(x.size())};
    std::vector<double> squares[3] = {sums[0], sums[1], sums[2]};
    reference::conv_backward(layer, pass.sizes[i], weight(i), x, grads, sums[0], sums[1], sums[2]);
    reference::conv_backward(layer, pass.sizes[i], squared(weight(i)), squared(x), squared(grads), squares[0],
                             squares[1], squares[2]);
    const int64_t n_pixels = pass.sizes[i + 1].n_pixels();
    round_sums(n_pixels, squares[0], sums[0]);
    round_sums(n_pixels, squares[1], sums[1]);
    round_sums(int64_t{layer.n_out} * layer.kernel * layer.kernel, squares[2], sums[2]);
    for (int64_t k = 0; k < layer.n_weights(); ++k) {
      param_grads[spec_.weight_offset(i) + k] += sums[0][k];
    }
    for (int k = 0; k < layer.n_out; ++k) {
      param_grads[spec_.bias_offset(i) + k] += sums[1][k];
    }
    return sums[2];
  }

  const ConvNetSpec& spec_;
  Uniform uniform_;
  std::vector<double> params_;
};

}  // namespace loe::test
