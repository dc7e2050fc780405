// PSNR and SSIM, streamed over rows. Exact formulas: docs/metrics.md.
#pragma once

#include <cstdint>
#include <vector>

namespace loe {

/// -10 log10(mse) for data range 1; +infinity for mse 0. Error(InvalidArgument) if mse is negative or NaN.
double psnr_from_mse(double mse);

enum class SsimWindow {
  Uniform7,    ///< 7x7 mean, sample covariance (factor 49/48): scikit-image's default, the value reported as "ssim"
  Gaussian11,  ///< 11x11 Gaussian, sigma 1.5, population covariance (Wang et al. 2004), reported as "ssim_gaussian"
};

/// Accumulates PSNR and both SSIMs of a prediction against a target, row by row from the top, in constant memory
/// (11 rows). Data range 1; K1 = 0.01, K2 = 0.03; per channel, then mean; windows that leave the picture are left
/// out (border of 3 or 5 pixels, as scikit-image crops). SSIM is NaN for a picture smaller than its window.
/// clip: predictions are clipped to [0, 1] first (integer pictures).
/// Cost: both SSIMs together about 31 ns per value on one core (8192 x 8192 x 3: 6 s); memory 352 bytes per value
/// of a row.
class ImageMetrics {
 public:
  ImageMetrics(int width, int height, int n_channels, bool clip);
  /// predicted, target [width, n_channels]. Rows must come in order, `height` of them.
  void add_row(const float* predicted, const float* target);
  /// Over the rows added so far. psnr_db throws as psnr_from_mse does (a NaN in the prediction).
  double mse() const;
  double psnr_db() const;
  double ssim(SsimWindow window) const;

 private:
  int width_;
  int height_;
  int n_channels_;
  bool clip_;
  int n_rows_ = 0;
  int64_t n_row_values_ = 0;
  double squared_error_ = 0;
  std::vector<double> ring_;  ///< [11 rows, 4 moments, width * n_channels]: x, y, x^2 + y^2, x y of the last rows
  std::vector<double> scratch_;
  double ssim_sum_[2] = {0, 0};
  int64_t ssim_count_[2] = {0, 0};
  double* ring_row(int row, int moment);
  void add_ssim_row(SsimWindow window);
};

}  // namespace loe
