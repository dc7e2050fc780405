// Task "scene": a radiance field of Levels-of-Experts networks from posed views (paper.md, Table 3).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "loe/nn/model.h"
#include "loe/render/occupancy_grid.h"
#include "loe/render/rays.h"
#include "loe/signal/field_info.h"
#include "loe/signal/scene.h"
#include "loe/task/fit_config.h"
#include "loe/train/trainer.h"

namespace loe {

/// fit_config_from_settings for scenes.
inline FitConfig scene_config_from_settings(const Settings& settings) {
  return fit_config_from_settings(settings, SignalKind::Scene, 3);
}

/// RunState's config_hash: fit_config_hash over the cameras, their pictures and masks.
std::string scene_config_hash(const FitConfig& config, const ScenePictures& pictures);

/// The colour behind the scene that a config and its data give.
std::array<double, 3> background_of(const SceneSettings& settings, const Scene& scene);

/// What a model file says about a field: the config's rays, the scene's box and some of its cameras.
FieldInfo field_info(const SceneSettings& settings, const Scene& scene);

/// The groups of an Objective over rays are as long as a ray's samples at most: for ExecutorOptions::max_group.
inline int max_ray_samples(const RaySettings& rays) {
  return rays.n_coarse + rays.n_fine;
}

/// What rendering skips; with neither, it is the paper's.
struct RaySkipping {
  const OccupancyGrid* grid = nullptr;  ///< samples in its empty cells are not given to the networks
  double min_transmittance = 0;         ///< fine samples behind a coarse transmittance below this are left out
};

/// Pixels of a field. Resized by FieldRenderer::render to [R, 3], [R], [R].
struct FieldPixels {
  std::vector<float> color;    ///< over the background; in [0, 1] unless colours are ColorActivation::Sinh
  std::vector<float> opacity;  ///< in [0, 1]
  std::vector<float> depth;    ///< sum of w_i t_i, distances from the camera in normalised units
};

/// Renders rays through a coarse and a fine network: stratified samples (their bins' middles), importance samples
/// without random numbers, eq. 6. The networks must be build_radiance_field's; the coarse one, of which only the
/// weights are used, may be without its colours (density_network), which renders the same bits sooner.
class FieldRenderer {
 public:
  /// The model and the grid must outlive the renderer. Error(InvalidArgument) if the model is not a radiance field's.
  FieldRenderer(ModelExecutor& model, const RaySettings& rays, const RaySkipping& skipping = {});
  ~FieldRenderer();

  /// Called from now on before every piece of about 262,144 samples or less, under a second's work for Table 3's
  /// network on 2 cores. May throw to give up.
  void set_on_piece(std::function<void()> on_piece);

  /// Memory: about 262,144 samples at a time, whatever the number of rays.
  void render(const RayBatch& rays, FieldPixels& pixels);
  /// All pixels of a view, in strips of rows of about 8,192 rays.
  void render_view(const View& view, const Box& box,
                   const std::function<void(int first_row, int n_rows, const FieldPixels& pixels)>& on_rows);
  /// sigma at points [B, 3] of [-0.5, 0.5]^3, by the fine network.
  void density(std::span<const float> points, std::span<float> sigma);
  /// Colours [B, 3] at points [B, 3] seen along directions [B, 3].
  void color(std::span<const float> points, std::span<const float> directions, std::span<float> colors);

  /// Network evaluations so far, of both networks together.
  int64_t n_samples() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A grid that a field's own densities fill: each cell's largest of `n_updates` random places in it.
OccupancyGrid occupancy_of(FieldRenderer& renderer, const SceneSettings& settings, int n_updates = 4);

/// Batches of random rays and evaluations of one scene for the trainer.
///
/// One step (published NeRF): rays through random pixels of all training views (masked ones left out); n_coarse
/// stratified samples each, of which the coarse network's mean squared error of the rendered colours is taken (of
/// asinh of them where colours are ColorActivation::Sinh); n_fine
/// importance samples by the weights found, and the fine network on all n_coarse + n_fine. Each network takes its own
/// Adam update. The loss reported is the fine one's.
class SceneProblem : public Problem {
 public:
  /// `pictures` must outlive the problem. Error(InvalidArgument) if the config is not a scene's.
  SceneProblem(const ScenePictures& pictures, const FitConfig& config);
  ~SceneProblem() override;

  StepResult step(ModelExecutor& model, const AdamUpdate& update, RunState& state) override;
  /// Mean PSNR of the views for testing against ScenePictures::range (all pixels, masks ignored).
  std::optional<double> evaluate_psnr(ModelExecutor& model) override;
  std::string find_non_finite_input(int64_t step) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Views that a fit is measured on: the test split, else the validation split, else the training views.
std::vector<std::size_t> held_out_views(const Scene& scene);

struct ViewEvaluation {
  std::string name;
  double psnr_db = 0;
  double ssim = 0;
  double ssim_gaussian = 0;
};

struct SceneEvaluation {
  double psnr_db = 0;  ///< mean over the views, as published tables have it; SSIMs likewise
  double ssim = 0;
  double ssim_gaussian = 0;
  std::vector<ViewEvaluation> views;
  int64_t n_rays = 0;
  int64_t n_samples = 0;
  double seconds = 0;  ///< of rendering alone
};

/// Rows of one view as they are rendered and compared, top to bottom.
struct ComparedRows {
  std::size_t view = 0;  ///< index in Scene::views
  int first_row = 0;
  int n_rows = 0;
  const FieldPixels* pixels = nullptr;  ///< [n_rows * width]
  std::span<const float> target;        ///< [n_rows * width, 3]
};

/// Renders held_out_views() and compares them with their pictures over the background, PSNR and SSIM against
/// ScenePictures::range; on_rows may be empty.
SceneEvaluation evaluate_scene(FieldRenderer& renderer, const ScenePictures& pictures,
                               const std::array<double, 3>& background,
                               const std::function<void(const ComparedRows&)>& on_rows);

/// Colour of a photo's pixel over the background [3]: [r, g, b], a grey one three times.
void read_target(const Image& image, int x, int y, const float* background, float* out);

/// The scene's box as rays have it.
Box box_of(const Scene& scene);

}  // namespace loe
