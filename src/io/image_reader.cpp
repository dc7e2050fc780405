// Reading pictures: include/loe/io/image_file.h.
#include <OpenImageIO/imageio.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "io/file_handle.h"
#include "io/image_formats.h"
#include "io/oiio_setup.h"
#include "io/text.h"
#include "loe/base/error.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

constexpr int kMaxSide = 65536;
/// Rows are decoded in strips of about this size: big enough to keep the decoder busy, small beside any picture.
constexpr int64_t kStripBytes = int64_t{1} << 20;

struct OpenImage {
  std::string path;
  const ImageFormat* format = nullptr;
  std::unique_ptr<OIIO::ImageInput> input;
  OIIO::ImageSpec spec;
  ImageFileInfo info;
  OIIO::TypeDesc read_type;
  int applied_orientation = 1;  ///< 1 where pixels are wanted as stored
};

[[noreturn]] void fail(ErrorKind kind, const std::string& path, const std::string& expected, const std::string& found,
                       const std::string& remedy) {
  throw Error(kind, fmt::format("[image] {}: expected {}, got {}; {}", path, expected, found, remedy));
}

const ImageFormat& detect_format(const ReadHandle& file, const std::string& path) {
  std::vector<unsigned char> head(static_cast<std::size_t>(std::min<uint64_t>(file.size(), 32)));
  if (head.empty()) {
    fail(ErrorKind::Format, path, "a picture", "an empty file", "take another copy");
  }
  file.read_at(0, head.data(), head.size());
  const ImageFormat* format = format_of_content(head);
  if (format == nullptr) {
    fail(ErrorKind::Format, path, "a PNG, JPEG, TIFF, OpenEXR, HDR, WebP, BMP or PNM picture",
         fmt::format("content that begins with '{}'",
                     printable({reinterpret_cast<const char*>(head.data()), std::min<std::size_t>(head.size(), 16)})),
         "convert it to PNG first");
  }
  return *format;
}

/// The type in memory: the file's own if we have it, else the float that holds its values normalised to [0, 1].
PixelType choose_type(OIIO::TypeDesc type, OIIO::TypeDesc& read_type) {
  read_type = type;
  switch (type.basetype) {
    case OIIO::TypeDesc::UINT8:
      return PixelType::U8;
    case OIIO::TypeDesc::UINT16:
      return PixelType::U16;
    case OIIO::TypeDesc::HALF:
      return PixelType::F16;
    default:
      read_type = OIIO::TypeFloat;
      return PixelType::F32;
  }
}

bool is_cmyk(const OIIO::ImageSpec& spec) {
  constexpr int kTiffSeparated = 5;
  const std::string color_space = spec.get_string_attribute("jpeg:ColorSpace");
  return spec.get_int_attribute("tiff:PhotometricInterpretation", -1) == kTiffSeparated || color_space == "CMYK" ||
         color_space == "YCCK";
}

void check_spec(const OpenImage& image) {
  const OIIO::ImageSpec& spec = image.spec;
  const std::string& path = image.path;
  if (spec.deep || spec.depth > 1) {
    fail(ErrorKind::Unsupported, path, "a flat picture", spec.deep ? "deep pixels" : "a volume", "flatten it first");
  }
  if (is_cmyk(spec)) {
    fail(ErrorKind::Unsupported, path, "a grey or RGB picture", "CMYK", "convert it to RGB first");
  }
  if (spec.nchannels < 1 || spec.nchannels > 4) {
    fail(ErrorKind::Unsupported, path, "1..4 channels (grey, grey + alpha, RGB, RGBA)",
         fmt::format("{}", spec.nchannels), "keep the channels you need");
  }
  if (spec.width < 1 || spec.height < 1) {
    fail(ErrorKind::Format, path, "at least one pixel", fmt::format("{} x {}", spec.width, spec.height),
         "take another copy");
  }
}

/// "sRGB" for integers and "Linear" for floats where the file says nothing.
std::string color_space_of(const OpenImage& image) {
  const bool integer = image.info.type == PixelType::U8 || image.info.type == PixelType::U16;
  return printable(image.spec.get_string_attribute("oiio:ColorSpace", integer ? "sRGB" : "Linear"));
}

OpenImage open_image(const std::string& path, bool whole, ImageTurn turn) {
  OpenImage image;
  image.path = path;
  {
    const ReadHandle file(path);
    image.format = &detect_format(file, path);
    check_content(*image.format, file, path, whole);
  }
  set_up_oiio();
  image.input = OIIO::ImageInput::create(image.format->name);
  if (!image.input) {
    fail(ErrorKind::Unsupported, path, fmt::format("an OpenImageIO that reads {}", image.format->title),
         oiio_message(OIIO::geterror()), "convert it to PNG first");
  }
  // Without this hint OpenImageIO multiplies alpha into 8-bit colours, which cannot be undone exactly.
  OIIO::ImageSpec hints;
  hints.attribute("oiio:UnassociatedAlpha", 1);
  if (!image.input->open(path, image.spec, hints)) {
    fail(ErrorKind::Format, path, fmt::format("a readable {} picture", image.format->title),
         oiio_message(image.input->geterror()), "it is damaged or truncated, so take another copy");
  }
  check_spec(image);
  ImageFileInfo& info = image.info;
  info.format = image.format->name;
  info.n_channels = image.spec.nchannels;
  info.type = choose_type(image.spec.format, image.read_type);
  info.source_type = image.spec.format.c_str();
  const int orientation = image.spec.get_int_attribute("Orientation", 1);
  info.orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
  image.applied_orientation = turn == ImageTurn::AsShown ? info.orientation : 1;
  info.width = image.applied_orientation <= 4 ? image.spec.width : image.spec.height;
  info.height = image.applied_orientation <= 4 ? image.spec.height : image.spec.width;
  info.color_space = color_space_of(image);
  return image;
}

