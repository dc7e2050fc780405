// Rays of pixels, boxes they pass through, and points on them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "loe/base/thread_pool.h"
#include "loe/signal/camera.h"
#include "loe/signal/scene.h"

namespace loe {

/// Axis-parallel box; by default the one that scenes are scaled into.
struct Box {
  std::array<double, 3> min = {-0.5, -0.5, -0.5};
  std::array<double, 3> max = {0.5, 0.5, 0.5};
  bool operator==(const Box&) const = default;
};

/// Points origin + t direction, near <= t <= far. A ray that meets nothing has near = far.
struct Ray {
  std::array<float, 3> origin{};
  std::array<float, 3> direction = {0, 0, -1};  ///< of length 1
  float near = 0;
  float far = 0;
  bool hits() const { return near < far; }
};

/// R rays as arrays: what samplers and networks read.
struct RayBatch {
  std::vector<float> origins;     ///< [R, 3]
  std::vector<float> directions;  ///< [R, 3], of length 1
  std::vector<float> near;        ///< [R]
  std::vector<float> far;         ///< [R]

  int64_t size() const { return static_cast<int64_t>(near.size()); }
  /// Allocates only beyond the largest size so far.
  void resize(int64_t n_rays);
  void set(int64_t index, const Ray& ray);
  Ray get(int64_t index) const;
};

struct RayInterval {
  double near = 0;
  double far = 0;
};

/// Where a ray is inside the box, from min_near on, by the slab method: with t_a = (min_a - o_a) / d_a and
/// u_a = (max_a - o_a) / d_a per axis, near = max(min_near, min(t_a, u_a)...), far = min(max(t_a, u_a)...).
/// An axis with d_a = 0 restricts nothing if o_a is in [min_a, max_a] and everything if not. near = far = 0 if the ray
/// misses the box, only touches it, or is not finite.
RayInterval intersect_box(const Box& box, const std::array<double, 3>& origin, const std::array<double, 3>& direction,
                          double min_near = 0);

/// Ray through pixel position (u, v) (pixel centres at j + 1/2) of a camera, its near and far from intersect_box.
/// Computed in double, rounded once. A position that no direction leads to (outside of a lens's range) misses.
Ray pixel_ray(const Intrinsics& intrinsics, const Pose& camera_to_world, double u, double v, const Box& box,
              double min_near = 0);
/// The same for a view, whose own near and far (if not both 0: distances along its axis) limit the ray, too.
Ray pixel_ray(const View& view, double u, double v, const Box& box);

/// Rays through the centres of the pixels of rows first_row .. first_row + n_rows - 1, row by row, into `rays`
/// (resized). About 60 ns per ray, 370 ns with lens distortion. Error(InvalidArgument) if the rows are not in the
/// picture.
void rays_of_rows(const View& view, int first_row, int n_rows, const Box& box, RayBatch& rays,
                  ThreadPool* pool = nullptr);

/// points[i] = origin + t_i direction of each sample's ray; directions[i] its direction.
///   offsets [R + 1] (see RaySamples), t [S] -> points [S, 3], directions [S, 3] or empty
/// In float: a point at `far` may lie outside of the box by a rounding.
/// Throws Error(InvalidArgument) naming the shape that disagrees.
void sample_points(const RayBatch& rays, std::span<const int64_t> offsets, std::span<const float> t,
                   std::span<float> points, std::span<float> directions, ThreadPool* pool = nullptr);

}  // namespace loe
