// Pictures at half their size, and the gradient's way back.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "loe/backend/conv_net.h"

namespace loe {

/// Bilinear x 0.5 with aligned corners (the first and last pixels of both pictures coincide), axis by axis:
///   y[i] = (1 - f) x[k] + f x[k + 1], k + f = i (n - 1) / (m - 1), m = max(1, floor(n / 2)); m = 1: y[0] = x[0]
/// as PyTorch's interpolate(scale_factor=0.5, mode="bilinear", align_corners=True).
class HalfScale {
 public:
  explicit HalfScale(MapSize input)
      : input_(input), output_(half(input)), rows_(taps(input.height)), columns_(taps(input.width)) {}

  static MapSize half(MapSize input) { return {std::max(1, input.height / 2), std::max(1, input.width / 2)}; }
  MapSize output() const { return output_; }

  /// One channel: x [h, w] -> y [h', w'].
  template <class T>
  void forward(const T* x, T* y) const {
    for_each_tap([&](int64_t from, int64_t to, double share, bool is_first) {
      y[to] = (is_first ? T(0) : y[to]) + static_cast<T>(share) * x[from];
    });
  }

  /// The adjoint: adds to dL/dx [h, w] what dL/dy [h', w'] makes of it.
  template <class T>
  void add_adjoint(const T* y_grads, T* x_grads) const {
    for_each_tap(
        [&](int64_t from, int64_t to, double share, bool) { x_grads[from] += static_cast<T>(share) * y_grads[to]; });
  }

 private:
  struct Tap {
    int index[2] = {0, 0};
    double share[2] = {1, 0};
  };

  static std::vector<Tap> taps(int n) {
    const int m = std::max(1, n / 2);
    std::vector<Tap> taps(m);
    for (int i = 0; i < m && m > 1; ++i) {
      const double place = static_cast<double>(i) * (n - 1) / (m - 1);
      const int first = std::min(static_cast<int>(std::floor(place)), n - 1);
      taps[i] = {{first, std::min(first + 1, n - 1)}, {1 - (place - first), place - first}};
    }
    return taps;
  }

  template <class Body>
  void for_each_tap(const Body& body) const {
    for (int i = 0; i < output_.height; ++i) {
      for (int j = 0; j < output_.width; ++j) {
        for (int corner = 0; corner < 4; ++corner) {
          const int a = corner / 2;
          const int b = corner % 2;
          body(int64_t{rows_[i].index[a]} * input_.width + columns_[j].index[b], int64_t{i} * output_.width + j,
               rows_[i].share[a] * columns_[j].share[b], corner == 0);
        }
      }
    }
  }

  MapSize input_;
  MapSize output_;
  std::vector<Tap> rows_;
  std::vector<Tap> columns_;
};

}  // namespace loe
