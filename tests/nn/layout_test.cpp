#include "loe/nn/layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "loe/backend/routing.h"
#include "loe/base/error.h"
#include "loe/signal/image.h"

namespace loe {
namespace {

Resolution square(double resolution) {
  return {resolution, resolution, resolution, resolution};
}

std::vector<Resolution> squares(const std::vector<double>& resolutions) {
  std::vector<Resolution> result;
  for (double resolution : resolutions) {
    result.push_back(square(resolution));
  }
  return result;
}

std::vector<Tile> square_tiles(int n_levels, int n) {
  return std::vector<Tile>(n_levels, Tile{{n, n, 1, 1}});
}

const std::vector<double> kQuadTree = {2, 4, 8, 16, 32, 64, 128, 256, 512};
const std::vector<double> kPluto = {4, 8, 32, 128, 512, 2048, 8192};

LayoutConfig toy_config(LayoutKind kind) {
  LayoutConfig config;
  config.kind = kind;
  config.resolutions = squares(kQuadTree);
  return config;
}

/// A must be s I with b = offset on both axes and nothing beyond them.
void expect_diagonal(const Grid& grid, double resolution, double offset, const std::string& what) {
  for (int row = 0; row < kMaxDims; ++row) {
    for (int column = 0; column < kMaxDims; ++column) {
      EXPECT_EQ(grid.a[row][column], row == column && row < 2 ? resolution : 0) << what << " a" << row << column;
    }
    EXPECT_EQ(grid.b[row], row < 2 ? offset : 0) << what << " b" << row;
  }
}

void expect_diagonals(const std::vector<Grid>& grids, const std::vector<double>& resolutions) {
  ASSERT_EQ(grids.size(), resolutions.size());
  for (std::size_t level = 0; level < grids.size(); ++level) {
    expect_diagonal(grids[level], resolutions[level], 0, "level " + std::to_string(level));
  }
}

/// How many different paths of experts the pixels of a size x size picture take.
int64_t count_paths(const std::vector<Grid>& grids, const std::vector<Tile>& tiles, int size) {
  std::vector<uint64_t> paths;
  std::vector<float> coords;
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      coords.push_back(pixel_coordinate(x, size));
      coords.push_back(pixel_coordinate(y, size));
    }
  }
  paths.resize(coords.size() / 2);
  std::vector<int> experts(paths.size());
  for (std::size_t level = 0; level < grids.size(); ++level) {
    LayerSpec layer;
    layer.tile = tiles[level];
    layer.grid = grids[level];
    route(layer, 2, coords, experts);
    for (std::size_t i = 0; i < paths.size(); ++i) {
      paths[i] = paths[i] * static_cast<uint64_t>(layer.n_experts()) + static_cast<uint64_t>(experts[i]);
    }
  }
  std::sort(paths.begin(), paths.end());
  return std::unique(paths.begin(), paths.end()) - paths.begin();
}

int64_t count_toy_paths(const LayoutConfig& config) {
  const auto tiles = square_tiles(9, 2);
  return count_paths(make_grids(config, 2, tiles), tiles, 512);
}

void expect_error(const LayoutConfig& config, int n_dims, const std::vector<Tile>& tiles,
                  const std::vector<std::string>& words) {
  try {
    make_grids(config, n_dims, tiles);
    ADD_FAILURE() << "no error about " << words[0];
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    const std::string message = error.what();
    EXPECT_EQ(message.rfind("[layout] ", 0), 0U) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& word : words) {
      EXPECT_NE(message.find(word), std::string::npos) << "'" << word << "' not in: " << message;
    }
  }
}

TEST(Layout, CoarseToFineIsTheQuadTreeOfTable5) {
  expect_diagonals(make_grids(toy_config(LayoutKind::CoarseToFine), 2, square_tiles(9, 2)), kQuadTree);
}

TEST(Layout, FineToCoarseOfTable5) {
  expect_diagonals(make_grids(toy_config(LayoutKind::FineToCoarse), 2, square_tiles(9, 2)),
                   {512, 256, 128, 64, 32, 16, 8, 4, 2});
}

TEST(Layout, GrayCodeOfTable5) {
  const auto grids = make_grids(toy_config(LayoutKind::GrayCode), 2, square_tiles(9, 2));
  const double expected[] = {2, 2, 4, 8, 16, 32, 64, 128, 256};
  ASSERT_EQ(grids.size(), 9U);
  for (int level = 0; level < 9; ++level) {
    expect_diagonal(grids[level], expected[level], level == 0 ? 0 : 0.5, "level " + std::to_string(level));
  }
}

