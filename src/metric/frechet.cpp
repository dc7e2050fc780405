#include "loe/metric/frechet.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <string>

#include "loe/base/error.h"

namespace loe {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;

constexpr int64_t kMaxFeatures = 16384;
constexpr int64_t kBlock = 256;           ///< vectors that are centred together
constexpr int64_t kPanel = 64;            ///< features along a side of the piece of the scatter that one task owns
constexpr double kMinEigenvalue = -1e-6;  ///< of the largest: below it a matrix is no covariance with rounding

[[noreturn]] void fail(const std::string& thing, const std::string& expected, const std::string& found) {
  throw Error(ErrorKind::InvalidArgument,
              fmt::format("[frechet] {}: expected {}, got {}; compute the statistics again", thing, expected, found));
}

void check_statistics(const GaussianStatistics& statistics, const char* name) {
  const auto n = static_cast<std::size_t>(statistics.n_features());
  if (n == 0 || statistics.covariance.size() != n * n) {
    fail(fmt::format("{} covariance", name), fmt::format("{0} x {0} numbers, at least one", n),
         fmt::format("{}", statistics.covariance.size()));
  }
  const auto is_finite = [](double value) { return std::isfinite(value); };
  if (!std::ranges::all_of(statistics.mean, is_finite) || !std::ranges::all_of(statistics.covariance, is_finite)) {
    fail(fmt::format("{} statistics", name), "finite numbers", "NaN or infinity");
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double above = statistics.covariance[j * n + i];
      const double below = statistics.covariance[i * n + j];
      if (std::abs(above - below) > 1e-9 * std::max(std::abs(above), std::abs(below))) {
        fail(fmt::format("{} covariance", name), "a symmetric matrix",
             fmt::format("{} at ({}, {}) and {} opposite", above, j, i, below));
      }
    }
  }
}

/// Eigenvalues, those that rounding made negative as 0.
Vector clipped_eigenvalues(const Vector& values, const char* name) {
  const double largest = values.cwiseAbs().maxCoeff();
  if (values.minCoeff() < kMinEigenvalue * largest) {
    fail(fmt::format("{} covariance", name), "no negative eigenvalues",
         fmt::format("{:.3g} beside {:.3g}", values.minCoeff(), largest));
  }
  return values.cwiseMax(0.0);
}

void require_converged(Eigen::ComputationInfo info) {
  if (info != Eigen::Success) {
    throw Error(ErrorKind::Numerical,
                "[frechet] eigenvalues: expected them to converge, got no end; scale the features towards 1");
  }
}

}  // namespace

GaussianAccumulator::GaussianAccumulator(int64_t n_features) : n_features_(n_features) {
  if (n_features < 1 || n_features > kMaxFeatures) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[frechet] n_features: expected 1..{}, got {}", kMaxFeatures, n_features));
  }
  mean_.resize(static_cast<std::size_t>(n_features));
  scatter_.resize(static_cast<std::size_t>(n_features * n_features));
}

void GaussianAccumulator::add(std::span<const float> features, ThreadPool& pool) {
  const auto width = static_cast<std::size_t>(n_features_);
  if (features.size() % width != 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[frechet] features: expected a multiple of {} numbers, got {}", width, features.size()));
  }
  const auto bad = std::ranges::find_if(features, [](float value) { return !std::isfinite(value); });
  if (bad != features.end()) {
    const auto at = static_cast<std::size_t>(bad - features.begin());
    throw Error(ErrorKind::Numerical,
                fmt::format("[frechet] features: expected finite numbers, got {} as number {} of vector {}; check the "
                            "pictures and the network",
                            *bad, at % width, count() + static_cast<int64_t>(at / width)));
  }
  while (!features.empty()) {
    const std::size_t n_taken = std::min(features.size(), static_cast<std::size_t>(kBlock) * width - waiting_.size());
    waiting_.insert(waiting_.end(), features.begin(), features.begin() + static_cast<std::ptrdiff_t>(n_taken));
    features = features.subspan(n_taken);
    if (n_waiting() == kBlock) fold_waiting(pool);
  }
}

