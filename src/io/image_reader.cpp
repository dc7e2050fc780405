// Reading pictures: include/loe/io/image_file.h.
#include <OpenImageIO/imageio.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "io/image_open.h"
#include "io/oiio_setup.h"
#include "io/simple_pictures.h"
#include "loe/base/error.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

/// Rows are decoded in strips of about this size: big enough to keep the decoder busy, small beside any picture.
constexpr int64_t kStripBytes = int64_t{1} << 20;

void check_size(const OpenImage& image, int64_t max_bytes) {
  const ImageFileInfo& info = image.info;
  // Up to 2^31 x 2^31 x 4 channels x 4 bytes overflows 64 bits; double is exact enough to compare and to print.
  const double n_bytes = double(info.width) * info.height * info.n_channels * bytes_per_value(info.type);
  if (n_bytes > static_cast<double>(max_bytes)) {
    fail_image(ErrorKind::OutOfMemory, image.path, fmt::format("a picture of at most {} bytes", max_bytes),
               fmt::format("a header that claims {} x {} x {} channels, {:.3g} bytes", info.width, info.height,
                           info.n_channels, n_bytes),
               "crop or resize it first");
  }
  if (info.width > kMaxImageSide || info.height > kMaxImageSide) {
    fail_image(ErrorKind::Unsupported, image.path, fmt::format("sides of at most {} pixels", kMaxImageSide),
               fmt::format("{} x {}", info.width, info.height), "crop or resize it first");
  }
}

/// A decoder may go on after an error (libjpeg fills up with grey): any message but the harmless ones is an error.
void check_decoded(OpenImage& image, bool ok, int y) {
  const bool has_message = image.input->has_error();
  const std::string message = has_message ? image.input->geterror() : "";
  // libjpeg's word for padding that some cameras write between segments, libtiff's for tags of other programs
  // (OpenImageIO 2.4 keeps it from one file to the next): nothing of the picture is lost.
  const bool harmless = message.find("extraneous bytes before marker") != std::string::npos ||
                        message.find("Unknown field with tag") != std::string::npos;
  if (!ok || (has_message && !harmless)) {
    fail_image(ErrorKind::Format, image.path,
               fmt::format("{} pixels down to row {}", image.format->title, image.spec.height),
               fmt::format("an error near row {} ({})", y, oiio_message(message)),
               "it is damaged or truncated, so take another copy");
  }
}

/// OpenImageIO 2.4 multiplies alpha into the colours of a WebP whatever it is asked; only opaque ones are unharmed.
void require_opaque_webp(const OpenImage& image, const std::byte* strip, int64_t n_pixels) {
  if (!image.is("webp") || image.spec.nchannels != 4) {
    return;
  }
  for (int64_t i = 0; i < n_pixels; ++i) {
    if (strip[i * 4 + 3] != std::byte{255}) {
      fail_image(ErrorKind::Unsupported, image.path, "an opaque WebP", "one with transparent pixels",
                 "convert it to PNG first");
    }
  }
}

/// Where the stored pixel (x, y) is shown, by EXIF's definition of orientation.
struct Orientation {
  int orientation;
  int width;  ///< stored
  int height;

  int shown_x(int x, int y) const {
    switch (orientation) {
      case 2:
      case 3:
        return width - 1 - x;
      case 5:
      case 8:
        return y;
      case 6:
      case 7:
        return height - 1 - y;
      default:
        return x;
    }
  }
  int shown_y(int x, int y) const {
    switch (orientation) {
      case 3:
      case 4:
        return height - 1 - y;
      case 5:
      case 6:
        return x;
      case 7:
      case 8:
        return width - 1 - x;
      default:
        return y;
    }
  }
};

/// Stored row y into the picture.
void place_row(const Orientation& orientation, int y, const std::byte* row, Image& picture) {
  const auto pixel =
      static_cast<std::size_t>(picture.n_channels()) * static_cast<std::size_t>(bytes_per_value(picture.type()));
  if (orientation.orientation == 1 || orientation.orientation == 4) {
    std::memcpy(picture.row(orientation.shown_y(0, y)), row, pixel * static_cast<std::size_t>(picture.width()));
    return;
  }
  for (int x = 0; x < orientation.width; ++x) {
    std::byte* target =
        picture.row(orientation.shown_y(x, y)) + static_cast<std::size_t>(orientation.shown_x(x, y)) * pixel;
    std::memcpy(target, row + static_cast<std::size_t>(x) * pixel, pixel);
  }
}

/// The channels that are decoded together: all up to 4, of more those from the first chosen one to the last.
struct ChannelSpan {
  int begin = 0;
  int end = 0;
  explicit ChannelSpan(const OpenImage& image) : end(image.spec.nchannels) {
    if (end > 4) {
      const auto [low, high] = std::minmax_element(image.channels.indices.begin(), image.channels.indices.end());
      begin = *low;
      end = *high + 1;
    }
  }
  int size() const { return end - begin; }
};

