// Sliced Wasserstein distance between two sets of pictures, scale by scale. Formulas: docs/metrics.md.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "loe/base/thread_pool.h"

namespace loe {

/// Pictures that can be read in any order, from several threads at a time: RGB, 8 bits, R x R. PictureSet::read fits.
struct PictureReader {
  int64_t n_pictures = 0;
  int resolution = 0;
  std::function<void(int64_t index, uint8_t* out)> read;  ///< out [R, R, 3]
};

/// The defaults are those of Karras et al. 2018 ("Progressive growing of GANs", section 5 and its published code).
struct SlicedWassersteinOptions {
  int n_patches = 128;     ///< per picture and level, 1..4096
  int n_directions = 512;  ///< random unit vectors per level, 1..16384
  uint64_t seed = 0;
  /// For projections; fewer bytes mean more passes over the pictures. At least one direction is held, 8 bytes for each
  /// patch of a set (16,384 pictures: 17 MB).
  int64_t max_memory_bytes = int64_t{1} << 30;
};

struct SlicedWasserstein {
  std::vector<int> resolutions;   ///< R, R / 2, ... of the levels, finest first
  std::vector<double> distances;  ///< 1000 x the distance of each level (as that paper prints it)
  double mean = 0;                ///< of `distances`
};

/// Each picture (values 0..255) becomes a Laplacian pyramid: level k is G_k - up(G_(k+1)), the last one G_k itself,
/// with the 5 x 5 binomial filter and mirrored borders. Halving goes on while the size is even and the next at
/// least 16. On each level n_patches random 7 x 7 x 3 patches of each picture are taken; over all patches of a set and
/// level each colour channel is shifted and scaled to mean 0 and standard deviation 1; the distance of the level is the
/// mean over random unit vectors u in R^147 of the mean |a_(i) - b_(i)| over the sorted projections of both sets on u.
///
/// Where it differs from the published code: a patch's place is a function of (seed, the picture's pixels), not of its
/// place in the set, so that equal pictures give equal patches: the distance of a set to itself is 0, and the order of
/// pictures plays no part (beyond rounding). Directions are a function of (seed, level).
/// Both sets are compared after scaling each by its own mean and deviation: a change of brightness or contrast of a
/// whole set alone does not show.
///
/// Same bits for any number of threads. Each picture is read 1 + (number of levels x passes) times.
/// Error(InvalidArgument) unless both sets have the same number >= 1 of pictures and the same resolution in 16..4096,
/// or for options out of range. Cost, defaults: 41 ms for each picture of a
/// set at R = 128 on one core (measured).
SlicedWasserstein sliced_wasserstein(const PictureReader& a, const PictureReader& b,
                                     const SlicedWassersteinOptions& options, ThreadPool& pool);

/// The distance of two sets of points alone (no pictures, no scaling, not times 1000): a, b [n, n_dims], the same n.
/// Mean over n_directions random unit vectors of the mean distance of the sorted projections.
/// Error(InvalidArgument) for shapes that disagree or n_directions outside 1..16384.
double sliced_wasserstein_of_points(std::span<const float> a, std::span<const float> b, int n_dims, int n_directions,
                                    uint64_t seed, ThreadPool& pool);

}  // namespace loe
