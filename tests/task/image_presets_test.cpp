#include "loe/task/image_presets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "loe/backend/product_chunks.h"
#include "loe/backend/routing.h"
#include "loe/base/error.h"
#include "task/task_pictures.h"

namespace loe {
namespace {

struct Size {
  int width;
  int height;
};

constexpr Size kSizes[] = {{1, 1},     {1, 5},         {5, 1},     {2, 2},       {17, 3},
                           {512, 512}, {451, 300},     {768, 512}, {3000, 3000}, {8192, 8192},
                           {65536, 1}, {65536, 65536}, {7, 5},     {1, 10000},   {30000, 20000}};

double flops_per_step(const FitConfig& config) {
  return static_cast<double>(config.batch_size) * training_flops(build_network(config.network));
}

/// The digits that pixel `j` of axis `axis` shows to the levels: floor(q) mod N, through the code that routes.
std::vector<int> digits(const NetworkSpec& spec, int axis, int j, int size) {
  float p[2] = {0, 0};
  p[axis] = pixel_coordinate(j, size);
  std::vector<int> path;
  for (std::size_t level = 0; level + 1 < spec.layers.size(); ++level) {
    const LayerSpec& layer = spec.layers[level];
    const int index = route_index(layer, 2, p);
    path.push_back(axis == 0 ? index % layer.tile.n[0] : index / layer.tile.n[0]);
  }
  return path;
}

/// `side`: of the finest cells, whose pixels share a path. `least`: share of the cells along an axis that have a path
/// of their own at least.
void expect_unique_paths(const NetworkSpec& spec, const Size& size, int side = 1, double least = 1) {
  for (int axis = 0; axis < 2; ++axis) {
    const int n = axis == 0 ? size.width : size.height;
    std::set<std::vector<int>> paths;
    for (int j = 0; j < n; ++j) {
      paths.insert(digits(spec, axis, j, n));
    }
    const int n_cells = (n + side - 1) / side;
    EXPECT_LE(static_cast<int>(paths.size()), n_cells) << "axis " << axis;
    EXPECT_GE(static_cast<double>(paths.size()), least * n_cells) << "axis " << axis;
  }
}

TEST(ImagePresets, ToyIsTable5) {
  const FitConfig config = image_config_from_settings(image_preset("toy"), 1);
  const NetworkSpec spec = build_network(config.network);
  EXPECT_EQ(spec.n_params(), 140417);
  EXPECT_EQ(spec.macs_per_sample(), 35008);
  EXPECT_EQ(config.sampling, PixelSampling::AllPixels);
  EXPECT_EQ(config.train.max_steps, 10000);
  EXPECT_EQ(config.train.schedule.at(4999, 10000), 0.005);
  EXPECT_DOUBLE_EQ(config.train.schedule.at(5000, 10000), 0.0005);
  EXPECT_EQ(config.preset, "toy");
  expect_unique_paths(spec, {512, 512});
}

TEST(ImagePresets, PlutoIsTable1) {
  const FitConfig config = image_config_from_settings(image_preset("pluto"), 3);
  const NetworkSpec spec = build_network(config.network);
  EXPECT_EQ(spec.n_params(), 9358211);
  EXPECT_EQ(spec.macs_per_sample(), 585472);
  EXPECT_EQ(config.sampling, PixelSampling::RandomPixels);
  EXPECT_EQ(config.batch_size, 262144);
  EXPECT_EQ(config.train.max_steps, 200000);
  EXPECT_EQ(config.train.schedule.at(99999, 200000), 0.001);
  EXPECT_DOUBLE_EQ(config.train.schedule.at(100000, 200000), 0.0001);
  expect_unique_paths(spec, {8192, 8192});
}

TEST(ImagePresets, HashGridIsCutForThePicture) {
  const FitConfig config = image_config_from_settings(image_preset("hash_grid", 600, 400), 3);
  const NetworkSpec spec = build_network(config.network);
  const EmbeddingSpec& grid = spec.input.embedding;
  ASSERT_EQ(grid.levels.size(), 16U);
  EXPECT_EQ(grid.levels.front().cells[0], 16);
  EXPECT_NEAR(grid.levels.front().cells[1], 32.0 / 3, 1e-5);
  EXPECT_EQ(grid.levels.back().cells[0], 600);
  EXPECT_EQ(grid.levels.back().cells[1], 400);
  EXPECT_TRUE(grid.levels.front().is_dense());
  EXPECT_FALSE(grid.levels.back().is_dense());
  EXPECT_EQ(spec.n_in(), 32);
  EXPECT_LE(grid.size(), 0.4 * 600 * 400);
  EXPECT_GT(grid.size(), 0.2 * 600 * 400);
  EXPECT_EQ(config.train.max_steps, 7324);
  EXPECT_TRUE(config.train.adam.embedding.skips_zeros);
  // Pictures of one pixel and of one row have grids too.
  for (const auto& [width, height] : {std::pair{1, 1}, std::pair{1, 10000}, std::pair{30000, 20000}}) {
    const FitConfig extreme = image_config_from_settings(image_preset("hash_grid", width, height), 3);
    EXPECT_LE(build_network(extreme.network).n_params(), 4002500) << width;
  }
}

TEST(ImagePresets, ListAndNames) {
  std::vector<std::string> names;
  for (const PresetInfo& preset : image_presets()) {
    names.push_back(preset.name);
    EXPECT_FALSE(preset.summary.empty() || preset.expected.empty());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"auto", "toy", "pluto", "hash_grid"}));
  try {
    image_preset("plutto");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::NotFound);
    EXPECT_NE(std::string(error.what()).find("did you mean pluto"), std::string::npos);
  }
  EXPECT_THROW(image_preset("auto"), Error);
}