bool read_strip(OpenImage& image, const ChannelSpan& span, int y, int n_rows, std::byte* strip) {
  const OIIO::ImageSpec& spec = image.spec;
  const int begin = spec.y + y;
  if (spec.tile_width != 0) {
    return image.input->read_tiles(image.subimage, 0, spec.x, spec.x + spec.width, begin, begin + n_rows, spec.z,
                                   spec.z + 1, span.begin, span.end, image.read_type, strip);
  }
  return image.input->read_scanlines(image.subimage, 0, begin, begin + n_rows, spec.z, span.begin, span.end,
                                     image.read_type, strip);
}

template <typename T>
float value_of(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return static_cast<float>(value);
}

/// The float of the same value.
float value_of(OIIO::TypeDesc type, const std::byte* at) {
  switch (type.basetype) {
    case OIIO::TypeDesc::INT8:
      return value_of<int8_t>(at);
    case OIIO::TypeDesc::INT16:
      return value_of<int16_t>(at);
    case OIIO::TypeDesc::UINT32:
      return value_of<uint32_t>(at);
    case OIIO::TypeDesc::INT32:
      return value_of<int32_t>(at);
    case OIIO::TypeDesc::UINT64:
      return value_of<uint64_t>(at);
    case OIIO::TypeDesc::INT64:
      return value_of<int64_t>(at);
    default:
      return value_of<float>(at);
  }
}

/// The chosen channels of a decoded row at the picture's depth.
class RowPicker {
 public:
  explicit RowPicker(const OpenImage& image)
      : image_(image),
        span_(image),
        n_(image.channels.indices.size()),
        from_(image.read_type.size()),
        to_(static_cast<std::size_t>(bytes_per_value(image.info.type))),
        is_same_(image_type_of(image.read_type) != PixelType::F32 || image.read_type == OIIO::TypeFloat) {
    is_plain_ = is_same_ && span_.size() == static_cast<int>(n_);
    for (std::size_t c = 0; c < n_; ++c) {
      is_plain_ = is_plain_ && image.channels.indices[c] - span_.begin == static_cast<int>(c);
    }
    row_.resize(is_plain_ ? 0 : static_cast<std::size_t>(image.spec.width) * n_ * to_);
  }
  const ChannelSpan& span() const { return span_; }
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(image_.spec.width) * static_cast<std::size_t>(span_.size()) * from_;
  }

  const std::byte* pick(const std::byte* row) {
    if (is_plain_) {
      return row;
    }
    std::byte* out = row_.data();
    for (int x = 0; x < image_.spec.width; ++x, row += static_cast<std::size_t>(span_.size()) * from_) {
      for (std::size_t c = 0; c < n_; ++c, out += to_) {
        const std::byte* at = row + static_cast<std::size_t>(image_.channels.indices[c] - span_.begin) * from_;
        if (is_same_) {
          std::memcpy(out, at, to_);
        } else {
          const float value = value_of(image_.read_type, at);
          std::memcpy(out, &value, sizeof(value));
        }
      }
    }
    return row_.data();
  }

 private:
  const OpenImage& image_;
  ChannelSpan span_;
  std::size_t n_;
  std::size_t from_;  ///< bytes of a value
  std::size_t to_;
  bool is_same_;
  bool is_plain_ = false;
  std::vector<std::byte> row_;
};

/// Calls change(values of a row) for every row, in floats.
template <typename Change>
void for_each_row(Image& picture, const Change& change) {
  std::vector<float> row(static_cast<std::size_t>(picture.width()) * static_cast<std::size_t>(picture.n_channels()));
  for (int y = 0; y < picture.height(); ++y) {
    picture.read_row(0, y, picture.width(), row.data());
    change(y, row);
  }
}

/// Image::no_data: pixels of which a colour is NaN, or all are what stands for no value.
void find_no_data(Image& picture, std::optional<double> nodata) {
  const bool is_float = picture.type() == PixelType::F16 || picture.type() == PixelType::F32;
  if (!is_float && !nodata) return;
  const auto n_channels = static_cast<std::size_t>(picture.n_channels());
  const std::size_t n_colors = picture.has_alpha() ? n_channels - 1 : n_channels;
  const float most = is_float ? 1.0F : picture.type() == PixelType::U8 ? 255.0F : 65535.0F;
  const float none = nodata ? static_cast<float>(*nodata) : NAN;
  const auto is_none = [&](float value) { return (is_float ? value : std::round(value * most)) == none; };
  std::vector<uint8_t> found(static_cast<std::size_t>(picture.n_pixels()));
  bool has_any = false;
  for_each_row(picture, [&](int y, const std::vector<float>& row) {
    for (std::size_t x = 0; x * n_channels < row.size(); ++x) {
      const auto first = row.begin() + static_cast<std::ptrdiff_t>(x * n_channels);
      const auto last = first + static_cast<std::ptrdiff_t>(n_colors);
      if (!std::any_of(first, last, [](float value) { return std::isnan(value); }) &&
          !std::all_of(first, last, is_none)) {
        continue;
      }
      found[static_cast<std::size_t>(int64_t{y} * picture.width()) + x] = 1;
      has_any = true;
    }
  });
  if (has_any) picture.no_data = std::move(found);
}

