#include "loe/metric/sliced_wasserstein.h"

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>
#include <string>

#include "loe/base/error.h"
#include "loe/base/random.h"
#include "metric/laplacian_pyramid.h"

namespace loe {
namespace {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr int kSmallestLevel = 16;
constexpr int kPatch = 7;
constexpr int kPatchValues = kPatch * kPatch;
constexpr int kMaxPatches = 4096;
constexpr int kMaxDirections = 16384;
constexpr int kMaxResolution = 4096;
constexpr int64_t kPointsPerBlock = 128;  ///< of points that come without pictures

void require(bool holds, const std::string& thing, const std::string& expected, const std::string& found) {
  if (!holds) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[sliced_wasserstein] {}: expected {}, got {}", thing, expected, found));
  }
}

/// n_directions random unit vectors [n_directions, n_dims]: normal numbers (Box and Muller), scaled to length 1.
Rows random_directions(uint64_t seed, int level, int n_directions, int n_dims) {
  Rows directions(n_directions, n_dims);
  for (int d = 0; d < n_directions; ++d) {
    const uint64_t counter = static_cast<uint64_t>(level) << 32 | static_cast<uint64_t>(d);
    Eigen::VectorXd normal(n_dims);
    for (int i = 0; i < n_dims; ++i) {
      const auto words = random_words(seed, RandomStream::MetricDirections, counter, static_cast<uint32_t>(i / 4));
      const std::size_t pair = static_cast<std::size_t>(i) % 4 / 2 * 2;
      const double radius = std::sqrt(-2 * std::log((words[pair] + 1.0) * 0x1p-32));
      const double angle = 2 * std::numbers::pi * words[pair + 1] * 0x1p-32;
      normal[i] = radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
    }
    directions.row(d) = normal.normalized().transpose().cast<float>();
  }
  return directions;
}

/// Points that are made block by block, on any thread.
struct PointSource {
  int64_t n_points = 0;
  int64_t block_rows = 0;                               ///< of every block but the last
  std::function<void(int64_t block, float* out)> make;  ///< out [rows, n_dims]
};

/// projections[d * n_points + i] = direction d . point i.
void project(const PointSource& source, const Eigen::Ref<const Rows>& directions, std::vector<float>& projections,
             ThreadPool& pool) {
  const int64_t n_dims = directions.cols();
  const int64_t n_blocks = (source.n_points + source.block_rows - 1) / source.block_rows;
  pool.parallel_for(n_blocks, [&](int64_t block, int) {
    const int64_t first = block * source.block_rows;
    const int64_t n_rows = std::min(source.block_rows, source.n_points - first);
    Rows points(n_rows, n_dims);
    source.make(block, points.data());
    Eigen::Map<Rows, 0, Eigen::OuterStride<>> out(projections.data() + first, directions.rows(), n_rows,
                                                  Eigen::OuterStride<>(source.n_points));
    out.noalias() = directions * points.transpose();
  });
}

/// Mean over the directions of the mean |a_(i) - b_(i)|, so many directions at once as max_bytes hold.
double mean_distance(const PointSource& a, const PointSource& b, const Rows& directions, int64_t max_bytes,
                     ThreadPool& pool) {
  const int64_t n_points = a.n_points;
  const int64_t at_once = std::clamp<int64_t>(max_bytes / (2 * sizeof(float) * n_points), 1, directions.rows());
  std::vector<float> projections_a(static_cast<std::size_t>(at_once * n_points));
  std::vector<float> projections_b(projections_a.size());
  std::vector<double> distances(static_cast<std::size_t>(directions.rows()));
  for (int64_t first = 0; first < directions.rows(); first += at_once) {
    const int64_t n = std::min(at_once, directions.rows() - first);
    project(a, directions.middleRows(first, n), projections_a, pool);
    project(b, directions.middleRows(first, n), projections_b, pool);
    pool.parallel_for(n, [&](int64_t d, int) {
      float* x = projections_a.data() + d * n_points;
      float* y = projections_b.data() + d * n_points;
      std::sort(x, x + n_points);
      std::sort(y, y + n_points);
      double sum = 0;
      for (int64_t i = 0; i < n_points; ++i) sum += std::abs(static_cast<double>(x[i]) - y[i]);
      distances[static_cast<std::size_t>(first + d)] = sum / static_cast<double>(n_points);
    });
  }
  return std::accumulate(distances.begin(), distances.end(), 0.0) / static_cast<double>(distances.size());
}

struct Place {
  int x;  ///< of the patch's first pixel
  int y;
};

/// A set's pictures as patches. The places of a picture's patches depend on the seed and its pixels.
class Patches {
 public:
  Patches(const PictureReader& reader, const SlicedWassersteinOptions& options, const std::vector<int>& sizes,
          ThreadPool& pool)
      : reader_(reader), options_(options), sizes_(sizes) {
    const auto n = static_cast<std::size_t>(reader.n_pictures);
    std::vector<Sums> sums(n * sizes.size());
    pool.parallel_for(reader.n_pictures, [&](int64_t index, int) {
      uint64_t content = 0;
      const auto levels = laplacian_pyramid(read(index, content), static_cast<int>(sizes_.size()));
      for (int level = 0; level < static_cast<int>(levels.size()); ++level) {
        sums[static_cast<std::size_t>(index) * sizes_.size() + static_cast<std::size_t>(level)] =
            sums_of(levels[static_cast<std::size_t>(level)], level, content);
      }
    });
    scales_.resize(sizes.size());
    for (std::size_t level = 0; level < sizes.size(); ++level) {
      Sums total;
      for (std::size_t i = 0; i < n; ++i) total += sums[i * sizes.size() + level];
      const double count = static_cast<double>(n) * options.n_patches * kPatchValues;
      for (std::size_t c = 0; c < 3; ++c) {
        const double mean = total.values[c] / count;
        const double variance = total.squares[c] / count - mean * mean;
        // A channel of one value everywhere has no scale: its values become 0. Rounding leaves up to eps mean^2.
        const bool is_flat = variance <= 1e-12 * (1 + mean * mean);
        scales_[level][c] = {static_cast<float>(mean), is_flat ? 0.0F : static_cast<float>(1 / std::sqrt(variance))};
      }
    }
  }

