// Picture files through OpenImageIO: the only place that knows it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "loe/signal/image.h"

namespace loe {

struct ImageFileInfo {
  std::string format;  ///< "png", "jpeg", ...
  int width = 0;       ///< after EXIF rotation
  int height = 0;
  int n_channels = 0;
  PixelType type = PixelType::U8;
  int orientation = 1;  ///< EXIF orientation that was, or would be, applied
  std::string color_space;
};

/// Header only. Same errors as read_image.
ImageFileInfo read_image_info(const std::string& path);

/// Whole picture at source depth (8-bit, 16-bit, half, float; other depths are widened and stated), EXIF rotation
/// applied, palette expanded. Grey, grey + alpha, RGB, RGBA.
/// Error(NotFound), Error(Io), Error(Format) for empty, truncated or mislabelled files, Error(OutOfMemory) if the
/// header claims more than max_bytes (checked before allocating).
Image read_image(const std::string& path, int64_t max_bytes = int64_t{4} << 30);

/// Writes rows as they come; nothing appears under the final name before close(). Format by extension; a depth that the
/// format lacks is an Error(Unsupported) that names the nearest it has.
class ImageWriter {
 public:
  ImageWriter(const std::string& path, int width, int height, int n_channels, PixelType type,
              const std::string& color_space);
  ~ImageWriter();  ///< without close(): removes the temporary file
  /// n_rows rows from the top on; values [n_rows, width, n_channels] are rounded to the depth.
  void write_rows(int n_rows, const float* values);
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Convenience over ImageWriter.
void write_image(const std::string& path, const Image& image);

}  // namespace loe
