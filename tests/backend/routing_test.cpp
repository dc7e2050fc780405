#include "loe/backend/routing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "backend/network_builders.h"
#include "loe/base/error.h"

namespace loe {
namespace {

using test::scaled_grid;
using test::Uniform;

LayerSpec make_level(int n_dims, Tile tile, double scale, Interpolation interpolation = Interpolation::Nearest,
                     double node_offset = 0, double shift = 0) {
  LayerSpec level;
  level.tile = tile;
  level.grid = scaled_grid(n_dims, scale, shift);
  level.interpolation = interpolation;
  level.node_offset = node_offset;
  return level;
}

/// Eq. 4 and 5 in the paper's own words: B_j(q) on a cyclic axis of n >= 2 experts.
double paper_linear_coefficient(double q, int j, int n) {
  const double a = q + 1 - j;
  const double remainder = a - n * std::floor(a / n);
  return std::max(0.0, 1 - std::abs(remainder - 1));
}

TEST(Routing, NearestOwnsHalfOpenCells) {
  const LayerSpec level = make_level(1, {{3, 1, 1, 1}}, 3);
  // Cell pitch 1/3 is not a float: test just below and above the boundary as q sees it.
  for (int cell = -7; cell <= 7; ++cell) {
    LayerSpec shifted = level;
    shifted.grid = scaled_grid(1, 0, cell);
    const float p = 0;
    EXPECT_EQ(route_index(shifted, 1, &p), ((cell % 3) + 3) % 3);
    shifted.grid.b[0] = std::nextafter(cell, -100.0);
    EXPECT_EQ(route_index(shifted, 1, &p), (((cell - 1) % 3) + 3) % 3);
  }
}

TEST(Routing, IntegerBitFieldsOnPowerOfTwoGrids) {
  // Pixel centres (j + 1/2) / 2^n on a grid of 2^l cells with N = 2^t experts per axis: the expert is a bit field of j.
  constexpr int kBits = 10;
  for (const int tile_bits : {1, 2, 3}) {
    for (int level_bits = tile_bits; level_bits <= kBits; ++level_bits) {
      const LayerSpec level = make_level(1, {{1 << tile_bits, 1, 1, 1}}, 1 << level_bits);
      for (int j = 0; j < (1 << kBits); ++j) {
        const float p = (static_cast<float>(j) + 0.5F) / (1 << kBits);
        ASSERT_EQ(route_index(level, 1, &p), (j >> (kBits - level_bits)) & ((1 << tile_bits) - 1));
      }
    }
  }
}

/// The number of different paths of experts over the pixels of a size x size picture.
size_t n_paths(const std::vector<LayerSpec>& levels, int size) {
  std::set<std::vector<int>> paths;
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float p[2] = {(static_cast<float>(x) + 0.5F) / static_cast<float>(size),
                          (static_cast<float>(y) + 0.5F) / static_cast<float>(size)};
      std::vector<int> path;
      for (const LayerSpec& level : levels) {
        path.push_back(route_index(level, 2, p));
      }
      paths.insert(path);
    }
  }
  return paths.size();
}

TEST(Routing, EveryPixelHasItsOwnPathOfExperts) {
  // Paper section 1.6: Quad Tree (Table 5) at 64 x 64, and the 4, 8, 32, 128 scales of Table 1 at 128 x 128.
  std::vector<LayerSpec> quad_tree;
  for (int scale = 2; scale <= 64; scale *= 2) {
    quad_tree.push_back(make_level(2, {{2, 2, 1, 1}}, scale));
  }
  EXPECT_EQ(n_paths(quad_tree, 64), 64U * 64U);
  std::vector<LayerSpec> pluto;
  for (const int scale : {4, 8, 32, 128}) {
    pluto.push_back(make_level(2, {{4, 4, 1, 1}}, scale));
  }
  EXPECT_EQ(n_paths(pluto, 128), 128U * 128U);
  // Without one level a bit of the pixel index goes unseen.
  quad_tree.erase(quad_tree.begin() + 2);
  EXPECT_EQ(n_paths(quad_tree, 64), 32U * 32U);
}

TEST(Routing, GrayCodeSeesTheGrayDigit) {
  // Level l >= 2 of the Gray Code layout: q = 2^(l-1) x + 1/2 gives floor(2^(l-1) x + 1/2) mod 2.
  for (int l = 2; l <= 6; ++l) {
    const LayerSpec level = make_level(1, {{2, 1, 1, 1}}, 1 << (l - 1), Interpolation::Nearest, 0, 0.5);
    for (int j = 0; j < 64; ++j) {
      const float p = (static_cast<float>(j) + 0.5F) / 64;
      const int gray = j ^ (j >> 1);
      ASSERT_EQ(route_index(level, 1, &p), (gray >> (6 - l)) & 1) << "level " << l << " pixel " << j;
    }
  }
}

