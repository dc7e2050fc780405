#include "loe/base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace loe {
namespace {

using Words = std::array<uint32_t, 4>;

// Known answers of Philox4x32-10 published with Random123 (its file kat_vectors): counter, key, result.
TEST(Random, MatchesPublishedKnownAnswers) {
  EXPECT_EQ(random_words(0, static_cast<RandomStream>(0), 0, 0),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(random_words(0xffffffffffffffff, static_cast<RandomStream>(0xffffffff), 0xffffffffffffffff, 0xffffffff),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(random_words(0x299f31d0a4093822, static_cast<RandomStream>(0x03707344), 0x85a308d3243f6a88, 0x13198a2e),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, EveryArgumentMatters) {
  std::set<Words> seen;
  for (const uint64_t seed : {uint64_t{1}, uint64_t{1} << 32}) {
    for (const RandomStream stream : {RandomStream::Weights, RandomStream::Samples, RandomStream::Layout}) {
      for (const uint64_t counter : {uint64_t{0}, uint64_t{7}, uint64_t{7} << 32}) {
        for (const uint32_t lane : {0U, 9U}) {
          EXPECT_TRUE(seen.insert(random_words(seed, stream, counter, lane)).second);
        }
      }
    }
  }
}

TEST(Random, UnitFloatsStayBelowOne) {
  EXPECT_EQ(to_unit_float(0), 0.0F);
  EXPECT_EQ(to_unit_float(0xffffffff), 1.0F - 0x1p-24F);
  EXPECT_EQ(to_unit_float(0x80000000), 0.5F);
}

TEST(Random, BoundedIntegersCoverTheirRangeEvenly) {
  EXPECT_EQ(to_bounded(0xffffffff, 1), 0U);
  EXPECT_EQ(to_bounded(0xffffffff, 0xffffffff), 0xfffffffeU);
  std::array<int, 7> n_seen{};
  constexpr int kDraws = 7000;
  for (int i = 0; i < kDraws; ++i) {
    ++n_seen[to_bounded(random_words(3, RandomStream::Samples, i)[0], 7)];
  }
  for (const int n : n_seen) {
    EXPECT_NEAR(n, 1000, 6 * 30);  // six standard deviations of a binomial count, sqrt(7000 * 6 / 49) = 29.3
  }
}

}  // namespace
}  // namespace loe
