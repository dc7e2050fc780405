// Small scenes, fields and rays for tests of the task "scene".
#pragma once

#include <cmath>
#include <vector>

#include "loe/render/analytic_scene.h"
#include "loe/task/scene_task.h"

namespace loe {

inline Settings tiny_settings() {
  Settings settings;
  settings.set("model.widths", std::vector<double>{16, 16}, "test");
  settings.set("model.tiles", int64_t{2}, "test");
  settings.set("model.resolutions", std::vector<double>{2, 8}, "test");
  settings.set("model.n_frequencies", int64_t{4}, "test");
  settings.set("model.direction_frequencies", int64_t{1}, "test");
  settings.set("model.color_width", int64_t{8}, "test");
  settings.set("rays.n_coarse", int64_t{12}, "test");
  settings.set("rays.n_fine", int64_t{12}, "test");
  settings.set("rays.density", std::string("softplus"), "test");
  settings.set("data.batch_size", int64_t{96}, "test");
  settings.set("train.learning_rate", 0.01, "test");
  settings.set("train.max_steps", int64_t{40}, "test");
  return settings;
}

/// Views of the analytic scene on white.
inline ScenePictures analytic_pictures(int n_train, int n_test, int size) {
  const AnalyticScene truth;
  const float white[] = {1, 1, 1};
  ScenePictures pictures;
  pictures.scene = analytic_views(n_train, n_test, size);
  for (const View& view : pictures.scene.views) {
    pictures.images.push_back(render_view(truth, view, 128, white).color);
    pictures.masks.emplace_back();
  }
  return pictures;
}

inline ModelExecutor compile_field(const FitConfig& config, int n_threads = 1, const Backend& backend = cpu_backend()) {
  return compile(backend, build_model(config),
                 {.n_threads = n_threads, .max_group = max_ray_samples(config.scene.rays)});
}

/// Rays through the scene's box from the front, one of them beside it.
inline RayBatch some_rays(int n) {
  RayBatch rays;
  rays.resize(n);
  for (int i = 0; i < n; ++i) {
    Ray ray;
    ray.origin = {0.04F * static_cast<float>(i), 0.1F, i == 1 ? 2.0F : 1.0F};
    const float x = -0.03F * static_cast<float>(i);
    const float length = std::sqrt(1 + x * x);
    ray.direction = {x / length, i == 1 ? 1.0F : 0.0F, i == 1 ? 0.0F : -1 / length};
    if (i != 1) {
      ray.near = 0.55F;
      ray.far = 1.4F;
    }
    rays.set(i, ray);
  }
  return rays;
}

}  // namespace loe
