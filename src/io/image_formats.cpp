#include "io/image_formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <string_view>

#include "io/image_errors.h"
#include "io/text.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

constexpr PixelType kU8 = PixelType::U8;
constexpr PixelType kU16 = PixelType::U16;
constexpr PixelType kF16 = PixelType::F16;
constexpr PixelType kF32 = PixelType::F32;

/// Limits of a side: 2^16 is ours, the others are the formats' own.
const std::vector<ImageFormat>& image_formats() {
  static const std::vector<ImageFormat> formats = {
      {"png", "PNG", {".png"}, {kU8, kU16}, {1, 2, 3, 4}, kMaxImageSide, true, true},
      {"jpeg", "JPEG", {".jpg", ".jpeg", ".jpe"}, {kU8}, {1, 3}, 65500, true, true},
      {"tiff", "TIFF", {".tif", ".tiff"}, {kU8, kU16, kF16, kF32}, {1, 2, 3, 4}, kMaxImageSide, true, true},
      {"openexr", "OpenEXR", {".exr"}, {kF16, kF32}, {1, 2, 3, 4}, kMaxImageSide, false, true},
      {"hdr", "Radiance HDR", {".hdr"}, {kF32}, {3}, kMaxImageSide},
      {"webp", "WebP", {".webp"}, {kU8}, {3}, 16383},
      {"bmp", "BMP", {".bmp"}, {}, {}, kMaxImageSide},
      {"pnm", "PNM", {".pgm", ".ppm", ".pnm", ".pbm", ".pam", ".pfm"}, {}, {}, kMaxImageSide},
      {"gif", "GIF", {".gif"}, {}, {}, kMaxImageSide},
      {"heif", "HEIF", {".heic", ".heif", ".avif", ".hif"}, {}, {}, kMaxImageSide},
  };
  return formats;
}

const ImageFormat* format_named(std::string_view name) {
  for (const ImageFormat& format : image_formats()) {
    if (name == format.name) {
      return &format;
    }
  }
  return nullptr;
}

std::string extension_of(const std::string& path) {
  const std::size_t dot = path.find_last_of("./");
  std::string extension = dot == std::string::npos || path[dot] == '/' ? "" : path.substr(dot);
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

std::string output_extensions() {
  std::string list;
  for (const ImageFormat& format : image_formats()) {
    if (!format.types.empty()) {
      list += (list.empty() ? "" : ", ") + std::string(format.extensions.front());
    }
  }
  return list;
}

std::vector<std::string> extensions_for(int n_channels, PixelType type) {
  std::vector<std::string> found;
  for (const ImageFormat& format : image_formats()) {
    if (std::count(format.types.begin(), format.types.end(), type) != 0 &&
        std::count(format.channels.begin(), format.channels.end(), n_channels) != 0) {
      found.emplace_back(format.extensions.front());
    }
  }
  return found;
}

/// The depth of `format` that loses least of `type`: each list goes from least to most loss.
PixelType nearest_type(const ImageFormat& format, PixelType type) {
  static const std::vector<PixelType> by_loss[] = {
      {kU8, kU16, kF16, kF32}, {kU16, kF32, kF16, kU8}, {kF16, kF32, kU16, kU8}, {kF32, kF16, kU16, kU8}};
  for (const PixelType candidate : by_loss[static_cast<int>(type)]) {
    if (std::count(format.types.begin(), format.types.end(), candidate) != 0) {
      return candidate;
    }
  }
  return type;
}

[[noreturn]] void refuse_output(const std::string& path, const std::string& expected, const std::string& found,
                                const std::string& remedy) {
  fail_image(ErrorKind::Unsupported, path, expected, found, remedy);
}

[[noreturn]] void refuse_content(const std::string& path, const std::string& expected, const std::string& found,
                                 const std::string& remedy = "take another copy") {
  fail_image(ErrorKind::Format, path, expected, found, remedy);
}

/// The file from front to back, 64 KiB at a time.
class ByteStream {
 public:
  explicit ByteStream(const ReadHandle& file) : file_(file) {}
  uint64_t position() const { return first_ + next_; }

  /// The next byte, or -1 at the end.
  int next() {
    if (next_ == buffer_.size()) {
      first_ += buffer_.size();
      next_ = 0;
      buffer_.resize(static_cast<std::size_t>(std::min<uint64_t>(kChunk, file_.size() - first_)));
      if (buffer_.empty()) {
        return -1;
      }
      file_.read_at(first_, buffer_.data(), buffer_.size());
    }
    return buffer_[next_++];
  }

  /// False if the file ends before.
  bool skip(uint64_t n_bytes) {
    if (n_bytes > file_.size() - position()) {
      return false;
    }
    if (n_bytes <= buffer_.size() - next_) {
      next_ += static_cast<std::size_t>(n_bytes);
    } else {
      first_ = position() + n_bytes;
      next_ = 0;
      buffer_.clear();
    }
    return true;
  }

  /// n_bytes <= 8, most significant first; -1 if the file ends before.
  int64_t next_number(int n_bytes) {
    int64_t value = 0;
    for (int i = 0; i < n_bytes; ++i) {
      const int byte = next();
      if (byte < 0) {
        return -1;
      }
      value = value << 8 | byte;
    }
    return value;
  }

 private:
  static constexpr uint64_t kChunk = 65536;
  const ReadHandle& file_;
  std::vector<unsigned char> buffer_;
  uint64_t first_ = 0;
  std::size_t next_ = 0;
};

/// CRC-32 as PNG defines it (ISO 3309, polynomial 0xEDB88320 reflected).
struct Crc32 {
  static const std::vector<uint32_t>& table() {
    static const std::vector<uint32_t> values = [] {
      std::vector<uint32_t> result(256);
      for (uint32_t i = 0; i < 256; ++i) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) {
          value = value >> 1 ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
        }
        result[i] = value;
      }
      return result;
    }();
    return values;
  }
  uint32_t value = 0xFFFFFFFFU;
  void add(int byte) { value = value >> 8 ^ table()[(value ^ static_cast<uint32_t>(byte)) & 0xFFU]; }
  uint32_t result() const { return ~value; }
};

