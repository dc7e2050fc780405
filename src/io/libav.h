// Owners for the objects of FFmpeg's libraries, their messages as values, and names of colours.
#pragma once

// C headers without linkage declarations of their own.
extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

#include "loe/signal/video.h"

namespace loe {

/// Calls one of the libraries' functions that free an object and clear the pointer to it.
template <auto free_object>
struct LibavDeleter {
  template <typename T>
  void operator()(T* object) const {
    free_object(&object);
  }
};
struct SwsDeleter {
  void operator()(SwsContext* context) const { sws_freeContext(context); }
};
struct OutputDeleter {
  void operator()(AVFormatContext* context) const { avformat_free_context(context); }
};
/// The buffer of an AVIOContext may have been replaced by another one, but is always its user's to free.
struct AvioDeleter {
  void operator()(AVIOContext* context) const {
    av_freep(&context->buffer);
    avio_context_free(&context);
  }
};
using FramePtr = std::unique_ptr<AVFrame, LibavDeleter<av_frame_free>>;
using PacketPtr = std::unique_ptr<AVPacket, LibavDeleter<av_packet_free>>;
using CodecPtr = std::unique_ptr<AVCodecContext, LibavDeleter<avcodec_free_context>>;
using InputPtr = std::unique_ptr<AVFormatContext, LibavDeleter<avformat_close_input>>;
using OutputPtr = std::unique_ptr<AVFormatContext, OutputDeleter>;
using AvioPtr = std::unique_ptr<AVIOContext, AvioDeleter>;
using SwsPtr = std::unique_ptr<SwsContext, SwsDeleter>;

/// Takes over the libraries' logging, once, and forgets the last message of this thread. Before each call that may
/// fail.
void start_libav();
/// The last error that was logged on this thread since start_libav(), else the text of `code`, printable.
std::string libav_message(int code);
/// Error(OutOfMemory) if an allocation by the libraries returned null.
void require_allocated(const void* object);

/// One of our matrices.
struct ColorMatrix {
  const char* name;  ///< VideoColor::matrix
  AVColorSpace space;
  int sws;       ///< SWS_CS_*
  double k_red;  ///< Y = k_red R + (1 - k_red - k_blue) G + k_blue B
  double k_blue;
};
/// The matrix of a stream whose header says `space`; a guess from the size if it says nothing; nullptr if we lack it.
const ColorMatrix* color_matrix(AVColorSpace space, int width, int height);
/// The matrix to write for VideoColor::matrix; unknown names and "rgb" as color_matrix() guesses.
const ColorMatrix& color_matrix(const std::string& name, int width, int height);

/// The deprecated full-range formats (yuvj420p) as the plain ones they equal; others unchanged.
AVPixelFormat without_full_range(AVPixelFormat format);

/// Colours of a stream of pixels of `format`. Empty matrix: one that we lack.
VideoColor color_of(AVPixelFormat format, AVCodecID codec, AVColorSpace space, AVColorRange range,
                    AVColorPrimaries primaries, AVColorTransferCharacteristic transfer, int width, int height);

/// Neither YUV nor palette nor RGB.
bool is_grey(const AVPixFmtDescriptor& format);
bool is_rgb(const AVPixFmtDescriptor& format);

}  // namespace loe
