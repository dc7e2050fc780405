// Which cells of a box hold anything: so that rays are sampled there only.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "loe/base/thread_pool.h"
#include "loe/render/ray_sampler.h"
#include "loe/render/rays.h"

namespace loe {

struct OccupancySpec {
  Box box;
  int resolution = 128;  ///< R cells along each axis: a multiple of 4 in 4..256
  double decay = 0.95;   ///< of a cell's density per update, in (0, 1]
  /// Density from which on a cell counts: 0.01 of optical depth over sqrt(3) / 1024, instant-ngp's smallest step.
  double threshold = 5.9;
  bool operator==(const OccupancySpec&) const = default;
};

/// Samples in occupied cells, ray after ray: offsets, t and delta as RaySamples has them.
struct MarchedSamples {
  std::vector<int64_t> offsets;  ///< [R + 1]
  std::vector<float> t;          ///< [S]
  std::vector<float> delta;      ///< [S], the step
};

/// Largest density met in each cell of a grid, and a bit per cell, kept up to date while the density is learned
/// (instant-ngp, Mueller et al. 2022, appendix C).
///
/// Cell (x, y, z) is number (z R + y) R + x. Memory: 4 bytes and 1 bit per cell (72 MB for R = 256).
class OccupancyGrid {
 public:
  /// sigma[i] >= 0 at points[i], in the box's coordinates: points [B, 3] -> sigma [B], B at most 8192. May use threads.
  using DensityFunction = std::function<void(std::span<const float> points, std::span<float> sigma)>;

  /// Nothing is known, so every cell is occupied. Error(InvalidArgument) if a field is out of its range.
  explicit OccupancyGrid(const OccupancySpec& spec);

  /// One update. Every known density is multiplied by `decay`; then the density is asked for at uniformly random places
  /// in cells, and density = max(density, sigma). A cell asked for the first time takes sigma as it is.
  ///   n_samples = 0     one place in every cell (instant-ngp: the first 256 updates)
  ///   n_samples > 0     half of them in cells drawn uniformly, half in occupied cells (up to 12 draws for each)
  /// Then a cell is occupied if it has never been asked for, or if density > min(threshold, mean / 2), mean over the
  /// known cells; so a field that is faint everywhere does not vanish before it is learned.
  /// Random numbers: a function of seed and step. Error(InvalidArgument) if n_samples is not in 0..2^24.
  void update(const DensityFunction& density, uint64_t seed, uint64_t step, int64_t n_samples = 0);

  /// All that update() reads and changes, [R^3]: densities, -1 where unknown. Saved with a run, it resumes bit for bit.
  std::span<const float> density() const { return density_; }
  /// The reverse; occupancy follows. Error(InvalidArgument) unless R^3 finite numbers.
  void set_density(std::span<const float> density);

  const OccupancySpec& spec() const { return spec_; }
  bool is_occupied(int x, int y, int z) const;
  /// Of the cell that holds p; false outside of the box. A point on the box's upper faces is in the last cell.
  bool is_occupied(const std::array<double, 3>& p) const;
  /// Share of the cells that are occupied, in [0, 1].
  double occupied_share() const;

  /// Samples of each ray at t_k = near + (k + u) step, k = 0, 1, ..., with t_k < far and in an occupied cell, at most
  /// max_samples of them (0: all); u in [0, 1) is one random number per ray, 1/2 without jitter. Computed in double.
  /// Empty cells, and blocks of 4 x 4 x 4 empty cells, are skipped in one step each, which changes nothing.
  ///   out: resized; allocates only beyond its largest size so far.
  /// Cost: about 10 ns per sample and 20 ns per cell or block skipped, twice (once to count). Same bits for any pool.
  /// Error(InvalidArgument) unless step is at least 1e-6 of the box's longest side.
  void march(const RayBatch& rays, double step, int max_samples, const SampleJitter& jitter, MarchedSamples& out,
             ThreadPool* pool = nullptr) const;

 private:
  std::size_t n_cells() const { return density_.size(); }
  bool bit(std::size_t cell) const;
  void set_bits();
  template <typename Emit>
  void march_ray(const Ray& ray, double step, double offset, int64_t max_samples, const Emit& emit) const;

  OccupancySpec spec_;
  std::vector<float> density_;
  std::vector<uint64_t> bricks_;  ///< one word per 4 x 4 x 4 cells; bit (z & 3) 16 + (y & 3) 4 + (x & 3)
  std::vector<float> points_;     ///< of update()
  std::vector<float> sigma_;
  std::vector<uint32_t> cells_;
};

}  // namespace loe