/// IHDR: sizes, depth and colour type that PNG allows (libpng would print to stderr), and no more pixels than the file
/// can hold.
void check_png_header(const std::vector<int>& header, const ReadHandle& file, const std::string& path) {
  const auto number = [&](std::size_t at) {
    return uint64_t(header[at]) << 24 | uint64_t(header[at + 1]) << 16 | uint64_t(header[at + 2]) << 8 |
           uint64_t(header[at + 3]);
  };
  const uint64_t width = number(0);
  const uint64_t height = number(4);
  const int depth = header[8];
  const int color_type = header[9];
  const bool grey = color_type == 0 && (depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16);
  const bool palette = color_type == 3 && (depth == 1 || depth == 2 || depth == 4 || depth == 8);
  const bool color = (color_type == 2 || color_type == 4 || color_type == 6) && (depth == 8 || depth == 16);
  constexpr uint64_t kMaxPngSide = 0x7FFFFFFF;
  if (!(grey || palette || color) || width < 1 || width > kMaxPngSide || height < 1 || height > kMaxPngSide ||
      header[10] != 0 || header[11] != 0 || header[12] > 1) {
    refuse_content(path, "a valid PNG header",
                   fmt::format("{} x {} pixels, {} bits, colour type {}", width, height, depth, color_type));
  }
  // libpng's own limit, beyond which it prints to stderr.
  constexpr uint64_t kMaxLibpngSide = 1'000'000;
  if (width > kMaxLibpngSide || height > kMaxLibpngSide) {
    fail_image(ErrorKind::Unsupported, path, fmt::format("sides of at most {} pixels", kMaxImageSide),
               fmt::format("{} x {}", width, height), "crop or resize it first");
  }
  const int n_channels = color_type == 2 ? 3 : color_type == 4 ? 2 : color_type == 6 ? 4 : 1;
  constexpr double kMaxDeflateRatio = 1032;
  // In double, because 2^34 bytes in each of 2^31 rows overflow 64 bits.
  const double n_least =
      std::ceil(static_cast<double>(width) * depth * n_channels / 8) * static_cast<double>(height) / kMaxDeflateRatio;
  if (n_least > static_cast<double>(file.size())) {
    refuse_content(
        path, fmt::format("at least {:.0f} bytes for the {} x {} pixels its header claims", n_least, width, height),
        fmt::format("a file of {} bytes", file.size()));
  }
}

/// The signature and IHDR.
void check_png_start(const ReadHandle& file, const std::string& path) {
  ByteStream bytes(file);
  bytes.skip(8);
  const int64_t length = bytes.next_number(4);
  const int64_t type = bytes.next_number(4);
  std::vector<int> header;
  for (int i = 0; i < 13; ++i) {
    header.push_back(bytes.next());
  }
  if (header.back() < 0) {
    fail_truncated_image(file, path, "a whole IHDR chunk");
  }
  constexpr int64_t kIhdr = 0x49484452;
  if (length != 13 || type != kIhdr) {
    refuse_content(path, "an IHDR chunk of 13 bytes at byte 8", fmt::format("{} bytes of something else", length));
  }
  check_png_header(header, file, path);
}