// The paper prints (1/2, 1/2) once for all levels: taken at its word the first two levels see the same digit.
TEST(Layout, GrayCodeWithAnOffsetFirstLevelRepeatsIt) {
  LayoutConfig config = toy_config(LayoutKind::GrayCode);
  config.gray_first_offset = 0.5;
  const auto grids = make_grids(config, 2, square_tiles(9, 2));
  EXPECT_EQ(grids[0], grids[1]);
  config.gray_first_offset = 1;
  EXPECT_THROW(make_grids(config, 2, square_tiles(9, 2)), Error);
}

TEST(Layout, GrayCodeDigitsAreTheGrayCodeOfTheCell) {
  const auto grids = make_grids(toy_config(LayoutKind::GrayCode), 2, square_tiles(9, 2));
  for (uint32_t x = 0; x < 512; ++x) {
    const uint32_t gray = x ^ (x >> 1);
    for (int level = 0; level < 9; ++level) {
      LayerSpec layer;
      layer.tile = Tile{{2, 2, 1, 1}};
      layer.grid = grids[level];
      const float p[2] = {pixel_coordinate(x, 512), 0.1F};
      EXPECT_EQ(static_cast<uint32_t>(route_index(layer, 2, p) % 2), (gray >> (8 - level)) & 1) << x << " " << level;
    }
  }
}

TEST(Layout, RandomPermuteOfTable5) {
  LayoutConfig config = toy_config(LayoutKind::RandomPermute);
  config.permutation.clear();
  for (int exponent : {3, 8, 1, 9, 6, 2, 5, 4, 7}) {  // A_l = 2^arr[l]; resolutions[i] = 2^(i + 1)
    config.permutation.push_back(exponent - 1);
  }
  expect_diagonals(make_grids(config, 2, square_tiles(9, 2)), {8, 256, 2, 512, 64, 4, 32, 16, 128});
}

TEST(Layout, RandomPermuteFromSeed) {
  LayoutConfig config = toy_config(LayoutKind::RandomPermute);
  const auto first = make_grids(config, 2, square_tiles(9, 2));
  EXPECT_EQ(first, make_grids(config, 2, square_tiles(9, 2)));
  int n_different = 0;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    config.seed = seed;
    const auto grids = make_grids(config, 2, square_tiles(9, 2));
    n_different += grids != first ? 1 : 0;
    std::vector<double> sorted;
    for (const Grid& grid : grids) {
      sorted.push_back(grid.a[0][0]);
    }
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(sorted, kQuadTree);
  }
  EXPECT_EQ(n_different, 5);
}

