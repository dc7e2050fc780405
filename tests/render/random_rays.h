// Rays with random samples, as floats for the library and as doubles for the reference.
#pragma once

#include <cmath>
#include <vector>

#include "loe/base/random.h"
#include "loe/render/volume_rendering.h"
#include "render/reference/volume_rendering.h"

namespace loe {

/// Numbers in [0, 1), one after the other.
class TestNumbers {
 public:
  explicit TestNumbers(uint64_t seed) : seed_(seed) {}
  float next() { return to_unit_float(random_words(seed_, RandomStream::Samples, counter_++)[0]); }
  float between(float low, float high) { return low + (high - low) * next(); }

 private:
  uint64_t seed_;
  uint64_t counter_ = 0;
};

struct TestRays {
  std::vector<int64_t> offsets;
  std::vector<float> t, delta, sigma, color, background;

  RaySamples samples() const { return {offsets, t, delta, sigma, color}; }
  int64_t n_rays() const { return static_cast<int64_t>(offsets.size()) - 1; }

  reference::Ray ray(int64_t r) const {
    reference::Ray ray;
    for (int64_t i = offsets[r]; i < offsets[r + 1]; ++i) {
      ray.t.push_back(t[i]);
      ray.delta.push_back(delta[i]);
      ray.sigma.push_back(sigma[i]);
      ray.color.push_back({color[i * 3], color[i * 3 + 1], color[i * 3 + 2]});
    }
    ray.background = {background[r * 3], background[r * 3 + 1], background[r * 3 + 2]};
    return ray;
  }
};

/// Rays of 0 to max_samples samples. Densities are spread over decades, one in four is 0, and some rays are opaque.
inline TestRays random_rays(int64_t n_rays, int max_samples, uint64_t seed) {
  TestNumbers numbers(seed);
  TestRays rays;
  rays.offsets.push_back(0);
  for (int64_t r = 0; r < n_rays; ++r) {
    const int n = static_cast<int>(numbers.next() * static_cast<float>(max_samples + 1));
    float t = numbers.next();
    for (int i = 0; i < n; ++i) {
      const float delta = numbers.between(0.0F, 0.05F);
      rays.t.push_back(t);
      rays.delta.push_back(delta);
      rays.sigma.push_back(numbers.next() < 0.25F ? 0.0F : std::pow(10.0F, numbers.between(-4.0F, 3.0F)));
      t += delta;
      for (int c = 0; c < 3; ++c) {
        rays.color.push_back(numbers.next());
      }
    }
    for (int c = 0; c < 3; ++c) {
      rays.background.push_back(numbers.next());
    }
    rays.offsets.push_back(static_cast<int64_t>(rays.t.size()));
  }
  return rays;
}

}  // namespace loe
