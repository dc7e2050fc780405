#include "loe/nn/radiance_field.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

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

TEST(RadianceField, TheDensityAloneHasItsOwnParameters) {
  RadianceFieldConfig config = table_3(1);
  config.trunk.input.embedding = {{2, 2, 2, 0}, 3};
  const NetworkSpec field = build_radiance_field(config);
  const NetworkSpec density = density_network(field);
  EXPECT_EQ(density.n_features(), 0);
  EXPECT_EQ(density.n_out(), 1);
  std::vector<float> params(static_cast<std::size_t>(field.n_params()));
  std::iota(params.begin(), params.end(), 0.0F);
  const std::vector<float> own = density_params(field, params);
  ASSERT_EQ(static_cast<int64_t>(own.size()), density.n_params());
  for (const TensorInfo& info : density.tensors()) {
    for (const TensorInfo& from : field.tensors()) {
      if (from.name != info.name) continue;
      EXPECT_EQ(from.shape, info.shape);
      EXPECT_EQ(own[static_cast<std::size_t>(info.offset)], params[static_cast<std::size_t>(from.offset)]) << info.name;
      EXPECT_EQ(own[static_cast<std::size_t>(info.offset + info.size() - 1)],
                params[static_cast<std::size_t>(from.offset + from.size() - 1)])
          << info.name;
    }
  }
  EXPECT_THROW(density_network(build_network(config.trunk)), Error);
  EXPECT_THROW(density_network(density), Error);
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