/// Tags::range of values that are floats; alpha and what counts as no data are left out.
void find_range(Image& picture) {
  const auto n_channels = static_cast<std::size_t>(picture.n_channels());
  const std::size_t n_colors = picture.has_alpha() ? n_channels - 1 : n_channels;
  float low = INFINITY;
  float high = -INFINITY;
  for_each_row(picture, [&](int y, const std::vector<float>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool counts = i % n_channels < n_colors && std::isfinite(row[i]) &&
                          picture.is_measured(static_cast<int>(i / n_channels), y);
      if (!counts) continue;
      low = std::min(low, row[i]);
      high = std::max(high, row[i]);
    }
  });
  if (low < high && (low < 0 || high > 1)) {
    picture.tags.range = {low, high};
  } else if (low == high && (low < 0 || high > 1)) {
    picture.tags.range = {std::min(low, 0.0F), std::max(high, 0.0F)};
  }
}

Image decode(OpenImage& image, int64_t max_bytes) {
  const OIIO::ImageSpec& spec = image.spec;
  const ImageFileInfo& info = image.info;
  RowPicker picker(image);
  const auto row_bytes = static_cast<int64_t>(picker.row_bytes());
  // OpenImageIO 2.4 gives zeros for part of a strip of doubles: all rows at once, or, see check_spec, none.
  const bool is_double = image.is("tiff") && spec.format == OIIO::TypeDesc::DOUBLE;
  const int strip_rows = spec.tile_width != 0 ? spec.tile_height
                         : is_double          ? spec.height
                                     : static_cast<int>(std::clamp<int64_t>(kStripBytes / row_bytes, 1, spec.height));
  if (strip_rows < 1 || row_bytes * std::min(strip_rows, spec.height) > max_bytes) {
    fail_image(ErrorKind::Format, image.path, "tiles within the picture", fmt::format("tiles of {} rows", strip_rows),
               "take another copy");
  }
  std::vector<std::byte> strip(static_cast<std::size_t>(row_bytes * std::min(strip_rows, spec.height)));
  const Orientation orientation{image.applied_orientation, spec.width, spec.height};
  Image picture;
  for (int y = 0; y < spec.height; y += strip_rows) {
    const int n_rows = std::min(strip_rows, spec.height - y);
    check_decoded(image, read_strip(image, picker.span(), y, n_rows, strip.data()), y);
    require_opaque_webp(image, strip.data(), int64_t{n_rows} * spec.width);
    if (y == 0) {
      // Not before: most files whose header claims too much fail in their first rows.
      picture = Image(info.width, info.height, info.n_channels, info.type);
    }
    for (int i = 0; i < n_rows; ++i) {
      place_row(orientation, y + i, picker.pick(strip.data() + i * row_bytes), picture);
    }
  }
  return picture;
}

Image read_pixels(OpenImage& image, int64_t max_bytes) {
  Image picture = image.is("bmp")   ? read_bmp(image.file, image.path, image.info)
                  : image.is("pnm") ? read_pnm(image.file, image.path, image.info)
                                    : decode(image, max_bytes);
  picture.tags = image.info.tags;
  if (image.facts.exposure != 1) {
    for_each_row(picture, [&](int y, std::vector<float>& row) {
      for (float& value : row) {
        value = static_cast<float>(value / image.facts.exposure);
      }
      picture.write_row(0, y, picture.width(), row.data());
    });
  }
  find_no_data(picture, image.tiff ? image.tiff->main().nodata : std::nullopt);
  if (picture.type() == PixelType::F16 || picture.type() == PixelType::F32) {
    find_range(picture);
  }
  return picture;
}

}  // namespace

ImageFileInfo read_image_info(const std::string& path, ImageTurn turn, const std::string& channels) {
  return open_image(path, false, turn, channels)->info;
}

Image read_image(const std::string& path, int64_t max_bytes, ImageTurn turn, const std::string& channels) {
  try {
    const std::unique_ptr<OpenImage> image = open_image(path, true, turn, channels);
    check_size(*image, max_bytes);
    return read_pixels(*image, max_bytes);
  } catch (const std::bad_alloc&) {
    fail_image(ErrorKind::OutOfMemory, path, "memory for the picture", "none", "free some, or crop or resize it first");
  }
}

}  // namespace loe
