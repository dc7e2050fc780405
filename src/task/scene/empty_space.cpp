#include "loe/task/empty_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "loe/base/error.h"
#include "loe/base/random.h"

namespace loe {
namespace {

/// Evaluations of the network that are in memory at a time.
constexpr int64_t kPointsAtOnce = 262144;
constexpr int kMaxSamplesPerRay = 65536;
constexpr int kMaxRaysPerSide = 1024;
/// Any number: it decides where samples lie, for all fields alike.
constexpr uint64_t kSeed = 0;

void require_in_range(const char* thing, int value, int max) {
  if (value < 1 || value > max) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[empty_space] {}: expected 1..{}, got {}; choose one in between", thing, max, value));
  }
}

void require_boxes(std::span<const Box> boxes) {
  if (boxes.empty()) {
    throw Error(ErrorKind::InvalidArgument, "[empty_space] boxes: expected at least one, got none; name the space");
  }
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const double min = boxes[i].min[axis];
      const double max = boxes[i].max[axis];
      if (!(min >= -0.5 && min < max && max <= 0.5)) {
        throw Error(ErrorKind::InvalidArgument,
                    fmt::format("[empty_space] boxes[{}], axis {}: expected -0.5 <= min < max <= 0.5, got {} and {}; "
                                "give boxes of the normalised scene",
                                i, axis, min, max));
      }
    }
  }
}

/// The rays of empty_space_opacity through one box along one axis.
void rays_through(const Box& box, std::size_t axis, int n, uint64_t counter, RayBatch& rays) {
  const std::size_t u = (axis + 1) % 3;
  const std::size_t v = (axis + 2) % 3;
  rays.resize(int64_t{n} * n);
  for (int64_t i = 0; i < rays.size(); ++i) {
    const auto words = random_words(kSeed, RandomStream::Samples, counter, static_cast<uint32_t>(i));
    const auto place = [&](std::size_t a, int64_t cell, uint32_t word) {
      const double share = (static_cast<double>(cell) + double{to_unit_float(word)}) / n;
      return static_cast<float>(box.min[a] + share * (box.max[a] - box.min[a]));
    };
    Ray ray;
    ray.origin[axis] = static_cast<float>(box.min[axis]);
    ray.origin[u] = place(u, i % n, words[0]);
    ray.origin[v] = place(v, i / n, words[1]);
    ray.direction = {0, 0, 0};
    ray.direction[axis] = 1;
    ray.far = static_cast<float>(box.max[axis] - box.min[axis]);
    rays.set(i, ray);
  }
}

std::array<double, 3> to_double(const std::array<float, 3>& a) {
  return {double{a[0]}, double{a[1]}, double{a[2]}};
}

}  // namespace

void optical_depths(FieldRenderer& renderer, const RayBatch& rays, int samples_per_ray, std::span<double> depths) {
  require_in_range("samples per ray", samples_per_ray, kMaxSamplesPerRay);
  if (depths.size() != static_cast<std::size_t>(rays.size())) {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[empty_space] depths: expected one for each of {} rays, got {}", rays.size(), depths.size()));
  }
  std::vector<float> points;
  std::vector<float> sigma;
  std::vector<int64_t> owners;  // of each sample: its ray
  const auto evaluate = [&] {
    sigma.resize(owners.size());
    if (!owners.empty()) renderer.density(points, sigma);
    for (std::size_t i = 0; i < owners.size(); ++i) {
      const auto r = static_cast<std::size_t>(owners[i]);
      depths[r] += double{sigma[i]} * (double{rays.far[r]} - double{rays.near[r]}) / samples_per_ray;
    }
    points.clear();
    owners.clear();
  };
  std::fill(depths.begin(), depths.end(), 0.0);
  for (int64_t r = 0; r < rays.size(); ++r) {
    const Ray ray = rays.get(r);
    if (!ray.hits()) continue;
    for (int k = 0; k < samples_per_ray; ++k) {
      const auto words =
          random_words(kSeed, RandomStream::RayJitter, static_cast<uint64_t>(r), static_cast<uint32_t>(k / 4));
      const double share = (k + double{to_unit_float(words[static_cast<std::size_t>(k % 4)])}) / samples_per_ray;
      const double t = double{ray.near} + share * (double{ray.far} - double{ray.near});
      for (std::size_t axis = 0; axis < 3; ++axis) {
        points.push_back(static_cast<float>(double{ray.origin[axis]} + t * double{ray.direction[axis]}));
      }
      owners.push_back(r);
      if (static_cast<int64_t>(owners.size()) == kPointsAtOnce) evaluate();
    }
  }
  evaluate();
}

EmptySpaceOpacity empty_space_opacity(FieldRenderer& renderer, std::span<const Box> boxes, int rays_per_side,
                                      int samples_per_ray) {
  require_boxes(boxes);
  require_in_range("rays per side", rays_per_side, kMaxRaysPerSide);
  EmptySpaceOpacity result;
  RayBatch rays;
  std::vector<double> depths(static_cast<std::size_t>(rays_per_side) * static_cast<std::size_t>(rays_per_side));
  double sum = 0;
  for (std::size_t i = 0; i < 3 * boxes.size(); ++i) {
    rays_through(boxes[i / 3], i % 3, rays_per_side, i, rays);
    optical_depths(renderer, rays, samples_per_ray, depths);
    for (const double depth : depths) {
      const double opacity = -std::expm1(-depth);
      sum += opacity;
      result.largest = std::max(result.largest, opacity);
    }
    result.n_rays += rays.size();
  }
  result.mean = sum / static_cast<double>(result.n_rays);
  return result;
}

void render_empty_space(FieldRenderer& renderer, const RayBatch& rays, std::span<const Box> boxes, int samples_per_box,
                        std::span<float> opacity) {
  require_boxes(boxes);
  const auto n_rays = static_cast<std::size_t>(rays.size());
  if (opacity.size() != n_rays) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[empty_space] opacity: expected one for each of {} rays, got {}", n_rays, opacity.size()));
  }
  std::vector<double> depths(n_rays);
  std::vector<double> sums(n_rays, 0.0);
  RayBatch inside;
  inside.resize(rays.size());
  for (const Box& box : boxes) {
    for (int64_t r = 0; r < rays.size(); ++r) {
      Ray ray = rays.get(r);
      const RayInterval interval =
          intersect_box(box, to_double(ray.origin), to_double(ray.direction), double{ray.near});
      ray.near = static_cast<float>(interval.near);
      ray.far = std::min(ray.far, static_cast<float>(interval.far));
      inside.set(r, ray);
    }
    optical_depths(renderer, inside, samples_per_box, depths);
    std::transform(sums.begin(), sums.end(), depths.begin(), sums.begin(), std::plus<>());
  }
  std::transform(sums.begin(), sums.end(), opacity.begin(),
                 [](double depth) { return static_cast<float>(-std::expm1(-depth)); });
}

}  // namespace loe
