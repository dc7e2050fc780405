// Networks with a constant input decode as a tree: the same bits as sample by sample, and fewer rows.
#include "backend/cpu/prefix_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "backend/cpu/level_groups.h"
#include "backend/network_builders.h"
#include "loe/backend/backend.h"
#include "loe/backend/routing.h"
#include "loe/nn/network.h"

namespace loe {
namespace {

using test::random_floats;
using test::random_params;

/// Table 1's kind of network, small: a constant input, levels on resolutions that grow by the tile's side.
NetworkConfig constant_network(LayoutKind layout, std::vector<int> widths, int tile_side) {
  NetworkConfig config;
  config.input = {.kind = InputKind::Constant};
  config.tiles.assign(widths.size(), Tile{{tile_side, tile_side, 1, 1}});
  config.layout.kind = layout;
  config.layout.seed = 5;
  double resolution = tile_side;
  for (std::size_t i = 0; i < widths.size(); ++i, resolution *= tile_side) {
    config.layout.resolutions.push_back({resolution, resolution, 1, 1});
  }
  config.widths = std::move(widths);
  return config;
}

/// The same network, told its constant by the caller: no backend can know that all samples have the same features.
NetworkSpec feature_twin(NetworkSpec spec) {
  spec.input = {.kind = InputKind::Features, .n_features = 1};
  return spec;
}

/// Coordinates of a w x h window of pixels, row by row, of a grid of `size`.
std::vector<float> window(int w, int h, int size) {
  std::vector<float> coords;
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      coords.push_back((static_cast<float>(x) + 0.5F) / static_cast<float>(size));
      coords.push_back((static_cast<float>(y) + 0.5F) / static_cast<float>(size));
    }
  }
  return coords;
}

bool has_tree(const Executor& executor) {
  const std::vector<KernelInfo> kernels = executor.kernels();
  return std::any_of(kernels.begin(), kernels.end(),
                     [](const KernelInfo& info) { return info.kernel.find("prefix tree") != std::string::npos; });
}

std::vector<uint32_t> bits(const std::vector<float>& values) {
  std::vector<uint32_t> words;
  for (const float value : values) words.push_back(std::bit_cast<uint32_t>(value));
  return words;
}

/// forward() of the tree and of the twin that goes sample by sample, on every instruction set and precision.
void expect_same_bits(const NetworkSpec& spec, const std::vector<float>& coords) {
  const int64_t n_samples = static_cast<int64_t>(coords.size()) / spec.n_dims;
  const std::vector<float> params = random_params(spec, 3);
  const std::vector<float> ones(n_samples, 1.0F);
  for (const std::string& isa : test::cpu_isas()) {
    for (const Precision precision : {Precision::F32, Precision::Mixed, Precision::Bf16}) {
      SCOPED_TRACE(isa + " " + to_string(precision));
      std::vector<float> by_tree(n_samples * spec.n_out(), -7);
      std::vector<float> by_sample(by_tree.size(), -8);
      const auto tree = cpu_backend().compile(spec, {precision, 2, isa});
      ASSERT_TRUE(has_tree(*tree));
      tree->set_params(params);
      tree->forward({n_samples, coords, {}}, by_tree);
      const auto twin = cpu_backend().compile(feature_twin(spec), {precision, 1, isa});
      ASSERT_FALSE(has_tree(*twin));
      twin->set_params(params);
      twin->forward({n_samples, coords, ones}, by_sample);
      EXPECT_TRUE(bits(by_tree) == bits(by_sample));
    }
  }
}

TEST(PrefixTree, SameBitsOnEveryLayout) {
  const std::vector<float> picture = window(50, 41, 512);
  const std::vector<float> scattered = random_floats(2 * 1500, -1, 2, 9);
  for (const LayoutKind kind : {LayoutKind::CoarseToFine, LayoutKind::FineToCoarse, LayoutKind::RandomPermute,
                                LayoutKind::RandomAffine, LayoutKind::Chunked, LayoutKind::Interleaved}) {
    SCOPED_TRACE(to_string(kind));
    const NetworkSpec spec = build_network(constant_network(kind, {40, 33, 16, 48}, 4));
    expect_same_bits(spec, picture);
    expect_same_bits(spec, scattered);
  }
}

TEST(PrefixTree, SameBitsOnOddNetworks) {
  const std::vector<float> coords = random_floats(2 * 333, 0, 1, 10);
  // Tiles that are no power of two, widths that are not multiples of anything.
  expect_same_bits(build_network(constant_network(LayoutKind::CoarseToFine, {17, 5, 130}, 3)), coords);
  expect_same_bits(build_network(constant_network(LayoutKind::CoarseToFine, {1}, 5)), coords);
  // Activations outside of the GEMM.
  NetworkConfig config = constant_network(LayoutKind::CoarseToFine, {19, 24}, 2);
  config.activation = {.kind = ActivationKind::Sine, .omega = 3};
  expect_same_bits(build_network(config), coords);
  // A head that is wider than dot products, and one with experts of its own.
  config = constant_network(LayoutKind::CoarseToFine, {19, 24}, 2);
  config.n_channels = 11;
  expect_same_bits(build_network(config), coords);
  const NetworkSpec spec =
      test::make_network({.input = {.kind = InputKind::Constant}, .widths = {24, 24}, .head_tile = {{3, 2, 1, 1}}});
  expect_same_bits(spec, coords);
  // One expert everywhere: a single row serves all samples.
  expect_same_bits(test::make_network({.input = {.kind = InputKind::Constant}, .widths = {24, 24}, .tile = {}}),
                   coords);
  expect_same_bits(
      test::make_network(
          {.n_dims = 3, .input = {.kind = InputKind::Constant}, .widths = {24, 16}, .tile = {{2, 3, 2, 1}}}),
      random_floats(3 * 700, 0, 1, 11));
}

