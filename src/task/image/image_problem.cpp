#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <vector>

#include "loe/base/error.h"
#include "loe/metric/image_metrics.h"
#include "loe/signal/no_data.h"
#include "loe/task/image_task.h"
#include "task/product_batch.h"

namespace loe {

struct ImageProblem::Impl {
  Impl(const Image& picture, const FitConfig& config) : image(picture), batch(make_pixel_source(picture, config)) {}

  const Image& image;
  std::unique_ptr<PixelSource> batch;
};

ImageProblem::ImageProblem(const Image& image, const FitConfig& config) {
  if (config.network.n_channels != image.n_channels()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[image] channels: expected {} (outputs of the network), got a picture with {}",
                            config.network.n_channels, image.n_channels()));
  }
  impl_ = std::make_unique<Impl>(image, config);
}

ImageProblem::~ImageProblem() = default;

std::string image_config_hash(const FitConfig& config, const Image& image) {
  const std::string shape =
      fmt::format("{}x{}x{} {}", image.width(), image.height(), image.n_channels(), to_string(image.type()));
  const std::span<const std::byte> content[] = {{image.data(), image.n_bytes()}};
  return fit_config_hash(config, shape, content);
}

const SampleSource& ImageProblem::batch(int64_t step) {
  impl_->batch->begin_step(step);
  return *impl_->batch;
}

double ImageProblem::range_size() const {
  return impl_->image.tags.range_size();
}

/// Squared error only: the two SSIMs of evaluate_image would cost more than decoding a small network.
std::optional<double> ImageProblem::evaluate_psnr(ModelExecutor& model) {
  const Image& image = impl_->image;
  const bool clip = image.type() == PixelType::U8 || image.type() == PixelType::U16;
  const int64_t row_size = int64_t{image.width()} * image.n_channels();
  std::vector<float> target(row_size);
  double sum = 0;
  decode_image(model.main(), image.width(), image.height(), Region{0, 0, image.width(), image.height()}, image.width(),
               image.height(), [&](int first_row, int n_rows, const float* predicted) {
                 for (int i = 0; i < n_rows; ++i) {
                   image.read_row(0, first_row + i, image.width(), target.data());
                   const float* row = predicted + i * row_size;
                   for (int64_t j = 0; j < row_size; ++j) {
                     if (!image.is_measured(static_cast<int>(j / image.n_channels()), first_row + i)) continue;
                     const float value = clip ? std::clamp(row[j], 0.0F, 1.0F) : row[j];
                     const double difference = static_cast<double>(value) - target[j];
                     sum += difference * difference;
                   }
                 }
               });
  const double peak = range_size();
  const double mse = sum / (static_cast<double>(n_measured(image)) * image.n_channels() * peak * peak);
  // The trainer names the tensor behind a NaN; psnr_from_mse would only refuse it.
  return mse >= 0 ? psnr_from_mse(mse) : mse;
}

}  // namespace loe
