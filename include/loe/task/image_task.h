// Task "image": a picture as a Levels-of-Experts network.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "loe/backend/backend.h"
#include "loe/base/settings.h"
#include "loe/signal/image.h"
#include "loe/task/fit_config.h"
#include "loe/task/region.h"
#include "loe/train/trainer.h"

namespace loe {

/// fit_config_from_settings for pictures: two dimensions; n_channels comes from the picture.
inline FitConfig image_config_from_settings(const Settings& settings, int n_channels) {
  return fit_config_from_settings(settings, SignalKind::Image, n_channels);
}

/// RunState's config_hash: fit_config_hash over the picture's size, depth and content.
std::string image_config_hash(const FitConfig& config, const Image& image);

/// Batches and evaluations of one picture for the trainer.
class ImageProblem : public SupervisedProblem {
 public:
  /// The image must outlive the problem. Error(InvalidArgument) if channels disagree or the batch size is out of range.
  ImageProblem(const Image& image, const FitConfig& config);
  ~ImageProblem() override;
  const SampleSource& batch(int64_t step) override;
  double range_size() const override;
  std::optional<double> evaluate_psnr(ModelExecutor& model) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Evaluates the network over `region` of a source_width x source_height picture, resampled to out_width x out_height
/// (pixel centres; equal sizes give the trained positions exactly), in strips of rows: `on_rows(first_row, n_rows,
/// values [n_rows, out_width, n_out])`, top to bottom, values as the network gives them (not clipped). Memory: one
/// strip of about 262,144 pixels (8 MB for RGB), whatever the size. Error(InvalidArgument) if the region leaves the
/// picture, an output size is outside 1..65536, or the network does not map 2-D coordinates.
void decode_image(Executor& executor, int source_width, int source_height, const Region& region, int out_width,
                  int out_height, const std::function<void(int first_row, int n_rows, const float* values)>& on_rows);

struct ImageEvaluation {
  double psnr_db = 0;
  double ssim = 0;
  double ssim_gaussian = 0;
};

/// Decodes the whole picture and compares it, streaming. Integer pictures clip the prediction to [0, 1] for the
/// metrics; both are against the picture's range (PictureTags). Pixels of Image::no_data do not count for PSNR; for
/// SSIM they count as equal. on_rows may be empty; it sees the same rows, not clipped. Error(InvalidArgument) if
/// channels disagree.
ImageEvaluation evaluate_image(
    Executor& executor, const Image& image,
    const std::function<void(int first_row, int n_rows, const float* predicted, const float* target)>& on_rows);

}  // namespace loe