/// All chunks, or unless `whole` those before the first IDAT: what libpng reads to open a file, printing to stderr if
/// it ends there.
void check_png(const ReadHandle& file, const std::string& path, bool whole) {
  ByteStream bytes(file);
  bytes.skip(8);
  for (;;) {
    const uint64_t start = bytes.position();
    const int64_t length = bytes.next_number(4);
    char type[5] = {};
    Crc32 crc;
    for (int64_t i = 0; i < length + 4; ++i) {
      const int byte = bytes.next();
      if (byte < 0) {
        break;
      }
      crc.add(byte);
      if (i < 4) {
        type[i] = static_cast<char>(byte);
      }
      if (i == 3 && !whole && std::strcmp(type, "IDAT") == 0) {
        return;
      }
    }
    const int64_t stored = bytes.next_number(4);
    if (length < 0 || stored < 0) {
      fail_truncated_image(file, path, "an IEND chunk");
    }
    const bool critical = (type[0] & 0x20) == 0;
    if (critical && stored != static_cast<int64_t>(crc.result())) {
      refuse_content(path,
                     fmt::format("checksum {:08x} of the {} chunk at byte {}", crc.result(), printable(type), start),
                     fmt::format("{:08x}", stored), "it is damaged, so take another copy");
    }
    if (std::strcmp(type, "IEND") == 0) {
      return;
    }
  }
}

/// SOFn: precision, height, width, components.
void check_jpeg_frame(int marker, ByteStream& bytes, const ReadHandle& file, const std::string& path) {
  const int n_bits = bytes.next();
  const bool is_lossless = marker == 0xC3 || marker == 0xCB;
  if (n_bits > 8 || is_lossless) {
    fail_image(
        ErrorKind::Unsupported, path, "a JPEG of 8 bits",
        fmt::format("{} of {} bits, which this decoder cannot read", is_lossless ? "a lossless one" : "one", n_bits),
        "convert it to a PNG or TIFF of 16 bits first");
  }
  const int64_t height = bytes.next_number(2);
  const int64_t width = bytes.next_number(2);
  const int n_components = bytes.next();
  if (n_components < 0) {
    fail_truncated_image(file, path, "a whole frame header");
  }
  if (n_components == 4) {
    fail_image(ErrorKind::Unsupported, path, "a grey or colour JPEG", "CMYK (4 components)", "convert it to RGB first");
  }
  // The first scan spends at least one bit on each block of 8 x 8 values, at most 4 x 4 blocks from chroma sampling.
  constexpr uint64_t kMaxPixelsPerByte = 8 * 64 * 16;
  if (static_cast<uint64_t>(width * height) / kMaxPixelsPerByte > file.size()) {
    refuse_content(path,
                   fmt::format("at least {} bytes for the {} x {} pixels its header claims",
                               static_cast<uint64_t>(width * height) / kMaxPixelsPerByte, width, height),
                   fmt::format("a file of {} bytes", file.size()));
  }
}

/// The next marker, through entropy-coded data (where 0xFF is followed by 0) or stray bytes; -1 at the end.
int next_jpeg_marker(ByteStream& bytes) {
  for (int byte = bytes.next(); byte >= 0; byte = bytes.next()) {
    if (byte != 0xFF) {
      continue;
    }
    while (byte == 0xFF) {
      byte = bytes.next();
    }
    if (byte != 0) {
      return byte;
    }
  }
  return -1;
}

/// Marker by marker to the end of the image, or only to the frame header.
void check_jpeg(const ReadHandle& file, const std::string& path, bool whole) {
  ByteStream bytes(file);
  bytes.skip(2);
  for (;;) {
    const int marker = next_jpeg_marker(bytes);
    if (marker < 0) {
      fail_truncated_image(file, path, "an end-of-image marker");
    }
    if (marker == 0xD9) {
      return;
    }
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {
      continue;
    }
    const uint64_t segment = bytes.position();
    const int64_t length = bytes.next_number(2);
    if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) {
      check_jpeg_frame(marker, bytes, file, path);
      if (!whole) {
        return;
      }
    }
    const uint64_t end = segment + static_cast<uint64_t>(std::max<int64_t>(length, 0));
    if (length < 2 || (end > bytes.position() && !bytes.skip(end - bytes.position()))) {
      fail_truncated_image(file, path, fmt::format("a whole segment at byte {}", segment));
    }
  }
}

