// What the tests of videos share: patterns, Y4M and .npy files by hand, and files from FFmpeg's libraries directly, so
// that not all files come from the code under test.
#pragma once

#include <gtest/gtest.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
}

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "io/io_test_helpers.h"
#include "loe/io/video_file.h"
#include "test_paths.h"

namespace loe {

inline const std::string kCarphone = std::string(kSharedData) + "/video_carphone_pristine/carphone_pristine.mp4";
inline const std::string kBikes = std::string(kSharedData) + "/video_bikes/bikes.mp4";
inline const std::string kBunny = std::string(kSharedData) + "/video_bigbuckbunny/bigbuckbunny.mp4";

/// Value (x, y, c) as stored.
inline int stored(const Image& image, int x, int y, int c) {
  const std::byte* row = image.row(y);
  const int i = x * image.n_channels() + c;
  if (image.type() == PixelType::U8) return static_cast<int>(row[i]);
  uint16_t value = 0;
  std::memcpy(&value, row + 2 * i, 2);
  return value;
}

/// Waves that move with t: neighbours differ by little, so that codecs and chroma subsampling keep them.
inline Image waves(int width, int height, int n_channels, PixelType type, int t) {
  Image image(width, height, n_channels, type);
  std::vector<float> row(static_cast<std::size_t>(width) * n_channels);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < n_channels; ++c) {
        row[x * n_channels + c] =
            static_cast<float>(0.5 + 0.45 * std::sin(0.06 * x * (c + 1) + 0.05 * y + 0.4 * t + c));
      }
    }
    image.write_row(0, y, width, row.data());
  }
  return image;
}

inline Video wave_clip(int width, int height, int n_channels, PixelType type, int n_frames) {
  Video video(width, height, n_channels, type);
  video.frame_rate = {30000, 1001};
  for (int t = 0; t < n_frames; ++t) video.append(waves(width, height, n_channels, type, t));
  return video;
}

/// Largest difference of two frames in stored units.
inline int max_difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.width(), b.width());
  EXPECT_EQ(a.height(), b.height());
  EXPECT_EQ(a.n_channels(), b.n_channels());
  EXPECT_EQ(to_string(a.type()), std::string(to_string(b.type())));
  if (a.n_bytes() != b.n_bytes()) return 1 << 20;
  int largest = 0;
  for (int y = 0; y < a.height(); ++y) {
    for (int x = 0; x < a.width(); ++x) {
      for (int c = 0; c < a.n_channels(); ++c) {
        largest = std::max(largest, std::abs(stored(a, x, y, c) - stored(b, x, y, c)));
      }
    }
  }
  return largest;
}

/// PSNR of two clips in dB, peak 1.
inline double clip_psnr(const Video& a, const Video& b) {
  double sum = 0;
  const double max = a.type() == PixelType::U8 ? 255 : 65535;
  for (int t = 0; t < a.n_frames(); ++t) {
    for (int y = 0; y < a.height(); ++y) {
      for (int x = 0; x < a.width(); ++x) {
        for (int c = 0; c < a.n_channels(); ++c) {
          sum += std::pow((stored(a.frame(t), x, y, c) - stored(b.frame(t), x, y, c)) / max, 2);
        }
      }
    }
  }
  return -10 * std::log10(sum / (static_cast<double>(a.n_pixels()) * a.n_channels()) + 1e-12);
}

inline std::string y4m_header(int width, int height, const std::string& more) {
  return "YUV4MPEG2 W" + std::to_string(width) + " H" + std::to_string(height) + " F25:1 Ip A1:1 " + more + "\n";
}

/// An .npy file of version 1.0 (or 2.0) with any header text.
inline std::string npy_bytes(const std::string& header, const std::string& data, int version = 1) {
  const auto n = static_cast<unsigned>(header.size());
  std::string length{static_cast<char>(n & 255U), static_cast<char>(n >> 8 & 255U)};
  if (version == 2) length += std::string(2, '\0');
  return "\x93NUMPY" + std::string{static_cast<char>(version), '\0'} + length + header + data;
}

