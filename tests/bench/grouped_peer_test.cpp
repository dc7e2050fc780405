// The step by grouped products, emulated: its kernels by host_execution.h, its products by plain loops.
#include "peer/grouped_peer.h"

#include <gtest/gtest.h>

#include "bench/peer_cases.h"

namespace loe::peer {
namespace {

using namespace test;

template <typename T>
class LoopProducts {
 public:
  using Call = std::vector<Product>;
  LoopProducts(const cuda::Stream&, Precision) {}
  Call make(const std::vector<Product>& products) { return products; }
  void run(const Call& call) {
    for (const Product& p : call) {
      const auto* a = static_cast<const T*>(p.a);
      const auto* b = static_cast<const T*>(p.b);
      auto* c = static_cast<T*>(p.c);
      for (int j = 0; j < p.n; ++j) {
        for (int i = 0; i < p.m; ++i) {
          float sum = 0;
          for (int k = 0; k < p.k; ++k) {
            sum += cuda::number_of(a[p.transposes_a ? i * p.lda + k : k * p.lda + i]) *
                   cuda::number_of(b[p.transposes_b ? k * p.ldb + j : j * p.ldb + k]);
          }
          cuda::store(c[j * p.ldc + i], sum);
        }
      }
    }
  }
};

template <typename T>
std::unique_ptr<PeerStep> make(Precision precision) {
  return std::make_unique<GroupedPeer<T, LoopProducts<T>>>(small_network(), precision, "emulated");
}

TEST(GroupedPeer, F32GradientsAreThoseOfTheReference) {
  expect_agreement(make<float>(Precision::F32), 1, 1e-5, 1e-4);
  expect_agreement(make<float>(Precision::F32), 333, 1e-5, 1e-4);
}

// As oneDNN's, and results of products are rounded too: predictions, gradients by weights.
TEST(GroupedPeer, Bf16GradientsAreCloseToTheReference) {
  expect_agreement(make<cuda::Bf16>(Precision::Bf16), 200, 2e-2, 5e-2);
}

TEST(GroupedPeer, TrainsAsTheReferenceDoes) {
  expect_training(*make<float>(Precision::F32), 100, 3);
}

}  // namespace
}  // namespace loe::peer
