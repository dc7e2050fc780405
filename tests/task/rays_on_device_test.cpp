// A radiance field's training on the CUDA backend, emulated: what it makes of the rays that an objective describes is
// what the objective says by itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend/cuda/emulated_backend.h"
#include "loe/nn/radiance_field.h"
#include "loe/render/analytic_scene.h"
#include "loe/task/scene_task.h"
#include "loe/train/trainer.h"
#include "task/scene/ray_objective.h"
#include "task/scene/ray_samples.h"
#include "task/scene/training_rays.h"

namespace loe {
namespace {

FitConfig tiny_config(const std::string& density) {
  Settings settings;
  settings.set("model.widths", std::vector<double>{12, 12}, "test");
  settings.set("model.tiles", int64_t{2}, "test");
  settings.set("model.resolutions", std::vector<double>{2, 8}, "test");
  settings.set("model.n_frequencies", int64_t{2}, "test");
  settings.set("model.direction_frequencies", int64_t{1}, "test");
  settings.set("model.color_width", int64_t{8}, "test");
  settings.set("rays.n_coarse", int64_t{6}, "test");
  settings.set("rays.n_fine", int64_t{6}, "test");
  settings.set("rays.density", density, "test");
  settings.set("data.batch_size", int64_t{24}, "test");
  settings.set("train.learning_rate", 0.01, "test");
  settings.set("train.max_steps", int64_t{2}, "test");
  return scene_config_from_settings(settings);
}

ScenePictures analytic_pictures() {
  const AnalyticScene truth;
  const float white[] = {1, 1, 1};
  ScenePictures pictures;
  pictures.scene = analytic_views(2, 1, 12);
  for (const View& view : pictures.scene.views) {
    pictures.images.push_back(render_view(truth, view, 64, white).color);
    pictures.masks.emplace_back();
  }
  return pictures;
}

/// The same loss, sample by sample.
class Undescribed final : public Objective {
 public:
  explicit Undescribed(const Objective& objective) : objective_(objective) {}
  int64_t n_samples() const override { return objective_.n_samples(); }
  std::span<const int64_t> groups() const override { return objective_.groups(); }
  void fill(int64_t first, int64_t count, float* coords, float* features) const override {
    objective_.fill(first, count, coords, features);
  }
  double loss(int64_t first, int64_t count, const float* outputs, float* output_grads) const override {
    return objective_.loss(first, count, outputs, output_grads);
  }

 private:
  const Objective& objective_;
};

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += std::pow(double{a[k]} - double{b[k]}, 2);
  return std::sqrt(sum);
}

TEST(RaysOnDevice, TheDescriptionIsTheObjective) {
  const ScenePictures pictures = analytic_pictures();
  for (const std::string density : {"relu", "softplus", "softplus with sinh"}) {
    const bool is_sinh = density.ends_with("sinh");
    FitConfig config = tiny_config(is_sinh ? "softplus" : density);
    if (is_sinh) config.scene.rays.color = ColorActivation::Sinh;
    config.scene.rays.density_shift = 0.5;
    const NetworkSpec spec = build_model(config).parts[0].network;
    TrainingRays batch;
    TrainingRayDrawer(pictures, config.scene, 3).draw(0, 24, batch);
    batch.rays.far[2] = batch.rays.near[2];  // a ray that meets nothing has no samples
    HierarchicalSampler sampler(config.scene.rays, {});
    SampleSet samples;
    sampler.draw_coarse(batch.rays, {true, 3, 0, 0}, samples);
    std::vector<float> weights(static_cast<std::size_t>(samples.size()));
    const RayObjective objective(config.scene.rays, direction_encoding(spec), batch.rays, samples, batch.targets,
                                 batch.backgrounds, weights);
    ASSERT_EQ(samples.offsets[3], samples.offsets[2]);
    const auto executor = test::emulated_cuda_backend().compile(spec, {.max_group = 12});
    const std::vector<float> params = initial_params(spec, 5);
    executor->set_params(params);
    std::vector<float> expected(params.size());
    std::vector<float> found(params.size());
    const double loss = executor->objective_gradients(Undescribed(objective), expected);
    const std::vector<float> expected_weights = weights;
    std::fill(weights.begin(), weights.end(), -1.0F);
    EXPECT_NEAR(executor->objective_gradients(objective, found), loss, 1e-5 * loss);
    // A few roundings per sample apart, then the same sums.
    const std::vector<float> zeros(params.size());
    EXPECT_LT(distance(found, expected), 2e-5 * distance(expected, zeros));
    for (std::size_t i = 0; i < weights.size(); ++i) EXPECT_NEAR(weights[i], expected_weights[i], 2e-6) << i;
  }
}

TEST(RaysOnDevice, StepsOfATrainingAreThoseOfTheCpu) {
  const ScenePictures pictures = analytic_pictures();
  const FitConfig config = tiny_config("softplus");
  std::vector<double> losses[2];
  std::vector<float> params[2];
  for (const int device : {0, 1}) {
    const Backend& backend = device == 0 ? cpu_backend() : test::emulated_cuda_backend();
    ModelExecutor model =
        compile(backend, build_model(config), {.n_threads = 1, .max_group = max_ray_samples(config.scene.rays)});
    RunState state = initial_run_state(build_model(config), config.seed);
    model.set_params(state.params.params);
    SceneProblem problem(pictures, config);
    for (state.step = 0; state.step < 2; ++state.step) {
      losses[device].push_back(problem.step(model, {.learning_rate = 0.01, .t = state.step + 1}, state).loss);
    }
    model.download(state.params);
    params[device] = state.params.params;
  }
  EXPECT_NEAR(losses[1][0], losses[0][0], 1e-4 * losses[0][0]);
  EXPECT_NEAR(losses[1][1], losses[0][1], 1e-3 * losses[0][1]);
  // Adam's first steps have the size of the rate whatever the gradient: the smallest may differ in their sign.
  EXPECT_LT(distance(params[1], params[0]), 1e-2 * distance(params[0], std::vector<float>(params[0].size())));
}

}  // namespace
}  // namespace loe
