// BMP: src/io/simple_pictures.h.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "io/image_errors.h"
#include "io/picture_facts.h"
#include "io/simple_pictures.h"

namespace loe {
namespace {

enum Compression : uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3, kAlphaBitFields = 6 };

struct BmpHeader {
  int64_t width = 0;
  int64_t height = 0;
  bool is_top_down = false;
  uint32_t n_bits = 0;
  uint32_t compression = kPlain;
  uint64_t pixels_at = 0;
  std::array<uint32_t, 4> masks{};  ///< red, green, blue, alpha
  std::vector<std::array<uint8_t, 3>> palette;
  std::array<uint32_t, 2> per_metre{};  ///< pixels across and down; 0: not said
  bool is_grey = false;

  int n_channels() const { return n_bits <= 8 ? (is_grey ? 1 : 3) : (masks[3] != 0 ? 4 : 3); }
  int64_t row_bytes() const { return (width * n_bits + 31) / 32 * 4; }
  bool is_run_length() const { return compression == kRle8 || compression == kRle4; }
};

uint32_t number(const unsigned char* bytes, std::size_t n) {
  uint32_t value = 0;
  for (std::size_t i = n; i > 0; --i) {
    value = value << 8 | bytes[i - 1];
  }
  return value;
}

std::vector<unsigned char> read_bytes(const ReadHandle& file, const std::string& path, uint64_t offset, uint64_t n) {
  return read_image_bytes(file, path, offset, n, "a whole BMP header");
}

void check(const BmpHeader& header, const std::string& path) {
  const auto bits_are = [&](std::initializer_list<uint32_t> allowed) {
    return std::find(allowed.begin(), allowed.end(), header.n_bits) != allowed.end();
  };
  check_image_sides(header.width, header.height, path);
  const bool is_known = header.compression == kPlain  ? bits_are({1, 2, 4, 8, 16, 24, 32})
                        : header.compression == kRle8 ? bits_are({8})
                        : header.compression == kRle4 ? bits_are({4})
                        : header.compression <= kBitFields || header.compression == kAlphaBitFields ? bits_are({16, 32})
                                                                                                    : false;
  if (!is_known || (header.is_run_length() && header.is_top_down)) {
    fail_image(ErrorKind::Unsupported, path, "a BMP of 1 to 32 bits, plain, with bit fields or run lengths",
               fmt::format("{} bits with compression {}", header.n_bits, header.compression),
               "convert it to PNG first");
  }
}

void read_masks(const ReadHandle& file, const std::string& path, uint32_t header_bytes, BmpHeader& header) {
  if (header.n_bits == 16) {
    header.masks = {0x7C00, 0x03E0, 0x001F, 0};
  } else if (header.n_bits >= 24) {
    header.masks = {0xFF0000, 0x00FF00, 0x0000FF, 0};
  }
  if (header.compression != kBitFields && header.compression != kAlphaBitFields) {
    return;
  }
  // Part of longer headers, behind one of 40 bytes.
  const bool has_alpha = header_bytes >= 56 || header.compression == kAlphaBitFields;
  const std::vector<unsigned char> bytes = read_bytes(file, path, 54, has_alpha ? 16 : 12);
  for (std::size_t c = 0; c < bytes.size() / 4; ++c) {
    header.masks[c] = number(bytes.data() + 4 * c, 4);
  }
  for (std::size_t c = 0; c < header.masks.size(); ++c) {
    const uint32_t mask = header.masks[c];
    const uint32_t low = mask == 0 ? 0 : mask >> std::countr_zero(mask);
    if ((low & (low + 1)) != 0 || (mask == 0 && c != 3)) {
      fail_image(ErrorKind::Format, path, "bit fields of neighbouring bits for red, green and blue",
                 fmt::format("{:08x}", mask), "take another copy");
    }
  }
}

void read_palette(const ReadHandle& file, const std::string& path, uint64_t offset, uint64_t n_stated, bool is_core,
                  BmpHeader& header) {
  const uint64_t n_most = uint64_t{1} << header.n_bits;
  const uint64_t entry = is_core ? 3 : 4;
  uint64_t n = n_stated == 0 || n_stated > n_most ? n_most : n_stated;
  if (header.pixels_at > offset) {
    n = std::min(n, (header.pixels_at - offset) / entry);  // some writers state more than there are
  }
  const std::vector<unsigned char> bytes = read_bytes(file, path, offset, n * entry);
  header.is_grey = true;
  for (uint64_t i = 0; i < n; ++i) {
    const unsigned char* color = bytes.data() + i * entry;
    header.palette.push_back({color[2], color[1], color[0]});
    header.is_grey = header.is_grey && color[0] == color[1] && color[1] == color[2];
  }
  header.palette.resize(n_most, {0, 0, 0});
}

BmpHeader read_header(const ReadHandle& file, const std::string& path) {
  const std::vector<unsigned char> head = read_bytes(file, path, 0, 18);
  BmpHeader header;
  header.pixels_at = number(head.data() + 10, 4);
  const uint32_t header_bytes = number(head.data() + 14, 4);
  constexpr uint32_t kCore = 12;
  if (header_bytes != kCore && (header_bytes < 16 || header_bytes > 1024)) {
    fail_image(ErrorKind::Format, path, "a BMP header of 12 or 16 to 124 bytes", fmt::format("{}", header_bytes),
               "take another copy");
  }
  std::vector<unsigned char> dib = read_bytes(file, path, 14, header_bytes);
  const bool is_core = header_bytes == kCore;
  dib.resize(std::max<std::size_t>(dib.size(), 40), 0);
  uint32_t n_colors = 0;
  if (is_core) {
    header.width = number(dib.data() + 4, 2);
    header.height = number(dib.data() + 6, 2);
    header.n_bits = number(dib.data() + 10, 2);
  } else {
    header.width = static_cast<int32_t>(number(dib.data() + 4, 4));
    header.height = static_cast<int32_t>(number(dib.data() + 8, 4));
    header.n_bits = number(dib.data() + 14, 2);
    header.compression = number(dib.data() + 16, 4);
    header.per_metre = {number(dib.data() + 24, 4), number(dib.data() + 28, 4)};
    n_colors = number(dib.data() + 32, 4);
  }
  header.is_top_down = header.height < 0;
  header.height = std::abs(header.height);
  check(header, path);
  if (header.n_bits <= 8) {
    read_palette(file, path, 14 + header_bytes, n_colors, is_core, header);
  } else {
    read_masks(file, path, header_bytes, header);
  }
  return header;
}

/// Palette indices row by row from the top, [height, width].
class RunLengths {
 public:
  RunLengths(const BmpHeader& header, const std::vector<unsigned char>& bytes)
      : header_(header), bytes_(bytes), indices_(static_cast<std::size_t>(header.width * header.height)) {}

