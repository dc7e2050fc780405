// Decoding containers: the VideoSource of include/loe/io/video_file.h for all that FFmpeg's libraries read.
#include <fmt/format.h>

extern "C" {
#include <libavutil/display.h>
}

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
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
  int64_t last_duration = 0;  ///< of the frame shown last; 0: unknown

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
TimeStamps first_time_stamps(const std::string& path, std::size_t n_most) {
  TimeStamps stamps;
  bool is_cut = true;
  int64_t last = INT64_MIN;
  int64_t last_decoded = INT64_MIN;
  try {
    LibavInput input(path);
    input.open();
    const PacketPtr packet(av_packet_alloc());
    require_allocated(packet.get());
    if (!input.find_video()) {
      return {};
    }
    while (stamps.ticks.size() < n_most) {
      is_cut = input.read_packet(*packet, static_cast<int64_t>(stamps.ticks.size()), OnDamage::Skip);
      // A joined stream begins anew: what comes before tells its rate.
      if (!is_cut || (packet->dts != AV_NOPTS_VALUE && packet->dts < last_decoded)) break;
      last_decoded = packet->dts != AV_NOPTS_VALUE ? packet->dts : last_decoded;
      const int64_t time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
      if (time == AV_NOPTS_VALUE) {
        return {};
      }
      stamps.ticks.push_back(time);
      if (time > last) {
        last = time;
        stamps.last_duration = packet->duration;
      }
    }
  } catch (const Error&) {
    // Damage is reported when frames are decoded.
  }
  std::sort(stamps.ticks.begin(), stamps.ticks.end());
  if (is_cut && stamps.ticks.size() > 8) {
    stamps.ticks.resize(stamps.ticks.size() - 4);  // frames shown before the last ones may not have been read yet
  }
  return stamps;
}

/// WebM keeps alpha as a second stream beside each frame, which only libvpx decodes; the header says that it is there.
bool states_alpha(const AVStream& stream) {
  const AVDictionaryEntry* mode = av_dict_get(stream.metadata, "alpha_mode", nullptr, 0);
  return mode != nullptr && std::string_view(mode->value) == "1";
}

const AVCodec* decoder_of(const AVStream& stream) {
  const AVCodecID id = stream.codecpar->codec_id;
  if (states_alpha(stream) && (id == AV_CODEC_ID_VP8 || id == AV_CODEC_ID_VP9)) {
    const AVCodec* codec = avcodec_find_decoder_by_name(id == AV_CODEC_ID_VP8 ? "libvpx" : "libvpx-vp9");
    if (codec != nullptr) return codec;
  }
  return avcodec_find_decoder(id);
}

bool is_sensible(AVRational rate) {
  return rate.num > 0 && rate.den > 0 && av_q2d(rate) >= 1e-3 && av_q2d(rate) <= 1e6;
}

FrameRate reduced(AVRational rate) {
  AVRational result{};
  av_reduce(&result.num, &result.den, rate.num, rate.den, INT32_MAX);
  return {result.num, result.den};
}

/// Degrees of a display matrix that is no multiple of 90, else 0.
double odd_rotation(const int32_t* matrix) {
  const double degrees = av_display_rotation_get(matrix);
  return std::isfinite(degrees) && std::abs(degrees / 90 - std::round(degrees / 90)) > 1e-3 ? degrees : 0;
}

/// Whether the format of a frame has alpha, and some pixel is not opaque.
bool is_transparent(const AVFrame& frame) {
  const AVPixFmtDescriptor& description = *av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  if ((description.flags & AV_PIX_FMT_FLAG_ALPHA) == 0) return false;
  const bool is_palette = (description.flags & AV_PIX_FMT_FLAG_PAL) != 0;
  const int component = is_palette ? 0 : description.nb_components - 1;
  const auto opaque = static_cast<uint16_t>((1U << description.comp[component].depth) - 1);
  const uint8_t* planes[] = {frame.data[0], frame.data[1], frame.data[2], frame.data[3]};
  std::vector<uint16_t> line(static_cast<std::size_t>(frame.width));
  for (int y = 0; y < frame.height; ++y) {
    av_read_image_line2(line.data(), planes, frame.linesize, &description, 0, y, component, frame.width, 0,
                        sizeof(uint16_t));
    const bool shows_through = std::any_of(line.begin(), line.end(), [&](uint16_t value) {
      return is_palette ? palette_color(frame, value).alpha != 255 : value < opaque;
    });
    if (shows_through) return true;
  }
  return false;
}

