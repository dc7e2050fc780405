#include "loe/metric/image_metrics.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "loe/base/error.h"

namespace loe {
namespace {

constexpr int kRingRows = 11;  // the taller window
// The four moments that SSIM needs of a window: x, y, x^2 + y^2 and x y (it only uses the SUM of the variances).
// Doubles: E[x^2] - E[x]^2 cancels, and in float the rest would be noise beside C2 = 9e-4.
constexpr int kMoments = 4;
// Values per block of a row: the vertically filtered moments of a block (8 KiB each plus borders) stay in L1 and L2.
constexpr int64_t kBlock = 512;

constexpr double kC1 = 0.01 * 0.01;
constexpr double kC2 = 0.03 * 0.03;

/// One half of a symmetric separable window: weight[k] belongs to the neighbours at distance k; sum over both = 1.
template <int kRadius>
using HalfWindow = std::array<double, kRadius + 1>;

HalfWindow<3> uniform_window() {
  HalfWindow<3> window;
  window.fill(1.0 / 7);
  return window;
}

HalfWindow<5> gaussian_window() {
  HalfWindow<5> window{};
  double sum = 0;
  for (int k = 0; k <= 5; ++k) {
    window[k] = std::exp(-0.5 * k * k / (1.5 * 1.5));
    sum += (k == 0 ? 1 : 2) * window[k];
  }
  for (double& weight : window) {
    weight /= sum;
  }
  return window;
}

/// out[i] = sum over k in -R..R of weight[|k|] centre[i + k * stride].
template <int kRadius>
void filter_row(const double* __restrict centre, int64_t stride, const HalfWindow<kRadius>& window, int64_t count,
                double* __restrict out) {
  for (int64_t i = 0; i < count; ++i) {
    double sum = window[0] * centre[i];
    for (int k = 1; k <= kRadius; ++k) {
      sum += window[k] * (centre[i - k * stride] + centre[i + k * stride]);
    }
    out[i] = sum;
  }
}

/// out[i] = sum over rows r of weight[|r - R|] rows[r][i].
template <int kRadius>
void filter_column(const std::array<const double*, 2 * kRadius + 1>& rows, const HalfWindow<kRadius>& window,
                   int64_t count, double* __restrict out) {
  const std::array<const double*, 2 * kRadius + 1> row = rows;
  for (int64_t i = 0; i < count; ++i) {
    double sum = window[0] * row[kRadius][i];
    for (int k = 1; k <= kRadius; ++k) {
      sum += window[k] * (row[kRadius - k][i] + row[kRadius + k][i]);
    }
    out[i] = sum;
  }
}

/// Sum of SSIM over `count` windows given their moments.
double sum_of_ssim(const double* mean_x, const double* mean_y, const double* squares, const double* products,
                   double covariance_factor, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double xy = mean_x[i] * mean_y[i];
    const double xx_yy = mean_x[i] * mean_x[i] + mean_y[i] * mean_y[i];
    const double covariance = covariance_factor * (products[i] - xy);
    const double variances = covariance_factor * (squares[i] - xx_yy);
    sum += ((2 * xy + kC1) * (2 * covariance + kC2)) / ((xx_yy + kC1) * (variances + kC2));
  }
  return sum;
}

/// Sum of SSIM over one row of windows. row(r, moment): the values of row r (0 at the top) of the 2R + 1 rows.
template <int kRadius, typename RowPointer>
double ssim_row_sum(const RowPointer& row, const HalfWindow<kRadius>& window, double covariance_factor,
                    int64_t n_outputs, int64_t n_channels, std::vector<double>& scratch) {
  const int64_t border = kRadius * n_channels;
  const int64_t stride = kBlock + 2 * border;
  scratch.resize(static_cast<std::size_t>(stride + kMoments * kBlock));
  double* column = scratch.data();
  double* moments = column + stride;
  double sum = 0;
  for (int64_t first = 0; first < n_outputs; first += kBlock) {
    const int64_t count = std::min(kBlock, n_outputs - first);
    for (int moment = 0; moment < kMoments; ++moment) {
      std::array<const double*, 2 * kRadius + 1> rows;
      for (int r = 0; r <= 2 * kRadius; ++r) {
        rows[r] = row(r, moment) + first;
      }
      filter_column<kRadius>(rows, window, count + 2 * border, column);
      filter_row<kRadius>(column + border, n_channels, window, count, moments + moment * kBlock);
    }
    sum += sum_of_ssim(moments, moments + kBlock, moments + 2 * kBlock, moments + 3 * kBlock, covariance_factor, count);
  }
  return sum;
}

}  // namespace

