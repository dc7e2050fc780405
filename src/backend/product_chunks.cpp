#include "loe/backend/product_chunks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "loe/backend/routing.h"
#include "loe/base/error.h"
#include "loe/base/random.h"

namespace loe {
namespace {

constexpr int64_t kMaxBatch = int64_t{1} << 26;
/// Free digits are one word a sample: a bias of at most 2^-16.
constexpr int64_t kMaxFree = 65536;
/// Levels that tell experts apart; also the primes at hand.
constexpr int kMaxLevels = 16;
constexpr std::array<int, kMaxLevels> kPrimes = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53};

/// Samples of a chunk at most, if the batch is that large: rows of 100 numbers for all of them stay in L2.
constexpr int64_t kChunkSamples = 1024;
/// Experts that the level with most of them has in a chunk of a smaller batch: small batches still feed many threads.
constexpr int64_t kChunkExperts = 16;
/// Fewer samples would not repay what a chunk costs by itself.
constexpr int64_t kMinChunkSamples = 128;

/// One axis of a level.
struct Digit {
  int level = 0;       ///< index in ProductChunks::levels()
  int64_t cell = 1;    ///< s, in pixels
  int64_t n = 1;       ///< N of the tile
  int64_t n_used = 1;  ///< digits that occur
};

float centre(int64_t j, int64_t size) {
  return static_cast<float>((static_cast<double>(j) + 0.5) / static_cast<double>(size));
}

bool tells_apart(const LayerSpec& layer) {
  return layer.n_experts() > 1;
}

/// Size of the cells along an axis of `size` pixels, or 0 if routing does not follow whole pixels.
int64_t cell_of(const LayerSpec& layer, int axis, int64_t size) {
  const double pitch = static_cast<double>(size) / layer.grid.a[axis][axis];
  if (!(pitch > 0.5 && pitch < 0x1p40)) return 0;
  const auto cell = static_cast<int64_t>(std::llround(pitch));
  const int n = layer.tile.n[axis];
  for (int64_t j = 0; j < size; ++j) {
    const double q = layer.grid.b[axis] + layer.grid.a[axis][axis] * static_cast<double>(centre(j, size));
    if (place_in_tile(q, n) != j / cell % n) return 0;
  }
  return cell;
}

bool is_diagonal(const Grid& grid, int n_dims) {
  for (int row = 0; row < n_dims; ++row) {
    for (int column = 0; column < n_dims; ++column) {
      if (row != column && grid.a[row][column] != 0) return false;
    }
  }
  return true;
}

/// The digits of an axis, fine to coarse, and what no level sees of it as factors of free digits.
struct Axis {
  struct Factor {
    int64_t stride = 1;
    int64_t n = 1;
  };
  std::vector<Digit> digits;
  std::vector<Factor> free;
  int64_t box = 1;  ///< indices 0 .. box - 1
};

/// Completes an axis whose digits are known; a message if they overlap.
std::string nest(Axis& axis, int64_t size) {
  std::sort(axis.digits.begin(), axis.digits.end(), [](const Digit& a, const Digit& b) { return a.cell < b.cell; });
  for (const Digit& digit : axis.digits) {
    if (digit.cell % axis.box != 0) {
      return fmt::format("cells of {} pixels do not nest in finer ones that repeat every {}", digit.cell, axis.box);
    }
    axis.free.push_back({axis.box, digit.cell / axis.box});
    axis.box = digit.cell * digit.n_used;
  }
  axis.free.push_back({axis.box, (size + axis.box - 1) / axis.box});
  axis.box *= axis.free.back().n;
  std::erase_if(axis.free, [](const Axis::Factor& factor) { return factor.n == 1; });
  return "";
}

struct Nesting {
  std::array<Axis, 3> axes;
  std::vector<int> layers;  ///< of the levels
  int64_t n_free = 1;
  std::string problem;
};

Nesting find_nesting(const NetworkSpec& spec, const std::array<int64_t, 3>& size) {
  Nesting nesting;
  const auto fail = [&](std::string problem) {
    nesting.problem = std::move(problem);
    return nesting;
  };
  if (spec.n_dims != 2 && spec.n_dims != 3) return fail(fmt::format("{} dimensions, not 2 or 3", spec.n_dims));
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const LayerSpec& layer = spec.layers[i];
    if (!tells_apart(layer)) continue;
    if (layer.interpolation != Interpolation::Nearest) return fail(layer.name + " blends its experts");
    if (!is_diagonal(layer.grid, spec.n_dims)) return fail(layer.name + " has a grid that is not parallel to the axes");
    int64_t n_used = 1;
    std::array<Digit, 3> digits;
    for (int axis = 0; axis < spec.n_dims; ++axis) {
      if (layer.tile.n[axis] == 1) continue;
      const int64_t cell = cell_of(layer, axis, size[axis]);
      if (cell == 0) {
        return fail(fmt::format("{}: cells along axis {} are not a whole number of pixels", layer.name, axis));
      }
      digits[axis] = {static_cast<int>(nesting.layers.size()), cell, layer.tile.n[axis],
                      std::min<int64_t>(layer.tile.n[axis], (size[axis] + cell - 1) / cell)};
      n_used *= digits[axis].n_used;
    }
    if (n_used == 1) continue;  // a tile of which the signal sees one expert
    for (int axis = 0; axis < spec.n_dims; ++axis) {
      if (digits[axis].n_used > 1) nesting.axes[axis].digits.push_back(digits[axis]);
    }
    nesting.layers.push_back(static_cast<int>(i));
  }
  if (nesting.layers.empty()) {
    for (int axis = 0; axis < 3; ++axis) nesting.axes[axis].box = size[axis];
    return nesting;
  }
  if (nesting.layers.size() > kMaxLevels) return fail(fmt::format("more than {} levels", kMaxLevels));
  for (int axis = 0; axis < 3; ++axis) {
    const std::string problem = nest(nesting.axes[axis], size[axis]);
    if (!problem.empty()) return fail(fmt::format("axis {}: {}", axis, problem));
    for (const Axis::Factor& factor : nesting.axes[axis].free) {
      nesting.n_free = std::min(nesting.n_free * factor.n, kMaxFree + 1);
    }
  }
  if (nesting.n_free > kMaxFree) {
    return fail(fmt::format("more than {} pixels have the same experts in all levels", kMaxFree));
  }
  return nesting;
}

