#include "loe/task/image_presets.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "loe/backend/routing.h"
#include "loe/base/error.h"
#include "task/task_pictures.h"

namespace loe {
namespace {

struct Size {
  int width;
  int height;
};

constexpr Size kSizes[] = {{1, 1},     {1, 5},     {5, 1},       {2, 2},       {17, 3},    {512, 512},
                           {451, 300}, {768, 512}, {3000, 3000}, {8192, 8192}, {65536, 1}, {65536, 65536}};

double flops_per_step(const FitConfig& config) {
  const NetworkSpec spec = build_network(config.network);
  const double first = static_cast<double>(spec.layers[0].n_in) * spec.layers[0].n_out;
  return static_cast<double>(config.batch_size) * (6.0 * static_cast<double>(spec.macs_per_sample()) - 2 * first);
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

void expect_unique_paths(const NetworkSpec& spec, const Size& size) {
  for (int axis = 0; axis < 2; ++axis) {
    const int n = axis == 0 ? size.width : size.height;
    std::set<std::vector<int>> paths;
    for (int j = 0; j < n; ++j) {
      paths.insert(digits(spec, axis, j, n));
    }
    EXPECT_EQ(static_cast<int>(paths.size()), n) << "axis " << axis;
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

TEST(AutoSettings, EveryPixelHasItsOwnPath) {
  for (const Size& size : kSizes) {
    SCOPED_TRACE(testing::Message() << size.width << "x" << size.height);
    const Settings settings = auto_settings(size.width, size.height, 3, 0, 0, Precision::F32, 100);
    const FitConfig config = image_config_from_settings(settings, 3);
    expect_unique_paths(build_network(config.network), size);
    // The finest cell is a pixel on both axes, so cells are square everywhere.
    EXPECT_EQ(config.network.layout.resolutions.back()[0], size.width);
    EXPECT_EQ(config.network.layout.resolutions.back()[1], size.height);
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

TEST(AutoSettings, DealsTheBitsOnceLikeThePaper) {
  const auto resolutions = [](int size) {
    const Settings settings = auto_settings(size, size, 3, 60, 0, Precision::F32, 100);
    std::vector<double> result;
    for (const Resolution& r : image_config_from_settings(settings, 3).network.layout.resolutions) {
      result.push_back(r[0]);
    }
    return result;
  };
  EXPECT_EQ(resolutions(512), (std::vector<double>{2, 8, 32, 128, 512}));  // as the paper's video
  EXPECT_EQ(resolutions(8192), (std::vector<double>{2, 8, 32, 128, 512, 2048, 8192}));
}

TEST(AutoSettings, PutsTheFinestLevelFirstWithItsTile) {
  const FitConfig config = image_config_from_settings(auto_settings(512, 512, 3, 60, 0, Precision::F32, 100), 3);
  EXPECT_EQ(config.network.layout.kind, LayoutKind::FineToCoarse);
  const NetworkSpec spec = build_network(config.network);
  const int tiles[] = {4, 4, 4, 4, 2};  // nine bits: the coarsest level has one
  const double resolutions[] = {512, 128, 32, 8, 2};
  ASSERT_EQ(spec.layers.size(), 6U);
  for (int level = 0; level < 5; ++level) {
    EXPECT_EQ(spec.layers[level].tile.n[0], tiles[level]) << level;
    EXPECT_EQ(spec.layers[level].grid.a[0][0], resolutions[level]) << level;
  }
}

TEST(AutoSettings, ShortRunsTakeManySmallSteps) {
  const FitConfig quick = image_config_from_settings(auto_settings(512, 512, 3, 10, 0, Precision::F32, 100), 3);
  EXPECT_EQ(quick.batch_size, 2048);
  EXPECT_GE(quick.train.max_steps, 5000);
  EXPECT_EQ(quick.train.adam.beta2, 0.99);
  EXPECT_EQ(quick.train.schedule.learning_rate, 0.02);
  EXPECT_EQ(quick.train.schedule.kind, ScheduleKind::Cosine);
  // A faster machine sees more samples: larger batches, not ever more steps; wide levels take smaller rates.
  const FitConfig fast = image_config_from_settings(auto_settings(4096, 4096, 3, 600, 0, Precision::F32, 2e4), 3);
  EXPECT_GT(fast.batch_size, 8 * quick.batch_size);
  EXPECT_GT(fast.network.widths[0], 64);
  EXPECT_LT(fast.train.schedule.learning_rate, 0.02);
}

TEST(AutoSettings, StaysWithinATimeBudget) {
  for (const Size& size : {Size{451, 300}, Size{512, 512}, Size{3000, 3000}, Size{8192, 8192}}) {
    for (const double seconds : {20.0, 120.0, 3600.0}) {
      for (const double gflops : {20.0, 150.0, 5000.0}) {
        const Settings settings = auto_settings(size.width, size.height, 3, seconds, 0, Precision::Bf16, gflops);
        const FitConfig config = image_config_from_settings(settings, 3);
        const double planned = flops_per_step(config) * static_cast<double>(config.train.max_steps) / (gflops * 1e9);
        EXPECT_LE(planned, 1.001 * seconds) << size.width << " " << seconds << " s " << gflops;
        EXPECT_EQ(config.train.max_seconds, seconds);
        EXPECT_EQ(config.precision, Precision::Bf16);
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
    EXPECT_GE(n_params, last);
    last = n_params;
  }
  EXPECT_GT(last, 0.14 * 2048 * 2048);
  EXPECT_LT(last, 0.53 * 2048 * 2048);
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
  EXPECT_LE(flops_per_step(both) * static_cast<double>(both.train.max_steps), 60 * 100e9);
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
