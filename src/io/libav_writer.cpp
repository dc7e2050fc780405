// Encoding containers: the VideoSink of include/loe/io/video_file.h for all that FFmpeg's libraries write.
#include <fmt/format.h>

extern "C" {
#include <libavutil/opt.h>
}

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "io/file_handle.h"
#include "io/libav_frame.h"
#include "io/text.h"
#include "io/video_source.h"

namespace loe {
namespace {

constexpr int kBufferBytes = 64 << 10;
/// The bits of x264 depend on the number of threads, so it is the same on every machine.
constexpr int kEncoderThreads = 4;

/// Of frames with times of their own, as MPEG counts.
constexpr int kTicksPerSecond = 90000;

struct Target {
  const char* extension;
  const char* muxer;
  const char* encoder;
};
constexpr Target kTargets[] = {{".mp4", "mp4", "libx264"},
                               {".mov", "mov", "libx264"},
                               {".mkv", "matroska", "libx264"},
                               {".webm", "webm", "libvpx-vp9"},
                               {".y4m", "yuv4mpegpipe", "wrapped_avframe"}};

const Target& target_of(const std::string& extension) {
  return *std::find_if(std::begin(kTargets), std::end(kTargets),
                       [&](const Target& target) { return extension == target.extension; });
}

bool has_pixel_format(const AVCodec& encoder, AVPixelFormat format) {
  if (encoder.pix_fmts == nullptr) {
    return true;  // takes what it is given
  }
  for (const AVPixelFormat* each = encoder.pix_fmts; *each != AV_PIX_FMT_NONE; ++each) {
    if (*each == format) {
      return true;
    }
  }
  return false;
}

/// An AtomicFile as the libraries write to it. Remembers the first failure.
class LibavOutputFile {
 public:
  explicit LibavOutputFile(const std::string& path) : file_(path) {
    auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
    require_allocated(buffer);
    avio_.reset(avio_alloc_context(buffer, kBufferBytes, 1, this, nullptr, write_callback, seek_callback));
    if (!avio_) {
      av_free(buffer);
      require_allocated(nullptr);
    }
  }
  LibavOutputFile(const LibavOutputFile&) = delete;
  LibavOutputFile& operator=(const LibavOutputFile&) = delete;

  AVIOContext* avio() { return avio_.get(); }
  int error_number() const { return error_number_; }
  void commit() { file_.commit(); }

 private:
  static int write_callback(void* opaque, uint8_t* data, int n_bytes) {
    auto& self = *static_cast<LibavOutputFile*>(opaque);
    if (self.error_number_ == 0) {
      self.error_number_ =
          self.file_.write_at(static_cast<uint64_t>(self.position_), data, static_cast<std::size_t>(n_bytes));
    }
    if (self.error_number_ != 0) {
      return AVERROR(self.error_number_);
    }
    self.position_ += n_bytes;
    self.size_ = std::max(self.size_, self.position_);
    return n_bytes;
  }
  static int64_t seek_callback(void* opaque, int64_t offset, int whence) {
    auto& self = *static_cast<LibavOutputFile*>(opaque);
    if ((whence & AVSEEK_SIZE) != 0) {
      return self.size_;
    }
    const int64_t base = whence == SEEK_CUR ? self.position_ : whence == SEEK_END ? self.size_ : 0;
    if (base + offset < 0) {
      return AVERROR(EINVAL);
    }
    self.position_ = base + offset;
    return self.position_;
  }

  AtomicFile file_;
  int64_t position_ = 0;
  int64_t size_ = 0;
  int error_number_ = 0;
  AvioPtr avio_;
};

class LibavSink final : public VideoSink {
 public:
  LibavSink(const std::string& path, const std::string& extension, const VideoShape& shape, const VideoOptions& options)
      : path_(path), target_(target_of(extension)), shape_(shape), options_(options), file_(path) {
    choose_color();
    open_encoder();
    open_container();
    to_frame_.emplace(shape.width, shape.height, encoder_->pix_fmt, options.type, *matrix_, full_range_);
    packet_.reset(av_packet_alloc());
    require_allocated(packet_.get());
  }

  void write(const Image& image) override {
    AVFrame* frame = to_frame_->convert(image);
    frame->pts = ticks_of(n_frames_++);
    encode(frame);
  }

