// Picture files through OpenImageIO: the only place that knows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loe/signal/image.h"

namespace loe {

/// Whether an EXIF orientation turns the pixels.
enum class ImageTurn {
  AsShown,   ///< as viewers show them
  AsStored,  ///< as they lie in the file: what tools that know no EXIF have seen
};

/// What a picture file says about itself, and what is read of it.
struct ImageFileInfo {
  std::string format;  ///< "png", "jpeg", ...
  int width = 0;       ///< after EXIF rotation, if that was asked for
  int height = 0;
  int n_channels = 0;
  PixelType type = PixelType::U8;
  std::string source_type;  ///< depth in the file as OpenImageIO names it: "uint8", "half", "double", ...
  int orientation = 1;      ///< EXIF orientation in the file, applied or not
  PictureTags tags;         ///< its range only where values need not be read for it
  int n_pictures = 1;       ///< pages of a TIFF, parts of an OpenEXR, frames of an animation, without reduced copies
  /// What was decided where the file leaves a choice: "page 2 of 2, ...", "channels left out: Z". One line each.
  std::vector<std::string> notes;
};

/// Header only: a file that is truncated further on passes. Else the same errors as read_image.
ImageFileInfo read_image_info(const std::string& path, ImageTurn turn = ImageTurn::AsShown,
                              const std::string& channels = "");

/// What a picture may take in memory.
constexpr int64_t kMaxImageBytes = int64_t{4} << 30;

/// Whole picture at source depth, EXIF rotation applied unless it is asked for as stored, palette expanded. The content
/// decides the format, not the name: PNG, JPEG, TIFF, OpenEXR, Radiance HDR, WebP, GIF, BMP, PNM, and HEIC and AVIF
/// where OpenImageIO reads them.
///
/// u8, u16, half and float are kept; integers of other types (int8, int16, 32 bits, OpenEXR's uint) become floats of
/// the same value, doubles floats. Tags::range of such pictures holds their least and largest value if they leave
/// [0, 1].
///
/// Which picture: the first page that is no reduced copy, the first part with colours, the first frame. Which
/// channels: by what the file calls them; grey or RGB and their alpha, of any other file up to 4 as they are
/// (AlphaKind::None), of more R, G and B if there are such. `channels` asks for others: up to 4 names as the file has
/// them ("diffuse.R,diffuse.G,diffuse.B") or numbers from 1 ("4,3,2"); not of BMP and PNM. Alpha is never multiplied in
/// or divided out; its kind is in the tags. ImageFileInfo::notes says what was decided. Image::no_data marks pixels
/// that are NaN, or of which a TIFF says that nothing was measured there (GDAL_NODATA); their values are as stored.
///
/// Error(NotFound), Error(Io), Error(Format) for empty, truncated or damaged files and for content that is no picture
/// (saying what it is where that is known), Error(InvalidArgument) for channels that are not there, Error(Unsupported)
/// for CMYK, camera raw, deep, volumetric, transparent WebP and other channels or sizes, Error(OutOfMemory) if the
/// header claims more than max_bytes (checked before allocating).
Image read_image(const std::string& path, int64_t max_bytes = kMaxImageBytes, ImageTurn turn = ImageTurn::AsShown,
                 const std::string& channels = "");

/// Whether ImageWriter writes files of this name, going by its extension in any case.
bool is_image_name(const std::string& path);

/// Writes rows as they come; nothing appears under the final name before close(). Format by extension: .png .jpg .tif
/// .exr .hdr .webp. A depth that the format lacks is an Error(Unsupported) that names the nearest it has; Error(Io) for
/// an unwritable folder or a full disk, naming the cause, from any of the functions. Colours are multiplied by a
/// straight alpha in OpenEXR and divided by an associated one in PNG; TIFF holds both, and with OpenEXR alone channels
/// that are no colours. Profiles are kept by PNG, JPEG and TIFF, the shape of pixels by these and OpenEXR.
/// Lossless except JPEG (quality 98), WebP (quality 100) and HDR (shared exponent).
class ImageWriter {
 public:
  ImageWriter(const std::string& path, int width, int height, int n_channels, PixelType type,
              const PictureTags& tags = {});
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

/// What a file of this name cannot hold of the tags, in words ("the colour profile"); empty: nothing is lost.
std::string lost_tags(const std::string& path, const PictureTags& tags);

/// Convenience over ImageWriter.
void write_image(const std::string& path, const Image& image);

/// A PNG file's bytes in memory, for pictures inside other files. Lossless, compressed as far as PNG goes: meant for
/// small pictures. Error(Unsupported) for half and float pictures, which PNG cannot hold.
std::string encode_png(const Image& image);

}  // namespace loe