  /// False if the bytes end before the picture does.
  bool decode() {
    while (at_ + 1 < bytes_.size() && y_ < header_.height) {
      const int count = bytes_[at_++];
      const int value = bytes_[at_++];
      if (count > 0) {
        for (int i = 0; i < count; ++i) {
          put(pixel(value, i));
        }
      } else if (value == 0) {
        x_ = 0;
        ++y_;
      } else if (value == 1) {
        return true;
      } else if (!(value == 2 ? jump() : literal(value))) {
        return false;
      }
    }
    return y_ >= header_.height || (y_ == header_.height - 1 && x_ >= header_.width);
  }
  const std::vector<uint8_t>& indices() const { return indices_; }

 private:
  uint8_t pixel(int byte, int i) const {
    if (header_.compression == kRle8) return static_cast<uint8_t>(byte);
    return static_cast<uint8_t>(i % 2 == 0 ? byte >> 4 : byte & 15);
  }
  void put(uint8_t index) {
    if (x_ < header_.width && y_ < header_.height) {
      indices_[static_cast<std::size_t>((header_.height - 1 - y_) * header_.width + x_)] = index;
    }
    ++x_;
  }
  bool jump() {
    if (at_ + 1 >= bytes_.size()) return false;
    x_ += bytes_[at_++];
    y_ += bytes_[at_++];
    return true;
  }
  bool literal(int n) {
    const int per_byte = header_.compression == kRle8 ? 1 : 2;
    const auto n_bytes = static_cast<std::size_t>((n + per_byte - 1) / per_byte);
    if (n_bytes > bytes_.size() - at_) return false;
    for (int i = 0; i < n; ++i) {
      put(pixel(bytes_[at_ + static_cast<std::size_t>(i / per_byte)], i));
    }
    at_ += (n_bytes + 1) / 2 * 2;  // padded to even lengths
    return true;
  }