  void close() override {
    encode(nullptr);
    start_libav();
    require(av_write_trailer(context_.get()), "finish the video");
    avio_flush(file_.avio());
    require(file_.avio()->error, "finish the video");
    context_.reset();
    file_.commit();
  }

 private:
  bool has_times() const { return !options_.times.empty() && !is_y4m(); }
  /// When frame n begins, in the encoder's ticks.
  int64_t ticks_of(int64_t n) const {
    if (!has_times()) return n;
    if (static_cast<std::size_t>(n) >= options_.times.size()) {
      fail_video(ErrorKind::InvalidArgument, path_, fmt::format("{} frames, one for each time", options_.times.size()),
                 "more", "pass a time for each");
    }
    return std::llround(options_.times[static_cast<std::size_t>(n)] * kTicksPerSecond);
  }
  /// Of the frame that begins at `pts`; the last one lasts as long as the average.
  int64_t duration_at(int64_t pts) const {
    const auto next = std::upper_bound(options_.times.begin(), options_.times.end(), pts, [](int64_t at, double time) {
      return at < std::llround(time * kTicksPerSecond);
    });
    return next == options_.times.end() ? std::llround(kTicksPerSecond / options_.rate.value())
                                        : std::llround(*next * kTicksPerSecond) - pts;
  }
  bool is_y4m() const { return std::string_view(target_.extension) == ".y4m"; }

  void choose_color();
  AVPixelFormat choose_format() const;
  void open_encoder();
  void set_quality();
  void open_container();
  void encode(const AVFrame* frame);

  /// After every call into the libraries: the system's own word first, then theirs.
  void require(int result, const char* attempt) const {
    if (file_.error_number() != 0) {
      throw_io_error(path_, attempt, file_.error_number());
    }
    if (result < 0) {
      fail_video(ErrorKind::Io, path_, fmt::format("to {}", attempt), libav_message(result), "try another format");
    }
  }

