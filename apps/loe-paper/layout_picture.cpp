#include "layout_picture.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "loe/backend/routing.h"

namespace loe::app {
namespace {

using Rgb = std::array<int, 3>;

/// Blue, yellow, green, red: they differ in lightness too, for eyes that confuse hues.
constexpr std::array<Rgb, 4> kFour = {{{31, 78, 140}, {240, 195, 90}, {90, 170, 150}, {190, 75, 60}}};

/// Four hues (blue, green, ochre, red) times four steps of lightness.
constexpr std::array<Rgb, 16> kSixteen = {{{24, 55, 104},
                                           {20, 82, 72},
                                           {110, 78, 10},
                                           {112, 32, 34},
                                           {48, 98, 168},
                                           {38, 128, 112},
                                           {166, 122, 26},
                                           {170, 62, 56},
                                           {108, 156, 214},
                                           {94, 180, 160},
                                           {214, 172, 72},
                                           {220, 118, 104},
                                           {180, 208, 240},
                                           {172, 222, 208},
                                           {244, 218, 150},
                                           {246, 188, 176}}};

constexpr double kMinPixelsPerCell = 4;

/// Cells that the picture's axes cross at zoom 1, at most: q grows by |a[row][axis]| along an axis.
double cells_across(const LayerSpec& layer, int n_dims) {
  double most = 0;
  for (int row = 0; row < n_dims; ++row) {
    if (layer.tile.n[row] == 1) continue;
    for (int axis = 0; axis < std::min(n_dims, 2); ++axis) most = std::max(most, std::abs(layer.grid.a[row][axis]));
  }
  return most;
}

}  // namespace

std::array<int, 3> expert_color(int expert, int n_experts) {
  return n_experts <= 4 ? kFour[static_cast<std::size_t>(expert) % 4] : kSixteen[static_cast<std::size_t>(expert) % 16];
}

LayoutPicture draw_layout(const LayerSpec& layer, int n_dims) {
  LayoutPicture picture{Image(kLayoutSide, kLayoutSide, 3, PixelType::U8), 1};
  const double cells = cells_across(layer, n_dims);
  constexpr int kMaxZoom = 1 << 24;
  while (picture.zoom < kMaxZoom && cells / picture.zoom * kMinPixelsPerCell > kLayoutSide) picture.zoom *= 2;
  std::vector<float> row(std::size_t{kLayoutSide} * 3);
  std::array<float, kMaxDims> p;
  p.fill(0.5F);
  for (int y = 0; y < kLayoutSide; ++y) {
    if (n_dims > 1) p[1] = pixel_coordinate(y, int64_t{kLayoutSide} * picture.zoom);
    for (int x = 0; x < kLayoutSide; ++x) {
      p[0] = pixel_coordinate(x, int64_t{kLayoutSide} * picture.zoom);
      const ExpertBlend blend = route_blend(layer, n_dims, p.data());
      for (int c = 0; c < 3; ++c) {
        float value = 0;
        for (int i = 0; i < blend.n; ++i) {
          const Rgb color = expert_color(blend.expert[i], layer.n_experts());
          value += blend.coefficient[i] * static_cast<float>(color[c]) / 255.0F;
        }
        row[static_cast<std::size_t>(x) * 3 + c] = value;
      }
    }
    picture.image.write_row(0, y, kLayoutSide, row.data());
  }
  return picture;
}

}  // namespace loe::app