  const BmpHeader& header_;
  const std::vector<unsigned char>& bytes_;
  std::vector<uint8_t> indices_;
  std::size_t at_ = 0;
  int64_t x_ = 0;
  int64_t y_ = 0;  ///< from the bottom
};

void put_index(const BmpHeader& header, uint32_t index, std::byte* out) {
  const std::array<uint8_t, 3>& color = header.palette[index];
  for (int c = 0; c < header.n_channels(); ++c) {
    out[c] = static_cast<std::byte>(color[static_cast<std::size_t>(c)]);
  }
}

/// A field's value as 8 bits, rounded.
std::byte field(uint32_t pixel, uint32_t mask) {
  const int shift = std::countr_zero(mask);
  const uint64_t most = mask >> shift;
  const uint64_t value = (pixel & mask) >> shift;
  return static_cast<std::byte>((value * 255 * 2 + most) / (most * 2));
}

void decode_row(const BmpHeader& header, const unsigned char* row, std::byte* out) {
  const int n = header.n_channels();
  for (int64_t x = 0; x < header.width; ++x, out += n) {
    if (header.n_bits <= 8) {
      const auto first_bit = static_cast<uint32_t>(x * header.n_bits);
      const uint32_t shift = 8 - header.n_bits - first_bit % 8;
      put_index(header, row[first_bit / 8] >> shift & ((1U << header.n_bits) - 1), out);
      continue;
    }
    const std::size_t n_bytes = header.n_bits / 8;
    const uint32_t pixel = number(row + static_cast<std::size_t>(x) * n_bytes, n_bytes);
    for (int c = 0; c < n; ++c) {
      out[c] = field(pixel, header.masks[static_cast<std::size_t>(c)]);
    }
  }
}

/// Alpha that is 0 everywhere was never meant.
void show_invisible(Image& image) {
  const auto n = static_cast<std::size_t>(image.n_pixels());
  for (std::size_t i = 0; i < n; ++i) {
    if (image.data()[4 * i + 3] != std::byte{0}) return;
  }
  for (std::size_t i = 0; i < n; ++i) image.data()[4 * i + 3] = std::byte{255};
}

}  // namespace

ImageFileInfo read_bmp_info(const ReadHandle& file, const std::string& path) {
  const BmpHeader header = read_header(file, path);
  ImageFileInfo info;
  info.format = "bmp";
  info.width = static_cast<int>(header.width);
  info.height = static_cast<int>(header.height);
  info.n_channels = header.n_channels();
  info.source_type = "uint8";
  info.tags.alpha = info.n_channels == 4 ? AlphaKind::Straight : AlphaKind::Unstated;
  const auto [across, down] = header.per_metre;
  if (across > 0 && down > 0) {
    info.tags.pixel_aspect = sensible_aspect(static_cast<double>(down) / across);
    if (info.tags.pixel_aspect != 1) info.notes.push_back(aspect_note(info.tags.pixel_aspect));
  }
  return info;
}

Image read_bmp(const ReadHandle& file, const std::string& path, const ImageFileInfo& info) {
  const BmpHeader header = read_header(file, path);
  const uint64_t n_left = file.size() - std::min(file.size(), header.pixels_at);
  Image image;
  if (header.is_run_length()) {
    std::vector<unsigned char> bytes(static_cast<std::size_t>(n_left));
    file.read_at(header.pixels_at, bytes.data(), bytes.size());
    RunLengths runs(header, bytes);
    if (!runs.decode()) {
      fail_truncated_image(file, path, fmt::format("{} rows of pixels", header.height));
    }
    image = Image(info.width, info.height, info.n_channels, info.type);
    for (std::size_t i = 0; i < runs.indices().size(); ++i) {
      put_index(header, runs.indices()[i], image.data() + i * static_cast<std::size_t>(info.n_channels));
    }
  } else {
    if (n_left < static_cast<uint64_t>(header.row_bytes() * header.height)) {
      fail_truncated_image(file, path, fmt::format("{} rows of pixels", header.height));
    }
    image = Image(info.width, info.height, info.n_channels, info.type);
    std::vector<unsigned char> row(static_cast<std::size_t>(header.row_bytes()));
    for (int64_t y = 0; y < header.height; ++y) {
      file.read_at(header.pixels_at + static_cast<uint64_t>(y * header.row_bytes()), row.data(), row.size());
      decode_row(header, row.data(), image.row(static_cast<int>(header.is_top_down ? y : header.height - 1 - y)));
    }
  }
  if (info.n_channels == 4) {
    show_invisible(image);
  }
  image.tags = info.tags;
  return image;
}

}  // namespace loe
