// What a convolutional network is on the device: pieces of a batch, and the numbers that describe a layer to a library.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "loe/backend/conv_net.h"
#include "loe/base/error.h"

namespace loe::cuda {

/// Floats of all maps of a piece, 512 MiB: a batch of Table 4, 32 pictures of 256 x 256, is a quarter of it. Gradients
/// take less than as much again.
inline constexpr int64_t kMaxPieceFloats = int64_t{1} << 27;

/// One convolution over the pictures of a piece. Maps are [n, channels, height, width] and weights [n_out, n_in,
/// kernel, kernel], row-major and without gaps, so that the flat parameters are what a library reads.
struct ConvShape {
  int n = 0;  ///< pictures
  int n_in = 0;
  int n_out = 0;
  MapSize input;
  MapSize output;
  int kernel = 0;
  int stride = 0;
  int padding = 0;
  int64_t weight_offset = 0;  ///< among the network's parameters
  int64_t bias_offset = 0;
  int64_t n_weights = 0;
  bool is_leaky = false;  ///< else the identity
  float slope = 1;

  int64_t n_inputs() const { return int64_t{n} * n_in * input.n_pixels(); }
  int64_t n_outputs() const { return int64_t{n} * n_out * output.n_pixels(); }
};

/// Pictures that go through a network together: as many as keep below max_floats, in pieces of one size but for the
/// last; at least one. A function of network and batch alone, so that sums do not depend on the machine.
inline int64_t pictures_per_piece(const ConvNetSpec& spec, const std::vector<MapSize>& sizes, int64_t n_pictures,
                                  int64_t max_floats) {
  int64_t n_floats = spec.n_in() * sizes.front().n_pixels();
  for (std::size_t i = 0; i < spec.layers.size(); ++i) n_floats += spec.layers[i].n_out * sizes[i + 1].n_pixels();
  // A piece's number of pictures is an int to libraries.
  const int64_t most = std::clamp<int64_t>(max_floats / n_floats, 1, 1 << 20);
  const int64_t n_pieces = std::max<int64_t>(1, (n_pictures + most - 1) / most);
  return std::max<int64_t>(1, (n_pictures + n_pieces - 1) / n_pieces);
}

/// A network over the pictures of one piece.
struct ConvPlan {
  int64_t n_pictures = 0;
  std::vector<MapSize> sizes;  ///< of the pictures and of every layer's output
  std::vector<ConvShape> layers;

  ConvPlan() = default;
  /// Error(Unsupported) if a map has 2^31 numbers or more: libraries count in 32 bits.
  ConvPlan(const ConvNetSpec& spec, const std::vector<MapSize>& map_sizes, int64_t n)
      : n_pictures(n), sizes(map_sizes) {
    for (std::size_t i = 0; i < spec.layers.size(); ++i) {
      const ConvLayerSpec& layer = spec.layers[i];
      const auto index = static_cast<int>(i);
      const bool is_leaky = layer.activation.kind == ActivationKind::LeakyRelu;
      layers.push_back({static_cast<int>(n), layer.n_in, layer.n_out, sizes[i], sizes[i + 1], layer.kernel,
                        layer.stride, layer.padding, spec.weight_offset(index), spec.bias_offset(index),
                        layer.n_weights(), is_leaky, is_leaky ? static_cast<float>(layer.activation.slope) : 1.0F});
      check(index, std::max(layers.back().n_inputs(), layers.back().n_outputs()));
    }
  }

  int64_t n_picture_floats() const { return layers.front().n_inputs(); }
  int64_t n_output_floats() const { return layers.back().n_outputs(); }
  int64_t largest_map() const {
    int64_t largest = n_picture_floats();
    for (const ConvShape& layer : layers) largest = std::max(largest, layer.n_outputs());
    return largest;
  }

 private:
  static void check(int layer, int64_t n_numbers) {
    if (n_numbers <= std::numeric_limits<int32_t>::max()) return;
    throw Error(ErrorKind::Unsupported, "[cuda] layers[" + std::to_string(layer) +
                                            "]: expected a map of fewer than 2147483648 numbers, got " +
                                            std::to_string(n_numbers) + "; use smaller pictures or --device cpu");
  }
};

}  // namespace loe::cuda
