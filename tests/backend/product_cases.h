// Networks on nested grids, and pictures and videos for them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "backend/network_builders.h"
#include "backend/pixel_sources.h"
#include "loe/backend/product_chunks.h"
#include "task/product_batch.h"

namespace loe::test {

/// A level whose cells are whole pixels; a tile of ones is a plain layer.
struct NestedLevel {
  int width = 16;
  std::array<int, 3> tile = {4, 4, 1};
  std::array<int, 3> cell = {1, 1, 1};
};

struct ProductCase {
  std::string name;
  std::array<int64_t, 3> size = {32, 32, 1};  ///< 3-D if there are frames
  std::vector<NestedLevel> levels;
  int64_t batch = 512;
  InputSpec input = {.n_frequencies = 3};
  Activation activation = {ActivationKind::LeakyRelu};
  int n_out = 3;
  OutputSpec output = {};
  double param_scale = 1;
  EmbeddingUpdate embedding_update = {};
};

inline NetworkSpec nested_network(const ProductCase& recipe) {
  NetworkSpec spec;
  spec.n_dims = recipe.size[2] > 1 ? 3 : 2;
  spec.input = recipe.input;
  spec.output = recipe.output;
  int n_in = spec.n_in();
  for (const NestedLevel& level : recipe.levels) {
    LayerSpec layer;
    layer.name = "levels." + std::to_string(spec.layers.size());
    layer.n_in = n_in;
    layer.n_out = n_in = level.width;
    layer.activation = recipe.activation;
    for (int axis = 0; axis < spec.n_dims; ++axis) {
      layer.tile.n[axis] = level.tile[axis];
      layer.grid.a[axis][axis] = static_cast<double>(recipe.size[axis]) / level.cell[axis];
    }
    spec.layers.push_back(layer);
  }
  LayerSpec head;
  head.name = "head";
  head.n_in = n_in;
  head.n_out = recipe.n_out;
  spec.layers.push_back(head);
  spec.validate();
  return spec;
}

inline std::vector<ProductCase> product_cases() {
  const std::vector<NestedLevel> three = {{16, {4, 4, 1}, {16, 16, 1}}, {16, {4, 4, 1}, {4, 4, 1}}, {16}};
  std::vector<ProductCase> cases;
  const auto add = [&](ProductCase next) { cases.push_back(std::move(next)); };
  add({.name = "fills_the_picture", .size = {64, 64, 1}, .levels = three});
  add({.name = "cut_off_cells_width_32",
       .size = {51, 37, 1},
       .levels = {{32}, {32, {4, 4, 1}, {4, 4, 1}}, {32, {4, 3, 1}, {16, 16, 1}}},
       .batch = 700});
  add({.name = "free_digits",  // places in the finest cell, a gap, repetitions
       .size = {100, 90, 1},
       .levels = {{16, {2, 2, 1}, {2, 3, 1}}, {16, {3, 2, 1}, {8, 6, 1}}},
       .batch = 300});
  add({.name = "sine_width_24",
       .size = {40, 64, 1},
       .levels = {{24}, {24, {4, 4, 1}, {4, 4, 1}}, {24, {3, 4, 1}, {16, 16, 1}}},
       .activation = {ActivationKind::Sine, 0.2, 5},
       .n_out = 1,
       .output = {0.5, 0.5},
       .param_scale = 0.2});
  add({.name = "relu_plain_layers_widths_64_48",
       .size = {32, 32, 1},
       .levels = {{64, {8, 8, 1}, {1, 1, 1}}, {48, {1, 1, 1}}, {20, {4, 4, 1}, {8, 8, 1}}, {33, {1, 1, 1}}},
       .batch = 2048,
       .activation = {ActivationKind::Relu},
       .n_out = 4});
  add({.name = "shared_level",  // 4 experts, 5 chunks
       .size = {32, 32, 1},
       .levels = {{16, {16, 16, 1}, {1, 1, 1}}, {16, {2, 2, 1}, {16, 16, 1}}},
       .batch = 5000,
       .n_out = 2});
  add({.name = "video",
       .size = {24, 16, 9},
       .levels = {{32, {4, 4, 2}, {1, 1, 1}}, {32, {6, 4, 3}, {4, 4, 2}}},
       .batch = 600,
       .input = {.n_frequencies = 2, .include_coordinates = false}});
  add({.name = "video_free_frames",
       .size = {16, 16, 6},
       .levels = {{16, {4, 4, 1}, {1, 1, 1}}, {16, {4, 4, 1}, {4, 4, 1}}},
       .input = {.kind = InputKind::Constant}});
  add({.name = "plain",  // no digits: pixels anywhere
       .size = {51, 37, 1},
       .levels = {{32, {1, 1, 1}}, {24, {1, 1, 1}}},
       .batch = 2500,
       .activation = {ActivationKind::Relu}});
  add({.name = "plain_video",
       .size = {13, 11, 5},
       .levels = {{16, {1, 1, 1}}},
       .batch = 400,
       .input = {.n_frequencies = 2}});
  add({.name = "unused_experts",  // a tile larger than the picture
       .size = {20, 20, 1},
       .levels = {{16, {4, 4, 1}, {1, 1, 1}}, {16, {8, 8, 1}, {4, 4, 1}}},
       .batch = 256});
  EmbeddingSpec grid;
  grid.n_channels = 2;
  grid.levels = {{{4, 3}, 20}, {{9.5, 7}, 88}, {{21, 15}, 256}};  // the last is hashed
  add({.name = "grid",
       .size = {51, 37, 1},
       .levels = {{16}, {16, {4, 4, 1}, {4, 4, 1}}, {16, {4, 3, 1}, {16, 16, 1}}},
       .batch = 700,
       .input = {.n_frequencies = 0, .include_coordinates = false, .embedding = grid},
       .activation = {ActivationKind::Sine, 0.2, 2},
       .param_scale = 0.5,
       .embedding_update = {.rate = 3, .every = 2, .skips_zeros = true}});
  add({.name = "plain_grid",
       .size = {51, 37, 1},
       .levels = {{32, {1, 1, 1}}, {32, {1, 1, 1}}},
       .batch = 1500,
       .input = {.n_frequencies = 0, .include_coordinates = false, .embedding = grid},
       .activation = {ActivationKind::Relu},
       .embedding_update = {.skips_zeros = true}});
  grid.levels = {{{3, 3, 2}, 48}, {{7, 6, 4}, 280}};
  add({.name = "video_grid_behind_the_encoding",
       .size = {24, 16, 9},
       .levels = {{32, {4, 4, 2}, {1, 1, 1}}, {32, {6, 4, 3}, {4, 4, 2}}},
       .batch = 600,
       .input = {.n_frequencies = 2, .embedding = grid}});
  EmbeddingSpec table;
  table.n_channels = 20;
  table.resolution = {6, 5};
  add({.name = "one_table", .size = {32, 32, 1}, .levels = {{16}}, .input = {.n_frequencies = 2, .embedding = table}});
  return cases;
}

inline Image image_for(const ProductCase& recipe) {
  return speckled_image(static_cast<int>(recipe.size[0]), static_cast<int>(recipe.size[1]), recipe.n_out,
                        PixelType::U8);
}

/// The case's signal, a picture or a video, and batches of it.
class ProductFixture {
 public:
  explicit ProductFixture(const ProductCase& recipe) : spec_(nested_network(recipe)) {
    const auto width = static_cast<int>(recipe.size[0]);
    const auto height = static_cast<int>(recipe.size[1]);
    const auto n_frames = static_cast<int>(recipe.size[2]);
    if (n_frames > 1) {
      video_ = speckled_video(width, height, n_frames, recipe.n_out, PixelType::U16);
      batch_ = std::make_unique<ProductBatch<Video>>(video_, spec_, recipe.batch, kSeed);
    } else {
      image_ = speckled_image(width, height, recipe.n_out, PixelType::U8);
      batch_ = std::make_unique<ProductBatch<Image>>(image_, spec_, recipe.batch, kSeed);
    }
  }

  const NetworkSpec& spec() const { return spec_; }
  PixelSource& batch() { return *batch_; }
  const ProductChunks& chunks() const { return batch_->product()->chunks(); }

 private:
  static constexpr uint64_t kSeed = 11;
  NetworkSpec spec_;
  Image image_;
  Video video_;
  std::unique_ptr<PixelSource> batch_;
};

}  // namespace loe::test