class LibavSource final : public VideoSource {
 public:
  LibavSource(const std::string& path, OnDamage on_damage) : path_(path), on_damage_(on_damage), input_(path) {
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
    look_for_alpha();
  }

  bool next(Image* image) override {
    if (!is_pending_ && !decode()) {
      finish();
      return false;
    }
    is_pending_ = false;
    check_frame();
    if (image != nullptr) {
      to_image_->convert(*frame_, *image);
      has_transparency_ = has_transparency_ || is_transparent(*frame_);
    }
    const int64_t ticks = frame_->best_effort_timestamp;
    time_ = ticks == AV_NOPTS_VALUE ? std::numeric_limits<double>::quiet_NaN()
                                    : static_cast<double>(ticks) * av_q2d(input_.stream().time_base);
    ++n_frames_;
    return true;
  }

 private:
  void read_info();
  void read_shape();
  void read_rate();
  void average_rate(const TimeStamps& stamps);
  void open_decoder();
  void look_for_alpha();
  bool decode();
  bool decode_one();
  int next_packet();
  void begin_skipping();
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
  OnDamage on_damage_;
  LibavInput input_;
  const AVCodec* codec_ = nullptr;
  CodecPtr decoder_;
  PacketPtr packet_;
  FramePtr frame_;
  std::optional<FrameToImage> to_image_;
  int64_t n_packets_ = 0;
  int64_t n_frames_ = 0;
  bool at_end_ = false;
  bool is_pending_ = false;   ///< frame_ was decoded ahead
  bool is_skipping_ = false;  ///< up to the next key frame
  bool is_draining_ = false;  ///< frames before the damage are still inside the decoder
};

void LibavSource::read_info() {
  const AVStream& stream = input_.stream();
  const AVCodecParameters& parameters = *stream.codecpar;
  info_.format = input_.format();
  info_.codec = avcodec_get_name(parameters.codec_id);
  info_.has_audio = input_.has_audio();
  codec_ = decoder_of(stream);
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
  info_.has_alpha = (description.flags & AV_PIX_FMT_FLAG_ALPHA) != 0 || states_alpha(stream);
  info_.color = color_of(pixels, parameters.codec_id, parameters.color_space, parameters.color_range,
                         parameters.color_primaries, parameters.color_trc, width, height);
  if (info_.color.matrix.empty()) {
    const char* name = av_color_space_name(parameters.color_space);
    fail_video(ErrorKind::Unsupported, path_, "a colour matrix bt709, bt601, bt2020, smpte240m or fcc",
               fmt::format("'{}'", name == nullptr ? "unknown" : name), "convert it to bt709 first");
  }
  if (input_.n_video_streams() > 1) {
    info_.notes.push_back(
        fmt::format("video stream {} of {} is read", input_.video_number(), input_.n_video_streams()));
  }
  read_shape();
  read_rate();
}

void LibavSource::read_shape() {
  const AVStream& stream = input_.stream();
  const AVCodecParameters& parameters = *stream.codecpar;
  FrameOrientation orientation;
  std::size_t n_bytes = 0;
  const uint8_t* side_data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &n_bytes);
  if (side_data != nullptr && n_bytes >= 9 * sizeof(int32_t)) {
    const auto* matrix = reinterpret_cast<const int32_t*>(side_data);
    orientation = frame_orientation(matrix);
    if (const double degrees = odd_rotation(matrix); degrees != 0) {
      info_.notes.push_back(fmt::format("asks to be shown turned by {:.4g} degrees, which is left out", -degrees));
    }
  }
  info_.width = orientation.transpose ? parameters.height : parameters.width;
  info_.height = orientation.transpose ? parameters.width : parameters.height;
  info_.pixel_aspect = orientation.transpose ? 1 / input_.pixel_aspect() : input_.pixel_aspect();
  to_image_.emplace(path_, info_, orientation);
  const AVFieldOrder order = parameters.field_order;
  info_.is_interlaced = order != AV_FIELD_UNKNOWN && order != AV_FIELD_PROGRESSIVE;
  if (info_.is_interlaced) {
    info_.notes.emplace_back(
        "is interlaced: both fields stay in one frame, with combs where things move; deinterlace it first (ffmpeg -vf "
        "bwdif)");
  }
}