int32_t& component(PixelPlace& place, int axis) {
  return axis == 0 ? place.x : axis == 1 ? place.y : place.t;
}

/// Offsets by number of free digits, the first factor of the first axis fastest.
std::vector<PixelPlace> free_places(const Nesting& nesting) {
  std::vector<PixelPlace> places(1);
  for (int axis = 0; axis < 3; ++axis) {
    for (const Axis::Factor& factor : nesting.axes[axis].free) {
      const std::size_t n = places.size();
      for (int64_t i = 1; i < factor.n; ++i) {
        for (std::size_t k = 0; k < n; ++k) {
          PixelPlace place = places[k];
          component(place, axis) += static_cast<int32_t>(i * factor.stride);
          places.push_back(place);
        }
      }
    }
  }
  return places;
}

ProductChunks::Level make_level(const NetworkSpec& spec, const Nesting& nesting, int index) {
  ProductChunks::Level level;
  level.layer = nesting.layers[index];
  std::array<Digit, 3> digits;
  for (int axis = 0; axis < 3; ++axis) {
    for (const Digit& digit : nesting.axes[axis].digits) {
      if (digit.level == index) digits[axis] = digit;
    }
  }
  const Tile& tile = spec.layers[level.layer].tile;
  for (int64_t t = 0; t < digits[2].n_used; ++t) {
    for (int64_t y = 0; y < digits[1].n_used; ++y) {
      for (int64_t x = 0; x < digits[0].n_used; ++x) {
        level.experts.push_back(static_cast<int>(x + tile.n[0] * (y + tile.n[1] * t)));
        level.origins.push_back({static_cast<int32_t>(x * digits[0].cell), static_cast<int32_t>(y * digits[1].cell),
                                 static_cast<int32_t>(t * digits[2].cell)});
      }
    }
  }
  return level;
}

