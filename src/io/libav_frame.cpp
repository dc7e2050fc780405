#include "io/libav_frame.h"

#include <fmt/format.h>

extern "C" {
#include <libavutil/opt.h>
}

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "io/text.h"
#include "io/video_source.h"

namespace loe {
namespace {

/// Chroma is interpolated at full resolution, with rounding that is the same on all machines.
constexpr int kSwsFlags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;

/// Where chroma samples lie, in 1/256 of a pixel from the first luma sample; swscale's default (-513) if an axis is
/// whole.
struct ChromaPlace {
  int x = -513;
  int y = -513;
};

ChromaPlace chroma_place(AVPixelFormat format, AVChromaLocation location, bool full_range) {
  const AVPixFmtDescriptor& description = *av_pix_fmt_desc_get(format);
  if (location == AVCHROMA_LOC_UNSPECIFIED) {
    location = full_range ? AVCHROMA_LOC_CENTER : AVCHROMA_LOC_LEFT;  // JPEG's place and MPEG's
  }
  ChromaPlace place;
  if (description.log2_chroma_w == 1) {
    const bool left =
        location == AVCHROMA_LOC_LEFT || location == AVCHROMA_LOC_TOPLEFT || location == AVCHROMA_LOC_BOTTOMLEFT;
    place.x = left ? 0 : 128;
  }
  if (description.log2_chroma_h == 1) {
    const bool top = location == AVCHROMA_LOC_TOPLEFT || location == AVCHROMA_LOC_TOP;
    const bool bottom = location == AVCHROMA_LOC_BOTTOMLEFT || location == AVCHROMA_LOC_BOTTOM;
    place.y = top ? 0 : bottom ? 256 : 128;
  }
  return place;
}

struct SwsSide {
  AVPixelFormat format;
  bool full_range;
  ChromaPlace chroma;
};

/// Same size on both sides. Null if swscale cannot.
SwsPtr make_sws(int width, int height, const SwsSide& from, const SwsSide& to, int matrix) {
  SwsPtr sws(sws_alloc_context());
  require_allocated(sws.get());
  const auto set = [&](const char* name, int64_t value) { av_opt_set_int(sws.get(), name, value, 0); };
  set("srcw", width);
  set("srch", height);
  set("src_format", from.format);
  set("src_range", from.full_range ? 1 : 0);
  set("src_h_chr_pos", from.chroma.x);
  set("src_v_chr_pos", from.chroma.y);
  set("dstw", width);
  set("dsth", height);
  set("dst_format", to.format);
  set("dst_range", to.full_range ? 1 : 0);
  set("dst_h_chr_pos", to.chroma.x);
  set("dst_v_chr_pos", to.chroma.y);
  set("sws_flags", kSwsFlags);
  if (sws_init_context(sws.get(), nullptr, nullptr) < 0) {
    return nullptr;
  }
  constexpr int kOne = 1 << 16;
  const int* coefficients = sws_getCoefficients(matrix);
  if (sws_setColorspaceDetails(sws.get(), coefficients, from.full_range ? 1 : 0, coefficients, to.full_range ? 1 : 0, 0,
                               kOne, kOne) < 0) {
    return nullptr;
  }
  return sws;
}

FramePtr make_frame(int width, int height, AVPixelFormat format) {
  FramePtr frame(av_frame_alloc());
  require_allocated(frame.get());
  frame->width = width;
  frame->height = height;
  frame->format = format;
  if (av_frame_get_buffer(frame.get(), 0) < 0) {
    require_allocated(nullptr);
  }
  return frame;
}

bool is_convertible(AVPixelFormat format) {
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  if (description == nullptr || description->nb_components < 1 ||
      (description->flags & (AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_FLOAT)) != 0) {
    return false;
  }
  for (int c = 0; c < description->nb_components; ++c) {
    if (description->comp[c].depth < 1 || description->comp[c].depth > 16) {
      return false;
    }
  }
  if (is_grey(*description) || is_rgb(*description)) {
    return true;
  }
  const bool xyz = std::strncmp(description->name, "xyz", 3) == 0;
  return !xyz && sws_isSupportedInput(without_full_range(format)) != 0;
}

AVPixelFormat packed_format(int n_channels, PixelType type) {
  if (n_channels == 1) {
    return type == PixelType::U8 ? AV_PIX_FMT_GRAY8 : AV_PIX_FMT_GRAY16;
  }
  return type == PixelType::U8 ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_RGB48;
}

}  // namespace

FrameOrientation frame_orientation(const int32_t* matrix) {
  // A stored (x, y) is shown at (a x + c y, b x + d y).
  const int32_t a = matrix[0];
  const int32_t b = matrix[1];
  const int32_t c = matrix[3];
  const int32_t d = matrix[4];
  FrameOrientation orientation;
  if (a != 0 && d != 0 && b == 0 && c == 0) {
    orientation.flip_x = a < 0;
    orientation.flip_y = d < 0;
  } else if (a == 0 && d == 0 && b != 0 && c != 0) {
    orientation.transpose = true;
    orientation.flip_x = b < 0;
    orientation.flip_y = c < 0;
  }
  return orientation;
}

void require_pixel_format(const std::string& path, AVPixelFormat format) {
  if (!is_convertible(format)) {
    const char* name = av_get_pix_fmt_name(format);
    fail_video(ErrorKind::Unsupported, path, "pixels that are YUV, RGB or grey integers",
               fmt::format("'{}'", name == nullptr ? "unknown" : name), "convert it to H.264 or to .npy first");
  }
}

PaletteColor palette_color(const AVFrame& frame, int index) {
  uint32_t color = 0;
  std::memcpy(&color, frame.data[1] + 4 * static_cast<std::ptrdiff_t>(index), sizeof(color));
  return {static_cast<uint8_t>(color >> 16), static_cast<uint8_t>(color >> 8), static_cast<uint8_t>(color),
          static_cast<uint8_t>(color >> 24)};
}

FrameToImage::FrameToImage(std::string path, const VideoFileInfo& info, FrameOrientation orientation)
    : path_(std::move(path)),
      info_(info),
      orientation_(orientation),
      width_(orientation.transpose ? info.height : info.width),
      height_(orientation.transpose ? info.width : info.height) {}

void FrameToImage::convert(const AVFrame& frame, Image& image) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  require_pixel_format(path_, format);
  const AVPixFmtDescriptor& description = *av_pix_fmt_desc_get(format);
  if (frame.width != width_ || frame.height != height_) {
    fail_video(ErrorKind::Unsupported, path_, fmt::format("frames of {}x{} to the end", width_, height_),
               fmt::format("one of {}x{}", frame.width, frame.height), "convert it to one size first");
  }
  if (is_grey(description) != (info_.n_channels == 1) ||
      (description.comp[0].depth > 8) != (info_.type == PixelType::U16)) {
    fail_video(ErrorKind::Unsupported, path_,
               fmt::format("frames of {} channels of {} to the end", info_.n_channels, to_string(info_.type)),
               fmt::format("one of '{}'", description.name), "convert it to one pixel format first");
  }
  if (!converted_) {
    converted_ = make_frame(width_, height_, packed_format(info_.n_channels, info_.type));
  }
  if (is_grey(description) || is_rgb(description)) {
    convert_components(frame);
  } else {
    convert_yuv(frame);
  }
  if (image.width() != info_.width || image.height() != info_.height || image.n_channels() != info_.n_channels ||
      image.type() != info_.type) {
    image = Image(info_.width, info_.height, info_.n_channels, info_.type);
  }
  image.tags = {};
  place(image);
}

