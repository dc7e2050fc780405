#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <vector>

#include "loe/base/error.h"
#include "loe/fitting/fit_signal.h"
#include "loe/fitting/pictures.h"
#include "loe/io/image_file.h"
#include "loe/task/scene_presets.h"
#include "loe/task/scene_task.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

/// Longest side of the view that a preview renders: a ray costs a few hundred samples.
constexpr int kPreviewSide = 96;

bool is_wide_range(const ScenePictures& pictures) {
  return pictures.range != std::array<double, 2>{0, 1};
}

/// Pictures and error maps of views, each file as its rows come.
class ViewRecorder {
 public:
  ViewRecorder(const ScenePictures& pictures, std::string folder, std::string errors)
      : pictures_(pictures), folder_(std::move(folder)), errors_(std::move(errors)) {
    fs::create_directories(folder_);
    fs::create_directories(errors_);
  }

  void add_rows(const ComparedRows& rows) {
    const Image& image = pictures_.images[rows.view];
    if (rows.first_row == 0) {
      const std::string name = fs::path(pictures_.scene.views[rows.view].name).stem().string();
      const bool is_wide = is_wide_range(pictures_);  // 8 bits would cut it
      PictureTags tags;
      if (is_wide) tags.color_space = "Linear";
      color_.emplace(folder_ + "/" + name + (is_wide ? ".exr" : ".png"), image.width(), image.height(), 3,
                     is_wide ? PixelType::F16 : PixelType::U8, tags);
      error_.emplace(errors_ + "/" + name + ".png", image.width(), image.height(), 3, true);
    }
    color_->write_rows(rows.n_rows, rows.pixels->color.data());
    error_->write_rows(rows.n_rows, rows.pixels->color.data(), rows.target.data());
    if (rows.first_row + rows.n_rows == image.height()) {
      color_->close();
      error_->close();
    }
  }

 private:
  const ScenePictures& pictures_;
  std::string folder_;
  std::string errors_;
  std::optional<ImageWriter> color_;
  std::optional<ErrorMapWriter> error_;
};

Evaluation evaluation(const SceneEvaluation& found, const std::array<double, 2>& range) {
  std::vector<std::string> names;
  std::vector<double> psnr;
  std::vector<double> ssim;
  for (const ViewEvaluation& view : found.views) {
    names.push_back(view.name);
    psnr.push_back(view.psnr_db);
    ssim.push_back(view.ssim);
  }
  const double seconds = std::max(found.seconds, 1e-9);
  Facts more = {{"views.name", names},
                {"views.psnr_db", psnr},
                {"views.ssim", ssim},
                {"samples_per_ray", static_cast<double>(found.n_samples) / static_cast<double>(found.n_rays)},
                {"rays_per_second", static_cast<double>(found.n_rays) / seconds},
                {"render_samples_per_second", static_cast<double>(found.n_samples) / seconds}};
  if (range != std::array<double, 2>{0, 1}) more.set({"range", std::vector<double>(range.begin(), range.end())});
  return {Fidelity{found.psnr_db, found.ssim, found.ssim_gaussian}, std::move(more)};
}

class SceneSignal : public FitSignal {
 public:
  SceneSignal(ScenePictures pictures, SceneSettings settings)
      : pictures_(std::move(pictures)), settings_(std::move(settings)) {}

  const char* noun() const override { return "scene"; }
  SignalKind kind() const override { return SignalKind::Scene; }
  int n_channels() const override { return 3; }
  int64_t n_pixels() const override {
    int64_t n = 0;
    for (const std::size_t v : views_of(pictures_.scene, Split::Train)) n += pictures_.images[v].n_pixels();
    return n;
  }
  int64_t n_bytes() const override { return pictures_.n_bytes(); }
  const ScenePictures* scene() const override { return &pictures_; }

  std::string describe() const override {
    const Image& first = pictures_.images.front();
    const std::string range =
        fmt::format(", values {:.4g} to {:.4g} (rays.color)", pictures_.range[0], pictures_.range[1]);
    return fmt::format("{} scene, {} views to fit and {} to measure, {} x {}, {} channels, {}{}",
                       pictures_.scene.format, views_of(pictures_.scene, Split::Train).size(), n_held_out(),
                       first.width(), first.height(), first.n_channels(), to_string(first.type()),
                       is_wide_range(pictures_) ? range : "");
  }
  Facts shape() const override {
    const Image& first = pictures_.images.front();
    return {{"width", first.width()},
            {"height", first.height()},
            {"n_views", views_of(pictures_.scene, Split::Train).size()},
            {"n_test_views", n_held_out()}};
  }
  SignalInfo info() const override {
    SignalInfo info;
    info.task = "scene";
    info.field = field_info(settings_, pictures_.scene);
    info.width = info.field.intrinsics.width;
    info.height = info.field.intrinsics.height;
    info.pixel_type = to_string(pictures_.images.front().type());
    return info;
  }

