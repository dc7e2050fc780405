// A rival is worth timing only if it computes what we compute.
#include "peer/peer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bench/peer_cases.h"
#include "peer/row_plan.h"

namespace loe::peer {
namespace {

using namespace test;

void expect_agreement(Precision precision, int64_t n_samples, double loss_tolerance, double gradient_tolerance) {
  test::expect_agreement(make_onednn_peer(small_network(), precision, 2), n_samples, loss_tolerance,
                         gradient_tolerance);
}

TEST(OneDnnPeer, F32GradientsAreThoseOfTheReference) {
  expect_agreement(Precision::F32, 1, 1e-5, 1e-4);
  expect_agreement(Precision::F32, 777, 1e-5, 1e-4);
  expect_agreement(Precision::F32, 16384 + 65, 1e-5, 1e-4);
}

// bf16 keeps 8 bits: 2^-9 for each of four roundings a layer, three layers deep, and some signs next to zero flip.
TEST(OneDnnPeer, Bf16GradientsAreCloseToTheReference) {
  if (!onednn_has_bf16()) {
    EXPECT_EQ(make_onednn_peer(small_network(), Precision::Bf16, 2), nullptr);
    GTEST_SKIP() << "oneDNN has no bf16 products on this processor";
  }
  expect_agreement(Precision::Bf16, 4000, 2e-2, 5e-2);
}

TEST(OneDnnPeer, TrainsAsTheReferenceDoes) {
  EXPECT_LT(expect_training(*make_onednn_peer(small_network(), Precision::F32, 1), 600, 5), 1e-3);
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