TEST(Layout, RandomAffineHasTheStatedDistribution) {
  LayoutConfig config;
  config.kind = LayoutKind::RandomAffine;
  config.affine_std = 16;
  const int n_levels = 4000;
  const auto grids = make_grids(config, 2, square_tiles(n_levels, 2));
  double sum = 0;
  double sum_squares = 0;
  double sum_fourth = 0;
  double offset_sum = 0;
  double offset_squares = 0;
  double cross = 0;
  for (const Grid& grid : grids) {
    for (double entry : {grid.a[0][0], grid.a[0][1], grid.a[1][0], grid.a[1][1]}) {
      const double z = entry / 16;
      sum += z;
      sum_squares += z * z;
      sum_fourth += z * z * z * z;
    }
    cross += grid.a[0][0] * grid.a[0][1] / 256;
    for (double offset : {grid.b[0], grid.b[1]}) {
      EXPECT_GE(offset, 0);
      EXPECT_LT(offset, 1);
      offset_sum += offset;
      offset_squares += offset * offset;
    }
    EXPECT_EQ(grid.a[2][2], 0);
    EXPECT_EQ(grid.b[2], 0);
  }
  const double n = 4.0 * n_levels;  // five standard errors each
  EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(sum_squares / n, 1, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(sum_fourth / n, 3, 5 * std::sqrt(96 / n));
  EXPECT_NEAR(cross / n_levels, 0, 5 / std::sqrt(n_levels));
  EXPECT_NEAR(offset_sum / (2 * n_levels), 0.5, 5 / std::sqrt(12 * 2.0 * n_levels));
  EXPECT_NEAR(offset_squares / (2 * n_levels), 1.0 / 3, 5 * std::sqrt(4.0 / 45 / (2.0 * n_levels)));
}

TEST(Layout, RandomAffineDependsOnSeedLevelAndStdOnly) {
  LayoutConfig config;
  config.kind = LayoutKind::RandomAffine;
  config.affine_std = 256;
  const auto grids = make_grids(config, 2, square_tiles(7, 4));
  EXPECT_EQ(grids, make_grids(config, 2, square_tiles(7, 4)));
  const auto three = make_grids(config, 3, std::vector<Tile>(5, Tile{{4, 4, 4, 1}}));
  EXPECT_EQ(three[4].a[1][0], grids[4].a[1][0]);
  EXPECT_NE(three[4].a[2][2], 0);
  EXPECT_NE(grids[0], grids[1]);
  config.affine_std = 512;
  EXPECT_EQ(make_grids(config, 2, square_tiles(7, 4))[3].a[1][1], 2 * grids[3].a[1][1]);
  config.seed = 1;
  EXPECT_NE(make_grids(config, 2, square_tiles(7, 4))[3].b, grids[3].b);
}

TEST(Layout, OneScaleLayouts) {
  LayoutConfig config;
  config.kind = LayoutKind::Interleaved;
  config.resolutions = squares(kPluto);
  expect_diagonals(make_grids(config, 2, square_tiles(7, 4)), std::vector<double>(7, 8192));
  config.kind = LayoutKind::Chunked;
  expect_diagonals(make_grids(config, 2, square_tiles(7, 4)), std::vector<double>(7, 4));
  config.resolutions.clear();
  expect_diagonals(make_grids(config, 2, square_tiles(7, 4)), std::vector<double>(7, 4));
  config.kind = LayoutKind::SingleScale;
  expect_diagonals(make_grids(config, 2, square_tiles(5, 4)), std::vector<double>(5, 64));
  config.single_resolution = 12.5;
  expect_diagonals(make_grids(config, 2, square_tiles(2, 4)), {12.5, 12.5});
}

TEST(Layout, AxesMayDiffer) {
  LayoutConfig config;
  config.resolutions = {{2, 3, 99, 0}, {40, 30, 99, -1}};  // axes beyond n_dims are ignored
  const std::vector<Tile> tiles = {Tile{{2, 3, 1, 1}}, Tile{{4, 1, 1, 1}}};
  const auto grids = make_grids(config, 2, tiles);
  EXPECT_EQ(grids[1].a[0][0], 40);
  EXPECT_EQ(grids[1].a[1][1], 30);
  EXPECT_EQ(grids[1].a[2][2], 0);
  config.kind = LayoutKind::Chunked;
  const auto chunks = make_grids(config, 2, tiles);
  EXPECT_EQ(chunks[0].a[1][1], 3);
  EXPECT_EQ(chunks[1].a[0][0], 4);
  EXPECT_EQ(chunks[1].a[1][1], 1);
  config.kind = LayoutKind::Interleaved;
  EXPECT_EQ(make_grids(config, 2, tiles)[0].a[1][1], 30);
  config.kind = LayoutKind::CoarseToFine;
  const auto line = make_grids(config, 1, {Tile{{2, 1, 1, 1}}, Tile{{2, 1, 1, 1}}});
  EXPECT_EQ(line[1].a[0][0], 40);
  EXPECT_EQ(line[1].a[1][1], 0);
}

TEST(Layout, PlainNetworksNeedNoResolutions) {
  for (LayoutKind kind : {LayoutKind::CoarseToFine, LayoutKind::GrayCode, LayoutKind::RandomAffine}) {
    LayoutConfig config;
    config.kind = kind;
    EXPECT_EQ(make_grids(config, 2, std::vector<Tile>(3)), std::vector<Grid>(3)) << to_string(kind);
  }
}

TEST(LayoutPaths, EveryPixelOfTheToyHasItsOwn) {
  constexpr int64_t kPixels = 512 * 512;
  EXPECT_EQ(count_toy_paths(toy_config(LayoutKind::CoarseToFine)), kPixels);
  EXPECT_EQ(count_toy_paths(toy_config(LayoutKind::FineToCoarse)), kPixels);
  EXPECT_EQ(count_toy_paths(toy_config(LayoutKind::GrayCode)), kPixels);
  EXPECT_EQ(count_toy_paths(toy_config(LayoutKind::RandomPermute)), kPixels);
}

TEST(LayoutPaths, OneScaleLayoutsShareTheirs) {
  LayoutConfig config = toy_config(LayoutKind::Chunked);
  EXPECT_EQ(count_toy_paths(config), 4);
  config.kind = LayoutKind::Interleaved;
  EXPECT_EQ(count_toy_paths(config), 4);
  config.kind = LayoutKind::SingleScale;
  EXPECT_EQ(count_toy_paths(config), 4);
}

TEST(LayoutPaths, PlutoColumnsHaveTheirOwnDigits) {
  // A is diagonal, so paths of pixels are pairs of per-axis digit strings: unique columns and unique rows suffice.
  LayoutConfig config;
  config.resolutions = squares(kPluto);
  const auto grids = make_grids(config, 2, square_tiles(7, 4));
  for (int axis = 0; axis < 2; ++axis) {
    std::vector<int64_t> strings;
    for (int j = 0; j < 8192; ++j) {
      float p[2] = {0.3F, 0.3F};
      p[axis] = pixel_coordinate(j, 8192);
      int64_t digits = 0;
      for (const Grid& grid : grids) {
        LayerSpec layer;
        layer.tile = Tile{{4, 4, 1, 1}};
        layer.grid = grid;
        const int expert = route_index(layer, 2, p);
        digits = digits * 4 + (axis == 0 ? expert % 4 : expert / 4);
      }
      strings.push_back(digits);
    }
    std::sort(strings.begin(), strings.end());
    EXPECT_EQ(std::unique(strings.begin(), strings.end()), strings.end()) << "axis " << axis;
  }
}

TEST(LayoutPaths, ScaledPlutoByBruteForce) {
  LayoutConfig config;
  config.resolutions = squares({4, 8, 32, 128, 512});  // one index bit seen twice, as at full size
  const auto tiles = square_tiles(5, 4);
  EXPECT_EQ(count_paths(make_grids(config, 2, tiles), tiles, 512), 512 * 512);
  config.resolutions[4] = square(256);  // the finest bit is no longer seen
  EXPECT_EQ(count_paths(make_grids(config, 2, tiles), tiles, 512), 256 * 256);
}

TEST(LayoutErrors, NumbersThatDisagree) {
  const auto tiles = square_tiles(9, 2);
  for (LayoutKind kind : {LayoutKind::CoarseToFine, LayoutKind::FineToCoarse, LayoutKind::GrayCode,
                          LayoutKind::RandomPermute, LayoutKind::Interleaved}) {
    LayoutConfig config = toy_config(kind);
    config.resolutions.pop_back();
    expect_error(config, 2, tiles, {"resolutions", "expected 9", "got 8"});
    config.resolutions.clear();
    expect_error(config, 2, tiles, {"resolutions", "expected 9", "got 0"});
  }
  LayoutConfig config = toy_config(LayoutKind::Chunked);
  config.resolutions.pop_back();
  expect_error(config, 2, tiles, {"resolutions", "expected 9", "got 8"});
  expect_error(toy_config(LayoutKind::CoarseToFine), 0, tiles, {"n_dims", "1..4"});
  expect_error(toy_config(LayoutKind::CoarseToFine), 5, tiles, {"n_dims", "got 5"});
}

TEST(LayoutErrors, Resolutions) {
  for (double bad :
       {0.0, -2.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e18}) {
    LayoutConfig config = toy_config(LayoutKind::CoarseToFine);
    config.resolutions[3][1] = bad;
    expect_error(config, 2, square_tiles(9, 2), {"resolutions[3][1]", "above 0", "got"});
    config = toy_config(LayoutKind::SingleScale);
    config.single_resolution = bad;
    expect_error(config, 2, square_tiles(9, 2), {"single_resolution", "above 0"});
    config = toy_config(LayoutKind::RandomAffine);
    config.affine_std = bad;
    expect_error(config, 2, square_tiles(9, 2), {"affine_std", "above 0"});
  }
}

TEST(LayoutErrors, Permutation) {
  LayoutConfig config = toy_config(LayoutKind::RandomPermute);
  const std::vector<std::vector<int>> bad = {
      {0, 1, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 7}, {1, 2, 3, 4, 5, 6, 7, 8, 9}, {0, 1, 2, 3, 4, 5, 6, 7, -1}};
  for (const auto& permutation : bad) {
    config.permutation = permutation;
    expect_error(config, 2, square_tiles(9, 2), {"permutation", "0..8", "exactly once"});
  }
}

TEST(LayoutErrors, GrayCodeTiles) {
  LayoutConfig config = toy_config(LayoutKind::GrayCode);
  auto tiles = square_tiles(9, 2);
  tiles[4].n[1] = 4;
  expect_error(config, 2, tiles, {"gray_code", "tiles of 2", "got 4", "axis 1", "level 4"});
}

TEST(LayoutNames, RoundTripAndSuggest) {
  for (LayoutKind kind :
       {LayoutKind::CoarseToFine, LayoutKind::FineToCoarse, LayoutKind::GrayCode, LayoutKind::RandomPermute,
        LayoutKind::RandomAffine, LayoutKind::Interleaved, LayoutKind::Chunked, LayoutKind::SingleScale}) {
    EXPECT_EQ(layout_kind_from_string(to_string(kind)), kind);
  }
  EXPECT_STREQ(to_string(LayoutKind::CoarseToFine), "coarse_to_fine");
  try {
    layout_kind_from_string("grey_code");
    ADD_FAILURE();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("did you mean 'gray_code'"), std::string::npos) << message;
    EXPECT_NE(message.find("single_scale"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace loe
