// A small network and samples that rivals are compared with the reference on.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "loe/nn/network.h"
#include "peer/peer.h"

namespace loe::peer::test {

inline Tile square_tile(int n) {
  Tile tile;
  tile.n = {n, n, 1, 1};
  return tile;
}

/// Odd widths, a plain level in the middle, 4 and 9 experts.
inline NetworkSpec small_network() {
  NetworkConfig config;
  config.n_channels = 3;
  config.input.n_frequencies = 3;
  config.widths = {17, 33, 16};
  config.tiles = {square_tile(2), square_tile(1), square_tile(3)};
  config.layout.resolutions = {{2, 2}, {4, 4}, {9, 9}};
  return build_network(config);
}

class Points : public SampleSource {
 public:
  explicit Points(int64_t n) : n_(n) {}
  int64_t n_samples() const override { return n_; }
  void fill(int64_t first, int64_t count, float* coords, float* targets) const override {
    for (int64_t i = 0; i < count; ++i) {
      const auto k = static_cast<float>(first + i);
      const float x = std::fmod(0.754877F * k, 1.0F);
      const float y = std::fmod(0.569840F * k, 1.0F);
      coords[2 * i] = x;
      coords[2 * i + 1] = y;
      for (int c = 0; c < 3; ++c) {
        targets[3 * i + c] = 0.5F + 0.4F * std::sin(5 * x + 3 * y + static_cast<float>(c));
      }
    }
  }

 private:
  int64_t n_;
};

inline double relative_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += d * d;
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(difference / norm);
}

/// Loss and gradients of the rival against the reference.
inline void expect_agreement(const std::unique_ptr<PeerStep>& rival, int64_t n_samples, double loss_tolerance,
                             double gradient_tolerance) {
  const NetworkSpec spec = small_network();
  const std::vector<float> params = initial_params(spec, 3);
  const Points points(n_samples);
  std::vector<float> expected(params.size());
  const auto executor = reference_backend().compile(spec, {});
  executor->set_params(params);
  const double loss = executor->mse_gradients(points, expected);
  ASSERT_NE(rival, nullptr);
  rival->prepare(points);
  std::vector<float> found(params.size(), 1e9F);
  EXPECT_NEAR(rival->mse_gradients(params, found), loss, loss_tolerance * loss);
  EXPECT_LT(relative_distance(found, expected), gradient_tolerance);
}

/// Steps beside the reference's and the losses of both; how far apart the parameters end, relative to their norm.
inline double expect_training(PeerStep& rival, int64_t n_samples, int n_steps) {
  const NetworkSpec spec = small_network();
  const Points points(n_samples);
  ParamState ours;
  ours.params = initial_params(spec, 3);
  ours.adam_m.assign(ours.params.size(), 0.0F);
  ours.adam_v = ours.adam_m;
  ParamState theirs = ours;
  const auto executor = reference_backend().compile(spec, {});
  executor->set_params(ours.params);
  rival.prepare(points);
  for (int t = 1; t <= n_steps; ++t) {
    AdamUpdate update;
    update.t = t;
    const double loss = executor->train_step(points, update, ours);
    EXPECT_NEAR(rival.train_step(update, theirs), loss, 1e-4 * loss);
  }
  return relative_distance(theirs.params, ours.params);
}

}  // namespace loe::peer::test
