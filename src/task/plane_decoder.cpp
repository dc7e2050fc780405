#include "task/plane_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/morton.h"
#include "loe/base/error.h"

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

/// Evaluates the rows of one strip in square blocks and puts the results back in rows.
class StripDecoder {
 public:
  StripDecoder(Executor& executor, const SamplePlane& plane)
      : executor_(executor), plane_(plane), n_out_(executor.spec().n_out()) {
    coords_.reserve((2 + plane.shared.size()) * kChunkPixels);
    targets_.reserve(kChunkPixels);
  }

  /// values [n_rows, width, n_out]
  void decode(int first_row, int n_rows, std::vector<float>& values) {
    const int width = static_cast<int>(plane_.columns.size());
    const int side = std::min<int>(kBlockSide, std::bit_ceil(static_cast<unsigned>(n_rows)));
    for (int top = 0; top < n_rows; top += side) {
      for (int left = 0; left < width; left += side) {
        for (int key = 0; key < side * side; ++key) {
          const int x = left + static_cast<int>(morton_column(key));
          const int y = top + static_cast<int>(morton_row(key));
          if (x < width && y < n_rows) {
            coords_.push_back(plane_.columns[x]);
            coords_.push_back(plane_.rows[first_row + y]);
            coords_.insert(coords_.end(), plane_.shared.begin(), plane_.shared.end());
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
  const SamplePlane& plane_;
  int n_out_;
  std::vector<float> coords_;
  std::vector<int> targets_;  ///< pixel of the strip that each sample belongs to
  std::vector<float> outputs_;
};

}  // namespace

std::vector<float> axis_coordinates(double first, double extent, int count, int source) {
  std::vector<float> coordinates(count);
  for (int i = 0; i < count; ++i) {
    const double position = first + (i + 0.5) * extent / count;
    coordinates[i] = static_cast<float>(position / source);
  }
  return coordinates;
}

void check_region(int source_width, int source_height, const Region& region, int out_width, int out_height) {
  const auto fail = [](const std::string& message) { throw Error(ErrorKind::InvalidArgument, "[render] " + message); };
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

void decode_plane(Executor& executor, const SamplePlane& plane,
                  const std::function<void(int first_row, int n_rows, const float* values)>& on_rows) {
  const auto out_width = static_cast<int>(plane.columns.size());
  const auto out_height = static_cast<int>(plane.rows.size());
  int strip_rows = std::max(1, kStripPixels / out_width);
  if (strip_rows > kBlockSide) {
    strip_rows -= strip_rows % kBlockSide;
  }
  strip_rows = std::min(strip_rows, out_height);
  StripDecoder decoder(executor, plane);
  std::vector<float> values(std::size_t(strip_rows) * out_width * executor.spec().n_out());
  for (int first = 0; first < out_height; first += strip_rows) {
    const int n_rows = std::min(strip_rows, out_height - first);
    decoder.decode(first, n_rows, values);
    on_rows(first, n_rows, values.data());
  }
}

}  // namespace loe
