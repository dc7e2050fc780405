#include "loe/render/volume_rendering.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "loe/backend/activation.h"
#include "loe/backend/radiance.h"
#include "loe/base/error.h"
#include "render/check.h"
#include "render/fast_exp.h"
#include "render/ray_loop.h"

namespace loe {
namespace {

constexpr const char* kPart = "volume_rendering";
constexpr float kInfiniteDelta = 1e10F;  ///< published NeRF's

void check_samples(const RaySamples& samples) {
  const int64_t n_samples = static_cast<int64_t>(samples.sigma.size());
  require_offsets(kPart, samples.offsets, n_samples);
  require_size(kPart, "t", samples.t.size(), n_samples);
  require_size(kPart, "delta", samples.delta.size(), n_samples);
  require_size(kPart, "color", samples.color.size(), n_samples * 3);
}

void check_background(std::span<const float> background, int64_t n_rays) {
  if (!background.empty() && background.size() != 3) {
    require_size(kPart, "background", background.size(), n_rays * 3);
  }
}

void check_optional(const char* thing, std::size_t size, int64_t n_rays) {
  if (size != 0) {
    require_size(kPart, thing, size, n_rays);
  }
}

std::array<float, 3> background_of(std::span<const float> background, int64_t ray) {
  if (background.empty()) {
    return {0, 0, 0};
  }
  const float* value = background.data() + (background.size() == 3 ? 0 : ray * 3);
  return {value[0], value[1], value[2]};
}

/// depth_before[i] = A_i, rounded once.
void optical_depth_before(const float* sigma, const float* delta, int64_t n, float* depth_before) {
  double depth = 0;
  for (int64_t i = 0; i < n; ++i) {
    depth_before[i] = static_cast<float>(depth);
    depth += static_cast<double>(sigma[i] * delta[i]);
  }
}

void render_ray(const RaySamples& samples, std::span<const float> background, const RayOutputs& outputs, int64_t ray) {
  const int64_t begin = samples.offsets[ray];
  const int64_t n = samples.offsets[ray + 1] - begin;
  const float* sigma = samples.sigma.data() + begin;
  const float* delta = samples.delta.data() + begin;
  const float* t = samples.t.data() + begin;
  const float* color = samples.color.data() + begin * 3;
  float* weights = outputs.weights.data() + begin;
  optical_depth_before(sigma, delta, n, weights);
  for (int64_t i = 0; i < n; ++i) {  // vectorised
    weights[i] = exp_of_minus(weights[i]) * one_minus_exp_of_minus(sigma[i] * delta[i]);
  }
  double opacity = 0;
  double depth = 0;
  std::array<double, 3> sum{};
  for (int64_t i = 0; i < n; ++i) {
    const double weight = static_cast<double>(weights[i]);
    opacity += weight;
    depth += weight * static_cast<double>(t[i]);
    for (int c = 0; c < 3; ++c) {
      sum[c] += weight * static_cast<double>(color[i * 3 + c]);
    }
  }
  // The weights' roundings may add up to a little more than 1.
  opacity = opacity > 1.0 ? 1.0 : opacity;
  const std::array<float, 3> behind = background_of(background, ray);
  for (int c = 0; c < 3; ++c) {
    outputs.color[ray * 3 + c] = static_cast<float>(sum[c] + (1.0 - opacity) * static_cast<double>(behind[c]));
  }
  outputs.opacity[ray] = static_cast<float>(opacity);
  if (!outputs.depth.empty()) {
    outputs.depth[ray] = static_cast<float>(depth);
  }
}

struct BackwardArguments {
  const RaySamples& samples;
  std::span<const float> background;
  std::span<const float> weights;
  const RayGradients& gradients;
  std::span<float> d_sigma;
  std::span<float> d_color;
};

void backward_ray(const BackwardArguments& arguments, int64_t ray) {
  const RaySamples& samples = arguments.samples;
  const int64_t begin = samples.offsets[ray];
  const int64_t n = samples.offsets[ray + 1] - begin;
  const float* sigma = samples.sigma.data() + begin;
  const float* delta = samples.delta.data() + begin;
  const float* color = samples.color.data() + begin * 3;
  const float* weights = arguments.weights.data() + begin;
  float* d_sigma = arguments.d_sigma.data() + begin;
  float* d_color = arguments.d_color.data() + begin * 3;
  const std::array<float, 3> behind = background_of(arguments.background, ray);
  const float* d_pixel = arguments.gradients.color.data() + ray * 3;
  const auto optional = [ray](std::span<const float> values) {
    return values.empty() ? 0.0 : static_cast<double>(values[ray]);
  };
  const double d_depth = optional(arguments.gradients.depth);
  double constant = optional(arguments.gradients.opacity);
  for (int c = 0; c < 3; ++c) {
    constant -= static_cast<double>(d_pixel[c]) * static_cast<double>(behind[c]);
  }
  // T_{i+1}, computed where dL/dsigma_i will be.
  optical_depth_before(sigma, delta, n, d_sigma);
  for (int64_t i = 0; i < n; ++i) {  // vectorised
    d_sigma[i] = exp_of_minus(d_sigma[i] + sigma[i] * delta[i]);
  }
  double later = 0;  // sum_{j>i} w_j s_j
  for (int64_t i = n - 1; i >= 0; --i) {
    double s = constant + d_depth * static_cast<double>(samples.t[begin + i]);
    for (int c = 0; c < 3; ++c) {
      s += static_cast<double>(d_pixel[c]) * static_cast<double>(color[i * 3 + c]);
      d_color[i * 3 + c] = weights[i] * d_pixel[c];
    }
    const double d_optical_depth = static_cast<double>(d_sigma[i]) * s - later;
    d_sigma[i] = static_cast<float>(static_cast<double>(delta[i]) * d_optical_depth);
    later += static_cast<double>(weights[i]) * s;
  }
}

}  // namespace

std::vector<int64_t> uniform_offsets(int64_t n_rays, int64_t n_samples) {
  std::vector<int64_t> offsets(static_cast<std::size_t>(n_rays) + 1);
  for (int64_t ray = 0; ray <= n_rays; ++ray) {
    offsets[ray] = ray * n_samples;
  }
  return offsets;
}

void volume_render(const RaySamples& samples, std::span<const float> background, const RayOutputs& outputs,
                   ThreadPool* pool) {
  check_samples(samples);
  const int64_t n_rays = samples.n_rays();
  check_background(background, n_rays);
  require_size(kPart, "output color", outputs.color.size(), n_rays * 3);
  require_size(kPart, "output opacity", outputs.opacity.size(), n_rays);
  check_optional("output depth", outputs.depth.size(), n_rays);
  require_size(kPart, "output weights", outputs.weights.size(), static_cast<int64_t>(samples.sigma.size()));
  for_each_ray(pool, n_rays, [&](int64_t ray) { render_ray(samples, background, outputs, ray); });
}

void volume_render_backward(const RaySamples& samples, std::span<const float> background,
                            std::span<const float> weights, const RayGradients& gradients, std::span<float> d_sigma,
                            std::span<float> d_color, ThreadPool* pool) {
  check_samples(samples);
  const int64_t n_rays = samples.n_rays();
  const int64_t n_samples = static_cast<int64_t>(samples.sigma.size());
  check_background(background, n_rays);
  require_size(kPart, "weights", weights.size(), n_samples);
  require_size(kPart, "gradient of color", gradients.color.size(), n_rays * 3);
  check_optional("gradient of opacity", gradients.opacity.size(), n_rays);
  check_optional("gradient of depth", gradients.depth.size(), n_rays);
  require_size(kPart, "d_sigma", d_sigma.size(), n_samples);
  require_size(kPart, "d_color", d_color.size(), n_samples * 3);
  const BackwardArguments arguments{samples, background, weights, gradients, d_sigma, d_color};
  for_each_ray(pool, n_rays, [&arguments](int64_t ray) { backward_ray(arguments, ray); });
}

void sample_intervals(std::span<const int64_t> offsets, std::span<const float> t, std::span<const float> near,
                      std::span<const float> far, LastInterval last, std::span<float> delta) {
  const int64_t n_samples = static_cast<int64_t>(t.size());
  require_offsets(kPart, offsets, n_samples);
  const int64_t n_rays = static_cast<int64_t>(offsets.size()) - 1;
  require_size(kPart, "near", near.size(), n_rays);
  require_size(kPart, "far", far.size(), n_rays);
  require_size(kPart, "delta", delta.size(), n_samples);
  for (int64_t ray = 0; ray < n_rays; ++ray) {
    const int64_t begin = offsets[ray];
    const int64_t end = offsets[ray + 1];
    if (begin == end) {
      continue;
    }
    if (!(near[ray] < far[ray])) {
      std::fill(delta.begin() + begin, delta.begin() + end, 0.0F);
      continue;
    }
    for (int64_t i = begin; i + 1 < end; ++i) {
      delta[i] = std::max(0.0F, t[i + 1] - t[i]);
    }
    delta[end - 1] = last == LastInterval::Infinite ? kInfiniteDelta : std::max(0.0F, far[ray] - t[end - 1]);
  }
}

void count_visible_samples(const RaySamples& samples, float threshold, std::span<int64_t> counts) {
  const int64_t n_samples = static_cast<int64_t>(samples.sigma.size());
  require_offsets(kPart, samples.offsets, n_samples);
  require_size(kPart, "delta", samples.delta.size(), n_samples);
  require_size(kPart, "counts", counts.size(), samples.n_rays());
  if (!(threshold >= 0 && threshold <= 1)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[{}] threshold: expected 0..1, got {}; 1e-4 is usual", kPart, threshold));
  }
  // T_i >= threshold exactly if A_i <= -log(threshold): no exponential per sample.
  const double deepest = -std::log(static_cast<double>(threshold));
  for (int64_t ray = 0; ray < samples.n_rays(); ++ray) {
    double depth = 0;
    int64_t i = samples.offsets[ray];
    while (i < samples.offsets[ray + 1] && depth <= deepest) {
      depth += static_cast<double>(samples.sigma[i] * samples.delta[i]);
      ++i;
    }
    counts[ray] = i - samples.offsets[ray];
  }
}

void activate_density(DensityActivation activation, float shift, std::span<const float> raw, std::span<float> sigma) {
  require_size(kPart, "sigma", sigma.size(), static_cast<int64_t>(raw.size()));
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const float x = raw[i] + shift;
    // Written so that a NaN stays a NaN.
    sigma[i] = activation == DensityActivation::Relu ? (x < 0 ? 0.0F : x) : softplus(x);
  }
}

