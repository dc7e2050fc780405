#include "loe/io/image_edit.h"

#include <OpenImageIO/imagebuf.h>
#include <OpenImageIO/imagebufalgo.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "loe/base/error.h"

namespace loe {
namespace {

constexpr int kMaxSide = 65536;

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
  result.color_space = image.color_space;
  const std::size_t pixel_bytes = static_cast<std::size_t>(image.n_channels()) * bytes_per_value(image.type());
  for (int row = 0; row < height; ++row) {
    std::copy_n(image.row(y + row) + x * pixel_bytes, width * pixel_bytes, result.row(row));
  }
  return result;
}

Image resize_image(const Image& image, int width, int height) {
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[image] data.size: expected 1x1 to {0}x{0}, got {1}x{2}", kMaxSide, width, height));
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
  result.color_space = image.color_space;
  for (int y = 0; y < height; ++y) {
    resized.get_pixels(OIIO::ROI(0, width, y, y + 1, 0, 1, 0, n_channels), OIIO::TypeDesc::FLOAT, row.data());
    result.write_row(0, y, width, row.data());
  }
  return result;
}

}  // namespace loe
