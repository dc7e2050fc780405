#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "loe/base/error.h"
#include "loe/base/thread_pool.h"
#include "loe/metric/image_metrics.h"
#include "loe/task/scene_task.h"
#include "task/scene/ray_objective.h"
#include "task/scene/ray_samples.h"
#include "task/scene/training_rays.h"

namespace loe {
namespace {

/// Updates of the grid that ask every cell (instant-ngp: the first 256); later ones ask a quarter as many places.
constexpr int64_t kFullUpdates = 16;

}  // namespace

struct SceneProblem::Impl {
  Impl(const ScenePictures& scene_pictures, const FitConfig& fit_config)
      : pictures(scene_pictures), config(fit_config), drawer(scene_pictures, fit_config.scene, fit_config.seed) {
    make_grid();
  }

  void make_grid() {
    if (config.scene.occupancy_resolution == 0) return;
    OccupancySpec spec;
    spec.resolution = config.scene.occupancy_resolution;
    spec.threshold = config.scene.occupancy_threshold;
    grid.emplace(spec);
  }

  RaySettings evaluation_rays() const {
    RaySettings rays = config.scene.rays;
    rays.background = background_of(config.scene, pictures.scene);
    return rays;
  }
  RaySkipping skipping() const { return {grid ? &*grid : nullptr, config.scene.min_transmittance}; }

  /// state.task_state takes over what is new when the step is known to be good.
  void update_grid(ModelExecutor& model, const RunState& state) {
    is_grid_new = false;
    if (!grid) return;
    // A run may be resumed between two updates, with the grid of the last one.
    if (state.step != next_step && !state.task_state.empty()) grid->set_density(state.task_state);
    next_step = state.step + 1;
    const int64_t interval = config.scene.steps_per_occupancy;
    if (state.step % interval != 0) return;
    is_grid_new = true;
    FieldRenderer renderer(model, config.scene.rays);
    const int64_t update = state.step / interval;
    const auto n_cells = static_cast<int64_t>(grid->density().size());
    grid->update([&](std::span<const float> points, std::span<float> sigma) { renderer.density(points, sigma); },
                 config.seed, static_cast<uint64_t>(update), update < kFullUpdates ? 0 : n_cells / 4);
  }

  /// The coarse network is updated before it is known whether the fine one's loss is finite.
  void keep(const ParamSlice& state) {
    before.params.assign(state.params.begin(), state.params.end());
    before.adam_m.assign(state.adam_m.begin(), state.adam_m.end());
    before.adam_v.assign(state.adam_v.begin(), state.adam_v.end());
  }
  void put_back(ModelExecutor& model, const ParamSlice& state) {
    std::copy(before.params.begin(), before.params.end(), state.params.begin());
    std::copy(before.adam_m.begin(), before.adam_m.end(), state.adam_m.begin());
    std::copy(before.adam_v.begin(), before.adam_v.end(), state.adam_v.begin());
    model[0].set_params(before.params);
  }
  /// The grid is again what the state says.
  void forget_grid(const RunState& state) {
    if (!is_grid_new) return;
    make_grid();
    if (!state.task_state.empty()) grid->set_density(state.task_state);
  }

  /// One network's update. The weights of its samples are left in `weights`.
  double train(ModelExecutor& model, std::size_t part, const SampleSet& samples, const AdamUpdate& update,
               RunState& state) {
    weights.resize(static_cast<std::size_t>(samples.size()));
    const RayObjective objective(config.scene.rays, direction_encoding(model.spec().parts[part].network), batch.rays,
                                 samples, batch.targets, batch.backgrounds, weights);
    if (samples.size() == 0) return objective.constant_loss();
    return objective.constant_loss() + model[part].train_step(objective, update, model.slice(state.params, part));
  }

  const ScenePictures& pictures;
  FitConfig config;
  TrainingRayDrawer drawer;
  std::optional<OccupancyGrid> grid;
  int64_t next_step = 0;  ///< that the grid is ready for
  bool is_grid_new = false;
  std::unique_ptr<ThreadPool> pool;  ///< for what is done beside the networks
  ParamState before;                 ///< the coarse network's, of the last good step
  TrainingRays batch;
  SampleSet coarse;
  SampleSet fine;
  std::vector<float> weights;
};

SceneProblem::SceneProblem(const ScenePictures& pictures, const FitConfig& config) {
  if (config.kind != SignalKind::Scene) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[scene] config: expected a scene's, got one of a{} {}",
                            config.kind == SignalKind::Image ? "n" : "", to_string(config.kind)));
  }
  impl_ = std::make_unique<Impl>(pictures, config);
}

