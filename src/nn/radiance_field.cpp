#include "loe/nn/radiance_field.h"

#include <fmt/format.h>

#include "loe/base/error.h"

namespace loe {

InputSpec direction_input(const RadianceFieldConfig& config) {
  return {.n_frequencies = config.n_direction_frequencies, .frequency_scale = 1};
}

NetworkSpec build_radiance_field(const RadianceFieldConfig& config) {
  if (config.trunk.n_dims != 3) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[radiance_field] n_dims: expected 3 (x, y, z), got {}", config.trunk.n_dims));
  }
  NetworkSpec spec = build_network(config.trunk);
  LayerSpec density = spec.layers.back();  // the head: plain, no activation
  spec.layers.pop_back();
  const int trunk = static_cast<int>(spec.layers.size()) - 1;
  density.name = "density";
  density.n_out = 1;
  density.from = trunk;
  LayerSpec color = density;
  color.name = "color.0";
  color.n_features = direction_input(config).width(3);
  color.n_in = density.n_in + color.n_features;
  color.n_out = config.color_width;
  color.activation = config.trunk.activation;
  LayerSpec rgb = density;
  rgb.name = "color.1";
  rgb.from = trunk + 2;
  rgb.n_in = config.color_width;
  rgb.n_out = 3;
  spec.layers.insert(spec.layers.end(), {density, color, rgb});
  spec.outputs = {trunk + 3, trunk + 1};
  spec.output = {};
  spec.validate();
  return spec;
}

NetworkSpec density_network(const NetworkSpec& field) {
  const int density = static_cast<int>(field.layers.size()) - 3;
  const std::vector<int> outputs = {density + 2, density};
  if (density < 1 || field.n_out() != 4 || field.outputs != outputs) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[radiance_field] network: expected levels, density and two layers of colour, got {} "
                            "layers and {} outputs",
                            field.layers.size(), field.n_out()));
  }
  NetworkSpec spec = field;
  spec.layers.resize(static_cast<std::size_t>(density) + 1);
  spec.outputs.clear();
  spec.validate();
  return spec;
}

std::vector<float> density_params(const NetworkSpec& field, std::span<const float> params) {
  const NetworkSpec spec = density_network(field);
  // The layers are in order; the table of an embedding is the last of all.
  const std::span<const float> layers = params.first(static_cast<std::size_t>(spec.embedding_offset()));
  const std::span<const float> table = params.subspan(static_cast<std::size_t>(field.embedding_offset()));
  std::vector<float> own(layers.begin(), layers.end());
  own.insert(own.end(), table.begin(), table.end());
  return own;
}

}  // namespace loe