/// g of level number k.
int64_t rank_factor(int k, int64_t n_samples) {
  if (k == 0) return 1;
  const double root = std::sqrt(static_cast<double>(kPrimes[k - 1]));
  auto factor = static_cast<int64_t>(static_cast<double>(n_samples) * (root - std::floor(root)));
  while (std::gcd(factor, n_samples) != 1) ++factor;
  return factor;
}

ProductChunks::Groups make_groups(int n_groups, int64_t n_samples, int64_t factor) {
  ProductChunks::Groups groups;
  groups.n = n_groups;
  groups.of_sample.resize(n_samples);
  std::vector<std::vector<uint16_t>> rows(n_groups);
  for (int64_t s = 0; s < n_samples; ++s) {
    const auto group = static_cast<int>(factor * s % n_samples * n_groups / n_samples);
    groups.of_sample[s] = static_cast<uint16_t>(group);
    rows[group].push_back(static_cast<uint16_t>(s));
  }
  groups.first.push_back(0);
  groups.padded_first.push_back(0);
  for (const std::vector<uint16_t>& list : rows) {
    groups.first.push_back(groups.first.back() + static_cast<int>(list.size()));
    groups.rows.insert(groups.rows.end(), list.begin(), list.end());
    while (groups.rows.size() % ProductChunks::kRowPadding != 0) groups.rows.push_back(groups.rows.back());
    groups.padded_first.push_back(static_cast<int>(groups.rows.size()));
  }
  return groups;
}

}  // namespace

std::string ProductChunks::why_not(const NetworkSpec& spec, const std::array<int64_t, 3>& size) {
  return find_nesting(spec, size).problem;
}

ProductChunks::ProductChunks(const NetworkSpec& spec, const std::array<int64_t, 3>& size, int64_t batch_size)
    : size_(size), n_dims_(spec.n_dims) {
  if (batch_size < 1 || batch_size > kMaxBatch) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[product_chunks] batch_size: expected 1..{}, got {}; change "
                                                        "data.batch_size",
                                                        kMaxBatch, batch_size));
  }
  const Nesting nesting = find_nesting(spec, size);
  if (!nesting.problem.empty()) {
    throw Error(ErrorKind::Unsupported,
                fmt::format("[product_chunks] network: expected nested grids of whole pixels, found: {}; use "
                            "data.sampling = \"random_pixels\"",
                            nesting.problem));
  }
  if (!nesting.layers.empty()) free_ = free_places(nesting);
  int64_t most = 1;
  for (int i = 0; i < static_cast<int>(nesting.layers.size()); ++i) {
    levels_.push_back(make_level(spec, nesting, i));
    most = std::max<int64_t>(most, static_cast<int64_t>(levels_.back().experts.size()));
  }
  const int64_t by_size = (batch_size + kChunkSamples - 1) / kChunkSamples;
  const int64_t by_experts = std::min(most / kChunkExperts, batch_size / kMinChunkSamples);
  n_chunks_ = static_cast<int>(std::max({int64_t{1}, by_size, by_experts}));
  chunk_samples_ = static_cast<int>(batch_size / n_chunks_);
  for (int i = 0; i < static_cast<int>(levels_.size()); ++i) {
    Level& level = levels_[i];
    const int n = static_cast<int>(level.experts.size());
    level.is_shared = n < n_chunks_;
    const int fewest = level.is_shared ? n : n / n_chunks_;
    const int64_t factor = rank_factor(i, chunk_samples_);
    level.groups = {make_groups(fewest, chunk_samples_, factor), make_groups(fewest + 1, chunk_samples_, factor)};
  }
  for (int axis = 0; axis < 3; ++axis) fills_signal_ = fills_signal_ && nesting.axes[axis].box == size[axis];
}

