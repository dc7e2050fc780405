// Loops over rays, on a pool if there is one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "loe/base/thread_pool.h"

namespace loe {

/// Rays per task: enough samples that handing out tasks costs nothing, few enough that 16,384 rays share well.
inline constexpr int64_t kRaysPerTask = 64;

/// body(ray) for every ray in [0, n_rays). The function object handed to the pool holds one pointer: no allocation.
template <typename Body>
void for_each_ray(ThreadPool* pool, int64_t n_rays, const Body& body) {
  if (pool == nullptr || n_rays <= kRaysPerTask) {
    for (int64_t ray = 0; ray < n_rays; ++ray) {
      body(ray);
    }
    return;
  }
  struct Range {
    const Body& body;
    int64_t n_rays;
  };
  const Range range{body, n_rays};
  pool->parallel_for((n_rays + kRaysPerTask - 1) / kRaysPerTask, [&range](int64_t task, int) {
    const int64_t end = std::min(range.n_rays, (task + 1) * kRaysPerTask);
    for (int64_t ray = task * kRaysPerTask; ray < end; ++ray) {
      range.body(ray);
    }
  });
}

}  // namespace loe
