// Spectral normalisation of a weight matrix (Miyato et al. 2018).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace loe {

/// An estimate of the largest singular value of W [n_rows, n_columns] and its vectors: sigma = u^T W v.
struct SpectralNorm {
  double sigma = 0;
  std::vector<double> u;
  std::vector<double> v;
};

namespace detail {

/// x / max(|x|, 1e-12), as torch.nn.functional.normalize.
inline void normalise(std::vector<double>& x) {
  double square = 0;
  for (const double value : x) {
    square += value * value;
  }
  const double scale = 1 / std::max(std::sqrt(square), 1e-12);
  for (double& value : x) {
    value *= scale;
  }
}

}  // namespace detail

/// v = W^T u / |.|; if `advances` (one power iteration) u = W v / |.|; sigma = u^T W v. Sums in double, over rows and
/// columns in order. Costs three products with the matrix.
template <class T, class U>
SpectralNorm spectral_norm(std::span<const T> weight, std::span<const U> u, bool advances) {
  const auto n_rows = static_cast<int64_t>(u.size());
  const int64_t n_columns = static_cast<int64_t>(weight.size()) / n_rows;
  SpectralNorm norm;
  norm.u.assign(u.begin(), u.end());
  norm.v.assign(n_columns, 0.0);
  for (int64_t r = 0; r < n_rows; ++r) {
    const T* row = weight.data() + r * n_columns;
    for (int64_t c = 0; c < n_columns; ++c) {
      norm.v[c] += norm.u[r] * row[c];
    }
  }
  detail::normalise(norm.v);
  std::vector<double> product(n_rows);
  for (int64_t r = 0; r < n_rows; ++r) {
    const T* row = weight.data() + r * n_columns;
    // Four chains instead of one: a single one waits for each addition.
    double sums[4] = {};
    int64_t c = 0;
    for (; c + 4 <= n_columns; c += 4) {
      for (int k = 0; k < 4; ++k) {
        sums[k] += row[c + k] * norm.v[c + k];
      }
    }
    for (; c < n_columns; ++c) {
      sums[0] += row[c] * norm.v[c];
    }
    product[r] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
  if (advances) {
    norm.u = product;
    detail::normalise(norm.u);
  }
  for (int64_t r = 0; r < n_rows; ++r) {
    norm.sigma += norm.u[r] * product[r];
  }
  return norm;
}

/// From G = dL/d(W / sigma) to dL/dW with u and v held constant, in place, given W / sigma:
///   dL/dW = (G - <G, W / sigma> u v^T) / sigma
template <class T>
void spectral_norm_backward(double sigma, std::span<const double> u, std::span<const double> v,
                            std::span<const T> normalised, std::span<T> grads) {
  double product = 0;
  for (size_t i = 0; i < grads.size(); ++i) {
    product += static_cast<double>(grads[i]) * normalised[i];
  }
  for (size_t r = 0; r < u.size(); ++r) {
    for (size_t c = 0; c < v.size(); ++c) {
      T& grad = grads[r * v.size() + c];
      grad = static_cast<T>((grad - product * u[r] * v[c]) / sigma);
    }
  }
}

}  // namespace loe
