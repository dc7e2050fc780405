// Routes that are kept from step to step are those that would be made anew.
#include "backend/cpu/route_cache.h"

#include <gtest/gtest.h>

#include "backend/network_builders.h"

namespace loe::cpu {
namespace {

class RouteCacheTest : public testing::Test {
 protected:
  RouteCacheTest()
      : plan_(make_plan(test::make_network({}), Precision::F32, 1, kernel_tables().front())), cache_(plan_) {}

  /// A batch of one tile; builds its groups where the cache wants them. Returns whether they were known.
  bool run(const std::vector<float>& coords) {
    const int n = static_cast<int>(coords.size()) / 2;
    cache_.begin_batch(n, 1);
    bool is_known = true;
    groups_ = cache_.find(0, coords.data(), n, is_known);
    if (groups_ != nullptr && !is_known) {
      for (int l = 0; l < 2; ++l) groups_[l].build(plan_.spec.layers[l], 2, 1, coords.data(), n, scratch_);
    }
    return is_known;
  }

  NetworkPlan plan_;
  RouteCache cache_;
  LevelGroups* groups_ = nullptr;
  std::vector<int> scratch_;
};

TEST_F(RouteCacheTest, KeepsWhatComesAgain) {
  const std::vector<float> coords = test::random_floats(200, 0, 1, 1);
  EXPECT_FALSE(run(coords));
  EXPECT_EQ(groups_, nullptr) << "nothing is known about batches yet";
  EXPECT_FALSE(run(coords));
  EXPECT_EQ(groups_, nullptr) << "the second began like the first: from the next on";
  EXPECT_FALSE(run(coords));
  ASSERT_NE(groups_, nullptr);
  EXPECT_TRUE(run(coords));
  LevelGroups fresh;
  fresh.build(plan_.spec.layers[1], 2, 1, coords.data(), 100, scratch_);
  ASSERT_EQ(groups_[1].groups().size(), fresh.groups().size());
  for (size_t i = 0; i < fresh.groups().size(); ++i) {
    const Group& a = groups_[1].groups()[i];
    const Group& b = fresh.groups()[i];
    ASSERT_EQ(a.index, b.index);
    ASSERT_EQ(std::vector(groups_[1].rows(a), groups_[1].rows(a) + (a.end - a.begin)),
              std::vector(fresh.rows(b), fresh.rows(b) + (b.end - b.begin)));
  }
}

TEST_F(RouteCacheTest, NoticesOneChangedCoordinate) {
  std::vector<float> coords = test::random_floats(200, 0, 1, 1);
  for (int i = 0; i < 3; ++i) run(coords);
  EXPECT_TRUE(run(coords));
  coords.back() += 0.25F;
  EXPECT_FALSE(run(coords));
  ASSERT_NE(groups_, nullptr) << "kept for as long as batches begin alike";
}

TEST_F(RouteCacheTest, KeepsNothingOfChangingBatches) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(run(test::random_floats(200, 0, 1, 10 + i)));
    EXPECT_EQ(groups_, nullptr);
  }
  EXPECT_LE(cache_.n_bytes(), 200 * 4);
}

}  // namespace
}  // namespace loe::cpu
