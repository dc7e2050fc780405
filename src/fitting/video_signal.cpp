#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "loe/fitting/fit_signal.h"
#include "loe/fitting/pictures.h"
#include "loe/io/video_file.h"
#include "loe/task/video_presets.h"
#include "loe/task/video_task.h"

namespace loe {
namespace {

/// Frames of a preview, from the first to the last, side by side in one picture.
constexpr int kPreviewFrames = 3;
/// Longest side of a frame in a preview.
constexpr int kPreviewSide = 480;

Evaluation evaluation(const VideoEvaluation& found) {
  const auto by_psnr = [](const FrameEvaluation& a, const FrameEvaluation& b) { return a.psnr_db < b.psnr_db; };
  const auto [worst, best] = std::minmax_element(found.frames.begin(), found.frames.end(), by_psnr);
  std::vector<double> psnr;
  std::vector<double> ssim;
  for (const FrameEvaluation& frame : found.frames) {
    psnr.push_back(frame.psnr_db);
    ssim.push_back(frame.ssim);
  }
  return {Fidelity{found.psnr_db, found.ssim, found.ssim_gaussian},
          {{"psnr_frame_db", found.psnr_frame_db},
           {"worst_frame", worst - found.frames.begin()},
           {"worst_frame_psnr_db", worst->psnr_db},
           {"best_frame", best - found.frames.begin()},
           {"best_frame_psnr_db", best->psnr_db},
           {"frames.psnr_db", psnr},
           {"frames.ssim", ssim}}};
}

/// Reconstruction and error map as videos, frame by frame as their rows come.
class ClipRecorder {
 public:
  ClipRecorder(const Video& video, const std::string& reconstruction_path, const std::string& error_path)
      : video_(video),
        reconstruction_(reconstruction_path, video.width(), video.height(), video.n_channels(), options(video, true)),
        error_(error_path, video.width(), video.height(), 3, options(video, false)),
        frame_(static_cast<std::size_t>(video.width()) * video.height() * video.n_channels()),
        colors_(static_cast<std::size_t>(video.width()) * video.height() * 3) {}

  void add_rows(int first_row, int n_rows, const float* predicted, const float* target) {
    const int64_t n_pixels = int64_t{n_rows} * video_.width();
    const int64_t first = int64_t{first_row} * video_.width();
    std::copy_n(predicted, n_pixels * video_.n_channels(), frame_.begin() + first * video_.n_channels());
    color_errors(predicted, target, n_pixels, video_.n_channels(), true, colors_.data() + 3 * first);
    if (first_row + n_rows == video_.height()) {
      reconstruction_.write_frame(frame_.data());
      error_.write_frame(colors_.data());
    }
  }
  void close() {
    reconstruction_.close();
    error_.close();
  }

 private:
  static VideoOptions options(const Video& video, bool is_source_like) {
    VideoOptions options;
    options.rate = video.frame_rate;
    options.pixel_aspect = video.pixel_aspect;
    options.times = video.times;
    if (is_source_like) {
      options.color = video.color;
      options.type = video.type();
    }
    return options;
  }

  const Video& video_;
  VideoWriter reconstruction_;
  VideoWriter error_;
  std::vector<float> frame_;
  std::vector<float> colors_;
};

class VideoSignal : public FitSignal {
 public:
  explicit VideoSignal(Video video) : video_(std::move(video)) {}

  const char* noun() const override { return "video"; }
  SignalKind kind() const override { return SignalKind::Video; }
  int n_channels() const override { return video_.n_channels(); }
  int64_t n_pixels() const override { return video_.n_pixels(); }
  int64_t n_bytes() const override { return video_.n_bytes(); }