void activate_density_backward(DensityActivation activation, float shift, std::span<const float> raw,
                               std::span<const float> d_sigma, std::span<float> d_raw) {
  require_size(kPart, "d_sigma", d_sigma.size(), static_cast<int64_t>(raw.size()));
  require_size(kPart, "d_raw", d_raw.size(), static_cast<int64_t>(raw.size()));
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const float x = raw[i] + shift;
    d_raw[i] = activation == DensityActivation::Relu ? (x > 0 ? d_sigma[i] : 0.0F) : d_sigma[i] * sigmoid(x);
  }
}

void activate_color(std::span<const float> raw, std::span<float> color, ColorActivation activation) {
  require_size(kPart, "color", color.size(), static_cast<int64_t>(raw.size()));
  for (std::size_t i = 0; i < raw.size(); ++i) {
    color[i] = activation == ColorActivation::Sinh ? radiance(raw[i]) : sigmoid(raw[i]);
  }
}

void activate_color_backward(std::span<const float> color, std::span<const float> d_color, std::span<float> d_raw,
                             ColorActivation activation) {
  require_size(kPart, "d_color", d_color.size(), static_cast<int64_t>(color.size()));
  require_size(kPart, "d_raw", d_raw.size(), static_cast<int64_t>(color.size()));
  for (std::size_t i = 0; i < color.size(); ++i) {
    const float c = color[i];
    d_raw[i] = d_color[i] * (activation == ColorActivation::Sinh ? radiance_slope(c) : c * (1.0F - c));
  }
}

}  // namespace loe
