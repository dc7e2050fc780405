// The preset "auto" for scenes.
#include "loe/task/scene_presets.h"

#include <gtest/gtest.h>

#include <cmath>

#include "loe/base/error.h"
#include "loe/task/fit_config.h"

namespace loe {
namespace {

FitConfig plan(AutoFamily family, double max_seconds, int64_t n_params, bool has_alpha = true, double gflops = 50) {
  const AutoPlan found = auto_scene_plan(4'000'000, has_alpha, max_seconds, n_params, Precision::F32, gflops, family);
  EXPECT_EQ(found.reason.find('\n'), std::string::npos);
  EXPECT_FALSE(found.reason.empty());
  return fit_config_from_settings(found.settings, SignalKind::Scene, 3);
}

TEST(ScenePlan, BestIsAHashedGridAndExpertsAreThePapersLevels) {
  const FitConfig best = plan(AutoFamily::Best, 600, 0);
  const ModelSpec model = build_model(best);
  ASSERT_EQ(model.parts.size(), 2U);
  for (const auto& part : model.parts) {
    const EmbeddingSpec& grid = part.network.input.embedding;
    ASSERT_FALSE(grid.levels.empty());
    EXPECT_TRUE(grid.levels.front().is_dense());
    EXPECT_FALSE(grid.levels.back().is_dense());
  }
  EXPECT_EQ(best.train.max_seconds, 600);
  const FitConfig experts = plan(AutoFamily::Experts, 600, 0);
  EXPECT_EQ(experts.network.grid.n_levels, 0);
  EXPECT_EQ(experts.network.tiles.front().n_experts(), 8);
}

TEST(ScenePlan, MeetsABudgetOfParametersFromBelow) {
  for (const AutoFamily family : {AutoFamily::Best, AutoFamily::Experts}) {
    int64_t last = 0;
    for (const int64_t n_params : {100'000, 300'000, 1'000'000, 3'000'000}) {
      const int64_t found = build_model(plan(family, 60, n_params)).n_params();
      EXPECT_LE(found, n_params);
      EXPECT_GT(found, n_params / 10);
      EXPECT_GE(found, last);
      last = found;
    }
  }
}

TEST(ScenePlan, StepsFollowTimeSpeedAndWhatIsSkipped) {
  for (const AutoFamily family : {AutoFamily::Best, AutoFamily::Experts}) {
    const int64_t steps = plan(family, 0, 0).train.max_steps;
    EXPECT_GT(steps, 200);
    EXPECT_NEAR(static_cast<double>(plan(family, 0, 0, true, 25).train.max_steps), 0.5 * static_cast<double>(steps), 1);
    EXPECT_LT(plan(family, 0, 0, false).train.max_steps, steps);
    EXPECT_GT(plan(family, 600, 0).train.max_steps, steps) << "with a limit of time the steps only catch what is odd";
  }
  EXPECT_THROW(plan(AutoFamily::Best, -1, 0), Error);
  EXPECT_THROW(plan(AutoFamily::Best, std::nan(""), 0), Error);
}

}  // namespace
}  // namespace loe