/// Three levels of eight experts tell 512 cells apart; larger pictures repeat experts within a cell rather than take
/// more. All those paths, or nearly, are used.
double least_share(const NetworkConfig& network, const Size& size, int side = 1) {
  const double n_cells = std::ceil(static_cast<double>(std::max(size.width, size.height)) / side);
  if (n_cells <= std::pow(8, network.widths.size())) return 1;
  return 0.8 * std::pow(8, network.widths.size()) / n_cells;
}

TEST(AutoSettings, EveryPixelHasItsOwnPathIfTimeAllows) {
  for (const Size& size : kSizes) {
    SCOPED_TRACE(testing::Message() << size.width << "x" << size.height);
    const Settings settings = auto_settings(size.width, size.height, 3, 1e6, 0, Precision::F32, 1e5);
    const FitConfig config = image_config_from_settings(settings, 3);
    expect_unique_paths(build_network(config.network), size, 1, least_share(config.network, size));
    // The finest cell is a pixel on both axes, so cells are square everywhere.
    EXPECT_EQ(config.network.layout.resolutions.back()[0], size.width);
    EXPECT_EQ(config.network.layout.resolutions.back()[1], size.height);
  }
}

TEST(AutoSettings, FewVisitsGetLargerCellsWithPathsOfTheirOwn) {
  for (const Size& size : {Size{3000, 3000}, Size{30000, 20000}, Size{1, 60000}, Size{768, 512}}) {
    SCOPED_TRACE(testing::Message() << size.width << "x" << size.height);
    int last = 1000;
    for (const double seconds : {1.0, 10.0, 1000.0, 1e6}) {
      const Settings settings = auto_settings(size.width, size.height, 3, seconds, 0, Precision::F32, 20);
      const FitConfig config = image_config_from_settings(settings, 3);
      const double side = size.height / config.network.layout.resolutions.back()[1];
      EXPECT_EQ(side, std::round(side));
      EXPECT_DOUBLE_EQ(size.width / config.network.layout.resolutions.back()[0], side);
      EXPECT_LE(side, last);
      last = static_cast<int>(side);
      expect_unique_paths(build_network(config.network), size, last, least_share(config.network, size, last));
    }
    EXPECT_EQ(last, 1);
  }
}

