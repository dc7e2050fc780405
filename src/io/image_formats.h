// The picture formats we read and write, told apart by content, and cheap checks that need no decoder.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "io/file_handle.h"
#include "loe/signal/image.h"

namespace loe {

/// One format and what it can hold when we write it.
struct ImageFormat {
  const char* name;                     ///< "png": OpenImageIO's name for it
  const char* title;                    ///< "PNG": in messages
  std::vector<const char*> extensions;  ///< lower case
  std::vector<PixelType> types;         ///< depths on output; empty: read only
  std::vector<int> channels;            ///< channel counts on output
  int max_side;                         ///< on output
  bool keeps_profile = false;           ///< on output
  bool keeps_aspect = false;            ///< likewise, the shape of pixels
};

/// The format whose signature `head`, the file's first bytes, begins with; nullptr: none of ours.
const ImageFormat* format_of_content(std::span<const unsigned char> head);

/// The format that the extension of `path` stands for, in any case, whatever the content; nullptr: none of ours.
const ImageFormat* format_of_extension(const std::string& path);

/// By the extension of `path`, in any case. Error(Unsupported) if the format lacks the depth (names the nearest it
/// has), the channels or the size, or if we do not write the extension (lists those we do).
const ImageFormat& output_format(const std::string& path, int width, int height, int n_channels, PixelType type);

/// Reads the headers of a PNG or JPEG, or, if `whole`, all of it, without decoding; other formats are left to their
/// decoders.
///
/// Error(Format) if it is truncated, a PNG's header or a checksum is wrong, or the header claims more pixels than so
/// many bytes can hold; Error(Unsupported) for CMYK. The decoders would fill up with grey, print to stderr, or allocate
/// first.
void check_content(const ImageFormat& format, const ReadHandle& file, const std::string& path, bool whole);

}  // namespace loe