double psnr_from_mse(double mse) {
  if (!(mse >= 0)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[metric] mse: expected 0 or above, got {}; look for NaN in the prediction", mse));
  }
  return mse == 0 ? std::numeric_limits<double>::infinity() : -10 * std::log10(mse);
}

ImageMetrics::ImageMetrics(int width, int height, int n_channels, bool clip)
    : width_(width), height_(height), n_channels_(n_channels), clip_(clip) {
  if (width < 1 || height < 1 || n_channels < 1) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[metric] picture: expected width, height and channels of 1 or more, got {} x {} x {}; "
                            "give a picture that is not empty",
                            width, height, n_channels));
  }
  n_row_values_ = int64_t{width} * n_channels;
  const int n_rows = std::min(height, kRingRows);
  ring_.resize(static_cast<std::size_t>(n_rows * kMoments * n_row_values_));
}

double* ImageMetrics::ring_row(int row, int moment) {
  return ring_.data() + (int64_t{row % kRingRows} * kMoments + moment) * n_row_values_;
}

void ImageMetrics::add_row(const float* predicted, const float* target) {
  LOE_ASSERT(n_rows_ < height_);
  double* x = ring_row(n_rows_, 0);
  double* y = ring_row(n_rows_, 1);
  double* squares = ring_row(n_rows_, 2);
  double* products = ring_row(n_rows_, 3);
  double squared_error = 0;
  for (int64_t i = 0; i < n_row_values_; ++i) {
    const double a = clip_ ? std::clamp(predicted[i], 0.0F, 1.0F) : predicted[i];
    const double b = target[i];
    x[i] = a;
    y[i] = b;
    squares[i] = a * a + b * b;
    products[i] = a * b;
    squared_error += (a - b) * (a - b);
  }
  squared_error_ += squared_error;
  ++n_rows_;
  add_ssim_row(SsimWindow::Uniform7);
  add_ssim_row(SsimWindow::Gaussian11);
}

void ImageMetrics::add_ssim_row(SsimWindow window) {
  const int size = window == SsimWindow::Uniform7 ? 7 : 11;
  if (n_rows_ < size || width_ < size) {
    return;
  }
  const int64_t n_outputs = int64_t{width_ - size + 1} * n_channels_;
  const auto row = [this, size](int r, int moment) -> const double* { return ring_row(n_rows_ - size + r, moment); };
  static const HalfWindow<3> kUniform = uniform_window();
  static const HalfWindow<5> kGaussian = gaussian_window();
  const int index = static_cast<int>(window);
  ssim_sum_[index] += window == SsimWindow::Uniform7
                          ? ssim_row_sum<3>(row, kUniform, 49.0 / 48, n_outputs, n_channels_, scratch_)
                          : ssim_row_sum<5>(row, kGaussian, 1, n_outputs, n_channels_, scratch_);
  ssim_count_[index] += n_outputs;
}

double ImageMetrics::mse() const {
  return squared_error_ / static_cast<double>(n_row_values_ * n_rows_);
}

double ImageMetrics::psnr_db() const {
  return psnr_from_mse(mse());
}

double ImageMetrics::ssim(SsimWindow window) const {
  const int index = static_cast<int>(window);
  return ssim_sum_[index] / static_cast<double>(ssim_count_[index]);
}

}  // namespace loe