TEST(PrefixTree, SameBitsForEveryBatchSize) {
  const NetworkSpec spec = build_network(constant_network(LayoutKind::CoarseToFine, {32, 24, 24}, 4));
  for (const int64_t n_samples : {0, 1, 2, 7, 511, 512, 513}) {
    SCOPED_TRACE(n_samples);
    expect_same_bits(spec, random_floats(2 * n_samples, 0, 1, 12));
  }
}

TEST(PrefixTree, SameBitsAfterTraining) {
  // The packed weights that the tree reads are those that a step leaves behind; and a smaller batch after a larger one
  // finds rows of the larger one in its buffers.
  const NetworkSpec spec = build_network(constant_network(LayoutKind::CoarseToFine, {32, 24}, 4));
  const auto executor = cpu_backend().compile(spec, {Precision::F32, 2, ""});
  ParamState state{random_params(spec, 1), std::vector<float>(spec.n_params()), std::vector<float>(spec.n_params())};
  executor->set_params(state.params);
  const std::vector<float> coords = random_floats(2 * 600, 0, 1, 13);
  const test::ArraySource source(coords, random_floats(3 * 600, 0, 1, 14), 600);
  std::vector<float> outputs(3 * 600);
  executor->forward({600, coords, {}}, outputs);
  executor->train_step(source, {.learning_rate = 0.01}, state);
  const std::vector<float> few(coords.begin() + 200, coords.begin() + 240);
  outputs.resize(3 * 20);
  executor->forward({20, few, {}}, outputs);

  const auto fresh = cpu_backend().compile(feature_twin(spec), {Precision::F32, 1, ""});
  fresh->set_params(state.params);
  std::vector<float> expected(outputs.size());
  fresh->forward({20, few, std::vector<float>(20, 1.0F)}, expected);
  EXPECT_EQ(outputs, expected);
}

TEST(PrefixTree, OnlyWhereAPathDecides) {
  const auto compiled_has_tree = [](const test::NetworkRecipe& recipe) {
    return has_tree(*cpu_backend().compile(test::make_network(recipe), {}));
  };
  EXPECT_TRUE(compiled_has_tree({.input = {.kind = InputKind::Constant}}));
  EXPECT_FALSE(compiled_has_tree({}));
  EXPECT_FALSE(compiled_has_tree({.input = {.kind = InputKind::Constant}, .interpolation = Interpolation::Linear}));
  // Linear over one expert blends nothing.
  EXPECT_TRUE(
      compiled_has_tree({.input = {.kind = InputKind::Constant}, .tile = {}, .interpolation = Interpolation::Linear}));
}

/// Node counts and parents against paths collected in a map.
void check_tree(const NetworkSpec& spec, const std::vector<float>& coords, const std::vector<int>& n_nodes) {
  const int n = static_cast<int>(coords.size()) / spec.n_dims;
  cpu::PrefixTree tree;
  tree.start(n);
  EXPECT_EQ(tree.n_nodes(), 1);
  std::vector<std::vector<int>> paths(n);
  std::vector<std::vector<int>> path_of_node(1);
  std::vector<int> scratch;
  for (std::size_t l = 0; l < spec.layers.size(); ++l) {
    SCOPED_TRACE(l);
    cpu::LevelGroups groups;
    groups.build(spec.layers[l], spec.n_dims, 1, coords.data(), n, scratch);
    EXPECT_FALSE(groups.is_merged());
    tree.descend(groups);
    ASSERT_TRUE(groups.is_merged());
    EXPECT_EQ(tree.n_nodes(), n_nodes[l]);
    std::vector<std::vector<int>> below;
    for (const cpu::Group& group : groups.groups()) {
      ASSERT_EQ(group.begin, static_cast<int>(below.size()));
      for (int row = group.begin; row < group.end; ++row) {
        below.push_back(path_of_node.at(groups.rows(group)[row - group.begin]));
        below.back().push_back(group.index);
      }
    }
    ASSERT_EQ(static_cast<int>(below.size()), tree.n_nodes());
    path_of_node = below;
    std::sort(below.begin(), below.end());
    EXPECT_TRUE(std::adjacent_find(below.begin(), below.end()) == below.end()) << "a path has two nodes";
    for (int i = 0; i < n; ++i) {
      paths[i].push_back(route_index(spec.layers[l], spec.n_dims, coords.data() + i * spec.n_dims));
      ASSERT_EQ(path_of_node.at(tree.node(i)), paths[i]) << i;
    }
  }
}

TEST(PrefixTree, NodesAreTheDistinctPaths) {
  // 16 x 16 pixels of 64 x 64 on grids of 4, 16 and 64 cells: one cell of the first.
  check_tree(build_network(constant_network(LayoutKind::CoarseToFine, {8, 8, 8}, 4)), window(16, 16, 64),
             {1, 16, 256, 256});
  check_tree(build_network(constant_network(LayoutKind::FineToCoarse, {8, 8, 8}, 4)), window(16, 16, 64),
             {16, 256, 256, 256});
  // A path repeats where it takes more than one level to tell two blocks apart: 64 pixels of a row, tiles of 2 x 2 on
  // grids of 2, 4 and 8 cells are 8 paths. The second window lies in one cell of each grid.
  check_tree(build_network(constant_network(LayoutKind::CoarseToFine, {8, 8, 8}, 2)), window(64, 1, 64), {2, 4, 8, 8});
  check_tree(build_network(constant_network(LayoutKind::CoarseToFine, {8, 8, 8}, 2)), window(8, 8, 64), {1, 1, 1, 1});
}

}  // namespace
}  // namespace loe
