#include "loe/fitting/fit_signal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "loe/base/error.h"
#include "loe/fitting/pictures.h"
#include "loe/io/folder_content.h"
#include "loe/io/image_edit.h"
#include "loe/io/image_file.h"
#include "loe/io/scene_file.h"
#include "loe/io/video_file.h"
#include "loe/signal/no_data.h"
#include "loe/task/gan_presets.h"

namespace loe {
namespace {

/// A NaN in a picture would end the training much later and far away from its cause.
void check_finite(const Image& image, const std::string& path, const char* remedy) {
  if (is_integer_picture(image.type())) return;
  std::vector<float> row(static_cast<std::size_t>(image.width()) * image.n_channels());
  for (int y = 0; y < image.height(); ++y) {
    image.read_row(0, y, image.width(), row.data());
    const auto bad = std::find_if(row.begin(), row.end(), [](float value) { return !std::isfinite(value); });
    if (bad == row.end()) continue;
    const auto index = static_cast<int>(bad - row.begin());
    throw Error(ErrorKind::Format,
                fmt::format("[image] {}: expected finite values, got {} at x={}, y={}, channel {}; {}", path, *bad,
                            index / image.n_channels(), y, index % image.n_channels(), remedy));
  }
}

[[noreturn]] void fail_unmeasured(const std::string& path, const std::string& where) {
  throw Error(
      ErrorKind::Format,
      fmt::format("[image] {}: expected values, got pixels without any {} (NaN, or what the file says stands for "
                  "none); take another picture",
                  path, where));
}

/// A network has to give something everywhere: where nothing was measured, what costs it least.
void fill_missing(Image& image, const std::string& path, const FitEvents& events) {
  const int64_t n_missing = image.n_pixels() - n_measured(image);
  if (n_missing == 0) return;
  if (n_missing == image.n_pixels()) fail_unmeasured(path, "everywhere");
  events.warning(
      fmt::format("{}: {} of {} pixels have no values; they are filled from their neighbours and do not count "
                  "for PSNR",
                  path, n_missing, image.n_pixels()));
  fill_no_data(image);
}

Image read_picture(const std::string& path, const SignalEdit& edit, const FitEvents& events) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    const FolderContent content = folder_content(path);
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[image] {}: expected a picture, a video, a folder of frames or a scene, got {}; {}", path,
                            content.what, content.remedy));
  }
  if (edit.frames[0] != 0 || edit.frames[1] != 0) {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[image] {}: expected a video for data.frames, got a picture; leave data.frames out", path));
  }
  for (const std::string& note : read_image_info(path, ImageTurn::AsShown, edit.channels).notes) {
    events.warning(fmt::format("{}: {}", path, note));
  }
  Image image = read_image(path, kMaxImageBytes, ImageTurn::AsShown, edit.channels);
  fill_missing(image, path, events);
  if (edit.crop[2] != 0) image = crop_image(image, edit.crop[0], edit.crop[1], edit.crop[2], edit.crop[3]);
  if (edit.size[0] != 0) image = resize_image(image, edit.size[0], edit.size[1]);
  check_finite(image, path, "repair the picture, or make it NaN where nothing was measured");
  if (n_measured(image) == 0) fail_unmeasured(path, "in what data.crop leaves");
  return image;
}

Video read_clip(const std::string& path, const SignalEdit& edit, const FitEvents& events) {
  const VideoFileInfo info = read_video_info(path);
  for (const std::string& note : info.notes) events.warning(fmt::format("{}: {}", path, note));
  if (info.is_variable_rate) {
    events.warning(
        fmt::format("{}: has a variable frame rate; its frames are taken in order, evenly spaced, at the average "
                    "of {:.4g} a second",
                    path, info.frame_rate.value()));
  }
  Video video = read_video(path, edit);
  if (video.has_transparency) events.warning(fmt::format("{}: transparency is left out, colours are kept", path));
  if (video.n_skipped > 0) {
    events.warning(
        fmt::format("{}: {} damaged frames, or frames that need one of them, are left out", path, video.n_skipped));
  }
  return video;
}

/// Cameras and box in a fitted model's coordinates: both are normalised = (world - centre) scale, each with its own.
void move_into(Scene& scene, const FieldInfo& field) {
  const double ratio = field.scale / scene.scale;
  const bool is_same = scene.centre == field.centre && scene.scale == field.scale;
  for (View& view : scene.views) {
    if (is_same) break;  // to the last bit
    for (std::size_t i = 0; i < 3; ++i) {
      double& t = view.camera_to_world.matrix[i][3];
      t = t * ratio + (scene.centre[i] - field.centre[i]) * field.scale;
    }
    view.near *= ratio;
    view.far *= ratio;
  }
  scene.centre = field.centre;
  scene.scale = field.scale;
  scene.box_min = field.box_min;
  scene.box_max = field.box_max;
}

ScenePictures read_views(const std::string& path, const SceneSource& source, const std::optional<FieldInfo>& field,
                         const FitEvents& events) {
  Scene scene = read_scene(path, scene_options(source));
  for (const std::string& warning : scene.warnings) events.warning(warning);
  const std::size_t n_said = scene.warnings.size();
  if (field) move_into(scene, *field);
  ScenePictures pictures = read_scene_pictures(std::move(scene), source.max_side, source.test_views,
                                               [&](double share) { events.job("reading", share); });
  const std::vector<std::string>& warnings = pictures.scene.warnings;
  for (std::size_t i = n_said; i < warnings.size(); ++i) events.warning(warnings[i]);
  for (std::size_t i = 0; i < pictures.images.size(); ++i) {
    check_finite(pictures.images[i], pictures.scene.views[i].image_path, "repair the picture first");
  }
  return pictures;
}

}  // namespace

Facts Evaluation::headline() const {
  return fidelity ? Facts{{"psnr_db", fidelity->psnr_db}} : more.of("distances");
}

Facts Evaluation::all() const {
  Facts facts;
  if (fidelity) {
    facts = {{"psnr_db", fidelity->psnr_db}, {"ssim", fidelity->ssim}, {"ssim_gaussian", fidelity->ssim_gaussian}};
  }
  facts.set(more);
  return facts;
}

std::string task_of_data(const std::string& path) {
  return is_scene(path) ? "scene" : is_video(path) ? "video" : "image";
}

SceneOptions scene_options(const SceneSource& source) {
  SceneOptions options;
  options.format = source.format;
  options.images = source.images;
  options.test_every = source.test_every;
  options.box_half_side = source.box_half_side;
  options.box_centre = source.box_centre;
  return options;
}

ReadOptions read_options(const Settings& settings, const std::string& task) {
  ReadOptions options;
  options.device = settings.get_string("run.device", options.device);
  if (task == "scene") {
    options.scene = scene_settings_from(settings);
  } else if (task == "gan") {
    Settings all;
    if (settings.get_string("preset", "") == "gan") all = gan_preset("gan");
    all.merge(settings);
    options.gan = gan_settings_from(all);
  } else {
    options.edit = signal_edit_from_settings(settings);
  }
  return options;
}

std::unique_ptr<FitSignal> read_signal(const std::string& path, const std::string& task, const ReadOptions& options,
                                       const FitEvents& events) {
  const std::string kind = task.empty() ? task_of_data(path) : task;
  if (kind == "scene") {
    return scene_signal(read_views(path, options.scene.source, options.field, events), options.scene);
  }
  if (kind == "gan") return gan_signal(path, options, events);
  if (kind == "video") return video_signal(read_clip(path, options.edit, events));
  return picture_signal(read_picture(path, options.edit, events));
}

}  // namespace loe
