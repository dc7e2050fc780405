// Seams: is the error of a reconstruction larger where independently trained blocks meet?
#pragma once

#include <cstdint>
#include <vector>

namespace loe {

/// Over n x n chunks of a picture; e = prediction - target. Every mean is over the channels too. A mean over nothing
/// (no inner border, or no pixel away from one) is NaN. Formulas: docs/metrics.md, "Seams".
struct SeamStats {
  double border_mse = 0;          ///< mean e^2 of pixels that touch an inner chunk border (one pixel on each side)
  double interior_mse = 0;        ///< mean e^2 of all other pixels
  double border_jump = 0;         ///< mean |e(p) - e(q)| over neighbours p, q on two sides of an inner chunk border
  double interior_jump = 0;       ///< the same over all other neighbours (side by side, or one above the other)
  std::vector<double> chunk_mse;  ///< [n * n] mean e^2 of each chunk, row by row
  /// Standard deviation (over k chunks, divided by k) of 10 log10(chunk_mse) in dB; chunks without error are left out,
  /// 0 if fewer than two are left.
  double chunk_spread_db = 0;
};

/// Streams rows of prediction and target, top to bottom. Sums are double, in the order of the rows; memory is one row
/// of errors, 8 bytes x width x channels.
class SeamMeter {
 public:
  /// Error(InvalidArgument) if sizes are < 1 or n_chunks is outside 1..min(width, height). Chunk borders lie at
  /// floor(i * size / n_chunks).
  SeamMeter(int width, int height, int n_channels, int n_chunks);
  /// Values [width, n_channels], neither clipped nor scaled. Error(InvalidArgument) after the last row.
  void add_row(const float* prediction, const float* target);
  /// Error(InvalidArgument) unless exactly `height` rows were added.
  SeamStats stats() const;

 private:
  int width_;
  int height_;
  int n_channels_;
  int n_chunks_;
  int n_rows_ = 0;
  std::vector<int> chunk_of_column_;
  std::vector<double> previous_;  ///< errors of the row above
  std::vector<double> chunk_sum_;
  std::vector<int64_t> chunk_count_;
  double border_sum_ = 0;
  double interior_sum_ = 0;
  double border_jump_sum_ = 0;
  double interior_jump_sum_ = 0;
  int64_t n_border_ = 0;
  int64_t n_interior_ = 0;
  int64_t n_border_jumps_ = 0;
  int64_t n_interior_jumps_ = 0;
};

}  // namespace loe
