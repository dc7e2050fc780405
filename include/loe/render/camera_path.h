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