TEST(AutoSettings, NoExpertIsOutOfReach) {
  for (const Size& size : {Size{1, 5}, Size{17, 3}, Size{451, 300}, Size{768, 512}, Size{512, 64}}) {
    SCOPED_TRACE(testing::Message() << size.width << "x" << size.height);
    const Settings settings = auto_settings(size.width, size.height, 1, 0, 0, Precision::F32, 100);
    const NetworkSpec spec = build_network(image_config_from_settings(settings, 1).network);
    for (std::size_t level = 0; level + 1 < spec.layers.size(); ++level) {
      std::set<int> seen;
      for (int y = 0; y < size.height; ++y) {
        for (int x = 0; x < size.width; ++x) {
          const float p[2] = {pixel_coordinate(x, size.width), pixel_coordinate(y, size.height)};
          seen.insert(route_index(spec.layers[level], 2, p));
        }
      }
      EXPECT_EQ(static_cast<int>(seen.size()), spec.layers[level].n_experts()) << "level " << level;
    }
  }
}

TEST(AutoSettings, CoarsestTileCoversThePictureOnceAndCellsAreNested) {
  for (const Size& size : kSizes) {
    for (const double seconds : {1.0, 60.0, 1e5}) {
      SCOPED_TRACE(testing::Message() << size.width << "x" << size.height << ", " << seconds << " s");
      const Settings settings = auto_settings(size.width, size.height, 3, seconds, 0, Precision::F32, 100);
      const NetworkConfig network = image_config_from_settings(settings, 3).network;
      std::vector<Tile> tiles = network.tiles;
      if (network.layout.kind == LayoutKind::FineToCoarse) std::reverse(tiles.begin(), tiles.end());
      for (std::size_t level = 0; level < tiles.size(); ++level) {
        for (int axis = 0; axis < 2; ++axis) {
          const double resolution = network.layout.resolutions[level][axis];
          const double before = level == 0 ? 1 : network.layout.resolutions[level - 1][axis];
          const double ratio = std::min(resolution, resolution / before);
          EXPECT_LE(tiles[level].n[axis], 8);
          EXPECT_LE(ratio, 16 + 1e-9);
          EXPECT_GE(tiles[level].n[axis] + 1e-9, level == 0 ? ratio : std::min(ratio, 8.0));
        }
      }
    }
  }
}

TEST(AutoSettings, FinestLevelComesFirstInLongRuns) {
  const auto network = [](double seconds) {
    return image_config_from_settings(auto_settings(512, 512, 3, seconds, 0, Precision::F32, 100), 3).network;
  };
  const NetworkConfig longer = network(60);
  EXPECT_EQ(longer.layout.kind, LayoutKind::FineToCoarse);
  EXPECT_EQ(longer.layout.resolutions[0][0], 8);
  EXPECT_EQ(longer.layout.resolutions[1][0], 64);
  EXPECT_EQ(build_network(longer).layers[0].grid.a[0][0], 512);
  const NetworkConfig shorter = network(0.3);
  EXPECT_EQ(shorter.layout.kind, LayoutKind::CoarseToFine);
  EXPECT_LT(build_network(shorter).layers[0].grid.a[0][0], 10);
  // Tiles follow their levels: with 3:2 the coarsest has fewer experts along y.
  const NetworkConfig photo =
      image_config_from_settings(auto_settings(768, 512, 3, 60, 0, Precision::F32, 100), 3).network;
  EXPECT_EQ(photo.tiles.back().n[0], 8);
  EXPECT_EQ(photo.tiles.back().n[1], 6);
  EXPECT_EQ(photo.tiles.front().n[1], photo.tiles.front().n[0]);
}

