#include "loe/nn/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "loe/base/error.h"

namespace loe {
namespace {

InputSpec encoding(int n_frequencies) {
  InputSpec input;
  input.n_frequencies = n_frequencies;
  return input;
}

/// Table 1, "Ours".
NetworkConfig pluto_config() {
  NetworkConfig config;
  config.input = encoding(13);
  config.widths = {512, 384, 256, 256, 256, 256, 256};
  config.tiles.assign(7, Tile{{4, 4, 1, 1}});
  for (double resolution : {4, 8, 32, 128, 512, 2048, 8192}) {
    config.layout.resolutions.push_back({resolution, resolution, 1, 1});
  }
  return config;
}

/// Table 5, "Quad Tree".
NetworkConfig toy_config() {
  NetworkConfig config;
  config.n_channels = 1;
  config.input = encoding(8);
  config.widths.assign(9, 64);
  config.tiles.assign(9, Tile{{2, 2, 1, 1}});
  for (int level = 1; level <= 9; ++level) {
    config.layout.resolutions.push_back({std::ldexp(1, level), std::ldexp(1, level), 1, 1});
  }
  return config;
}

/// The plain MLP of the same widths.
NetworkConfig plain(NetworkConfig config) {
  config.tiles.assign(config.tiles.size(), Tile{});
  config.layout.resolutions.clear();
  return config;
}

void expect_counts(const NetworkConfig& config, int64_t n_params, int64_t macs) {
  const NetworkSpec spec = build_network(config);
  EXPECT_EQ(spec.n_params(), n_params);
  EXPECT_EQ(spec.macs_per_sample(), macs);
  EXPECT_EQ(static_cast<int64_t>(initial_params(spec, 0).size()), n_params);
}

TEST(NetworkCounts, Table1) {
  expect_counts(plain(pluto_config()), 587651, 585472);
  NetworkConfig embedded = plain(pluto_config());
  embedded.input.embedding = {{261, 261}, 128};
  expect_counts(embedded, 9372675, 651008);
  for (LayoutKind kind :
       {LayoutKind::CoarseToFine, LayoutKind::Interleaved, LayoutKind::Chunked, LayoutKind::RandomAffine}) {
    NetworkConfig config = pluto_config();
    config.layout.kind = kind;
    config.layout.affine_std = 256;
    SCOPED_TRACE(to_string(kind));
    expect_counts(config, 9358211, 585472);
  }
  NetworkConfig config = pluto_config();
  config.interpolation = Interpolation::Linear;
  expect_counts(config, 9358211, 2339584);
  config = pluto_config();
  config.input = InputSpec{};
  config.input.kind = InputKind::Constant;
  expect_counts(config, 8924035, 558336);
}

TEST(NetworkCounts, Table2) {
  NetworkConfig config;
  config.n_dims = 3;
  config.input = encoding(9);
  config.widths.assign(5, 256);
  config.tiles.assign(5, Tile{{4, 4, 4, 1}});
  config.tiles[0] = Tile{{2, 2, 2, 1}};
  for (double resolution : {2, 8, 32, 128, 512}) {
    config.layout.resolutions.push_back({resolution, resolution, resolution, 1});
  }
  expect_counts(config, 16896003, 277504);
  expect_counts(plain(config), 278787, 277504);
  NetworkConfig embedded = plain(config);
  embedded.input.embedding = {{64, 64, 64}, 64};
  expect_counts(embedded, 17072387, 293888);
}

TEST(NetworkCounts, Table2Siren) {
  NetworkConfig config;
  config.n_dims = 3;
  config.widths.assign(5, 256);
  config.tiles.assign(5, Tile{});
  config.activation.kind = ActivationKind::Sine;
  expect_counts(config, 264963, 263680);
  config.widths.assign(5, 1024);
  expect_counts(config, 4205571, 4200448);
}

TEST(NetworkCounts, Table5) {
  for (LayoutKind kind : {LayoutKind::CoarseToFine, LayoutKind::GrayCode, LayoutKind::FineToCoarse,
                          LayoutKind::RandomPermute, LayoutKind::RandomAffine}) {
    NetworkConfig config = toy_config();
    config.layout.kind = kind;
    SCOPED_TRACE(to_string(kind));
    expect_counts(config, 140417, 35008);
  }
  expect_counts(plain(toy_config()), 35585, 35008);
}

TEST(BuildNetwork, LayersAreAsDescribed) {
  NetworkConfig config = pluto_config();
  config.interpolation = Interpolation::Linear;
  config.node_offset = 0.5;
  const NetworkSpec spec = build_network(config);
  EXPECT_EQ(spec.n_dims, 2);
  EXPECT_EQ(spec.n_in(), 54);
  EXPECT_EQ(spec.n_out(), 3);
  ASSERT_EQ(spec.layers.size(), 8U);
  int n_in = 54;
  for (int i = 0; i < 7; ++i) {
    const LayerSpec& layer = spec.layers[i];
    EXPECT_EQ(layer.name, "levels." + std::to_string(i));
    EXPECT_EQ(layer.n_in, n_in);
    EXPECT_EQ(layer.n_out, config.widths[i]);
    EXPECT_EQ(layer.n_experts(), 16);
    EXPECT_EQ(layer.grid.a[0][0], config.layout.resolutions[i][0]);
    EXPECT_EQ(layer.interpolation, Interpolation::Linear);
    EXPECT_EQ(layer.node_offset, 0.5);
    EXPECT_EQ(layer.activation.kind, ActivationKind::LeakyRelu);
    EXPECT_EQ(layer.activation.slope, 0.2);
    n_in = layer.n_out;
  }
  const LayerSpec& head = spec.layers.back();
  EXPECT_EQ(head.name, "head");
  EXPECT_EQ(head.n_in, 256);
  EXPECT_EQ(head.n_experts(), 1);
  EXPECT_EQ(head.activation.kind, ActivationKind::Identity);
}

struct BadConfig {
  std::function<void(NetworkConfig&)> spoil;
  std::vector<std::string> words;
};

TEST(BuildNetwork, ContradictionsNameTheField) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const BadConfig cases[] = {
      {[](NetworkConfig& c) { c.n_dims = 0; }, {"n_dims", "1..4", "got 0"}},
      {[](NetworkConfig& c) { c.n_dims = 5; }, {"n_dims", "got 5"}},
      {[](NetworkConfig& c) { c.n_channels = 0; }, {"n_channels", "got 0"}},
      {[](NetworkConfig& c) { c.widths.clear(); }, {"widths", "got 0"}},
      {[](NetworkConfig& c) { c.widths.assign(64, 8); }, {"widths", "1..63", "got 64"}},
      {[](NetworkConfig& c) { c.widths.pop_back(); }, {"tiles", "expected 8", "8 widths", "got 9"}},
      {[](NetworkConfig& c) { c.tiles.pop_back(); }, {"tiles", "expected 9", "got 8"}},
      {[](NetworkConfig& c) { c.layout.resolutions.pop_back(); }, {"resolutions", "expected 9", "got 8"}},
      {[](NetworkConfig& c) { c.widths[2] = 0; }, {"widths[2]", "got 0"}},
      {[](NetworkConfig& c) { c.widths[8] = 16385; }, {"widths[8]", "16384", "got 16385"}},
      {[](NetworkConfig& c) { c.tiles[3].n[1] = 0; }, {"tiles[3][1]", "got 0"}},
      {[](NetworkConfig& c) {
         c.tiles[3].n = {65536, 65536, 1, 1};
       },
       {"tiles[3][0]", "got 65536"}},
      {[](NetworkConfig& c) {
         c.tiles[3].n = {128, 64, 1, 1};
       },
       {"tiles[3]", "4096 experts", "got 8192"}},
      {[](NetworkConfig& c) { c.tiles[3].n[2] = 2; }, {"tiles[3][2]", "2 axes", "got 2"}},
      {[](NetworkConfig& c) { c.node_offset = 1; }, {"node_offset", "got 1"}},
      {[&](NetworkConfig& c) { c.node_offset = nan; }, {"node_offset", "nan"}},
      {[](NetworkConfig& c) { c.activation.slope = 1; }, {"slope", "got 1"}},
      {[](NetworkConfig& c) {
         c.activation = {ActivationKind::Sine, 0.2, 0};
       },
       {"omega", "got 0"}},
      {[](NetworkConfig& c) { c.input.n_frequencies = 25; }, {"n_frequencies", "0..24", "got 25"}},
      {[](NetworkConfig& c) { c.input.n_frequencies = 1 << 30; }, {"n_frequencies", "got 1073741824"}},
      {[&](NetworkConfig& c) { c.input.frequency_scale = nan; }, {"frequency_scale", "nan"}},
      {[](NetworkConfig& c) {
         c.input.coordinate_range = {1, 1};
       },
       {"coordinate_range", "1 and 1"}},
      {[&](NetworkConfig& c) {
         c.input.coordinate_range = {0, nan};
       },
       {"coordinate_range", "nan"}},
      {[](NetworkConfig& c) {
         c.input = {InputKind::Encoding, 0, 1, false, 0};
       },
       {"input", "neither"}},
      {[](NetworkConfig& c) { c.input.kind = InputKind::Features; }, {"n_features", "got 0"}},
      {[](NetworkConfig& c) { c.layout.resolutions[0][0] = 0; }, {"resolutions[0][0]", "got 0"}},
  };
  for (const BadConfig& bad : cases) {
    NetworkConfig config = toy_config();
    bad.spoil(config);
    try {
      build_network(config);
      ADD_FAILURE() << "no error about " << bad.words[0];
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
      const std::string message = error.what();
      EXPECT_NE(message.find("expected"), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      for (const std::string& word : bad.words) {
        EXPECT_NE(message.find(word), std::string::npos) << "'" << word << "' not in: " << message;
      }
    }
  }
}

/// Mean, variance and extremes of a block of parameters.
struct Statistics {
  double mean = 0;
  double variance = 0;
  double largest = 0;
};

Statistics statistics(const std::vector<float>& params, int64_t first, int64_t count) {
  Statistics result;
  for (int64_t i = first; i < first + count; ++i) {
    result.mean += params[i] / static_cast<double>(count);
    result.largest = std::max(result.largest, std::abs(static_cast<double>(params[i])));
  }
  for (int64_t i = first; i < first + count; ++i) {
    const double d = params[i] - result.mean;
    result.variance += d * d / static_cast<double>(count);
  }
  return result;
}

/// Uniform on (-bound, bound): within it, near both ends, zero mean and variance bound^2 / 3 within 5 standard errors.
void expect_uniform(const std::vector<float>& params, int64_t first, int64_t count, double bound) {
  const Statistics found = statistics(params, first, count);
  const auto n = static_cast<double>(count);
  EXPECT_LE(found.largest, static_cast<double>(static_cast<float>(bound)));
  EXPECT_GT(found.largest, bound * (1 - 10 / n));
  EXPECT_NEAR(found.mean, 0, 5 * bound / std::sqrt(3 * n));
  EXPECT_NEAR(found.variance, bound * bound / 3, 5 * bound * bound * std::sqrt(4.0 / 45 / n));
}

TEST(InitialParams, KaimingPerExpert) {
  const NetworkSpec spec = build_network(toy_config());
  const std::vector<float> params = initial_params(spec, 7);
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    SCOPED_TRACE(spec.layers[i].name);
    const LayerSpec& layer = spec.layers[i];
    const double bound = std::sqrt(2 / 1.04) * std::sqrt(3.0 / layer.n_in);
    EXPECT_NEAR(bound * std::sqrt(layer.n_in), 2.402, 1e-3);
    const int64_t expert_size = int64_t{layer.n_out} * layer.n_in;
    const int64_t first = spec.weight_offset(static_cast<int>(i));
    for (int expert = 0; expert < layer.n_experts(); ++expert) {
      expect_uniform(params, first + expert * expert_size, expert_size, bound);
    }
    const int64_t bias = spec.bias_offset(static_cast<int>(i));
    EXPECT_TRUE(std::all_of(&params[bias], &params[bias] + layer.n_out, [](float b) { return b == 0; }));
  }
}

TEST(InitialParams, EmbeddingTableIsUniform) {
  NetworkConfig config = plain(toy_config());
  config.input.embedding = {{40, 30}, 16, 0.125};
  const NetworkSpec spec = build_network(config);
  const std::vector<float> params = initial_params(spec, 7);
  ASSERT_EQ(static_cast<int64_t>(params.size()), spec.n_params());
  expect_uniform(params, spec.embedding_offset(), 40 * 30 * 16, 0.125);
  config.input.embedding.init_bound = 0;
  const std::vector<float> zeros = initial_params(build_network(config), 7);
  EXPECT_TRUE(std::all_of(zeros.begin() + spec.embedding_offset(), zeros.end(), [](float x) { return x == 0; }));
  EXPECT_TRUE(std::equal(zeros.begin(), zeros.begin() + spec.embedding_offset(), params.begin()));
}

TEST(InitialParams, ExpertsAreIndependent) {
  const NetworkSpec spec = build_network(toy_config());
  const std::vector<float> params = initial_params(spec, 7);
  const int64_t first = spec.weight_offset(4);
  const int64_t n = 64 * 64;
  const double variance = 2 / 1.04 / 64;
  for (int a = 0; a < 4; ++a) {
    for (int b = 0; b < a; ++b) {
      double covariance = 0;
      for (int64_t i = 0; i < n; ++i) {
        covariance += static_cast<double>(params[first + a * n + i]) * params[first + b * n + i] / n;
      }
      EXPECT_NEAR(covariance / variance, 0, 5 / std::sqrt(n)) << a << " " << b;
    }
  }
}

TEST(InitialParams, SharedExpertsRepeatTheFirst) {
  NetworkConfig config = toy_config();
  config.input.embedding = {{5, 3}, 2, 0.125};
  const NetworkSpec spec = build_network(config);
  const std::vector<float> own = initial_params(spec, 7);
  const std::vector<float> shared = initial_params(spec, 7, {.experts = ExpertInit::Shared});
  ASSERT_EQ(shared.size(), own.size());
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    SCOPED_TRACE(spec.layers[i].name);
    const LayerSpec& layer = spec.layers[i];
    const int64_t size = int64_t{layer.n_out} * layer.n_in;
    const auto first = spec.weight_offset(static_cast<int>(i));
    for (int expert = 0; expert < layer.n_experts(); ++expert) {
      EXPECT_TRUE(std::equal(&own[first], &own[first] + size, &shared[first + expert * size])) << expert;
    }
  }
  EXPECT_TRUE(std::equal(own.begin() + spec.embedding_offset(), own.end(), shared.begin() + spec.embedding_offset()));
}

