// The occupancy grid: its marching against brute force, its updates against a map of cells, and resuming.
#include "loe/render/occupancy_grid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "loe/base/error.h"
#include "render/random_rays.h"

namespace loe {
namespace {

OccupancySpec small_spec(int resolution = 16) {
  OccupancySpec spec;
  spec.resolution = resolution;
  return spec;
}

/// A grid whose cells are occupied where `inside` says so of their number.
template <typename Inside>
OccupancyGrid grid_of(const OccupancySpec& spec, const Inside& inside) {
  OccupancyGrid grid(spec);
  std::vector<float> density(grid.density().size());
  for (std::size_t i = 0; i < density.size(); ++i) {
    density[i] = inside(i) ? 100.0F : 0.0F;
  }
  grid.set_density(density);
  return grid;
}

uint32_t hash(std::size_t i) {
  return static_cast<uint32_t>(i) * 2654435761U >> 8;
}

/// Rays from inside and outside of the box, in random, diagonal and axis-parallel directions; some miss.
RayBatch test_rays(const Box& box, int n) {
  TestNumbers numbers(51);
  RayBatch rays;
  rays.resize(n);
  for (int i = 0; i < n; ++i) {
    std::array<double, 3> o{};
    std::array<double, 3> d{};
    const float reach = i % 2 == 0 ? 0.5F : 1.5F;
    for (int a = 0; a < 3; ++a) {
      o[a] = numbers.between(-reach, reach);
      d[a] = i % 5 == 1   ? (a == i % 3 ? (i % 4 < 2 ? 1.0 : -1.0) : 0.0)
             : i % 5 == 2 ? (numbers.next() < 0.5F ? 1.0 : -1.0)
                          : numbers.between(-1, 1);
    }
    const double norm = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
    Ray ray;
    for (int a = 0; a < 3; ++a) {
      ray.origin[a] = static_cast<float>(o[a]);
      ray.direction[a] = static_cast<float>(d[a] / norm);
      o[a] = ray.origin[a];
      d[a] = ray.direction[a];
    }
    const RayInterval interval = intersect_box(box, o, d);
    ray.near = static_cast<float>(interval.near);
    ray.far = static_cast<float>(interval.far);
    if (i % 7 == 3) {  // limits of its own, also beyond the box
      ray.near = 0.1F;
      ray.far = 2.0F;
    }
    rays.set(i, ray);
  }
  return rays;
}

/// All positions of the definition, one by one.
std::vector<float> brute_force(const OccupancyGrid& grid, const Ray& ray, double step, double u) {
  std::vector<float> found;
  for (int64_t k = 0; ray.hits(); ++k) {
    const double t = static_cast<double>(ray.near) + (static_cast<double>(k) + u) * step;
    if (t >= static_cast<double>(ray.far)) {
      break;
    }
    std::array<double, 3> p{};
    for (int a = 0; a < 3; ++a) {
      p[a] = static_cast<double>(ray.origin[a]) + t * static_cast<double>(ray.direction[a]);
    }
    if (grid.is_occupied(p)) {
      found.push_back(static_cast<float>(t));
    }
  }
  return found;
}

void expect_brute_force(const OccupancyGrid& grid, double step) {
  const RayBatch rays = test_rays(grid.spec().box, 300);
  MarchedSamples marched;
  grid.march(rays, step, 0, {}, marched);
  ASSERT_EQ(marched.offsets.size(), 301U);
  for (int64_t r = 0; r < rays.size(); ++r) {
    const std::vector<float> expected = brute_force(grid, rays.get(r), step, 0.5);
    const std::vector<float> found(marched.t.begin() + marched.offsets[r], marched.t.begin() + marched.offsets[r + 1]);
    ASSERT_EQ(found, expected) << "ray " << r << ", step " << step;
  }
}

TEST(OccupancyGrid, MarchingEqualsBruteForce) {
  for (const double step : {0.003, 0.02, 0.2}) {
    expect_brute_force(grid_of(small_spec(), [](std::size_t i) { return hash(i) % 3 == 0; }), step);
    expect_brute_force(grid_of(small_spec(32), [](std::size_t i) { return hash(i) % 500 == 0; }), step);
    expect_brute_force(grid_of(small_spec(4), [](std::size_t i) { return i % 2 == 0; }), step);
  }
  OccupancySpec flat = small_spec();
  flat.box = {{-0.3, -0.1, -0.45}, {0.2, 0.15, 0.4}};
  expect_brute_force(grid_of(flat, [](std::size_t i) { return hash(i) % 20 == 0; }), 0.004);
}

TEST(OccupancyGrid, FullAndEmptyGrids) {
  const RayBatch rays = test_rays(Box(), 200);
  MarchedSamples marched;
  OccupancyGrid grid(small_spec());
  EXPECT_EQ(grid.occupied_share(), 1.0);
  grid.march(rays, 0.01, 0, {}, marched);
  int64_t n_samples = 0;
  for (int64_t r = 0; r < rays.size(); ++r) {
    if (r % 7 != 3) {
      const int64_t count = marched.offsets[r + 1] - marched.offsets[r];
      EXPECT_NEAR(count, (rays.far[r] - rays.near[r]) / 0.01, 1.0);
      n_samples += count;
    }
  }
  EXPECT_GT(n_samples, 4000);
  EXPECT_EQ(marched.delta.size(), marched.t.size());
  EXPECT_EQ(marched.delta.front(), 0.01F);
  grid.march(rays, 0.01, 5, {}, marched);
  for (int64_t r = 0; r < rays.size(); ++r) {
    EXPECT_LE(marched.offsets[r + 1] - marched.offsets[r], 5);
  }
  grid.set_density(std::vector<float>(16 * 16 * 16, 0.0F));
  EXPECT_EQ(grid.occupied_share(), 0.0);
  grid.march(rays, 0.01, 0, {}, marched);
  EXPECT_EQ(marched.offsets.back(), 0);
  EXPECT_TRUE(marched.t.empty());
}

TEST(OccupancyGrid, JitterMovesAllSamplesOfARay) {
  const OccupancyGrid grid(small_spec());
  const RayBatch rays = test_rays(Box(), 100);
  MarchedSamples marched;
  grid.march(rays, 0.01, 0, {true, 5, 6}, marched);
  double sum = 0;
  int n_rays = 0;
  for (int64_t r = 0; r < rays.size(); ++r) {
    if (marched.offsets[r + 1] > marched.offsets[r] && r % 7 != 3) {
      const double u = (marched.t[marched.offsets[r]] - rays.near[r]) / 0.01;
      ASSERT_GE(u, -1e-4);
      ASSERT_LE(u, 1.0001);
      sum += u;
      ++n_rays;
    }
  }
  EXPECT_NEAR(sum / n_rays, 0.5, 5 * 0.289 / std::sqrt(n_rays));
  ThreadPool pool(3);
  MarchedSamples together;
  grid.march(rays, 0.01, 0, {true, 5, 6}, together, &pool);
  EXPECT_EQ(marched.t, together.t);
  EXPECT_EQ(marched.offsets, together.offsets);
}

/// Density 50 in a ball.
void ball(std::span<const float> points, std::span<float> sigma) {
  for (std::size_t i = 0; i < sigma.size(); ++i) {
    const float* p = points.data() + i * 3;
    sigma[i] = p[0] * p[0] + p[1] * p[1] + p[2] * p[2] < 0.09F ? 50.0F : 0.0F;
  }
}

TEST(OccupancyGrid, UpdatesFindTheBall) {
  OccupancyGrid grid(small_spec(32));
  grid.update(ball, 1, 0);
  // One place per cell: every cell inside is found, none that is outside.
  const auto corners = [](int x, int y, int z, double& least, double& most) {
    least = 10;
    most = 0;
    for (int corner = 0; corner < 8; ++corner) {
      const double p[3] = {(x + (corner & 1)) / 32.0 - 0.5, (y + (corner >> 1 & 1)) / 32.0 - 0.5,
                           (z + (corner >> 2)) / 32.0 - 0.5};
      const double r = std::sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]);
      least = std::min(least, r);
      most = std::max(most, r);
    }
  };
  const auto check = [&] {
    for (int z = 0; z < 32; ++z) {
      for (int y = 0; y < 32; ++y) {
        for (int x = 0; x < 32; ++x) {
          double least = 0;
          double most = 0;
          corners(x, y, z, least, most);
          if (most < 0.3) {
            ASSERT_TRUE(grid.is_occupied(x, y, z));
          } else if (least > 0.31) {
            ASSERT_FALSE(grid.is_occupied(x, y, z));
          }
        }
      }
    }
  };
  check();
  const double share = grid.occupied_share();
  EXPECT_NEAR(share, 4.0 / 3 * 3.14159 * 0.027, 0.02);
  for (uint64_t step = 1; step < 6; ++step) {
    grid.update(ball, 1, step, 8192);
  }
  check();
  EXPECT_GT(grid.occupied_share(), share);  // more of the border is found with every update
  const std::array<double, 3> inside = {0.1, 0.1, 0.1};
  const std::array<double, 3> outside = {0.1, 0.1, 0.51};
  EXPECT_TRUE(grid.is_occupied(inside));
  EXPECT_FALSE(grid.is_occupied(outside));
}