void LibavSource::read_rate() {
  const AVStream& stream = input_.stream();
  for (const AVRational rate : {stream.avg_frame_rate, stream.r_frame_rate}) {
    if (is_sensible(rate)) {
      info_.frame_rate = reduced(rate);
      break;
    }
  }
  constexpr std::size_t kAll = std::size_t{1} << 20;
  const int64_t n_indexed = count_index(stream);
  const bool is_mp4 = info_.format == "mp4" && stream.nb_frames > 0;
  if (is_mp4) {
    info_.n_frames = std::min(stream.nb_frames, n_indexed);
    info_.is_variable_rate = index_time_stamps(stream).is_uneven();
    if (info_.is_variable_rate) {
      average_rate(first_time_stamps(path_, kAll));  // the index has times of decoding, not of showing
    }
    return;
  }
  const bool is_avi = info_.format == "avi";
  if (info_.format == "yuv4mpegpipe") {
    info_.n_frames = count_y4m_frames();
  } else if (!is_avi || n_indexed == stream.nb_frames) {
    // An AVI may count empty chunks, which stand for frames shown once more.
    info_.n_frames = std::max<int64_t>(stream.nb_frames, 0);
  }
  constexpr std::size_t kFirst = 120;
  const bool is_gif = info_.format == "gif";
  TimeStamps stamps = first_time_stamps(path_, is_gif ? kAll : kFirst);
  info_.is_variable_rate = stamps.is_uneven();
  if (info_.is_variable_rate && !is_gif && !is_avi) {
    stamps = first_time_stamps(path_, kAll);
  }
  if (is_gif || (info_.is_variable_rate && !is_avi)) {
    average_rate(stamps);
  }
  if (is_avi && stamps.ticks.size() > 2 && !info_.is_variable_rate) {
    // Every other chunk is empty where the header tells the rate of fields.
    const AVRational rate = {stream.time_base.den, stream.time_base.num};
    const AVRational stepped = av_div_q(rate, {static_cast<int>(std::clamp(stamps.step(0), 1.0, 1e6)), 1});
    info_.frame_rate = is_sensible(stepped) ? reduced(stepped) : info_.frame_rate;
  }
}