  std::string describe() const override {
    return fmt::format("{} x {}, {} frames at {:.4g} a second, {} channels, {}", video_.width(), video_.height(),
                       video_.n_frames(), video_.frame_rate.value(), n_channels(), to_string(video_.type()));
  }
  Facts shape() const override {
    return {{"width", video_.width()},
            {"height", video_.height()},
            {"n_frames", video_.n_frames()},
            {"frame_rate", video_.frame_rate.value()},
            {"channels", n_channels()}};
  }
  SignalInfo info() const override {
    SignalInfo info;
    info.task = "video";
    info.width = video_.width();
    info.height = video_.height();
    info.n_frames = video_.n_frames();
    info.frame_rate = video_.frame_rate;
    info.color = video_.color;
    info.tags.pixel_aspect = video_.pixel_aspect;
    info.times = video_.times;
    info.pixel_type = to_string(video_.type());
    return info;
  }
  const Video* video() const override { return &video_; }

  Settings preset(const std::string& name) const override {
    return video_preset(name, {video_.width(), video_.height(), video_.n_frames()});
  }
  AutoPlan automatic(double max_seconds, int64_t n_params, Precision precision, double gflops,
                     AutoFamily family) const override {
    return auto_video_plan({video_.width(), video_.height(), video_.n_frames()}, n_channels(), max_seconds, n_params,
                           precision, gflops, family);
  }
  std::string config_hash(const FitConfig& config) const override { return video_config_hash(config, video_); }
  std::unique_ptr<Problem> problem(const FitConfig& config, const std::string&, int) const override {
    return std::make_unique<VideoProblem>(video_, config);
  }

  Evaluation evaluate(ModelExecutor& model, const OnShare& on_share) const override {
    return evaluation(
        evaluate_video(model.main(), video_, [&](int frame, int first_row, int n_rows, const float*, const float*) {
          on_share(share(frame, first_row + n_rows));
        }));
  }
  Evaluation write_reconstruction(ModelExecutor& model, const std::string& folder,
                                  const OnShare& on_share) const override {
    ClipRecorder recorder(video_, folder + "/" + reconstruction_name(), folder + "/" + error_name());
    const VideoEvaluation found = evaluate_video(
        model.main(), video_, [&](int frame, int first_row, int n_rows, const float* predicted, const float* target) {
          recorder.add_rows(first_row, n_rows, predicted, target);
          on_share(share(frame, first_row + n_rows));
        });
    recorder.close();
    return evaluation(found);
  }
  std::string reconstruction_name() const override { return "reconstruction.mp4"; }
  std::string error_name() const override { return "error.mp4"; }

  int64_t preview_pixels() const override {
    const PictureSize size = frame_size();
    return int64_t{size.width} * size.height * n_preview_frames();
  }
  void write_preview(ModelExecutor& model, const std::string& image_path, const std::string& error_path) const override;

 private:
  double share(int frame, int n_rows) const {
    return (frame + static_cast<double>(n_rows) / video_.height()) / video_.n_frames();
  }
  int n_preview_frames() const { return std::min(kPreviewFrames, video_.n_frames()); }
  /// Source frame of column i of the preview.
  int preview_frame(int i) const {
    return n_preview_frames() == 1 ? 0 : i * (video_.n_frames() - 1) / (n_preview_frames() - 1);
  }
  PictureSize frame_size() const { return fit_into(video_.width(), video_.height(), kPreviewSide); }

  Video video_;
};

void VideoSignal::write_preview(ModelExecutor& model, const std::string& image_path,
                                const std::string& error_path) const {
  const PictureSize size = frame_size();
  const int n = n_preview_frames();
  Image preview(n * size.width, size.height, n_channels(), PixelType::U8);
  Image errors(n * size.width, size.height, 3, PixelType::U8);
  for (int i = 0; i < n; ++i) {
    draw_frame(model.main(), video_, preview_frame(i), size, i * size.width, 0, preview, errors);
  }
  write_image(image_path, preview);
  write_image(error_path, errors);
}

}  // namespace

std::unique_ptr<FitSignal> video_signal(Video video) {
  return std::make_unique<VideoSignal>(std::move(video));
}

}  // namespace loe