TEST(InitialParams, LecunHasUnitGainWhateverTheActivation) {
  for (const ActivationKind kind : {ActivationKind::Sine, ActivationKind::LeakyRelu, ActivationKind::Tanh}) {
    SCOPED_TRACE(to_string(kind));
    NetworkConfig config = toy_config();
    config.activation = {kind, 0.2, 1};
    const NetworkSpec spec = build_network(config);
    const std::vector<float> params = initial_params(spec, 11, {.scheme = InitScheme::Lecun});
    const int head = static_cast<int>(spec.layers.size()) - 1;
    for (int i = 0; i <= head; ++i) {
      SCOPED_TRACE(spec.layers[i].name);
      const LayerSpec& layer = spec.layers[i];
      const double bound = std::sqrt(3.0 / layer.n_in) / (i == head ? 2 : 1);
      expect_uniform(params, spec.weight_offset(i), int64_t{layer.n_experts()} * layer.n_out * layer.n_in, bound);
      const int64_t bias = spec.bias_offset(i);
      EXPECT_TRUE(std::all_of(&params[bias], &params[bias] + layer.n_out, [](float b) { return b == 0; }));
    }
  }
}

TEST(InitialParams, DependsOnSeedAndIndexOnly) {
  const NetworkSpec spec = build_network(toy_config());
  const std::vector<float> params = initial_params(spec, 3);
  EXPECT_EQ(params, initial_params(spec, 3));
  const std::vector<float> other = initial_params(spec, 4);
  int64_t n_equal = 0;
  for (int64_t i = 0; i < spec.bias_offset(0); ++i) {
    n_equal += params[i] == other[i] ? 1 : 0;
  }
  EXPECT_LT(n_equal, 10);
  NetworkConfig longer = toy_config();
  longer.n_channels = 5;
  const std::vector<float> extended = initial_params(build_network(longer), 3);
  EXPECT_TRUE(std::equal(params.begin(), params.begin() + spec.bias_offset(9), extended.begin()));
}

