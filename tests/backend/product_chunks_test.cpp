// Product chunks: who is drawn, how often, and with whom.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "backend/product_cases.h"
#include "loe/backend/routing.h"
#include "loe/base/error.h"

namespace loe {
namespace {

using test::nested_network;
using test::ProductCase;
using test::ProductFixture;

class Chunks : public testing::TestWithParam<ProductCase> {
 protected:
  Chunks()
      : spec_(nested_network(GetParam())),
        chunks_(spec_, GetParam().size, GetParam().batch),
        round_(chunks_.draw_round(3, 17)) {}

  std::vector<PixelPlace> places_of(int chunk) const {
    std::vector<PixelPlace> places(chunks_.chunk_samples());
    chunks_.draw_chunk(round_, chunk, places);
    return places;
  }

  std::vector<float> coordinates_of(const PixelPlace& place) const {
    const auto& size = GetParam().size;
    std::vector<float> p = {pixel_coordinate(place.x, size[0]), pixel_coordinate(place.y, size[1])};
    if (spec_.n_dims == 3) p.push_back(pixel_coordinate(place.t, size[2]));
    return p;
  }

  NetworkSpec spec_;
  ProductChunks chunks_;
  ProductChunks::Round round_;
};

TEST_P(Chunks, GroupsAreThePartsOfAChunk) {
  for (int level = 0; level < static_cast<int>(chunks_.levels().size()); ++level) {
    for (int chunk = 0; chunk < chunks_.n_chunks(); ++chunk) {
      const ProductChunks::Groups& groups = chunks_.groups(level, chunk);
      std::set<int> seen;
      for (int group = 0; group < groups.n; ++group) {
        const uint16_t* rows = groups.rows.data() + groups.padded_first[group];
        const int n = groups.n_rows(group);
        EXPECT_NEAR(n, static_cast<double>(chunks_.chunk_samples()) / groups.n, 1);
        EXPECT_EQ(groups.n_padded_rows(group) % ProductChunks::kRowPadding, 0);
        for (int i = 0; i < groups.n_padded_rows(group); ++i) {
          EXPECT_EQ(groups.of_sample[rows[i]], group);
          EXPECT_EQ(seen.insert(rows[i]).second, i < n);
        }
      }
      EXPECT_EQ(static_cast<int>(seen.size()), chunks_.chunk_samples());
    }
  }
}

TEST_P(Chunks, EverySampleIsRoutedToItsGroup) {
  int64_t n_inside = 0;
  for (int chunk = 0; chunk < chunks_.n_chunks(); ++chunk) {
    const std::vector<PixelPlace> places = places_of(chunk);
    for (int s = 0; s < chunks_.chunk_samples(); ++s) {
      if (!chunks_.is_inside(places[s])) continue;
      ++n_inside;
      for (int level = 0; level < static_cast<int>(chunks_.levels().size()); ++level) {
        const int group = chunks_.groups(level, chunk).of_sample[s];
        const ProductChunks::Level& known = chunks_.levels()[level];
        const int expert = known.experts[chunks_.expert(round_, level, chunk, group)];
        ASSERT_EQ(route_index(spec_.layers[known.layer], spec_.n_dims, coordinates_of(places[s]).data()), expert);
      }
    }
  }
  EXPECT_GT(n_inside, chunks_.n_draws() / 3);
  if (chunks_.fills_signal()) {
    EXPECT_EQ(n_inside, chunks_.n_draws());
  }
}

TEST_P(Chunks, AnExpertThatIsNotSharedIsInOneChunk) {
  for (int level = 0; level < static_cast<int>(chunks_.levels().size()); ++level) {
    const ProductChunks::Level& known = chunks_.levels()[level];
    std::map<int, int> chunks_of;
    for (int chunk = 0; chunk < chunks_.n_chunks(); ++chunk) {
      for (int group = 0; group < chunks_.groups(level, chunk).n; ++group) {
        ++chunks_of[chunks_.expert(round_, level, chunk, group)];
      }
    }
    EXPECT_EQ(chunks_of.size(), known.experts.size());
    EXPECT_EQ(known.is_shared, static_cast<int>(known.experts.size()) < chunks_.n_chunks());
    for (const auto& [expert, count] : chunks_of) EXPECT_EQ(count, known.is_shared ? chunks_.n_chunks() : 1);
  }
}

// Digits are chosen independently of each other; so nothing is left to show but that every combination of experts that
// occur is as good as any other: each pixel of the box has the same number of them.
TEST_P(Chunks, CombinationsOfExpertsCoverTheSignalEvenly) {
  std::vector<PixelPlace> sums(1);
  for (const ProductChunks::Level& level : chunks_.levels()) {
    std::vector<PixelPlace> next;
    for (const PixelPlace& sum : sums) {
      for (const PixelPlace& origin : level.origins) {
        next.push_back({sum.x + origin.x, sum.y + origin.y, sum.t + origin.t});
      }
    }
    sums = std::move(next);
  }
  std::set<std::array<int, 3>> distinct;
  for (const PixelPlace& sum : sums) distinct.insert({sum.x, sum.y, sum.t});
  EXPECT_EQ(distinct.size(), sums.size());
  if (chunks_.fills_signal() && GetParam().name == "fills_the_picture") {
    EXPECT_EQ(static_cast<int64_t>(sums.size()), GetParam().size[0] * GetParam().size[1]);
  }
}

// Counts C of pixels over R rounds against equal ones. Rounds are independent of each other, samples of a round are not
// (a chunk meets few pairs of experts, but each expert has its exact share), so the variance of a pixel's count in a
// round is measured, over all pixels together. If all have the same mean, the sum of (C - R mean)^2 / (R variance) has
// the mean n and, most of its n directions being free, a deviation below 2 sqrt(n).
TEST_P(Chunks, EveryPixelIsEquallyLikely) {
  const auto& size = GetParam().size;
  const int64_t n_pixels = size[0] * size[1] * size[2];
  std::vector<int64_t> counts(n_pixels);
  std::vector<int64_t> in_round(n_pixels);
  std::vector<PixelPlace> places(chunks_.chunk_samples());
  int64_t n_inside = 0;
  double squares = 0;
  int64_t n_rounds = 0;
  constexpr int64_t kPerPixel = 60;
  for (; n_inside < kPerPixel * n_pixels || n_rounds < 100; ++n_rounds) {
    const ProductChunks::Round round = chunks_.draw_round(5, n_rounds);
    std::fill(in_round.begin(), in_round.end(), 0);
    for (int chunk = 0; chunk < chunks_.n_chunks(); ++chunk) {
      chunks_.draw_chunk(round, chunk, places);
      for (const PixelPlace& place : places) {
        if (!chunks_.is_inside(place)) continue;
        ++n_inside;
        ++in_round[(place.t * size[1] + place.y) * size[0] + place.x];
      }
    }
    for (int64_t i = 0; i < n_pixels; ++i) {
      counts[i] += in_round[i];
      squares += static_cast<double>(in_round[i] * in_round[i]);
    }
  }
  const auto n = static_cast<double>(n_pixels);
  const auto rounds = static_cast<double>(n_rounds);
  const double mean = static_cast<double>(n_inside) / n / rounds;
  const double variance = squares / n / rounds - mean * mean;
  double sum = 0;
  for (const int64_t count : counts) {
    const double off = static_cast<double>(count) - rounds * mean;
    sum += off * off / (rounds * variance);
  }
  EXPECT_NEAR(sum, n, 5 * 2 * std::sqrt(n));
}

TEST_P(Chunks, AFunctionOfSeedAndStep) {
  EXPECT_EQ(chunks_.draw_round(3, 17).order, round_.order);
  const std::vector<PixelPlace> places = places_of(0);
  EXPECT_EQ(places_of(0), places);
  for (const auto& [seed, step] : {std::pair{3, 18}, std::pair{4, 17}}) {
    round_ = chunks_.draw_round(seed, step);
    EXPECT_NE(places_of(0), places);
    if (!chunks_.levels().empty()) {
      EXPECT_NE(round_.order, chunks_.draw_round(3, 17).order);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Chunks, testing::ValuesIn(test::product_cases()),
                         [](const auto& drawn) { return drawn.param.name; });

// All 24 orders of four experts, 600 times each on average: chi square of 23 degrees stays below 72 but for once in
// 500,000 seeds.
TEST(ProductChunks, EveryOrderIsEquallyLikely) {
  const NetworkSpec spec = nested_network({.name = "", .size = {2, 2, 1}, .levels = {{16, {2, 2, 1}}}});
  const ProductChunks chunks(spec, {2, 2, 1}, 16);
  std::map<std::vector<int>, int> counts;
  for (int64_t step = 0; step < 24 * 600; ++step) ++counts[chunks.draw_round(9, step).order[0]];
  EXPECT_EQ(counts.size(), 24U);
  double chi_square = 0;
  for (const auto& [order, count] : counts) chi_square += (count - 600.0) * (count - 600.0) / 600;
  EXPECT_LT(chi_square, 72);
}

TEST(ProductChunks, SaysWhyNot) {
  const auto why_not = [](const ProductCase& recipe) {
    return ProductChunks::why_not(nested_network(recipe), recipe.size);
  };
  EXPECT_EQ(why_not({.name = "", .levels = {{16}}}), "");
  EXPECT_EQ(why_not({.name = "", .levels = {{16, {1, 1, 1}}}}), "") << "plain networks: pixels anywhere";
  EXPECT_EQ(why_not({.name = "", .levels = {{16}, {16, {4, 4, 1}, {2, 2, 1}}}}),
            "axis 0: cells of 2 pixels do not nest in finer ones that repeat every 4");
  EXPECT_EQ(why_not({.name = "", .levels = {{16}, {16}}}),
            "axis 0: cells of 1 pixels do not nest in finer ones that repeat every 4");
  EXPECT_EQ(why_not({.name = "", .size = {2048, 2048, 1}, .levels = {{16, {2, 2, 1}}}}),
            "more than 65536 pixels have the same experts in all levels");
  ProductCase recipe = {.name = "", .levels = {{16}}};
  NetworkSpec spec = nested_network(recipe);
  spec.layers[0].grid.a[0][0] *= 1.3;
  EXPECT_EQ(ProductChunks::why_not(spec, recipe.size), "levels.0: cells along axis 0 are not a whole number of pixels");
  spec = nested_network(recipe);
  spec.layers[0].grid.a[0][1] = 1;
  EXPECT_EQ(ProductChunks::why_not(spec, recipe.size), "levels.0 has a grid that is not parallel to the axes");
  spec = nested_network(recipe);
  spec.layers[0].interpolation = Interpolation::Linear;
  EXPECT_EQ(ProductChunks::why_not(spec, recipe.size), "levels.0 blends its experts");
  EXPECT_THROW(ProductChunks(spec, recipe.size, 512), Error);
  EXPECT_THROW(ProductChunks(nested_network(recipe), recipe.size, 0), Error);
}

}  // namespace
}  // namespace loe
