#include "loe/io/image_edit.h"

#include <OpenImageIO/imagebuf.h>
#include <OpenImageIO/imagebufalgo.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "loe/base/error.h"

namespace loe {
namespace {

/// Output pixel i averages source pixels first..first + weights.size() - 1; the weights sum to 1.
struct BoxWeights {
  int first = 0;
  std::vector<double> weights;
};

std::vector<BoxWeights> box_weights(int side, int size) {
  std::vector<BoxWeights> boxes(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) {
    // In units of 1 / size of a source pixel all borders are whole numbers: the weights are exact but for one division.
    const int64_t begin = int64_t{i} * side;
    const int64_t end = begin + side;
    BoxWeights& box = boxes[static_cast<std::size_t>(i)];
    box.first = static_cast<int>(begin / size);
    for (int64_t pixel = box.first; pixel * size < end; ++pixel) {
      const int64_t overlap = std::min(end, (pixel + 1) * size) - std::max(begin, pixel * size);
      box.weights.push_back(static_cast<double>(overlap) / side);
    }
  }
  return boxes;
}

/// A row of any picture as RGB on black in [0, 1]; rgb [count, 3].
void read_rgb_row(const Image& image, int x, int y, int count, std::vector<float>& scratch, float* rgb) {
  const int n_channels = image.n_channels();
  image.read_row(x, y, count, scratch.data());
  const bool is_integer = image.type() == PixelType::U8 || image.type() == PixelType::U16;
  const AlphaKind kind = image.tags.alpha;
  const bool multiply =
      image.has_alpha() && (kind == AlphaKind::Straight || (kind == AlphaKind::Unstated && is_integer));
  for (int i = 0; i < count; ++i) {
    const float* pixel = scratch.data() + static_cast<std::ptrdiff_t>(i) * n_channels;
    const float alpha = multiply ? pixel[n_channels - 1] : 1.0F;
    for (int c = 0; c < 3; ++c) {
      const float value = pixel[n_channels <= 2 ? 0 : c] * alpha;
      // Not std::clamp: NaN, which float pictures may hold, becomes 0.
      rgb[i * 3 + c] = value > 0 ? std::min(value, 1.0F) : 0.0F;
    }
  }
}

/// A pixel of the result has no data where the source's pixel at its place, (column_of(x), row_of(y)), has none.
template <typename ColumnOf, typename RowOf>
void keep_no_data(const Image& source, Image& result, const ColumnOf& column_of, const RowOf& row_of) {
  if (source.no_data.empty()) return;
  bool has_any = false;
  result.no_data.resize(static_cast<std::size_t>(result.n_pixels()));
  for (int y = 0; y < result.height(); ++y) {
    for (int x = 0; x < result.width(); ++x) {
      const bool is_missing = !source.is_measured(column_of(x), row_of(y));
      result.no_data[static_cast<std::size_t>(int64_t{y} * result.width() + x)] = is_missing ? 1 : 0;
      has_any = has_any || is_missing;
    }
  }
  if (!has_any) result.no_data.clear();
}

}  // namespace

Image crop_image(const Image& image, int x, int y, int width, int height) {
  // Differences, not sums: x + width of a hostile rectangle may overflow.
  if (width < 1 || height < 1 || x < 0 || y < 0 || width > image.width() || height > image.height() ||
      x > image.width() - width || y > image.height() - height) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[image] data.crop: expected a rectangle inside {}x{}, got x={} y={} width={} height={}",
                            image.width(), image.height(), x, y, width, height));
  }
  Image result(width, height, image.n_channels(), image.type());
  result.tags = image.tags;
  const std::size_t pixel_bytes = static_cast<std::size_t>(image.n_channels()) * bytes_per_value(image.type());
  for (int row = 0; row < height; ++row) {
    std::copy_n(image.row(y + row) + x * pixel_bytes, width * pixel_bytes, result.row(row));
  }
  keep_no_data(
      image, result, [&](int column) { return x + column; }, [&](int row) { return y + row; });
  return result;
}

