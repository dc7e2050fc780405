#include "render/reference/volume_rendering.h"

#include <cmath>

namespace loe::reference {
namespace {

/// T_i; i = n is the transmittance behind the last sample.
double transmittance(const Ray& ray, std::size_t i) {
  double depth = 0;
  for (std::size_t j = 0; j < i; ++j) {
    depth += ray.sigma[j] * ray.delta[j];
  }
  return std::exp(-depth);
}

}  // namespace

RayOutput volume_render(const Ray& ray) {
  const std::size_t n = ray.sigma.size();
  RayOutput output;
  output.transmittance = transmittance(ray, n);
  for (std::size_t i = 0; i < n; ++i) {
    const double weight = transmittance(ray, i) * -std::expm1(-ray.sigma[i] * ray.delta[i]);
    output.weights.push_back(weight);
    output.opacity += weight;
    output.depth += weight * ray.t[i];
    for (std::size_t c = 0; c < 3; ++c) {
      output.color[c] += weight * ray.color[i][c];
    }
  }
  for (std::size_t c = 0; c < 3; ++c) {
    output.color[c] += (1 - output.opacity) * ray.background[c];
  }
  return output;
}

RayGradient volume_render_backward(const Ray& ray, const std::array<double, 3>& d_color, double d_opacity,
                                   double d_depth) {
  const std::size_t n = ray.sigma.size();
  const RayOutput output = volume_render(ray);
  RayGradient gradient;
  gradient.sigma.assign(n, 0.0);
  gradient.color.resize(n);
  for (std::size_t j = 0; j < n; ++j) {
    double d_weight = d_opacity + d_depth * ray.t[j];
    for (std::size_t c = 0; c < 3; ++c) {
      d_weight += d_color[c] * (ray.color[j][c] - ray.background[c]);
      gradient.color[j][c] = output.weights[j] * d_color[c];
    }
    // w_j depends on sigma_j through its own opacity and on every earlier sigma_i through T_j.
    gradient.sigma[j] += d_weight * ray.delta[j] * transmittance(ray, j + 1);
    for (std::size_t i = 0; i < j; ++i) {
      gradient.sigma[i] -= d_weight * ray.delta[i] * output.weights[j];
    }
  }
  return gradient;
}

}  // namespace loe::reference