void check_size(const OpenImage& image, int64_t max_bytes) {
  const ImageFileInfo& info = image.info;
  // Up to 2^31 x 2^31 x 4 channels x 4 bytes overflows 64 bits; double is exact enough to compare and to print.
  const double n_bytes = double(info.width) * info.height * info.n_channels * bytes_per_value(info.type);
  if (n_bytes > static_cast<double>(max_bytes)) {
    fail(ErrorKind::OutOfMemory, image.path, fmt::format("a picture of at most {} bytes", max_bytes),
         fmt::format("a header that claims {} x {} x {} channels, {:.3g} bytes", info.width, info.height,
                     info.n_channels, n_bytes),
         "crop or resize it first");
  }
  if (info.width > kMaxSide || info.height > kMaxSide) {
    fail(ErrorKind::Unsupported, image.path, fmt::format("sides of at most {} pixels", kMaxSide),
         fmt::format("{} x {}", info.width, info.height), "crop or resize it first");
  }
}

/// A decoder may go on after an error (libjpeg fills up with grey): any message but the harmless ones is an error.
void check_decoded(OpenImage& image, bool ok, int y) {
  const bool has_message = image.input->has_error();
  const std::string message = has_message ? image.input->geterror() : "";
  // libjpeg's word for padding that some cameras write between segments; nothing of the picture is lost.
  const bool harmless = message.find("extraneous bytes before marker") != std::string::npos;
  if (!ok || (has_message && !harmless)) {
    fail(ErrorKind::Format, image.path, fmt::format("{} pixels down to row {}", image.format->title, image.spec.height),
         fmt::format("an error near row {} ({})", y, oiio_message(message)),
         "it is damaged or truncated, so take another copy");
  }
}

/// OpenImageIO 2.4 multiplies alpha into the colours of a WebP whatever it is asked; only opaque ones are unharmed.
void require_opaque_webp(const OpenImage& image, const std::byte* strip, int64_t n_pixels) {
  if (std::strcmp(image.format->name, "webp") != 0 || image.spec.nchannels != 4) {
    return;
  }
  for (int64_t i = 0; i < n_pixels; ++i) {
    if (strip[i * 4 + 3] != std::byte{255}) {
      fail(ErrorKind::Unsupported, image.path, "an opaque WebP", "one with transparent pixels",
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

bool read_strip(OpenImage& image, int y, int n_rows, std::byte* strip) {
  const OIIO::ImageSpec& spec = image.spec;
  const int begin = spec.y + y;
  if (spec.tile_width != 0) {
    return image.input->read_tiles(0, 0, spec.x, spec.x + spec.width, begin, begin + n_rows, spec.z, spec.z + 1, 0,
                                   spec.nchannels, image.read_type, strip);
  }
  return image.input->read_scanlines(0, 0, begin, begin + n_rows, spec.z, 0, spec.nchannels, image.read_type, strip);
}

Image decode(OpenImage& image, int64_t max_bytes) {
  const OIIO::ImageSpec& spec = image.spec;
  const ImageFileInfo& info = image.info;
  const int64_t row_bytes = int64_t{spec.width} * spec.nchannels * bytes_per_value(info.type);
  const int strip_rows = spec.tile_width != 0
                             ? spec.tile_height
                             : static_cast<int>(std::clamp<int64_t>(kStripBytes / row_bytes, 1, spec.height));
  if (strip_rows < 1 || row_bytes * std::min(strip_rows, spec.height) > max_bytes) {
    fail(ErrorKind::Format, image.path, "tiles within the picture", fmt::format("tiles of {} rows", strip_rows),
         "take another copy");
  }
  std::vector<std::byte> strip(static_cast<std::size_t>(row_bytes * std::min(strip_rows, spec.height)));
  const Orientation orientation{image.applied_orientation, spec.width, spec.height};
  Image picture;
  for (int y = 0; y < spec.height; y += strip_rows) {
    const int n_rows = std::min(strip_rows, spec.height - y);
    check_decoded(image, read_strip(image, y, n_rows, strip.data()), y);
    require_opaque_webp(image, strip.data(), int64_t{n_rows} * spec.width);
    if (y == 0) {
      // Not before: most files whose header claims too much fail in their first rows.
      picture = Image(info.width, info.height, info.n_channels, info.type);
    }
    for (int i = 0; i < n_rows; ++i) {
      place_row(orientation, y + i, strip.data() + i * row_bytes, picture);
    }
  }
  picture.color_space = info.color_space;
  return picture;
}

}  // namespace

ImageFileInfo read_image_info(const std::string& path, ImageTurn turn) {
  return open_image(path, false, turn).info;
}

Image read_image(const std::string& path, int64_t max_bytes, ImageTurn turn) {
  try {
    OpenImage image = open_image(path, true, turn);
    check_size(image, max_bytes);
    return decode(image, max_bytes);
  } catch (const std::bad_alloc&) {
    fail(ErrorKind::OutOfMemory, path, "memory for the picture", "none", "free some, or crop or resize it first");
  }
}

}  // namespace loe
