// Volume rendering against eq. 6 in double, closed forms, finite differences, and its edges.
#include "loe/render/volume_rendering.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "loe/base/error.h"
#include "render/random_rays.h"

namespace loe {
namespace {

constexpr double kRounding = 0x1p-24;

struct Rendered {
  std::vector<float> color, opacity, depth, weights;
  explicit Rendered(const TestRays& rays)
      : color(rays.n_rays() * 3), opacity(rays.n_rays()), depth(rays.n_rays()), weights(rays.t.size()) {}
  RayOutputs outputs() { return {color, opacity, depth, weights}; }
};

Rendered render(const TestRays& rays, ThreadPool* pool = nullptr) {
  Rendered rendered(rays);
  volume_render(rays.samples(), rays.background, rendered.outputs(), pool);
  return rendered;
}

/// A ray of n equal samples over length L.
TestRays even_ray(int n, float sigma, float length) {
  TestRays rays;
  rays.offsets = {0, n};
  for (int i = 0; i < n; ++i) {
    rays.t.push_back((static_cast<float>(i) + 0.5F) * length / static_cast<float>(n));
    rays.delta.push_back(length / static_cast<float>(n));
    rays.sigma.push_back(sigma);
    rays.color.insert(rays.color.end(), {0.25F, 0.5F, 0.75F});
  }
  rays.background = {1, 1, 1};
  return rays;
}

TEST(VolumeRendering, AgreesWithTheReference) {
  const TestRays rays = random_rays(200, 300, 1);
  const Rendered rendered = render(rays);
  for (int64_t r = 0; r < rays.n_rays(); ++r) {
    const reference::RayOutput exact = reference::volume_render(rays.ray(r));
    // w_i = exp(-A_i) (1 - exp(-x_i)): x_i is one rounding off, A_i two, each exponential four, their product one.
    double depth_before = 0;
    double opacity_error = kRounding;
    double depth_error = kRounding * exact.depth;
    for (int64_t i = rays.offsets[r]; i < rays.offsets[r + 1]; ++i) {
      const double weight = exact.weights[i - rays.offsets[r]];
      const double error = (10 + 2 * depth_before) * kRounding * weight;
      ASSERT_NEAR(rendered.weights[i], weight, error + 1e-37) << "ray " << r << ", sample " << i;
      opacity_error += error;
      depth_error += error * rays.t[i];
      depth_before += static_cast<double>(rays.sigma[i]) * rays.delta[i];
    }
    ASSERT_LT(opacity_error, 15 * kRounding);  // A_i is about 1 where the weight is
    ASSERT_NEAR(rendered.opacity[r], exact.opacity, opacity_error);
    ASSERT_NEAR(rendered.depth[r], exact.depth, depth_error);
    for (int c = 0; c < 3; ++c) {
      ASSERT_NEAR(rendered.color[r * 3 + c], exact.color[c], 2 * opacity_error) << "ray " << r;
    }
  }
}

TEST(VolumeRendering, WeightsAndTransmittanceSumToOne) {
  const TestRays rays = random_rays(300, 400, 2);
  const Rendered rendered = render(rays);
  for (int64_t r = 0; r < rays.n_rays(); ++r) {
    double sum = reference::volume_render(rays.ray(r)).transmittance;
    for (int64_t i = rays.offsets[r]; i < rays.offsets[r + 1]; ++i) {
      ASSERT_GE(rendered.weights[i], 0.0F);
      sum += static_cast<double>(rendered.weights[i]);
    }
    ASSERT_NEAR(sum, 1.0, 14 * kRounding) << "ray " << r;
  }
}

TEST(VolumeRendering, ConstantDensityHasAClosedForm) {
  for (const int n : {1, 7, 1000}) {
    for (const float sigma : {0.0F, 1e-6F, 0.3F, 4.0F, 50.0F}) {
      const TestRays rays = even_ray(n, sigma, 2.0F);
      const Rendered rendered = render(rays);
      const double opacity = -std::expm1(-2.0 * sigma);
      // delta = 2 / n and its n copies are one rounding off each.
      const double tolerance = 16 * kRounding * opacity + 1e-30;
      EXPECT_NEAR(rendered.opacity[0], opacity, tolerance) << n << " samples of " << sigma;
      EXPECT_NEAR(rendered.color[0], 0.25 * opacity + (1 - opacity), tolerance + kRounding);
      EXPECT_NEAR(rendered.color[2], 0.75 * opacity + (1 - opacity), tolerance + kRounding);
    }
  }
  // Mean depth of exponential absorption without end: 1 / sigma, up to the half sample by which bins are discrete.
  const Rendered rendered = render(even_ray(20000, 5.0F, 20.0F));
  EXPECT_NEAR(rendered.depth[0], 0.2F, 1e-5);
}

TEST(VolumeRendering, EmptyRaysShowTheBackground) {
  TestRays rays = random_rays(3, 5, 3);
  rays.offsets = {0, 0, static_cast<int64_t>(rays.t.size()), static_cast<int64_t>(rays.t.size())};
  const Rendered rendered = render(rays);
  for (const int r : {0, 2}) {
    EXPECT_EQ(rendered.opacity[r], 0.0F);
    EXPECT_EQ(rendered.depth[r], 0.0F);
    for (int c = 0; c < 3; ++c) {
      EXPECT_EQ(rendered.color[r * 3 + c], rays.background[r * 3 + c]);
    }
  }
}

TEST(VolumeRendering, BackgroundsOfAllKinds) {
  const TestRays rays = random_rays(20, 4, 4);
  Rendered black(rays);
  volume_render(rays.samples(), {}, black.outputs());
  Rendered white(rays);
  volume_render(rays.samples(), std::vector<float>{1, 1, 1}, white.outputs());
  const Rendered own = render(rays);
  for (int64_t r = 0; r < rays.n_rays(); ++r) {
    const double clear = 1 - static_cast<double>(black.opacity[r]);
    for (int64_t i = r * 3; i < r * 3 + 3; ++i) {
      ASSERT_NEAR(white.color[i], black.color[i] + clear, 4 * kRounding);
      ASSERT_NEAR(own.color[i], black.color[i] + clear * rays.background[i], 4 * kRounding);
    }
  }
}

TEST(VolumeRendering, ExtremeDensitiesStayFinite) {
  for (const float sigma : {0.0F, 1e-30F, 1e-10F, 1.0F, 1e2F, 1e12F, 3e38F}) {
    for (const float last : {0.01F, 1e10F}) {
      TestRays rays = even_ray(8, sigma, 1.0F);
      rays.delta.back() = last;
      const Rendered rendered = render(rays);
      std::vector<float> d_sigma(8);
      std::vector<float> d_color(24);
      volume_render_backward(rays.samples(), rays.background, rendered.weights,
                             {std::vector<float>{1, -2, 3}, std::vector<float>{1}, std::vector<float>{1}}, d_sigma,
                             d_color);
      double sum = 0;
      for (int i = 0; i < 8; ++i) {
        ASSERT_TRUE(std::isfinite(rendered.weights[i]) && std::isfinite(d_sigma[i]) && std::isfinite(d_color[i * 3]));
        sum += rendered.weights[i];
      }
      EXPECT_LE(sum, 1 + 14 * kRounding);
      EXPECT_NEAR(rendered.opacity[0], sum, 14 * kRounding);
    }
  }
}

TEST(VolumeRendering, ANotANumberStaysInItsRay) {
  TestRays rays = random_rays(3, 1, 5);
  rays = even_ray(4, 1.0F, 1.0F);
  rays.offsets = {0, 2, 4};
  rays.background = {0, 0, 0, 0, 0, 0};
  rays.sigma[1] = std::nanf("");
  const Rendered rendered = render(rays);
  EXPECT_TRUE(std::isnan(rendered.color[0]));
  EXPECT_TRUE(std::isfinite(rendered.color[3]));
}

TEST(VolumeRendering, ReferenceGradientsAreFiniteDifferences) {
  const TestRays rays = random_rays(20, 12, 6);
  TestNumbers numbers(7);
  for (int64_t r = 0; r < rays.n_rays(); ++r) {
    const reference::Ray ray = rays.ray(r);
    const std::array<double, 3> d_color = {numbers.between(-1, 1), numbers.between(-1, 1), numbers.between(-1, 1)};
    const double d_opacity = numbers.between(-1, 1);
    const double d_depth = numbers.between(-1, 1);
    const auto loss = [&](const reference::Ray& changed) {
      const reference::RayOutput output = reference::volume_render(changed);
      double sum = d_opacity * output.opacity + d_depth * output.depth;
      for (int c = 0; c < 3; ++c) {
        sum += d_color[c] * output.color[c];
      }
      return sum;
    };
    const reference::RayGradient gradient = reference::volume_render_backward(ray, d_color, d_opacity, d_depth);
    for (std::size_t i = 0; i < ray.sigma.size(); ++i) {
      reference::Ray up = ray;
      reference::Ray down = ray;
      const double step = 1e-4;
      up.sigma[i] += step;
      down.sigma[i] -= step;
      // Central differences: step^2 / 6 of the third derivative, at most (0.05)^3 times a loss of at most 10, plus
      // 1e-16 / step of rounding.
      ASSERT_NEAR(gradient.sigma[i], (loss(up) - loss(down)) / (2 * step), 1e-10 + 1e-9 * ray.delta[i]);
      up = ray;
      down = ray;
      up.color[i][1] += step;
      down.color[i][1] -= step;
      ASSERT_NEAR(gradient.color[i][1], (loss(up) - loss(down)) / (2 * step), 1e-10);
    }
  }
}

TEST(VolumeRendering, GradientsAgreeWithTheReference) {
  const TestRays rays = random_rays(100, 200, 8);
  const Rendered rendered = render(rays);
  TestNumbers numbers(9);
  std::vector<float> pixel, opacity, depth;
  for (int64_t r = 0; r < rays.n_rays(); ++r) {
    for (int c = 0; c < 3; ++c) {
      pixel.push_back(numbers.between(-1, 1));
    }
    opacity.push_back(numbers.between(-1, 1));
    depth.push_back(numbers.between(-1, 1));
  }
  for (const bool all : {true, false}) {
    std::vector<float> d_sigma(rays.t.size());
    std::vector<float> d_color(rays.t.size() * 3);
    const RayGradients gradients = all ? RayGradients{pixel, opacity, depth} : RayGradients{pixel, {}, {}};
    volume_render_backward(rays.samples(), rays.background, rendered.weights, gradients, d_sigma, d_color);
    for (int64_t r = 0; r < rays.n_rays(); ++r) {
      const reference::Ray ray = rays.ray(r);
      const reference::RayGradient exact = reference::volume_render_backward(
          ray, {pixel[r * 3], pixel[r * 3 + 1], pixel[r * 3 + 2]}, all ? opacity[r] : 0.0, all ? depth[r] : 0.0);
      const reference::RayOutput output = reference::volume_render(ray);
      const std::size_t n = ray.sigma.size();
      std::vector<double> s(n);
      for (std::size_t i = 0; i < n; ++i) {
        s[i] = all ? std::abs(opacity[r]) + std::abs(depth[r]) * ray.t[i] : 0.0;
        for (int c = 0; c < 3; ++c) {
          s[i] += std::abs(pixel[r * 3 + c]) * std::abs(ray.color[i][c] - ray.background[c]);
        }
      }
      double later = 0;
      std::vector<double> depth_before(n + 1);
      for (std::size_t i = 0; i < n; ++i) {
        depth_before[i + 1] = depth_before[i] + ray.sigma[i] * ray.delta[i];
      }
      for (std::size_t i = n; i-- > 0;) {
        const auto roundings = [&](double a) { return (12 + 4 * a) * kRounding; };
        const double after = std::exp(-depth_before[i + 1]);
        const double error = ray.delta[i] * (after * s[i] * roundings(depth_before[i + 1]) + later);
        const int64_t sample = rays.offsets[r] + static_cast<int64_t>(i);
        ASSERT_NEAR(d_sigma[sample], exact.sigma[i], error + 1e-36) << "ray " << r << ", sample " << i;
        later += output.weights[i] * s[i] * roundings(depth_before[i]);
        for (int c = 0; c < 3; ++c) {
          ASSERT_NEAR(d_color[sample * 3 + c], exact.color[i][c],
                      std::abs(exact.color[i][c]) * roundings(depth_before[i]) + 1e-37);
        }
      }
    }
  }
}

TEST(VolumeRendering, SameBitsOnAnyNumberOfThreads) {
  const TestRays rays = random_rays(1000, 40, 10);
  const Rendered alone = render(rays);
  std::vector<float> pixel(rays.n_rays() * 3, 0.5F);
  std::vector<float> d_sigma(rays.t.size());
  std::vector<float> d_color(rays.t.size() * 3);
  volume_render_backward(rays.samples(), {}, alone.weights, {pixel, {}, {}}, d_sigma, d_color);
  ThreadPool pool(3);
  const Rendered together = render(rays, &pool);
  EXPECT_EQ(alone.color, together.color);
  EXPECT_EQ(alone.weights, together.weights);
  EXPECT_EQ(alone.depth, together.depth);
  std::vector<float> d_sigma_pool(rays.t.size());
  std::vector<float> d_color_pool(rays.t.size() * 3);
  volume_render_backward(rays.samples(), {}, alone.weights, {pixel, {}, {}}, d_sigma_pool, d_color_pool, &pool);
  EXPECT_EQ(d_sigma, d_sigma_pool);
  EXPECT_EQ(d_color, d_color_pool);
}

TEST(VolumeRendering, VisibleSamplesEndWhereLightDoes) {
  const TestRays rays = random_rays(200, 100, 11);
  std::vector<int64_t> counts(rays.n_rays());
  for (const float threshold : {0.0F, 1e-4F, 0.5F, 1.0F}) {
    count_visible_samples(rays.samples(), threshold, counts);
    for (int64_t r = 0; r < rays.n_rays(); ++r) {
      const int64_t n = rays.offsets[r + 1] - rays.offsets[r];
      double depth = 0;
      int64_t expected = 0;
      while (expected < n && std::exp(-depth) >= threshold) {
        depth += static_cast<double>(rays.sigma[rays.offsets[r] + expected] * rays.delta[rays.offsets[r] + expected]);
        ++expected;
      }
      ASSERT_EQ(counts[r], expected) << "ray " << r << ", threshold " << threshold;
    }
  }
}

TEST(VolumeRendering, IntervalsReachTheNextSample) {
  const std::vector<int64_t> offsets = {0, 3, 3, 4, 6};
  const std::vector<float> t = {1, 1.5F, 3, 2, 5, 6};
  const std::vector<float> near = {0.5F, 0, 1, 7};
  const std::vector<float> far = {4, 1, 2.25F, 7};
  std::vector<float> delta(6);
  sample_intervals(offsets, t, near, far, LastInterval::ToFar, delta);
  EXPECT_EQ(delta, (std::vector<float>{0.5F, 1.5F, 1, 0.25F, 0, 0}));
  sample_intervals(offsets, t, near, far, LastInterval::Infinite, delta);
  EXPECT_EQ(delta, (std::vector<float>{0.5F, 1.5F, 1e10F, 1e10F, 0, 0}));
}

TEST(VolumeRendering, Activations) {
  const std::vector<float> raw = {-200, -3, -0.5F, 0, 1e-3F, 2, 30, 1000};
  std::vector<float> out(raw.size());
  std::vector<float> gradient(raw.size());
  const std::vector<float> ones(raw.size(), 1.0F);
  for (const DensityActivation activation : {DensityActivation::Relu, DensityActivation::Softplus}) {
    for (const float shift : {0.0F, -1.0F}) {
      activate_density(activation, shift, raw, out);
      activate_density_backward(activation, shift, raw, ones, gradient);
      for (std::size_t i = 0; i < raw.size(); ++i) {
        const double x = static_cast<double>(raw[i]) + shift;
        const bool relu = activation == DensityActivation::Relu;
        const double value = relu ? std::max(0.0, x) : std::max(0.0, x) + std::log1p(std::exp(-std::abs(x)));
        const double slope = relu ? (x > 0 ? 1.0 : 0.0) : 1 / (1 + std::exp(-x));
        EXPECT_NEAR(out[i], value, 8 * kRounding * value + 1e-37) << to_string(activation) << " of " << x;
        EXPECT_NEAR(gradient[i], slope, 8 * kRounding * slope + 1e-37) << to_string(activation) << " of " << x;
      }
    }
  }
  activate_color(raw, out);
  activate_color_backward(out, ones, gradient);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const double value = 1 / (1 + std::exp(-static_cast<double>(raw[i])));
    EXPECT_NEAR(out[i], value, 4 * kRounding * value + 1e-37);
    EXPECT_NEAR(gradient[i], value * (1 - value), 4 * kRounding);
  }
}

TEST(VolumeRendering, ColorsOfAnyRadiance) {
  const std::vector<float> raw = {-200, -3, -0.5F, 0, 1e-3F, 2, 11.5F, 1000};
  std::vector<float> out(raw.size());
  std::vector<float> gradient(raw.size());
  const std::vector<float> ones(raw.size(), 1.0F);
  activate_color(raw, out, ColorActivation::Sinh);
  activate_color_backward(out, ones, gradient, ColorActivation::Sinh);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const double x = std::clamp(static_cast<double>(raw[i]), -20.0, 20.0);
    EXPECT_NEAR(out[i], std::sinh(x), 8 * kRounding * std::abs(std::sinh(x)));
    EXPECT_NEAR(gradient[i], std::cosh(x), 16 * kRounding * std::cosh(x));
  }
  EXPECT_GT(out[6], 49000) << "half floats go to 65504";
  const float nan = std::nanf("");
  activate_color({&nan, 1}, {out.data(), 1}, ColorActivation::Sinh);
  EXPECT_TRUE(std::isnan(out[0]));
}

TEST(VolumeRendering, ShapesThatDisagreeAreErrors) {
  TestRays rays = random_rays(4, 5, 12);
  Rendered rendered(rays);
  const auto message = [&](const RaySamples& samples, const RayOutputs& outputs) {
    try {
      volume_render(samples, {}, outputs);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(rays.samples(), rendered.outputs()), "");
  RaySamples samples = rays.samples();
  samples.delta = samples.delta.subspan(1);
  EXPECT_NE(message(samples, rendered.outputs()).find("[volume_rendering] delta: expected"), std::string::npos);
  RayOutputs outputs = rendered.outputs();
  outputs.opacity = outputs.opacity.subspan(1);
  EXPECT_NE(message(rays.samples(), outputs).find("output opacity: expected 4 values, got 3"), std::string::npos);
  rays.offsets[2] = rays.offsets[3] + 1;
  EXPECT_NE(message(rays.samples(), rendered.outputs()).find("offsets"), std::string::npos);
  std::vector<int64_t> counts(4);
  EXPECT_THROW(count_visible_samples(rays.samples(), 0.5F, counts), Error);
}

}  // namespace
}  // namespace loe
