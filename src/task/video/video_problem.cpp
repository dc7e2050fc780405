#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <vector>

#include "loe/base/error.h"
#include "loe/metric/image_metrics.h"
#include "loe/task/video_task.h"
#include "task/product_batch.h"

namespace loe {

struct VideoProblem::Impl {
  Impl(const Video& clip, const FitConfig& config) : video(clip), batch(make_pixel_source(clip, config)) {}

  const Video& video;
  std::unique_ptr<PixelSource> batch;
};

VideoProblem::VideoProblem(const Video& video, const FitConfig& config) {
  if (config.network.n_dims != 3) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[video] network: expected 3 dimensions (x, y, t), got {}", config.network.n_dims));
  }
  if (config.network.n_channels != video.n_channels()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[video] channels: expected {} (outputs of the network), got a video with {}",
                            config.network.n_channels, video.n_channels()));
  }
  impl_ = std::make_unique<Impl>(video, config);
}

VideoProblem::~VideoProblem() = default;

const SampleSource& VideoProblem::batch(int64_t step) {
  impl_->batch->begin_step(step);
  return *impl_->batch;
}

/// Squared error only: the SSIMs of evaluate_video would cost more than decoding a small network.
std::optional<double> VideoProblem::evaluate_psnr(ModelExecutor& model) {
  const Video& video = impl_->video;
  const int64_t row_size = int64_t{video.width()} * video.n_channels();
  std::vector<float> target(row_size);
  double sum = 0;
  const VideoShape shape{video.width(), video.height(), video.n_frames()};
  decode_video(model.main(), shape, whole_clip(shape),
               [&](int frame, int first_row, int n_rows, const float* predicted) {
                 for (int i = 0; i < n_rows; ++i) {
                   video.frame(frame).read_row(0, first_row + i, video.width(), target.data());
                   for (int64_t j = 0; j < row_size; ++j) {
                     const double difference =
                         static_cast<double>(std::clamp(predicted[i * row_size + j], 0.0F, 1.0F)) - target[j];
                     sum += difference * difference;
                   }
                 }
               });
  const double mse = sum / (static_cast<double>(video.n_pixels()) * video.n_channels());
  // The trainer names the tensor behind a NaN; psnr_from_mse would only refuse it.
  return mse >= 0 ? psnr_from_mse(mse) : mse;
}

std::string video_config_hash(const FitConfig& config, const Video& video) {
  const std::string shape = fmt::format("{}x{}x{}x{} {}", video.width(), video.height(), video.n_frames(),
                                        video.n_channels(), to_string(video.type()));
  std::vector<std::span<const std::byte>> content;
  for (int t = 0; t < video.n_frames(); ++t) {
    content.emplace_back(video.frame(t).data(), video.frame(t).n_bytes());
  }
  return fit_config_hash(config, shape, content);
}

}  // namespace loe
