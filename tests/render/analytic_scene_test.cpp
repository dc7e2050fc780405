// The analytic scene: what is promised to be empty is, truth does not depend on shortcuts, cameras look at it.
#include "loe/render/analytic_scene.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "loe/base/error.h"
#include "loe/render/volume_rendering.h"
#include "render/random_rays.h"

namespace loe {
namespace {

std::array<double, 3> random_point(TestNumbers& numbers, const Box& box) {
  std::array<double, 3> p{};
  for (int a = 0; a < 3; ++a) {
    p[a] = box.min[a] + (box.max[a] - box.min[a]) * numbers.next();
  }
  return p;
}

double norm(const std::array<double, 3>& p) {
  return std::sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]);
}

View small_view(int index, int size) {
  return analytic_views(8, 2, size).views[index];
}

TEST(AnalyticScene, EmptySpaceIsExactlyEmpty) {
  const AnalyticScene scene;
  TestNumbers numbers(41);
  ASSERT_GE(AnalyticScene::empty_boxes().size(), 4U);
  for (const Box& box : AnalyticScene::empty_boxes()) {
    for (int i = 0; i < 3000; ++i) {
      const auto p = random_point(numbers, box);
      ASSERT_EQ(scene.density(p), 0.0) << p[0] << " " << p[1] << " " << p[2];
    }
  }
  for (int i = 0; i < 3000; ++i) {
    const auto p = random_point(numbers, Box());
    if (norm(p) > 0.5) {
      ASSERT_EQ(scene.density(p), 0.0);
    }
  }
}

TEST(AnalyticScene, ClearanceIsClear) {
  const AnalyticScene scene;
  TestNumbers numbers(42);
  int n_full = 0;
  for (int i = 0; i < 5000; ++i) {
    const auto p = random_point(numbers, Box());
    const double clearance = scene.clearance(p);
    n_full += clearance == 0 ? 1 : 0;
    if (scene.density(p) > 0) {
      ASSERT_EQ(clearance, 0.0);
    }
    std::array<double, 3> q{};
    const auto direction = random_point(numbers, Box());
    for (int a = 0; a < 3; ++a) {
      q[a] = p[a] + direction[a] / norm(direction) * clearance * 0.999;
    }
    if (clearance > 0) {
      ASSERT_EQ(scene.density(q), 0.0);
    }
  }
  // A few hundredths of the cube are full: there is something to see, and much that is not.
  EXPECT_GT(n_full, 100);
  EXPECT_LT(n_full, 750);
}

TEST(AnalyticScene, ColoursDependOnTheDirectionOfView) {
  const AnalyticScene scene;
  const std::array<double, 3> on_ball = {-0.14 + 0.15 * 0.48, -0.03 + 0.15 * 0.81, 0.08 + 0.15 * 0.33};
  const AnalyticScene::Sample above = scene.sample(on_ball, {-0.5, -0.8, -0.33});
  const AnalyticScene::Sample aside = scene.sample(on_ball, {0.8, -0.6, 0});
  EXPECT_GT(above.sigma, 100.0F);
  EXPECT_EQ(above.sigma, aside.sigma);
  EXPECT_GT(above.color[2], aside.color[2] + 0.1F);
  EXPECT_NEAR(above.sigma, scene.density(on_ball), 1e-3);
}

TEST(AnalyticScene, ViewsAgreeWithPlainQuadrature) {
  const AnalyticScene scene;
  const int size = 12;
  const int n = 400;
  const View view = small_view(1, size);
  const std::vector<float> white = {1, 1, 1};
  const RenderedView rendered = render_view(scene, view, n, white);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const Ray pixel = pixel_ray(view, x + 0.5, y + 0.5, Box());
      reference::Ray ray;
      ray.background = {1, 1, 1};
      const double step = (static_cast<double>(pixel.far) - pixel.near) / n;
      for (int k = 0; k < n && pixel.hits(); ++k) {
        const double t = pixel.near + (k + 0.5) * step;
        std::array<double, 3> p{};
        std::array<double, 3> d{};
        for (int a = 0; a < 3; ++a) {
          d[a] = pixel.direction[a];
          p[a] = pixel.origin[a] + t * d[a];
        }
        const AnalyticScene::Sample sample = scene.sample(p, d);
        ray.t.push_back(t);
        ray.delta.push_back(step);
        ray.sigma.push_back(sample.sigma);
        ray.color.push_back({sample.color[0], sample.color[1], sample.color[2]});
      }
      const reference::RayOutput exact = reference::volume_render(ray);
      float color[3];
      rendered.color.read_pixel(x, y, color);
      for (int c = 0; c < 3; ++c) {
        ASSERT_NEAR(color[c], exact.color[c], 1.1e-5) << x << ", " << y;  // samples behind 1e-5 are left out
      }
      ASSERT_NEAR(rendered.opacity[y * size + x], exact.opacity, 1.1e-5);
      ASSERT_NEAR(rendered.depth[y * size + x], exact.depth, 3e-5);
    }
  }
}

