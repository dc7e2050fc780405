#include "io/libav.h"

#include <array>
#include <cstdarg>
#include <cstdio>

#include "io/text.h"
#include "loe/base/error.h"

namespace loe {
namespace {

thread_local std::array<char, 256> last_message{};

/// av_log's callback: keeps errors, prints nothing.
void keep_message(void*, int level, const char* format, va_list arguments) {
  if (level <= AV_LOG_ERROR) {
    std::vsnprintf(last_message.data(), last_message.size(), format, arguments);
  }
}

/// Coefficients: ITU-T H.273, table 4.
constexpr ColorMatrix kMatrices[] = {
    {"bt709", AVCOL_SPC_BT709, SWS_CS_ITU709, 0.2126, 0.0722},
    {"bt601", AVCOL_SPC_SMPTE170M, SWS_CS_ITU601, 0.299, 0.114},
    {"bt601", AVCOL_SPC_BT470BG, SWS_CS_ITU601, 0.299, 0.114},
    {"bt2020", AVCOL_SPC_BT2020_NCL, SWS_CS_BT2020, 0.2627, 0.0593},
    {"smpte240m", AVCOL_SPC_SMPTE240M, SWS_CS_SMPTE240M, 0.212, 0.087},
    {"fcc", AVCOL_SPC_FCC, SWS_CS_FCC, 0.30, 0.11},
};

std::string name_or_unknown(const char* name) {
  return name == nullptr ? "unknown" : name;
}

}  // namespace

void start_libav() {
  static const bool done = [] {
    av_log_set_callback(keep_message);
    return true;
  }();
  static_cast<void>(done);
  last_message[0] = '\0';
}

std::string libav_message(int code) {
  const std::string message = last_message.data();
  const std::string line = message.substr(0, message.find_last_not_of(" \n.") + 1);
  if (!line.empty()) {
    return printable(line, 160);
  }
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return printable(text.data(), 160);
}

void require_allocated(const void* object) {
  if (object == nullptr) {
    throw Error(ErrorKind::OutOfMemory, "[video] memory: expected to allocate a frame, got none; free some memory");
  }
}

const ColorMatrix* color_matrix(AVColorSpace space, int width, int height) {
  // A file of YUV that claims to hold RGB is taken for one that says nothing.
  if (space == AVCOL_SPC_UNSPECIFIED || space == AVCOL_SPC_RESERVED || space == AVCOL_SPC_RGB) {
    space = width >= 1280 || height > 576 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
  }
  for (const ColorMatrix& matrix : kMatrices) {
    if (matrix.space == space) {
      return &matrix;
    }
  }
  return nullptr;
}

const ColorMatrix& color_matrix(const std::string& name, int width, int height) {
  for (const ColorMatrix& matrix : kMatrices) {
    if (name == matrix.name) {
      return matrix;
    }
  }
  return *color_matrix(AVCOL_SPC_UNSPECIFIED, width, height);
}

AVPixelFormat without_full_range(AVPixelFormat format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ411P:
      return AV_PIX_FMT_YUV411P;
    case AV_PIX_FMT_YUVJ420P:
      return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
      return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ440P:
      return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ444P:
      return AV_PIX_FMT_YUV444P;
    default:
      return format;
  }
}

bool is_rgb(const AVPixFmtDescriptor& format) {
  return (format.flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
}

bool is_grey(const AVPixFmtDescriptor& format) {
  return !is_rgb(format) && format.nb_components <= 2;
}

VideoColor color_of(AVPixelFormat format, AVCodecID codec, AVColorSpace space, AVColorRange range,
                    AVColorPrimaries primaries, AVColorTransferCharacteristic transfer, int width, int height) {
  const AVPixFmtDescriptor& description = *av_pix_fmt_desc_get(format);
  VideoColor color;
  // Grey without a range is full by FFmpeg's own convention, but limited where the codec's standard says so.
  const bool limited_codec = codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC;
  const bool full_by_default = is_rgb(description) || (is_grey(description) && !limited_codec);
  const bool full = format != without_full_range(format) || range == AVCOL_RANGE_JPEG || is_rgb(description) ||
                    (range == AVCOL_RANGE_UNSPECIFIED && full_by_default);
  color.range = full ? "full" : "limited";
  if (is_rgb(description)) {
    color.matrix = "rgb";
  } else {
    const ColorMatrix* matrix = color_matrix(space, width, height);
    color.matrix = matrix == nullptr ? "" : matrix->name;
  }
  color.primaries = name_or_unknown(av_color_primaries_name(primaries));
  color.transfer = name_or_unknown(av_color_transfer_name(transfer));
  return color;
}

}  // namespace loe
