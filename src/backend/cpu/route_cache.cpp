#include "backend/cpu/route_cache.h"

#include <algorithm>
#include <cstring>

namespace loe::cpu {
namespace {

// Table 5's 262,144 samples of 9 levels take 7 MB.
constexpr int64_t kMaxBytes = int64_t{64} << 20;

int64_t bytes_per_sample(const NetworkPlan& plan) {
  int64_t bytes = plan.spec.n_dims * static_cast<int64_t>(sizeof(float));
  for (const LayerPlan& layer : plan.layers) {
    bytes += static_cast<int64_t>(sizeof(uint16_t));
    if (layer.n_blended > 1) bytes += layer.n_blended * static_cast<int64_t>(sizeof(float));
  }
  return bytes;
}

// By bits: a NaN is equal to itself.
bool are_equal(const std::vector<float>& kept, const float* coords, int64_t size) {
  return static_cast<int64_t>(kept.size()) == size && std::memcmp(kept.data(), coords, size * sizeof(float)) == 0;
}

}  // namespace

void RouteCache::begin_batch(int64_t n_samples, int64_t n_tiles) {
  is_on_ = began_alike_ && n_samples * bytes_per_sample(*plan_) <= kMaxBytes;
  if (!is_on_) entries_.clear();
  if (is_on_) entries_.resize(n_tiles);
}

LevelGroups* RouteCache::find(int64_t index, const float* coords, int n, bool& is_known) {
  const int64_t size = int64_t{n} * plan_->spec.n_dims;
  if (index == 0) {
    began_alike_ = are_equal(first_coords_, coords, size);
    if (!began_alike_) first_coords_.assign(coords, coords + size);
  }
  is_known = false;
  if (!is_on_) return nullptr;
  Entry& entry = entries_[index];
  is_known = are_equal(entry.coords, coords, size);
  if (!is_known) {
    entry.coords.assign(coords, coords + size);
    entry.groups.resize(plan_->layers.size());
  }
  return entry.groups.data();
}

int64_t RouteCache::n_bytes() const {
  auto bytes = static_cast<int64_t>(first_coords_.capacity() * sizeof(float));
  for (const Entry& entry : entries_) {
    bytes += static_cast<int64_t>(entry.coords.capacity() * sizeof(float));
    for (const LevelGroups& groups : entry.groups) bytes += groups.n_bytes();
  }
  return bytes;
}

}  // namespace loe::cpu
