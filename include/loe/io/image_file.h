// Picture files through OpenImageIO: the only place that knows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "loe/signal/image.h"

namespace loe {

/// Whether an EXIF orientation turns the pixels.
enum class ImageTurn {
  AsShown,   ///< as viewers show them
  AsStored,  ///< as they lie in the file: what tools that know no EXIF have seen
};

struct ImageFileInfo {
  std::string format;  ///< "png", "jpeg", ...
  int width = 0;       ///< after EXIF rotation, if that was asked for
  int height = 0;
  int n_channels = 0;
  PixelType type = PixelType::U8;
  std::string source_type;  ///< depth in the file as OpenImageIO names it: "uint8", "half", "double", ...
  int orientation = 1;      ///< EXIF orientation in the file, applied or not
  std::string color_space;
};

/// Header only: a file that is truncated further on passes. Else the same errors as read_image.
ImageFileInfo read_image_info(const std::string& path, ImageTurn turn = ImageTurn::AsShown);

/// Whole picture at source depth (8-bit, 16-bit, half, float; other depths are widened and stated), EXIF rotation
/// applied unless it is asked for as stored, palette expanded. Grey, grey + alpha, RGB, RGBA; alpha as the file stores
/// it (never multiplied in). The content decides the format, not the name: PNG, JPEG, TIFF, OpenEXR, Radiance HDR,
/// WebP, BMP, PNM. Error(NotFound), Error(Io), Error(Format) for empty, truncated or damaged files and for content that
/// is no picture, Error(Unsupported) for CMYK, deep, volumetric, transparent WebP and other channel counts or sizes,
/// Error(OutOfMemory) if the header claims more than max_bytes (checked before allocating).
Image read_image(const std::string& path, int64_t max_bytes = int64_t{4} << 30, ImageTurn turn = ImageTurn::AsShown);

/// Whether ImageWriter writes files of this name, going by its extension in any case.
bool is_image_name(const std::string& path);

/// Writes rows as they come; nothing appears under the final name before close(). Format by extension: .png .jpg .tif
/// .exr .hdr .webp. A depth that the format lacks is an Error(Unsupported) that names the nearest it has; Error(Io) for
/// an unwritable folder or a full disk, naming the cause, from any of the functions.
/// Lossless except JPEG (quality 98), WebP (quality 100) and HDR (shared exponent).
class ImageWriter {
 public:
  ImageWriter(const std::string& path, int width, int height, int n_channels, PixelType type,
              const std::string& color_space);
  ~ImageWriter();  ///< without close(): removes the temporary file
  ImageWriter(const ImageWriter&) = delete;
  ImageWriter& operator=(const ImageWriter&) = delete;
  /// n_rows rows from the top on; values [n_rows, width, n_channels] are rounded to the depth as
  /// Image::write_row does.
  void write_rows(int n_rows, const float* values);
  /// The same with values at the writer's own depth already, copied bit for bit.
  void write_stored_rows(int n_rows, const std::byte* rows);
  /// Error(InvalidArgument) unless `height` rows were written.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Convenience over ImageWriter.
void write_image(const std::string& path, const Image& image);

/// A PNG file's bytes in memory, for pictures inside other files. Lossless, compressed as far as PNG goes: meant for
/// small pictures. Error(Unsupported) for half and float pictures, which PNG cannot hold.
std::string encode_png(const Image& image);

}  // namespace loe
