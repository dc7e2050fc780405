// A picture file opened, with all decided that it leaves open: which of its pictures, which channels, how turned.
#pragma once

#include <OpenImageIO/filesystem.h>
#include <OpenImageIO/imageio.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/file_handle.h"
#include "io/image_channels.h"
#include "io/image_errors.h"
#include "io/image_formats.h"
#include "io/picture_facts.h"
#include "io/tiff_directory.h"
#include "loe/base/error.h"
#include "loe/io/image_file.h"

namespace loe {

struct OpenImage {
  explicit OpenImage(const std::string& path_) : path(path_), file(path_) {}
  std::string path;
  ReadHandle file;
  const ImageFormat* format = nullptr;
  PictureFacts facts;
  std::optional<TiffFile> tiff;
  std::unique_ptr<OIIO::Filesystem::IOProxy> repaired;  // outlives `input`
  std::unique_ptr<OIIO::ImageInput> input;              // null: a format of our own
  int subimage = 0;
  OIIO::ImageSpec spec;
  ChannelChoice channels;
  ImageFileInfo info;
  OIIO::TypeDesc read_type;
  int applied_orientation = 1;  ///< 1 where pixels are wanted as stored

  bool is(const char* name) const { return std::string_view(format->name) == name; }
  bool is_own() const { return is("bmp") || is("pnm"); }
};

/// `whole`: the pixels will be read too. Errors of read_image_info.
std::unique_ptr<OpenImage> open_image(const std::string& path, bool whole, ImageTurn turn, const std::string& channels);

/// The type in memory: the file's own if we have it, else the float that holds its values.
PixelType image_type_of(OIIO::TypeDesc type);

}  // namespace loe
