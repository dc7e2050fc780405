#include "loe/metric/seams.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "loe/base/error.h"

namespace loe {
namespace {

/// The largest i with floor(i * size / n_chunks) <= at.
int chunk_of(int at, int size, int n_chunks) {
  return static_cast<int>((int64_t{n_chunks} * (at + int64_t{1}) - 1) / size);
}

double mean(double sum, int64_t count) {
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

double spread_db(const std::vector<double>& chunk_mse) {
  std::vector<double> decibels;
  for (const double mse : chunk_mse) {
    if (mse != 0) decibels.push_back(10 * std::log10(mse));
  }
  if (decibels.size() < 2) return 0;
  const auto n = static_cast<double>(decibels.size());
  double sum = 0;
  for (const double value : decibels) sum += value;
  double squares = 0;
  for (const double value : decibels) squares += (value - sum / n) * (value - sum / n);
  return std::sqrt(squares / n);
}

}  // namespace

SeamMeter::SeamMeter(int width, int height, int n_channels, int n_chunks)
    : width_(width), height_(height), n_channels_(n_channels), n_chunks_(n_chunks) {
  if (width < 1 || height < 1 || n_channels < 1) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[metric] picture: expected width, height and channels of 1 or more, got {} x {} x {}; "
                            "give a picture that is not empty",
                            width, height, n_channels));
  }
  if (n_chunks < 1 || n_chunks > std::min(width, height)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[metric] n_chunks: expected 1..{} (pixels of the shorter side), got {}; use fewer chunks",
                            std::min(width, height), n_chunks));
  }
  previous_.resize(static_cast<std::size_t>(width) * n_channels);
  chunk_sum_.resize(static_cast<std::size_t>(n_chunks) * n_chunks);
  chunk_count_.resize(chunk_sum_.size());
  for (int x = 0; x < width; ++x) chunk_of_column_.push_back(chunk_of(x, width, n_chunks));
}

void SeamMeter::add_row(const float* prediction, const float* target) {
  if (n_rows_ == height_) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[metric] rows: expected {} (height), got one more; use a new meter", height_));
  }
  const int y = n_rows_++;
  const int chunk_row = chunk_of(y, height_, n_chunks_);
  const bool is_below_border = y > 0 && chunk_row != chunk_of(y - 1, height_, n_chunks_);
  const bool is_above_border = y + 1 < height_ && chunk_row != chunk_of(y + 1, height_, n_chunks_);
  for (int x = 0; x < width_; ++x) {
    const int chunk_column = chunk_of_column_[x];
    const bool is_right_of_border = x > 0 && chunk_column != chunk_of_column_[x - 1];
    const bool is_left_of_border = x + 1 < width_ && chunk_column != chunk_of_column_[x + 1];
    double squares = 0;
    double jump_left = 0;
    double jump_up = 0;
    for (int c = 0; c < n_channels_; ++c) {
      const int64_t at = int64_t{x} * n_channels_ + c;
      const double error = static_cast<double>(prediction[at]) - static_cast<double>(target[at]);
      squares += error * error;
      if (x > 0) jump_left += std::abs(error - previous_[at - n_channels_]);  // already this row's
      if (y > 0) jump_up += std::abs(error - previous_[at]);
      previous_[at] = error;
    }
    const bool touches = is_below_border || is_above_border || is_right_of_border || is_left_of_border;
    (touches ? border_sum_ : interior_sum_) += squares;
    (touches ? n_border_ : n_interior_) += n_channels_;
    if (x > 0) {
      (is_right_of_border ? border_jump_sum_ : interior_jump_sum_) += jump_left;
      (is_right_of_border ? n_border_jumps_ : n_interior_jumps_) += n_channels_;
    }
    if (y > 0) {
      (is_below_border ? border_jump_sum_ : interior_jump_sum_) += jump_up;
      (is_below_border ? n_border_jumps_ : n_interior_jumps_) += n_channels_;
    }
    const std::size_t chunk = static_cast<std::size_t>(chunk_row) * n_chunks_ + chunk_column;
    chunk_sum_[chunk] += squares;
    chunk_count_[chunk] += n_channels_;
  }
}

SeamStats SeamMeter::stats() const {
  if (n_rows_ != height_) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[metric] rows: expected {} (height), got {}; add every row of the picture before asking",
                            height_, n_rows_));
  }
  SeamStats stats;
  stats.border_mse = mean(border_sum_, n_border_);
  stats.interior_mse = mean(interior_sum_, n_interior_);
  stats.border_jump = mean(border_jump_sum_, n_border_jumps_);
  stats.interior_jump = mean(interior_jump_sum_, n_interior_jumps_);
  for (std::size_t i = 0; i < chunk_sum_.size(); ++i) stats.chunk_mse.push_back(mean(chunk_sum_[i], chunk_count_[i]));
  stats.chunk_spread_db = spread_db(stats.chunk_mse);
  return stats;
}

}  // namespace loe
