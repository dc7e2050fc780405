#include "task/scene/ray_samples.h"

#include <algorithm>
#include <array>
#include <limits>

#include "loe/render/volume_rendering.h"
#include "render/ray_loop.h"

namespace loe {

void HierarchicalSampler::draw_coarse(const RayBatch& rays, const SampleJitter& jitter, SampleSet& out) {
  coarse_t_.resize(static_cast<std::size_t>(rays.size()) * settings_.n_coarse);
  stratified_samples(rays.near, rays.far, settings_.n_coarse, jitter, coarse_t_, pool_);
  keep(rays, coarse_t_, settings_.n_coarse, {}, out);
}

void HierarchicalSampler::draw_fine(const RayBatch& rays, const SampleJitter& jitter, std::span<const float> weights,
                                    SampleSet& out) {
  const int64_t n_rays = rays.size();
  const int n_coarse = settings_.n_coarse;
  const int n_fine = settings_.n_fine;
  weights_.assign(coarse_t_.size(), 0.0F);
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    weights_[static_cast<std::size_t>(kept_[i])] = weights[i];
  }
  find_limits(n_rays);
  if (n_fine == 0) {
    keep(rays, coarse_t_, n_coarse, limits_, out);
    return;
  }
  fine_t_.resize(static_cast<std::size_t>(n_rays) * n_fine);
  merged_t_.resize(static_cast<std::size_t>(n_rays) * (n_coarse + n_fine));
  importance_samples(rays.near, rays.far, coarse_t_, weights_, n_coarse, n_fine, settings_.importance, jitter, fine_t_,
                     pool_);
  merge_samples(coarse_t_, n_coarse, fine_t_, n_fine, merged_t_, pool_);
  keep(rays, merged_t_, n_coarse + n_fine, limits_, out);
}

/// The transmittance behind coarse sample i is 1 minus the weights up to it.
void HierarchicalSampler::find_limits(int64_t n_rays) {
  limits_.clear();
  if (skipping_.min_transmittance <= 0) {
    return;
  }
  limits_.assign(static_cast<std::size_t>(n_rays), std::numeric_limits<float>::infinity());
  for (int64_t r = 0; r < n_rays; ++r) {
    const float* const weights = weights_.data() + r * settings_.n_coarse;
    double transmittance = 1;
    for (int i = 0; i + 1 < settings_.n_coarse; ++i) {
      transmittance -= weights[i];
      if (transmittance < skipping_.min_transmittance) {
        limits_[static_cast<std::size_t>(r)] = coarse_t_[static_cast<std::size_t>(r * settings_.n_coarse + i + 1)];
        break;
      }
    }
  }
}

void HierarchicalSampler::keep(const RayBatch& rays, std::span<const float> t, int n_per_ray,
                               std::span<const float> limits, SampleSet& out) {
  const int64_t n_rays = rays.size();
  delta_.resize(t.size());
  sample_intervals(uniform_offsets(n_rays, n_per_ray), t, rays.near, rays.far, settings_.last, delta_);
  is_kept_.assign(t.size(), 0);
  for_each_ray(pool_, n_rays, [&](int64_t r) {
    const float limit = limits.empty() ? std::numeric_limits<float>::infinity() : limits[static_cast<std::size_t>(r)];
    mark_kept(rays.get(r), t.subspan(static_cast<std::size_t>(r) * n_per_ray, n_per_ray), limit,
              is_kept_.data() + r * n_per_ray);
  });
  out.offsets.assign(1, 0);
  out.t.clear();
  out.delta.clear();
  kept_.clear();
  for (int64_t r = 0; r < n_rays; ++r) {
    for (int64_t i = r * n_per_ray; i < (r + 1) * n_per_ray; ++i) {
      if (is_kept_[static_cast<std::size_t>(i)] == 0) continue;
      out.t.push_back(t[static_cast<std::size_t>(i)]);
      out.delta.push_back(delta_[static_cast<std::size_t>(i)]);
      kept_.push_back(i);
    }
    out.offsets.push_back(static_cast<int64_t>(out.t.size()));
  }
}

void HierarchicalSampler::mark_kept(const Ray& ray, std::span<const float> t, float limit, uint8_t* is_kept) const {
  if (!ray.hits()) return;
  for (std::size_t i = 0; i < t.size() && t[i] <= limit; ++i) {
    std::array<double, 3> p;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      p[axis] = double{ray.origin[axis]} + double{t[i]} * ray.direction[axis];
    }
    is_kept[i] = skipping_.grid == nullptr || skipping_.grid->is_occupied(p) ? 1 : 0;
  }
}

}  // namespace loe
