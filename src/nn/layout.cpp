#include "loe/nn/layout.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "loe/base/error.h"
#include "loe/base/random.h"
#include "loe/base/settings.h"

namespace loe {
namespace {

constexpr std::pair<LayoutKind, const char*> kLayoutNames[] = {
    {LayoutKind::CoarseToFine, "coarse_to_fine"},
    {LayoutKind::FineToCoarse, "fine_to_coarse"},
    {LayoutKind::GrayCode, "gray_code"},
    {LayoutKind::RandomPermute, "random_permute"},
    {LayoutKind::RandomAffine, "random_affine"},
    {LayoutKind::Interleaved, "interleaved"},
    {LayoutKind::Chunked, "chunked"},
    {LayoutKind::SingleScale, "single_scale"},
};

// Far above any signal and far below 2^52, where floor(q) of routing would lose its last bit.
constexpr double kMaxResolution = 0x1p30;
// Our normal draws stay below 7 standard deviations, so entries stay below 2^30 too.
constexpr double kMaxAffineStd = 0x1p26;

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorKind::InvalidArgument, "[layout] " + message);
}

bool reads_resolutions(LayoutKind kind) {
  return kind != LayoutKind::RandomAffine && kind != LayoutKind::Chunked && kind != LayoutKind::SingleScale;
}

void check_resolution(double value, const std::string& name) {
  if (!(value > 0 && value <= kMaxResolution)) {
    fail(fmt::format("{}: expected a resolution above 0 and up to 2^30 cells, got {}; correct it", name, value));
  }
}

void check_resolutions(const LayoutConfig& config, int n_dims, std::size_t n_levels) {
  if (config.resolutions.size() != n_levels) {
    fail(fmt::format("resolutions: expected {} (one per level, as there are {} tiles), got {}; give every level one",
                     n_levels, n_levels, config.resolutions.size()));
  }
  for (std::size_t level = 0; level < n_levels; ++level) {
    for (int d = 0; d < n_dims; ++d) {
      check_resolution(config.resolutions[level][d], fmt::format("resolutions[{}][{}]", level, d));
    }
  }
}

void check_gray_code_tiles(int n_dims, const std::vector<Tile>& tiles) {
  for (std::size_t level = 0; level < tiles.size(); ++level) {
    for (int d = 0; d < n_dims; ++d) {
      if (tiles[level].n[d] != 2) {
        fail(
            fmt::format("gray_code: expected tiles of 2 per axis, got {} on axis {} of level {}; use 2 or another "
                        "layout",
                        tiles[level].n[d], d, level));
      }
    }
  }
}

Grid diagonal_grid(const Resolution& resolution, int n_dims, double offset) {
  Grid grid;
  for (int d = 0; d < n_dims; ++d) {
    grid.a[d][d] = resolution[d];
    grid.b[d] = offset;
  }
  return grid;
}

Resolution scaled(const Resolution& resolution, double factor) {
  Resolution result{};
  std::transform(resolution.begin(), resolution.end(), result.begin(), [&](double r) { return r * factor; });
  return result;
}

Resolution finest(const std::vector<Resolution>& resolutions) {
  Resolution result{};
  for (const Resolution& resolution : resolutions) {
    for (int d = 0; d < kMaxDims; ++d) {
      result[d] = std::max(result[d], resolution[d]);
    }
  }
  return result;
}

/// The configured permutation, checked, or a Fisher-Yates shuffle drawn from the seed.
std::vector<int> level_order(const LayoutConfig& config, int n_levels) {
  std::vector<int> order(n_levels);
  for (int i = 0; i < n_levels; ++i) {
    order[i] = i;
  }
  if (config.permutation.empty()) {
    for (int i = n_levels - 1; i > 0; --i) {
      const uint32_t word = random_words(config.seed, RandomStream::Layout, static_cast<uint64_t>(i))[0];
      std::swap(order[i], order[to_bounded(word, static_cast<uint32_t>(i) + 1)]);
    }
    return order;
  }
  std::vector<int> sorted = config.permutation;
  std::sort(sorted.begin(), sorted.end());
  if (sorted != order) {
    fail(fmt::format("permutation: expected each of 0..{} exactly once, got [{}]; correct it or leave it out",
                     n_levels - 1, fmt::join(config.permutation, ", ")));
  }
  return config.permutation;
}

/// Standard normal by Box-Muller from one block of random words.
double normal(uint64_t seed, uint64_t counter, uint32_t lane) {
  const auto words = random_words(seed, RandomStream::Layout, counter, lane);
  const double radius_uniform = (static_cast<double>(words[0]) + 1) * 0x1p-32;  // (0, 1]: the logarithm is finite
  const double angle_uniform = static_cast<double>(words[1]) * 0x1p-32;
  return std::sqrt(-2 * std::log(radius_uniform)) * std::cos(2 * std::numbers::pi * angle_uniform);
}

