// Formats that we decode ourselves, because OpenImageIO 2.4 reads some of their files wrong: BMP and PNM.
#pragma once

#include <string>

#include "io/file_handle.h"
#include "loe/io/image_file.h"

namespace loe {

/// Header only. Errors of read_image_info.
ImageFileInfo read_bmp_info(const ReadHandle& file, const std::string& path);
ImageFileInfo read_pnm_info(const ReadHandle& file, const std::string& path);

/// The pixels that the info describes; errors of read_image. The caller has checked the size.
///
/// BMP: 1 to 32 bits, palettes (grey ones become grey), bit fields, run lengths, either order of rows. The fourth byte
/// of plain 32 bits is no alpha (its standard calls it unused); a bit field of alpha is, unless it is 0 everywhere.
/// PNM: P1 to P7 and PFM. Integers of up to 8 bits become round(v 255 / maximum), of more round(v 65535 / maximum).
Image read_bmp(const ReadHandle& file, const std::string& path, const ImageFileInfo& info);
Image read_pnm(const ReadHandle& file, const std::string& path, const ImageFileInfo& info);

}  // namespace loe
