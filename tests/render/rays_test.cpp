// Rays against geometry: pixels project back, boxes against brute force, samples on their rays.
#include "loe/render/rays.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "loe/base/error.h"
#include "render/random_rays.h"

namespace loe {
namespace {

View test_view() {
  View view;
  view.intrinsics = {.width = 40, .height = 30, .fl_x = 50, .fl_y = 55, .cx = 19, .cy = 16, .lens = {}};
  // Looks along world +x from (-2, 0.1, 0.2); the camera's x axis is world +z, its y axis world +y.
  view.camera_to_world.matrix = {{{0, 0, -1, -2}, {0, 1, 0, 0.1}, {1, 0, 0, 0.2}}};
  return view;
}

TEST(Rays, GoThroughTheirPixels) {
  const View view = test_view();
  const Box box;
  RayBatch rays;
  rays_of_rows(view, 10, 5, box, rays);
  ASSERT_EQ(rays.size(), 200);
  for (int64_t i = 0; i < rays.size(); ++i) {
    const Ray ray = rays.get(i);
    const auto& d = ray.direction;
    EXPECT_NEAR(d[0] * d[0] + d[1] * d[1] + d[2] * d[2], 1, 1e-6);
    EXPECT_EQ(ray.origin, (std::array<float, 3>{-2.0F, 0.1F, 0.2F}));
    // World (x, y, z) is camera (z, y, -x): depth along the axis is d[0].
    EXPECT_NEAR(19 + 50 * d[2] / d[0], static_cast<double>(i % 40) + 0.5, 1e-4);
    EXPECT_NEAR(16 - 55 * d[1] / d[0], 10 + static_cast<double>(i / 40) + 0.5, 1e-4);
    if (ray.hits()) {
      EXPECT_NEAR(ray.origin[0] + ray.near * d[0], -0.5, 1e-6);
    }
  }
  EXPECT_THROW(rays_of_rows(view, 26, 5, box, rays), Error);
  EXPECT_THROW(rays_of_rows(view, -1, 5, box, rays), Error);
  ThreadPool pool(3);
  RayBatch other;
  rays_of_rows(view, 0, 30, box, rays);
  rays_of_rows(view, 0, 30, box, other, &pool);
  EXPECT_EQ(rays.directions, other.directions);
  EXPECT_EQ(rays.far, other.far);
}

TEST(Rays, LensesBendThem) {
  View view = test_view();
  view.intrinsics.lens = {LensModel::BrownConrady, {0.2, -0.05, 0, 0}, {0.01, -0.02}};
  for (int x = 0; x < 40; x += 3) {
    const Ray ray = pixel_ray(view, x + 0.5, 7.5, Box());
    std::array<double, 3> point{};
    for (int a = 0; a < 3; ++a) {
      point[a] = ray.origin[a] + 1.7 * static_cast<double>(ray.direction[a]);
    }
    const PixelPosition seen = pixel_of_point(view.intrinsics, view.camera_to_world, point);
    EXPECT_NEAR(seen.u, x + 0.5, 1e-3);
    EXPECT_NEAR(seen.v, 7.5, 1e-3);
  }
  // x' = x (1 - r^2) rises to 0.385 and falls: nothing is seen beyond, and such a pixel's ray meets nothing.
  view.intrinsics.lens = {LensModel::BrownConrady, {-1, 0, 0, 0}, {}};
  const Ray beyond = pixel_ray(view, 19 + 50 * 0.5, 16, Box());
  EXPECT_FALSE(beyond.hits());
  EXPECT_TRUE(std::isfinite(beyond.direction[0]));
  EXPECT_TRUE(pixel_ray(view, 19, 16, Box()).hits());
}

TEST(Rays, BoundsOfAViewAreAlongItsAxis) {
  View view = test_view();
  view.near = 1.6;
  view.far = 2.2;
  int n_limited = 0;
  for (int x = 0; x < 40; ++x) {
    const Ray ray = pixel_ray(view, x + 0.5, 15.5, Box());
    if (ray.hits()) {
      EXPECT_GE(ray.near * ray.direction[0], 1.6 - 1e-6);
      EXPECT_LE(ray.far * ray.direction[0], 2.2 + 1e-6);
      n_limited += std::abs(ray.far * ray.direction[0] - 2.2) < 1e-6 ? 1 : 0;
    }
  }
  EXPECT_GT(n_limited, 10);
  view.far = 1.4;  // ends before the box
  EXPECT_FALSE(pixel_ray(view, 19, 16, Box()).hits());
}

TEST(Rays, BoxAgainstManyPoints) {
  const Box box{{-0.3, -0.2, -0.1}, {0.4, 0.3, 0.2}};
  TestNumbers numbers(31);
  int n_hits = 0;
  for (int i = 0; i < 2000; ++i) {
    std::array<double, 3> origin{};
    std::array<double, 3> direction{};
    double norm = 0;
    for (int a = 0; a < 3; ++a) {
      origin[a] = numbers.between(-0.6F, 0.6F);
      direction[a] = numbers.next() < 0.15F ? 0.0 : numbers.between(-1, 1);
      norm += direction[a] * direction[a];
    }
    if (norm == 0) {
      continue;
    }
    const double min_near = i % 3 == 0 ? 0.2 : 0.0;
    const RayInterval interval = intersect_box(box, origin, direction, min_near);
    const bool hits = interval.near < interval.far;
    n_hits += hits ? 1 : 0;
    for (int k = 0; k < 400; ++k) {
      const double t = min_near + 0.01 * k;
      double inside_by = 1;  // distance to the nearest face, negative outside
      for (int a = 0; a < 3; ++a) {
        const double x = origin[a] + t * direction[a];
        inside_by = std::min({inside_by, x - box.min[a], box.max[a] - x});
      }
      if (inside_by > 1e-9) {
        ASSERT_TRUE(hits && t >= interval.near - 1e-9 && t <= interval.far + 1e-9) << i;
      } else if (inside_by < -1e-9) {
        ASSERT_FALSE(hits && t > interval.near + 1e-6 && t < interval.far - 1e-6) << i;
      }
    }
  }
  EXPECT_GT(n_hits, 200);
}

TEST(Rays, BoxEdges) {
  const Box box;
  const auto interval = [&](std::array<double, 3> o, std::array<double, 3> d) { return intersect_box(box, o, d); };
  EXPECT_EQ(interval({0, 0, 0}, {1, 0, 0}).far, 0.5);  // from inside
  EXPECT_EQ(interval({0, 0, 0}, {1, 0, 0}).near, 0.0);
  EXPECT_EQ(interval({-2, 0.5, 0}, {1, 0, 0}).far, 2.5);     // along a face
  EXPECT_EQ(interval({-2, 0.5, 0.5}, {1, 0, 0}).near, 1.5);  // along an edge
  EXPECT_EQ(interval({2, 0, 0}, {1, 0, 0}).far, 0.0);        // behind
  EXPECT_EQ(interval({-2, 0.6, 0}, {1, 0, 0}).far, 0.0);     // beside
  EXPECT_EQ(interval({-1, 0, 0}, {1, 1, 0}).far, 0.0);       // touches one edge
  EXPECT_EQ(interval({std::nan(""), 0, 0}, {1, 0, 0}).far, 0.0);
  EXPECT_EQ(interval({0, 0, 0}, {std::nan(""), 0, 0}).far, 0.0);
  EXPECT_EQ(interval({0, 0, 0}, {0, 0, 0}).far, 0.0);
}

TEST(Rays, SamplesLieOnTheirRays) {
  RayBatch rays;
  rays.resize(3);
  rays.set(0, {{1, 2, 3}, {1, 0, 0}, 0, 1});
  rays.set(1, {{0, 0, 0}, {0, 1, 0}, 0, 1});
  rays.set(2, {{-1, 0, 0}, {0, 0, -1}, 0, 1});
  const std::vector<int64_t> offsets = {0, 2, 2, 3};
  const std::vector<float> t = {0.5F, 1, 4};
  std::vector<float> points(9);
  std::vector<float> directions(9);
  sample_points(rays, offsets, t, points, directions);
  EXPECT_EQ(points, (std::vector<float>{1.5F, 2, 3, 2, 2, 3, -1, 0, -4}));
  EXPECT_EQ(directions, (std::vector<float>{1, 0, 0, 1, 0, 0, 0, 0, -1}));
  sample_points(rays, offsets, t, points, {});
  EXPECT_THROW(sample_points(rays, offsets, t, std::span(points).first(6), {}), Error);
  EXPECT_EQ(rays.get(2).origin, (std::array<float, 3>{-1, 0, 0}));
}

}  // namespace
}  // namespace loe
