// Frames of FFmpeg's libraries to pictures and back.
#pragma once

#include <string>
#include <vector>

#include "io/libav.h"
#include "loe/io/video_file.h"

namespace loe {

/// How a container asks its frames to be shown: mirrored along the stored axes, then transposed.
struct FrameOrientation {
  bool flip_x = false;
  bool flip_y = false;
  bool transpose = false;
};
/// From a display matrix of 9 numbers; anything but multiples of 90 degrees and mirrorings: as stored.
FrameOrientation frame_orientation(const int32_t* matrix);

/// Error(Unsupported) for pixel formats that we cannot turn into RGB or grey: float, Bayer, XYZ, hardware.
void require_pixel_format(const std::string& path, AVPixelFormat format);

/// A colour of a palette frame (PAL8), whose second plane holds 256 of them as 32-bit ARGB.
struct PaletteColor {
  uint8_t red = 0;
  uint8_t green = 0;
  uint8_t blue = 0;
  uint8_t alpha = 0;
};
PaletteColor palette_color(const AVFrame& frame, int index);

/// Decoded frames to pictures of info's size, channels and depth.
///
/// YUV of 8 bits goes through swscale, with the file's matrix, range and place of the chroma samples: within 0.51
/// levels of the equation. Of more bits only chroma is interpolated by it, because its 16-bit RGB was found to be up to
/// 0.4 % too dark (white at 65283); the matrix is ours. RGB, palettes and grey are scaled to the depth value by value:
/// round(v * max / source_max).
class FrameToImage {
 public:
  FrameToImage(std::string path, const VideoFileInfo& info, FrameOrientation orientation);
  void convert(const AVFrame& frame, Image& image);

 private:
  void prepare_yuv(const AVFrame& frame);
  void convert_yuv(const AVFrame& frame);
  void apply_matrix(int depth);
  void convert_components(const AVFrame& frame);
  void prepare_table(int depth);
  void place(Image& image) const;

  std::string path_;
  VideoFileInfo info_;
  FrameOrientation orientation_;
  int width_;  ///< as stored
  int height_;
  SwsPtr sws_;
  AVPixelFormat sws_format_ = AV_PIX_FMT_NONE;
  FramePtr full_chroma_;         ///< 4:4:4 of 16 bits, for sources of more than 8
  FramePtr converted_;           ///< RGB or grey as stored, in rows padded as swscale wants them
  std::vector<uint16_t> line_;   ///< one component of a row
  std::vector<uint16_t> table_;  ///< source value -> ours
  int table_depth_ = 0;
};

/// Pictures to frames of `format`: GRAY8, YUV of 8 bits (through swscale) or of 10, by the matrix and range given.
///
/// The matrix for 10 bits is ours for the reason above (swscale's mean luma was found to be off by 1.3 levels of 10
/// bits); swscale only averages the chroma.
class ImageToFrame {
 public:
  ImageToFrame(int width, int height, AVPixelFormat format, PixelType type, const ColorMatrix& matrix, bool full_range);
  /// The frame belongs to this object; the next call overwrites it (or a copy, if an encoder still holds it).
  AVFrame* convert(const Image& image);

 private:
  void copy_rgb(const Image& image, AVFrame& target) const;
  void apply_matrix(const Image& image, AVFrame& target) const;

  ColorMatrix matrix_;
  bool full_range_;
  bool deep_;
  SwsPtr sws_;       ///< null: source_ is the result
  FramePtr source_;  ///< RGB24, or YUV444P10 if deep
  FramePtr result_;
};

}  // namespace loe
