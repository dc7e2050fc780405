#include "loe/render/analytic_scene.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "render/vec3.h"

namespace loe {
namespace {

constexpr double kPi = std::numbers::pi;

/// Of numbers near 1; std::hypot guards against overflow and takes five times as long.
double norm_of(double x, double y) {
  return std::sqrt(x * x + y * y);
}

// --- Shapes: signed distances. Exact outside, or a lower bound. ----------------------------------------------------

double box_distance(const Vec3& p, const Vec3& half) {
  Vec3 outside{};
  double inside = -1;
  for (int a = 0; a < 3; ++a) {
    const double q = std::abs(p[a]) - half[a];
    outside[a] = std::max(q, 0.0);
    inside = a == 0 ? q : std::max(inside, q);
  }
  return length(outside) + std::min(inside, 0.0);
}

/// Upright cylinder with flat ends.
double cylinder_distance(const Vec3& p, double radius, double half_height) {
  const double x = norm_of(p[0], p[2]) - radius;
  const double y = std::abs(p[1]) - half_height;
  return norm_of(std::max(x, 0.0), std::max(y, 0.0)) + std::min(std::max(x, y), 0.0);
}

/// Around the axis y.
double torus_distance(const Vec3& p, double radius, double tube) {
  return norm_of(norm_of(p[0], p[2]) - radius, p[1]) - tube;
}

Vec3 rotated_about_y(const Vec3& p, double angle) {
  const double c = std::cos(angle);
  const double s = std::sin(angle);
  return {c * p[0] - s * p[2], p[1], s * p[0] + c * p[2]};
}

Vec3 rotated_about_x(const Vec3& p, double angle) {
  const double c = std::cos(angle);
  const double s = std::sin(angle);
  return {p[0], c * p[1] - s * p[2], s * p[1] + c * p[2]};
}

// --- Textures -------------------------------------------------------------------------------------------------------

/// 0 or 1, alternating from square to square.
double chequer(double u, double v) {
  return static_cast<double>((static_cast<int64_t>(std::floor(u)) + static_cast<int64_t>(std::floor(v))) & 1);
}

Vec3 mixed(const Vec3& a, const Vec3& b, double share) {
  return add(scale(a, 1 - share), scale(b, share));
}

/// Of the colour circle, hue in turns.
Vec3 hue(double turns) {
  Vec3 color{};
  for (int c = 0; c < 3; ++c) {
    color[c] = 0.5 + 0.45 * std::cos(2 * kPi * (turns - c / 3.0));
  }
  return color;
}

enum class Shape { Ball, Torus, Bricks, Crate, Rods, Plate, Cloud };
constexpr std::array kShapes = {Shape::Ball, Shape::Torus, Shape::Bricks, Shape::Crate,
                                Shape::Rods, Shape::Plate, Shape::Cloud};

struct Material {
  double density;    ///< inside, per unit of length
  double width;      ///< of the soft surface
  double highlight;  ///< strength of the lamp's reflection
};

/// Hard shapes are opaque within 0.02; the cloud lets a half through.
Material material_of(Shape shape) {
  switch (shape) {
    case Shape::Ball:
      return {400, 0.008, 0.5};
    case Shape::Torus:
      return {400, 0.008, 0.35};
    case Shape::Bricks:
    case Shape::Crate:
      return {400, 0.008, 0.0};
    case Shape::Rods:
      return {600, 0.006, 0.4};
    case Shape::Plate:
      return {400, 0.008, 0.15};
    case Shape::Cloud:
      return {9, 0.1, 0.0};
  }
  return {};
}

constexpr Vec3 kBallCentre = {-0.14, -0.03, 0.08};
constexpr Vec3 kTorusCentre = {0.16, -0.02, -0.1};
constexpr double kTorusTilt = 1.0;
constexpr Vec3 kBricksCentre = {0.16, -0.17, 0.2};
constexpr Vec3 kCrateCentre = {-0.2, -0.17, -0.2};
constexpr double kCrateTurn = 0.5;
constexpr Vec3 kPlateCentre = {0, -0.25, 0};
constexpr Vec3 kCloudCentre = {-0.12, 0.3, -0.1};

Vec3 in_torus(const Vec3& p) {
  return rotated_about_x(subtract(p, kTorusCentre), kTorusTilt);
}
Vec3 in_crate(const Vec3& p) {
  return rotated_about_y(subtract(p, kCrateCentre), kCrateTurn);
}

struct Rod {
  double x, z, radius, top;
};
constexpr std::array<Rod, 4> kRods = {Rod{0.32, 0.02, 0.012, 0.18}, Rod{0.02, 0.31, 0.009, 0.12},
                                      Rod{-0.33, 0.0, 0.007, 0.2}, Rod{-0.02, -0.31, 0.005, 0.22}};
constexpr double kRodBottom = -0.24;

const Rod& nearest_rod(const Vec3& p) {
  const auto distance = [&p](const Rod& rod) { return norm_of(p[0] - rod.x, p[2] - rod.z) - rod.radius; };
  return *std::min_element(kRods.begin(), kRods.end(),
                           [&](const Rod& a, const Rod& b) { return distance(a) < distance(b); });
}

double shape_distance(Shape shape, const Vec3& p) {
  switch (shape) {
    case Shape::Ball:
      return length(subtract(p, kBallCentre)) - 0.15;
    case Shape::Torus:
      return torus_distance(in_torus(p), 0.13, 0.045);
    case Shape::Bricks:
      return box_distance(subtract(p, kBricksCentre), {0.08, 0.07, 0.06});
    case Shape::Crate:
      return box_distance(in_crate(p), {0.07, 0.07, 0.07});
    case Shape::Rods: {
      double nearest = 1;
      for (const Rod& rod : kRods) {
        const double half = 0.5 * (rod.top - kRodBottom);
        nearest =
            std::min(nearest, cylinder_distance(subtract(p, {rod.x, kRodBottom + half, rod.z}), rod.radius, half));
      }
      return nearest;
    }
    case Shape::Plate:
      return cylinder_distance(subtract(p, kPlateCentre), 0.4, 0.015);
    case Shape::Cloud: {
      const Vec3 q = subtract(p, kCloudCentre);
      // Two balls that run into each other.
      return std::min(length(q) - 0.06, length(subtract(q, {0.09, -0.02, 0.03})) - 0.045);
    }
  }
  return 1;
}

Vec3 brick_color(const Vec3& p) {
  const Vec3 q = subtract(p, kBricksCentre);
  // Courses 0.028 high; bricks 0.056 long, shifted by a half from course to course; joints 0.005 wide.
  const double course = std::floor(q[1] / 0.028);
  const double along = (q[0] + q[2]) / 0.056 + 0.5 * std::fmod(std::abs(course), 2.0);
  const bool joint = q[1] / 0.028 - course < 0.18 || along - std::floor(along) < 0.09;
  const double shade = 0.85 + 0.15 * std::sin(12.9898 * std::floor(along) + 78.233 * course);
  return joint ? Vec3{0.85, 0.82, 0.75} : scale({0.75, 0.3, 0.2}, shade);
}

Vec3 crate_color(const Vec3& p) {
  const Vec3 q = in_crate(p);
  const double rings = 0.5 + 0.5 * std::sin(2 * kPi * (q[1] + 0.3 * std::sin(9 * q[0])) / 0.035);
  const bool frame = std::abs(q[1]) > 0.055;
  return frame ? Vec3{0.15, 0.35, 0.3} : mixed({0.3, 0.65, 0.5}, {0.75, 0.85, 0.45}, rings);
}

Vec3 plate_color(const Vec3& p) {
  const double marble = std::sin(2 * kPi * (p[0] / 0.21 + 0.35 * std::sin(2 * kPi * p[2] / 0.17)));
  const Vec3 tiles = chequer(p[0] / 0.1, p[2] / 0.1) > 0 ? Vec3{0.86, 0.84, 0.8} : Vec3{0.5, 0.52, 0.6};
  const double radius = norm_of(p[0], p[2]);
  const bool inlay = radius > 0.35 && std::sin(48 * std::atan2(p[2], p[0])) > 0;
  return inlay ? Vec3{0.2, 0.2, 0.28} : scale(tiles, 0.9 + 0.1 * marble);
}

Vec3 albedo_of(Shape shape, const Vec3& p) {
  switch (shape) {
    case Shape::Ball: {
      const Vec3 q = subtract(p, kBallCentre);
      const double longitude = std::atan2(q[2], q[0]) / (2 * kPi);
      const double latitude = std::atan2(q[1], norm_of(q[0], q[2])) / kPi;
      const double coarse = chequer(longitude * 12, latitude * 6);
      const double fine = chequer(longitude * 48, latitude * 24);
      return coarse > 0 ? mixed({0.92, 0.9, 0.85}, {0.7, 0.72, 0.8}, fine) : Vec3{0.8, 0.12, 0.1};
    }
    case Shape::Torus: {
      const Vec3 q = in_torus(p);
      const double around = std::atan2(q[2], q[0]) / (2 * kPi);
      const double tube = std::atan2(q[1], norm_of(q[0], q[2]) - 0.13) / (2 * kPi);
      const double stripe = 0.5 + 0.5 * std::sin(2 * kPi * (18 * around + 2 * tube));
      return scale(hue(around), 0.55 + 0.45 * stripe);
    }
    case Shape::Bricks:
      return brick_color(p);
    case Shape::Crate:
      return crate_color(p);
    case Shape::Rods: {
      const Rod& rod = nearest_rod(p);
      return chequer(p[1] / 0.04, 0) > 0 ? Vec3{0.95, 0.75, 0.15} : hue(rod.x + rod.z);
    }
    case Shape::Plate:
      return plate_color(p);
    case Shape::Cloud:
      return {0.95, 0.8, 0.9};
  }
  return {};
}

double smoothstep(double x) {
  x = std::clamp(x, 0.0, 1.0);
  return x * x * (3 - 2 * x);
}

double shape_density(Shape shape, double distance) {
  const Material material = material_of(shape);
  return material.density * smoothstep(0.5 - distance / material.width);
}

/// Outward, from differences at the corners of a tetrahedron.
Vec3 shape_normal(Shape shape, const Vec3& p) {
  constexpr double kStep = 1e-4;
  constexpr std::array<Vec3, 4> kCorners = {Vec3{1, -1, -1}, Vec3{-1, -1, 1}, Vec3{-1, 1, -1}, Vec3{1, 1, 1}};
  Vec3 sum{};
  for (const Vec3& corner : kCorners) {
    sum = add(sum, scale(corner, shape_distance(shape, add(p, scale(corner, kStep)))));
  }
  const double norm = length(sum);
  return norm > 0 ? scale(sum, 1 / norm) : Vec3{0, 1, 0};
}

Vec3 shaded(Shape shape, const Vec3& p, const Vec3& direction) {
  static const Vec3 lamp = normalised({0.5, 0.8, 0.35});
  const Vec3 albedo = albedo_of(shape, p);
  if (shape == Shape::Cloud) {
    return albedo;
  }
  const Vec3 normal = shape_normal(shape, p);
  const Vec3 lit = scale(albedo, 0.45 + 0.55 * std::max(0.0, dot(normal, lamp)));
  const Vec3 mirrored = subtract(lamp, scale(normal, 2 * dot(lamp, normal)));
  const double highlight = std::pow(std::max(0.0, dot(mirrored, direction)), 20);
  return add(lit, scale({1, 1, 0.95}, material_of(shape).highlight * highlight));
}

}  // namespace

double AnalyticScene::density(const std::array<double, 3>& p) const {
  double sum = 0;
  for (const Shape shape : kShapes) {
    sum += shape_density(shape, shape_distance(shape, p));
  }
  return sum;
}

AnalyticScene::Sample AnalyticScene::sample(const std::array<double, 3>& p,
                                            const std::array<double, 3>& direction) const {
  double sum = 0;
  Vec3 color{};
  for (const Shape shape : kShapes) {
    const double sigma = shape_density(shape, shape_distance(shape, p));
    if (sigma > 0) {
      sum += sigma;
      color = add(color, scale(shaded(shape, p, direction), sigma));
    }
  }
  Sample sample;
  if (sum > 0) {
    sample.sigma = static_cast<float>(sum);
    for (int c = 0; c < 3; ++c) {
      sample.color[c] = static_cast<float>(std::clamp(color[c] / sum, 0.0, 1.0));
    }
  }
  return sample;
}

double AnalyticScene::clearance(const std::array<double, 3>& p) const {
  double nearest = 10;
  for (const Shape shape : kShapes) {
    nearest = std::min(nearest, shape_distance(shape, p) - 0.5 * material_of(shape).width);
  }
  return std::max(nearest, 0.0);
}

std::span<const Box> AnalyticScene::empty_boxes() {
  static const std::array<Box, 5> boxes = {
      Box{{0.02, -0.21, 0.05}, {0.07, 0.1, 0.28}},      // between ball, bricks and torus
      Box{{-0.1, -0.21, -0.28}, {-0.04, 0.1, -0.1}},    // between crate and torus
      Box{{0.05, 0.17, 0.0}, {0.3, 0.35, 0.25}},        // above the bricks
      Box{{-0.25, 0.14, 0.03}, {0.0, 0.35, 0.25}},      // above the ball
      Box{{-0.25, -0.42, -0.25}, {0.25, -0.28, 0.25}},  // below the plate
  };
  return boxes;
}

}  // namespace loe