  /// The scaled patches of one level, a picture a block.
  PointSource level(int level) const {
    return {reader_.n_pictures * options_.n_patches, options_.n_patches, [this, level](int64_t index, float* out) {
              uint64_t content = 0;
              const PlanarPicture picture =
                  laplacian_level(read(index, content), level, static_cast<int>(sizes_.size()));
              visit(picture, level, content, [&](std::size_t c, const float* row) {
                const Scale& scale = scales_[static_cast<std::size_t>(level)][c];
                for (int i = 0; i < kPatch; ++i) *out++ = (row[i] - scale.mean) * scale.inverse_deviation;
              });
            }};
  }

 private:
  struct Scale {
    float mean;
    float inverse_deviation;
  };
  struct Sums {
    std::array<double, 3> values{};
    std::array<double, 3> squares{};
    Sums& operator+=(const Sums& other) {
      for (std::size_t c = 0; c < 3; ++c) {
        values[c] += other.values[c];
        squares[c] += other.squares[c];
      }
      return *this;
    }
  };

  PlanarPicture read(int64_t index, uint64_t& content) const {
    const int size = reader_.resolution;
    const std::size_t n_pixels = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
    std::vector<uint8_t> bytes(n_pixels * 3);
    reader_.read(index, bytes.data());
    content = 0;
    PlanarPicture picture{size, std::vector<float>(n_pixels * 3)};
    for (std::size_t i = 0; i < n_pixels; ++i) {
      for (std::size_t c = 0; c < 3; ++c) {
        const uint8_t value = bytes[i * 3 + c];
        picture.values[c * n_pixels + i] = value;
        content = (content ^ value) * 0x9E3779B97F4A7C15ULL;
        content ^= content >> 32;
      }
    }
    return picture;
  }

  Place place(int level, int patch, uint64_t content) const {
    const auto range = static_cast<uint32_t>(sizes_[static_cast<std::size_t>(level)] - kPatch + 1);
    const auto lane = static_cast<uint32_t>(level * kMaxPatches + patch);
    const auto words = random_words(options_.seed, RandomStream::MetricPatches, content, lane);
    return {static_cast<int>(to_bounded(words[0], range)), static_cast<int>(to_bounded(words[1], range))};
  }

