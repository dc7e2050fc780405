#include "loe/nn/generator.h"

#include <gtest/gtest.h>

#include <cmath>

#include "loe/base/error.h"

namespace loe {
namespace {

/// Reconstruction G-A of the paper's Table 4 (docs/paper.md): `n` x `n` experts in the first layer of each block.
GeneratorConfig table_4(int n) {
  GeneratorConfig config;
  config.trunk.input.n_frequencies = 8;
  config.trunk.widths = {512, 256, 256, 256, 256, 256, 256, 256};
  config.trunk.tiles.assign(8, Tile{{n, n, 1, 1}});
  config.trunk.tiles[0] = {};
  for (const double r : {1, 6, 12, 24, 48, 96, 192, 256}) config.trunk.layout.resolutions.push_back({r, r, 1, 1});
  config.trunk.output_range = {-1, 1};
  return config;
}

TEST(Generator, CountsOfTable4) {
  const NetworkSpec ours = build_generator(table_4(6));
  EXPECT_EQ(ours.n_params(), 19617539);
  EXPECT_EQ(ours.macs_per_sample(), 1263360);
  GeneratorConfig with_embedding = table_4(1);
  with_embedding.trunk.input.embedding = {{256, 256}, 256};
  const NetworkSpec embedded = build_generator(with_embedding);
  // The paper prints 19.9 M for this row; no reading of its text gives that together with the MACs.
  EXPECT_EQ(embedded.n_params(), 18175747);
  EXPECT_EQ(embedded.macs_per_sample(), 1394432);
}

TEST(Generator, BlocksAddTheirInput) {
  const NetworkSpec spec = build_generator(table_4(6));
  ASSERT_EQ(spec.layers.size(), 1U + 3 + 6 * 2 + 1);
  EXPECT_EQ(spec.n_features(), 256);
  EXPECT_EQ(spec.layers[0].n_in, 34 + 256);
  EXPECT_EQ(spec.layers[1].name, "blocks.0.shortcut");
  EXPECT_FALSE(spec.layers[1].has_bias);
  EXPECT_EQ(spec.source_of(2), 0);
  EXPECT_EQ(spec.layers[2].n_experts(), 36);
  EXPECT_EQ(spec.layers[3].residual, 1);
  EXPECT_EQ(spec.layers[3].n_experts(), 1);
  EXPECT_EQ(spec.layers[5].name, "blocks.1.1");
  EXPECT_EQ(spec.layers[5].residual, 3);
  EXPECT_EQ(spec.layers.back().activation.kind, ActivationKind::Tanh);
  EXPECT_EQ(spec.output.scale, 0.5);
  EXPECT_EQ(spec.output.offset, 0.5);
}

TEST(Generator, RefusesWhatMakesNoGenerator) {
  GeneratorConfig config = table_4(6);
  config.n_latents = 0;
  EXPECT_THROW(build_generator(config), Error);
  config = table_4(6);
  config.trunk.tiles.pop_back();
  EXPECT_THROW(build_generator(config), Error);
}

}  // namespace
}  // namespace loe
