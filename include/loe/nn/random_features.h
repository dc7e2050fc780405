// Features of pictures from a fixed random network, for comparing sets of pictures. NOT the features of FID.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "loe/backend/conv_net.h"

namespace loe {

/// Channels of the layers.
inline constexpr std::array<int, 4> kRandomFeatureWidths = {16, 32, 64, 128};
/// Features of one picture: mean and standard deviation of every channel of every layer.
inline constexpr int kNumRandomFeatures = 2 * (16 + 32 + 64 + 128);

/// A convolutional network with fixed random weights: 3 -> 16 -> 32 -> 64 -> 128, kernel 3, stride 2, padding 1,
/// LeakyReLU 0.2, Kaiming-uniform weights of one seed for ever, zero biases.
///
/// A Frechet distance between such features tells sets of pictures apart by their colours, contrasts and textures, but
/// its numbers are not those of FID, whose features are those of a network trained on photographs (Inception v3), and
/// must never be printed under that name.
class RandomFeatures {
 public:
  /// Device and threads as compile_conv.
  RandomFeatures(const std::string& device, int n_threads);

  /// features [n, kNumRandomFeatures] of pictures [n, 3, h, w] in [-1, 1]: for each layer in turn the means of its
  /// channels over all positions, after the activation, then their standard deviations (population). Sums in double.
  /// Same batch, same machine kind: same bits, for any number of threads. Error(InvalidArgument) for sizes that
  /// disagree.
  void compute(const PictureBatch& batch, std::span<float> features);

 private:
  /// One network per layer: every layer's output is read.
  std::vector<std::unique_ptr<ConvExecutor>> layers_;
};

}  // namespace loe
