#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>
#include <vector>

#include "loe/base/error.h"
#include "loe/fitting/pictures.h"
#include "loe/io/image_file.h"
#include "loe/io/scene_file.h"
#include "loe/io/video_file.h"
#include "loe/render/camera_path.h"
#include "loe/task/scene_task.h"
#include "render.h"

namespace loe::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kDefaultFrames = 120;
constexpr int kMaxFrames = 100000;
constexpr FrameRate kDefaultRate{30, 1};
/// Rendering for the eye: what both leave out is said, with its cost, in docs/cli.md.
constexpr int kDefaultOccupancy = 64;
constexpr double kDefaultMinTransmittance = 1e-3;

enum class Map { Color, Depth, Opacity };

Map chosen_map(const RenderFlags& flags) {
  if (flags.map.empty() || flags.map == "color") return Map::Color;
  if (flags.map == "depth") return Map::Depth;
  if (flags.map == "opacity") return Map::Opacity;
  throw Error(ErrorKind::InvalidArgument,
              fmt::format("[flags] --map: expected color, depth or opacity, got '{}'", flags.map));
}

/// What is rendered: a view per pose.
struct Plan {
  std::vector<Pose> poses;
  View view;  ///< all but the pose
  Map map = Map::Color;
  double unit = 1;     ///< the scene's units of length per normalised one
  double deepest = 1;  ///< in the scene's units: white in a depth map of integers
};

/// The field of view from top to bottom stays; what another shape adds or takes is at the sides.
Intrinsics reframed(const Intrinsics& lens, const PictureSize& size) {
  const double scale = static_cast<double>(size.height) / lens.height;
  Intrinsics frame = resized(lens, size.width, size.height);
  frame.fl_x = lens.fl_x * scale;
  frame.cx = size.width / 2.0 + (lens.cx - lens.width / 2.0) * scale;
  return frame;
}

std::vector<Pose> path_of_file(const RenderFlags& flags, const FieldInfo& field, int n_frames) {
  std::error_code error;
  if (!std::filesystem::exists(flags.camera_path, error)) {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[flags] --camera-path: expected orbit, spiral or a JSON file of key poses, got '{}', which "
                    "is none of them",
                    flags.camera_path));
  }
  const std::vector<Pose> keys = read_camera_path(flags.camera_path, field.centre, field.scale);
  return interpolate_poses(keys, n_frames, false, PathCurve::CatmullRom);
}

std::vector<Pose> poses_of_path(const RenderFlags& flags, const FieldInfo& field, int n_frames) {
  if (flags.camera_path == "orbit") {
    const OrbitSpec spec = orbit_of_cameras(field.poses);
    return orbit(spec.centre, spec.up, spec.radius, spec.elevation, n_frames);
  }
  if (flags.camera_path == "spiral") {
    std::array<double, 3> middle{};
    for (std::size_t a = 0; a < 3; ++a) middle[a] = (field.box_min[a] + field.box_max[a]) / 2;
    const SpiralPath path = spiral_of_cameras(field.poses, field.near, field.far, middle);
    return spiral(path.middle, path.spec, n_frames);
  }
  return path_of_file(flags, field, n_frames);
}

/// The farthest that something can be from any of the cameras: of the box's corners.
double farthest_corner(const Plan& plan, const FieldInfo& field) {
  double farthest = 0;
  for (const Pose& pose : plan.poses) {
    double sum = 0;
    for (std::size_t a = 0; a < 3; ++a) {
      const double t = pose.matrix[a][3];
      const double reach = std::max(std::abs(t - field.box_min[a]), std::abs(t - field.box_max[a]));
      sum += reach * reach;
    }
    farthest = std::max(farthest, std::sqrt(sum));
  }
  return farthest;
}

Plan plan_rendering(const RenderFlags& flags, const FieldInfo& field) {
  refuse_flags({{"--region", flags.region}}, "pictures and videos", "a scene");
  Plan plan;
  plan.map = chosen_map(flags);
  plan.unit = 1 / field.scale;
  plan.view.near = field.near;
  plan.view.far = field.far;
  Intrinsics lens = field.intrinsics;
  if (flags.camera_path.empty()) {
    refuse_flags({{"--frames", flags.frames}, {"--fps", flags.fps}, {"--quality", flags.quality}},
                 "scenes along a --camera-path", "a single view");
    const auto n_poses = static_cast<int64_t>(field.poses.size());
    const int64_t k = flags.view.empty() ? 0 : parse_int("--view", flags.view, 0, n_poses - 1);
    plan.poses = {field.poses[static_cast<std::size_t>(k)]};
  } else {
    refuse_flags({{"--view", flags.view}}, "scenes seen from one place", "one along a --camera-path");
    const int64_t n_frames = flags.frames.empty() ? kDefaultFrames : parse_int("--frames", flags.frames, 1, kMaxFrames);
    plan.poses = poses_of_path(flags, field, static_cast<int>(n_frames));
    lens.lens = Lens();  // a camera of our own bends no lines
    const bool is_ours = flags.camera_path == "orbit" || flags.camera_path == "spiral";
    // The limits hold where the photos were taken from, not wherever the user flies.
    if (!is_ours) plan.view.near = plan.view.far = 0;
  }
  plan.view.intrinsics = reframed(lens, chosen_size(flags, {0, 0, lens.width, lens.height}));
  plan.deepest = plan.unit * (plan.view.far > 0 ? plan.view.far : farthest_corner(plan, field));
  return plan;
}

