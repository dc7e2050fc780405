// A radiance field's renderings and trainings, on the analytic scene and on fields made by hand.
#include "loe/task/scene_task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "loe/base/error.h"
#include "loe/metric/image_metrics.h"
#include "loe/nn/radiance_field.h"
#include "task/scene/training_rays.h"
#include "task/scene_parts.h"

namespace loe {
namespace {

TEST(FieldRenderer, IsTheQuadratureOfWhatItsNetworksSay) {
  FitConfig config = scene_config_from_settings(tiny_settings());
  config.scene.rays.n_fine = 0;  // the fine network then has the coarse samples, which are known
  ModelExecutor model = compile_field(config, 1, reference_backend());
  const std::vector<float> params = initial_params(model.spec(), 5);
  model.set_params(params);
  RaySettings settings = config.scene.rays;
  settings.background = {0.25, 0.5, 1};
  FieldRenderer renderer(model, settings);
  const RayBatch rays = some_rays(3);
  FieldPixels pixels;
  renderer.render(rays, pixels);
  for (int64_t r = 0; r < 3; ++r) {
    const Ray ray = rays.get(r);
    double transmittance = 1;
    double color[3] = {0, 0, 0};
    double depth = 0;
    for (int i = 0; ray.hits() && i < 12; ++i) {
      const float width = (ray.far - ray.near) / 12;
      const float t = ray.near + (static_cast<float>(i) + 0.5F) * width;
      std::array<float, 3> p;
      for (std::size_t a = 0; a < 3; ++a) p[a] = ray.origin[a] + t * ray.direction[a];
      float sigma = 0;
      float seen[3];
      renderer.density(p, {&sigma, 1});
      renderer.color(p, ray.direction, seen);
      const double opacity = 1 - std::exp(-double{sigma} * (i == 11 ? width / 2 : width));
      for (int c = 0; c < 3; ++c) color[c] += transmittance * opacity * seen[c];
      depth += transmittance * opacity * t;
      transmittance *= 1 - opacity;
    }
    for (int c = 0; c < 3; ++c) {
      EXPECT_NEAR(pixels.color[static_cast<std::size_t>(3 * r + c)], color[c] + transmittance * settings.background[c],
                  2e-5);
    }
    EXPECT_NEAR(pixels.opacity[static_cast<std::size_t>(r)], 1 - transmittance, 2e-5);
    EXPECT_NEAR(pixels.depth[static_cast<std::size_t>(r)], depth, 2e-5);
  }
}

TEST(FieldRenderer, SkippingWhatHasNoDensityChangesNothing) {
  const FitConfig config = scene_config_from_settings(tiny_settings());
  ModelExecutor model = compile_field(config);
  model.set_params(initial_params(model.spec(), 5));
  OccupancySpec spec;
  spec.resolution = 16;
  const OccupancyGrid full(spec);  // knows nothing, so leaves nothing out
  FieldRenderer plain(model, config.scene.rays);
  FieldRenderer skipping(model, config.scene.rays, {&full, 0});
  FieldPixels expected;
  FieldPixels found;
  plain.render(some_rays(4), expected);
  skipping.render(some_rays(4), found);
  EXPECT_EQ(found.color, expected.color);
  EXPECT_EQ(skipping.n_samples(), plain.n_samples());
  FieldRenderer stopping(model, config.scene.rays, {nullptr, 0.05});
  stopping.render(some_rays(4), found);
  for (std::size_t i = 0; i < expected.color.size(); ++i) EXPECT_NEAR(found.color[i], expected.color[i], 0.06);
}

TEST(FieldRenderer, ACoarseNetworkWithoutColoursRendersTheSameBits) {
  for (const Precision precision : {Precision::F32, Precision::Bf16}) {
    const FitConfig config = scene_config_from_settings(tiny_settings());
    const ModelSpec spec = build_model(config);
    ExecutorOptions options;
    options.precision = precision;
    ModelExecutor whole = compile(cpu_backend(), spec, options);
    const std::vector<float> params = initial_params(spec, 5);
    whole.set_params(params);
    const NetworkSpec& coarse = spec.parts[0].network;
    ModelSpec less = spec;
    less.parts[0].network = density_network(coarse);
    ModelExecutor lean = compile(cpu_backend(), less, options);
    std::vector<float> kept = density_params(coarse, std::span(params).first(std::size_t(coarse.n_params())));
    kept.insert(kept.end(), params.begin() + coarse.n_params(), params.end());
    lean.set_params(kept);
    FieldPixels expected;
    FieldPixels found;
    FieldRenderer(whole, config.scene.rays).render(some_rays(50), expected);
    FieldRenderer(lean, config.scene.rays).render(some_rays(50), found);
    EXPECT_EQ(found.color, expected.color);
    EXPECT_EQ(found.opacity, expected.opacity);
    EXPECT_EQ(found.depth, expected.depth);
  }
}

TEST(FieldRenderer, CanBeStoppedBetweenPieces) {
  const FitConfig config = scene_config_from_settings(tiny_settings());
  ModelExecutor model = compile_field(config);
  model.set_params(initial_params(model.spec(), 5));
  FieldRenderer renderer(model, config.scene.rays);
  int n_pieces = 0;
  renderer.set_on_piece([&] {
    if (++n_pieces == 2) throw Error(ErrorKind::Cancelled, "stopped");
  });
  FieldPixels pixels;
  EXPECT_THROW(renderer.render(some_rays(3), pixels), Error) << "before the fine network";
  EXPECT_EQ(n_pieces, 2);
  renderer.render(some_rays(3), pixels);
  EXPECT_EQ(n_pieces, 4);
}

TEST(FieldRenderer, RefusesOtherModels) {
  FitConfig config = scene_config_from_settings(tiny_settings());
  ModelExecutor one = compile(reference_backend(), ModelSpec(build_model(config).main()), {});
  EXPECT_THROW(FieldRenderer(one, config.scene.rays), Error);
  config.scene.rays.n_coarse = 0;
  ModelExecutor both = compile(reference_backend(), build_model(config), {});
  EXPECT_THROW(FieldRenderer(both, config.scene.rays), Error);
}

struct SceneFit {
  explicit SceneFit(const ScenePictures& pictures, const Settings& settings, int n_threads = 1)
      : config(scene_config_from_settings(settings)),
        model(compile_field(config, n_threads)),
        problem(pictures, config),
        state(initial_run_state(build_model(config), config.seed)) {}
  void train_to(int64_t step) {
    TrainOptions options = config.train;
    options.max_steps = config.train.max_steps;
    std::atomic<bool> cancel = false;
    TrainerEvents events;
    options.steps_per_log = 1;
    events.on_log = [&](const Progress& progress) {
      losses.push_back(progress.loss);
      cancel = progress.step >= step;
    };
    train(problem, model, options, state, events, [&] { return cancel.load(); });
  }
  FitConfig config;
  ModelExecutor model;
  SceneProblem problem;
  RunState state;
  std::vector<double> losses;
};

TEST(SceneProblem, LearnsTheAnalyticScene) {
  const ScenePictures pictures = analytic_pictures(8, 2, 16);
  Settings settings = tiny_settings();
  settings.set("train.max_steps", int64_t{250}, "test");
  SceneFit fit(pictures, settings);
  const double before = fit.problem.evaluate_psnr(fit.model).value();
  fit.model.set_params(fit.state.params.params);
  fit.train_to(250);
  const double after = fit.problem.evaluate_psnr(fit.model).value();
  EXPECT_GT(after, before + 3);
  EXPECT_GT(after, 15);

  RaySettings rays = fit.config.scene.rays;
  rays.background = {1, 1, 1};
  FieldRenderer renderer(fit.model, rays);
  int n_rows = 0;
  const SceneEvaluation evaluation =
      evaluate_scene(renderer, pictures, rays.background, [&](const ComparedRows& rows) { n_rows += rows.n_rows; });
  EXPECT_EQ(n_rows, 2 * 16);
  ASSERT_EQ(evaluation.views.size(), 2U);
  EXPECT_NEAR(evaluation.psnr_db, after, 1e-6);
  EXPECT_EQ(evaluation.n_rays, 2 * 256);
  EXPECT_GT(evaluation.n_samples, 256 * 12);
}

TEST(SceneProblem, SameBitsForAnyThreadsAndAcrossAnInterruption) {
  const ScenePictures pictures = analytic_pictures(4, 1, 16);
  Settings settings = tiny_settings();
  settings.set("rays.occupancy", int64_t{8}, "test");
  settings.set("rays.occupancy_threshold", 1.0, "test");
  settings.set("rays.steps_per_occupancy", int64_t{4}, "test");
  settings.set("rays.min_transmittance", 1e-3, "test");
  SceneFit one(pictures, settings, 1);
  one.train_to(40);
  ASSERT_EQ(one.state.step, 40);
  ASSERT_EQ(one.state.task_state.size(), 512U);
  SceneFit two(pictures, settings, 2);
  two.train_to(14);
  ASSERT_EQ(two.state.step, 14);
  SceneFit resumed(pictures, settings, 2);
  resumed.state = two.state;
  resumed.train_to(40);
  EXPECT_EQ(one.state.params.params, resumed.state.params.params);
  EXPECT_EQ(one.state.params.adam_v, resumed.state.params.adam_v);
  EXPECT_EQ(one.state.task_state, resumed.state.task_state);
}

TEST(SceneProblem, AStepWhoseLossIsNotFiniteChangesNothing) {
  const ScenePictures pictures = analytic_pictures(4, 1, 16);
  Settings settings = tiny_settings();
  settings.set("rays.occupancy", int64_t{8}, "test");
  settings.set("rays.steps_per_occupancy", int64_t{1}, "test");
  for (const std::size_t bad_part : {std::size_t{0}, std::size_t{1}}) {
    SceneFit fit(pictures, settings);
    fit.train_to(3);
    const RunState good = fit.state;
    // One network's last bias, of a colour: the other one's loss stays finite.
    RunState state = good;
    const int64_t bias = fit.model.spec().param_offset(bad_part + 1) - 1;
    state.params.params[static_cast<std::size_t>(bias)] = std::numeric_limits<float>::quiet_NaN();
    const RunState before = state;
    fit.model.set_params(state.params.params);
    AdamUpdate update;
    update.t = state.step + 1;
    EXPECT_TRUE(std::isnan(fit.problem.step(fit.model, update, state).loss));
    const auto bits = [](const std::vector<float>& values) {
      return std::string(reinterpret_cast<const char*>(values.data()), sizeof(float) * values.size());
    };
    EXPECT_TRUE(bits(state.params.params) == bits(before.params.params)) << bad_part;
    EXPECT_TRUE(bits(state.params.adam_m) == bits(before.params.adam_m)) << bad_part;
    EXPECT_TRUE(bits(state.params.adam_v) == bits(before.params.adam_v)) << bad_part;
    EXPECT_EQ(state.task_state, good.task_state) << bad_part;
    // Neither the executors nor the grid remember the step: from the good state on it goes as if it had not been.
    if (bad_part == 1) {
      ParamSlice fine = fit.model.slice(fit.state.params, 1);
      fit.model[1].set_params(fine.params);
    } else {
      ParamSlice coarse = fit.model.slice(fit.state.params, 0);
      fit.model[0].set_params(coarse.params);
    }
    SceneFit other(pictures, settings);
    other.train_to(4);
    update = fit.config.train.adam;
    update.learning_rate = fit.config.train.schedule.at(3, fit.config.train.max_steps);
    update.t = 4;
    fit.problem.step(fit.model, update, fit.state);
    EXPECT_EQ(fit.state.params.params, other.state.params.params) << bad_part;
    EXPECT_EQ(fit.state.task_state, other.state.task_state) << bad_part;
  }
}

TEST(SceneProblem, TheGridSavesSamples) {
  const ScenePictures pictures = analytic_pictures(8, 1, 16);
  Settings settings = tiny_settings();
  settings.set("train.max_steps", int64_t{200}, "test");
  settings.set("rays.occupancy", int64_t{16}, "test");
  settings.set("rays.steps_per_occupancy", int64_t{8}, "test");
  SceneFit fit(pictures, settings);
  int64_t first = 0;
  int64_t last = 0;
  fit.model.set_params(fit.state.params.params);
  for (; fit.state.step < 200; ++fit.state.step) {
    AdamUpdate update;
    update.learning_rate = 0.01;
    update.t = fit.state.step + 1;
    last = fit.problem.step(fit.model, update, fit.state).n_samples;
    if (fit.state.step == 0) first = last;
  }
  EXPECT_LT(last, first * 3 / 4);
}

TEST(SceneProblem, RefusesTheConfigOfAnotherTask) {
  const ScenePictures pictures = analytic_pictures(2, 1, 4);
  EXPECT_THROW(SceneProblem(pictures, fit_config_from_settings({}, SignalKind::Video, 3)), Error);
}

TEST(TrainingRays, MasksLeaveOutWhatTheyCover) {
  for (const bool keeps_white : {true, false}) {
    ScenePictures pictures = analytic_pictures(1, 1, 8);
    Image mask(8, 8, 1, PixelType::U8);
    const float white = 1;
    mask.write_row(3, 5, 1, &white);
    pictures.masks[0] = mask;
    pictures.scene.views[0].mask_keeps_white = keeps_white;
    const SceneSettings settings;
    const TrainingRayDrawer drawer(pictures, settings, 1);
    EXPECT_EQ(drawer.n_pixels(), keeps_white ? 1 : 63);
    TrainingRays batch;
    drawer.draw(0, 200, batch);
    const float background[] = {1, 1, 1};
    float marked[3];
    read_target(pictures.images[0], 3, 5, background, marked);
    const Ray ray = pixel_ray(pictures.scene.views[0], 3.5, 5.5, {});
    for (int64_t i = 0; i < 200; ++i) {
      const bool is_marked = batch.rays.get(i).direction == ray.direction;
      EXPECT_EQ(is_marked, keeps_white);
      if (is_marked) {
        EXPECT_TRUE(std::equal(marked, marked + 3, batch.targets.begin() + 3 * i));
      }
    }
  }
  ScenePictures pictures = analytic_pictures(1, 1, 8);
  pictures.masks[0] = Image(8, 8, 1, PixelType::U8);
  EXPECT_THROW(TrainingRayDrawer(pictures, {}, 1), Error);
}

TEST(TrainingRays, TransparentPixelsShowTheBackground) {
  ScenePictures pictures = analytic_pictures(1, 1, 4);
  pictures.scene.has_alpha = true;
  pictures.images[0] = Image(4, 4, 4, PixelType::U8);  // all transparent
  SceneSettings settings;
  TrainingRays batch;
  TrainingRayDrawer(pictures, settings, 1).draw(0, 20, batch);
  EXPECT_EQ(batch.targets, std::vector<float>(60, 1.0F)) << "white: the scene's";
  settings.background = RayBackground::Black;
  TrainingRayDrawer(pictures, settings, 1).draw(0, 20, batch);
  EXPECT_EQ(batch.targets, std::vector<float>(60, 0.0F));
  settings.background = RayBackground::Random;
  TrainingRayDrawer(pictures, settings, 1).draw(0, 20, batch);
  EXPECT_EQ(batch.targets, batch.backgrounds);
  EXPECT_GT(std::accumulate(batch.targets.begin(), batch.targets.end(), 0.0F), 15);
  EXPECT_LT(std::accumulate(batch.targets.begin(), batch.targets.end(), 0.0F), 45);
  TrainingRays again;
  TrainingRayDrawer(pictures, settings, 1).draw(0, 20, again);
  EXPECT_EQ(again.targets, batch.targets);
  TrainingRayDrawer(pictures, settings, 1).draw(1, 20, again);
  EXPECT_NE(again.targets, batch.targets);
}

TEST(SceneConfig, RoundTripsAndNamesWhatIsWrong) {
  Settings settings = tiny_settings();
  settings.set("rays.background", std::string("random"), "test");
  settings.set("rays.importance", std::string("stratified"), "test");
  settings.set("rays.last_interval", std::string("infinite"), "test");
  settings.set("data.box_centre", std::vector<double>{1, 2, 3}, "test");
  settings.set("data.test_views", int64_t{3}, "test");
  const FitConfig config = scene_config_from_settings(settings);
  EXPECT_EQ(config.scene.background, RayBackground::Random);
  EXPECT_EQ(config.scene.source.box_centre[2], 3);
  const Settings resolved = fit_config_to_settings(config);
  const Settings again = fit_config_to_settings(scene_config_from_settings(resolved));
  ASSERT_EQ(resolved.entries().size(), again.entries().size());
  for (const auto& [key, entry] : resolved.entries()) EXPECT_EQ(again.entries().at(key).value, entry.value) << key;

  const auto expect_refused = [](const char* key, SettingValue value) {
    Settings bad = tiny_settings();
    bad.set(key, std::move(value), "test");
    try {
      scene_config_from_settings(bad);
      ADD_FAILURE() << key;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
    }
  };
  expect_refused("rays.n_coarse", int64_t{0});
  expect_refused("rays.importance", std::string("often"));
  expect_refused("rays.occupancy", int64_t{6});
  expect_refused("rays.min_transmittance", 2.0);
  expect_refused("data.box_centre", std::vector<double>{1, 2});
  expect_refused("data.crop", std::vector<double>{0, 0, 4, 4});
  expect_refused("data.sampling", std::string("all_pixels"));
  expect_refused("model.output_range", std::vector<double>{-1, 1});
  Settings foreign;
  foreign.set("rays.n_coarse", int64_t{8}, "test");
  EXPECT_THROW(fit_config_from_settings(foreign, SignalKind::Image, 3), Error) << "a scene's key in a picture's config";
}

TEST(SceneConfig, TheDefaultModelIsTable3sOurs) {
  const ModelSpec model = build_model(scene_config_from_settings({}));
  ASSERT_EQ(model.parts.size(), 2U);
  EXPECT_EQ(model.parts[0].name, "coarse");
  EXPECT_EQ(model.parts[1].network.n_params(), 17847684);
  EXPECT_EQ(model.macs_per_sample(), 315136);
}

TEST(SceneConfig, TheHashSeesCamerasAndPictures) {
  const FitConfig config = scene_config_from_settings(tiny_settings());
  ScenePictures pictures = analytic_pictures(2, 1, 4);
  const std::string hash = scene_config_hash(config, pictures);
  EXPECT_EQ(scene_config_hash(config, pictures), hash);
  pictures.scene.views[1].camera_to_world.matrix[0][3] += 1e-9;
  EXPECT_NE(scene_config_hash(config, pictures), hash);
  pictures = analytic_pictures(2, 1, 4);
  const float black[] = {0, 0, 0};
  pictures.images[0].write_row(0, 0, 1, black);
  EXPECT_NE(scene_config_hash(config, pictures), hash);
}

}  // namespace
}  // namespace loe
