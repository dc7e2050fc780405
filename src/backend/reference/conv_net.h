// Convolutions as plain loops in double, one picture at a time.
#pragma once

#include <span>
#include <vector>

#include "loe/backend/conv_net.h"

namespace loe::reference {

/// y = bias + weight * x (ConvLayerSpec's equation before phi): x [n_in, h, w], y [n_out, h', w'].
void conv_forward(const ConvLayerSpec& layer, MapSize input, std::span<const double> weight,
                  std::span<const double> bias, std::span<const double> x, std::span<double> y);

/// Given dL/dy, adds to dL/dweight and dL/dbias and writes dL/dx, each unless empty.
void conv_backward(const ConvLayerSpec& layer, MapSize input, std::span<const double> weight, std::span<const double> x,
                   std::span<const double> y_grads, std::span<double> weight_grads, std::span<double> bias_grads,
                   std::span<double> x_grads);

/// What one picture left on its way through a network.
struct ConvPass {
  std::vector<MapSize> sizes;               ///< of the picture and of every layer's output
  std::vector<std::vector<double>> sums;    ///< [layer], before phi
  std::vector<std::vector<double>> values;  ///< [layer], after phi
  std::vector<double> picture;              ///< [n_in, h, w]
  const std::vector<double>& reads(int layer) const { return layer == 0 ? picture : values[layer - 1]; }
};

ConvPass conv_net_forward(const ConvNetSpec& spec, MapSize size, std::span<const double> params,
                          std::span<const double> picture);

/// Given dL/doutputs, adds to dL/dparams unless empty and writes dL/dpicture unless empty.
void conv_net_backward(const ConvNetSpec& spec, std::span<const double> params, const ConvPass& pass,
                       std::span<const double> output_grads, std::span<double> param_grads,
                       std::span<double> picture_grads);

}  // namespace loe::reference