inline std::string npy_dictionary(const std::string& dtype, const std::string& shape) {
  return "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': (" + shape + "), }\n";
}

/// What encode_clip() makes.
struct EncodedClip {
  const char* encoder = "ffv1";
  AVPixelFormat format = AV_PIX_FMT_YUV420P;
  int width = 32;
  int height = 16;
  int n_frames = 5;
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
  AVColorSpace space = AVCOL_SPC_UNSPECIFIED;
  std::function<void(AVFrame&, int t)> fill;                          ///< else all bytes are 100
  std::function<int64_t(int t)> time = [](int t) { return t * 40; };  ///< in ms
  std::function<void(AVStream&)> edit_stream;
  bool index_first = false;  ///< MP4 for streaming
};

/// A file by FFmpeg's libraries alone; the container by its name.
inline void encode_clip(const std::string& path, const EncodedClip& clip) {
  AVFormatContext* container = nullptr;
  ASSERT_GE(avformat_alloc_output_context2(&container, nullptr, nullptr, path.c_str()), 0);
  const AVCodec* codec = avcodec_find_encoder_by_name(clip.encoder);
  ASSERT_NE(codec, nullptr) << clip.encoder;
  AVCodecContext* encoder = avcodec_alloc_context3(codec);
  encoder->width = clip.width;
  encoder->height = clip.height;
  encoder->pix_fmt = clip.format;
  encoder->time_base = {1, 1000};
  if (std::string(clip.encoder) == "mpeg2video") encoder->time_base = {1, 25};
  encoder->framerate = {25, 1};
  encoder->color_range = clip.range;
  encoder->colorspace = clip.space;
  encoder->thread_count = 1;
  if ((container->oformat->flags & AVFMT_GLOBALHEADER) != 0) encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (std::string(clip.encoder) == "ffv1") {
    encoder->level = 3;
    ASSERT_GE(av_opt_set_int(encoder->priv_data, "slicecrc", 1, 0), 0);
  }
  if (clip.index_first) av_opt_set(container->priv_data, "movflags", "faststart", 0);
  ASSERT_GE(avcodec_open2(encoder, nullptr, nullptr), 0);
  AVStream* stream = avformat_new_stream(container, nullptr);
  stream->time_base = encoder->time_base;
  ASSERT_GE(avcodec_parameters_from_context(stream->codecpar, encoder), 0);
  if (clip.edit_stream) clip.edit_stream(*stream);
  ASSERT_GE(avio_open(&container->pb, path.c_str(), AVIO_FLAG_WRITE), 0);
  ASSERT_GE(avformat_write_header(container, nullptr), 0);
  AVPacket* packet = av_packet_alloc();
  for (int t = 0; t <= clip.n_frames; ++t) {
    AVFrame* frame = t < clip.n_frames ? av_frame_alloc() : nullptr;
    if (frame != nullptr) {
      frame->width = clip.width;
      frame->height = clip.height;
      frame->format = clip.format;
      ASSERT_GE(av_frame_get_buffer(frame, 0), 0);
      for (const AVBufferRef* buffer : frame->buf) {
        if (buffer != nullptr) std::memset(buffer->data, 100, buffer->size);
      }
      if (clip.fill) clip.fill(*frame, t);
      frame->pts = encoder->time_base.den == 25 ? t : clip.time(t);
    }
    ASSERT_GE(avcodec_send_frame(encoder, frame), 0);
    av_frame_free(&frame);
    while (avcodec_receive_packet(encoder, packet) >= 0) {
      packet->stream_index = 0;
      packet->duration = av_rescale_q(40, {1, 1000}, encoder->time_base);
      av_packet_rescale_ts(packet, encoder->time_base, stream->time_base);
      ASSERT_GE(av_interleaved_write_frame(container, packet), 0);
    }
  }
  ASSERT_GE(av_write_trailer(container), 0);
  av_packet_free(&packet);
  avcodec_free_context(&encoder);
  avio_closep(&container->pb);
  avformat_free_context(container);
}

}  // namespace loe
