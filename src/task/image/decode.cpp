#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "loe/base/error.h"
#include "loe/metric/image_metrics.h"
#include "loe/task/image_task.h"
#include "signal/morton.h"

namespace loe {
namespace {

// A strip's rows bound the memory: 262,144 pixels of RGB are 8 MB with coordinates, outputs and the ordered copy.
constexpr int kStripPixels = 1 << 18;
// Samples per forward call: thousands per thread on a many-core machine, and a bound on what an executor that keeps
// activations per sample (the reference) needs.
constexpr int kChunkPixels = 1 << 16;
// Side of the square blocks that samples are ordered in: neighbours in the batch then share the experts of coarse
// levels.
constexpr int kBlockSide = 64;
constexpr int kMaxOutputSide = 65536;

void check_decode(const NetworkSpec& spec, int source_width, int source_height, const Region& region, int out_width,
                  int out_height) {
  const auto fail = [](const std::string& message) { throw Error(ErrorKind::InvalidArgument, "[render] " + message); };
  if (spec.n_dims != 2 || spec.input.kind == InputKind::Features) {
    fail(
        fmt::format("network: expected 2-D coordinates as its only input, got {}-D and input \"{}\"; this is not the "
                    "model of a picture",
                    spec.n_dims, to_string(spec.input.kind)));
  }
  if (source_width < 1 || source_height < 1) {
    fail(fmt::format("source size: expected at least 1x1, got {}x{}", source_width, source_height));
  }
  if (out_width < 1 || out_height < 1 || out_width > kMaxOutputSide || out_height > kMaxOutputSide) {
    fail(fmt::format("size: expected 1x1 to {0}x{0}, got {1}x{2}", kMaxOutputSide, out_width, out_height));
  }
  // Differences, not sums: x + width of a hostile region may overflow.
  if (region.width < 1 || region.height < 1 || region.x < 0 || region.y < 0 || region.width > source_width ||
      region.height > source_height || region.x > source_width - region.width ||
      region.y > source_height - region.height) {
    fail(fmt::format("region: expected a rectangle inside {}x{}, got x={} y={} width={} height={}", source_width,
                     source_height, region.x, region.y, region.width, region.height));
  }
}

/// Coordinates of `count` pixel centres spread over pixels [first, first + extent) of an axis of `source` pixels.
/// count == extent gives pixel_coordinate(first + i, source) bit for bit.
std::vector<float> axis_coordinates(int first, int extent, int count, int source) {
  std::vector<float> coordinates(count);
  for (int i = 0; i < count; ++i) {
    const double position = first + (i + 0.5) * extent / count;
    coordinates[i] = static_cast<float>(position / source);
  }
  return coordinates;
}

/// Evaluates the rows of one strip in square blocks and puts the results back in rows.
class StripDecoder {
 public:
  StripDecoder(Executor& executor, const std::vector<float>& columns, const std::vector<float>& rows)
      : executor_(executor), columns_(columns), rows_(rows), n_out_(executor.spec().n_out()) {
    coords_.reserve(2 * kChunkPixels);
    targets_.reserve(kChunkPixels);
  }

  /// values [n_rows, width, n_out]
  void decode(int first_row, int n_rows, std::vector<float>& values) {
    const int width = static_cast<int>(columns_.size());
    const int side = std::min<int>(kBlockSide, std::bit_ceil(static_cast<unsigned>(n_rows)));
    for (int top = 0; top < n_rows; top += side) {
      for (int left = 0; left < width; left += side) {
        for (int key = 0; key < side * side; ++key) {
          const int x = left + static_cast<int>(morton_column(key));
          const int y = top + static_cast<int>(morton_row(key));
          if (x < width && y < n_rows) {
            coords_.push_back(columns_[x]);
            coords_.push_back(rows_[first_row + y]);
            targets_.push_back(y * width + x);
          }
        }
        if (targets_.size() + side * side > kChunkPixels) {
          flush(values);
        }
      }
    }
    flush(values);
  }

 private:
  void flush(std::vector<float>& values) {
    const auto n_samples = static_cast<int64_t>(targets_.size());
    outputs_.resize(targets_.size() * n_out_);
    executor_.forward(BatchView{n_samples, coords_, {}}, outputs_);
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      std::copy_n(outputs_.data() + i * n_out_, n_out_, values.data() + std::size_t(targets_[i]) * n_out_);
    }
    coords_.clear();
    targets_.clear();
  }

  Executor& executor_;
  const std::vector<float>& columns_;
  const std::vector<float>& rows_;
  int n_out_;
  std::vector<float> coords_;
  std::vector<int> targets_;  ///< pixel of the strip that each sample belongs to
  std::vector<float> outputs_;
};

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
  check_decode(executor.spec(), source_width, source_height, region, out_width, out_height);
  const std::vector<float> columns = axis_coordinates(region.x, region.width, out_width, source_width);
  const std::vector<float> rows = axis_coordinates(region.y, region.height, out_height, source_height);
  int strip_rows = std::max(1, kStripPixels / out_width);
  if (strip_rows > kBlockSide) {
    strip_rows -= strip_rows % kBlockSide;
  }
  strip_rows = std::min(strip_rows, out_height);
  StripDecoder decoder(executor, columns, rows);
  std::vector<float> values(std::size_t(strip_rows) * out_width * executor.spec().n_out());
  for (int first = 0; first < out_height; first += strip_rows) {
    const int n_rows = std::min(strip_rows, out_height - first);
    decoder.decode(first, n_rows, values);
    on_rows(first, n_rows, values.data());
  }
}

ImageEvaluation evaluate_image(
    Executor& executor, const Image& image,
    const std::function<void(int first_row, int n_rows, const float* predicted, const float* target)>& on_rows) {
  check_channels(executor, image);
  const bool clip = image.type() == PixelType::U8 || image.type() == PixelType::U16;
  const std::size_t row_size = std::size_t(image.width()) * image.n_channels();
  ImageMetrics metrics(image.width(), image.height(), image.n_channels(), clip);
  std::vector<float> target;
  decode_image(executor, image.width(), image.height(), Region{0, 0, image.width(), image.height()}, image.width(),
               image.height(), [&](int first_row, int n_rows, const float* predicted) {
                 target.resize(n_rows * row_size);
                 for (int i = 0; i < n_rows; ++i) {
                   image.read_row(0, first_row + i, image.width(), target.data() + i * row_size);
                   metrics.add_row(predicted + i * row_size, target.data() + i * row_size);
                 }
                 if (on_rows) {
                   on_rows(first_row, n_rows, predicted, target.data());
                 }
               });
  return {metrics.psnr_db(), metrics.ssim(SsimWindow::Uniform7), metrics.ssim(SsimWindow::Gaussian11)};
}

}  // namespace loe
