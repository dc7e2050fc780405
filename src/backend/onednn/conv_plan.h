// The primitives that oneDNN picks for a network and pictures of one number and size.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <dnnl.hpp>

#include "loe/backend/conv_net.h"

namespace loe::onednn {

using Desc = dnnl::memory::desc;

/// Row-major [n, channels, height, width].
Desc plain_maps(int64_t n, int n_channels, MapSize size);
/// Row-major [n_out, n_in, kernel, kernel].
Desc plain_weights(const ConvLayerSpec& layer);

/// One primitive and the layouts of what it reads and writes. For a backward pass `input`, `weights` and `output` are
/// those of the convolution's x, W and y, or of the gradients by them.
struct Kernel {
  dnnl::primitive primitive;
  Desc input;
  Desc weights;
  Desc output;
  Desc scratchpad;
  std::string name;  ///< oneDNN's own
};

/// Layouts are oneDNN's choice, per primitive: where two that meet differ, whoever runs them reorders.
struct ConvPlan {
  struct Layer {
    Kernel forward;       ///< with bias and LeakyReLU
    Kernel input_grads;   ///< empty without a backward pass, as the next
    Kernel weight_grads;  ///< with bias
  };
  int64_t n_pictures = 0;
  std::vector<MapSize> sizes;  ///< of the pictures and of every layer's output
  std::vector<Layer> layers;
  bool has_backward = false;

  /// For one thread: create it under OneThread. Takes milliseconds, kernels are generated.
  ConvPlan(const ConvNetSpec& spec, const std::vector<MapSize>& sizes, int64_t n_pictures, bool has_backward,
           const dnnl::engine& engine);
};

/// Pictures that go through a network together: a function of network and batch alone.
int64_t pictures_per_piece(const ConvNetSpec& spec, const std::vector<MapSize>& sizes, int64_t n_pictures);

}  // namespace loe::onednn
