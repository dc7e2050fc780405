// What pictures say outside their pixels, read by ourselves where OpenImageIO 2.4 does not tell.
#pragma once

#include <string>

#include "io/file_handle.h"
#include "io/image_formats.h"

namespace loe {

struct PictureFacts {
  int n_frames = 1;                 ///< of an animation
  int orientation = 0;              ///< EXIF's; 0: not said here
  double exposure = 1;              ///< HDR: what its values were multiplied by
  double pixel_aspect = 0;          ///< HDR, GIF; 0: not said here
  std::string icc_profile;          ///< WebP, HEIF
  std::string color_code;           ///< PNG's cICP, HEIF's nclx: "BT.2020, PQ"; empty: not said, or as sRGB
  bool may_be_transparent = false;  ///< GIF: its first frame has transparent pixels or leaves some out
  int n_bits = 8;                   ///< HEIF: of the largest item
};

/// A pixel's stated width / height, or 1 if it is nearly square or makes no sense.
double sensible_aspect(double stated);
/// What is said of pixels that are not square.
std::string aspect_note(double aspect);

/// From the beginnings of PNG, WebP, GIF, HDR and HEIF files; all defaults for the others. Broken structure ends the
/// search: the decoder will say what is wrong. Error(Unsupported) for HDR files of XYZ colours.
PictureFacts picture_facts(const ImageFormat& format, const ReadHandle& file, const std::string& path);

/// Whether a HEIF file (its brands) holds a sequence of frames, not one picture.
bool is_heif_sequence(const ReadHandle& file);

}  // namespace loe
