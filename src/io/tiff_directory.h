// What a TIFF's directories say, read by ourselves: which page is the picture, and what its channels are.
#pragma once

#include <OpenImageIO/filesystem.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/file_handle.h"

namespace loe {

/// One image file directory.
struct TiffDirectory {
  uint64_t offset = 0;
  uint64_t n_entries = 0;
  uint32_t width = 0;
  uint32_t height = 0;
  bool is_reduced = false;  ///< a copy of another one, smaller
  bool is_mask = false;
  bool states_bits = false;  ///< has the tag BitsPerSample
  uint32_t n_samples = 1;
  uint32_t photometric = 1;
  uint32_t orientation = 1;
  bool is_raw = false;  ///< samples of a sensor
  std::vector<uint32_t> extra_samples;
  std::optional<double> nodata;  ///< GDAL's
  std::vector<uint64_t> children;
};

/// The file's directories and which of them is the picture.
struct TiffFile {
  bool is_big = false;
  bool is_little_endian = true;
  bool is_dng = false;
  bool is_raw = false;                  ///< a camera's: a directory holds samples of a sensor
  std::vector<TiffDirectory> pages;     ///< the chain
  std::vector<TiffDirectory> children;  ///< of the pages
  int n_pictures = 0;                   ///< pages that are neither reduced copies nor masks
  int page = 0;                         ///< the picture, an index into `pages`, or
  int child = -1;                       ///< into `children` if not negative
  const TiffDirectory& main() const {
    return child >= 0 ? children[static_cast<std::size_t>(child)] : pages[static_cast<std::size_t>(page)];
  }
};

/// Error(Format) naming the byte where a directory leaves the file, comes twice, or there is none.
TiffFile read_tiff_directories(const ReadHandle& file, const std::string& path);

/// Orientation (tag 274, 1..8) of an EXIF block: a TIFF of its own inside another file. 1 if it says nothing.
int exif_orientation(std::span<const unsigned char> block);

/// The same file with its first directory replaced by the main one, which also says BitsPerSample 1 if it said nothing
/// (the standard's default, which OpenImageIO 2.4 takes for 8). null: the file can be read as it is.
std::unique_ptr<OIIO::Filesystem::IOProxy> repaired_tiff(const ReadHandle& file, const TiffFile& tiff);

}  // namespace loe
