// TIFF files by hand, byte by byte: what OpenImageIO would not write.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace loe {

inline std::string little_endian(uint64_t value, int n) {
  std::string bytes;
  for (int i = 0; i < n; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

/// An entry {tag, type, count, value or offset} of a directory, little-endian.
struct TiffEntry {
  uint32_t tag, type, count, value;
};

/// Entries sorted by tag; next: the offset of the next directory.
inline std::string tiff_directory(const std::vector<TiffEntry>& entries, uint32_t next) {
  std::string bytes = little_endian(entries.size(), 2);
  for (const TiffEntry& e : entries) {
    bytes += little_endian(e.tag, 2) + little_endian(e.type, 2) + little_endian(e.count, 4) + little_endian(e.value, 4);
  }
  return bytes + little_endian(next, 4);
}

/// One strip of 8-bit samples, [height, width, n_samples]; photometric 1: grey, 2: RGB; extra: ExtraSamples; nodata:
/// GDAL_NODATA, none if empty.
inline std::string tiff_file(uint32_t width, uint32_t height, uint32_t n_samples, uint32_t photometric,
                             const std::vector<uint16_t>& extra, const std::string& pixels,
                             const std::string& nodata = "") {
  std::string body = std::string("II*\0", 4) + little_endian(0, 4) + pixels + std::string(pixels.size() % 2, '\0');
  const auto shorts = [&](const std::vector<uint16_t>& values) {
    std::string bytes;
    for (const uint16_t value : values) bytes += little_endian(value, 2);
    if (values.size() <= 2) {
      return values.empty() ? 0U : values.size() == 1 ? uint32_t{values[0]} : values[0] | uint32_t{values[1]} << 16;
    }
    body += bytes;
    return static_cast<uint32_t>(body.size() - bytes.size());
  };
  std::vector<TiffEntry> entries = {{256, 4, 1, width}, {257, 4, 1, height}};
  entries.push_back({258, 3, n_samples, shorts(std::vector<uint16_t>(n_samples, 8))});
  entries.insert(entries.end(), {{259, 3, 1, 1},
                                 {262, 3, 1, photometric},
                                 {273, 4, 1, 8},
                                 {277, 3, 1, n_samples},
                                 {278, 4, 1, height},
                                 {279, 4, 1, static_cast<uint32_t>(pixels.size())}});
  if (!extra.empty()) entries.push_back({338, 3, static_cast<uint32_t>(extra.size()), shorts(extra)});
  if (!nodata.empty()) {
    const auto at = static_cast<uint32_t>(body.size());
    body += nodata + std::string(5 - nodata.size(), '\0');  // 5 bytes, so that it never lies in the entry
    entries.push_back({42113, 2, 5, at});
    body += std::string(body.size() % 2, '\0');
  }
  body.replace(4, 4, little_endian(body.size(), 4));
  return body + tiff_directory(entries, 0);
}

}  // namespace loe