TEST(AutoSettings, ShortRunsTakeManySmallSteps) {
  const FitConfig quick = image_config_from_settings(auto_settings(512, 512, 3, 10, 0, Precision::F32, 100), 3);
  EXPECT_EQ(quick.batch_size, 2048);
  EXPECT_EQ(quick.train.adam.beta2, 0.99);
  EXPECT_EQ(quick.train.schedule.kind, ScheduleKind::Cosine);
  // The shortest runs lack updates most.
  const FitConfig shortest = image_config_from_settings(auto_settings(512, 512, 3, 0.1, 0, Precision::F32, 50), 3);
  EXPECT_EQ(shortest.batch_size, 512);
  // A faster machine sees more samples: larger batches, not ever more steps; wide levels take smaller rates.
  const FitConfig fast = image_config_from_settings(auto_settings(4096, 4096, 3, 600, 0, Precision::F32, 2e4), 3);
  EXPECT_GT(fast.batch_size, 8 * quick.batch_size);
  EXPECT_LT(fast.train.schedule.learning_rate, quick.train.schedule.learning_rate);
  EXPECT_GT(fast.network.widths[0], quick.network.widths[0]);
}

TEST(AutoSettings, TimeLimitsFollowTheTimeAndNotTheSteps) {
  for (const Size& size : {Size{451, 300}, Size{512, 512}, Size{3000, 3000}, Size{8192, 8192}}) {
    for (const double seconds : {20.0, 120.0, 3600.0}) {
      for (const double gflops : {20.0, 150.0, 5000.0}) {
        const Settings settings = auto_settings(size.width, size.height, 3, seconds, 0, Precision::Bf16, gflops);
        const FitConfig config = image_config_from_settings(settings, 3);
        EXPECT_EQ(config.train.max_seconds, seconds);
        EXPECT_EQ(config.train.schedule_by, ScheduleBy::Time);
        EXPECT_EQ(config.precision, Precision::Bf16);
        // Not even a machine ten times as fast as it was measured reaches the limit of steps of a photo.
        const double worth = seconds * gflops * 1e9 / flops_per_step(config);
        const double n_visits = worth * static_cast<double>(config.batch_size) / size.width / size.height;
        EXPECT_GE(static_cast<double>(config.train.max_steps), std::min(10 * worth, worth * 9999 / n_visits))
            << size.width << " " << seconds << " s " << gflops;
      }
    }
  }
}

TEST(AutoSettings, DefaultTimeIsAboutAMinuteAndGrowsWithThePicture) {
  const auto seconds = [](int size) {
    const FitConfig config = image_config_from_settings(auto_settings(size, size, 3, 0, 0, Precision::F32, 100), 3);
    EXPECT_EQ(config.train.max_seconds, 0);
    return flops_per_step(config) * static_cast<double>(config.train.max_steps) / 100e9;
  };
  EXPECT_GT(seconds(512), 60);
  EXPECT_LT(seconds(512), 120);
  EXPECT_GT(seconds(2048), 2 * seconds(512));
  EXPECT_LT(seconds(8192), 3600);
}

TEST(AutoSettings, MoreTimeBuysMoreNetworkUpToThePapersDensity) {
  int64_t last = 0;
  for (const double seconds : {10.0, 100.0, 1e3, 1e4, 1e5}) {
    const FitConfig config =
        image_config_from_settings(auto_settings(2048, 2048, 3, seconds, 0, Precision::F32, 100), 3);
    const int64_t n_params = build_network(config.network).n_params();
    // At the limit widths and nodes round it by a little.
    EXPECT_GE(static_cast<double>(n_params), 0.98 * static_cast<double>(last));
    last = n_params;
  }
  EXPECT_GT(last, 0.14 * 2048 * 2048);
  EXPECT_LT(last, 0.53 * 2048 * 2048);
}

