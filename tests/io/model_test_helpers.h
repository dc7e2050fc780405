// Networks and models with every field off its default, for tests of the files that hold them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/io_test_helpers.h"
#include "loe/io/model_file.h"
#include "loe/io/safetensors.h"

namespace loe {

constexpr double kThird = 1.0 / 3.0;

/// Two levels and a head in 2-D with every field off its default.
inline NetworkSpec test_network() {
  NetworkSpec spec;
  spec.n_dims = 2;
  spec.input.n_frequencies = 3;
  spec.input.frequency_scale = 0.1;
  spec.input.include_coordinates = false;
  LayerSpec level;
  level.name = "levels.0";
  level.n_in = spec.n_in();
  level.n_out = 5;
  level.tile.n = {2, 3, 1, 1};
  level.grid.a[0][0] = kThird;
  level.grid.a[0][1] = -1e-300;
  level.grid.a[1][1] = 7;
  level.grid.b[1] = -0.0;
  level.interpolation = Interpolation::Linear;
  level.node_offset = 0.5;
  level.activation = {ActivationKind::LeakyRelu, 0.01, 12.5};
  spec.layers.push_back(level);
  LayerSpec head;
  head.name = "head";
  head.n_in = 5;
  head.n_out = 3;
  spec.layers.push_back(head);
  spec.output = {kThird, -2};
  return spec;
}

inline NetworkSpec network_with_table() {
  NetworkSpec spec = test_network();
  spec.input.embedding = {{4, 3}, 2, kThird};
  spec.layers[0].n_in = spec.n_in();
  return spec;
}

inline NetworkSpec network_with_grid() {
  NetworkSpec spec = test_network();
  spec.input.n_frequencies = 0;
  spec.input.include_coordinates = false;
  spec.input.embedding = {{}, 2, kThird, {{{4, 3}, 20}, {{10 * kThird, 7}, 16}}};
  spec.layers[0].n_in = spec.n_in();
  return spec;
}

inline std::vector<float> ramp(const NetworkSpec& spec, float scale) {
  std::vector<float> values(static_cast<std::size_t>(spec.n_params()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = scale * static_cast<float>(i + 1) / 7.0F;
  }
  return values;
}

inline Model test_model() {
  Model model;
  model.spec = test_network();
  model.params = ramp(model.spec.parts[0].network, -1.0F);
  model.signal.width = 640;
  model.signal.height = 480;
  model.signal.pixel_type = "u16";
  model.signal.tags.color_space = "Linear";
  return model;
}

/// The file with one thing changed.
inline void rewrite(const std::string& path, const std::function<void(TensorFile&)>& change) {
  TensorFile file = read_safetensors(path);
  change(file);
  std::vector<TensorView> views;
  for (const TensorFile::Tensor& tensor : file.tensors) {
    views.push_back({tensor.name, tensor.shape, tensor.data});
  }
  write_safetensors(path, views, file.metadata);
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " is not in " << text;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

}  // namespace loe