TEST(OccupancyGrid, WhatVanishesIsForgotten) {
  OccupancySpec spec = small_spec();
  spec.threshold = 5;
  OccupancyGrid grid(spec);
  grid.update(ball, 1, 0);
  const auto nothing = [](std::span<const float>, std::span<float> sigma) {
    std::fill(sigma.begin(), sigma.end(), 0.0F);
  };
  // 50 * 0.95^n stays above min(5, half the mean) for long: the mean decays, too. A distant cell keeps the mean up.
  const auto distant = [](std::span<const float> points, std::span<float> sigma) {
    for (std::size_t i = 0; i < sigma.size(); ++i) {
      sigma[i] = points[i * 3] > 0.4F ? 1000.0F : 0.0F;
    }
  };
  const double first = grid.occupied_share();
  int n_updates = 0;
  while (grid.is_occupied({0, 0, 0}) && n_updates < 1000) {
    grid.update(distant, 1, static_cast<uint64_t>(++n_updates));
  }
  EXPECT_EQ(n_updates, static_cast<int>(std::ceil(std::log(5.0 / 50) / std::log(0.95))));
  EXPECT_GT(first, 0.05);
  grid.set_density(std::vector<float>(16 * 16 * 16, 0.0F));
  grid.update(nothing, 1, 1);
  EXPECT_EQ(grid.occupied_share(), 0.0);
}