void FrameToImage::prepare_yuv(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  if (sws_ && format == sws_format_) {
    return;
  }
  const bool full_range = info_.color.range == "full";
  const AVPixelFormat plain = without_full_range(format);
  const SwsSide from = {plain, full_range, chroma_place(plain, frame.chroma_location, full_range)};
  const bool deep = info_.type == PixelType::U16;
  const SwsSide to = deep ? SwsSide{AV_PIX_FMT_YUV444P16, full_range, {}} : SwsSide{AV_PIX_FMT_RGB24, true, {}};
  start_libav();
  sws_ = make_sws(width_, height_, from, to, color_matrix(info_.color.matrix, width_, height_).sws);
  sws_format_ = format;
  if (!sws_) {
    fail_video(ErrorKind::Unsupported, path_, fmt::format("to convert '{}' to RGB", av_get_pix_fmt_name(format)),
               libav_message(AVERROR(EINVAL)), "convert it to H.264 first");
  }
  if (deep && !full_chroma_) {
    full_chroma_ = make_frame(width_, height_, AV_PIX_FMT_YUV444P16);
  }
}

void FrameToImage::convert_yuv(const AVFrame& frame) {
  prepare_yuv(frame);
  start_libav();
  const AVFrame& target = full_chroma_ ? *full_chroma_ : *converted_;
  const int n_rows = sws_scale(sws_.get(), frame.data, frame.linesize, 0, height_, target.data, target.linesize);
  if (n_rows != height_) {
    fail_video(ErrorKind::Unsupported, path_, "to convert a frame to RGB", libav_message(n_rows),
               "convert it to H.264 first");
  }
  if (full_chroma_) {
    apply_matrix(av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format))->comp[0].depth);
  }
}