TEST(Routing, LinearMatchesThePapersFormula) {
  Uniform uniform(1);
  for (const double offset : {0.0, 0.5}) {
    for (const int n : {2, 3, 4, 7}) {
      const LayerSpec level = make_level(1, {{n, 1, 1, 1}}, 8, Interpolation::Linear, offset);
      for (int draw = 0; draw < 200; ++draw) {
        const auto p = static_cast<float>(uniform(-2, 3));
        const double q = grid_position(level.grid, 1, &p)[0] - offset;
        const ExpertBlend blend = route_blend(level, 1, &p);
        ASSERT_EQ(blend.n, 2);
        std::vector<double> coefficients(n, 0.0);
        for (int k = 0; k < blend.n; ++k) {
          coefficients[blend.expert[k]] += blend.coefficient[k];
        }
        for (int j = 0; j < n; ++j) {
          ASSERT_NEAR(coefficients[j], paper_linear_coefficient(q, j, n), 1e-7) << "q " << q << " expert " << j;
        }
      }
    }
  }
}

TEST(Routing, LinearIsOneExpertAtItsNode) {
  for (const double offset : {0.0, 0.5}) {
    const LayerSpec level = make_level(1, {{3, 1, 1, 1}}, 6, Interpolation::Linear, offset);
    for (int node = -8; node < 9; ++node) {
      LayerSpec at_node = level;
      at_node.grid = scaled_grid(1, 0, node + offset);
      const float p = 0.25F;
      const ExpertBlend blend = route_blend(at_node, 1, &p);
      EXPECT_EQ(blend.expert[0], ((node % 3) + 3) % 3);
      EXPECT_EQ(blend.coefficient[0], 1.0F);
      EXPECT_EQ(blend.coefficient[1], 0.0F);
    }
  }
}

TEST(Routing, CellCentreIsTheMeanOfTwoExpertsWithoutOffset) {
  const LayerSpec level = make_level(1, {{4, 1, 1, 1}}, 4, Interpolation::Linear);
  const float p = 0.875F;  // q = 3.5
  const ExpertBlend blend = route_blend(level, 1, &p);
  EXPECT_EQ(blend.expert[0], 3);
  EXPECT_EQ(blend.expert[1], 0);
  EXPECT_EQ(blend.coefficient[0], 0.5F);
  EXPECT_EQ(blend.coefficient[1], 0.5F);
}

TEST(Routing, BlendIsAProductOverTheAxes) {
  Uniform uniform(2);
  for (int n_dims = 1; n_dims <= kMaxDims; ++n_dims) {
    const Tile tile = {{2, n_dims > 1 ? 3 : 1, n_dims > 2 ? 4 : 1, n_dims > 3 ? 2 : 1}};
    const LayerSpec level = make_level(n_dims, tile, 5, Interpolation::Linear, 0.5, 0.125);
    for (int draw = 0; draw < 100; ++draw) {
      float p[kMaxDims];
      for (float& component : p) {
        component = static_cast<float>(uniform(-1, 2));
      }
      const ExpertBlend blend = route_blend(level, n_dims, p);
      ASSERT_EQ(blend.n, 1 << n_dims);
      double sum = 0;
      for (int k = 0; k < blend.n; ++k) {
        double expected = 1;
        int rest = blend.expert[k];
        const auto q = grid_position(level.grid, n_dims, p);
        for (int d = 0; d < n_dims; ++d) {
          expected *= paper_linear_coefficient(q[d] - 0.5, rest % tile.n[d], tile.n[d]);
          rest /= tile.n[d];
        }
        ASSERT_NEAR(blend.coefficient[k], expected, 1e-7);
        sum += blend.coefficient[k];
      }
      ASSERT_NEAR(sum, 1, 1e-6);
      const std::set<int> experts(blend.expert.begin(), blend.expert.begin() + blend.n);
      EXPECT_EQ(experts.size(), static_cast<size_t>(blend.n)) << "all corners are different experts";
    }
  }
}

TEST(Routing, AxesWithOneExpertDoNotBlend) {
  const LayerSpec level = make_level(3, {{1, 4, 1, 1}}, 4, Interpolation::Linear);
  EXPECT_EQ(n_blended(level, 3), 2);
  const float p[3] = {0.3F, 0.4F, 0.9F};
  const ExpertBlend blend = route_blend(level, 3, p);
  EXPECT_EQ(blend.n, 2);
  EXPECT_EQ(blend.expert[0], 1);
  EXPECT_EQ(blend.expert[1], 2);
  EXPECT_NEAR(blend.coefficient[1], 0.6, 1e-6);
  const LayerSpec plain = make_level(3, {{1, 1, 1, 1}}, 4, Interpolation::Linear);
  const ExpertBlend whole = route_blend(plain, 3, p);
  EXPECT_EQ(whole.n, 1);
  EXPECT_EQ(whole.expert[0], 0);
  EXPECT_EQ(whole.coefficient[0], 1.0F);
}

