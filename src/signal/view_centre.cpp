#include "loe/signal/view_centre.h"

#include <cstddef>

namespace loe {
namespace {

using Vector3 = std::array<double, 3>;

Vector3 cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

double dot(const Vector3& a, const Vector3& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

}  // namespace

ViewCentre view_centre(std::span<const Pose> cameras) {
  // A c = b with A = mean of (I - d d^T).
  std::array<Vector3, 3> a{};
  Vector3 b{};
  ViewCentre centre;
  const auto n = static_cast<double>(cameras.size());
  for (const Pose& camera : cameras) {
    const auto& m = camera.matrix;
    const Vector3 o = {m[0][3], m[1][3], m[2][3]};
    const Vector3 d = {-m[0][2], -m[1][2], -m[2][2]};
    for (std::size_t i = 0; i < 3; ++i) {
      centre.point[i] += o[i] / n;
      for (std::size_t j = 0; j < 3; ++j) {
        const double projection = (i == j ? 1 : 0) - d[i] * d[j];
        a[i][j] += projection / n;
        b[i] += projection * o[j] / n;
      }
    }
  }
  // The eigenvalues are at most 1; their product is small if the axes are nearly parallel (0.01: within some 6
  // degrees).
  constexpr double kNearlyParallel = 0.01;
  // Of a symmetric matrix: its inverse, times the determinant.
  const std::array<Vector3, 3> cofactors = {cross(a[1], a[2]), cross(a[2], a[0]), cross(a[0], a[1])};
  const double determinant = dot(a[0], cofactors[0]);
  centre.is_parallel = !(determinant > kNearlyParallel);
  if (!centre.is_parallel) {
    for (std::size_t i = 0; i < 3; ++i) centre.point[i] = dot(cofactors[i], b) / determinant;
  }
  return centre;
}

}  // namespace loe
