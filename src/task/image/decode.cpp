#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "loe/base/error.h"
#include "loe/metric/image_metrics.h"
#include "loe/signal/no_data.h"
#include "loe/task/image_task.h"
#include "task/plane_decoder.h"

namespace loe {
namespace {

void check_channels(const Executor& executor, const Image& image) {
  if (executor.spec().n_out() != image.n_channels()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[eval] channels: expected {} (outputs of the network), got a picture with {}",
                            executor.spec().n_out(), image.n_channels()));
  }
}

}  // namespace

void decode_image(Executor& executor, int source_width, int source_height, const Region& region, int out_width,
                  int out_height, const std::function<void(int first_row, int n_rows, const float* values)>& on_rows) {
  const NetworkSpec& spec = executor.spec();
  if (spec.n_dims != 2 || spec.input.kind == InputKind::Features) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[render] network: expected 2-D coordinates as its only input, got {}-D and input \"{}\"; "
                            "this is not the model of a picture",
                            spec.n_dims, to_string(spec.input.kind)));
  }
  check_region(source_width, source_height, region, out_width, out_height);
  decode_plane(executor,
               {axis_coordinates(region.x, region.width, out_width, source_width),
                axis_coordinates(region.y, region.height, out_height, source_height),
                {}},
               on_rows);
}

ImageEvaluation evaluate_image(
    Executor& executor, const Image& image,
    const std::function<void(int first_row, int n_rows, const float* predicted, const float* target)>& on_rows) {
  check_channels(executor, image);
  const bool clip = image.type() == PixelType::U8 || image.type() == PixelType::U16;
  const auto n_channels = static_cast<std::size_t>(image.n_channels());
  const std::size_t row_size = std::size_t(image.width()) * n_channels;
  ImageMetrics metrics(image.width(), image.height(), image.n_channels(), clip);
  std::vector<float> target;
  // PSNR and SSIM for data of range L are those of the values divided by L.
  const auto factor = static_cast<float>(1 / image.tags.range_size());
  std::vector<float> scaled[2];
  const auto add_row = [&](int y, const float* predicted, const float* truth) {
    if (factor == 1 && image.no_data.empty()) return metrics.add_row(predicted, truth);
    for (auto& row : scaled) row.resize(row_size);
    for (std::size_t i = 0; i < row_size; ++i) {
      const bool counts = image.is_measured(static_cast<int>(i / n_channels), y);
      scaled[0][i] = (counts ? predicted[i] : truth[i]) * factor;
      scaled[1][i] = truth[i] * factor;
    }
    metrics.add_row(scaled[0].data(), scaled[1].data());
  };
  decode_image(executor, image.width(), image.height(), Region{0, 0, image.width(), image.height()}, image.width(),
               image.height(), [&](int first_row, int n_rows, const float* predicted) {
                 target.resize(n_rows * row_size);
                 for (int i = 0; i < n_rows; ++i) {
                   image.read_row(0, first_row + i, image.width(), target.data() + i * row_size);
                   add_row(first_row + i, predicted + i * row_size, target.data() + i * row_size);
                 }
                 if (on_rows) {
                   on_rows(first_row, n_rows, predicted, target.data());
                 }
               });
  // Where nothing was measured both were the same.
  const double share = static_cast<double>(n_measured(image)) / static_cast<double>(image.n_pixels());
  return {psnr_from_mse(metrics.mse() / share), metrics.ssim(SsimWindow::Uniform7),
          metrics.ssim(SsimWindow::Gaussian11)};
}

}  // namespace loe