/// The lane is the entry's place in the full matrix, so that n_dims does not change what an entry draws.
Grid random_affine_grid(const LayoutConfig& config, int n_dims, uint64_t level) {
  Grid grid;
  for (int row = 0; row < n_dims; ++row) {
    for (int column = 0; column < n_dims; ++column) {
      grid.a[row][column] =
          config.affine_std * normal(config.seed, level, static_cast<uint32_t>(row * kMaxDims + column));
    }
    const auto lane = static_cast<uint32_t>(kMaxDims * kMaxDims + row);
    grid.b[row] = static_cast<double>(random_words(config.seed, RandomStream::Layout, level, lane)[0]) * 0x1p-32;
  }
  return grid;
}

Grid gray_code_grid(const LayoutConfig& config, int n_dims, std::size_t level) {
  const Resolution& resolution = config.resolutions[level];
  return level == 0 ? diagonal_grid(resolution, n_dims, config.gray_first_offset)
                    : diagonal_grid(scaled(resolution, 0.5), n_dims, 0.5);
}

Grid chunked_grid(const Tile& tile, int n_dims) {
  Resolution resolution{};
  std::copy(tile.n.begin(), tile.n.end(), resolution.begin());
  return diagonal_grid(resolution, n_dims, 0);
}

void check(const LayoutConfig& config, int n_dims, const std::vector<Tile>& tiles) {
  if (reads_resolutions(config.kind) || !config.resolutions.empty()) {
    check_resolutions(config, n_dims, tiles.size());
  }
  if (config.kind == LayoutKind::GrayCode) {
    check_gray_code_tiles(n_dims, tiles);
    if (!(config.gray_first_offset >= 0 && config.gray_first_offset < 1)) {
      fail(fmt::format("gray_first_offset: expected 0 <= offset < 1, got {}; 0 gives the Gray code",
                       config.gray_first_offset));
    }
  }
  if (config.kind == LayoutKind::RandomAffine && !(config.affine_std > 0 && config.affine_std <= kMaxAffineStd)) {
    fail(fmt::format("affine_std: expected a standard deviation above 0 and up to 2^26, got {}; correct it",
                     config.affine_std));
  }
  if (config.kind == LayoutKind::SingleScale) {
    check_resolution(config.single_resolution, "single_resolution");
  }
}

}  // namespace

std::vector<Grid> make_grids(const LayoutConfig& config, int n_dims, const std::vector<Tile>& tiles) {
  if (n_dims < 1 || n_dims > kMaxDims) {
    fail(fmt::format("n_dims: expected 1..{}, got {}; correct it", kMaxDims, n_dims));
  }
  const auto n_levels = static_cast<int>(tiles.size());
  std::vector<Grid> grids(n_levels);
  const bool is_plain = std::all_of(tiles.begin(), tiles.end(), [](const Tile& tile) { return tile == Tile{}; });
  if (is_plain && config.resolutions.empty()) {
    return grids;  // every level has one expert: its grid has nothing to choose
  }
  check(config, n_dims, tiles);

  const std::vector<int> order =
      config.kind == LayoutKind::RandomPermute ? level_order(config, n_levels) : std::vector<int>();
  const Resolution finest_resolution = finest(config.resolutions);
  Resolution single{};
  single.fill(config.single_resolution);
  for (int level = 0; level < n_levels; ++level) {
    switch (config.kind) {
      case LayoutKind::CoarseToFine:
        grids[level] = diagonal_grid(config.resolutions[level], n_dims, 0);
        break;
      case LayoutKind::FineToCoarse:
        grids[level] = diagonal_grid(config.resolutions[n_levels - 1 - level], n_dims, 0);
        break;
      case LayoutKind::GrayCode:
        grids[level] = gray_code_grid(config, n_dims, level);
        break;
      case LayoutKind::RandomPermute:
        grids[level] = diagonal_grid(config.resolutions[order[level]], n_dims, 0);
        break;
      case LayoutKind::RandomAffine:
        grids[level] = random_affine_grid(config, n_dims, static_cast<uint64_t>(level));
        break;
      case LayoutKind::Interleaved:
        grids[level] = diagonal_grid(finest_resolution, n_dims, 0);
        break;
      case LayoutKind::Chunked:
        grids[level] = chunked_grid(tiles[level], n_dims);
        break;
      case LayoutKind::SingleScale:
        grids[level] = diagonal_grid(single, n_dims, 0);
        break;
    }
  }
  return grids;
}

const char* to_string(LayoutKind kind) {
  for (const auto& [known, name] : kLayoutNames) {
    if (known == kind) {
      return name;
    }
  }
  return "?";
}

LayoutKind layout_kind_from_string(const std::string& text) {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kLayoutNames) {
    if (text == name) {
      return kind;
    }
    names.emplace_back(name);
  }
  const std::string suggestion = closest_match(text, names);
  fail(fmt::format("kind: expected one of {}, got '{}'; {}", fmt::join(names, ", "), text,
                   suggestion.empty() ? "choose one of them" : fmt::format("did you mean '{}'?", suggestion)));
}

}  // namespace loe