SceneProblem::~SceneProblem() = default;

StepResult SceneProblem::step(ModelExecutor& model, const AdamUpdate& update, RunState& state) {
  Impl& impl = *impl_;
  impl.update_grid(model, state);
  impl.drawer.draw(state.step, impl.config.batch_size, impl.batch);
  const int n_threads = model.main().n_threads();
  if (impl.pool == nullptr || impl.pool->n_threads() != n_threads) impl.pool = std::make_unique<ThreadPool>(n_threads);
  HierarchicalSampler sampler(impl.config.scene.rays, impl.skipping(), impl.pool.get());
  const SampleJitter jitter{true, impl.config.seed, static_cast<uint64_t>(state.step), 0};
  sampler.draw_coarse(impl.batch.rays, jitter, impl.coarse);
  model[0].download(model.slice(state.params, 0));
  impl.keep(model.slice(state.params, 0));
  const double coarse_loss = impl.train(model, 0, impl.coarse, update, state);
  if (!std::isfinite(coarse_loss)) {
    impl.forget_grid(state);
    return {coarse_loss, impl.coarse.size()};
  }
  sampler.draw_fine(impl.batch.rays, jitter, impl.weights, impl.fine);
  const double loss = impl.train(model, 1, impl.fine, update, state);
  if (!std::isfinite(loss)) {
    impl.put_back(model, model.slice(state.params, 0));
    impl.forget_grid(state);
  } else if (impl.is_grid_new) {
    state.task_state.assign(impl.grid->density().begin(), impl.grid->density().end());
  }
  return {loss, impl.coarse.size() + impl.fine.size()};
}

std::string SceneProblem::find_non_finite_input(int64_t step) {
  TrainingRays batch;
  impl_->drawer.draw(step, impl_->config.batch_size, batch);
  for (std::size_t i = 0; i < batch.targets.size(); ++i) {
    if (!std::isfinite(batch.targets[i])) {
      return fmt::format("target of ray {}, channel {} is {}", i / 3, i % 3, batch.targets[i]);
    }
  }
  return "";
}

std::array<double, 3> background_of(const SceneSettings& settings, const Scene& scene) {
  const bool is_white = settings.background == RayBackground::White || settings.background == RayBackground::Random ||
                        (settings.background == RayBackground::Scene && scene.background != Background::None);
  const double level = is_white ? 1 : 0;
  return {level, level, level};
}

FieldInfo field_info(const SceneSettings& settings, const Scene& scene) {
  FieldInfo info;
  info.rays = settings.rays;
  info.rays.background = background_of(settings, scene);
  info.centre = scene.centre;
  info.scale = scene.scale;
  info.box_min = scene.box_min;
  info.box_max = scene.box_max;
  const std::vector<std::size_t> views = views_of(scene, Split::Train);
  const View& first = scene.views[views.front()];
  info.intrinsics = first.intrinsics;
  info.near = first.near;
  info.far = first.far;
  const std::size_t n = std::min(views.size(), std::size_t{kMaxFieldPoses});
  for (std::size_t i = 0; i < n; ++i) {
    info.poses.push_back(scene.views[views[i * views.size() / n]].camera_to_world);
  }
  return info;
}

std::string scene_config_hash(const FitConfig& config, const ScenePictures& pictures) {
  std::string shape;
  std::vector<std::span<const std::byte>> content;
  for (std::size_t i = 0; i < pictures.images.size(); ++i) {
    const View& view = pictures.scene.views[i];
    const Image& image = pictures.images[i];
    const Intrinsics& lens = view.intrinsics;
    shape += fmt::format("{} {}x{}x{} {} {:a} {:a} {:a} {:a};", to_string(view.split), image.width(), image.height(),
                         image.n_channels(), to_string(image.type()), lens.fl_x, lens.fl_y, lens.cx, lens.cy);
    for (const auto& row : view.camera_to_world.matrix) {
      shape += fmt::format("{:a},{:a},{:a},{:a};", row[0], row[1], row[2], row[3]);
    }
    content.emplace_back(image.data(), image.n_bytes());
    content.emplace_back(pictures.masks[i].data(), pictures.masks[i].n_bytes());
  }
  return fit_config_hash(config, shape, content);
}

std::vector<std::size_t> held_out_views(const Scene& scene) {
  for (const Split split : {Split::Test, Split::Validation}) {
    const bool has =
        std::any_of(scene.views.begin(), scene.views.end(), [&](const View& view) { return view.split == split; });
    if (has) return views_of(scene, split);
  }
  return views_of(scene, Split::Train);
}