void FrameToImage::apply_matrix(int depth) {
  // swscale shifts to 16 bits. With y in [0, 1], u and v in [-1/2, 1/2]:
  //   R = y + 2 (1 - kr) v,  B = y + 2 (1 - kb) u,  G = (y - kr R - kb B) / (1 - kr - kb).
  const ColorMatrix& matrix = color_matrix(info_.color.matrix, width_, height_);
  const bool full = info_.color.range == "full";
  const float black = full ? 0 : 16 * 256;
  const auto y_scale = static_cast<float>(1 / (full ? 65536 - std::exp2(16 - depth) : 219 * 256.0));
  const auto uv_scale = static_cast<float>(1 / (full ? 65536 - std::exp2(16 - depth) : 224 * 256.0));
  const auto red_v = static_cast<float>(2 * (1 - matrix.k_red));
  const auto blue_u = static_cast<float>(2 * (1 - matrix.k_blue));
  const double k_green = 1 - matrix.k_red - matrix.k_blue;
  const auto green_u = static_cast<float>(matrix.k_blue * 2 * (1 - matrix.k_blue) / k_green);
  const auto green_v = static_cast<float>(matrix.k_red * 2 * (1 - matrix.k_red) / k_green);
  const auto store = [](float value) {
    return static_cast<uint16_t>(std::min(std::max(value, 0.0F), 1.0F) * 65535.0F + 0.5F);
  };
  const auto row_of = [](const AVFrame& frame, int plane, int row) {
    return reinterpret_cast<uint16_t*>(frame.data[plane] + static_cast<std::ptrdiff_t>(row) * frame.linesize[plane]);
  };
  for (int row = 0; row < height_; ++row) {
    const uint16_t* ys = row_of(*full_chroma_, 0, row);
    const uint16_t* us = row_of(*full_chroma_, 1, row);
    const uint16_t* vs = row_of(*full_chroma_, 2, row);
    uint16_t* out = row_of(*converted_, 0, row);
    for (int x = 0; x < width_; ++x) {
      const float luma = (static_cast<float>(ys[x]) - black) * y_scale;
      const float u = (static_cast<float>(us[x]) - 32768.0F) * uv_scale;
      const float v = (static_cast<float>(vs[x]) - 32768.0F) * uv_scale;
      out[3 * x] = store(luma + red_v * v);
      out[3 * x + 1] = store(luma - green_u * u - green_v * v);
      out[3 * x + 2] = store(luma + blue_u * u);
    }
  }
}

