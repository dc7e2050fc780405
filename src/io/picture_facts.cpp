#include "io/picture_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "io/image_errors.h"
#include "io/text.h"
#include "io/tiff_directory.h"

namespace loe {
namespace {

constexpr int kMaxBlocks = 1 << 20;
constexpr uint64_t kMaxProfileBytes = uint64_t{4} << 20;

/// Up to n bytes from `offset`; fewer at the end.
std::vector<unsigned char> bytes_at(const ReadHandle& file, uint64_t offset, uint64_t n) {
  const uint64_t n_left = file.size() - std::min(offset, file.size());
  std::vector<unsigned char> bytes(static_cast<std::size_t>(std::min(n, n_left)));
  if (!bytes.empty()) {
    file.read_at(offset, bytes.data(), bytes.size());
  }
  return bytes;
}

std::string_view text_of(const std::vector<unsigned char>& bytes, std::size_t at, std::size_t n) {
  return {reinterpret_cast<const char*>(bytes.data()) + at, n};
}

uint64_t big_endian(const unsigned char* bytes, std::size_t n) {
  uint64_t value = 0;
  for (std::size_t i = 0; i < n; ++i) value = value << 8 | bytes[i];
  return value;
}

uint64_t little_endian(const unsigned char* bytes, std::size_t n) {
  uint64_t value = 0;
  for (std::size_t i = n; i > 0; --i) value = value << 8 | bytes[i - 1];
  return value;
}

/// Colours by their code points in ITU-T H.273; "" for those of sRGB or BT.709, and for unknown ones.
std::string color_code(uint64_t primaries, uint64_t transfer) {
  constexpr uint64_t kLinear = 8;
  const char* const gamut = primaries == 9    ? "BT.2020"
                            : primaries == 11 ? "DCI-P3"
                            : primaries == 12 ? "Display P3"
                                              : "";
  const char* const curve = transfer == kLinear ? "linear" : transfer == 16 ? "PQ" : transfer == 18 ? "HLG" : "";
  return fmt::format("{}{}{}", gamut, *gamut != '\0' && *curve != '\0' ? ", " : "", curve);
}

/// The chunks acTL of an animated PNG and cICP stand before its pixels.
void read_png(const ReadHandle& file, PictureFacts& facts) {
  uint64_t at = 8;
  for (int i = 0; i < kMaxBlocks; ++i) {
    const std::vector<unsigned char> head = bytes_at(file, at, 12);
    if (head.size() < 12 || text_of(head, 4, 4) == "IDAT") return;
    if (text_of(head, 4, 4) == "acTL") {
      facts.n_frames = static_cast<int>(std::clamp<uint64_t>(big_endian(head.data() + 8, 4), 1, INT32_MAX));
    } else if (text_of(head, 4, 4) == "cICP") {
      facts.color_code = color_code(head[8], head[9]);
    }
    at += 12 + big_endian(head.data(), 4);
  }
}

void read_webp(const ReadHandle& file, PictureFacts& facts) {
  uint64_t at = 12;
  int n_frames = 0;
  for (int i = 0; i < kMaxBlocks; ++i) {
    const std::vector<unsigned char> head = bytes_at(file, at, 8);
    if (head.size() < 8) break;
    const uint64_t size = little_endian(head.data() + 4, 4);
    const std::string_view name = text_of(head, 0, 4);
    n_frames += name == "ANMF" ? 1 : 0;
    if (name == "EXIF") {
      std::vector<unsigned char> block = bytes_at(file, at + 8, std::min<uint64_t>(size, 65536));
      // Some writers keep JPEG's six bytes before the block.
      const std::size_t skip = block.size() > 6 && text_of(block, 0, 4) == "Exif" ? 6 : 0;
      facts.orientation = exif_orientation(std::span(block).subspan(skip));
    }
    if (name == "ICCP" && size <= kMaxProfileBytes) {
      const std::vector<unsigned char> profile = bytes_at(file, at + 8, size);
      facts.icc_profile.assign(profile.begin(), profile.end());
    }
    at += 8 + size + size % 2;
  }
  facts.n_frames = std::max(n_frames, 1);
}

/// Passes over the blocks of data that begin at `at`.
uint64_t skip_gif_data(const ReadHandle& file, uint64_t at) {
  for (int i = 0; i < kMaxBlocks; ++i) {
    const std::vector<unsigned char> length = bytes_at(file, at, 1);
    if (length.empty() || length[0] == 0) return at + 1;
    at += uint64_t{1} + length[0];
  }
  return file.size();
}

uint64_t color_table_bytes(unsigned char flags) {
  return (flags & 0x80U) != 0 ? uint64_t{3} << ((flags & 7U) + 1) : 0;
}

void read_gif(const ReadHandle& file, PictureFacts& facts) {
  const std::vector<unsigned char> screen = bytes_at(file, 0, 13);
  if (screen.size() < 13) return;
  uint64_t at = 13 + color_table_bytes(screen[10]);
  if (screen[12] != 0) facts.pixel_aspect = (screen[12] + 15) / 64.0;
  bool has_transparent_index = false;
  int n_frames = 0;
  for (int i = 0; i < kMaxBlocks; ++i) {
    const std::vector<unsigned char> head = bytes_at(file, at, 10);
    if (head.size() < 2) break;
    if (head[0] == 0x21) {
      if (head[1] == 0xF9 && head.size() > 3 && n_frames == 0) has_transparent_index = (head[3] & 1U) != 0;
      at = skip_gif_data(file, at + 2);
    } else if (head[0] == 0x2C && head.size() == 10) {
      const bool fills = std::all_of(&head[1], &head[5], [](unsigned char c) { return c == 0; }) &&
                         std::equal(&head[5], &head[9], &screen[6]);
      if (n_frames == 0) facts.may_be_transparent = has_transparent_index || !fills;
      ++n_frames;
      at = skip_gif_data(file, at + 10 + color_table_bytes(head[9]) + 1);
    } else {
      break;
    }
  }
  facts.n_frames = std::max(n_frames, 1);
}

/// Lines until an empty one.
void read_hdr(const ReadHandle& file, const std::string& path, PictureFacts& facts) {
  const std::vector<unsigned char> head = bytes_at(file, 0, 65536);
  const std::string_view text = text_of(head, 0, head.size());
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line(text.substr(begin, end - begin));
    begin = end + 1;
    if (line.empty()) return;
    const auto value = [&] { return std::atof(line.c_str() + line.find('=') + 1); };
    if (line.starts_with("EXPOSURE=") && value() > 0 && std::isfinite(value())) {
      facts.exposure *= value();
    } else if (line.starts_with("PIXASPECT=") && value() > 0 && std::isfinite(value())) {
      facts.pixel_aspect = 1 / value();  // Radiance says height / width
    } else if (line.starts_with("FORMAT=") && line.find("xyze") != std::string::npos) {
      fail_image(ErrorKind::Unsupported, path, "an HDR of RGB", fmt::format("'{}', XYZ colours", printable(line)),
                 "convert it to RGB first (ra_xyze -r)");
    }
  }
}

/// The first profile, or else the first code points, of the boxes colr: [length, "colr", kind, ...].
void read_heif_colors(const ReadHandle& file, const std::vector<unsigned char>& head, PictureFacts& facts) {
  const std::string_view text = text_of(head, 0, head.size());
  for (std::size_t at = text.find("colr", 4); at != std::string_view::npos; at = text.find("colr", at + 1)) {
    if (at + 12 > head.size()) return;
    const uint64_t length = big_endian(head.data() + at - 4, 4);
    const std::string_view kind = text.substr(at + 4, 4);
    constexpr uint64_t kBoxHead = 12;
    if ((kind == "prof" || kind == "rICC") && length > kBoxHead && length - kBoxHead <= kMaxProfileBytes) {
      const std::vector<unsigned char> profile = bytes_at(file, at + 8, length - kBoxHead);
      facts.icc_profile.assign(profile.begin(), profile.end());
      return;
    }
    if (kind == "nclx" && facts.color_code.empty()) {
      facts.color_code = color_code(big_endian(head.data() + at + 8, 2), big_endian(head.data() + at + 10, 2));
    }
  }
}

/// Bits of the property pixi that says most, anywhere in the box meta, and colours.
void read_heif(const ReadHandle& file, PictureFacts& facts) {
  const std::vector<unsigned char> head = bytes_at(file, 0, 1 << 20);
  read_heif_colors(file, head, facts);
  const std::string_view text = text_of(head, 0, head.size());
  for (std::size_t at = text.find("pixi"); at != std::string_view::npos; at = text.find("pixi", at + 1)) {
    if (at + 9 < head.size() && head[at + 8] >= 1 && head[at + 8] <= 4 && head[at + 9] <= 16) {
      facts.n_bits = std::max(facts.n_bits, static_cast<int>(head[at + 9]));
    }
  }
}

}  // namespace