namespace {

/// Renders the views that a fit is measured on, strip by strip, beside their pictures.
void compare_views(FieldRenderer& renderer, const ScenePictures& pictures, const std::array<double, 3>& background,
                   const std::function<void(const ComparedRows&)>& on_rows) {
  const Box box = box_of(pictures.scene);
  const std::array<float, 3> behind = {static_cast<float>(background[0]), static_cast<float>(background[1]),
                                       static_cast<float>(background[2])};
  std::vector<float> target;
  for (const std::size_t v : held_out_views(pictures.scene)) {
    const Image& image = pictures.images[v];
    renderer.render_view(pictures.scene.views[v], box, [&](int first_row, int n_rows, const FieldPixels& pixels) {
      const std::size_t width = static_cast<std::size_t>(image.width());
      target.resize(3 * width * static_cast<std::size_t>(n_rows));
      for (std::size_t i = 0; i < target.size() / 3; ++i) {
        read_target(image, static_cast<int>(i % width), first_row + static_cast<int>(i / width), behind.data(),
                    target.data() + 3 * i);
      }
      on_rows({v, first_row, n_rows, &pixels, target});
    });
  }
}

}  // namespace

/// Squared error only, see ImageProblem::evaluate_psnr.
std::optional<double> SceneProblem::evaluate_psnr(ModelExecutor& model) {
  Impl& impl = *impl_;
  const RaySettings rays = impl.evaluation_rays();
  FieldRenderer renderer(model, rays, impl.skipping());
  std::vector<double> sums(impl.pictures.scene.views.size(), 0);
  double total = 0;
  int n_views = 0;
  compare_views(renderer, impl.pictures, rays.background, [&](const ComparedRows& rows) {
    double& sum = sums[rows.view];
    for (std::size_t i = 0; i < rows.target.size(); ++i) {
      const double error = double{rows.pixels->color[i]} - rows.target[i];
      sum += error * error;
    }
    const Image& image = impl.pictures.images[rows.view];
    if (rows.first_row + rows.n_rows == image.height()) {
      const double extent = impl.pictures.range[1] - impl.pictures.range[0];
      const double mse = sum / (extent * extent * 3.0 * static_cast<double>(image.n_pixels()));
      total += mse >= 0 ? psnr_from_mse(mse) : mse;
      ++n_views;
    }
  });
  return total / n_views;
}

SceneEvaluation evaluate_scene(FieldRenderer& renderer, const ScenePictures& pictures,
                               const std::array<double, 3>& background,
                               const std::function<void(const ComparedRows&)>& on_rows) {
  using Clock = std::chrono::steady_clock;
  SceneEvaluation result;
  const int64_t n_before = renderer.n_samples();
  std::optional<ImageMetrics> metrics;
  // Measured against the range of the pictures: of most it is [0, 1], and this changes no bit.
  const auto least = static_cast<float>(pictures.range[0]);
  const auto extent = static_cast<float>(pictures.range[1] - pictures.range[0]);
  std::vector<float> found_row;
  std::vector<float> target_row;
  const auto in_range = [&](const float* values, std::size_t n, std::vector<float>& row) {
    row.resize(n);
    std::transform(values, values + n, row.begin(), [&](float value) { return (value - least) / extent; });
    return row.data();
  };
  Clock::time_point start = Clock::now();
  compare_views(renderer, pictures, background, [&](const ComparedRows& rows) {
    result.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    const Image& image = pictures.images[rows.view];
    if (rows.first_row == 0) metrics.emplace(image.width(), image.height(), 3, true);
    const std::size_t row_size = 3 * static_cast<std::size_t>(image.width());
    for (std::size_t y = 0; y < static_cast<std::size_t>(rows.n_rows); ++y) {
      metrics->add_row(in_range(rows.pixels->color.data() + row_size * y, row_size, found_row),
                       in_range(rows.target.data() + row_size * y, row_size, target_row));
    }
    if (on_rows) on_rows(rows);
    if (rows.first_row + rows.n_rows == image.height()) {
      result.views.push_back({pictures.scene.views[rows.view].name, metrics->psnr_db(),
                              metrics->ssim(SsimWindow::Uniform7), metrics->ssim(SsimWindow::Gaussian11)});
      result.n_rays += image.n_pixels();
    }
    start = Clock::now();
  });
  for (const ViewEvaluation& view : result.views) {
    const double share = 1.0 / static_cast<double>(result.views.size());
    result.psnr_db += share * view.psnr_db;
    result.ssim += share * view.ssim;
    result.ssim_gaussian += share * view.ssim_gaussian;
  }
  result.n_samples = renderer.n_samples() - n_before;
  return result;
}

}  // namespace loe
