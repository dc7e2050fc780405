// Task "image": a picture as a Levels-of-Experts network.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/base/settings.h"
#include "loe/metric/image_metrics.h"
#include "loe/nn/network.h"
#include "loe/signal/image.h"
#include "loe/signal/image_sampler.h"
#include "loe/train/trainer.h"

namespace loe {

/// All settings of an image fit. Keys of the config file in docs/config.md.
struct ImageFitConfig {
  std::string preset = "auto";
  uint64_t seed = 0;
  NetworkConfig network;
  ImageSampling sampling = ImageSampling::RandomPixels;
  int64_t batch_size = 65536;
  Precision precision = Precision::F32;
  TrainOptions train;
};

/// Reads typed settings over the defaults of a plain picture. Unknown keys, wrong types and contradictions are
/// Error(InvalidArgument). n_channels comes from the picture.
ImageFitConfig image_config_from_settings(const Settings& settings, int n_channels);
/// The resolved config; image_config_from_settings(image_config_to_settings(c), n) == c.
Settings image_config_to_settings(const ImageFitConfig& config);

/// Batches and evaluations of one picture for the trainer.
class ImageProblem : public Problem {
 public:
  /// The image must outlive the problem.
  ImageProblem(const Image& image, const ImageFitConfig& config);
  ~ImageProblem() override;
  const SampleSource& batch(int64_t step) override;
  double evaluate_psnr(Executor& executor) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A rectangle of the continuous picture, in pixels of the source: [x, x + width) x [y, y + height).
struct Region {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

/// Evaluates the network over `region` of a source_width x source_height picture, resampled to out_width x out_height
/// (pixel centres; equal sizes give the trained positions exactly), in strips of rows: `on_rows(first_row, n_rows,
/// values [n_rows, out_width, n_out])`, top to bottom. Memory: one strip, whatever the size.
/// Error(InvalidArgument) if the region leaves the picture or a size is < 1.
void decode_image(Executor& executor, int source_width, int source_height, const Region& region, int out_width,
                  int out_height, const std::function<void(int first_row, int n_rows, const float* values)>& on_rows);

struct ImageEvaluation {
  double psnr_db = 0;
  double ssim = 0;
  double ssim_gaussian = 0;
};

/// Decodes the whole picture and compares it, streaming. on_rows may be empty; it sees the same rows.
ImageEvaluation evaluate_image(
    Executor& executor, const Image& image,
    const std::function<void(int first_row, int n_rows, const float* predicted, const float* target)>& on_rows);

}  // namespace loe
