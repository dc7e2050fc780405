#include "loe/backend/embedding.h"

#include <algorithm>

#include "loe/base/error.h"

namespace loe {

EmbeddingGrid::EmbeddingGrid(const EmbeddingSpec& embedding, int n_dims, int level)
    : first_entry_(embedding.first_entry(level)), at_centres_(embedding.levels.empty()) {
  const GridLevel* const grid = at_centres_ ? nullptr : &embedding.levels[static_cast<std::size_t>(level)];
  const std::array<int, kMaxDims> resolution = at_centres_ ? embedding.resolution : grid->resolution();
  const bool is_dense = at_centres_ || grid->is_dense();
  if (!is_dense) {
    hash_mask_ = static_cast<uint32_t>(grid->n_entries - 1);
  }
  uint32_t stride = 1;  // fits: a table has at most 2^31 numbers
  for (int d = 0; d < n_dims; ++d) {
    if (resolution[d] > 1) {
      const float cells = at_centres_ ? 0.0F : static_cast<float>(grid->cells[d]);
      axes_[n_axes_++] = {d, resolution[d], cells, is_dense ? stride : kHashPrimes[d]};
    }
    stride *= static_cast<uint32_t>(resolution[d]);
  }
  n_corners_ = 1 << n_axes_;
}

int64_t EmbeddingGrid::corner_step(int corner) const {
  LOE_ASSERT(hash_mask_ == 0);
  int64_t step = 0;
  for (int axis = 0; axis < n_axes_; ++axis) {
    step += ((corner >> axis) & 1) * int64_t{axes_[axis].stride};
  }
  return step;
}

template <class T>
EmbeddingPlace EmbeddingGrid::place_in(const float* p) const {
  EmbeddingPlace place;
  std::array<T, 1 << kMaxDims> coefficient{};
  std::array<uint32_t, 1 << kMaxDims> index{};
  coefficient[0] = 1;
  int n = 1;
  for (int axis = 0; axis < n_axes_; ++axis) {
    const Axis& a = axes_[axis];
    const T position = at_centres_ ? static_cast<T>(p[a.dimension]) * a.resolution - static_cast<T>(0.5)
                                   : static_cast<T>(p[a.dimension]) * a.cells;
    const T u = position > 0 ? std::min(position, static_cast<T>(a.resolution - 1)) : static_cast<T>(0);  // NaN: 0
    const int cell = std::min(static_cast<int>(u), a.resolution - 2);
    const T fraction = u - static_cast<T>(cell);
    const uint32_t lower = static_cast<uint32_t>(cell) * a.stride;
    const uint32_t upper = lower + a.stride;
    for (int k = 0; k < n; ++k) {
      coefficient[n + k] = coefficient[k] * fraction;
      coefficient[k] *= 1 - fraction;
      index[n + k] = hash_mask_ == 0 ? index[k] + upper : index[k] ^ upper;
      index[k] = hash_mask_ == 0 ? index[k] + lower : index[k] ^ lower;
    }
    n *= 2;
  }
  for (int k = 0; k < n; ++k) {
    place.entry[k] = first_entry_ + (hash_mask_ == 0 ? index[k] : index[k] & hash_mask_);
    place.coefficient[k] = static_cast<float>(coefficient[k]);
  }
  return place;
}

EmbeddingPlace EmbeddingGrid::place(const float* p) const {
  return at_centres_ ? place_in<double>(p) : place_in<float>(p);
}

}  // namespace loe