TEST(OccupancyGrid, AFaintFieldIsKept) {
  OccupancyGrid grid(small_spec());
  grid.update([](std::span<const float>, std::span<float> sigma) { std::fill(sigma.begin(), sigma.end(), 0.01F); }, 1,
              0);
  EXPECT_EQ(grid.occupied_share(), 1.0);
  grid.update([](std::span<const float>, std::span<float> sigma) { std::fill(sigma.begin(), sigma.end(), NAN); }, 1, 1);
  EXPECT_TRUE(std::all_of(grid.density().begin(), grid.density().end(), [](float x) { return x > 0.009F; }));
}

TEST(OccupancyGrid, SavedDensitiesResumeBitForBit) {
  OccupancyGrid grid(small_spec());
  grid.update(ball, 3, 0, 1000);  // some cells stay unknown
  EXPECT_TRUE(std::any_of(grid.density().begin(), grid.density().end(), [](float x) { return x < 0; }));
  const std::vector<float> saved(grid.density().begin(), grid.density().end());
  OccupancyGrid resumed(small_spec());
  resumed.set_density(saved);
  EXPECT_EQ(resumed.occupied_share(), grid.occupied_share());
  for (uint64_t step = 1; step < 4; ++step) {
    grid.update(ball, 3, step, 500);
    resumed.update(ball, 3, step, 500);
  }
  EXPECT_TRUE(std::equal(grid.density().begin(), grid.density().end(), resumed.density().begin()));
  EXPECT_EQ(resumed.occupied_share(), grid.occupied_share());
}

TEST(OccupancyGrid, MistakesAreErrors) {
  EXPECT_THROW(OccupancyGrid(small_spec(0)), Error);
  EXPECT_THROW(OccupancyGrid(small_spec(18)), Error);
  EXPECT_THROW(OccupancyGrid(small_spec(260)), Error);
  OccupancySpec spec = small_spec();
  spec.decay = 0;
  EXPECT_THROW(OccupancyGrid{spec}, Error);
  spec = small_spec();
  spec.box.min[1] = 0.5;
  EXPECT_THROW(OccupancyGrid{spec}, Error);
  OccupancyGrid grid(small_spec());
  EXPECT_THROW(grid.set_density(std::vector<float>(10)), Error);
  EXPECT_THROW(grid.set_density(std::vector<float>(4096, NAN)), Error);
  EXPECT_THROW(grid.update(ball, 0, 0, -1), Error);
  MarchedSamples marched;
  EXPECT_THROW(grid.march(RayBatch(), 0, 0, {}, marched), Error);
  EXPECT_THROW(grid.march(RayBatch(), NAN, 0, {}, marched), Error);
  grid.march(RayBatch(), 0.1, 0, {}, marched);
  EXPECT_EQ(marched.offsets, std::vector<int64_t>{0});
}

}  // namespace
}  // namespace loe
