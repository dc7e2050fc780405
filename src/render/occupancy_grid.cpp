#include "loe/render/occupancy_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "loe/base/error.h"
#include "loe/base/random.h"
#include "render/check.h"
#include "render/ray_loop.h"

namespace loe {
namespace {

constexpr float kUnknown = -1.0F;
constexpr int64_t kBatch = 8192;      ///< places per call of the density function
constexpr int kLaneBits = 24;         ///< samples of an update; the lane's upper bits number further words
constexpr double kExitMargin = 1e-6;  ///< in steps: against rounding of where a ray leaves a cell

void check_spec(const OccupancySpec& spec) {
  const auto fail = [](const std::string& text) {
    throw Error(ErrorKind::InvalidArgument, "[occupancy_grid] " + text);
  };
  if (spec.resolution < 4 || spec.resolution > 256 || spec.resolution % 4 != 0) {
    fail(fmt::format("resolution: expected a multiple of 4 in 4..256, got {}; 128 is usual", spec.resolution));
  }
  if (!(spec.decay > 0 && spec.decay <= 1)) {
    fail(fmt::format("decay: expected more than 0, up to 1, got {}; 0.95 is usual", spec.decay));
  }
  if (!(spec.threshold >= 0)) {
    fail(fmt::format("threshold: expected a number from 0 on, got {}; 5.9 is usual", spec.threshold));
  }
  for (int a = 0; a < 3; ++a) {
    if (!(spec.box.min[a] < spec.box.max[a]) || !std::isfinite(spec.box.max[a] - spec.box.min[a])) {
      fail(fmt::format("box: expected min < max on axis {}, got {} and {}; swap them", a, spec.box.min[a],
                       spec.box.max[a]));
    }
  }
}

/// Position of cell coordinates in bricks_ and in the word.
struct BitPlace {
  std::size_t brick;
  int bit;
};
BitPlace place_of(int x, int y, int z, int resolution) {
  const std::size_t n = static_cast<std::size_t>(resolution / 4);
  const std::size_t brick =
      (static_cast<std::size_t>(z / 4) * n + static_cast<std::size_t>(y / 4)) * n + static_cast<std::size_t>(x / 4);
  return {brick, (z & 3) * 16 + (y & 3) * 4 + (x & 3)};
}

}  // namespace

OccupancyGrid::OccupancyGrid(const OccupancySpec& spec) : spec_(spec) {
  check_spec(spec);
  const std::size_t r = static_cast<std::size_t>(spec.resolution);
  density_.assign(r * r * r, kUnknown);
  bricks_.resize(n_cells() / 64);
  points_.resize(kBatch * 3);
  sigma_.resize(kBatch);
  cells_.resize(kBatch);
  set_bits();
}

bool OccupancyGrid::bit(std::size_t cell) const {
  const std::size_t r = static_cast<std::size_t>(spec_.resolution);
  return is_occupied(static_cast<int>(cell % r), static_cast<int>(cell / r % r), static_cast<int>(cell / r / r));
}

bool OccupancyGrid::is_occupied(int x, int y, int z) const {
  const BitPlace place = place_of(x, y, z, spec_.resolution);
  return ((bricks_[place.brick] >> place.bit) & 1U) != 0;
}

bool OccupancyGrid::is_occupied(const std::array<double, 3>& p) const {
  std::array<int, 3> cell{};
  for (int a = 0; a < 3; ++a) {
    const double size = spec_.box.max[a] - spec_.box.min[a];
    const double q = (p[a] - spec_.box.min[a]) * (spec_.resolution / size);
    if (!(q >= 0 && p[a] <= spec_.box.max[a])) {
      return false;
    }
    cell[a] = std::min(static_cast<int>(q), spec_.resolution - 1);
  }
  return is_occupied(cell[0], cell[1], cell[2]);
}

double OccupancyGrid::occupied_share() const {
  int64_t n_occupied = 0;
  for (const uint64_t word : bricks_) {
    n_occupied += std::popcount(word);
  }
  return static_cast<double>(n_occupied) / static_cast<double>(n_cells());
}

void OccupancyGrid::set_bits() {
  double sum = 0;
  int64_t n_known = 0;
  for (const float value : density_) {
    if (value >= 0) {
      sum += static_cast<double>(value);
      ++n_known;
    }
  }
  const double mean = n_known > 0 ? sum / static_cast<double>(n_known) : 0;
  const double limit = std::min(spec_.threshold, 0.5 * mean);
  std::fill(bricks_.begin(), bricks_.end(), uint64_t{0});
  const int r = spec_.resolution;
  std::size_t cell = 0;
  for (int z = 0; z < r; ++z) {
    for (int y = 0; y < r; ++y) {
      for (int x = 0; x < r; ++x, ++cell) {
        if (density_[cell] < 0 || static_cast<double>(density_[cell]) > limit) {
          const BitPlace place = place_of(x, y, z, r);
          bricks_[place.brick] |= uint64_t{1} << place.bit;
        }
      }
    }
  }
}

void OccupancyGrid::set_density(std::span<const float> density) {
  require_size("occupancy_grid", "density", density.size(), static_cast<int64_t>(n_cells()));
  for (const float value : density) {
    if (!std::isfinite(value)) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[occupancy_grid] density: expected finite numbers, got {}; take another copy", value));
    }
  }
  std::copy(density.begin(), density.end(), density_.begin());
  set_bits();
}

