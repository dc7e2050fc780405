// Task "image": a picture as a Levels-of-Experts network.
#pragma once

#include <array>
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

/// What is done to the picture before it is fitted: first cut, then resized (crop_image, resize_image).
struct PictureEdit {
  std::array<int, 4> crop{};  ///< x, y, width, height; width 0: none
  std::array<int, 2> size{};  ///< width, height; 0: as it is
  bool is_none() const { return crop[2] == 0 && size[0] == 0; }
};

/// All settings of an image fit. Keys of the config file in docs/config.md.
struct ImageFitConfig {
  std::string preset = "auto";
  uint64_t seed = 0;
  PictureEdit edit;
  NetworkConfig network;
  ImageSampling sampling = ImageSampling::RandomPixels;
  int64_t batch_size = 65536;
  Precision precision = Precision::F32;
  TrainOptions train;
};

/// Reads typed settings over the built-in defaults (docs/config.md). Unknown keys, wrong types and contradictions are
/// Error(InvalidArgument). n_channels comes from the picture.
ImageFitConfig image_config_from_settings(const Settings& settings, int n_channels);
/// The keys data.crop and data.size alone: the picture must be read and edited before the rest can be resolved.
PictureEdit picture_edit_from_settings(const Settings& settings);
/// The resolved config; image_config_from_settings(image_config_to_settings(c), n) == c.
Settings image_config_to_settings(const ImageFitConfig& config);

/// 16 hex digits over the picture's content and all settings that determine the parameters after a step: RunState's
/// config_hash. Stopping rules other than max_steps, cadences and the preset's name do not count.
std::string image_config_hash(const ImageFitConfig& config, const Image& image);

/// Batches and evaluations of one picture for the trainer.
class ImageProblem : public Problem {
 public:
  /// The image must outlive the problem. Error(InvalidArgument) if channels disagree or the batch size is out of range.
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
/// metrics. on_rows may be empty; it sees the same rows, not clipped. Error(InvalidArgument) if channels disagree.
ImageEvaluation evaluate_image(
    Executor& executor, const Image& image,
    const std::function<void(int first_row, int n_rows, const float* predicted, const float* target)>& on_rows);

}  // namespace loe