/// Adds the block of m waiting vectors to the n before it: with its own mean m_b and d = m_b - mean,
/// scatter += sum (x - m_b)(x - m_b)^T + n m / (n + m) d d^T, mean += m / (n + m) d.
void GaussianAccumulator::fold_waiting(ThreadPool& pool) {
  const int64_t m = n_waiting();
  if (m == 0) return;
  Eigen::Map<Matrix> block(waiting_.data(), m, n_features_);
  Eigen::Map<Vector> mean(mean_.data(), n_features_);
  Eigen::Map<Matrix> scatter(scatter_.data(), n_features_, n_features_);
  Vector block_mean = Vector::Zero(n_features_);
  for (int64_t row = 0; row < m; ++row) block_mean += block.row(row).transpose();
  block_mean /= static_cast<double>(m);
  block.rowwise() -= block_mean.transpose();
  const Vector step = block_mean - mean;
  const auto n = static_cast<double>(n_in_blocks_);
  const double n_after = n + static_cast<double>(m);
  const double weight = n * static_cast<double>(m) / n_after;
  const int64_t n_panels = (n_features_ + kPanel - 1) / kPanel;
  pool.parallel_for(n_panels * n_panels, [&](int64_t index, int) {
    const int64_t i = index / n_panels * kPanel;
    const int64_t j = index % n_panels * kPanel;
    if (i > j) return;
    const int64_t n_i = std::min(kPanel, n_features_ - i);
    const int64_t n_j = std::min(kPanel, n_features_ - j);
    auto piece = scatter.block(i, j, n_i, n_j);
    piece.noalias() += block.middleCols(i, n_i).transpose() * block.middleCols(j, n_j);
    piece.noalias() += weight * step.segment(i, n_i) * step.segment(j, n_j).transpose();
  });
  mean += static_cast<double>(m) / n_after * step;
  n_in_blocks_ += m;
  waiting_.clear();
}

GaussianStatistics GaussianAccumulator::statistics(ThreadPool& pool) const {
  if (count() < 2) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[frechet] statistics: expected at least 2 vectors, got {}; add pictures", count()));
  }
  GaussianAccumulator whole = *this;
  whole.fold_waiting(pool);
  GaussianStatistics result;
  result.count = whole.n_in_blocks_;
  result.mean = std::move(whole.mean_);
  result.covariance = std::move(whole.scatter_);
  Eigen::Map<Matrix> covariance(result.covariance.data(), n_features_, n_features_);
  covariance /= static_cast<double>(result.count - 1);
  for (int64_t i = 0; i < n_features_; ++i) {
    for (int64_t j = 0; j < i; ++j) covariance(i, j) = covariance(j, i);
  }
  return result;
}

double squared_frechet_distance(const GaussianStatistics& a, const GaussianStatistics& b) {
  check_statistics(a, "first");
  check_statistics(b, "second");
  const int64_t n = a.n_features();
  if (b.n_features() != n) {
    fail("statistics", fmt::format("{} features in both", n), fmt::format("{} in the second", b.n_features()));
  }
  const Eigen::Map<const Matrix> first(a.covariance.data(), n, n);
  const Eigen::Map<const Matrix> second(b.covariance.data(), n, n);
  const Eigen::Map<const Vector> mean_a(a.mean.data(), n);
  const Eigen::Map<const Vector> mean_b(b.mean.data(), n);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> of_first(first);
  require_converged(of_first.info());
  // S1 = V D V^T: the eigenvalues of S1^(1/2) S2 S1^(1/2) are those of D^(1/2) V^T S2 V D^(1/2), a product cheaper.
  const Vector roots = clipped_eigenvalues(of_first.eigenvalues(), "first").cwiseSqrt();
  const Eigen::MatrixXd scaled = of_first.eigenvectors() * roots.asDiagonal();
  const Eigen::MatrixXd product = scaled.transpose() * (second * scaled);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> of_product(product, Eigen::EigenvaluesOnly);
  require_converged(of_product.info());
  const double cross = clipped_eigenvalues(of_product.eigenvalues(), "second").cwiseSqrt().sum();
  return std::max(0.0, (mean_a - mean_b).squaredNorm() + first.trace() + second.trace() - 2 * cross);
}

}  // namespace loe
