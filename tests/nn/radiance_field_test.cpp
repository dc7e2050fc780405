#include "loe/nn/radiance_field.h"

#include <gtest/gtest.h>

#include <cmath>

#include "loe/base/error.h"

namespace loe {
namespace {

/// Table 3 of the paper; n experts per axis.
RadianceFieldConfig table_3(int n) {
  RadianceFieldConfig config;
  config.trunk.n_dims = 3;
  config.trunk.input.n_frequencies = 10;
  for (int level = 1; level <= 5; ++level) {
    const double resolution = std::pow(4.0, level);
    config.trunk.widths.push_back(256);
    config.trunk.tiles.push_back(Tile{{n, n, n, 1}});
    config.trunk.layout.resolutions.push_back({resolution, resolution, resolution, 1});
  }
  return config;
}

TEST(RadianceField, CountsOfTable3) {
  const NetworkSpec plain = build_radiance_field(table_3(1));
  EXPECT_EQ(plain.n_params(), 316548);
  EXPECT_EQ(plain.macs_per_sample(), 315136);
  const NetworkSpec ours = build_radiance_field(table_3(4));
  EXPECT_EQ(ours.n_params(), 17847684);
  EXPECT_EQ(ours.macs_per_sample(), 315136);
}

TEST(RadianceField, DensityAndColourReadTheLastLevel) {
  const NetworkSpec spec = build_radiance_field(table_3(4));
  ASSERT_EQ(spec.layers.size(), 8U);
  EXPECT_EQ(spec.source_of(5), 4);  // density
  EXPECT_EQ(spec.source_of(6), 4);  // color.0
  EXPECT_EQ(spec.source_of(7), 6);  // color.1
  EXPECT_EQ(spec.output_layers(), (std::vector<int>{7, 5}));
  EXPECT_EQ(spec.n_out(), 4);
  EXPECT_EQ(spec.n_features(), 27);
  EXPECT_EQ(spec.layers[6].activation.kind, ActivationKind::LeakyRelu);
  EXPECT_EQ(spec.layers[5].activation.kind, ActivationKind::Identity);
  EXPECT_EQ(spec.output, OutputSpec{});
}

TEST(RadianceField, RefusesOtherDimensionsAndWidths) {
  RadianceFieldConfig flat = table_3(1);
  flat.trunk.n_dims = 2;
  EXPECT_THROW(build_radiance_field(flat), Error);
  RadianceFieldConfig thin = table_3(1);
  thin.color_width = 0;
  EXPECT_THROW(build_radiance_field(thin), Error);
  RadianceFieldConfig many = table_3(1);
  many.n_direction_frequencies = -1;
  EXPECT_THROW(build_radiance_field(many), Error);
}

}  // namespace
}  // namespace loe
