#include "loe/metric/noise_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "loe/base/error.h"

namespace loe {
namespace {

constexpr int kMaxSide = 65536;
constexpr std::size_t kInWork = 32;            ///< pictures whose high-pass is in memory
constexpr std::size_t kValuesPerTask = 16384;  ///< of the sum: one task owns them and adds the pictures in order

/// 1 / (sum of the weights that lie inside) for every place of an axis.
std::vector<double> inverse_sums(const std::vector<double>& filter, int size) {
  std::vector<double> inverse(static_cast<std::size_t>(size));
  const int reach = static_cast<int>(filter.size()) - 1;
  for (int x = 0; x < size; ++x) {
    double sum = 0;
    for (int i = std::max(0, x - reach); i <= std::min(size - 1, x + reach); ++i) {
      sum += filter[static_cast<std::size_t>(std::abs(i - x))];
    }
    inverse[static_cast<std::size_t>(x)] = 1 / sum;
  }
  return inverse;
}

}  // namespace

NoisePatternMeter::NoisePatternMeter(int width, int height, double sigma) : width_(width), height_(height) {
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide || !(sigma >= 0.5 && sigma <= 64)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[noise_pattern] size, sigma: expected sides of 1..{} and 0.5..64 pixels, got {}x{} and {}",
                            kMaxSide, width, height, sigma));
  }
  sum_.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  const int reach = static_cast<int>(std::ceil(3 * sigma));
  for (int i = 0; i <= reach; ++i) filter_.push_back(std::exp(-0.5 * i * i / (sigma * sigma)));
}

/// out = picture - blur; separable, sums in double.
void NoisePatternMeter::high_pass(const float* picture, std::vector<float>& out) const {
  const int reach = static_cast<int>(filter_.size()) - 1;
  const std::vector<double> scale_x = inverse_sums(filter_, width_);
  const std::vector<double> scale_y = inverse_sums(filter_, height_);
  const std::size_t row_values = static_cast<std::size_t>(width_) * 3;
  std::vector<double> across(n_values());
  for (int y = 0; y < height_; ++y) {
    const float* row = picture + static_cast<std::size_t>(y) * row_values;
    double* blurred = across.data() + static_cast<std::size_t>(y) * row_values;
    for (int x = 0; x < width_; ++x) {
      double sums[3] = {0, 0, 0};
      for (int i = std::max(0, x - reach); i <= std::min(width_ - 1, x + reach); ++i) {
        const double weight = filter_[static_cast<std::size_t>(std::abs(i - x))];
        for (int c = 0; c < 3; ++c) sums[c] += weight * row[i * 3 + c];
      }
      for (const double sum : sums) *blurred++ = sum * scale_x[static_cast<std::size_t>(x)];
    }
  }
  std::vector<double> blurred(row_values);
  out.resize(n_values());
  for (int y = 0; y < height_; ++y) {
    std::fill(blurred.begin(), blurred.end(), 0.0);
    for (int i = std::max(0, y - reach); i <= std::min(height_ - 1, y + reach); ++i) {
      const double weight = filter_[static_cast<std::size_t>(std::abs(i - y))] * scale_y[static_cast<std::size_t>(y)];
      const double* row = across.data() + static_cast<std::size_t>(i) * row_values;
      for (std::size_t k = 0; k < row_values; ++k) blurred[k] += weight * row[k];
    }
    const std::size_t first = static_cast<std::size_t>(y) * row_values;
    for (std::size_t k = 0; k < row_values; ++k) {
      out[first + k] = static_cast<float>(picture[first + k] - blurred[k]);
    }
  }
}

void NoisePatternMeter::add(std::span<const float> pictures, ThreadPool& pool) {
  if (pictures.size() % n_values() != 0) {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[noise_pattern] pictures: expected a multiple of {} values, got {}", n_values(), pictures.size()));
  }
  if (!std::ranges::all_of(pictures, [](float value) { return std::isfinite(value); })) {
    throw Error(ErrorKind::Numerical,
                "[noise_pattern] pictures: expected finite values, got NaN or infinity; check the generator");
  }
  const std::size_t n = pictures.size() / n_values();
  std::vector<std::vector<float>> high(std::min(kInWork, n));
  std::vector<double> power(high.size());
  for (std::size_t first = 0; first < n; first += kInWork) {
    const std::size_t n_now = std::min(kInWork, n - first);
    pool.parallel_for(static_cast<int64_t>(n_now), [&](int64_t index, int) {
      const auto i = static_cast<std::size_t>(index);
      high_pass(pictures.data() + (first + i) * n_values(), high[i]);
      double sum = 0;
      for (const float value : high[i]) sum += static_cast<double>(value) * value;
      power[i] = sum / static_cast<double>(n_values());
    });
    const std::size_t n_tasks = (n_values() + kValuesPerTask - 1) / kValuesPerTask;
    pool.parallel_for(static_cast<int64_t>(n_tasks), [&](int64_t task, int) {
      const std::size_t begin = static_cast<std::size_t>(task) * kValuesPerTask;
      const std::size_t end = std::min(n_values(), begin + kValuesPerTask);
      for (std::size_t i = 0; i < n_now; ++i) {
        for (std::size_t k = begin; k < end; ++k) sum_[k] += high[i][k];
      }
    });
    for (std::size_t i = 0; i < n_now; ++i) power_ += power[i];
  }
  n_pictures_ += static_cast<int64_t>(n);
}

NoisePatternStats NoisePatternMeter::stats() const {
  if (n_pictures_ < 1) {
    throw Error(ErrorKind::InvalidArgument, "[noise_pattern] pictures: expected at least 1, got 0; add pictures first");
  }
  const auto n = static_cast<double>(n_pictures_);
  NoisePatternStats stats;
  stats.n_pictures = n_pictures_;
  stats.mean_high_pass.reserve(n_values());
  double power_of_mean = 0;
  for (const double sum : sum_) {
    const double mean = sum / n;
    stats.mean_high_pass.push_back(static_cast<float>(mean));
    power_of_mean += mean * mean;
  }
  power_of_mean /= static_cast<double>(n_values());
  const double power = power_ / n;
  stats.rms = std::sqrt(power_of_mean);
  stats.picture_rms = std::sqrt(power);
  stats.expected_rms = std::sqrt(power / n);
  stats.ratio = stats.expected_rms > 0 ? stats.rms / stats.expected_rms : 0;
  stats.pattern_rms = n_pictures_ == 1 ? std::numeric_limits<double>::quiet_NaN()
                                       : std::sqrt(std::max(0.0, (power_of_mean - power / n) * n / (n - 1)));
  return stats;
}

}  // namespace loe
