#include "io/libav_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "io/image_formats.h"
#include "io/picture_facts.h"
#include "io/text.h"
#include "io/video_source.h"

namespace loe {
namespace {

constexpr int kBufferBytes = 64 << 10;

/// The demuxers that may be used. Not in the list: playlists and what else opens further files (hls, dash, concat,
/// imf), sequences and still pictures (image2, *_pipe, apng), text shown as video (tty, bin), devices.
constexpr std::string_view kDemuxers[] = {
    "mov", "matroska",  "avi",  "yuv4mpegpipe", "mpegts", "mpeg", "flv",  "live_flv", "ogg", "asf", "gif", "ivf", "nut",
    "mxf", "mpegvideo", "h264", "hevc",         "m4v",    "h263", "h261", "vc1",      "dv",  "obu", "wtv", "rm",
};

/// First of the comma-separated names: "mov" of "mov,mp4,m4a,3gp,3g2,mj2".
std::string_view first_name(const AVInputFormat& format) {
  const std::string_view names = format.name;
  return names.substr(0, names.find(','));
}

bool is_allowed(const AVInputFormat& format) {
  return std::find(std::begin(kDemuxers), std::end(kDemuxers), first_name(format)) != std::end(kDemuxers);
}

int refuse_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

std::vector<unsigned char> head_of(const ReadHandle& file, std::size_t n_bytes) {
  std::vector<unsigned char> head(static_cast<std::size_t>(std::min<uint64_t>(file.size(), n_bytes)));
  file.read_at(0, head.data(), head.size());
  return head;
}

struct OpenOptions {
  AVDictionary* dictionary = nullptr;
  ~OpenOptions() { av_dict_free(&dictionary); }
};

/// A number of up to 8 bytes whose first byte's leading zeros tell its length (EBML). `keep_marker` for identifiers.
/// Returns its length, 0 if there is none.
std::size_t read_ebml(std::span<const unsigned char> bytes, bool keep_marker, uint64_t& value) {
  if (bytes.empty() || bytes[0] == 0) {
    return 0;
  }
  std::size_t length = 1;
  while ((bytes[0] & (0x80U >> (length - 1))) == 0) {
    ++length;
  }
  if (length > bytes.size()) {
    return 0;
  }
  value = keep_marker ? bytes[0] : bytes[0] & (0xFFU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    value = value << 8 | bytes[i];
  }
  return length;
}

/// Where the file's Segment ends by its own word; 0 if it does not say (streams).
uint64_t matroska_end(const ReadHandle& file) {
  constexpr uint64_t kSegment = 0x18538067;
  uint64_t position = 0;
  for (int i = 0; i < 4; ++i) {
    std::array<unsigned char, 16> bytes{};
    const std::size_t n = static_cast<std::size_t>(std::min<uint64_t>(bytes.size(), file.size() - position));
    file.read_at(position, bytes.data(), n);
    const std::span<const unsigned char> head(bytes.data(), n);
    uint64_t id = 0;
    uint64_t size = 0;
    const std::size_t id_length = read_ebml(head, true, id);
    const std::size_t size_length = id_length == 0 ? 0 : read_ebml(head.subspan(id_length), false, size);
    if (size_length == 0 || size == (uint64_t{1} << (7 * size_length)) - 1) {
      return 0;  // all ones: unknown
    }
    position += id_length + size_length;
    if (id == kSegment) {
      return position + size;
    }
    if (size > file.size() - position) {
      return 0;
    }
    position += size;
  }
  return 0;
}

/// Where the last of the boxes at the top level ends by its own word; 0 if it is the rest of the file.
uint64_t mp4_end(const ReadHandle& file) {
  constexpr int kMaxBoxes = 1 << 20;  // fragmented files have two for each fragment
  uint64_t position = 0;
  for (int i = 0; i < kMaxBoxes && position + 16 <= file.size(); ++i) {
    std::array<unsigned char, 16> bytes{};
    file.read_at(position, bytes.data(), bytes.size());
    const auto number = [&](std::size_t at, std::size_t n) {
      uint64_t value = 0;
      for (std::size_t k = at; k < at + n; ++k) {
        value = value << 8 | bytes[k];
      }
      return value;
    };
    uint64_t size = number(0, 4);
    size = size == 1 ? number(8, 8) : size;
    if (size < 8) {
      return 0;
    }
    if (size > file.size() - position) {
      return size > UINT64_MAX - position ? UINT64_MAX : position + size;
    }
    position += size;
  }
  return 0;
}

constexpr uint64_t kTransportBytes = 188;

/// One packet of an MPEG transport stream.
struct TransportPacket {
  int id = 0;
  int counter = 0;  ///< modulo 16, of this id
  bool is_start = false;
  bool has_payload = false;
};

/// False if there is none at `at`.
bool read_transport(const ReadHandle& file, uint64_t at, TransportPacket& packet) {
  std::array<unsigned char, 4> head{};
  if (at + kTransportBytes > file.size()) return false;
  file.read_at(at, head.data(), head.size());
  packet = {(head[1] & 0x1F) << 8 | head[2], head[3] & 0x0F, (head[1] & 0x40) != 0, (head[3] & 0x10) != 0};
  return head[0] == 0x47;
}

uint64_t avi_end(const ReadHandle& file) {
  const std::vector<unsigned char> head = head_of(file, 8);
  if (head.size() < 8) {
    return 0;
  }
  // Larger files have further RIFF chunks; 0 where a recorder was cut off.
  const uint64_t size = head[4] | head[5] << 8 | head[6] << 16 | static_cast<uint64_t>(head[7]) << 24;
  return size == 0 ? 0 : size + 8;
}

}  // namespace

LibavInput::LibavInput(const std::string& path) : path_(path), file_(path) {
  start_libav();
  probe();
}

int LibavInput::read_callback(void* opaque, uint8_t* out, int n_bytes) {
  auto& self = *static_cast<LibavInput*>(opaque);
  const int64_t n_left = static_cast<int64_t>(self.file_.size()) - self.position_;
  const int64_t n = std::min<int64_t>(n_bytes, n_left);
  if (n <= 0) {
    return AVERROR_EOF;
  }
  try {
    self.file_.read_at(static_cast<uint64_t>(self.position_), out, static_cast<std::size_t>(n));
  } catch (...) {
    self.failure_ = std::current_exception();
    return AVERROR(EIO);
  }
  self.position_ += n;
  return static_cast<int>(n);
}

int64_t LibavInput::seek_callback(void* opaque, int64_t offset, int whence) {
  auto& self = *static_cast<LibavInput*>(opaque);
  const auto size = static_cast<int64_t>(self.file_.size());
  if ((whence & AVSEEK_SIZE) != 0) {
    return size;
  }
  const int64_t base = whence == SEEK_CUR ? self.position_ : whence == SEEK_END ? size : 0;
  if (offset > INT64_MAX - base || base + offset < 0) {
    return AVERROR(EINVAL);
  }
  self.position_ = base + offset;
  return self.position_;
}

void LibavInput::rethrow() {
  if (failure_) {
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void LibavInput::probe() {
  const std::vector<unsigned char> head = head_of(file_, 32);
  if (head.empty()) {
    fail_video(ErrorKind::Format, path_, "a video", "an empty file", "take another copy");
  }
  const ImageFormat* picture = format_of_content(head);
  const std::string_view name = picture == nullptr ? "" : picture->name;
  // Both may hold a clip; a still GIF is one of one frame.
  if (picture != nullptr && name != "gif" && !(name == "heif" && is_heif_sequence(file_))) {
    fail_video(ErrorKind::Format, path_, "a video", fmt::format("a {} picture", picture->title),
               "name a video, or a folder of pictures");
  }
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  require_allocated(buffer);
  avio_.reset(avio_alloc_context(buffer, kBufferBytes, 0, this, read_callback, nullptr, seek_callback));
  if (!avio_) {
    av_free(buffer);
    require_allocated(nullptr);
  }
  score_ = av_probe_input_buffer2(avio_.get(), &input_format_, "", nullptr, 0, 0);
  rethrow();
  // Below that score much that is no video looks like a raw stream.
  if (input_format_ == nullptr || score_ < AVPROBE_SCORE_RETRY || !is_allowed(*input_format_)) {
    const std::string_view text(reinterpret_cast<const char*>(head.data()), std::min<std::size_t>(head.size(), 16));
    fail_video(ErrorKind::Format, path_,
               "a video (MP4, Matroska, WebM, AVI, GIF, Y4M, .npy, a folder of pictures, ...)",
               input_format_ == nullptr || score_ < AVPROBE_SCORE_RETRY
                   ? fmt::format("content that begins with '{}'", printable(text))
                   : fmt::format("FFmpeg's format '{}'", first_name(*input_format_)),
               "convert it to .mp4 first");
  }
  format_ = first_name(*input_format_) == "mov" ? "mp4" : first_name(*input_format_);
}

void LibavInput::open() {
  AVFormatContext* context = avformat_alloc_context();
  require_allocated(context);
  context->pb = avio_.get();
  context->io_open = refuse_open;
  OpenOptions options;
  av_dict_set(&options.dictionary, "protocol_whitelist", "file", 0);
  av_dict_set(&options.dictionary, "format_whitelist", input_format_->name, 0);
  start_libav();
  // Frees the context if it fails.
  const int opened = avformat_open_input(&context, "", input_format_, &options.dictionary);
  rethrow();
  if (opened < 0) {
    fail_video(ErrorKind::Format, path_, fmt::format("a readable {} file", format_), libav_message(opened),
               "it is damaged or truncated, so take another copy");
  }
  context_.reset(context);
}

void LibavInput::find_streams() {
  start_libav();
  // The decoders that look at the first frames get the same limits as ours.
  std::vector<OpenOptions> options(context_->nb_streams);
  std::vector<AVDictionary*> dictionaries;
  for (OpenOptions& each : options) {
    av_dict_set_int(&each.dictionary, "max_pixels", kMaxFramePixels, 0);
    av_dict_set_int(&each.dictionary, "threads", 1, 0);
    dictionaries.push_back(each.dictionary);
  }
  const int found = avformat_find_stream_info(context_.get(), dictionaries.empty() ? nullptr : dictionaries.data());
  for (std::size_t i = 0; i < options.size(); ++i) {
    options[i].dictionary = dictionaries[i];  // it takes out the options that it used
  }
  rethrow();
  if (found < 0) {
    fail_video(ErrorKind::Format, path_, fmt::format("a readable {} file", format_), libav_message(found),
               "it is damaged or truncated, so take another copy");
  }
}

bool LibavInput::find_video() {
  find_streams();
  n_video_streams_ = 0;
  for (unsigned i = 0; i < context_->nb_streams; ++i) {
    AVStream& stream = *context_->streams[i];
    stream.discard = AVDISCARD_ALL;
    constexpr int kNoClip = AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS;
    if (stream.codecpar->codec_type != AVMEDIA_TYPE_VIDEO || (stream.disposition & kNoClip) != 0) {
      continue;
    }
    const bool better = stream_ == nullptr ||
                        (stream.disposition & AV_DISPOSITION_DEFAULT) > (stream_->disposition & AV_DISPOSITION_DEFAULT);
    stream_ = better ? &stream : stream_;
    video_number_ = better ? n_video_streams_ + 1 : video_number_;
    ++n_video_streams_;
  }
  if (stream_ != nullptr) {
    stream_->discard = AVDISCARD_DEFAULT;
  }
  return stream_ != nullptr;
}

bool LibavInput::has_audio() const {
  for (unsigned i = 0; i < context_->nb_streams; ++i) {
    if (context_->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO) {
      return true;
    }
  }
  return false;
}

double LibavInput::pixel_aspect() const {
  const AVRational ratio = av_guess_sample_aspect_ratio(context_.get(), stream_, nullptr);
  constexpr double kMaxAspect = 16;
  const double aspect = ratio.num > 0 && ratio.den > 0 ? av_q2d(ratio) : 1;
  return aspect >= 1 / kMaxAspect && aspect <= kMaxAspect ? aspect : 1;
}

bool LibavInput::read_packet(AVPacket& packet, int64_t n_before, OnDamage on_damage) {
  for (;;) {
    av_packet_unref(&packet);
    const int result = av_read_frame(context_.get(), &packet);
    rethrow();
    if (result == AVERROR_EOF) {
      return false;
    }
    if (result == AVERROR(EAGAIN)) {
      continue;
    }
    const bool ours = result >= 0 && packet.stream_index == stream_->index;
    bool is_damaged = ours && (packet.flags & AV_PKT_FLAG_CORRUPT) != 0;
    if (is_damaged && format_ == "mpegts" && ends_at_join(file_, packet.pos)) {
      packet.flags &= ~AV_PKT_FLAG_CORRUPT;
      is_damaged = false;
    }
    if (result < 0 && on_damage == OnDamage::Skip) {
      return false;
    }
    if (result < 0 || (is_damaged && on_damage == OnDamage::Stop)) {
      fail_video(ErrorKind::Format, path_, "readable frames to the end",
                 fmt::format("frame {} damaged or cut off ({})", n_before,
                             libav_message(result < 0 ? result : AVERROR_INVALIDDATA)),
                 "take another copy, fewer frames with data.frames, or --set data.on_damage=skip");
    }
    if (ours) {
      return true;
    }
  }
}

bool ends_at_join(const ReadHandle& file, int64_t position) {
  constexpr int kMaxPackets = 1 << 16;
  if (position < 0) return false;
  TransportPacket packet;
  // The last table before: it lists the programs, and its counter goes on within one file.
  int table = -1;
  uint64_t at = static_cast<uint64_t>(position);
  for (int i = 0; table < 0 && i < kMaxPackets && at >= kTransportBytes; ++i) {
    at -= kTransportBytes;
    if (!read_transport(file, at, packet)) return false;
    table = packet.id == 0 ? packet.counter : -1;
  }
  int stream = -1;
  int counter = -1;
  bool has_new_table = false;  // since the stream's last packet
  at = static_cast<uint64_t>(position);
  for (int i = 0; table >= 0 && i < kMaxPackets && read_transport(file, at, packet); ++i, at += kTransportBytes) {
    if (packet.id == 0) {
      has_new_table = packet.counter != ((table + 1) & 0x0F);
      table = packet.counter;
    }
    stream = stream < 0 ? packet.id : stream;
    if (packet.id != stream || !packet.has_payload) continue;
    // A packet may be sent twice, but not with a new table in between.
    const bool is_next = packet.counter == ((counter + 1) & 0x0F);
    if (counter >= 0 && !is_next && (packet.counter != counter || has_new_table)) {
      return packet.is_start && has_new_table;
    }
    counter = packet.counter;
    has_new_table = false;
  }
  return false;
}

void require_whole_container(const std::string& path, const std::string& format, const ReadHandle& file) {
  const uint64_t end = format == "mp4"        ? mp4_end(file)
                       : format == "matroska" ? matroska_end(file)
                       : format == "avi"      ? avi_end(file)
                                              : 0;
  if (end > file.size()) {
    fail_video(ErrorKind::Format, path, fmt::format("{} bytes, as its header says", end),
               fmt::format("{}", file.size()),
               "it is truncated, so take another copy, or fewer frames with data.frames");
  }
}

}  // namespace loe