bool is_picture_of(const RenderFlags& flags, const Plan& plan) {
  const bool is_picture = is_image_name(flags.out);
  if (is_picture && plan.poses.size() != 1) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] --out: expected a video or a folder NAME/ for {} frames, got the picture {}; or "
                            "give --frames 1, or --view K instead of the path",
                            plan.poses.size(), flags.out));
  }
  if (!is_picture && flags.camera_path.empty()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] --out: expected a picture for a single view, got {}; give --camera-path (orbit, "
                            "spiral or FILE) for a video",
                            flags.out));
  }
  return is_picture;
}

/// Whether the field's colours may leave [0, 1].
bool is_wide(const FieldInfo& field, const Plan& plan) {
  return field.rays.color == ColorActivation::Sinh && plan.map == Map::Color;
}

bool is_folder(const RenderFlags& flags) {
  return flags.out.ends_with('/');
}

PixelType chosen_depth(const RenderFlags& flags, const FieldInfo& field, const Plan& plan, bool is_picture) {
  if (!flags.depth.empty()) return pixel_type_from_string(flags.depth);
  if (!is_picture) return is_folder(flags) && is_wide(field, plan) ? PixelType::F16 : PixelType::U8;
  if (plan.map != Map::Color && extension_of(flags.out) == ".exr") return PixelType::F32;
  SignalInfo eight_bits;
  return chosen_picture_depth(flags, eight_bits);
}

/// Bright scenes in files that end at white: nothing is cut without a word.
void warn_of_cut(const RenderFlags& flags, const FieldInfo& field, const Plan& plan, PixelType type, bool is_picture,
                 Reporter& reporter) {
  if (!is_wide(field, plan) || !is_integer_picture(type)) return;
  reporter.warning(
      fmt::format("{}: colours below 0 and above 1, which this scene has, are cut in a file of {}; write {}", flags.out,
                  to_string(type), is_picture ? "an .exr" : "a folder NAME/ of OpenEXR pictures"));
}

/// The values of a strip of pixels that the map asks for, [n, 3] or [n].
const std::vector<float>& values_of(const FieldPixels& pixels, const Plan& plan, bool is_raw,
                                    std::vector<float>& buffer) {
  if (plan.map == Map::Color) return pixels.color;
  if (plan.map == Map::Opacity) return pixels.opacity;
  const double scale = is_raw ? plan.unit : plan.unit / plan.deepest;
  buffer.resize(pixels.depth.size());
  std::transform(pixels.depth.begin(), pixels.depth.end(), buffer.begin(),
                 [scale](float depth) { return static_cast<float>(scale * depth); });
  return buffer;
}

/// A field, what it skips, and what it has cost.
class SceneRenderer {
 public:
  SceneRenderer(const RenderFlags& flags, const FieldInfo& field, ModelExecutor& model)
      : box_{field.box_min, field.box_max} {
    SceneSettings settings;
    settings.occupancy_resolution = flags.occupancy.empty()
                                        ? kDefaultOccupancy
                                        : static_cast<int>(parse_int("--occupancy", flags.occupancy, 0, 256));
    if (settings.occupancy_resolution % 4 != 0) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[flags] --occupancy: expected a multiple of 4 in 4..256, or 0 for none, got {}",
                              settings.occupancy_resolution));
    }
    const double min_transmittance = flags.min_transmittance.empty()
                                         ? kDefaultMinTransmittance
                                         : parse_double("--min-transmittance", flags.min_transmittance, 0, 0.5);
    if (settings.occupancy_resolution > 0) {
      FieldRenderer plain(model, field.rays);
      plain.set_on_piece([&] { check_not_stopped(flags); });
      grid_ = occupancy_of(plain, settings);
    }
    renderer_.emplace(model, field.rays, RaySkipping{grid_ ? &*grid_ : nullptr, min_transmittance});
    renderer_->set_on_piece([&] { check_not_stopped(flags); });
  }

  void render(const View& view, const std::function<void(int, int, const FieldPixels&)>& on_rows) {
    Clock::time_point start = Clock::now();
    renderer_->render_view(view, box_, [&](int first_row, int n_rows, const FieldPixels& pixels) {
      seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
      n_rays_ += int64_t{n_rows} * view.intrinsics.width;
      on_rows(first_row, n_rows, pixels);
      start = Clock::now();
    });
  }

  /// "12.3k rays/s, 1.2M samples/s, 96.0 samples per ray", without what writing took.
  std::string cost() const {
    const auto n_samples = static_cast<double>(renderer_->n_samples());
    const auto n_rays = static_cast<double>(n_rays_);
    const double seconds = std::max(seconds_, 1e-9);
    return fmt::format("{} rays/s, {} samples/s, {:.1f} samples per ray", format_rate(n_rays / seconds),
                       format_rate(n_samples / seconds), n_samples / n_rays);
  }

 private:
  Box box_;
  std::optional<OccupancyGrid> grid_;
  std::optional<FieldRenderer> renderer_;
  int64_t n_rays_ = 0;
  double seconds_ = 0;
};