double sensible_aspect(double stated) {
  constexpr double kMaxAspect = 16;
  constexpr double kNearlySquare = 1e-3;
  const bool counts = stated >= 1 / kMaxAspect && stated <= kMaxAspect && std::abs(stated - 1) > kNearlySquare;
  return counts ? stated : 1;
}

std::string aspect_note(double aspect) {
  return fmt::format("its pixels are {:.4g} times as wide as high", aspect);
}

PictureFacts picture_facts(const ImageFormat& format, const ReadHandle& file, const std::string& path) {
  const std::string_view name = format.name;
  PictureFacts facts;
  if (name == "png") {
    read_png(file, facts);
  } else if (name == "webp") {
    read_webp(file, facts);
  } else if (name == "gif") {
    read_gif(file, facts);
  } else if (name == "hdr") {
    read_hdr(file, path, facts);
  } else if (name == "heif") {
    read_heif(file, facts);
  }
  return facts;
}

bool is_heif_sequence(const ReadHandle& file) {
  const std::vector<unsigned char> head = bytes_at(file, 0, 64);
  if (head.size() < 16 || text_of(head, 4, 4) != "ftyp") return false;
  const std::size_t end = static_cast<std::size_t>(std::min<uint64_t>(big_endian(head.data(), 4), head.size()));
  for (std::size_t at = 8; at + 4 <= end; at += 4) {
    const std::string_view brand = text_of(head, at, 4);
    if (brand == "avis" || brand == "hevc" || brand == "hevx" || brand == "msf1") return true;
  }
  return false;
}

}  // namespace loe