Image resize_image(const Image& image, int width, int height) {
  if (width < 1 || height < 1 || width > kMaxImageSide || height > kMaxImageSide) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[image] data.size: expected 1x1 to {0}x{0}, got {1}x{2}", kMaxImageSide, width, height));
  }
  if (width == image.width() && height == image.height()) return image;
  const bool is_blocks = image.width() % width == 0 && image.height() % height == 0;
  const int n_channels = image.n_channels();
  // In float: OpenImageIO would round to the depth between the two passes of a separable filter. Costs 4 bytes a value
  // for the time of the call.
  OIIO::ImageBuf source(OIIO::ImageSpec(image.width(), image.height(), n_channels, OIIO::TypeDesc::FLOAT));
  std::vector<float> row(static_cast<std::size_t>(std::max(width, image.width())) * n_channels);
  for (int y = 0; y < image.height(); ++y) {
    image.read_row(0, y, image.width(), row.data());
    source.set_pixels(OIIO::ROI(0, image.width(), y, y + 1, 0, 1, 0, n_channels), OIIO::TypeDesc::FLOAT, row.data());
  }
  const OIIO::ROI roi(0, width, 0, height, 0, 1, 0, n_channels);
  const OIIO::ImageBuf resized = OIIO::ImageBufAlgo::resize(source, is_blocks ? "box" : "triangle", 0, roi, 1);
  if (resized.has_error()) {
    throw Error(ErrorKind::OutOfMemory, fmt::format("[image] data.size: expected to resize {}x{} to {}x{}, got: {}",
                                                    image.width(), image.height(), width, height, resized.geterror()));
  }
  Image result(width, height, n_channels, image.type());
  result.tags = image.tags;
  for (int y = 0; y < height; ++y) {
    resized.get_pixels(OIIO::ROI(0, width, y, y + 1, 0, 1, 0, n_channels), OIIO::TypeDesc::FLOAT, row.data());
    result.write_row(0, y, width, row.data());
  }
  const auto centre = [](int j, int size, int from) {
    return static_cast<int>((2 * int64_t{j} + 1) * from / (2 * int64_t{size}));
  };
  keep_no_data(
      image, result, [&](int x) { return centre(x, width, image.width()); },
      [&](int y) { return centre(y, height, image.height()); });
  return result;
}

void area_average_to_u8(const Image& image, int x, int y, int side, int size, uint8_t* out) {
  if (side < 1 || x < 0 || y < 0 || x > image.width() - side || y > image.height() - side || size < 1 || size > side) {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[image] area average: expected a square inside {}x{} and a size of 1 to its side, got x={} "
                    "y={} side={} size={}",
                    image.width(), image.height(), x, y, side, size));
  }
  const std::vector<BoxWeights> boxes = box_weights(side, size);
  std::vector<float> scratch(static_cast<std::size_t>(side) * static_cast<std::size_t>(image.n_channels()));
  std::vector<float> rgb(static_cast<std::size_t>(side) * 3);
  std::vector<double> across(static_cast<std::size_t>(size) * 3);
  std::vector<double> sum(across.size());
  int row = -1;  // whose average along x is in `across`: two boxes may share a row
  for (int j = 0; j < size; ++j) {
    const BoxWeights& down = boxes[static_cast<std::size_t>(j)];
    std::fill(sum.begin(), sum.end(), 0.0);
    for (std::size_t k = 0; k < down.weights.size(); ++k) {
      if (const int wanted = down.first + static_cast<int>(k); wanted != row) {
        row = wanted;
        read_rgb_row(image, x, y + row, side, scratch, rgb.data());
        for (std::size_t i = 0; i < boxes.size(); ++i) {
          double mean[3] = {0, 0, 0};
          const float* pixel = rgb.data() + static_cast<std::ptrdiff_t>(boxes[i].first) * 3;
          for (const double weight : boxes[i].weights) {
            for (int c = 0; c < 3; ++c) mean[c] += weight * *pixel++;
          }
          std::copy_n(mean, 3, across.data() + i * 3);
        }
      }
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += down.weights[k] * across[i];
    }
    for (std::size_t i = 0; i < sum.size(); ++i) {
      // The values come from floats of k / 255: a mean of x.5 may lie 1e-5 below it.
      *out++ = static_cast<uint8_t>(std::min(255.0, std::floor(sum[i] * 255 + 0.5 + 1e-4)));
    }
  }
}

}  // namespace loe
