// Frechet distance between two sets of feature vectors, each taken for a Gaussian. Formulas: docs/metrics.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loe/base/thread_pool.h"

namespace loe {

/// What is kept of n feature vectors of F numbers.
struct GaussianStatistics {
  int64_t count = 0;               ///< n
  std::vector<double> mean;        ///< [F]
  std::vector<double> covariance;  ///< [F, F], symmetric, sums divided by n - 1 (as numpy.cov)
  int64_t n_features() const { return static_cast<int64_t>(mean.size()); }
};

/// Mean and covariance of a stream of vectors, in double, centred block by block (Chan, Golub and LeVeque 1983), so
/// that a large mean costs no digits. Blocks are cut by the number of the vector: the result depends neither on the
/// number of threads nor on how the stream is cut into calls. Memory 8 F^2 + 2,048 F bytes (F = 2048: 38 MB); cost F^2
/// / 2 multiply-adds per vector.
class GaussianAccumulator {
 public:
  /// Error(InvalidArgument) unless n_features is in 1..16384.
  explicit GaussianAccumulator(int64_t n_features);
  /// features [n, F] for any n. Error(InvalidArgument) for another length, Error(Numerical) for NaN or infinity;
  /// nothing is added then.
  void add(std::span<const float> features, ThreadPool& pool);
  int64_t count() const { return n_in_blocks_ + n_waiting(); }
  /// Error(InvalidArgument) for fewer than 2 vectors. More may be added afterwards.
  GaussianStatistics statistics(ThreadPool& pool) const;

 private:
  int64_t n_features_;
  int64_t n_in_blocks_ = 0;
  std::vector<double> mean_;     ///< of the vectors in whole blocks
  std::vector<double> scatter_;  ///< [F, F] of them, blocks on and above the diagonal: sum (x - mean)(x - mean)^T
  std::vector<double> waiting_;  ///< [< block, F] vectors that are no whole block yet
  int64_t n_waiting() const { return static_cast<int64_t>(waiting_.size()) / n_features_; }
  void fold_waiting(ThreadPool& pool);
};

/// d^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1^(1/2) S2 S1^(1/2))^(1/2)), >= 0 (Dowson and Landau 1982; the FID of Heusel et
/// al. 2017 if the features are those of its Inception network).
/// Two symmetric eigen-decompositions. Eigenvalues that rounding makes negative count as 0, and so does a negative
/// result. With n < F covariances are rank-deficient, which is no error (but the distance of few vectors is biased
/// upwards). Rounding: about F sqrt(eps) times the geometric mean of the largest eigenvalues where covariances are
/// rank-deficient, F eps otherwise (eps = 2.2e-16). Error(InvalidArgument) if sizes disagree, a number is not finite,
/// or a matrix is no covariance: not symmetric, or an eigenvalue below -1e-6 times the largest. Cost: one thread,
/// grows with F^3; 0.16 s for F = 512 (measured), so about 10 s for 2048.
double squared_frechet_distance(const GaussianStatistics& a, const GaussianStatistics& b);

}  // namespace loe
