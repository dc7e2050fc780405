#include "loe/signal/no_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "loe/base/error.h"

namespace loe {
namespace {

/// One channel, and where it has values.
struct Plane {
  Plane(int n_columns, int n_rows)
      : width(n_columns),
        height(n_rows),
        values(static_cast<std::size_t>(int64_t{n_columns} * n_rows)),
        known(values.size()) {}
  std::size_t at(int x, int y) const { return static_cast<std::size_t>(int64_t{y} * width + x); }

  int width;
  int height;
  std::vector<float> values;
  std::vector<uint8_t> known;
};

/// The mean of the values that each block of 2 x 2 has.
Plane reduced(const Plane& fine) {
  Plane coarse((fine.width + 1) / 2, (fine.height + 1) / 2);
  for (int y = 0; y < coarse.height; ++y) {
    for (int x = 0; x < coarse.width; ++x) {
      double sum = 0;
      int n = 0;
      for (int j = 2 * y; j < std::min(2 * y + 2, fine.height); ++j) {
        for (int i = 2 * x; i < std::min(2 * x + 2, fine.width); ++i) {
          if (fine.known[fine.at(i, j)] == 0) continue;
          sum += fine.values[fine.at(i, j)];
          ++n;
        }
      }
      coarse.known[coarse.at(x, y)] = n > 0 ? 1 : 0;
      coarse.values[coarse.at(x, y)] = n > 0 ? static_cast<float>(sum / n) : 0.0F;
    }
  }
  return coarse;
}

/// The coarse plane at the centre of pixel (x, y) of one twice as fine.
float between(const Plane& coarse, int x, int y) {
  const auto neighbours = [](int fine, int size, int& low, int& high) {
    const double place = (fine + 0.5) / 2 - 0.5;
    low = std::clamp(static_cast<int>(std::floor(place)), 0, size - 1);
    high = std::min(low + 1, size - 1);
    return std::clamp(place - low, 0.0, 1.0);
  };
  int x0 = 0;
  int x1 = 0;
  int y0 = 0;
  int y1 = 0;
  const double s = neighbours(x, coarse.width, x0, x1);
  const double t = neighbours(y, coarse.height, y0, y1);
  const auto row = [&](int at_y) {
    return (1 - s) * coarse.values[coarse.at(x0, at_y)] + s * coarse.values[coarse.at(x1, at_y)];
  };
  return static_cast<float>((1 - t) * row(y0) + t * row(y1));
}

/// At least one value is known.
void fill(Plane& plane) {
  if (std::count(plane.known.begin(), plane.known.end(), 0) == 0) return;
  Plane coarse = reduced(plane);
  fill(coarse);
  for (int y = 0; y < plane.height; ++y) {
    for (int x = 0; x < plane.width; ++x) {
      if (plane.known[plane.at(x, y)] == 0) plane.values[plane.at(x, y)] = between(coarse, x, y);
    }
  }
}

}  // namespace

int64_t n_measured(const Image& image) {
  return image.n_pixels() - std::count(image.no_data.begin(), image.no_data.end(), 1);
}

void fill_no_data(Image& image) {
  if (image.no_data.empty()) return;
  if (n_measured(image) == 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[image] expected at least one pixel with a value, got none of {}; name another picture",
                            image.n_pixels()));
  }
  Plane plane(image.width(), image.height());
  std::vector<float> row(static_cast<std::size_t>(image.width()) * static_cast<std::size_t>(image.n_channels()));
  std::vector<float> pixel(static_cast<std::size_t>(image.n_channels()));
  for (int c = 0; c < image.n_channels(); ++c) {
    const bool is_alpha = image.has_alpha() && c + 1 == image.n_channels();  // says where, not what
    for (int y = 0; y < image.height(); ++y) {
      image.read_row(0, y, image.width(), row.data());
      for (int x = 0; x < image.width(); ++x) {
        const float value = row[static_cast<std::size_t>(x) * image.n_channels() + c];
        plane.known[plane.at(x, y)] = image.is_measured(x, y) || (is_alpha && std::isfinite(value)) ? 1 : 0;
        plane.values[plane.at(x, y)] = value;
      }
    }
    fill(plane);
    for (int y = 0; y < image.height(); ++y) {
      for (int x = 0; x < image.width(); ++x) {
        if (plane.known[plane.at(x, y)] != 0) continue;
        image.read_pixel(x, y, pixel.data());
        pixel[static_cast<std::size_t>(c)] = plane.values[plane.at(x, y)];
        image.write_row(x, y, 1, pixel.data());
      }
    }
  }
}

}  // namespace loe