TEST(AutoSettings, LargerPicturesGetAGridOfFeaturesUnderTheExperts) {
  struct Case {
    Size size;
    int64_t n_params;
    int side;  ///< of the finest level's tile; 0: the family of experts
  };
  for (const Case& c : {Case{{512, 512}, 108'000, 8}, Case{{768, 512}, 150'000, 8}, Case{{3000, 3000}, 2'100'000, 16},
                        Case{{3250, 4333}, 0, 16}, Case{{8192, 8192}, 0, 16}, Case{{451, 300}, 0, 8},
                        Case{{512, 512}, 50'000, 0}, Case{{100, 100}, 0, 0}, Case{{30000, 1}, 0, 0}}) {
    SCOPED_TRACE(testing::Message() << c.size.width << "x" << c.size.height << ", " << c.n_params);
    const AutoPlan plan =
        auto_plan(c.size.width, c.size.height, 3, 60, c.n_params, Precision::F32, 100, AutoFamily::Best);
    const FitConfig config = image_config_from_settings(plan.settings, 3);
    const NetworkSpec spec = build_network(config.network);
    EXPECT_LE(spec.n_params(), c.n_params > 0 ? c.n_params : std::numeric_limits<int64_t>::max());
    if (c.side == 0) {
      EXPECT_EQ(plan.reason, auto_plan(c.size.width, c.size.height, 3, 60, c.n_params, Precision::F32, 100).reason);
      continue;
    }
    EXPECT_NE(plan.reason.find("on a grid of features"), std::string::npos) << plan.reason;
    EXPECT_EQ(spec.layers[0].tile.n[0], c.side);
    EXPECT_EQ(config.sampling, PixelSampling::ProductChunks);
    EXPECT_EQ(ProductChunks::why_not(spec, {c.size.width, c.size.height, 1}), "");
    EXPECT_GT(static_cast<double>(spec.n_params()), 0.95 * static_cast<double>(c.n_params));
    EXPECT_GT(config.train.max_steps, 1000);
  }
  // Product chunks are f32.
  EXPECT_EQ(auto_plan(512, 512, 3, 60, 0, Precision::Bf16, 100, AutoFamily::Best).reason,
            auto_plan(512, 512, 3, 60, 0, Precision::Bf16, 100).reason);
}

TEST(AutoSettings, PureExpertsOnChunksHaveATableInsteadOfTheGrid) {
  const auto plan = [](int width, int height, int64_t n_params, Precision precision = Precision::F32) {
    return auto_plan(width, height, 3, 60, n_params, precision, 100, AutoFamily::ExpertsOnChunks);
  };
  for (const auto& [size, n_params] : {std::pair{Size{512, 512}, 108'000}, std::pair{Size{3000, 2000}, 2'100'000}}) {
    SCOPED_TRACE(size.width);
    const FitConfig config = image_config_from_settings(plan(size.width, size.height, n_params).settings, 3);
    const NetworkSpec spec = build_network(config.network);
    EXPECT_EQ(config.sampling, PixelSampling::ProductChunks);
    EXPECT_EQ(ProductChunks::why_not(spec, {size.width, size.height, 1}), "");
    EXPECT_TRUE(spec.input.embedding.levels.empty());
    EXPECT_GT(spec.input.n_frequencies, 0);
    EXPECT_LE(spec.n_params(), n_params);
    EXPECT_GT(static_cast<double>(spec.n_params()), 0.95 * n_params);
    // Nodes are as far apart along both axes.
    const auto& nodes = spec.input.embedding.resolution;
    EXPECT_NEAR(static_cast<double>(nodes[0]) / nodes[1], static_cast<double>(size.width) / size.height, 0.02);
  }
  // What does not fit is the family as it was.
  EXPECT_EQ(plan(100, 100, 0).reason, auto_plan(100, 100, 3, 60, 0, Precision::F32, 100).reason);
  EXPECT_EQ(plan(512, 512, 0, Precision::Bf16).reason, auto_plan(512, 512, 3, 60, 0, Precision::Bf16, 100).reason);
}

TEST(AutoSettings, TheCoarsestTileOfChunksRepeatsWithLittleToSpare) {
  for (const Size& size : {Size{768, 512}, Size{4408, 4344}, Size{3250, 4333}, Size{3000, 3000}, Size{8192, 8192}}) {
    SCOPED_TRACE(testing::Message() << size.width << "x" << size.height);
    const AutoPlan plan = auto_plan(size.width, size.height, 3, 60, 0, Precision::F32, 100, AutoFamily::Best);
    const NetworkConfig network = image_config_from_settings(plan.settings, 3).network;
    for (int axis = 0; axis < 2; ++axis) {
      const int n = axis == 0 ? size.width : size.height;
      const double cell = n / network.layout.resolutions[0][axis];  // listed coarse to fine
      const double period = cell * network.tiles.back().n[axis];
      EXPECT_LT(std::ceil(n / period) * period, n + 2 * cell);
    }
  }
}

TEST(AutoSettings, MeetsAParameterBudgetFromBelow) {
  for (const int64_t budget : {2000, 20000, 140000, 1000000, 9370000}) {
    const FitConfig config =
        image_config_from_settings(auto_settings(3000, 2000, 3, 0, budget, Precision::F32, 100), 3);
    const int64_t n_params = build_network(config.network).n_params();
    EXPECT_LE(n_params, budget);
    EXPECT_GT(n_params, 0.6 * static_cast<double>(budget)) << budget;
    EXPECT_EQ(config.train.max_seconds, 0);
  }
  // Both budgets: parameters decide the network, seconds the steps.
  const FitConfig both = image_config_from_settings(auto_settings(3000, 2000, 3, 60, 140000, Precision::F32, 100), 3);
  EXPECT_GT(build_network(both.network).n_params(), 80000);
}

TEST(AutoSettings, SaysWhatItChoseInOneLine) {
  const AutoPlan plan = auto_plan(768, 512, 3, 10, 150000, Precision::F32, 100);
  EXPECT_EQ(plan.reason.find('\n'), std::string::npos);
  for (const char* part : {"3 levels of", "8x6", "a table of", "seen about", "--params"}) {
    EXPECT_NE(plan.reason.find(part), std::string::npos) << plan.reason;
  }
}

TEST(AutoSettings, RejectsWhatItCannotPlan) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto expect_error = [](int width, int height, int n_channels, double seconds, int64_t n_params, double gflops) {
    try {
      auto_settings(width, height, n_channels, seconds, n_params, Precision::F32, gflops);
      ADD_FAILURE() << width << " " << height << " " << n_channels << " " << seconds << " " << n_params << " "
                    << gflops;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    }
  };
  expect_error(0, 4, 3, 0, 0, 1);
  expect_error(4, 65537, 3, 0, 0, 1);
  expect_error(4, 4, 5, 0, 0, 1);
  expect_error(4, 4, 3, -1, 0, 1);
  expect_error(4, 4, 3, nan, 0, 1);
  expect_error(4, 4, 3, 0, -1, 1);
  expect_error(4, 4, 3, 0, 0, nan);
  expect_error(4, 4, 3, 0, 5, 1);  // fewer parameters than a network of width 1
}

TEST(AutoSettings, WorksWithoutAMeasuredSpeed) {
  for (const Size& size : kSizes) {
    image_config_from_settings(auto_settings(size.width, size.height, 4, 0, 0, Precision::Mixed, 0), 4);
  }
}

TEST(AutoSettings, ChangesNothingWithTheSeed) {
  // The plan carries no seed of its own: a later --seed decides weights, samples and random layouts alike.
  Settings settings = auto_settings(64, 64, 3, 5, 0, Precision::F32, 100);
  settings.set("train.seed", int64_t{9}, "--seed");
  const FitConfig config = image_config_from_settings(settings, 3);
  EXPECT_EQ(config.seed, 9U);
  EXPECT_EQ(config.network.layout.seed, 9U);
}

}  // namespace
}  // namespace loe
