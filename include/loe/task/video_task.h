// Task "video": a clip as a Levels-of-Experts network over (x, y, t).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/base/settings.h"
#include "loe/signal/video.h"
#include "loe/task/fit_config.h"
#include "loe/task/region.h"
#include "loe/train/trainer.h"

namespace loe {

/// fit_config_from_settings for videos: three dimensions; n_channels comes from the video.
inline FitConfig video_config_from_settings(const Settings& settings, int n_channels) {
  return fit_config_from_settings(settings, SignalKind::Video, n_channels);
}

/// RunState's config_hash: fit_config_hash over the video's size, depth and frames. The frame rate does not count.
std::string video_config_hash(const FitConfig& config, const Video& video);

/// Batches and evaluations of one video for the trainer.
class VideoProblem : public SupervisedProblem {
 public:
  /// The video must outlive the problem and stay as it is. Error(InvalidArgument) if channels disagree, the network is
  /// not over three dimensions or the batch size is out of range.
  VideoProblem(const Video& video, const FitConfig& config);
  ~VideoProblem() override;
  const SampleSource& batch(int64_t step) override;
  /// Of all frames together (pooled squared error).
  std::optional<double> evaluate_psnr(ModelExecutor& model) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Size of the video that a network stands for.
struct VideoShape {
  int width = 0;
  int height = 0;
  int n_frames = 0;
};

/// A box of the continuous video and how finely it is sampled: `region` of frames [first_frame, first_frame +
/// n_source_frames), as n_frames frames of width x height. Output frame i lies at source frame
/// first_frame + (i + 1/2) n_source_frames / n_frames: equal numbers give the trained times exactly, more give frames
/// in between.
struct ClipView {
  Region region;
  int width = 0;
  int height = 0;
  double first_frame = 0;
  double n_source_frames = 0;
  int n_frames = 0;
};

/// The whole video as it was trained.
ClipView whole_clip(const VideoShape& shape);

/// Evaluates the network over `view`, frame by frame, each in strips of rows: on_rows(frame, first_row, n_rows, values
/// [n_rows, view.width, n_out]), values as the network gives them (not clipped). Memory: one strip, as decode_image.
/// Error(InvalidArgument) if the view leaves the video, a size is outside 1..65536, or the network does not map 3-D
/// coordinates.
void decode_video(Executor& executor, const VideoShape& source, const ClipView& view,
                  const std::function<void(int frame, int first_row, int n_rows, const float* values)>& on_rows);

/// Metrics of one frame.
struct FrameEvaluation {
  double psnr_db = 0;
  double ssim = 0;
  double ssim_gaussian = 0;
};

struct VideoEvaluation {
  double psnr_db = 0;        ///< of the squared error over all frames: the paper's Table 2, and the headline
  double psnr_frame_db = 0;  ///< mean of the frames' PSNR; infinite if a frame is exact
  double ssim = 0;           ///< mean over the frames
  double ssim_gaussian = 0;  ///< mean over the frames
  std::vector<FrameEvaluation> frames;
};

/// Decodes all frames and compares them, streaming; predictions are clipped to [0, 1] for the metrics. on_rows may be
/// empty; it sees the same rows, not clipped. Error(InvalidArgument) if channels disagree.
VideoEvaluation evaluate_video(Executor& executor, const Video& video,
                               const std::function<void(int frame, int first_row, int n_rows, const float* predicted,
                                                        const float* target)>& on_rows);

/// Frames per cell of the finest grid along t; below 1 there are cells between frames whose experts saw no sample, so
/// that frames in between are not to be trusted. Infinite for a network without grids along t.
double frames_per_finest_cell(const NetworkSpec& network, int n_frames);

}  // namespace loe