TEST(Routing, RepeatsEveryTile) {
  Uniform uniform(3);
  for (const Interpolation interpolation : {Interpolation::Nearest, Interpolation::Linear}) {
    const LayerSpec level = make_level(2, {{3, 5, 1, 1}}, 1, interpolation);
    for (int draw = 0; draw < 100; ++draw) {
      // Eighths are exact, so adding whole tiles changes nothing but the tile.
      const float p[2] = {static_cast<float>(std::floor(uniform(0, 24)) / 8),
                          static_cast<float>(std::floor(uniform(0, 40)) / 8)};
      const float far[2] = {p[0] - 3 * 1000, p[1] + 5 * 2000};
      const ExpertBlend near_blend = route_blend(level, 2, p);
      const ExpertBlend far_blend = route_blend(level, 2, far);
      EXPECT_EQ(near_blend.expert, far_blend.expert);
      EXPECT_EQ(near_blend.coefficient, far_blend.coefficient);
    }
  }
}

TEST(Routing, FullAffineGrid) {
  LayerSpec level = make_level(2, {{4, 4, 1, 1}}, 0);
  level.grid.a = {{{3, -7}, {11, 2}}};
  level.grid.b = {0.25, -0.75};
  Uniform uniform(4);
  std::vector<float> coords;
  std::vector<int> expected;
  for (int draw = 0; draw < 200; ++draw) {
    const float x = static_cast<float>(std::floor(uniform(0, 1024))) / 1024;
    const float y = static_cast<float>(std::floor(uniform(0, 1024))) / 1024;
    coords.insert(coords.end(), {x, y});
    const auto wrap = [](double q) { return static_cast<int>(std::floor(q) - 4 * std::floor(std::floor(q) / 4)); };
    expected.push_back(wrap(3 * x - 7 * y + 0.25) + 4 * wrap(11 * x + 2 * y - 0.75));
  }
  std::vector<int> experts(200);
  route(level, 2, coords, experts);
  EXPECT_EQ(experts, expected);
}

TEST(Routing, ManyMatchOneAndBlendMatchesIndex) {
  Uniform uniform(5);
  for (const Interpolation interpolation : {Interpolation::Nearest, Interpolation::Linear}) {
    for (const double offset : {0.0, 0.5}) {
      for (const Tile& tile : {Tile{{1, 1, 1, 1}}, Tile{{2, 2, 1, 1}}, Tile{{3, 5, 1, 1}}, Tile{{1, 4, 1, 1}}}) {
        const LayerSpec level = make_level(2, tile, 7.3, interpolation, offset, -0.6);
        std::vector<float> coords(2 * 300);
        for (float& component : coords) {
          component = static_cast<float>(uniform(-1, 2));
        }
        std::vector<int> experts(300);
        route(level, 2, coords, experts);
        for (int sample = 0; sample < 300; ++sample) {
          const float* p = coords.data() + 2 * static_cast<size_t>(sample);
          ASSERT_EQ(experts[sample], route_index(level, 2, p));
          const ExpertBlend blend = route_blend(level, 2, p);
          const std::vector<int> corners = blend_experts(level, 2, experts[sample]);
          ASSERT_EQ(static_cast<size_t>(blend.n), corners.size());
          ASSERT_TRUE(std::equal(corners.begin(), corners.end(), blend.expert.begin()));
        }
      }
    }
  }
}

TEST(Routing, CellModuloAgreesWithIntegers) {
  for (const int n : {1, 2, 3, 5, 64, 4096}) {
    for (int64_t cell : {int64_t{-1000001}, int64_t{-4097}, int64_t{-1}, int64_t{0}, int64_t{4095}, int64_t{1} << 40,
                         (int64_t{1} << 51) + 12345, -(int64_t{1} << 51) - 1}) {
      EXPECT_EQ(cell_modulo(static_cast<double>(cell), n), ((cell % n) + n) % n) << cell << " mod " << n;
    }
  }
}

TEST(Routing, NonsenseCoordinatesStayInRange) {
  for (const Interpolation interpolation : {Interpolation::Nearest, Interpolation::Linear}) {
    const LayerSpec level = make_level(2, {{3, 5, 1, 1}}, 1e9, interpolation);
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::max()}) {
      const float p[2] = {bad, 0.5F};
      const ExpertBlend blend = route_blend(level, 2, p);
      for (int k = 0; k < blend.n; ++k) {
        EXPECT_TRUE(blend.expert[k] >= 0 && blend.expert[k] < 15);
        EXPECT_TRUE(std::isfinite(blend.coefficient[k]));
      }
      const int index = route_index(level, 2, p);
      EXPECT_TRUE(index >= 0 && index < 15);
    }
  }
}

TEST(Routing, SizesMustAgree) {
  const LayerSpec level = make_level(2, {{2, 2, 1, 1}}, 4);
  const std::vector<float> coords(7);
  std::vector<int> experts(3);
  EXPECT_THROW(route(level, 2, coords, experts), Error);
}

}  // namespace
}  // namespace loe
