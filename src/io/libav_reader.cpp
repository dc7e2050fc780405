// Decoding containers: the VideoSource of include/loe/io/video_file.h for all that FFmpeg's libraries read.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "io/libav_frame.h"
#include "io/libav_input.h"
#include "io/text.h"
#include "io/video_source.h"

namespace loe {
namespace {

/// The frames that an index lists and that are to be shown: MP4 has an entry for each, edit lists applied. Empty chunks
/// of an AVI do not count.
int64_t count_index(const AVStream& stream) {
  auto* mutable_stream = const_cast<AVStream*>(&stream);  // the getter takes no const
  const int n_entries = avformat_index_get_entries_count(mutable_stream);
  int64_t n_shown = 0;
  for (int i = 0; i < n_entries; ++i) {
    const AVIndexEntry* entry = avformat_index_get_entry(mutable_stream, i);
    n_shown += entry != nullptr && (entry->flags & AVINDEX_DISCARD_FRAME) == 0 && entry->size > 0 ? 1 : 0;
  }
  return n_shown;
}

/// Time stamps of frames, in ticks of the stream, in the order of showing.
struct TimeStamps {
  std::vector<int64_t> ticks;

  double step(std::size_t i) const { return static_cast<double>(ticks[i + 1]) - static_cast<double>(ticks[i]); }
  /// Whether steps differ by more than a clock's rounding: 2 ticks or an eighth of their mean.
  bool is_uneven() const {
    double shortest = INFINITY;
    double longest = 0;
    double sum = 0;
    for (std::size_t i = 0; i + 1 < ticks.size(); ++i) {
      shortest = std::min(shortest, step(i));
      longest = std::max(longest, step(i));
      sum += step(i);
    }
    return ticks.size() > 2 && longest - shortest > std::max(2.0, sum / static_cast<double>(ticks.size() - 1) / 8);
  }
};

/// Of an index that has all frames (MP4).
TimeStamps index_time_stamps(const AVStream& stream) {
  auto* mutable_stream = const_cast<AVStream*>(&stream);
  TimeStamps stamps;
  for (int i = 0; i < avformat_index_get_entries_count(mutable_stream); ++i) {
    const AVIndexEntry* entry = avformat_index_get_entry(mutable_stream, i);
    if (entry != nullptr && (entry->flags & AVINDEX_DISCARD_FRAME) == 0) {
      stamps.ticks.push_back(entry->timestamp);
    }
  }
  return stamps;
}

/// Of the first packets of a file, which is opened once more for it. Empty if there are none.
TimeStamps first_time_stamps(const std::string& path) {
  constexpr std::size_t kMaxPackets = 120;
  TimeStamps stamps;
  try {
    LibavInput input(path);
    input.open();
    const PacketPtr packet(av_packet_alloc());
    require_allocated(packet.get());
    if (!input.find_video()) {
      return {};
    }
    while (stamps.ticks.size() < kMaxPackets && input.read_packet(*packet, static_cast<int64_t>(stamps.ticks.size()))) {
      const int64_t time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
      if (time == AV_NOPTS_VALUE) {
        return {};
      }
      stamps.ticks.push_back(time);
    }
  } catch (const Error&) {
    // Damage is reported when frames are decoded.
  }
  std::sort(stamps.ticks.begin(), stamps.ticks.end());
  if (stamps.ticks.size() > 8) {
    stamps.ticks.resize(stamps.ticks.size() - 4);  // frames shown before the last ones may not have been read yet
  }
  return stamps;
}

bool is_sensible(AVRational rate) {
  return rate.num > 0 && rate.den > 0 && av_q2d(rate) >= 1e-3 && av_q2d(rate) <= 1e6;
}

FrameRate reduced(AVRational rate) {
  AVRational result{};
  av_reduce(&result.num, &result.den, rate.num, rate.den, INT32_MAX);
  return {result.num, result.den};
}

class LibavSource final : public VideoSource {
 public:
  explicit LibavSource(const std::string& path) : path_(path), input_(path) {
    input_.open();
    if (!input_.find_video()) {
      fail_video(ErrorKind::Format, path_, "a video stream",
                 input_.has_audio() ? "sound only" : fmt::format("a {} file without one", input_.format()),
                 "name a file with moving pictures");
    }
    read_info();
    open_decoder();
    packet_.reset(av_packet_alloc());
    frame_.reset(av_frame_alloc());
    require_allocated(packet_.get());
    require_allocated(frame_.get());
  }

  bool next(Image* image) override {
    if (!decode()) {
      finish();
      return false;
    }
    check_frame();
    if (image != nullptr) {
      to_image_->convert(*frame_, *image);
    }
    ++n_frames_;
    return true;
  }

