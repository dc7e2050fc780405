// What every executor of convolutions checks before it reads a span.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loe/backend/conv_net.h"

namespace loe {

/// Error(InvalidArgument) unless the pictures have the size that the batch says; the sizes of all maps.
std::vector<MapSize> check_pictures(const ConvNetSpec& spec, const PictureBatch& batch);

/// The same for the outputs of a forward pass.
std::vector<MapSize> check_conv_forward(const ConvNetSpec& spec, const PictureBatch& batch, std::span<float> outputs);

/// The same for the gradients, each of which may be empty.
std::vector<MapSize> check_conv_gradients(const ConvNetSpec& spec, const PictureBatch& batch,
                                          std::span<float> param_grads, std::span<float> picture_grads);

}  // namespace loe
