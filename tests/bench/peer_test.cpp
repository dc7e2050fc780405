// A rival is worth timing only if it computes what we compute.
#include "peer/peer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "loe/nn/network.h"
#include "peer/row_plan.h"

namespace loe::peer {
namespace {

Tile square_tile(int n) {
  Tile tile;
  tile.n = {n, n, 1, 1};
  return tile;
}

/// Odd widths, a plain level in the middle, 4 and 9 experts.
NetworkSpec small_network() {
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

double relative_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += d * d;
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(difference / norm);
}

/// Loss and gradients of the rival against the reference, the sample count crossing a chunk's end or leaving a tail.
void expect_agreement(Precision precision, int64_t n_samples, double loss_tolerance, double gradient_tolerance) {
  const NetworkSpec spec = small_network();
  const std::vector<float> params = initial_params(spec, 3);
  const Points points(n_samples);
  std::vector<float> expected(params.size());
  const auto executor = reference_backend().compile(spec, {});
  executor->set_params(params);
  const double loss = executor->mse_gradients(points, expected);

  const auto rival = make_onednn_peer(spec, precision, 2);
  ASSERT_NE(rival, nullptr);
  rival->prepare(points);
  std::vector<float> found(params.size(), 1e9F);
  EXPECT_NEAR(rival->mse_gradients(params, found), loss, loss_tolerance * loss);
  EXPECT_LT(relative_distance(found, expected), gradient_tolerance);
}

TEST(OneDnnPeer, F32GradientsAreThoseOfTheReference) {
  expect_agreement(Precision::F32, 1, 1e-5, 1e-4);
  expect_agreement(Precision::F32, 777, 1e-5, 1e-4);
  expect_agreement(Precision::F32, 16384 + 65, 1e-5, 1e-4);
}

// bf16 keeps 8 bits: 2^-9 for each of four roundings a layer, three layers deep, and some signs next to zero flip.
TEST(OneDnnPeer, Bf16GradientsAreCloseToTheReference) {
  expect_agreement(Precision::Bf16, 4000, 2e-2, 5e-2);
}

TEST(OneDnnPeer, TrainsAsTheReferenceDoes) {
  const NetworkSpec spec = small_network();
  const Points points(600);
  ParamState ours;
  ours.params = initial_params(spec, 3);
  ours.adam_m.assign(ours.params.size(), 0.0F);
  ours.adam_v = ours.adam_m;
  ParamState theirs = ours;
  const auto executor = reference_backend().compile(spec, {});
  executor->set_params(ours.params);
  const auto rival = make_onednn_peer(spec, Precision::F32, 1);
  rival->prepare(points);
  for (int t = 1; t <= 5; ++t) {
    AdamUpdate update;
    update.t = t;
    const double loss = executor->train_step(points, update, ours);
    EXPECT_NEAR(rival->train_step(update, theirs), loss, 1e-4 * loss);
  }
  EXPECT_LT(relative_distance(theirs.params, ours.params), 1e-3);
}

TEST(OneDnnPeer, DeclinesWhatItCannotDo) {
  NetworkSpec spec = small_network();
  EXPECT_EQ(make_onednn_peer(spec, Precision::Mixed, 1), nullptr);
  spec.layers[0].interpolation = Interpolation::Linear;
  EXPECT_EQ(make_onednn_peer(spec, Precision::F32, 1), nullptr);
}

TEST(RowPlan, EverySampleHasOneRowInEveryLayerAndPaddingIsMarked) {
  const NetworkSpec spec = small_network();
  const int64_t n = 500;
  std::vector<float> coords(n * 2);
  std::vector<float> targets(n * 3);
  Points(n).fill(0, n, coords.data(), targets.data());
  const std::vector<LayerOrder> orders = plan_rows(spec, coords);
  ASSERT_EQ(orders.size(), spec.layers.size());
  for (const LayerOrder& order : orders) {
    EXPECT_EQ(order.n_rows() % kRowMultiple, 0);
    std::vector<int> seen(n, 0);
    for (int64_t row = 0; row < order.n_rows(); ++row) {
      if (order.sample_of[row] >= 0) {
        ++seen[order.sample_of[row]];
        EXPECT_EQ(order.position_of[order.sample_of[row]], row);
      }
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), n);
  }
}

}  // namespace
}  // namespace loe::peer
