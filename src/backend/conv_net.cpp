#include "loe/backend/conv_net.h"

#include <fmt/format.h>

#include "loe/base/error.h"

namespace loe {
namespace {

void require(bool holds, int layer, const char* field, const std::string& expected, int64_t found) {
  if (!holds) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[conv_net] layers[{}].{}: expected {}, got {}; correct it",
                                                        layer, field, expected, found));
  }
}

void require_range(int layer, const char* field, int64_t found, int64_t min, int64_t max) {
  require(found >= min && found <= max, layer, field, fmt::format("{}..{}", min, max), found);
}

int64_t n_params_of(const ConvLayerSpec& layer) {
  return layer.n_weights() + layer.n_out;
}

}  // namespace

MapSize ConvLayerSpec::output_size(MapSize input) const {
  const auto side = [&](int n) {
    const int room = n + 2 * padding - kernel;
    return room < 0 ? 0 : room / stride + 1;
  };
  return {side(input.height), side(input.width)};
}

int64_t ConvNetSpec::n_params() const {
  return weight_offset(static_cast<int>(layers.size()));
}

int64_t ConvNetSpec::weight_offset(int layer) const {
  int64_t offset = 0;
  for (int i = 0; i < layer; ++i) {
    offset += n_params_of(layers[i]);
  }
  return offset;
}

int64_t ConvNetSpec::bias_offset(int layer) const {
  return weight_offset(layer) + layers[layer].n_weights();
}

int64_t ConvNetSpec::macs(MapSize picture) const {
  const std::vector<MapSize> sizes = map_sizes(picture);
  int64_t n = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    n += layers[i].n_weights() * sizes[i + 1].n_pixels();
  }
  return n;
}

std::vector<TensorInfo> ConvNetSpec::tensors() const {
  std::vector<TensorInfo> tensors;
  for (int i = 0; i < static_cast<int>(layers.size()); ++i) {
    const ConvLayerSpec& layer = layers[i];
    tensors.push_back(
        {fmt::format("layers.{}.weight", i), {layer.n_out, layer.n_in, layer.kernel, layer.kernel}, weight_offset(i)});
    tensors.push_back({fmt::format("layers.{}.bias", i), {layer.n_out}, bias_offset(i)});
  }
  return tensors;
}

std::vector<MapSize> ConvNetSpec::map_sizes(MapSize picture) const {
  for (const int side : {picture.height, picture.width}) {
    if (side < 1 || side > kMaxPictureSide) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[conv_net] picture: expected sides of 1..{} pixels, got {} x {}; crop or resize it",
                              kMaxPictureSide, picture.width, picture.height));
    }
  }
  std::vector<MapSize> sizes = {picture};
  for (size_t i = 0; i < layers.size(); ++i) {
    const MapSize input = sizes.back();
    const MapSize output = layers[i].output_size(input);
    if (output.height < 1 || output.width < 1) {
      throw Error(
          ErrorKind::InvalidArgument,
          fmt::format("[conv_net] picture: expected {} x {} pixels or more in layer {}, got {} x {}; use larger "
                      "pictures or fewer layers",
                      layers[i].kernel - 2 * layers[i].padding, layers[i].kernel - 2 * layers[i].padding, i,
                      input.width, input.height));
    }
    sizes.push_back(output);
  }
  return sizes;
}

void ConvNetSpec::validate() const {
  if (layers.empty() || layers.size() > kMaxLayers) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[conv_net] layers: expected 1..{}, got {}; give it a layer", kMaxLayers, layers.size()));
  }
  int64_t n = 0;
  for (int i = 0; i < static_cast<int>(layers.size()); ++i) {
    const ConvLayerSpec& layer = layers[i];
    require_range(i, "n_in", layer.n_in, 1, kMaxWidth);
    require_range(i, "n_out", layer.n_out, 1, kMaxWidth);
    require_range(i, "kernel", layer.kernel, 1, kMaxConvKernel);
    require_range(i, "stride", layer.stride, 1, kMaxConvStride);
    require_range(i, "padding", layer.padding, 0, layer.kernel - 1);
    if (i > 0) {
      const int width = layers[i - 1].n_out;
      require(layer.n_in == width, i, "n_in", fmt::format("{}, the n_out of the layer before", width), layer.n_in);
    }
    const Activation& activation = layer.activation;
    if (activation.kind != ActivationKind::Identity && activation.kind != ActivationKind::LeakyRelu) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[conv_net] layers[{}].activation: expected identity or leaky_relu, got {}; the others "
                              "are for coordinate networks",
                              i, to_string(activation.kind)));
    }
    if (activation.kind == ActivationKind::LeakyRelu && !(activation.slope >= 0 && activation.slope < 1)) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[conv_net] layers[{}].slope: expected 0 <= slope < 1, got {}; 0.2 is usual", i,
                              activation.slope));
    }
    n += n_params_of(layer);
    require(n <= kMaxConvParams, i, "n_out", fmt::format("at most {} parameters up to here", kMaxConvParams), n);
  }
}

}  // namespace loe
