#include "loe/render/rays.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "loe/base/error.h"
#include "render/check.h"
#include "render/ray_loop.h"
#include "render/vec3.h"

namespace loe {
namespace {

struct CameraLine {
  Vec3 origin{};
  Vec3 direction{};
  double along_axis = 0;  ///< cosine between the direction and the view's axis
};

/// In world axes; NaN where no direction leads.
CameraLine line_of_pixel(const Intrinsics& intrinsics, const Pose& camera_to_world, double u, double v) {
  const CameraRay ray = ray_of_pixel(intrinsics, camera_to_world, u, v);
  CameraLine line{ray.origin, ray.direction, 0};
  for (int row = 0; row < 3; ++row) {
    line.along_axis -= ray.direction[row] * camera_to_world.matrix[row][2];
  }
  return line;
}

Ray ray_of_line(const CameraLine& line, const Box& box, double near, double far) {
  const RayInterval interval = intersect_box(box, line.origin, line.direction, near);
  Ray ray;
  for (int a = 0; a < 3; ++a) {
    ray.origin[a] = static_cast<float>(line.origin[a]);
  }
  if (std::isfinite(line.direction[0] + line.direction[1] + line.direction[2])) {
    for (int a = 0; a < 3; ++a) {
      ray.direction[a] = static_cast<float>(line.direction[a]);
    }
  }
  const double end = std::min(interval.far, far);
  if (interval.near < end) {
    ray.near = static_cast<float>(interval.near);
    ray.far = static_cast<float>(end);
  }
  return ray;
}

}  // namespace

void RayBatch::resize(int64_t n_rays) {
  const std::size_t n = static_cast<std::size_t>(n_rays);
  origins.resize(n * 3);
  directions.resize(n * 3);
  near.resize(n);
  far.resize(n);
}

void RayBatch::set(int64_t index, const Ray& ray) {
  std::copy(ray.origin.begin(), ray.origin.end(), origins.begin() + index * 3);
  std::copy(ray.direction.begin(), ray.direction.end(), directions.begin() + index * 3);
  near[index] = ray.near;
  far[index] = ray.far;
}

Ray RayBatch::get(int64_t index) const {
  Ray ray;
  std::copy_n(origins.begin() + index * 3, 3, ray.origin.begin());
  std::copy_n(directions.begin() + index * 3, 3, ray.direction.begin());
  ray.near = near[index];
  ray.far = far[index];
  return ray;
}

RayInterval intersect_box(const Box& box, const std::array<double, 3>& origin, const std::array<double, 3>& direction,
                          double min_near) {
  double near = min_near;
  double far = std::numeric_limits<double>::infinity();
  for (int a = 0; a < 3; ++a) {
    if (direction[a] == 0) {
      // 0 / 0 would be NaN for an origin on the box's face.
      if (!(origin[a] >= box.min[a] && origin[a] <= box.max[a])) {
        return {};
      }
      continue;
    }
    const double t = (box.min[a] - origin[a]) / direction[a];
    const double u = (box.max[a] - origin[a]) / direction[a];
    near = std::max(near, std::min(t, u));
    far = std::min(far, std::max(t, u));
    if (std::isnan(t) || std::isnan(u)) {
      return {};
    }
  }
  return near < far && std::isfinite(far) ? RayInterval{near, far} : RayInterval{};
}

Ray pixel_ray(const Intrinsics& intrinsics, const Pose& camera_to_world, double u, double v, const Box& box,
              double min_near) {
  return ray_of_line(line_of_pixel(intrinsics, camera_to_world, u, v), box, min_near,
                     std::numeric_limits<double>::infinity());
}

Ray pixel_ray(const View& view, double u, double v, const Box& box) {
  const CameraLine line = line_of_pixel(view.intrinsics, view.camera_to_world, u, v);
  if (view.near == 0 && view.far == 0) {
    return ray_of_line(line, box, 0, std::numeric_limits<double>::infinity());
  }
  return ray_of_line(line, box, view.near / line.along_axis, view.far / line.along_axis);
}

void rays_of_rows(const View& view, int first_row, int n_rows, const Box& box, RayBatch& rays, ThreadPool* pool) {
  const int width = view.intrinsics.width;
  const int height = view.intrinsics.height;
  if (first_row < 0 || n_rows < 0 || first_row > height - n_rows) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[rays] rows: expected some of 0..{}, got {} from {} on; "
                                                        "ask for rows of the picture",
                                                        height - 1, n_rows, first_row));
  }
  rays.resize(int64_t{width} * n_rows);
  for_each_ray(pool, rays.size(), [&](int64_t index) {
    const double u = static_cast<double>(index % width) + 0.5;
    const int64_t row = first_row + index / width;
    const double v = static_cast<double>(row) + 0.5;
    rays.set(index, pixel_ray(view, u, v, box));
  });
}

void sample_points(const RayBatch& rays, std::span<const int64_t> offsets, std::span<const float> t,
                   std::span<float> points, std::span<float> directions, ThreadPool* pool) {
  const int64_t n_samples = static_cast<int64_t>(t.size());
  require_size("rays", "offsets", offsets.size(), rays.size() + 1);
  require_offsets("rays", offsets, n_samples);
  require_size("rays", "points", points.size(), n_samples * 3);
  if (!directions.empty()) {
    require_size("rays", "directions", directions.size(), n_samples * 3);
  }
  for_each_ray(pool, rays.size(), [&](int64_t r) {
    const float* origin = rays.origins.data() + r * 3;
    const float* direction = rays.directions.data() + r * 3;
    for (int64_t i = offsets[r]; i < offsets[r + 1]; ++i) {
      for (int a = 0; a < 3; ++a) {
        points[i * 3 + a] = origin[a] + t[i] * direction[a];
      }
      if (!directions.empty()) {
        std::copy_n(direction, 3, directions.begin() + i * 3);
      }
    }
  });
}

}  // namespace loe
