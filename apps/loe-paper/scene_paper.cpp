// Tables of scenes: PSNR view by view, a few held-out views, and what the fields have where nothing is.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "loe/base/error.h"
#include "loe/io/file.h"
#include "loe/io/image_file.h"
#include "loe/render/analytic_scene.h"
#include "loe/task/empty_space.h"
#include "loe/task/scene_task.h"
#include "paper_kind.h"
#include "paper_results.h"

namespace loe::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kSourceViewsFile = "source_views.png";
/// In a run's folder: the shown views, their error maps, what they show of empty space, and how much that is.
constexpr StackFiles kStackFiles = {"views.png", "views_error.png", "views_empty.png"};
constexpr const char* kEmptySpaceFile = "empty_space.json";
constexpr const char* kEmptyGroup = "empty space";
/// Samples of a ray in each of the empty boxes, for pictures.
constexpr int kSamplesPerBox = 32;

/// Indices in Scene::views.
std::vector<std::size_t> shown_views(const Scene& scene) {
  const std::vector<std::size_t> held_out = held_out_views(scene);
  std::vector<std::size_t> shown;
  for (const int part : shown_parts(static_cast<int>(held_out.size()))) {
    shown.push_back(held_out[static_cast<std::size_t>(part)]);
  }
  return shown;
}

/// The shown views one below the other, in cells as large as the largest of them; fill(view, row, out) has row `row` of
/// a view's picture.
Image stack_views(const Scene& scene, int n_channels,
                  const std::function<void(std::size_t view, int row, float* out)>& fill) {
  const std::vector<std::size_t> shown = shown_views(scene);
  int width = 1;
  int height = 1;
  for (const std::size_t v : shown) {
    width = std::max(width, scene.views[v].intrinsics.width);
    height = std::max(height, scene.views[v].intrinsics.height);
  }
  Image stack(width, height * static_cast<int>(shown.size()), n_channels, PixelType::U8);
  std::vector<float> row(static_cast<std::size_t>(width) * n_channels);
  int first = 0;
  for (const std::size_t v : shown) {
    const Intrinsics& lens = scene.views[v].intrinsics;
    for (int y = 0; y < lens.height; ++y) {
      fill(v, y, row.data());
      stack.write_row(0, first + y, lens.width, row.data());
    }
    first += height;
  }
  return stack;
}

/// Pictures of the shown views that the fit left in `folder`.
Image stack_files(const Scene& scene, const std::string& folder) {
  Image image;
  std::string current;
  return stack_views(scene, 3, [&](std::size_t v, int row, float* out) {
    const View& view = scene.views[v];
    const std::string path = folder + "/" + fs::path(view.name).stem().string() + ".png";
    if (path != current) {
      image = read_image(path);
      current = path;
      if (image.width() != view.intrinsics.width || image.height() != view.intrinsics.height ||
          image.n_channels() != 3) {
        throw Error(ErrorKind::Format, fmt::format("[paper] {}: expected {} x {} pixels in colour, got {} x {} with {} "
                                                   "channels; remove this run's folder, so that it is repeated",
                                                   path, view.intrinsics.width, view.intrinsics.height, image.width(),
                                                   image.height(), image.n_channels()));
      }
    }
    image.read_row(0, row, image.width(), out);
  });
}

Image stack_sources(const ScenePictures& pictures, const std::array<double, 3>& background) {
  const float behind[] = {static_cast<float>(background[0]), static_cast<float>(background[1]),
                          static_cast<float>(background[2])};
  return stack_views(pictures.scene, 3, [&](std::size_t v, int row, float* out) {
    for (int x = 0; x < pictures.images[v].width(); ++x) read_target(pictures.images[v], x, row, behind, out + 3 * x);
  });
}

/// Opacity of what is in the empty boxes: black is nothing, white a wall.
Image stack_empty_space(FieldRenderer& renderer, const Scene& scene) {
  RayBatch rays;
  return stack_views(scene, 1, [&](std::size_t v, int row, float* out) {
    const View& view = scene.views[v];
    rays_of_rows(view, row, 1, box_of(scene), rays);
    render_empty_space(renderer, rays, AnalyticScene::empty_boxes(), kSamplesPerBox,
                       {out, static_cast<std::size_t>(view.intrinsics.width)});
  });
}

