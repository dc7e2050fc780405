#include "io/foreign_content.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace loe {
namespace {

using namespace std::string_view_literals;

constexpr const char* kToPng = "convert it to PNG first";
constexpr const char* kDevelop = "develop it first (darktable, RawTherapee, dcraw -T) and fit the TIFF or PNG";
constexpr const char* kSound = "name a picture or a video";
constexpr const char* kUnpack = "unpack it first and name what is inside";
constexpr const char* kPlaylist = "name the files that it lists, or join them first (ffmpeg -i LIST -c copy clip.mp4)";

struct Signature {
  std::size_t at;
  std::string_view bytes;
  const char* what;
  const char* remedy;
};

constexpr Signature kSignatures[] = {
    {0, "\x00\x00\x00\x0CJXL \r\n\x87\n"sv, "a JPEG XL picture", kToPng},
    {0, "\xFF\x0A"sv, "a JPEG XL picture", kToPng},
    {0, "\x00\x00\x00\x0CjP  \r\n\x87\n"sv, "a JPEG 2000 picture", kToPng},
    {0, "\xFF\x4F\xFF\x51"sv, "a JPEG 2000 picture", kToPng},
    {0, "8BPS"sv, "a Photoshop document", kToPng},
    {0, "gimp xcf"sv, "a GIMP document", kToPng},
    {0, "DDS "sv, "a DDS texture", kToPng},
    {0, "\xABKTX"sv, "a KTX texture", kToPng},
    {0, "SDPX"sv, "a DPX picture", kToPng},
    {0, "XPDS"sv, "a DPX picture", kToPng},
    {0, "SIMPLE  ="sv, "a FITS picture", "convert it to a TIFF of floats first"},
    {0, "qoif"sv, "a QOI picture", kToPng},
    {0, "FLIF"sv, "a FLIF picture", kToPng},
    {0, "\x00\x00\x01\x00"sv, "an icon (ICO)", kToPng},
    {0, "\x59\xA6\x6A\x95"sv, "a Sun raster picture", kToPng},
    {0, "\x01\xDA"sv, "an SGI picture", kToPng},
    {0, "\x0A\x05\x01\x08"sv, "a PCX picture", kToPng},
    {0, "%PDF"sv, "a PDF document", "convert a page to PNG first (pdftoppm -png)"},
    {0, "%!PS"sv, "a PostScript document", "convert it to PNG first (gs -sDEVICE=png16m)"},
    {0, "<svg"sv, "an SVG drawing", "convert it to PNG first (rsvg-convert)"},
    {128, "DICM"sv, "a DICOM picture", "convert it to TIFF or PNG first"},
    {0, "FUJIFILMCCD-RAW"sv, "a camera raw file (RAF)", kDevelop},
    {0, "IIRO"sv, "a camera raw file (ORF)", kDevelop},
    {0, "IIRS"sv, "a camera raw file (ORF)", kDevelop},
    {0, "MMOR"sv, "a camera raw file (ORF)", kDevelop},
    {0, "IIU\0"sv, "a camera raw file (RW2)", kDevelop},
    {6, "HEAPCCDR"sv, "a camera raw file (CRW)", kDevelop},
    {4, "ftypcrx "sv, "a camera raw file (CR3)", kDevelop},
    {0, "FOVb"sv, "a camera raw file (X3F)", kDevelop},
    {0, "\0MRM"sv, "a camera raw file (MRW)", kDevelop},
    {0, "ID3"sv, "sound (MP3)", kSound},
    {0, "fLaC"sv, "sound (FLAC)", kSound},
    {0, "#EXTM3U"sv, "a playlist (M3U8)", kPlaylist},
    {0, "ffconcat"sv, "a playlist (ffconcat)", kPlaylist},
    {0, "file '"sv, "a list of files (ffconcat)", kPlaylist},
    {0, "[playlist]"sv, "a playlist (PLS)", kPlaylist},
    {0, "PK\x03\x04"sv, "a ZIP archive", kUnpack},
    {0, "\x1F\x8B"sv, "a gzip archive", kUnpack},
    {0, "7z\xBC\xAF\x27\x1C"sv, "a 7z archive", kUnpack},
    {0, "Rar!"sv, "a RAR archive", kUnpack},
    {0,
     "\xFD"
     "7zXZ"sv,
     "an xz archive", kUnpack},
    {0, "\x28\xB5\x2F\xFD"sv, "a zstd archive", kUnpack},
    {257, "ustar"sv, "a tar archive", kUnpack},
    {0, "\x89HDF"sv, "an HDF5 file", "save the array as .npy, or its pictures as PNG"},
    {0, "glTF"sv, "a 3-D model (glTF)", "name pictures of it with their cameras (docs/formats.md, scenes)"},
    {0, "ply\n"sv, "a point cloud or mesh (PLY)", "name pictures of it with their cameras (docs/formats.md, scenes)"},
    {0, "version https://git-lfs"sv, "a Git LFS pointer, not the file itself", "fetch it first (git lfs pull)"},
    {0, "<!DOCTYPE html"sv, "a web page", "the download went wrong: take the file itself"},
    {0, "<html"sv, "a web page", "the download went wrong: take the file itself"},
};

bool is_wave(std::string_view text) {
  return text.starts_with("RIFF") && text.size() >= 12 && text.substr(8, 4) == "WAVE";
}

/// An MPEG audio frame: 11 bits of ones, then a version, layer and rates that exist.
bool is_mpeg_audio(std::string_view text) {
  if (text.size() < 4) return false;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  return byte(0) == 0xFF && (byte(1) & 0xE0U) == 0xE0 && (byte(1) & 0x18U) != 0x08 && (byte(1) & 0x06U) != 0 &&
         (byte(2) & 0xF0U) != 0xF0 && (byte(2) & 0x0CU) != 0x0C;
}

}  // namespace

ForeignContent foreign_content(std::span<const unsigned char> head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  for (const Signature& signature : kSignatures) {
    if (text.size() >= signature.at && text.substr(signature.at, signature.bytes.size()) == signature.bytes) {
      return {signature.what, signature.remedy};
    }
  }
  if (is_wave(text)) return {"sound (WAV)", kSound};
  if (text.find("<MPD") != std::string_view::npos) return {"a playlist (DASH)", kPlaylist};
  if (text.starts_with("<?xml") && text.find("<svg") != std::string_view::npos) {
    return {"an SVG drawing", "convert it to PNG first (rsvg-convert)"};
  }
  if (is_mpeg_audio(text)) return {"sound (MPEG audio)", kSound};
  return {};
}

}  // namespace loe
