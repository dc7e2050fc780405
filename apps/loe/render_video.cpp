#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "loe/base/error.h"
#include "loe/io/image_file.h"
#include "loe/io/video_file.h"
#include "loe/task/video_task.h"
#include "render.h"

namespace loe::app {
namespace {

using Clock = std::chrono::steady_clock;

/// What --frames, --fps, --region and --size ask for, and the rate of the result.
struct Rendering {
  ClipView view;
  FrameRate rate;
};

Rendering plan_rendering(const RenderFlags& flags, const SignalInfo& signal) {
  Rendering plan;
  plan.view.region = chosen_region(flags, signal);
  const PictureSize size = chosen_size(flags, plan.view.region);
  plan.view.width = size.width;
  plan.view.height = size.height;
  FrameSpan span{0, static_cast<double>(signal.n_frames), false};
  if (!flags.frames.empty()) span = parse_frames("--frames", flags.frames, signal.n_frames);
  plan.view.first_frame = span.first;
  plan.view.n_source_frames = span.count;
  plan.rate = flags.fps.empty() ? signal.frame_rate : parse_frame_rate("--fps", flags.fps);
  const double n_frames = span.is_single ? 1 : std::round(span.count * plan.rate.value() / signal.frame_rate.value());
  plan.view.n_frames = static_cast<int>(std::clamp(n_frames, 1.0, 1e6));
  return plan;
}

/// Frames between those that were trained may meet experts that never saw a sample.
void warn_about_frames_between(const ClipView& view, const SignalInfo& signal, const NetworkSpec& network,
                               Reporter& reporter) {
  const bool is_between = view.n_source_frames != view.n_frames || view.first_frame != std::floor(view.first_frame);
  const double frames_per_cell = frames_per_finest_cell(network, signal.n_frames);
  if (!is_between || frames_per_cell >= 1) return;
  reporter.warning(
      fmt::format("frames in between: the finest grid has {:.2g} cells per frame, so some of its experts saw no sample "
                  "and those frames may be wrong; the preset auto has at most one cell per frame",
                  1 / frames_per_cell));
}

void render_frame(const RenderFlags& flags, const SignalInfo& signal, const ClipView& view, Executor& executor,
                  Reporter& reporter) {
  const PixelType depth = chosen_picture_depth(flags, signal);
  const PictureSize size{view.width, view.height};
  PictureTags tags;
  tags.pixel_aspect = signal.tags.pixel_aspect;
  const VideoShape shape{signal.width, signal.height, signal.n_frames};
  write_picture(flags, size, executor.spec().n_out(), depth, tags, reporter, [&](const OnPictureRows& on_rows) {
    decode_video(executor, shape, view,
                 [&](int, int first_row, int n_rows, const float* values) { on_rows(first_row, n_rows, values); });
  });
  print_picture(flags, size, depth);
}

/// Of the source's own frames, at its own rate: each begins when it did there.
std::vector<double> times_of(const RenderFlags& flags, const SignalInfo& signal, const ClipView& view) {
  const bool is_whole = view.first_frame == std::floor(view.first_frame) && view.n_source_frames == view.n_frames;
  if (!flags.fps.empty() || !is_whole || signal.times.empty()) return {};
  const auto first = static_cast<std::size_t>(view.first_frame);
  std::vector<double> times;
  for (std::size_t i = 0; i < static_cast<std::size_t>(view.n_frames); ++i) {
    times.push_back(signal.times.at(first + i) - signal.times.at(first));
  }
  return times;
}

VideoOptions video_options(const RenderFlags& flags, const SignalInfo& signal, const FrameRate& rate,
                           const ClipView& view) {
  VideoOptions options;
  // A pixel's shape follows from that of the part that is shown.
  const double stretch =
      (static_cast<double>(view.region.width) / view.width) * (static_cast<double>(view.height) / view.region.height);
  options.pixel_aspect = signal.tags.pixel_aspect * (flags.size.empty() ? 1 : stretch);
  options.times = times_of(flags, signal, view);
  options.rate = rate;
  options.color = signal.color;
  options.type = pixel_type_from_string(flags.depth.empty() ? signal.pixel_type : flags.depth);
  if (!flags.quality.empty()) options.quality = parse_double("--quality", flags.quality, 0, 51);
  return options;
}

}  // namespace

void render_video(const RenderFlags& flags, const SignalInfo& signal, Executor& executor, Reporter& reporter) {
  refuse_flags(scene_flags(flags), "scenes", "a video");
  const auto [view, rate] = plan_rendering(flags, signal);
  warn_about_frames_between(view, signal, executor.spec(), reporter);
  if (is_image_name(flags.out)) {
    if (view.n_frames != 1) {
      throw Error(
          ErrorKind::InvalidArgument,
          fmt::format("[flags] --frames: expected one frame for the picture {}, got {} frames; give --frames T or "
                      "the name of a video",
                      flags.out, view.n_frames));
    }
    return render_frame(flags, signal, view, executor, reporter);
  }
  const int n_channels = executor.spec().n_out();
  VideoWriter writer(flags.out, view.width, view.height, n_channels, video_options(flags, signal, rate, view));
  std::vector<float> frame(static_cast<std::size_t>(view.width) * view.height * n_channels);
  const std::size_t row_size = static_cast<std::size_t>(view.width) * n_channels;
  double writing_seconds = 0;
  const Clock::time_point start = Clock::now();
  const VideoShape shape{signal.width, signal.height, signal.n_frames};
  decode_video(executor, shape, view, [&](int index, int first_row, int n_rows, const float* values) {
    check_not_stopped(flags);
    const Clock::time_point decoded = Clock::now();
    std::copy_n(values, n_rows * row_size, frame.begin() + static_cast<std::ptrdiff_t>(first_row * row_size));
    if (first_row + n_rows == view.height) writer.write_frame(frame.data());
    reporter.job("rendering", (index + static_cast<double>(first_row + n_rows) / view.height) / view.n_frames);
    writing_seconds += std::chrono::duration<double>(Clock::now() - decoded).count();
  });
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count() - writing_seconds;
  writer.close();
  reporter.end_line();
  if (flags.quiet) return;
  fmt::print("{}  {} x {}, {} frames at {:.4g} a second; decoded at {:.4g} frames a second\n", flags.out, view.width,
             view.height, view.n_frames, rate.value(), view.n_frames / seconds);
}

}  // namespace loe::app