 private:
  void read_info();
  void read_rate();
  void open_decoder();
  bool decode();
  void check_frame() const;
  void finish();
  /// A Y4M file's frames, by its length; checks that the last one is whole.
  int64_t count_y4m_frames() const;

  [[noreturn]] void fail_at_frame(int code) const {
    const int64_t n = std::max<int64_t>(n_packets_ - 1, n_frames_);
    fail_video(ErrorKind::Format, path_, fmt::format("{} frames without errors", info_.codec),
               fmt::format("frame {} damaged ({})", n, libav_message(code)),
               "take another copy, or fewer frames with data.frames");
  }

  std::string path_;
  LibavInput input_;
  const AVCodec* codec_ = nullptr;
  CodecPtr decoder_;
  PacketPtr packet_;
  FramePtr frame_;
  std::optional<FrameToImage> to_image_;
  int64_t n_packets_ = 0;
  int64_t n_frames_ = 0;
  bool at_end_ = false;
};

void LibavSource::read_info() {
  const AVStream& stream = input_.stream();
  const AVCodecParameters& parameters = *stream.codecpar;
  info_.format = input_.format();
  info_.codec = avcodec_get_name(parameters.codec_id);
  info_.has_audio = input_.has_audio();
  codec_ = avcodec_find_decoder(parameters.codec_id);
  if (codec_ == nullptr) {
    fail_video(ErrorKind::Unsupported, path_, "a codec that this FFmpeg decodes",
               parameters.codec_id == AV_CODEC_ID_NONE ? "an unknown one" : fmt::format("'{}'", info_.codec),
               "convert it to H.264 first");
  }
  const int width = parameters.width;
  const int height = parameters.height;
  if (width < 1 || height < 1 || parameters.format == AV_PIX_FMT_NONE) {
    fail_video(ErrorKind::Format, path_, "frames with a size and a pixel format",
               fmt::format("{} without", info_.codec), "it is damaged or truncated, so take another copy");
  }
  if (width > kMaxVideoSide || height > kMaxVideoSide || int64_t{width} * height > kMaxFramePixels) {
    fail_video(ErrorKind::Unsupported, path_,
               fmt::format("sides of at most {} and frames of at most {} pixels", kMaxVideoSide, kMaxFramePixels),
               fmt::format("{}x{}", width, height), "make it smaller first");
  }
  const auto pixels = static_cast<AVPixelFormat>(parameters.format);
  require_pixel_format(path_, pixels);
  const AVPixFmtDescriptor& description = *av_pix_fmt_desc_get(pixels);
  info_.n_channels = is_grey(description) ? 1 : 3;
  info_.type = description.comp[0].depth > 8 ? PixelType::U16 : PixelType::U8;
  info_.has_alpha = (description.flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
  info_.color = color_of(pixels, parameters.codec_id, parameters.color_space, parameters.color_range,
                         parameters.color_primaries, parameters.color_trc, width, height);
  if (info_.color.matrix.empty()) {
    const char* name = av_color_space_name(parameters.color_space);
    fail_video(ErrorKind::Unsupported, path_, "a colour matrix bt709, bt601, bt2020, smpte240m or fcc",
               fmt::format("'{}'", name == nullptr ? "unknown" : name), "convert it to bt709 first");
  }
  FrameOrientation orientation;
  std::size_t n_bytes = 0;
  const uint8_t* matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &n_bytes);
  if (matrix != nullptr && n_bytes >= 9 * sizeof(int32_t)) {
    orientation = frame_orientation(reinterpret_cast<const int32_t*>(matrix));
  }
  info_.width = orientation.transpose ? height : width;
  info_.height = orientation.transpose ? width : height;
  to_image_.emplace(path_, info_, orientation);
  read_rate();
}

void LibavSource::read_rate() {
  const AVStream& stream = input_.stream();
  for (const AVRational rate : {stream.avg_frame_rate, stream.r_frame_rate}) {
    if (is_sensible(rate)) {
      info_.frame_rate = reduced(rate);
      break;
    }
  }
  const int64_t n_indexed = count_index(stream);
  const bool is_mp4 = info_.format == "mp4" && stream.nb_frames > 0;
  if (is_mp4) {
    info_.n_frames = std::min(stream.nb_frames, n_indexed);
    info_.is_variable_rate = index_time_stamps(stream).is_uneven();
    return;
  }
  const bool is_avi = info_.format == "avi";
  if (info_.format == "yuv4mpegpipe") {
    info_.n_frames = count_y4m_frames();
  } else if (!is_avi || n_indexed == stream.nb_frames) {
    // An AVI may count empty chunks, which stand for frames shown once more.
    info_.n_frames = std::max<int64_t>(stream.nb_frames, 0);
  }
  const TimeStamps stamps = first_time_stamps(path_);
  info_.is_variable_rate = stamps.is_uneven();
  if (is_avi && stamps.ticks.size() > 2 && !info_.is_variable_rate) {
    // Every other chunk is empty where the header tells the rate of fields.
    const AVRational rate = {stream.time_base.den, stream.time_base.num};
    const AVRational stepped = av_div_q(rate, {static_cast<int>(std::clamp(stamps.step(0), 1.0, 1e6)), 1});
    info_.frame_rate = is_sensible(stepped) ? reduced(stepped) : info_.frame_rate;
  }
}

void LibavSource::open_decoder() {
  start_libav();
  decoder_.reset(avcodec_alloc_context3(codec_));
  require_allocated(decoder_.get());
  int result = avcodec_parameters_to_context(decoder_.get(), input_.stream().codecpar);
  if (result >= 0) {
    decoder_->pkt_timebase = input_.stream().time_base;
    decoder_->max_pixels = kMaxFramePixels;
    // One thread: errors belong to the packet that was just sent, and concealment cannot depend on timing.
    decoder_->thread_count = 1;
    decoder_->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
    result = avcodec_open2(decoder_.get(), codec_, nullptr);
  }
  if (result < 0) {
    fail_video(ErrorKind::Format, path_, fmt::format("a {} stream that can be decoded", info_.codec),
               libav_message(result), "convert it to H.264 first");
  }
}

bool LibavSource::decode() {
  start_libav();
  for (;;) {
    int result = avcodec_receive_frame(decoder_.get(), frame_.get());
    if (result >= 0) {
      return true;
    }
    if (result == AVERROR_EOF) {
      return false;
    }
    if (result == AVERROR(EAGAIN) && !at_end_) {
      at_end_ = !input_.read_packet(*packet_, n_packets_);
      n_packets_ += at_end_ ? 0 : 1;
      result = avcodec_send_packet(decoder_.get(), at_end_ ? nullptr : packet_.get());
    }
    if (result < 0) {
      fail_at_frame(result);
    }
  }
}

void LibavSource::check_frame() const {
  if ((frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame_->decode_error_flags != 0) {
    fail_at_frame(AVERROR_INVALIDDATA);
  }
}

void LibavSource::finish() {
  const bool fewer = n_frames_ < info_.n_frames;
  if (n_frames_ == 0 || fewer) {
    fail_video(ErrorKind::Format, path_,
               fewer ? fmt::format("{} frames, as its header says", info_.n_frames) : "at least one frame",
               fmt::format("{}", n_frames_), "it is damaged or truncated, so take another copy");
  }
  require_whole_container(path_, info_.format, input_.file());
}

int64_t LibavSource::count_y4m_frames() const {
  // "YUV4MPEG2 ...\n", then "FRAME\n" and the planes for each frame.
  const ReadHandle& file = input_.file();
  std::string head(static_cast<std::size_t>(std::min<uint64_t>(file.size(), 256)), '\0');
  file.read_at(0, head.data(), head.size());
  const AVCodecParameters& parameters = *input_.stream().codecpar;
  const auto format = static_cast<AVPixelFormat>(parameters.format);
  const AVPixFmtDescriptor& description = *av_pix_fmt_desc_get(format);
  const auto shifted = [](int64_t size, int shift) { return (size + (int64_t{1} << shift) - 1) >> shift; };
  int64_t n_values = int64_t{parameters.width} * parameters.height;
  if (!is_grey(description)) {
    n_values += 2 * shifted(parameters.width, description.log2_chroma_w) *
                shifted(parameters.height, description.log2_chroma_h);
  }
  const uint64_t frame_bytes = static_cast<uint64_t>(n_values) * (info_.type == PixelType::U8 ? 1 : 2) + 6;
  const std::size_t line_end = head.find('\n');
  // Frames with parameters of their own are rare, and are counted while they are read.
  if (line_end == std::string::npos || head.compare(line_end + 1, 6, "FRAME\n") != 0) {
    return 0;
  }
  const uint64_t n_bytes = file.size() - line_end - 1;
  // A cut frame counts: it will be missed at the end.
  return static_cast<int64_t>((n_bytes + frame_bytes - 1) / frame_bytes);
}

}  // namespace

std::unique_ptr<VideoSource> open_libav_source(const std::string& path) {
  return std::make_unique<LibavSource>(path);
}

bool has_libav_video(const std::string& path) {
  try {
    LibavInput input(path);
    try {
      input.open();
      return input.find_video() && input.stream().codecpar->width > 0;
    } catch (const Error&) {
      return input.is_certain();
    }
  } catch (const Error&) {
    return false;
  }
}

}  // namespace loe