class ScenePaper : public PaperKind {
 public:
  const char* noun() const override { return "scene"; }
  int n_channels() const override { return 3; }
  const char* row_word() const override { return "network"; }
  const char* sample_word() const override { return "sample"; }
  const Parts* parts() const override {
    static constexpr Parts kViews = {"view", "held-out views", "View by view", "views", "n_test_views"};
    return &kViews;
  }
  std::vector<Measure> measures() const override {
    return {{"empty_opacity", kEmptyGroup, "opacity", "in empty space", 3, &PaperRun::empty_opacity},
            {"empty_opacity_largest", kEmptyGroup, "largest", "largest", 3, &PaperRun::empty_opacity_largest}};
  }
  std::vector<std::string> remarks(const PaperReport& report) const override {
    std::vector<std::string> remarks = {
        "Parameters and MACs are those of one network, as the paper counts them; a field has two, coarse and fine.",
        "PSNR and SSIM: means over the held-out views."};
    if (!measures_of(report).empty()) {
      remarks.emplace_back(
          "Opacity in empty space: of the fitted field inside boxes that are known to be empty, over rays that cross "
          "them (0: nothing there, 1: a wall).");
    }
    return remarks;
  }

  const char* last_file() const override { return kStackFiles.errors; }
  void finish_run(const FinishedRun& run) const override {
    const ScenePictures& pictures = *run.signal.scene();
    const RaySettings rays = run.signal.info().field.rays;
    write_image(run.table_folder + "/" + kSourceViewsFile, stack_sources(pictures, rays.background));
    if (run.is_analytic) {
      run.on_progress("measuring empty space", 0);
      FieldRenderer renderer(run.model, rays);
      const EmptySpaceOpacity found = empty_space_opacity(renderer, AnalyticScene::empty_boxes());
      const Json json = {{"mean", found.mean}, {"largest", found.largest}, {"n_rays", found.n_rays}};
      write_text_file(run.folder + "/" + kEmptySpaceFile, json.dump(2) + "\n");
      write_image(run.folder + "/" + kStackFiles.extra, stack_empty_space(renderer, pictures.scene));
    }
    write_image(run.folder + "/" + kStackFiles.pictures,
                stack_files(pictures.scene, run.folder + "/" + run.signal.reconstruction_name()));
    write_image(run.folder + "/" + kStackFiles.errors,
                stack_files(pictures.scene, run.folder + "/" + run.signal.error_name()));
  }
  void read_run(PaperRun& run) const override {
    const std::string path = run.folder + "/" + kEmptySpaceFile;
    std::error_code error;
    if (!fs::exists(path, error)) return;
    const Json json = read_run_json(path);
    run.empty_opacity = run_number_or_nan(json, "mean", path);
    run.empty_opacity_largest = run_number_or_nan(json, "largest", path);
  }
  void find_files(const std::string& folder, PaperReport& report) const override {
    std::error_code error;
    const std::string source = folder + "/" + kSourceViewsFile;
    if (fs::exists(source, error)) report.source_picture = source;
  }

  const char* pictures_title() const override { return "Held-out views and error maps"; }
  RunPictures read_pictures(const PaperReport& report, const PaperRun& run) const override {
    return read_run_stacks(run.folder, kStackFiles, report.n_parts);
  }
  std::string pictures_text(const PaperReport& report, const std::vector<const RunPictures*>& pictures) const override {
    const bool has_empty = std::any_of(pictures.begin(), pictures.end(),
                                       [](const RunPictures* found) { return found->extra.has_value(); });
    return fmt::format(
        "From top to bottom: {}, then their mean absolute errors over the channels{}. Pixel values lie in 0..1; one "
        "scale for all. Large views are box-averaged.",
        shown_parts_text(report),
        has_empty
            ? ", then what the same cameras see of the field inside the boxes that are known to be empty, without "
              "the rest of the scene: black is nothing, white an opaque artefact"
            : "");
  }
  const char* slice_text() const override { return "at the middle of the scene's box"; }
};

}  // namespace

const PaperKind& scene_paper() {
  static const ScenePaper kind;
  return kind;
}

}  // namespace loe::app