  std::string path_;
  const Target& target_;
  VideoShape shape_;
  VideoOptions options_;
  const ColorMatrix* matrix_ = nullptr;
  bool full_range_ = false;
  LibavOutputFile file_;  // outlives the container
  CodecPtr encoder_;
  OutputPtr context_;
  AVStream* stream_ = nullptr;
  std::optional<ImageToFrame> to_frame_;
  PacketPtr packet_;
  int64_t n_frames_ = 0;
};

void LibavSink::choose_color() {
  const VideoColor& color = options_.color;
  // A Y4M file cannot state its matrix: readers guess.
  matrix_ = is_y4m() ? color_matrix(AVCOL_SPC_UNSPECIFIED, shape_.width, shape_.height)
                     : &color_matrix(color.matrix, shape_.width, shape_.height);
  full_range_ = !is_y4m() && color.matrix != "rgb" && color.range == "full";
}

AVPixelFormat LibavSink::choose_format() const {
  const bool deep = options_.type == PixelType::U16;
  if (is_y4m()) {
    return shape_.n_channels == 1 ? AV_PIX_FMT_GRAY8 : AV_PIX_FMT_YUV444P;
  }
  if (shape_.width % 2 == 0 && shape_.height % 2 == 0) {
    return deep ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
  }
  return deep ? AV_PIX_FMT_YUV444P10 : AV_PIX_FMT_YUV444P;
}

void LibavSink::open_encoder() {
  start_libav();
  const AVCodec* codec = avcodec_find_encoder_by_name(target_.encoder);
  const AVPixelFormat format = choose_format();
  if (codec == nullptr || !has_pixel_format(*codec, format)) {
    fail_video(ErrorKind::Unsupported, path_,
               fmt::format("an FFmpeg with the encoder {} for {}", target_.encoder, av_get_pix_fmt_name(format)),
               "one without", "write .npy, .y4m or a folder of pictures (a name that ends in '/')");
  }
  encoder_.reset(avcodec_alloc_context3(codec));
  require_allocated(encoder_.get());
  encoder_->width = shape_.width;
  encoder_->height = shape_.height;
  encoder_->pix_fmt = format;
  encoder_->framerate = {static_cast<int>(options_.rate.numerator), static_cast<int>(options_.rate.denominator)};
  encoder_->time_base = has_times() ? AVRational{1, kTicksPerSecond} : av_inv_q(encoder_->framerate);
  constexpr int kMaxAspect = 1 << 16;
  encoder_->sample_aspect_ratio = av_d2q(options_.pixel_aspect, kMaxAspect);
  encoder_->thread_count = kEncoderThreads;
  encoder_->flags |= AV_CODEC_FLAG_BITEXACT;
  encoder_->chroma_sample_location = AVCHROMA_LOC_LEFT;
  if (!is_y4m()) {
    encoder_->colorspace = matrix_->space;
    encoder_->color_range = full_range_ ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    const int primaries = av_color_primaries_from_name(options_.color.primaries.c_str());
    const int transfer = av_color_transfer_from_name(options_.color.transfer.c_str());
    encoder_->color_primaries = primaries < 0 ? AVCOL_PRI_UNSPECIFIED : static_cast<AVColorPrimaries>(primaries);
    encoder_->color_trc = transfer < 0 ? AVCOL_TRC_UNSPECIFIED : static_cast<AVColorTransferCharacteristic>(transfer);
    set_quality();
  }
}

void LibavSink::set_quality() {
  double factor = options_.quality;
  if (std::string_view(target_.encoder) == "libvpx-vp9") {
    factor *= 63.0 / 51;  // VP9 counts to 63
    av_opt_set(encoder_->priv_data, "deadline", "good", 0);
    av_opt_set_int(encoder_->priv_data, "cpu-used", 3, 0);
    av_opt_set_int(encoder_->priv_data, "crf", std::lround(factor), 0);
    av_opt_set_int(encoder_->priv_data, "lossless", factor == 0 ? 1 : 0, 0);
    encoder_->bit_rate = 0;
    return;
  }
  av_opt_set(encoder_->priv_data, "preset", "medium", 0);
  // A factor of 0 is lossless with 8 bits only, a quantiser of 0 with any.
  av_opt_set_double(encoder_->priv_data, factor == 0 ? "qp" : "crf", factor, 0);
}

void LibavSink::open_container() {
  AVFormatContext* context = nullptr;
  const int allocated = avformat_alloc_output_context2(&context, nullptr, target_.muxer, nullptr);
  if (allocated < 0 || context == nullptr) {
    fail_video(ErrorKind::Unsupported, path_, fmt::format("an FFmpeg that writes {}", target_.muxer),
               "one that does not", "write .npy or a folder of pictures (a name that ends in '/')");
  }
  context_.reset(context);
  context->pb = file_.avio();
  context->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
  if ((context->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
    encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  }
  if (const int opened = avcodec_open2(encoder_.get(), nullptr, nullptr); opened < 0) {
    fail_video(ErrorKind::Unsupported, path_,
               fmt::format("{} to encode {}x{} at {}/{} frames per second", target_.encoder, shape_.width,
                           shape_.height, options_.rate.numerator, options_.rate.denominator),
               libav_message(opened), "write .npy, or another size");
  }
  stream_ = avformat_new_stream(context, nullptr);
  require_allocated(stream_);
  stream_->time_base = encoder_->time_base;
  stream_->avg_frame_rate = encoder_->framerate;
  stream_->sample_aspect_ratio = encoder_->sample_aspect_ratio;
  require(avcodec_parameters_from_context(stream_->codecpar, encoder_.get()), "start a video");
  require(avformat_write_header(context, nullptr), "start a video");
}

void LibavSink::encode(const AVFrame* frame) {
  start_libav();
  require(avcodec_send_frame(encoder_.get(), frame), "encode a frame");
  for (;;) {
    const int result = avcodec_receive_packet(encoder_.get(), packet_.get());
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) {
      break;
    }
    require(result, "encode a frame");
    if (has_times()) {
      packet_->duration = duration_at(packet_->pts);
    }
    packet_->duration = packet_->duration > 0 ? packet_->duration : 1;
    packet_->stream_index = stream_->index;
    av_packet_rescale_ts(packet_.get(), encoder_->time_base, stream_->time_base);
    require(av_interleaved_write_frame(context_.get(), packet_.get()), "write a frame");
  }
}

}  // namespace

std::unique_ptr<VideoSink> open_libav_sink(const std::string& path, const std::string& extension,
                                           const VideoShape& shape, const VideoOptions& options) {
  return std::make_unique<LibavSink>(path, extension, shape, options);
}

}  // namespace loe
