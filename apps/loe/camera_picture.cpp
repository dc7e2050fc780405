#include "camera_picture.h"

#include <algorithm>
#include <cmath>

namespace loe::app {
namespace {

using Rgb = std::array<int, 3>;
using Vector3 = std::array<double, 3>;

constexpr Rgb kCube = {205, 205, 205};
constexpr Rgb kBox = {120, 120, 120};
constexpr Rgb kDivider = {230, 230, 230};

class Canvas {
 public:
  /// `extent`: the coordinate at the edges.
  explicit Canvas(double extent)
      : image_(2 * kCameraPictureSide, kCameraPictureSide, 3, PixelType::U8), extent_(extent) {
    std::fill_n(image_.data(), image_.n_bytes(), std::byte{255});
    for (int y = 0; y < kCameraPictureSide; ++y) set(kCameraPictureSide, y, kDivider);
  }

  /// In both halves.
  void draw_line(const Vector3& from, const Vector3& to, const Rgb& color) {
    for (const int half : {0, 1}) draw_line_in(half, pixel(half, from), pixel(half, to), color);
  }
  void draw_dot(const Vector3& at, const Rgb& color) {
    constexpr int kRadius = 2;
    for (const int half : {0, 1}) {
      const auto [x, y] = pixel(half, at);
      for (int dy = -kRadius; dy <= kRadius; ++dy) {
        for (int dx = -kRadius; dx <= kRadius; ++dx) set_in(half, x + dx, y + dy, color);
      }
    }
  }
  void draw_box(const Vector3& low, const Vector3& high, const Rgb& color) {
    for (int corner = 0; corner < 8; ++corner) {
      for (int axis = 0; axis < 3; ++axis) {
        if ((corner >> axis & 1) != 0) continue;
        Vector3 from{};
        for (int i = 0; i < 3; ++i) {
          const auto d = static_cast<std::size_t>(i);
          from[d] = (corner >> i & 1) != 0 ? high[d] : low[d];
        }
        Vector3 to = from;
        to[static_cast<std::size_t>(axis)] = high[static_cast<std::size_t>(axis)];
        draw_line(from, to, color);
      }
    }
  }
  Image& image() { return image_; }

 private:
  std::array<int, 2> pixel(int half, const Vector3& p) const {
    const double middle = kCameraPictureSide / 2.0;
    const double x = middle + p[0] / extent_ * middle;
    const double y = middle - p[half == 0 ? 1 : 2] / extent_ * middle;
    return {static_cast<int>(std::floor(x)), static_cast<int>(std::floor(y))};
  }
  void draw_line_in(int half, const std::array<int, 2>& from, const std::array<int, 2>& to, const Rgb& color) {
    const int n = std::max({std::abs(to[0] - from[0]), std::abs(to[1] - from[1]), 1});
    for (int i = 0; i <= n; ++i) {
      const double t = static_cast<double>(i) / n;
      set_in(half, from[0] + static_cast<int>(std::lround(t * (to[0] - from[0]))),
             from[1] + static_cast<int>(std::lround(t * (to[1] - from[1]))), color);
    }
  }
  /// Nothing leaves its half.
  void set_in(int half, int x, int y, const Rgb& color) {
    if (x >= 0 && y >= 0 && x < kCameraPictureSide && y < kCameraPictureSide) {
      set(half * kCameraPictureSide + x, y, color);
    }
  }
  void set(int x, int y, const Rgb& color) {
    for (std::size_t c = 0; c < 3; ++c) {
      image_.row(y)[static_cast<std::size_t>(x) * 3 + c] = static_cast<std::byte>(color[c]);
    }
  }

  Image image_;
  double extent_;
};

}  // namespace

Rgb split_color(Split split) {
  return split == Split::Train ? Rgb{31, 78, 140} : split == Split::Validation ? Rgb{60, 140, 110} : Rgb{200, 50, 40};
}

Image draw_cameras(const Scene& scene) {
  double extent = 0.5;
  for (const View& view : scene.views) {
    for (const auto& row : view.camera_to_world.matrix) extent = std::max(extent, std::abs(row[3]));
  }
  constexpr double kMargin = 1.08;
  Canvas canvas(extent * kMargin);
  canvas.draw_box({-0.5, -0.5, -0.5}, {0.5, 0.5, 0.5}, kCube);
  canvas.draw_box(scene.box_min, scene.box_max, kBox);
  const double length = 0.12 * extent;
  // The few that test on top of the many that train.
  for (const Split split : {Split::Train, Split::Validation, Split::Test}) {
    for (const View& view : scene.views) {
      if (view.split != split) continue;
      Vector3 from{};
      Vector3 to{};
      for (std::size_t i = 0; i < 3; ++i) {
        from[i] = view.camera_to_world.matrix[i][3];
        to[i] = from[i] - length * view.camera_to_world.matrix[i][2];
      }
      canvas.draw_line(from, to, split_color(split));
      canvas.draw_dot(from, split_color(split));
    }
  }
  return canvas.image();
}

}  // namespace loe::app