void FrameToImage::prepare_table(int depth) {
  if (depth == table_depth_) {
    return;
  }
  table_depth_ = depth;
  table_.resize(std::size_t{1} << depth);
  const double max = info_.type == PixelType::U8 ? 255 : 65535;
  // Limited range, which RGB never has here: black is 16, white 235, at 8 bits.
  const bool limited = info_.color.range == "limited" && depth >= 8;
  const double black = limited ? 16 * std::exp2(depth - 8) : 0;
  const double white = limited ? 235 * std::exp2(depth - 8) : std::exp2(depth) - 1;
  for (std::size_t v = 0; v < table_.size(); ++v) {
    const double share = std::clamp((static_cast<double>(v) - black) / (white - black), 0.0, 1.0);
    table_[v] = static_cast<uint16_t>(std::floor(share * max + 0.5));
  }
}

void FrameToImage::convert_components(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const AVPixFmtDescriptor& description = *av_pix_fmt_desc_get(format);
  const bool palette = (description.flags & AV_PIX_FMT_FLAG_PAL) != 0;
  const int n = info_.n_channels;
  if (palette) {
    for (int y = 0; y < height_; ++y) {
      uint8_t* out = converted_->data[0] + static_cast<std::ptrdiff_t>(y) * converted_->linesize[0];
      const uint8_t* indices = frame.data[0] + static_cast<std::ptrdiff_t>(y) * frame.linesize[0];
      for (int x = 0; x < width_; ++x) {
        const PaletteColor color = palette_color(frame, indices[x]);
        *out++ = color.red;
        *out++ = color.green;
        *out++ = color.blue;
      }
    }
    return;
  }
  line_.resize(static_cast<std::size_t>(width_));
  const uint8_t* planes[] = {frame.data[0], frame.data[1], frame.data[2], frame.data[3]};
  for (int c = 0; c < n; ++c) {
    prepare_table(description.comp[c].depth);
    for (int y = 0; y < height_; ++y) {
      av_read_image_line2(line_.data(), planes, frame.linesize, &description, 0, y, c, width_, 0, sizeof(uint16_t));
      uint8_t* row = converted_->data[0] + static_cast<std::ptrdiff_t>(y) * converted_->linesize[0];
      for (int x = 0; x < width_; ++x) {
        const uint16_t value = table_[line_[static_cast<std::size_t>(x)] & (table_.size() - 1)];
        if (info_.type == PixelType::U8) {
          row[x * n + c] = static_cast<uint8_t>(value);
        } else {
          reinterpret_cast<uint16_t*>(row)[x * n + c] = value;
        }
      }
    }
  }
}

void FrameToImage::place(Image& image) const {
  const std::size_t pixel = static_cast<std::size_t>(info_.n_channels) * bytes_per_value(info_.type);
  for (int y = 0; y < height_; ++y) {
    const uint8_t* row = converted_->data[0] + static_cast<std::ptrdiff_t>(y) * converted_->linesize[0];
    const int flipped_y = orientation_.flip_y ? height_ - 1 - y : y;
    if (!orientation_.transpose && !orientation_.flip_x) {
      std::memcpy(image.row(flipped_y), row, pixel * static_cast<std::size_t>(width_));
      continue;
    }
    for (int x = 0; x < width_; ++x) {
      const int flipped_x = orientation_.flip_x ? width_ - 1 - x : x;
      std::byte* target = orientation_.transpose ? image.row(flipped_x) + static_cast<std::size_t>(flipped_y) * pixel
                                                 : image.row(flipped_y) + static_cast<std::size_t>(flipped_x) * pixel;
      std::memcpy(target, row + static_cast<std::size_t>(x) * pixel, pixel);
    }
  }
}

