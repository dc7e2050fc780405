// Pictures that a run leaves: reconstruction, error map, previews.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/io/image_file.h"
#include "loe/signal/image.h"
#include "loe/signal/video.h"
#include "loe/task/image_task.h"
#include "loe/task/region.h"

namespace loe {

/// Mean absolute error over the channels that the error map shows as its brightest colour; larger errors look the same.
/// Fixed, so that error maps of different runs can be compared by eye. 0.1 is an error of 25 of 255 grey levels.
inline constexpr double kErrorMapScale = 0.1;

/// Colour of `t` in [0, 1], clipped, as sRGB values: black, violet, red, orange, pale yellow. Brightness grows with t.
std::array<float, 3> error_color(double t);

/// Values that stand for value / max: predictions outside [0, 1] are clipped before they are shown or compared.
bool is_integer_picture(PixelType type);

/// Colours of |prediction - target| averaged over the channels: predicted, target [n_pixels, n_channels], colors
/// [n_pixels, 3]. clip: predictions are clipped to [0, 1] first. range_size: of the data, whose kErrorMapScale is
/// brightest.
void color_errors(const float* predicted, const float* target, int64_t n_pixels, int n_channels, bool clip,
                  float* colors, double range_size = 1);

/// Streams |prediction - target| averaged over the channels, in colours, to a picture file.
class ErrorMapWriter {
 public:
  ErrorMapWriter(const std::string& path, int width, int height, int n_channels, bool clip, double range_size = 1);
  /// predicted, target [n_rows, width, n_channels], top to bottom.
  void write_rows(int n_rows, const float* predicted, const float* target);
  /// Nothing appears under the final name before.
  void close() { writer_.close(); }

 private:
  int width_;
  int n_channels_;
  bool clip_;
  double range_size_;
  ImageWriter writer_;
  std::vector<float> colors_;
};

/// "reconstruction.png", or ".exr" for half and float pictures, which PNG cannot hold, or ".tif" for integers without
/// alpha whose number of channels is even.
std::string reconstruction_name(PixelType type, bool is_data = false);

/// Full-size reconstruction and error map in constant memory, and the metrics of the same pass. on_progress(share of
/// the rows done) may throw to give up: no file appears then.
ImageEvaluation write_reconstruction(Executor& executor, const Image& image, const std::string& reconstruction_path,
                                     const std::string& error_path, const std::function<void(double)>& on_progress);

/// Longest side of a preview in pixels.
inline constexpr int kMaxPreviewSide = 1024;
/// width x height scaled down, in proportion, until its longest side is at most max_side.
PictureSize fit_into(int width, int height, int max_side);
/// Pixel of the source under the centre of pixel j of an axis shrunk to `out_size`.
int source_pixel(int j, int out_size, int size);
/// Pixels that a preview of this picture evaluates.
int64_t preview_pixels(const Image& image);
/// Draws frame t of a video as decoded at `size`, and its error map, with their corner at (x, y) of two pictures.
void draw_frame(Executor& executor, const Video& video, int t, const PictureSize& size, int x, int y, Image& frames,
                Image& errors);
/// Small versions of reconstruction and error map for watching a training, as PNG: the picture's range from black to
/// white, of channels that are no colours the first three.
void write_preview(Executor& executor, const Image& image, const std::string& image_path,
                   const std::string& error_path);

}  // namespace loe