/// The scale of a depth map, for the line that is printed.
std::string scale_of(const Plan& plan, bool is_raw) {
  if (plan.map != Map::Depth) return "";
  if (is_raw) return "; depth in the scene's units";
  return fmt::format("; depth: white is {:.4g} in the scene's units", plan.deepest);
}

void render_view(const RenderFlags& flags, Plan& plan, PixelType type, SceneRenderer& renderer, Reporter& reporter) {
  const Intrinsics& lens = plan.view.intrinsics;
  const bool is_raw = !is_integer_picture(type);
  const PictureSize size{lens.width, lens.height};
  std::vector<float> buffer;
  plan.view.camera_to_world = plan.poses.front();
  const int n_channels = plan.map == Map::Color ? 3 : 1;
  write_picture(flags, size, n_channels, type, {}, reporter, [&](const OnPictureRows& on_rows) {
    renderer.render(plan.view, [&](int first_row, int n_rows, const FieldPixels& pixels) {
      on_rows(first_row, n_rows, values_of(pixels, plan, is_raw, buffer).data());
    });
  });
  print_picture(flags, size, type, fmt::format("{}; {}", scale_of(plan, is_raw), renderer.cost()));
}

void render_path(Plan& plan, bool is_raw, VideoWriter& writer, SceneRenderer& renderer, Reporter& reporter) {
  const Intrinsics& lens = plan.view.intrinsics;
  const std::size_t n_channels = plan.map == Map::Color ? 3 : 1;
  const std::size_t row_size = n_channels * static_cast<std::size_t>(lens.width);
  std::vector<float> frame(row_size * static_cast<std::size_t>(lens.height));
  std::vector<float> buffer;
  for (std::size_t k = 0; k < plan.poses.size(); ++k) {
    plan.view.camera_to_world = plan.poses[k];
    renderer.render(plan.view, [&](int first_row, int n_rows, const FieldPixels& pixels) {
      const std::vector<float>& values = values_of(pixels, plan, is_raw, buffer);
      std::copy(values.begin(), values.end(),
                frame.begin() + static_cast<std::ptrdiff_t>(row_size * static_cast<std::size_t>(first_row)));
      const double share = static_cast<double>(first_row + n_rows) / lens.height;
      reporter.job("rendering", (static_cast<double>(k) + share) / static_cast<double>(plan.poses.size()));
    });
    writer.write_frame(frame.data());
  }
  writer.close();
  reporter.end_line();
}

}  // namespace

void render_scene(const RenderFlags& flags, const FieldInfo& field, ModelExecutor& model, Reporter& reporter) {
  Plan plan = plan_rendering(flags, field);
  const bool is_picture = is_picture_of(flags, plan);
  const PixelType type = chosen_depth(flags, field, plan, is_picture);
  warn_of_cut(flags, field, plan, type, is_picture, reporter);
  if (is_picture) {
    SceneRenderer renderer(flags, field, model);
    return render_view(flags, plan, type, renderer, reporter);
  }
  const bool is_raw = !is_integer_picture(type);
  VideoOptions options;
  options.rate = flags.fps.empty() ? kDefaultRate : parse_frame_rate("--fps", flags.fps);
  options.type = type;
  if (!flags.quality.empty()) options.quality = parse_double("--quality", flags.quality, 0, 51);
  const Intrinsics& lens = plan.view.intrinsics;
  // First of all: a name that cannot be written should not cost a rendering.
  VideoWriter writer(flags.out, lens.width, lens.height, plan.map == Map::Color ? 3 : 1, options);
  SceneRenderer renderer(flags, field, model);
  render_path(plan, is_raw, writer, renderer, reporter);
  if (flags.quiet) return;
  fmt::print("{}  {} x {}, {} frames at {:.4g} a second{}; {}\n", flags.out, lens.width, lens.height, plan.poses.size(),
             options.rate.value(), scale_of(plan, is_raw), renderer.cost());
}

}  // namespace loe::app
