#include "metric/laplacian_pyramid.h"

#include <utility>

namespace loe {
namespace {

/// x mirrored at 0 and at size - 1, neither repeated; size >= 2, one reflection is enough for a reach of 2.
int mirrored(int x, int size) {
  if (x < 0) return -x;
  return x >= size ? 2 * (size - 1) - x : x;
}

constexpr float kOuter = 1.0F / 16;
constexpr float kMiddle = 4.0F / 16;
constexpr float kCentre = 6.0F / 16;

}  // namespace

PlanarPicture halve(const PlanarPicture& picture) {
  const int size = picture.size;
  const int half = size / 2;
  PlanarPicture result{half, std::vector<float>(std::size_t{3} * half * half)};
  std::vector<float> narrow(static_cast<std::size_t>(size) * half);
  for (int c = 0; c < 3; ++c) {
    const float* plane = picture.values.data() + static_cast<std::ptrdiff_t>(c) * size * size;
    for (int y = 0; y < size; ++y) {
      const float* row = plane + static_cast<std::ptrdiff_t>(y) * size;
      for (int x = 0; x < half; ++x) {
        const int at = 2 * x;
        narrow[static_cast<std::size_t>(y) * half + x] =
            kOuter * (row[mirrored(at - 2, size)] + row[mirrored(at + 2, size)]) +
            kMiddle * (row[mirrored(at - 1, size)] + row[mirrored(at + 1, size)]) + kCentre * row[at];
      }
    }
    const auto row = [&](int y) { return narrow.data() + static_cast<std::ptrdiff_t>(mirrored(y, size)) * half; };
    float* out = result.values.data() + static_cast<std::ptrdiff_t>(c) * half * half;
    for (int y = 0; y < half; ++y) {
      const float* rows[5] = {row(2 * y - 2), row(2 * y - 1), row(2 * y), row(2 * y + 1), row(2 * y + 2)};
      for (int x = 0; x < half; ++x) {
        *out++ = kOuter * (rows[0][x] + rows[4][x]) + kMiddle * (rows[1][x] + rows[3][x]) + kCentre * rows[2][x];
      }
    }
  }
  return result;
}

void subtract_doubled(const PlanarPicture& coarse, PlanarPicture& fine) {
  const int half = coarse.size;
  const int size = fine.size;
  // With zeros between the pixels an even place sees the weights 1 6 1 (over 8), an odd one 4 4. The last place, odd,
  // mirrors to the pixel before: both its neighbours are the last pixel.
  const auto at = [size](int x) { return mirrored(x, size) / 2; };
  constexpr float kSide = 1.0F / 8;
  constexpr float kMain = 6.0F / 8;
  std::vector<float> wide(static_cast<std::size_t>(half) * size);
  for (int c = 0; c < 3; ++c) {
    const float* plane = coarse.values.data() + static_cast<std::ptrdiff_t>(c) * half * half;
    for (int y = 0; y < half; ++y) {
      const float* row = plane + static_cast<std::ptrdiff_t>(y) * half;
      float* out = wide.data() + static_cast<std::ptrdiff_t>(y) * size;
      for (int x = 0; x < size; x += 2) {
        out[x] = kSide * (row[at(x - 2)] + row[at(x + 2)]) + kMain * row[x / 2];
        out[x + 1] = 0.5F * (row[at(x)] + row[at(x + 2)]);
      }
    }
    const auto row = [&](int y) { return wide.data() + static_cast<std::ptrdiff_t>(at(y)) * size; };
    float* out = fine.values.data() + static_cast<std::ptrdiff_t>(c) * size * size;
    for (int y = 0; y < size; ++y) {
      const bool even = y % 2 == 0;
      const float* before = row(even ? y - 2 : y - 1);
      const float* after = row(even ? y + 2 : y + 1);
      const float* here = row(even ? y : y - 1);
      for (int x = 0; x < size; ++x) {
        *out++ -= even ? kSide * (before[x] + after[x]) + kMain * here[x] : 0.5F * (before[x] + after[x]);
      }
    }
  }
}

std::vector<int> pyramid_sizes(int size, int smallest) {
  std::vector<int> sizes = {size};
  while (sizes.back() % 2 == 0 && sizes.back() / 2 >= smallest) sizes.push_back(sizes.back() / 2);
  return sizes;
}

PlanarPicture laplacian_level(PlanarPicture picture, int level, int n_levels) {
  for (int k = 0; k < level; ++k) picture = halve(picture);
  if (level + 1 < n_levels) subtract_doubled(halve(picture), picture);
  return picture;
}

std::vector<PlanarPicture> laplacian_pyramid(PlanarPicture picture, int n_levels) {
  std::vector<PlanarPicture> levels;
  for (int k = 0; k + 1 < n_levels; ++k) {
    PlanarPicture half = halve(picture);
    subtract_doubled(half, picture);
    levels.push_back(std::move(picture));
    picture = std::move(half);
  }
  levels.push_back(std::move(picture));
  return levels;
}

}  // namespace loe