ImageToFrame::ImageToFrame(int width, int height, AVPixelFormat format, PixelType type, const ColorMatrix& matrix,
                           bool full_range)
    : matrix_(matrix), full_range_(full_range), deep_(type == PixelType::U16) {
  // swscale takes grey for full range whatever it is told, so grey is copied.
  const bool copied = format == AV_PIX_FMT_GRAY8 || format == AV_PIX_FMT_YUV444P10;
  const AVPixelFormat input = copied ? format : deep_ ? AV_PIX_FMT_YUV444P10 : AV_PIX_FMT_RGB24;
  source_ = make_frame(width, height, input);
  if (copied) {
    return;
  }
  result_ = make_frame(width, height, format);
  const SwsSide from = {input, full_range || !deep_, {}};
  const SwsSide to = {format, full_range, chroma_place(format, AVCHROMA_LOC_LEFT, full_range)};
  sws_ = make_sws(width, height, from, to, matrix.sws);
  if (!sws_) {
    throw Error(
        ErrorKind::Unsupported,
        fmt::format("[video] frames: expected a swscale that converts {} to {}, got one that does not; write .npy",
                    av_get_pix_fmt_name(from.format), av_get_pix_fmt_name(format)));
  }
}

AVFrame* ImageToFrame::convert(const Image& image) {
  AVFrame* result = sws_ ? result_.get() : source_.get();
  if (av_frame_make_writable(result) < 0) {
    require_allocated(nullptr);
  }
  if (deep_) {
    apply_matrix(image, *source_);
  } else {
    copy_rgb(image, *source_);
  }
  if (sws_) {
    sws_scale(sws_.get(), source_->data, source_->linesize, 0, image.height(), result->data, result->linesize);
  }
  return result;
}

void ImageToFrame::copy_rgb(const Image& image, AVFrame& target) const {
  const int n_copies = target.format == AV_PIX_FMT_RGB24 && image.n_channels() == 1 ? 3 : 1;
  for (int y = 0; y < image.height(); ++y) {
    uint8_t* row = target.data[0] + static_cast<std::ptrdiff_t>(y) * target.linesize[0];
    const std::byte* values = image.row(y);
    if (n_copies == 1) {
      std::memcpy(row, values, static_cast<std::size_t>(image.width() * image.n_channels()));
      continue;
    }
    for (int i = 0; i < image.width() * n_copies; ++i) {
      row[i] = static_cast<uint8_t>(values[i / n_copies]);
    }
  }
}

void ImageToFrame::apply_matrix(const Image& image, AVFrame& target) const {
  // u = (B - y) / (2 (1 - kb)), v = (R - y) / (2 (1 - kr)): the inverse of FrameToImage::apply_matrix.
  const float black = full_range_ ? 0 : 64;
  const float y_scale = full_range_ ? 1023 : 876;
  const float uv_scale = full_range_ ? 1023 : 896;
  const auto k_red = static_cast<float>(matrix_.k_red);
  const auto k_blue = static_cast<float>(matrix_.k_blue);
  const auto store = [](float value) { return static_cast<uint16_t>(std::min(std::max(value + 0.5F, 0.0F), 1023.0F)); };
  const int n = image.n_channels();
  for (int row = 0; row < image.height(); ++row) {
    const auto* values = reinterpret_cast<const uint16_t*>(image.row(row));
    uint16_t* out[3];
    for (int plane = 0; plane < 3; ++plane) {
      out[plane] =
          reinterpret_cast<uint16_t*>(target.data[plane] + static_cast<std::ptrdiff_t>(row) * target.linesize[plane]);
    }
    for (int x = 0; x < image.width(); ++x) {
      const float red = static_cast<float>(values[x * n]) / 65535.0F;
      const float green = static_cast<float>(values[x * n + n / 2]) / 65535.0F;
      const float blue = static_cast<float>(values[x * n + n - 1]) / 65535.0F;
      const float luma = k_red * red + (1 - k_red - k_blue) * green + k_blue * blue;
      out[0][x] = store(black + y_scale * luma);
      out[1][x] = store(512 + uv_scale * (blue - luma) / (2 * (1 - k_blue)));
      out[2][x] = store(512 + uv_scale * (red - luma) / (2 * (1 - k_red)));
    }
  }
}

}  // namespace loe
