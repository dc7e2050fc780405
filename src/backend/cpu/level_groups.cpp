#include "backend/cpu/level_groups.h"

#include <algorithm>
#include <span>

#include "loe/backend/routing.h"

namespace loe::cpu {

void LevelGroups::build(const LayerSpec& layer, int n_dims, int n_blended, const float* coords, int n,
                        std::vector<int>& scratch) {
  n_blended_ = n_blended;
  is_merged_ = false;
  rows_.resize(n);
  groups_.clear();
  if (n == 0) return;
  const int n_experts = layer.n_experts();
  if (n_experts == 1) {
    for (int i = 0; i < n; ++i) rows_[i] = static_cast<uint16_t>(i);
    groups_.push_back({0, 0, n});
  } else {
    scratch.resize(n + n_experts + 1);
    int* index = scratch.data();
    int* place = scratch.data() + n;
    std::fill(place, place + n_experts + 1, 0);
    route(layer, n_dims, {coords, static_cast<std::size_t>(n) * n_dims}, {index, static_cast<std::size_t>(n)});
    for (int i = 0; i < n; ++i) ++place[index[i] + 1];
    for (int e = 0; e < n_experts; ++e) {
      if (place[e + 1] > 0) groups_.push_back({e, place[e], place[e] + place[e + 1]});
      place[e + 1] += place[e];
    }
    for (int i = 0; i < n; ++i) rows_[place[index[i]]++] = static_cast<uint16_t>(i);
  }
  if (n_blended > 1) {
    coefficients_.resize(static_cast<std::size_t>(n) * n_blended);
    for (int i = 0; i < n; ++i) {
      const ExpertBlend blend = route_blend(layer, n_dims, coords + int64_t{i} * n_dims);
      std::copy(blend.coefficient.begin(), blend.coefficient.begin() + n_blended,
                coefficients_.begin() + int64_t{i} * n_blended);
    }
  }
}

void LevelGroups::merge(std::vector<Group>& groups, std::vector<uint16_t>& sources) {
  groups_.swap(groups);
  rows_.swap(sources);
  is_merged_ = true;
}

const Group* LevelGroups::find(int index) const {
  const auto at = std::lower_bound(groups_.begin(), groups_.end(), index,
                                   [](const Group& group, int value) { return group.index < value; });
  return at != groups_.end() && at->index == index ? &*at : nullptr;
}

int64_t LevelGroups::n_bytes() const {
  return static_cast<int64_t>(groups_.capacity() * sizeof(Group) + rows_.capacity() * sizeof(uint16_t) +
                              coefficients_.capacity() * sizeof(float));
}

}  // namespace loe::cpu
