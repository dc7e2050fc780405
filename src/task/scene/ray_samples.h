// The samples of a batch of rays on their way through one network.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loe/render/ray_sampler.h"
#include "loe/render/rays.h"
#include "loe/task/scene_task.h"

namespace loe {

/// Samples that a network is asked for: ray r owns offsets[r] .. offsets[r + 1] - 1, perhaps none.
struct SampleSet {
  std::vector<int64_t> offsets;  ///< [R + 1]
  std::vector<float> t;
  std::vector<float> delta;
  int64_t size() const { return static_cast<int64_t>(t.size()); }
};

/// Draws both sets (NeRF's hierarchical sampling). Skipping leaves samples out and changes no interval: if what is left
/// out has no density, the quadrature is the same number.
class HierarchicalSampler {
 public:
  /// pool: may be null; it must outlive the sampler.
  HierarchicalSampler(const RaySettings& rays, const RaySkipping& skipping, ThreadPool* pool = nullptr)
      : settings_(rays), skipping_(skipping), pool_(pool) {}

  void draw_coarse(const RayBatch& rays, const SampleJitter& jitter, SampleSet& out);
  /// weights: of the last coarse set, as volume_render left them.
  void draw_fine(const RayBatch& rays, const SampleJitter& jitter, std::span<const float> weights, SampleSet& out);

 private:
  /// The samples t [R, n_per_ray] that are to be evaluated. limits [R]: distances behind which none is; empty: none.
  void keep(const RayBatch& rays, std::span<const float> t, int n_per_ray, std::span<const float> limits,
            SampleSet& out);
  /// Which samples t of a ray, up to a distance, lie where something may be.
  void mark_kept(const Ray& ray, std::span<const float> t, float limit, uint8_t* is_kept) const;
  void find_limits(int64_t n_rays);

  RaySettings settings_;
  RaySkipping skipping_;
  ThreadPool* pool_;
  std::vector<float> coarse_t_;  ///< [R, n_coarse], all of them
  std::vector<uint8_t> is_kept_;
  std::vector<int64_t> kept_;   ///< index among all of each sample that the last keep() kept
  std::vector<float> weights_;  ///< [R, n_coarse], 0 for samples that were left out
  std::vector<float> fine_t_;
  std::vector<float> merged_t_;
  std::vector<float> delta_;
  std::vector<float> limits_;
};

}  // namespace loe