void OccupancyGrid::update(const DensityFunction& density, uint64_t seed, uint64_t step, int64_t n_samples) {
  if (n_samples < 0 || n_samples > (int64_t{1} << kLaneBits)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[occupancy_grid] samples: expected 0 (every cell) or up to {}, got {}; a quarter of the "
                            "cells is usual",
                            int64_t{1} << kLaneBits, n_samples));
  }
  const uint32_t n = static_cast<uint32_t>(n_cells());
  const uint32_t r = static_cast<uint32_t>(spec_.resolution);
  const auto words_of = [&](int64_t sample, uint32_t further) {
    return random_words(seed, RandomStream::OccupancyCells, step,
                        static_cast<uint32_t>(sample) | (further << kLaneBits));
  };
  const auto drawn_cell = [&](int64_t sample, uint32_t first_word) {
    uint32_t cell = to_bounded(first_word, n);
    for (uint32_t further = 1; sample >= n_samples / 2 && further <= 3; ++further) {
      for (const uint32_t word : words_of(sample, further)) {
        if (bit(cell)) {
          return cell;
        }
        cell = to_bounded(word, n);
      }
    }
    return cell;
  };
  for (float& value : density_) {
    value = value >= 0 ? static_cast<float>(static_cast<double>(value) * spec_.decay) : value;
  }
  const int64_t n_places = n_samples == 0 ? static_cast<int64_t>(n) : n_samples;
  for (int64_t first = 0; first < n_places; first += kBatch) {
    const int64_t count = std::min(kBatch, n_places - first);
    for (int64_t i = 0; i < count; ++i) {
      const std::array<uint32_t, 4> words = words_of(first + i, 0);
      const uint32_t cell = n_samples == 0 ? static_cast<uint32_t>(first + i) : drawn_cell(first + i, words[3]);
      const std::array<uint32_t, 3> corner = {cell % r, cell / r % r, cell / r / r};
      cells_[i] = cell;
      for (int a = 0; a < 3; ++a) {
        const double q = (corner[a] + static_cast<double>(to_unit_float(words[a]))) / r;
        points_[i * 3 + a] = static_cast<float>(spec_.box.min[a] + q * (spec_.box.max[a] - spec_.box.min[a]));
      }
    }
    const std::size_t size = static_cast<std::size_t>(count);
    density(std::span<const float>(points_).first(size * 3), std::span<float>(sigma_).first(size));
    for (int64_t i = 0; i < count; ++i) {
      // A NaN or a negative number counts as 0.
      const float sigma = sigma_[i] > 0 ? std::min(sigma_[i], std::numeric_limits<float>::max()) : 0.0F;
      density_[cells_[i]] = std::max(density_[cells_[i]], sigma);
    }
  }
  set_bits();
}

