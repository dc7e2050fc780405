#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "loe/base/error.h"
#include "loe/metric/image_metrics.h"
#include "loe/task/video_task.h"
#include "task/plane_decoder.h"

namespace loe {
namespace {

constexpr int kMaxFrames = 1 << 20;

void check_view(const NetworkSpec& spec, const VideoShape& source, const ClipView& view) {
  const auto fail = [](const std::string& message) { throw Error(ErrorKind::InvalidArgument, "[render] " + message); };
  if (spec.n_dims != 3 || spec.input.kind == InputKind::Features) {
    fail(
        fmt::format("network: expected 3-D coordinates as its only input, got {}-D and input \"{}\"; this is not the "
                    "model of a video",
                    spec.n_dims, to_string(spec.input.kind)));
  }
  if (source.n_frames < 1) {
    fail(fmt::format("source: expected at least one frame, got {}", source.n_frames));
  }
  check_region(source.width, source.height, view.region, view.width, view.height);
  if (!(view.first_frame >= 0 && view.n_source_frames > 0 &&
        view.first_frame + view.n_source_frames <= source.n_frames)) {
    fail(fmt::format("frames: expected a part of 0:{}, got {}:{}", source.n_frames, view.first_frame,
                     view.first_frame + view.n_source_frames));
  }
  if (view.n_frames < 1 || view.n_frames > kMaxFrames) {
    fail(fmt::format("number of frames: expected 1..{}, got {}", kMaxFrames, view.n_frames));
  }
}

/// Mean over the frames of one of their metrics.
double mean(const std::vector<FrameEvaluation>& frames, double FrameEvaluation::*metric) {
  double sum = 0;
  for (const FrameEvaluation& frame : frames) {
    sum += frame.*metric;
  }
  return sum / static_cast<double>(frames.size());
}

}  // namespace

ClipView whole_clip(const VideoShape& shape) {
  return {{0, 0, shape.width, shape.height}, shape.width, shape.height, 0, double{1} * shape.n_frames, shape.n_frames};
}

void decode_video(Executor& executor, const VideoShape& source, const ClipView& view,
                  const std::function<void(int frame, int first_row, int n_rows, const float* values)>& on_rows) {
  check_view(executor.spec(), source, view);
  SamplePlane plane{axis_coordinates(view.region.x, view.region.width, view.width, source.width),
                    axis_coordinates(view.region.y, view.region.height, view.height, source.height),
                    {0}};
  const std::vector<float> times =
      axis_coordinates(view.first_frame, view.n_source_frames, view.n_frames, source.n_frames);
  for (int frame = 0; frame < view.n_frames; ++frame) {
    plane.shared[0] = times[frame];
    decode_plane(executor, plane,
                 [&](int first_row, int n_rows, const float* values) { on_rows(frame, first_row, n_rows, values); });
  }
}

VideoEvaluation evaluate_video(Executor& executor, const Video& video,
                               const std::function<void(int frame, int first_row, int n_rows, const float* predicted,
                                                        const float* target)>& on_rows) {
  const int n_channels = video.n_channels();
  if (executor.spec().n_out() != n_channels) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[eval] channels: expected {} (outputs of the network), got a video with {}",
                            executor.spec().n_out(), n_channels));
  }
  VideoEvaluation evaluation;
  const std::size_t row_size = std::size_t(video.width()) * n_channels;
  const VideoShape shape{video.width(), video.height(), video.n_frames()};
  ImageMetrics metrics(video.width(), video.height(), n_channels, true);
  std::vector<float> target;
  double mse_sum = 0;
  decode_video(executor, shape, whole_clip(shape), [&](int frame, int first_row, int n_rows, const float* predicted) {
    target.resize(n_rows * row_size);
    for (int i = 0; i < n_rows; ++i) {
      video.frame(frame).read_row(0, first_row + i, video.width(), target.data() + i * row_size);
      metrics.add_row(predicted + i * row_size, target.data() + i * row_size);
    }
    if (first_row + n_rows == video.height()) {
      mse_sum += metrics.mse();
      evaluation.frames.push_back(
          {metrics.psnr_db(), metrics.ssim(SsimWindow::Uniform7), metrics.ssim(SsimWindow::Gaussian11)});
      metrics = ImageMetrics(video.width(), video.height(), n_channels, true);
    }
    if (on_rows) {
      on_rows(frame, first_row, n_rows, predicted, target.data());
    }
  });
  evaluation.psnr_db = psnr_from_mse(mse_sum / video.n_frames());
  evaluation.psnr_frame_db = mean(evaluation.frames, &FrameEvaluation::psnr_db);
  evaluation.ssim = mean(evaluation.frames, &FrameEvaluation::ssim);
  evaluation.ssim_gaussian = mean(evaluation.frames, &FrameEvaluation::ssim_gaussian);
  return evaluation;
}

double frames_per_finest_cell(const NetworkSpec& network, int n_frames) {
  double finest = 0;
  for (const LayerSpec& layer : network.layers) {
    if (layer.n_experts() == 1) continue;
    for (int axis = 0; axis < network.n_dims; ++axis) {
      if (layer.tile.n[axis] > 1) finest = std::max(finest, std::abs(layer.grid.a[axis][network.n_dims - 1]));
    }
  }
  return finest > 0 ? n_frames / finest : std::numeric_limits<double>::infinity();
}

}  // namespace loe
