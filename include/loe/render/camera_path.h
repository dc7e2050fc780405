// Cameras that move: orbits, spirals and tours of key poses.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "loe/signal/camera.h"

namespace loe {

/// Camera at `eye` that looks at `target` with `up` pointing up in the picture (as far as it can).
/// Error(InvalidArgument) if eye = target, or up is 0 or along the view.
Pose look_at(const std::array<double, 3>& eye, const std::array<double, 3>& target, const std::array<double, 3>& up);

/// n poses on a circle around the axis `up` through `centre`, at equal angles, all looking at the centre: camera k
/// stands at centre + radius (cos(elevation) (cos(a) x + sin(a) y) + sin(elevation) up), a = 2 pi k / n, where x is the
/// axis least along `up`, made perpendicular to it, and y = up x x. Pose n would be pose 0 again.
///   elevation in radians, in (-pi/2, pi/2), above the plane perpendicular to `up`
/// Error(InvalidArgument) if radius is not positive, up is 0, n < 1 or elevation out of its range.
std::vector<Pose> orbit(const std::array<double, 3>& centre, const std::array<double, 3>& up, double radius,
                        double elevation, int n);

/// What orbit() takes.
struct OrbitSpec {
  std::array<double, 3> centre{};
  std::array<double, 3> up = {0, 1, 0};
  double radius = 1;
  double elevation = 0;
};
/// The orbit nearest to cameras that stand around something: around view_centre(), up is the mean of the cameras' up
/// axes, radius and elevation (at most 80 degrees) the means of theirs. Error(InvalidArgument) unless the cameras look
/// at a common point (their axes are not nearly parallel, and on average within 60 degrees of it), from more sides than
/// an arc of 90 degrees, and agree about up.
OrbitSpec orbit_of_cameras(std::span<const Pose> cameras);

struct SpiralSpec {
  std::array<double, 3> radii = {0.1, 0.1, 0.1};  ///< along the middle camera's right, up and backward axes
  double focus = 1;         ///< > 0, distance in front of the middle camera of the point that all look at
  double depth_rate = 0.5;  ///< swings along the axis per turn
  double n_turns = 2;
};
/// LLFF's spiral around a middle camera: pose k of n, theta = 2 pi n_turns k / n, stands in the middle camera's axes at
/// (r_x cos(theta), -r_y sin(theta), -r_z sin(theta depth_rate)) and looks at (0, 0, -focus), the middle's up being up.
/// Closed if n_turns and n_turns * depth_rate are whole numbers. Error(InvalidArgument) if n < 1 or focus <= 0.
std::vector<Pose> spiral(const Pose& middle, const SpiralSpec& spec, int n);

/// What spiral() takes.
struct SpiralPath {
  Pose middle;
  SpiralSpec spec;
};
/// A spiral among cameras that face forward: the middle camera has the means of their positions, backward and up axes;
/// radii are the 90th percentile of the distances from it along its axes, as LLFF's. Focus: the distance of
/// view_centre() where the axes meet in front; else LLFF's 1 / (0.25 / near + 0.75 / (5 far)), limits along the axis;
/// else (far = 0) that of `middle_of_scene`. Error(InvalidArgument) unless the cameras look about the same way.
SpiralPath spiral_of_cameras(std::span<const Pose> cameras, double near, double far,
                             const std::array<double, 3>& middle_of_scene);

enum class PathCurve {
  Linear,      ///< straight from key to key
  CatmullRom,  ///< smooth through all keys (uniform Catmull-Rom; ends of an open path: mirrored neighbours)
};
/// n poses along K keys. Open: pose k at u = k (K - 1) / (n - 1), from the first key to the last (n = 1: the first).
/// Closed: u = k K / n, back to the first key, which is not repeated. Whole u are keys. Rotations between two keys are
/// the spherical interpolation (slerp) of their quaternions, the shorter way.
/// Error(InvalidArgument) if n < 1, K < 1, or a key is not a rotation within 1e-4.
std::vector<Pose> interpolate_poses(std::span<const Pose> keys, int n, bool closed, PathCurve curve);

}  // namespace loe