template <typename Emit>
void OccupancyGrid::march_ray(const Ray& ray, double step, double offset, int64_t max_samples, const Emit& emit) const {
  if (!ray.hits()) {
    return;
  }
  std::array<double, 3> origin{};
  std::array<double, 3> direction{};
  std::array<double, 3> cells_per_unit{};
  for (int a = 0; a < 3; ++a) {
    origin[a] = static_cast<double>(ray.origin[a]);
    direction[a] = static_cast<double>(ray.direction[a]);
    cells_per_unit[a] = spec_.resolution / (spec_.box.max[a] - spec_.box.min[a]);
  }
  const double near = static_cast<double>(ray.near);
  const RayInterval inside = intersect_box(spec_.box, origin, direction, near);
  const double end = std::min(static_cast<double>(ray.far), inside.far);
  const auto index_from = [&](double t) { return static_cast<int64_t>(std::ceil((t - near) / step - offset)); };
  int64_t k = std::max<int64_t>(0, index_from(inside.near));
  int64_t n_emitted = 0;
  for (double t = near + (static_cast<double>(k) + offset) * step; t < end;
       t = near + (static_cast<double>(k) + offset) * step) {
    std::array<int, 3> cell{};
    for (int a = 0; a < 3; ++a) {
      const double q = (origin[a] + t * direction[a] - spec_.box.min[a]) * cells_per_unit[a];
      cell[a] = std::clamp(static_cast<int>(q), 0, spec_.resolution - 1);
    }
    const BitPlace place = place_of(cell[0], cell[1], cell[2], spec_.resolution);
    const uint64_t word = bricks_[place.brick];
    if (((word >> place.bit) & 1U) != 0) {
      emit(t);
      if (++n_emitted == max_samples) {
        return;
      }
      ++k;
      continue;
    }
    // Leaves the cell, or the whole brick if nothing is in it, where it first meets a far face.
    double exit = end;
    for (int a = 0; a < 3; ++a) {
      if (direction[a] != 0) {
        const int low = word == 0 ? cell[a] & ~3 : cell[a];
        const int face = direction[a] > 0 ? low + (word == 0 ? 4 : 1) : low;
        exit = std::min(exit, (spec_.box.min[a] + face / cells_per_unit[a] - origin[a]) / direction[a]);
      }
    }
    k = std::max(k + 1, index_from(exit - kExitMargin * step));
  }
}

void OccupancyGrid::march(const RayBatch& rays, double step, int max_samples, const SampleJitter& jitter,
                          MarchedSamples& out, ThreadPool* pool) const {
  double longest = 0;
  for (int a = 0; a < 3; ++a) {
    longest = std::max(longest, spec_.box.max[a] - spec_.box.min[a]);
  }
  if (!(step >= 1e-6 * longest) || !std::isfinite(step) || max_samples < 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[occupancy_grid] step, samples per ray: expected a step of at least {} and 0 or more "
                            "samples, got {} and {}; {} is usual",
                            1e-6 * longest, step, max_samples, longest / 512));
  }
  const int64_t limit = max_samples == 0 ? std::numeric_limits<int64_t>::max() : max_samples;
  const auto offset_of = [&](int64_t ray) {
    return jitter.enabled
               ? static_cast<double>(to_unit_float(random_words(jitter.seed, RandomStream::RayJitter, jitter.step,
                                                                static_cast<uint32_t>(jitter.first_ray + ray))[0]))
               : 0.5;
  };
  out.offsets.resize(static_cast<std::size_t>(rays.size()) + 1);
  out.offsets[0] = 0;
  for_each_ray(pool, rays.size(), [&](int64_t r) {
    int64_t count = 0;
    march_ray(rays.get(r), step, offset_of(r), limit, [&count](double) { ++count; });
    out.offsets[r + 1] = count;
  });
  std::partial_sum(out.offsets.begin(), out.offsets.end(), out.offsets.begin());
  out.t.resize(static_cast<std::size_t>(out.offsets.back()));
  out.delta.assign(out.t.size(), static_cast<float>(step));
  for_each_ray(pool, rays.size(), [&](int64_t r) {
    int64_t i = out.offsets[r];
    march_ray(rays.get(r), step, offset_of(r), limit, [&](double t) { out.t[i++] = static_cast<float>(t); });
  });
}

}  // namespace loe