/// Frames by the time from the first one to the last one; of a GIF to the end of the last one, which it states.
void LibavSource::average_rate(const TimeStamps& stamps) {
  if (stamps.ticks.empty()) return;
  const auto n = static_cast<int64_t>(stamps.ticks.size());
  const int64_t span = stamps.ticks.back() - stamps.ticks.front();
  const AVRational base = input_.stream().time_base;
  const bool has_end = info_.format == "gif" && stamps.last_duration > 0;
  const int64_t ticks = span + (has_end ? stamps.last_duration : 0);
  if (ticks <= 0 || ticks > INT32_MAX || base.num <= 0 || base.den <= 0) return;
  AVRational rate{};
  av_reduce(&rate.num, &rate.den, (has_end ? n : n - 1) * base.den, ticks * base.num, INT32_MAX);
  if (is_sensible(rate)) info_.frame_rate = reduced(rate);
  if (info_.format == "gif") {
    // The last frame's own time counts too.
    TimeStamps all = stamps;
    if (has_end) all.ticks.push_back(stamps.ticks.back() + stamps.last_duration);
    info_.is_variable_rate = all.is_uneven();
    info_.n_frames = n;
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

/// Formats with alpha often hold none: the first frame tells.
void LibavSource::look_for_alpha() {
  if (!info_.has_alpha) return;
  try {
    is_pending_ = decode();
    info_.has_alpha = is_pending_ && is_transparent(*frame_);
  } catch (const Error&) {
    // A file that begins with damage: next() meets it again, or goes on behind it.
  }
}

bool LibavSource::decode() {
  for (;;) {
    if (!decode_one()) return false;
    const bool is_damaged = (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame_->decode_error_flags != 0;
    if (on_damage_ == OnDamage::Stop || !is_damaged) return true;
    ++n_skipped_;
    begin_skipping();
  }
}

bool LibavSource::decode_one() {
  start_libav();
  for (;;) {
    int result = avcodec_receive_frame(decoder_.get(), frame_.get());
    if (result >= 0) {
      return true;
    }
    if (result == AVERROR_EOF && is_draining_) {
      avcodec_flush_buffers(decoder_.get());
      is_draining_ = false;
      result = at_end_ ? AVERROR_EOF : AVERROR(EAGAIN);
    }
    if (result == AVERROR_EOF || (result == AVERROR(EAGAIN) && at_end_)) {
      return false;
    }
    if (result == AVERROR(EAGAIN) && !at_end_) {
      result = next_packet();
    }
    if (result < 0 && on_damage_ == OnDamage::Stop) {
      fail_at_frame(result);
    }
    if (result < 0 && result != AVERROR_EOF) {
      ++n_skipped_;
      begin_skipping();
    }
  }
}

/// Sends the next packet, or the end. Damaged ones, and those after them up to a key frame, are counted instead.
int LibavSource::next_packet() {
  for (;;) {
    at_end_ = !input_.read_packet(*packet_, n_packets_, on_damage_);
    if (at_end_) {
      return avcodec_send_packet(decoder_.get(), nullptr);
    }
    ++n_packets_;
    const bool is_damaged = (packet_->flags & AV_PKT_FLAG_CORRUPT) != 0;
    const bool is_key = (packet_->flags & AV_PKT_FLAG_KEY) != 0;
    if (is_damaged && !is_skipping_) {
      ++n_skipped_;
      begin_skipping();
      return 0;
    }
    if (is_skipping_ && (is_damaged || !is_key)) {
      ++n_skipped_;
      continue;
    }
    is_skipping_ = false;
    return avcodec_send_packet(decoder_.get(), packet_.get());
  }
}

/// Frames before the damage are still given; then the decoder begins anew.
void LibavSource::begin_skipping() {
  is_skipping_ = true;
  if (!is_draining_ && !at_end_) {
    is_draining_ = true;
    avcodec_send_packet(decoder_.get(), nullptr);
  }
}

void LibavSource::check_frame() const {
  if ((frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame_->decode_error_flags != 0) {
    fail_at_frame(AVERROR_INVALIDDATA);
  }
}

void LibavSource::finish() {
  const bool fewer = n_frames_ < info_.n_frames && on_damage_ == OnDamage::Stop;
  if (n_frames_ == 0 || fewer) {
    fail_video(ErrorKind::Format, path_,
               fewer ? fmt::format("{} frames, as its header says", info_.n_frames) : "at least one frame",
               fmt::format("{}", n_frames_), "it is damaged or truncated, so take another copy");
  }
  if (on_damage_ == OnDamage::Stop) {
    require_whole_container(path_, info_.format, input_.file());
  }
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

std::unique_ptr<VideoSource> open_libav_source(const std::string& path, OnDamage on_damage) {
  return std::make_unique<LibavSource>(path, on_damage);
}

std::string describe_container(const std::string& path) {
  try {
    LibavInput input(path);
    if (!input.is_certain()) return "";
    input.open();
    if (input.find_video()) return "";
    return fmt::format("{} ({})", input.has_audio() ? "sound only" : "a file without a video stream", input.format());
  } catch (const Error&) {
    return "";
  }
}

bool has_libav_video(const std::string& path) {
  try {
    LibavInput input(path);
    try {
      input.open();
      // A GIF of one frame is a picture.
      return input.find_video() && input.stream().codecpar->width > 0 &&
             (input.format() != "gif" || first_time_stamps(path, 2).ticks.size() > 1);
    } catch (const Error&) {
      return input.is_certain();
    }
  } catch (const Error&) {
    return false;
  }
}

}  // namespace loe