  /// A sigmoid cannot hold what is outside [0, 1].
  Settings needs() const override {
    Settings settings;
    if (is_wide_range(pictures_)) {
      settings.set("rays.color", std::string(to_string(ColorActivation::Sinh)), "the pictures' range");
    }
    return settings;
  }
  Settings preset(const std::string& name) const override { return scene_preset(name); }
  AutoPlan automatic(double max_seconds, int64_t n_params, Precision precision, double gflops,
                     AutoFamily family) const override {
    return auto_scene_plan(n_pixels(), pictures_.scene.has_alpha, max_seconds, n_params, precision, gflops, family);
  }
  void configure(const FitConfig& config) override { settings_ = config.scene; }
  const char* sample_noun() const override { return "sample"; }
  const char* batch_noun() const override { return "ray"; }
  int max_group(const FitConfig& config) const override { return max_ray_samples(config.scene.rays); }
  std::string config_hash(const FitConfig& config) const override { return scene_config_hash(config, pictures_); }
  std::unique_ptr<Problem> problem(const FitConfig& config, const std::string&, int) const override {
    return std::make_unique<SceneProblem>(pictures_, config);
  }

  Evaluation evaluate(ModelExecutor& model, const OnShare& on_share) const override {
    return compare(model, on_share, [](const ComparedRows&) {});
  }
  Evaluation write_reconstruction(ModelExecutor& model, const std::string& folder,
                                  const OnShare& on_share) const override {
    ViewRecorder recorder(pictures_, folder + "/" + reconstruction_name(), folder + "/" + error_name());
    return compare(model, on_share, [&](const ComparedRows& rows) { recorder.add_rows(rows); });
  }
  std::string reconstruction_name() const override { return "views"; }
  std::string error_name() const override { return "errors"; }

  int64_t preview_pixels() const override {
    const View view = preview_view();
    // In samples of the networks, which is what the training counts.
    return int64_t{view.intrinsics.width} * view.intrinsics.height *
           (settings_.rays.n_coarse + max_ray_samples(settings_.rays));
  }
  void write_preview(ModelExecutor& model, const std::string& image_path, const std::string& error_path) const override;

 private:
  std::size_t n_held_out() const { return held_out_views(pictures_.scene).size(); }

  RaySettings rays() const {
    RaySettings rays = settings_.rays;
    rays.background = background_of(settings_, pictures_.scene);
    return rays;
  }
  /// The grid is made from the field itself, so that it needs no file of its own.
  std::optional<OccupancyGrid> grid(ModelExecutor& model) const {
    if (settings_.occupancy_resolution == 0) return std::nullopt;
    FieldRenderer renderer(model, rays());
    return occupancy_of(renderer, settings_);
  }
  Evaluation compare(ModelExecutor& model, const OnShare& on_share,
                     const std::function<void(const ComparedRows&)>& on_rows) const {
    const std::optional<OccupancyGrid> occupied = grid(model);
    FieldRenderer renderer(model, rays(), {occupied ? &*occupied : nullptr, settings_.min_transmittance});
    int64_t n_done = 0;
    int64_t n_rays = 0;
    for (const std::size_t v : held_out_views(pictures_.scene)) n_rays += pictures_.images[v].n_pixels();
    const auto tell = [&] { on_share(static_cast<double>(n_done) / static_cast<double>(n_rays)); };
    renderer.set_on_piece(tell);
    return evaluation(evaluate_scene(renderer, pictures_, rays().background,
                                     [&](const ComparedRows& rows) {
                                       on_rows(rows);
                                       n_done += int64_t{rows.n_rows} * pictures_.images[rows.view].width();
                                       tell();
                                     }),
                      pictures_.range);
  }
  /// The first view to measure, reduced.
  View preview_view() const {
    View view = pictures_.scene.views[held_out_views(pictures_.scene).front()];
    const PictureSize size = fit_into(view.intrinsics.width, view.intrinsics.height, kPreviewSide);
    view.intrinsics = resized(view.intrinsics, size.width, size.height);
    return view;
  }

  ScenePictures pictures_;
  SceneSettings settings_;
};

void SceneSignal::write_preview(ModelExecutor& model, const std::string& image_path,
                                const std::string& error_path) const {
  const View view = preview_view();
  const Image& source = pictures_.images[held_out_views(pictures_.scene).front()];
  const int width = view.intrinsics.width;
  const int height = view.intrinsics.height;
  Image preview(width, height, 3, PixelType::U8);
  Image errors(width, height, 3, PixelType::U8);
  const std::array<double, 3> behind = rays().background;
  const float background[3] = {static_cast<float>(behind[0]), static_cast<float>(behind[1]),
                               static_cast<float>(behind[2])};
  std::vector<float> target(3 * static_cast<std::size_t>(width));
  std::vector<float> colors(target.size());
  FieldRenderer renderer(model, rays(), {nullptr, settings_.min_transmittance});
  renderer.render_view(view, box_of(pictures_.scene), [&](int first_row, int n_rows, const FieldPixels& pixels) {
    for (int i = 0; i < n_rows; ++i) {
      const float* const row = pixels.color.data() + target.size() * static_cast<std::size_t>(i);
      const int y = source_pixel(first_row + i, height, source.height());
      for (int x = 0; x < width; ++x) {
        read_target(source, source_pixel(x, width, source.width()), y, background, target.data() + 3 * x);
      }
      color_errors(row, target.data(), width, 3, true, colors.data());
      preview.write_row(0, first_row + i, width, row);
      errors.write_row(0, first_row + i, width, colors.data());
    }
  });
  write_image(image_path, preview);
  write_image(error_path, errors);
}

}  // namespace

std::unique_ptr<FitSignal> scene_signal(ScenePictures pictures, SceneSettings settings) {
  return std::make_unique<SceneSignal>(std::move(pictures), std::move(settings));
}

}  // namespace loe