/// The length of the second header is one that exists, whatever the first one's reserved bytes hold.
bool is_bmp_header(std::string_view text) {
  if (text.size() < 18) {
    return false;
  }
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const uint32_t length = byte(14) | uint32_t{byte(15)} << 8 | uint32_t{byte(16)} << 16 | uint32_t{byte(17)} << 24;
  constexpr uint32_t kLengths[] = {12, 16, 40, 52, 56, 64, 108, 124};
  return std::find(std::begin(kLengths), std::end(kLengths), length) != std::end(kLengths);
}

/// A still picture in the container of MP4: the major brand, or the first compatible one of a general brand.
bool is_heif(std::string_view text) {
  if (text.size() < 20 || text.substr(4, 4) != "ftyp") {
    return false;
  }
  constexpr std::string_view kBrands[] = {"heic", "heix", "heim", "heis", "avif", "mif1"};
  return std::find(std::begin(kBrands), std::end(kBrands), text.substr(8, 4)) != std::end(kBrands);
}

}  // namespace

const ImageFormat* format_of_content(std::span<const unsigned char> head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  const auto begins = [&](std::string_view signature) { return text.substr(0, signature.size()) == signature; };
  using namespace std::string_view_literals;
  if (begins("\x89PNG\r\n\x1a\n"sv)) {
    return format_named("png");
  }
  if (begins("\xFF\xD8\xFF"sv)) {
    return format_named("jpeg");
  }
  if (begins("II*\0"sv) || begins("MM\0*"sv) || begins("II+\0"sv) || begins("MM\0+"sv)) {
    return format_named("tiff");
  }
  if (begins("\x76\x2F\x31\x01"sv)) {
    return format_named("openexr");
  }
  if (begins("#?RADIANCE"sv) || begins("#?RGBE"sv)) {
    return format_named("hdr");
  }
  if (begins("RIFF"sv) && text.size() >= 12 && text.substr(8, 4) == "WEBP") {
    return format_named("webp");
  }
  if (begins("BM"sv) && is_bmp_header(text)) {
    return format_named("bmp");
  }
  if (begins("GIF87a"sv) || begins("GIF89a"sv)) {
    return format_named("gif");
  }
  if (is_heif(text)) {
    return format_named("heif");
  }
  if (text.size() >= 3 && text[0] == 'P' && std::string_view("1234567fF").find(text[1]) != std::string_view::npos &&
      std::isspace(static_cast<unsigned char>(text[2])) != 0) {
    return format_named("pnm");
  }
  return nullptr;
}

const ImageFormat* format_of_extension(const std::string& path) {
  const std::string extension = extension_of(path);
  for (const ImageFormat& format : image_formats()) {
    for (const char* candidate : format.extensions) {
      if (extension == candidate) {
        return &format;
      }
    }
  }
  return nullptr;
}

bool is_image_name(const std::string& path) {
  const ImageFormat* format = format_of_extension(path);
  return format != nullptr && !format->types.empty();
}

const ImageFormat& output_format(const std::string& path, int width, int height, int n_channels, PixelType type) {
  const std::string extension = extension_of(path);
  const ImageFormat* found = format_of_extension(path);
  if (!is_image_name(path)) {
    refuse_output(path, fmt::format("one of the extensions {}", output_extensions()),
                  extension.empty() ? "none" : fmt::format("'{}'", printable(extension)), "rename the output");
  }
  if (std::count(found->types.begin(), found->types.end(), type) == 0) {
    refuse_output(
        path, fmt::format("a depth that {} has", found->title), to_string(type),
        fmt::format("choose {}, the nearest it has, or a file of another format ({})",
                    to_string(nearest_type(*found, type)), fmt::join(extensions_for(n_channels, type), ", ")));
  }
  if (std::count(found->channels.begin(), found->channels.end(), n_channels) == 0) {
    refuse_output(path, fmt::format("{} channels for {}", fmt::join(found->channels, " or "), found->title),
                  std::to_string(n_channels),
                  fmt::format("choose another format ({})", fmt::join(extensions_for(n_channels, type), ", ")));
  }
  if (std::max(width, height) > found->max_side) {
    refuse_output(path, fmt::format("sides of at most {} pixels for {}", found->max_side, found->title),
                  fmt::format("{} x {}", width, height), "choose another format (.png, .tif)");
  }
  return *found;
}

void check_content(const ImageFormat& format, const ReadHandle& file, const std::string& path, bool whole) {
  if (std::strcmp(format.name, "png") == 0) {
    check_png_start(file, path);
    check_png(file, path, whole);
  } else if (std::strcmp(format.name, "jpeg") == 0) {
    check_jpeg(file, path, whole);
  }
}

}  // namespace loe
