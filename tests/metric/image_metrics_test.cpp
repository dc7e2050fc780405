#include "loe/metric/image_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "loe/base/error.h"

namespace loe {
namespace {

struct Pictures {
  int width;
  int height;
  int n_channels;
  std::vector<float> predicted;
  std::vector<float> target;
};

/// Integers / 256: exact in float, so that scikit-image sees the same numbers in double.
Pictures make_pictures(int width, int height, int n_channels) {
  Pictures pictures{width, height, n_channels, {}, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int k = 0; k < n_channels; ++k) {
        const int target = ((x * x + 3 * y * y + x * y + 40 * k) / 8) % 256;
        const int predicted = target + (13 * x + 29 * y + 7 * k + x * y) % 41 - 20;
        pictures.target.push_back(static_cast<float>(target) / 256);
        pictures.predicted.push_back(static_cast<float>(predicted) / 256);
      }
    }
  }
  return pictures;
}

ImageMetrics measure(const Pictures& pictures, bool clip) {
  ImageMetrics metrics(pictures.width, pictures.height, pictures.n_channels, clip);
  const int n_row_values = pictures.width * pictures.n_channels;
  for (int y = 0; y < pictures.height; ++y) {
    metrics.add_row(&pictures.predicted[y * n_row_values], &pictures.target[y * n_row_values]);
  }
  return metrics;
}

// scikit-image 0.19.3:
//   def golden(w, h, c):
//       y, x, k = np.mgrid[0:h, 0:w, 0:c].astype(np.int64)
//       t = ((x * x + 3 * y * y + x * y + 40 * k) // 8) % 256
//       p = np.clip((t + ((13 * x + 29 * y + 7 * k + x * y) % 41) - 20) / 256, 0, 1)
//       t = t / 256
//       ssim = functools.partial(skimage.metrics.structural_similarity, p, t, data_range=1, channel_axis=2)
//       print(w, h, c, np.mean((p - t) ** 2), ssim(),
//             ssim(gaussian_weights=True, sigma=1.5, use_sample_covariance=False))
struct Golden {
  int width;
  int height;
  int n_channels;
  double mse;
  double ssim;
  double ssim_gaussian;
};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const Golden kGolden[] = {
    {37, 23, 3, 0.0020724459811373875, 0.88074280959090245, 0.83215877800581828},
    {11, 11, 1, 0.0018899460469395662, 0.64390272943619964, 0.54774338942292278},
    {7, 7, 4, 0.0017672947474888393, 0.49478613079747802, kNan},
    {64, 40, 1, 0.0020771443843841551, 0.95426782976689684, 0.93906792242785153},
    {300, 13, 2, 0.002055824475410657, 0.96587688155245399, 0.95628679371080261},
    {9, 50, 3, 0.0020451863606770833, 0.90976639767977441, kNan},
};

TEST(ImageMetrics, EqualsScikitImage) {
  for (const Golden& golden : kGolden) {
    SCOPED_TRACE(std::to_string(golden.width) + " x " + std::to_string(golden.height));
    const ImageMetrics metrics = measure(make_pictures(golden.width, golden.height, golden.n_channels), true);
    EXPECT_NEAR(metrics.mse(), golden.mse, 1e-12);
    EXPECT_NEAR(metrics.psnr_db(), -10 * std::log10(golden.mse), 1e-8);
    EXPECT_NEAR(metrics.ssim(SsimWindow::Uniform7), golden.ssim, 1e-9);
    if (std::isnan(golden.ssim_gaussian)) {
      EXPECT_TRUE(std::isnan(metrics.ssim(SsimWindow::Gaussian11)));
    } else {
      EXPECT_NEAR(metrics.ssim(SsimWindow::Gaussian11), golden.ssim_gaussian, 1e-9);
    }
  }
}

/// SSIM straight from the formulas of docs/metrics.md: two passes over every window, no shared sums.
double plain_ssim(const Pictures& p, SsimWindow kind) {
  const bool uniform = kind == SsimWindow::Uniform7;
  const int radius = uniform ? 3 : 5;
  std::vector<double> weights;
  for (int dy = -radius; dy <= radius; ++dy) {
    for (int dx = -radius; dx <= radius; ++dx) {
      weights.push_back(uniform ? 1 : std::exp(-(dx * dx + dy * dy) / (2 * 1.5 * 1.5)));
    }
  }
  double weight_sum = 0;
  for (double weight : weights) {
    weight_sum += weight;
  }
  const double factor = uniform ? 49.0 / 48 : 1;
  const double c1 = 1e-4;
  const double c2 = 9e-4;
  double sum = 0;
  int count = 0;
  for (int y = radius; y < p.height - radius; ++y) {
    for (int x = radius; x < p.width - radius; ++x) {
      for (int k = 0; k < p.n_channels; ++k) {
        const auto for_window = [&](const auto& use) {
          int i = 0;
          for (int dy = -radius; dy <= radius; ++dy) {
            for (int dx = -radius; dx <= radius; ++dx, ++i) {
              const int index = ((y + dy) * p.width + x + dx) * p.n_channels + k;
              use(weights[i] / weight_sum, p.predicted[index], p.target[index]);
            }
          }
        };
        double mean_a = 0;
        double mean_b = 0;
        for_window([&](double weight, double a, double b) {
          mean_a += weight * a;
          mean_b += weight * b;
        });
        double var_a = 0;
        double var_b = 0;
        double cov = 0;
        for_window([&](double weight, double a, double b) {
          var_a += factor * weight * (a - mean_a) * (a - mean_a);
          var_b += factor * weight * (b - mean_b) * (b - mean_b);
          cov += factor * weight * (a - mean_a) * (b - mean_b);
        });
        sum += (2 * mean_a * mean_b + c1) * (2 * cov + c2) /
               ((mean_a * mean_a + mean_b * mean_b + c1) * (var_a + var_b + c2));
        ++count;
      }
    }
  }
  return sum / count;
}

