// The network of a radiance field: density from the position, colour from position and viewing direction.
#pragma once

#include <span>
#include <vector>

#include "loe/backend/network_spec.h"
#include "loe/nn/network.h"

namespace loe {

/// gamma(p) -> levels -> features; features -> density (1 number, raw: its activation belongs to the rendering);
/// [features, gamma(d)] -> color_width -> phi -> 3 (raw). The paper's Table 3 has five levels of 256, L = 10 for the
/// position, L = 4 for the direction and a colour layer of 128: 316,548 parameters plain, 17,847,684 with 4 x 4 x 4
/// experts in every level, 315,136 MACs. Its Fig. 9 is lost; these counts agree with all three that are printed.
struct RadianceFieldConfig {
  /// Levels and encoding of the position; n_dims must be 3, n_channels and output_range are not used.
  NetworkConfig trunk;
  int n_direction_frequencies = 4;  ///< L of gamma(d), 0..24; d itself is always in front
  int color_width = 128;            ///< 1..kMaxWidth
};

/// Layers "levels.<i>", "density", "color.0", "color.1"; outputs [red, green, blue, density], all raw; the features of
/// "color.0" are encode_direction(). Error(InvalidArgument) naming the field.
NetworkSpec build_radiance_field(const RadianceFieldConfig& config);

/// The field without what only its colours need: gamma(p) -> levels -> density, its one output; no features. The
/// density has the same bits. Error(InvalidArgument) if the network is not build_radiance_field's.
NetworkSpec density_network(const NetworkSpec& field);
/// Its parameters, out of the field's n_params().
std::vector<float> density_params(const NetworkSpec& field, std::span<const float> params);

/// How a direction is encoded: its three components, then sin(2^k d), cos(2^k d), k < L (published NeRF has no factor).
InputSpec direction_input(const RadianceFieldConfig& config);

}  // namespace loe