int ProductChunks::first_place(int level, int chunk) const {
  const auto n = static_cast<int64_t>(levels_[level].experts.size());
  return static_cast<int>(n * chunk / n_chunks_);
}

const ProductChunks::Groups& ProductChunks::groups(int level, int chunk) const {
  const Level& l = levels_[level];
  if (l.is_shared) return l.groups[0];
  return l.groups[first_place(level, chunk + 1) - first_place(level, chunk) - l.groups[0].n];
}

int ProductChunks::expert(const Round& round, int level, int chunk, int group) const {
  const Level& l = levels_[level];
  const int place =
      l.is_shared ? (group + chunk) % static_cast<int>(l.experts.size()) : first_place(level, chunk) + group;
  return round.order[level][place];
}

ProductChunks::Round ProductChunks::draw_round(uint64_t seed, int64_t step) const {
  Round round{seed, step, {}};
  for (std::size_t l = 0; l < levels_.size(); ++l) {
    std::vector<int> order(levels_[l].experts.size());
    std::iota(order.begin(), order.end(), 0);
    std::array<uint32_t, 4> words{};
    uint32_t n_used = 0;
    for (auto i = static_cast<uint32_t>(order.size()) - 1; i > 0; --i, ++n_used) {
      if (n_used % 4 == 0) {
        const auto lane = (static_cast<uint32_t>(l) + 1) << 24U | n_used / 4;
        words = random_words(seed, RandomStream::Samples, static_cast<uint64_t>(step), lane);
      }
      std::swap(order[i], order[to_bounded(words[n_used % 4], i + 1)]);
    }
    round.order.push_back(std::move(order));
  }
  return round;
}

void ProductChunks::draw_anywhere(const Round& round, int chunk, std::span<PixelPlace> places) const {
  int64_t word = int64_t{chunk} * chunk_samples_ * n_dims_;
  int64_t block = -1;
  std::array<uint32_t, 4> words{};
  for (PixelPlace& place : places) {
    for (int axis = 0; axis < n_dims_; ++axis, ++word) {
      if (word / 4 != block) {
        block = word / 4;
        words = random_words(round.seed, RandomStream::Samples, static_cast<uint64_t>(round.step),
                             static_cast<uint32_t>(block));
      }
      const auto n = static_cast<uint32_t>(size_[axis]);
      component(place, axis) = static_cast<int32_t>(to_bounded(words[word % 4], n));
    }
  }
}

void ProductChunks::draw_chunk(const Round& round, int chunk, std::span<PixelPlace> places) const {
  LOE_ASSERT(static_cast<int>(places.size()) == chunk_samples_);
  if (levels_.empty()) {
    draw_anywhere(round, chunk, places);
    return;
  }
  std::fill(places.begin(), places.end(), PixelPlace{});
  if (free_.size() > 1) {
    const auto n = static_cast<uint32_t>(free_.size());
    int64_t block = -1;
    std::array<uint32_t, 4> words{};
    for (int s = 0; s < chunk_samples_; ++s) {
      const int64_t number = int64_t{chunk} * chunk_samples_ + s;
      if (number / 4 != block) {
        block = number / 4;
        words = random_words(round.seed, RandomStream::Samples, static_cast<uint64_t>(round.step),
                             static_cast<uint32_t>(block));
      }
      places[s] = free_[to_bounded(words[number % 4], n)];
    }
  }
  std::vector<PixelPlace> origins;
  for (int l = 0; l < static_cast<int>(levels_.size()); ++l) {
    const Level& level = levels_[l];
    const Groups& list = groups(l, chunk);
    origins.resize(list.n);
    for (int group = 0; group < list.n; ++group) {
      origins[group] = level.origins[expert(round, l, chunk, group)];
    }
    const uint16_t* of_sample = list.of_sample.data();
    for (int s = 0; s < chunk_samples_; ++s) {
      const PixelPlace& origin = origins[of_sample[s]];
      places[s].x += origin.x;
      places[s].y += origin.y;
      places[s].t += origin.t;
    }
  }
}

}  // namespace loe
