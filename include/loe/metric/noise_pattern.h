// Fixed noise: detail that a generator puts at the same place of every picture (the paper's Fig. 7).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loe/base/thread_pool.h"

namespace loe {

/// h = picture minus its Gaussian blur, of each of n pictures. All values as the pictures' (data range 1).
struct NoisePatternStats {
  int64_t n_pictures = 0;
  std::vector<float> mean_high_pass;  ///< [height, width, 3]: mean of h over the pictures
  double rms = 0;                     ///< of mean_high_pass, over all values
  double picture_rms = 0;             ///< sqrt of the mean of h^2 over all values of all pictures
  double expected_rms = 0;            ///< picture_rms / sqrt(n): rms if the pictures' h were independent of each other
  /// rms / expected_rms: 1 without a fixed pattern, sqrt(n) with nothing else; 0 if all h are 0.
  double ratio = 0;
  /// RMS of the pattern f itself in a model h = f + independent rest: sqrt(max(0, (rms^2 - expected_rms^2) n / (n -
  /// 1))) (unbiased before the root); NaN for one picture.
  double pattern_rms = 0;
};

/// Streams pictures. Memory: 8 bytes per value of a picture, and 12 for each of the up to 32 pictures that are in work.
/// Cost: 2 (6 sigma + 1) multiply-adds per value. Same bits for any number of threads and however pictures are cut
/// into calls.
class NoisePatternMeter {
 public:
  /// sigma: of the blur, in pixels, 0.5..64; the filter reaches ceil(3 sigma) pixels and is renormalised over what lies
  /// inside the picture. Error(InvalidArgument) for it or for sides outside 1..65536.
  NoisePatternMeter(int width, int height, double sigma = 2.0);
  /// pictures [n, height, width, 3]. Error(InvalidArgument) unless n is whole, Error(Numerical) for NaN or infinity
  /// (nothing is added then).
  void add(std::span<const float> pictures, ThreadPool& pool);
  /// Error(InvalidArgument) before the first picture.
  NoisePatternStats stats() const;

 private:
  int width_;
  int height_;
  std::vector<double> filter_;  ///< [reach + 1] weights at distance 0, 1, ..., not normalised
  int64_t n_pictures_ = 0;
  double power_ = 0;         ///< sum over pictures of the mean of h^2
  std::vector<double> sum_;  ///< of h
  std::size_t n_values() const { return sum_.size(); }
  void high_pass(const float* picture, std::vector<float>& out) const;
};

}  // namespace loe
