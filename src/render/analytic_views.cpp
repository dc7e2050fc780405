// Cameras around the analytic scene, and what they see.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "loe/base/error.h"
#include "loe/render/analytic_scene.h"
#include "loe/render/volume_rendering.h"
#include "render/check.h"
#include "render/vec3.h"

namespace loe {
namespace {

constexpr double kDarkest = 1e-5;  ///< transmittance behind which samples are left out

/// Samples of one row of pixels.
struct RowSamples {
  std::vector<int64_t> offsets;
  std::vector<float> t, delta, sigma, color, weights;
};

Vec3 to_vec3(const std::array<float, 3>& a) {
  return {static_cast<double>(a[0]), static_cast<double>(a[1]), static_cast<double>(a[2])};
}

/// Appends the samples of a ray that have a density.
void gather_ray(const AnalyticScene& scene, const Ray& ray, int n_samples, RowSamples& samples) {
  if (!ray.hits()) {
    return;
  }
  const Vec3 origin = to_vec3(ray.origin);
  const Vec3 direction = to_vec3(ray.direction);
  const double near = static_cast<double>(ray.near);
  const double step = (static_cast<double>(ray.far) - near) / n_samples;
  const double deepest = -std::log(kDarkest);
  double depth = 0;
  for (int64_t k = 0; k < n_samples && depth < deepest;) {
    const double t = near + (static_cast<double>(k) + 0.5) * step;
    const Vec3 p = add(origin, scale(direction, t));
    const double clearance = scene.clearance(p);
    if (clearance > 0) {
      // Samples less than the clearance away are empty, too.
      k += std::max<int64_t>(1, static_cast<int64_t>(std::ceil(clearance / step)) - 1);
      continue;
    }
    const AnalyticScene::Sample sample = scene.sample(p, direction);
    samples.t.push_back(static_cast<float>(t));
    samples.delta.push_back(static_cast<float>(step));
    samples.sigma.push_back(sample.sigma);
    samples.color.insert(samples.color.end(), sample.color.begin(), sample.color.end());
    depth += static_cast<double>(sample.sigma) * step;
    ++k;
  }
}

void render_row(const AnalyticScene& scene, const View& view, int y, int n_samples, std::span<const float> background,
                RenderedView& out) {
  const int width = view.intrinsics.width;
  RowSamples samples;
  samples.offsets.push_back(0);
  for (int x = 0; x < width; ++x) {
    gather_ray(scene, pixel_ray(view, x + 0.5, y + 0.5, Box()), n_samples, samples);
    samples.offsets.push_back(static_cast<int64_t>(samples.t.size()));
  }
  samples.weights.resize(samples.t.size());
  std::vector<float> color(static_cast<std::size_t>(width) * 3);
  const std::size_t first = static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
  const std::size_t n = static_cast<std::size_t>(width);
  volume_render(
      {samples.offsets, samples.t, samples.delta, samples.sigma, samples.color}, background,
      {color, std::span(out.opacity).subspan(first, n), std::span(out.depth).subspan(first, n), samples.weights});
  out.color.write_row(0, y, width, color.data());
}

/// Where camera k (may be fractional) of n stands, on the unit sphere.
Vec3 lattice_point(double k, int n) {
  const double lowest = std::sin(-15 * std::numbers::pi / 180);
  const double highest = std::sin(70 * std::numbers::pi / 180);
  const double height = lowest + (highest - lowest) * (k + 0.5) / n;
  const double azimuth = k * std::numbers::pi * (3 - std::sqrt(5.0));
  const double radius = std::sqrt(1 - height * height);
  return {radius * std::cos(azimuth), height, radius * std::sin(azimuth)};
}

View camera_at(const Vec3& position, int size) {
  constexpr double kHalfAngle = 19 * std::numbers::pi / 180;  // shows the ball of radius 0.5
  View view;
  const double focal = 0.5 * size / std::tan(kHalfAngle);
  view.intrinsics = {
      .width = size, .height = size, .fl_x = focal, .fl_y = focal, .cx = 0.5 * size, .cy = 0.5 * size, .lens = {}};
  const Vec3 back = normalised(position);
  const Vec3 right = normalised(cross({0, 1, 0}, back));
  const Vec3 up = cross(back, right);
  for (int a = 0; a < 3; ++a) {
    view.camera_to_world.matrix[a] = {right[a], up[a], back[a], position[a]};
  }
  return view;
}

void require_in_range(const char* thing, int value, int max) {
  if (value < 1 || value > max) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[analytic_scene] {}: expected 1..{}, got {}; choose one in between", thing, max, value));
  }
}

}  // namespace

RenderedView render_view(const AnalyticScene& scene, const View& view, int n_samples, std::span<const float> background,
                         ThreadPool* pool) {
  require_in_range("samples per ray", n_samples, 65536);
  require_size("analytic_scene", "background", background.size(), 3);
  const int width = view.intrinsics.width;
  const int height = view.intrinsics.height;
  RenderedView out;
  out.color = Image(width, height, 3, PixelType::F32);
  const std::size_t n_pixels = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  out.opacity.resize(n_pixels);
  out.depth.resize(n_pixels);
  const auto row = [&](int64_t y, int) { render_row(scene, view, static_cast<int>(y), n_samples, background, out); };
  if (pool != nullptr) {
    pool->parallel_for(height, row);
  } else {
    for (int y = 0; y < height; ++y) {
      row(y, 0);
    }
  }
  return out;
}

Scene analytic_views(int n_train, int n_test, int size) {
  require_in_range("training views", n_train, 10000);
  require_in_range("test views", n_test, 10000);
  require_in_range("size", size, 4096);
  constexpr double kRadius = 1.6;
  Scene scene;
  scene.format = "analytic";
  scene.background = Background::White;
  for (int k = 0; k < n_train; ++k) {
    scene.views.push_back(camera_at(scale(lattice_point(k, n_train), kRadius), size));
    scene.views.back().name = fmt::format("train_{:03}", k);
  }
  for (int k = 0; k < n_test; ++k) {
    // In the middle of their share of the lattice, and halfway between two of its points.
    const double place = std::floor((k + 0.5) * n_train / n_test) + 0.5;
    scene.views.push_back(camera_at(scale(lattice_point(std::min(place, n_train - 0.75), n_train), kRadius), size));
    scene.views.back().name = fmt::format("test_{:03}", k);
    scene.views.back().split = Split::Test;
  }
  return scene;
}

}  // namespace loe