  /// Calls row(channel, values) for the 7 rows of each channel of each patch.
  template <typename Row>
  void visit(const PlanarPicture& picture, int level, uint64_t content, const Row& row) const {
    for (int patch = 0; patch < options_.n_patches; ++patch) {
      const Place at = place(level, patch, content);
      for (int c = 0; c < 3; ++c) {
        for (int y = at.y; y < at.y + kPatch; ++y) {
          row(static_cast<std::size_t>(c),
              picture.values.data() + (static_cast<std::ptrdiff_t>(c) * picture.size + y) * picture.size + at.x);
        }
      }
    }
  }

  Sums sums_of(const PlanarPicture& picture, int level, uint64_t content) const {
    Sums sums;
    visit(picture, level, content, [&](std::size_t c, const float* row) {
      for (int i = 0; i < kPatch; ++i) {
        const double value = row[i];
        sums.values[c] += value;
        sums.squares[c] += value * value;
      }
    });
    return sums;
  }

  const PictureReader& reader_;
  const SlicedWassersteinOptions& options_;
  const std::vector<int>& sizes_;
  std::vector<std::array<Scale, 3>> scales_;  ///< [level][channel]
};

}  // namespace

SlicedWasserstein sliced_wasserstein(const PictureReader& a, const PictureReader& b,
                                     const SlicedWassersteinOptions& options, ThreadPool& pool) {
  require(a.n_pictures >= 1 && a.n_pictures == b.n_pictures, "pictures", "the same number, at least 1, in both sets",
          fmt::format("{} and {}", a.n_pictures, b.n_pictures));
  require(a.resolution == b.resolution && a.resolution >= kSmallestLevel && a.resolution <= kMaxResolution,
          "resolution", fmt::format("{}..{}, the same in both sets", kSmallestLevel, kMaxResolution),
          fmt::format("{} and {}", a.resolution, b.resolution));
  require(options.n_patches >= 1 && options.n_patches <= kMaxPatches, "n_patches", fmt::format("1..{}", kMaxPatches),
          fmt::format("{}", options.n_patches));
  require(options.n_directions >= 1 && options.n_directions <= kMaxDirections, "n_directions",
          fmt::format("1..{}", kMaxDirections), fmt::format("{}", options.n_directions));
  SlicedWasserstein result;
  result.resolutions = pyramid_sizes(a.resolution, kSmallestLevel);
  const Patches patches_a(a, options, result.resolutions, pool);
  const Patches patches_b(b, options, result.resolutions, pool);
  for (int level = 0; level < static_cast<int>(result.resolutions.size()); ++level) {
    const Rows directions = random_directions(options.seed, level, options.n_directions, 3 * kPatchValues);
    result.distances.push_back(1000 * mean_distance(patches_a.level(level), patches_b.level(level), directions,
                                                    options.max_memory_bytes, pool));
    result.mean += result.distances.back();
  }
  result.mean /= static_cast<double>(result.distances.size());
  return result;
}

double sliced_wasserstein_of_points(std::span<const float> a, std::span<const float> b, int n_dims, int n_directions,
                                    uint64_t seed, ThreadPool& pool) {
  require(n_dims >= 1 && !a.empty() && a.size() == b.size() && a.size() % static_cast<std::size_t>(n_dims) == 0,
          "points", "the same number of whole points, at least 1, in both sets",
          fmt::format("{} and {} numbers in {} dimensions", a.size(), b.size(), n_dims));
  require(n_directions >= 1 && n_directions <= kMaxDirections, "n_directions", fmt::format("1..{}", kMaxDirections),
          fmt::format("{}", n_directions));
  const auto n_points = static_cast<int64_t>(a.size()) / n_dims;
  const auto source = [&](std::span<const float> points) {
    return PointSource{n_points, kPointsPerBlock, [points, n_points, n_dims](int64_t block, float* out) {
                         const int64_t first = block * kPointsPerBlock;
                         const int64_t n_rows = std::min(kPointsPerBlock, n_points - first);
                         std::copy_n(points.data() + first * n_dims, n_rows * n_dims, out);
                       }};
  };
  return mean_distance(source(a), source(b), random_directions(seed, 0, n_directions, n_dims),
                       SlicedWassersteinOptions{}.max_memory_bytes, pool);
}

}  // namespace loe
