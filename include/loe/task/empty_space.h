// What a fitted field shows where nothing is ("floaters"): claim Q3 of the paper, "no artefacts in free space".
#pragma once

#include <cstdint>
#include <span>

#include "loe/render/rays.h"
#include "loe/task/scene_task.h"

namespace loe {

/// depths[r] = integral of the density along ray r from its near to its far end, by the middle of each of
/// samples_per_ray equal parts, moved within it by a fixed random number:
///
///   D = L / m sum_k sigma(origin + (near + (k + u_k) L / m) direction),   L = far - near, u_k uniform in [0, 1)
///
/// The random numbers keep a regular set of rays from falling into step with the cells of a grid, whose experts repeat.
/// They are a function of (r, k): the same call gives the same bits. 0 for a ray that hits nothing.
///   depths [R], no unit (density per length times length)
/// Cost: R samples_per_ray evaluations of the fine network; memory for 262,144 of them at a time.
/// Error(InvalidArgument) unless samples_per_ray is in 1..65536 and depths has the rays' number.
void optical_depths(FieldRenderer& renderer, const RayBatch& rays, int samples_per_ray, std::span<double> depths);

struct EmptySpaceOpacity {
  double mean = 0;     ///< over all rays
  double largest = 0;  ///< of any ray
  int64_t n_rays = 0;
};

/// Opacity 1 - exp(-D) that a field has inside boxes known to be empty, over rays that cross them: for each box and
/// each of the three axes, one ray parallel to the axis through each of n x n equal parts of the box's face, at a fixed
/// random place in it, from one side of the box to the other. 0: nothing is there; 1: a wall. Each box and each
/// direction counts alike, however long its rays are; a ray's length is that of its box (in normalised units, in which
/// the scene's box has sides of up to 1), so values compare between fits of one scene only.
///   boxes: in [-0.5, 0.5]^3, with positive sides
/// Cost: 3 n^2 samples_per_ray evaluations of the fine network per box: 196,608 for the defaults.
/// Error(InvalidArgument) for boxes that are empty or outside, none, or rays_per_side not in 1..1024.
EmptySpaceOpacity empty_space_opacity(FieldRenderer& renderer, std::span<const Box> boxes, int rays_per_side = 32,
                                      int samples_per_ray = 64);

/// What a camera sees of it: for each ray the opacity 1 - exp(-sum over boxes of D) of all that the field has inside
/// the boxes, as if there were nothing else. opacity [R].
/// Cost: at most R boxes.size() samples_per_box evaluations (none where a ray misses a box).
void render_empty_space(FieldRenderer& renderer, const RayBatch& rays, std::span<const Box> boxes, int samples_per_box,
                        std::span<float> opacity);

}  // namespace loe
