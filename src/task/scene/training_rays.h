// Rays through random pixels of a scene's training views, with the colours seen there.
#pragma once

#include <cstdint>
#include <vector>

#include "loe/render/rays.h"
#include "loe/signal/scene.h"
#include "loe/task/scene_settings.h"

namespace loe {

struct TrainingRays {
  RayBatch rays;
  std::vector<float> targets;      ///< [R, 3], pixels with alpha over their background
  std::vector<float> backgrounds;  ///< [R, 3]
};

/// Draws pixels uniformly, with replacement, of all pixels of the training views that no mask leaves out. Pixel of ray
/// i of step s: a function of (seed, s, i).
class TrainingRayDrawer {
 public:
  /// `pictures` must outlive the drawer. Error(NotFound) without training views, Error(InvalidArgument) if masks leave
  /// no pixel.
  TrainingRayDrawer(const ScenePictures& pictures, const SceneSettings& settings, uint64_t seed);

  int64_t n_pixels() const { return first_pixel_.back(); }
  void draw(int64_t step, int64_t n_rays, TrainingRays& out) const;

 private:
  const ScenePictures& pictures_;
  bool random_background_;
  std::array<double, 3> background_;
  uint64_t seed_;
  std::vector<std::size_t> views_;
  std::vector<int64_t> first_pixel_;             ///< of each view among all, and their number
  std::vector<std::vector<uint32_t>> unmasked_;  ///< pixels to learn from, of views with a mask
};

}  // namespace loe
