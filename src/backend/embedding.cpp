#include "loe/backend/embedding.h"

#include <algorithm>

namespace loe {

EmbeddingGrid::EmbeddingGrid(const EmbeddingSpec& embedding, int n_dims) {
  int64_t stride = 1;
  for (int d = 0; d < n_dims; ++d) {
    if (embedding.resolution[d] > 1) {
      axes_[n_axes_++] = {d, embedding.resolution[d], stride};
    }
    stride *= embedding.resolution[d];
  }
  n_corners_ = 1 << n_axes_;
  for (int corner = 0; corner < n_corners_; ++corner) {
    for (int axis = 0; axis < n_axes_; ++axis) {
      corner_step_[corner] += ((corner >> axis) & 1) * axes_[axis].stride;
    }
  }
}

EmbeddingPlace EmbeddingGrid::place(const float* p) const {
  EmbeddingPlace place;
  std::array<double, 1 << kMaxDims> coefficient{};
  coefficient[0] = 1;
  int n = 1;
  for (int axis = 0; axis < n_axes_; ++axis) {
    const Axis& a = axes_[axis];
    const double position = static_cast<double>(p[a.dimension]) * a.resolution - 0.5;
    const double u = position > 0 ? std::min(position, static_cast<double>(a.resolution - 1)) : 0.0;  // NaN: 0
    const int cell = std::min(static_cast<int>(u), a.resolution - 2);
    const double fraction = u - cell;
    place.first_node += cell * a.stride;
    for (int k = 0; k < n; ++k) {
      coefficient[n + k] = coefficient[k] * fraction;
      coefficient[k] *= 1 - fraction;
    }
    n *= 2;
  }
  for (int k = 0; k < n; ++k) {
    place.coefficient[k] = static_cast<float>(coefficient[k]);
  }
  return place;
}

}  // namespace loe