TEST(ImageMetrics, EqualsPlainFormulaAcrossBlockBorders) {
  // Rows longer than the implementation's blocks of 512 values, and lengths just around them.
  for (const int width : {170, 171, 176, 181, 400}) {
    const Pictures pictures = make_pictures(width, 14, 3);
    const ImageMetrics metrics = measure(pictures, false);
    EXPECT_NEAR(metrics.ssim(SsimWindow::Uniform7), plain_ssim(pictures, SsimWindow::Uniform7), 1e-10) << width;
    EXPECT_NEAR(metrics.ssim(SsimWindow::Gaussian11), plain_ssim(pictures, SsimWindow::Gaussian11), 1e-10) << width;
  }
}

TEST(ImageMetrics, FlatPicturesKeepTheirPrecision) {
  // E[x^2] - E[x]^2 cancels fully here; an offset of 0.01 leaves only the luminance term.
  Pictures pictures{64, 64, 1, std::vector<float>(64 * 64, 0.75F), std::vector<float>(64 * 64, 0.765625F)};
  const ImageMetrics metrics = measure(pictures, true);
  const double expected = (2 * 0.75 * 0.765625 + 1e-4) / (0.75 * 0.75 + 0.765625 * 0.765625 + 1e-4);
  EXPECT_NEAR(metrics.ssim(SsimWindow::Uniform7), expected, 1e-11);
  EXPECT_NEAR(metrics.ssim(SsimWindow::Gaussian11), expected, 1e-11);
  EXPECT_NEAR(metrics.mse(), 0.015625 * 0.015625, 1e-15);
}

TEST(ImageMetrics, ClipAppliesToThePredictionOnly) {
  Pictures pictures = make_pictures(20, 20, 1);
  Pictures clipped = pictures;
  for (float& value : clipped.predicted) {
    value = std::clamp(value, 0.0F, 1.0F);
  }
  ASSERT_NE(pictures.predicted, clipped.predicted);
  EXPECT_EQ(measure(pictures, true).mse(), measure(clipped, false).mse());
  EXPECT_EQ(measure(pictures, true).ssim(SsimWindow::Uniform7), measure(clipped, false).ssim(SsimWindow::Uniform7));
  EXPECT_GT(measure(pictures, false).mse(), measure(clipped, false).mse());
  pictures.target[0] = 3;
  pictures.predicted[0] = 3;
  EXPECT_NEAR(measure(pictures, true).mse() - measure(pictures, false).mse(), 4.0 / 400, 1e-3);
}

TEST(ImageMetrics, IdenticalPicturesArePerfect) {
  Pictures pictures = make_pictures(40, 30, 3);
  pictures.predicted = pictures.target;
  const ImageMetrics metrics = measure(pictures, true);
  EXPECT_EQ(metrics.mse(), 0);
  EXPECT_EQ(metrics.psnr_db(), std::numeric_limits<double>::infinity());
  EXPECT_NEAR(metrics.ssim(SsimWindow::Uniform7), 1, 1e-12);
  EXPECT_NEAR(metrics.ssim(SsimWindow::Gaussian11), 1, 1e-12);
}

TEST(ImageMetrics, SmallPicturesHaveNoSsim) {
  for (const auto& [width, height] : {std::pair{1, 1}, {6, 40}, {40, 6}}) {
    const ImageMetrics metrics = measure(make_pictures(width, height, 3), true);
    EXPECT_TRUE(std::isfinite(metrics.mse()));
    EXPECT_TRUE(std::isnan(metrics.ssim(SsimWindow::Uniform7))) << width << " x " << height;
    EXPECT_TRUE(std::isnan(metrics.ssim(SsimWindow::Gaussian11)));
  }
}

TEST(ImageMetrics, NotANumberIsSeen) {
  Pictures pictures = make_pictures(20, 20, 1);
  pictures.predicted[0] = kNan;
  const ImageMetrics metrics = measure(pictures, true);
  EXPECT_TRUE(std::isnan(metrics.mse()));
  EXPECT_THROW(metrics.psnr_db(), Error);
}

TEST(ImageMetrics, EmptyPictureIsAnError) {
  for (const auto& [width, height, n_channels] : {std::array{0, 4, 1}, {4, 0, 1}, {4, 4, 0}, {-1, 4, 3}}) {
    try {
      ImageMetrics metrics(width, height, n_channels, true);
      ADD_FAILURE() << width << " x " << height << " x " << n_channels;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
      EXPECT_NE(std::string(error.what()).find("[metric] picture"), std::string::npos) << error.what();
    }
  }
}

TEST(Psnr, KnownValues) {
  EXPECT_EQ(psnr_from_mse(1), 0);
  EXPECT_NEAR(psnr_from_mse(0.01), 20, 1e-12);
  EXPECT_NEAR(psnr_from_mse(1e-4), 40, 1e-12);
  EXPECT_NEAR(psnr_from_mse(10), -10, 1e-12);
  EXPECT_EQ(psnr_from_mse(0), std::numeric_limits<double>::infinity());
}

TEST(Psnr, NonsenseIsAnError) {
  EXPECT_THROW(psnr_from_mse(-1e-9), Error);
  EXPECT_THROW(psnr_from_mse(kNan), Error);
}

}  // namespace
}  // namespace loe
