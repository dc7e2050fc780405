// A radiance field's loss and its gradients, and where its samples are taken.
#include "task/scene/ray_objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "task/scene_parts.h"

namespace loe {
namespace {

struct ObjectiveParts {
  RaySettings settings;
  RayBatch rays = some_rays(4);
  SampleSet samples;
  std::vector<float> targets = {0.3F, 0.5F, 0.1F, 0.2F, 0.9F, 0.4F, 0.7F, 0.7F, 0.2F, 0, 1, 0.5F};
  std::vector<float> backgrounds = {1, 1, 1, 0.25F, 0.5F, 0.75F, 1, 0, 1, 0.5F, 0.5F, 0.5F};
  std::vector<float> weights;

  explicit ObjectiveParts(DensityActivation density) {
    settings.n_coarse = 7;
    settings.n_fine = 0;
    settings.density = density;
    settings.density_shift = 0.25;
    HierarchicalSampler sampler(settings, {});
    sampler.draw_coarse(rays, {true, 3, 0, 0}, samples);
    weights.resize(static_cast<std::size_t>(samples.size()));
  }
  RayObjective objective() {
    return {settings, InputSpec{.n_frequencies = 1, .frequency_scale = 1}, rays, samples, targets, backgrounds,
            weights};
  }
};

TEST(RayObjective, RaysWithoutSamplesAddTheirBackgroundOnly) {
  ObjectiveParts parts(DensityActivation::Relu);
  ASSERT_EQ(parts.samples.size(), 3 * 7);
  const RayObjective objective = parts.objective();
  EXPECT_EQ(objective.groups().size(), 4U);
  const double expected = (0.05 * 0.05 + 0.4 * 0.4 + 0.35 * 0.35) / 12;
  EXPECT_NEAR(objective.constant_loss(), expected, 1e-7);
}

TEST(RayObjective, GradientsMatchFiniteDifferencesOfTheOutputs) {
  for (const DensityActivation density : {DensityActivation::Relu, DensityActivation::Softplus}) {
    ObjectiveParts parts(density);
    const RayObjective objective = parts.objective();
    const int64_t n = parts.samples.size();
    std::vector<float> outputs(static_cast<std::size_t>(n) * kFieldOutputs);
    for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = 0.7F * std::sin(1.7F * static_cast<float>(i)) + 0.4F;
    std::vector<float> grads(outputs.size());
    std::vector<float> ignored(outputs.size());
    objective.loss(0, n, outputs.data(), grads.data());
    constexpr float kStep = 0x1p-8F;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const bool at_kink = i % 4 == 3 && density == DensityActivation::Relu && std::abs(outputs[i] + 0.25F) < 2 * kStep;
      if (at_kink) continue;
      const float start = outputs[i];
      outputs[i] = start + kStep;
      const double above = objective.loss(0, n, outputs.data(), ignored.data());
      outputs[i] = start - kStep;
      const double below = objective.loss(0, n, outputs.data(), ignored.data());
      const double step = double{start + kStep} - double{start - kStep};
      outputs[i] = start;
      // Rounding of the loss (about 0.1, in double from float colours) over the step, and h^2 / 6 f'''.
      EXPECT_NEAR(grads[i], (above - below) / step, 2e-5) << i;
    }
  }
}

/// L by the definition, in double: asinh of what the weights make of sinh(u), against asinh of the targets.
TEST(RayObjective, AnyRadianceIsComparedByItsAsinh) {
  ObjectiveParts parts(DensityActivation::Softplus);
  parts.settings.color = ColorActivation::Sinh;
  parts.targets = {30, -0.5F, 0.1F, 0.2F, 900, 0.4F, -7, 0.7F, 2, 0, 1, 0.5F};
  const RayObjective objective = parts.objective();
  double constant = 0;
  for (int c = 0; c < 3; ++c) {
    // The ray without samples sees its background.
    for (std::size_t r = 0; r < 4; ++r) {
      if (parts.samples.offsets[r] != parts.samples.offsets[r + 1]) continue;
      const std::size_t k = 3 * r + static_cast<std::size_t>(c);
      constant += std::pow(std::asinh(double{parts.backgrounds[k]}) - std::asinh(double{parts.targets[k]}), 2) / 12;
    }
  }
  EXPECT_NEAR(objective.constant_loss(), constant, 1e-6 * constant);
  const int64_t n = parts.samples.size();
  std::vector<float> outputs(static_cast<std::size_t>(n) * kFieldOutputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = 2.7F * std::sin(1.7F * static_cast<float>(i)) + 0.4F;
  std::vector<float> grads(outputs.size());
  std::vector<float> ignored(outputs.size());
  const double loss = objective.loss(0, n, outputs.data(), grads.data());
  double expected = 0;
  for (std::size_t r = 0; r < 4; ++r) {
    const auto begin = static_cast<std::size_t>(parts.samples.offsets[r]);
    const auto end = static_cast<std::size_t>(parts.samples.offsets[r + 1]);
    for (std::size_t c = 0; c < 3 && begin < end; ++c) {
      double color = 0;
      double opacity = 0;
      for (std::size_t i = begin; i < end; ++i) {
        color += parts.weights[i] * std::sinh(double{outputs[4 * i + c]});
        opacity += parts.weights[i];
      }
      color += (1 - opacity) * parts.backgrounds[3 * r + c];
      expected += std::pow(std::asinh(color) - std::asinh(double{parts.targets[3 * r + c]}), 2) / 12;
    }
  }
  EXPECT_NEAR(loss, expected, 1e-6 * expected);
  constexpr float kStep = 0x1p-8F;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const float start = outputs[i];
    outputs[i] = start + kStep;
    const double above = objective.loss(0, n, outputs.data(), ignored.data());
    outputs[i] = start - kStep;
    const double below = objective.loss(0, n, outputs.data(), ignored.data());
    outputs[i] = start;
    EXPECT_NEAR(grads[i], (above - below) / (2 * double{kStep}), 1e-4) << i;
  }
}

TEST(RayObjective, PiecesAddUpToTheWhole) {
  ObjectiveParts parts(DensityActivation::Softplus);
  const RayObjective objective = parts.objective();
  const int64_t n = parts.samples.size();
  std::vector<float> outputs(static_cast<std::size_t>(n) * kFieldOutputs, 0.3F);
  std::vector<float> whole(outputs.size());
  std::vector<float> pieces(outputs.size());
  const double expected = objective.loss(0, n, outputs.data(), whole.data());
  double sum = 0;
  for (int64_t first = 0; first < n; first += 7) {
    sum += objective.loss(first, 7, outputs.data() + kFieldOutputs * first, pieces.data() + kFieldOutputs * first);
  }
  EXPECT_NEAR(sum, expected, 1e-15);
  EXPECT_EQ(pieces, whole);
}

TEST(RayObjective, FillsPositionsInTheUnitCubeAndTheRaysDirection) {
  ObjectiveParts parts(DensityActivation::Relu);
  const RayObjective objective = parts.objective();
  std::vector<float> coords(3 * 5);
  std::vector<float> features(9 * 5);
  objective.fill(5, 5, coords.data(), features.data());  // the last two of ray 0, then three of ray 2
  for (int i = 0; i < 5; ++i) {
    const std::size_t ray = i < 2 ? 0 : 2;
    const float t = parts.samples.t[static_cast<std::size_t>(5 + i)];
    for (std::size_t a = 0; a < 3; ++a) {
      const float p = parts.rays.origins[3 * ray + a] + t * parts.rays.directions[3 * ray + a];
      EXPECT_FLOAT_EQ(coords[3 * static_cast<std::size_t>(i) + a], p + 0.5F);
      EXPECT_EQ(features[9 * static_cast<std::size_t>(i) + a], parts.rays.directions[3 * ray + a]);
    }
  }
}

TEST(HierarchicalSampler, LeavesOutWhatTheGridCallsEmpty) {
  RaySettings settings;
  settings.n_coarse = 32;
  settings.n_fine = 16;
  OccupancySpec spec;
  spec.resolution = 8;
  OccupancyGrid grid(spec);
  std::vector<float> density(512, 0.0F);
  density[(2 * 8 + 4) * 8 + 4] = 100;  // one cell, in the way of the first ray
  grid.set_density(density);
  const RayBatch rays = some_rays(1);
  HierarchicalSampler all(settings, {});
  HierarchicalSampler some(settings, {&grid, 0});
  SampleSet every;
  SampleSet kept;
  all.draw_coarse(rays, {}, every);
  some.draw_coarse(rays, {}, kept);
  ASSERT_GT(kept.size(), 0);
  ASSERT_LT(kept.size(), every.size() / 2);
  for (int64_t i = 0, k = 0; i < every.size(); ++i) {
    const float z = 1 - every.t[static_cast<std::size_t>(i)];
    const bool is_in_cell = z >= -0.25F && z < -0.125F;
    if (!is_in_cell) continue;
    EXPECT_EQ(kept.t[static_cast<std::size_t>(k)], every.t[static_cast<std::size_t>(i)]);
    EXPECT_EQ(kept.delta[static_cast<std::size_t>(k)], every.delta[static_cast<std::size_t>(i)]);
    ++k;
  }
  // All weight in the first kept sample: the fine ones crowd there, and those outside of the cell are gone.
  std::vector<float> weights(static_cast<std::size_t>(kept.size()), 0.0F);
  weights[0] = 1;
  SampleSet fine;
  some.draw_fine(rays, {}, weights, fine);
  EXPECT_GT(fine.size(), kept.size());
  EXPECT_LE(fine.size(), 48);
}

TEST(HierarchicalSampler, StopsWhereNothingIsSeen) {
  RaySettings settings;
  settings.n_coarse = 10;
  settings.n_fine = 0;
  const RayBatch rays = some_rays(1);
  HierarchicalSampler sampler(settings, {nullptr, 0.01});
  SampleSet coarse;
  sampler.draw_coarse(rays, {}, coarse);
  std::vector<float> weights(10, 0.0F);
  weights[3] = 0.995F;
  SampleSet fine;
  sampler.draw_fine(rays, {}, weights, fine);
  ASSERT_EQ(fine.size(), 5);  // up to and with the first sample behind the wall
  EXPECT_EQ(fine.t.back(), coarse.t[4]);
}

}  // namespace
}  // namespace loe