TEST(AnalyticScene, QuadratureHasConverged) {
  const AnalyticScene scene;
  const View view = small_view(0, 32);
  const std::vector<float> white = {1, 1, 1};
  const Image coarse = render_view(scene, view, 1024, white).color;
  const Image fine = render_view(scene, view, 8192, white).color;
  double sum = 0;
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      float a[3];
      float b[3];
      coarse.read_pixel(x, y, a);
      fine.read_pixel(x, y, b);
      for (int c = 0; c < 3; ++c) {
        sum += (a[c] - b[c]) * (a[c] - b[c]);
      }
    }
  }
  EXPECT_LT(sum / (32 * 32 * 3), 1e-4);  // 40 dB: better than what is fitted to it
}

TEST(AnalyticScene, CamerasLookAtTheSceneFromDifferentSides) {
  const Scene scene = analytic_views(32, 8, 128);
  ASSERT_EQ(scene.views.size(), 40U);
  std::set<std::string> names;
  double closest = 10;
  for (std::size_t i = 0; i < scene.views.size(); ++i) {
    const View& view = scene.views[i];
    names.insert(view.name);
    EXPECT_EQ(view.split, i < 32 ? Split::Train : Split::Test);
    const auto& m = view.camera_to_world.matrix;
    for (int a = 0; a < 3; ++a) {
      for (int b = 0; b < 3; ++b) {
        double product = 0;
        for (int row = 0; row < 3; ++row) {
          product += m[row][a] * m[row][b];
        }
        EXPECT_NEAR(product, a == b ? 1 : 0, 1e-12);
      }
    }
    const std::array<double, 3> position = {m[0][3], m[1][3], m[2][3]};
    EXPECT_NEAR(norm(position), 1.6, 1e-12);
    const Ray middle = pixel_ray(view, 64, 64, Box());
    for (int a = 0; a < 3; ++a) {
      EXPECT_NEAR(position[a] + 1.6 * middle.direction[a], 0, 1e-6);
    }
    for (std::size_t j = 0; j < i; ++j) {
      const auto& other = scene.views[j].camera_to_world.matrix;
      closest = std::min(
          closest, std::acos((m[0][3] * other[0][3] + m[1][3] * other[1][3] + m[2][3] * other[2][3]) / (1.6 * 1.6)));
    }
  }
  EXPECT_EQ(names.size(), 40U);
  EXPECT_GT(closest, 5 * 3.14159 / 180);  // no test view repeats a training view
  EXPECT_THROW(analytic_views(0, 8, 128), Error);
  EXPECT_THROW(analytic_views(8, 8, 5000), Error);
  EXPECT_EQ(analytic_views(1, 1, 4).views.size(), 2U);
}

TEST(AnalyticScene, SameBitsOnAnyNumberOfThreads) {
  const AnalyticScene scene;
  const View view = small_view(2, 24);
  ThreadPool pool(3);
  const std::vector<float> grey = {0.5F, 0.5F, 0.5F};
  const RenderedView alone = render_view(scene, view, 300, grey);
  const RenderedView together = render_view(scene, view, 300, grey, &pool);
  EXPECT_EQ(alone.depth, together.depth);
  EXPECT_TRUE(std::equal(alone.color.data(), alone.color.data() + alone.color.n_bytes(), together.color.data()));
  EXPECT_THROW(render_view(scene, view, 0, grey), Error);
  EXPECT_THROW(render_view(scene, view, 8, {}), Error);
}

TEST(AnalyticScene, AViewIsAPictureOfManyColours) {
  const RenderedView rendered = render_view(AnalyticScene(), small_view(3, 64), 512, std::vector<float>{1, 1, 1});
  std::set<int> colors;
  double n_opaque = 0;
  for (int i = 0; i < 64 * 64; ++i) {
    float c[3];
    rendered.color.read_pixel(i % 64, i / 64, c);
    colors.insert(static_cast<int>(c[0] * 15) * 256 + static_cast<int>(c[1] * 15) * 16 + static_cast<int>(c[2] * 15));
    n_opaque += rendered.opacity[i] > 0.99F ? 1 : 0;
  }
  EXPECT_GT(colors.size(), 200U);
  EXPECT_GT(n_opaque, 0.25 * 64 * 64);
  EXPECT_LT(n_opaque, 0.75 * 64 * 64);
}

}  // namespace
}  // namespace loe