TEST(InitialParams, ReluHasItsOwnGainAndSlopeCounts) {
  NetworkConfig config = toy_config();
  config.activation.kind = ActivationKind::Relu;
  NetworkSpec spec = build_network(config);
  expect_uniform(initial_params(spec, 1), spec.weight_offset(1), 4 * 64 * 64, std::sqrt(6.0 / 64));
  config.activation = {ActivationKind::LeakyRelu, 0.5, 30};
  spec = build_network(config);
  expect_uniform(initial_params(spec, 1), spec.weight_offset(1), 4 * 64 * 64, std::sqrt(2 / 1.25 * 3 / 64));
}

TEST(InitialParams, Siren) {
  NetworkConfig config;
  config.n_dims = 3;
  config.n_channels = 64;
  config.widths.assign(3, 256);
  config.tiles.assign(3, Tile{});
  config.activation = {ActivationKind::Sine, 0.2, 30};
  const NetworkSpec spec = build_network(config);
  const std::vector<float> params = initial_params(spec, 11);
  expect_uniform(params, spec.weight_offset(0), 3 * 256, 1.0 / 3);
  expect_uniform(params, spec.bias_offset(0), 256, 1 / std::sqrt(3.0));
  for (int layer : {1, 2, 3}) {  // the head included
    SCOPED_TRACE(layer);
    expect_uniform(params, spec.weight_offset(layer), int64_t{256} * spec.layers[layer].n_out,
                   std::sqrt(6.0 / 256) / 30);
    expect_uniform(params, spec.bias_offset(layer), spec.layers[layer].n_out, 1.0 / 16);
  }
}

}  // namespace
}  // namespace loe
