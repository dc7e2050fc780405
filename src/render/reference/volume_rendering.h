// Volume rendering of one ray as eq. 6 reads, in double: the oracle of the tests.
#pragma once

#include <array>
#include <vector>

namespace loe::reference {

struct Ray {
  std::vector<double> t;
  std::vector<double> delta;
  std::vector<double> sigma;
  std::vector<std::array<double, 3>> color;
  std::array<double, 3> background{};
};

struct RayOutput {
  std::array<double, 3> color{};
  double opacity = 0;
  double depth = 0;
  double transmittance = 1;     ///< behind the last sample
  std::vector<double> weights;  ///< w_i
};

/// C = sum_i T_i (1 - exp(-sigma_i delta_i)) c_i + (1 - opacity) background, T_i = exp(-sum_{j<i} sigma_j delta_j).
/// Each T_i is summed from the start: O(n^2).
RayOutput volume_render(const Ray& ray);

struct RayGradient {
  std::vector<double> sigma;
  std::vector<std::array<double, 3>> color;
};

/// dL/dsigma_i and dL/dc_i from the full Jacobian dw_j / dsigma_i: O(n^2).
RayGradient volume_render_backward(const Ray& ray, const std::array<double, 3>& d_color, double d_opacity,
                                   double d_depth);

}  // namespace loe::reference
