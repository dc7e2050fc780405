#include "loe/backend/network_spec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "backend/network_builders.h"
#include "loe/backend/backend.h"
#include "loe/base/error.h"

namespace loe {
namespace {

using test::make_network;
using test::NetworkRecipe;

// Counts of paper Table 5 (10 layers of 64, 2x2 tiles, L = 8) and Table 1 (4x4 tiles, L = 13).
TEST(NetworkSpec, CountsOfThePapersTables) {
  NetworkRecipe toy;
  toy.input.n_frequencies = 8;
  toy.widths.assign(9, 64);
  toy.n_out = 1;
  EXPECT_EQ(make_network(toy).n_in(), 34);
  EXPECT_EQ(make_network(toy).n_params(), 140417);
  EXPECT_EQ(make_network(toy).macs_per_sample(), 35008);
  toy.tile = {};
  EXPECT_EQ(make_network(toy).n_params(), 35585);

  NetworkRecipe pluto;
  pluto.input.n_frequencies = 13;
  pluto.widths = {512, 384, 256, 256, 256, 256, 256};
  pluto.tile = {{4, 4, 1, 1}};
  EXPECT_EQ(make_network(pluto).n_params(), 9358211);
  EXPECT_EQ(make_network(pluto).macs_per_sample(), 585472);
  pluto.interpolation = Interpolation::Linear;
  EXPECT_EQ(make_network(pluto).macs_per_sample(), 4 * 584704 + 768);
  pluto.input = {.kind = InputKind::Constant};
  EXPECT_EQ(make_network(pluto).n_params(), 8924035);
}

// "PE + CE" of Tables 1, 2 and 4. Table 1 prints 9.37M and a resolution of 256; only 261 gives that count.
TEST(NetworkSpec, TensorsOfGrids) {
  test::NetworkRecipe recipe;
  recipe.input = test::grid_input(test::grid_of(2, {4, 16}, 64, 3));
  const NetworkSpec spec = test::make_network(recipe);
  EXPECT_EQ(spec.n_in(), 6);
  const std::vector<TensorInfo> tensors = spec.tensors();
  const TensorInfo& dense = tensors[tensors.size() - 2];
  const TensorInfo& hashed = tensors.back();
  EXPECT_EQ(dense.name, "embedding.0.weight");
  EXPECT_EQ(dense.shape, (std::vector<int64_t>{5, 5, 3}));  // 4 x 3.5 cells
  EXPECT_EQ(dense.offset, spec.embedding_offset());
  EXPECT_EQ(hashed.name, "embedding.1.weight");
  EXPECT_EQ(hashed.shape, (std::vector<int64_t>{64, 3}));
  EXPECT_EQ(hashed.offset, spec.embedding_offset() + 75);
  EXPECT_EQ(spec.n_params(), spec.embedding_offset() + 75 + 192);
}

TEST(NetworkSpec, CountsOfEmbeddings) {
  NetworkRecipe pluto;
  pluto.input = {.n_frequencies = 13, .embedding = {{256, 256}, 128}};
  pluto.widths = {512, 384, 256, 256, 256, 256, 256};
  pluto.tile = {};
  EXPECT_EQ(make_network(pluto).n_in(), 54 + 128);
  EXPECT_EQ(make_network(pluto).n_params(), 9041795);
  EXPECT_EQ(make_network(pluto).macs_per_sample(), 651008);
  pluto.input.embedding.resolution = {261, 261};
  EXPECT_EQ(make_network(pluto).n_params(), 9372675);
  EXPECT_EQ(make_network(pluto).macs_per_sample(), 651008);

  NetworkRecipe video;
  video.n_dims = 3;
  video.input = {.n_frequencies = 9, .embedding = {{64, 64, 64}, 64}};
  video.widths = {256, 256, 256, 256, 256};
  video.tile = {};
  EXPECT_EQ(make_network(video).n_params(), 17072387);
  EXPECT_EQ(make_network(video).macs_per_sample(), 293888);
}

TEST(NetworkSpec, TheTableIsTheLastTensor) {
  NetworkRecipe recipe;
  recipe.n_dims = 3;
  recipe.tile = {};
  const NetworkSpec without = make_network(recipe);
  recipe.input.embedding = {{4, 5, 6}, 7};
  const NetworkSpec spec = make_network(recipe);
  const std::vector<TensorInfo> tensors = spec.tensors();
  ASSERT_EQ(tensors.size(), without.tensors().size() + 1);
  EXPECT_EQ(tensors.back().name, "embedding.weight");
  EXPECT_EQ(tensors.back().shape, (std::vector<int64_t>{6, 5, 4, 7}));
  EXPECT_EQ(tensors.back().offset, spec.embedding_offset());
  EXPECT_EQ(spec.embedding_offset() + 4 * 5 * 6 * 7, spec.n_params());
  EXPECT_EQ(spec.n_in(), without.n_in() + 7);
  EXPECT_EQ(spec.input.encoding_width(3), without.n_in());
  EXPECT_FALSE(spec == without);
  EXPECT_EQ(without.embedding_offset(), without.n_params());
  EXPECT_EQ(EmbeddingSpec{}.size(), 0);
}

TEST(NetworkSpec, TensorsTileTheFlatBuffer) {
  NetworkRecipe recipe;
  recipe.widths = {5, 7};
  recipe.tile = {{3, 2, 1, 1}};
  const NetworkSpec spec = make_network(recipe);
  const std::vector<TensorInfo> tensors = spec.tensors();
  ASSERT_EQ(tensors.size(), 6U);
  EXPECT_EQ(tensors[0].name, "levels.0.weight");
  EXPECT_EQ(tensors[0].shape, (std::vector<int64_t>{6, 5, 14}));
  EXPECT_EQ(tensors[3].name, "levels.1.bias");
  EXPECT_EQ(tensors[4].shape, (std::vector<int64_t>{3, 7}));
  int64_t offset = 0;
  for (const TensorInfo& tensor : tensors) {
    EXPECT_EQ(tensor.offset, offset);
    offset += tensor.size();
  }
  EXPECT_EQ(offset, spec.n_params());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(spec.weight_offset(i), tensors[2 * i].offset);
    EXPECT_EQ(spec.bias_offset(i), tensors[2 * i + 1].offset);
  }
}

/// validate() must name `field` in the message after `damage`.
void expect_refused(const std::string& field, const std::function<void(NetworkSpec&)>& damage) {
  NetworkSpec spec = make_network({});
  damage(spec);
  try {
    spec.validate();
    ADD_FAILURE() << "accepted a wrong " << field;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    EXPECT_NE(std::string(error.what()).find(field), std::string::npos) << error.what();
  }
}

TEST(NetworkSpec, ValidateNamesLayerAndField) {
  NetworkSpec fine = make_network({});
  expect_refused("layers", [](NetworkSpec& s) { s.layers.clear(); });
  expect_refused("layers", [](NetworkSpec& s) { s.layers.resize(65); });
  expect_refused("n_dims", [](NetworkSpec& s) { s.n_dims = 5; });
  expect_refused("n_dims", [](NetworkSpec& s) { s.n_dims = 0; });
  expect_refused("n_frequencies", [](NetworkSpec& s) { s.input.n_frequencies = 25; });
  expect_refused("frequency_scale", [](NetworkSpec& s) { s.input.frequency_scale = std::nan(""); });
  expect_refused("input", [](NetworkSpec& s) { s.input = {.n_frequencies = 0, .include_coordinates = false}; });
  for (const auto& range : {std::array<double, 2>{1, 1}, {2, -1}, {0, HUGE_VAL}, {std::nan(""), 1}, {-1e300, 1e300}}) {
    expect_refused("input.coordinate_range", [&](NetworkSpec& s) { s.input.coordinate_range = range; });
  }
  expect_refused("n_features", [](NetworkSpec& s) { s.input = {.kind = InputKind::Features}; });
  const auto with_table = [](const EmbeddingSpec& embedding) {
    return [embedding](NetworkSpec& s) {
      s.input.embedding = embedding;
      s.layers[0].n_in = s.n_in();
    };
  };
  with_table({{8, 8}, 3})(fine);
  EXPECT_NO_THROW(fine.validate());
  const auto with_levels = [&](const std::vector<GridLevel>& levels, int n_channels = 2) {
    return with_table({{}, n_channels, 1e-4, levels});
  };
  expect_refused("embedding.levels", with_levels({{{4, 4}, 25}}, 0));
  expect_refused("embedding.levels", with_levels(std::vector<GridLevel>(kMaxEmbeddingLevels + 1, {{4, 4}, 25})));
  expect_refused("embedding.levels[1].cells[0]", with_levels({{{4, 4}, 25}, {{0, 4}, 5}}));
  expect_refused("embedding.levels[0].cells[1]", with_levels({{{4, 65536}, 25}}));
  expect_refused("embedding.levels[0].cells[0]", with_levels({{{NAN, 4}, 5}}));
  expect_refused("embedding.levels[0].cells[2]", with_levels({{{4, 4, 4}, 125}}));
  for (const int64_t n_entries : {0, 1, 24, 26, 32, 64, -8}) {
    expect_refused("embedding.levels[0].n_entries", with_levels({{{4, 4}, n_entries}}));
  }
  expect_refused("embedding.resolution[0]", with_table({{8, 8}, 2, 1e-4, {{{4, 4}, 25}}}));
  expect_refused("embedding", with_levels({{{60000, 60000}, 60001LL * 60001}}));
  expect_refused("embedding.n_channels", with_table({{8, 8}, -1}));
  expect_refused("embedding.n_channels", with_table({{8, 8}, kMaxWidth + 1}));
  expect_refused("embedding.n_channels", with_table({{1, 1}, kMaxWidth}));  // and the encoding
  expect_refused("embedding.resolution[1]", with_table({{8, 0}, 3}));
  expect_refused("embedding.resolution[0]", with_table({{kMaxEmbeddingResolution + 1, 8}, 3}));
  expect_refused("embedding.resolution[2]", with_table({{8, 8, 8}, 3}));
  expect_refused("embedding.resolution[0]", with_table({{8, 8}, 0}));
  expect_refused("table", with_table({{65536, 65536}, 1}));
  expect_refused("embedding.init_bound", with_table({{8, 8}, 3, NAN}));
  expect_refused("embedding.init_bound", with_table({{8, 8}, 3, -1}));
  expect_refused("embedding", [](NetworkSpec& s) {
    s.input = {.kind = InputKind::Constant, .embedding = {{8, 8}, 3}};
  });
  expect_refused("name", [](NetworkSpec& s) {
    s.input.embedding = {{8, 8}, 3};
    s.layers[0].n_in = s.n_in();
    s.layers[1].name = "embedding";
  });
  expect_refused("levels.1\") n_in", [](NetworkSpec& s) { s.layers[1].n_in = 3; });
  expect_refused("levels.0\") n_in", [](NetworkSpec& s) { s.input.n_frequencies = 1; });
  expect_refused("head\") n_out", [](NetworkSpec& s) { s.layers[2].n_out = 0; });
  expect_refused("head\") n_out", [](NetworkSpec& s) { s.layers[2].n_out = kMaxWidth + 1; });
  expect_refused("tile[0]", [](NetworkSpec& s) { s.layers[0].tile.n[0] = 0; });
  expect_refused("tile[2]", [](NetworkSpec& s) { s.layers[0].tile.n[2] = 2; });
  expect_refused("tile", [](NetworkSpec& s) { s.layers[0].tile.n = {4096, 4096, 1, 1}; });
  expect_refused("grid.a[0][1]", [](NetworkSpec& s) { s.layers[1].grid.a[0][1] = INFINITY; });
  expect_refused("grid.a[2][2]", [](NetworkSpec& s) { s.layers[1].grid.a[2][2] = 4; });
  expect_refused("grid.b[1]", [](NetworkSpec& s) { s.layers[1].grid.b[1] = 1e300; });
  expect_refused("slope", [](NetworkSpec& s) { s.layers[0].activation.slope = 1; });
  expect_refused("omega", [](NetworkSpec& s) { s.layers[0].activation = {ActivationKind::Sine, 0.2, NAN}; });
  expect_refused("node_offset", [](NetworkSpec& s) { s.layers[0].node_offset = NAN; });
  expect_refused("interpolation", [](NetworkSpec& s) { s.layers[0].interpolation = static_cast<Interpolation>(7); });
  expect_refused("activation", [](NetworkSpec& s) { s.layers[0].activation.kind = static_cast<ActivationKind>(99); });
  expect_refused("name", [](NetworkSpec& s) { s.layers[1].name = "levels.0"; });
  expect_refused("levels.1\") from", [](NetworkSpec& s) { s.layers[1].from = 1; });
  expect_refused("levels.1\") from", [](NetworkSpec& s) { s.layers[1].from = -2; });
  expect_refused("levels.1\") n_features", [](NetworkSpec& s) { s.layers[1].n_features = -1; });
  expect_refused("levels.1\") n_in", [](NetworkSpec& s) { s.layers[1].n_features = 3; });
  expect_refused("outputs", [](NetworkSpec& s) { s.outputs = {3}; });
  expect_refused("outputs", [](NetworkSpec& s) { s.outputs = {2, 2}; });
  expect_refused("both", [](NetworkSpec& s) { s.outputs = {2, 1}; });
  expect_refused("neither", [](NetworkSpec& s) { s.layers[2].from = 0; });
  expect_refused("residual", [](NetworkSpec& s) { s.layers[1].residual = 1; });
  expect_refused("residual", [](NetworkSpec& s) { s.layers[1].residual = -2; });
  expect_refused("same width", [](NetworkSpec& s) { s.layers[2].residual = 0; });
  expect_refused("name", [](NetworkSpec& s) { s.layers[1].name.clear(); });
}

TEST(NetworkSpec, BranchesShareALevelAndJoinTheirOutputs) {
  NetworkRecipe recipe;
  recipe.side_features = 27;
  const NetworkSpec spec = make_network(recipe);  // two levels of 16, density, color.0 of 19, color.1
  EXPECT_EQ(spec.n_out(), 4);
  EXPECT_EQ(spec.output_layers(), (std::vector<int>{4, 2}));
  EXPECT_EQ(spec.source_of(0), -1);
  EXPECT_EQ(spec.source_of(2), 1);
  EXPECT_EQ(spec.source_of(3), 1);
  EXPECT_EQ(spec.source_of(4), 3);
  EXPECT_EQ(spec.n_features(), 27);
  EXPECT_EQ(spec.feature_offset(3), 0);
  EXPECT_EQ(spec.layers[3].n_in, 16 + 27);
  EXPECT_EQ(make_network({}).output_layers(), std::vector<int>{2});
}

TEST(NetworkSpec, AResidualIsARead) {
  NetworkRecipe recipe;
  recipe.widths = {24};
  recipe.n_latents = 5;
  recipe.residual_blocks = {24, 16};
  NetworkSpec spec = make_network(recipe);  // level; two of the first block; shortcut and two of the second; head
  ASSERT_EQ(spec.layers.size(), 7U);
  EXPECT_EQ(spec.n_features(), 5);
  EXPECT_EQ(spec.layers[2].residual, 0);
  EXPECT_EQ(spec.source_of(3), 2);
  EXPECT_EQ(spec.source_of(4), 2);
  EXPECT_EQ(spec.layers[5].residual, 3);
  EXPECT_EQ(spec.macs_per_sample(), (14 + 5) * 24 + 2 * 24 * 24 + 24 * 16 + 24 * 16 + 16 * 16 + 16 * 3);
  EXPECT_EQ(spec.bias_offset(3), spec.weight_offset(4));  // the shortcut has none
  EXPECT_EQ(spec.tensors().size(), 13U);
  spec.layers[5].residual = kNoResidual;  // nobody wants the shortcut
  EXPECT_THROW(spec.validate(), Error);
}

TEST(NetworkSpec, NamesGoBothWays) {
  for (const Interpolation value : {Interpolation::Nearest, Interpolation::Linear}) {
    EXPECT_EQ(interpolation_from_string(to_string(value)), value);
  }
  for (int kind = 0; kind <= static_cast<int>(ActivationKind::Softplus); ++kind) {
    EXPECT_EQ(static_cast<int>(activation_kind_from_string(to_string(static_cast<ActivationKind>(kind)))), kind);
  }
  for (const InputKind value : {InputKind::Encoding, InputKind::Constant, InputKind::Features}) {
    EXPECT_EQ(input_kind_from_string(to_string(value)), value);
  }
  for (const Precision value : {Precision::F32, Precision::Mixed, Precision::Bf16}) {
    EXPECT_EQ(precision_from_string(to_string(value)), value);
  }
  try {
    activation_kind_from_string("gelu");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "[network] activation: expected one of identity, leaky_relu, relu, sine, sigmoid, tanh, softplus, got "
                 "\"gelu\"");
  }
}

TEST(Registry, FindsBackendsByName) {
  EXPECT_EQ(find_backend("reference").name(), "reference");
  EXPECT_EQ(find_backend("cpu").name(), "cpu");
  EXPECT_EQ(&find_backend("auto"), &find_backend(why_no_cuda().empty() ? "cuda" : "cpu"));
  for (const std::string& device : available_devices()) {
    EXPECT_EQ(find_backend(device).name(), device);
  }
  if (!why_no_cuda().empty()) {
    try {
      find_backend("cuda");
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Unsupported);
      EXPECT_EQ(error.what(), "[backend] device cuda: " + why_no_cuda());
    }
  }
  try {
    find_backend("tpu");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Unsupported);
    const std::string cuda = why_no_cuda().empty() ? "cuda, " : "";
    EXPECT_EQ(error.what(), "[backend] device: expected one of auto, cpu, " + cuda + "reference, got \"tpu\"");
  }
}

}  // namespace
}  // namespace loe
