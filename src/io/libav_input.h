// One container opened for reading, with nothing but its own file in reach.
#pragma once

#include <exception>
#include <string>

#include "io/file_handle.h"
#include "io/libav.h"
#include "loe/signal/signal_edit.h"

namespace loe {

/// A container and the video stream that is read from it. FFmpeg gets no name and no protocol, only our callbacks on
/// one open file, so that no content can make it open another one.
class LibavInput {
 public:
  /// Looks at the beginning only. Error(NotFound), Error(Io); Error(Format) if it is no known container.
  explicit LibavInput(const std::string& path);
  LibavInput(const LibavInput&) = delete;
  LibavInput& operator=(const LibavInput&) = delete;

  /// Reads the header. Error(Format) if it is damaged.
  void open();
  /// After open(), looks at the first frames. False if there is no video stream. Error(Format) if they are damaged.
  bool find_video();
  /// After find_video(): streams of moving pictures, and which of them, from 1, is read.
  int n_video_streams() const { return n_video_streams_; }
  int video_number() const { return video_number_; }

  /// After find_video().
  AVStream& stream() const { return *stream_; }
  const ReadHandle& file() const { return file_; }
  /// "mp4", "matroska", or FFmpeg's first name for it.
  const std::string& format() const { return format_; }
  /// Whether the beginning of the file leaves no doubt about the container.
  bool is_certain() const { return score_ >= AVPROBE_SCORE_EXTENSION; }
  /// Whether there is sound too.
  bool has_audio() const;

  /// The next packet of the video stream; false at the end. Error(Format) at an unreadable one; `n_before` names it.
  /// Packets that the container marks as damaged are returned as such if the stream was only joined there; else they
  /// are an error, or with OnDamage::Skip returned with AV_PKT_FLAG_CORRUPT.
  bool read_packet(AVPacket& packet, int64_t n_before, OnDamage on_damage = OnDamage::Stop);
  /// Width / height of the stream's pixels as stored; 1 if unstated.
  double pixel_aspect() const;

 private:
  static int read_callback(void* self, uint8_t* out, int n_bytes);
  static int64_t seek_callback(void* self, int64_t offset, int whence);

  void probe();
  void find_streams();
  /// An error of the operating system during a callback comes before what FFmpeg made of it.
  void rethrow();

  std::string path_;
  ReadHandle file_;
  int64_t position_ = 0;
  std::exception_ptr failure_;
  const AVInputFormat* input_format_ = nullptr;
  int score_ = 0;
  std::string format_;
  AvioPtr avio_;  // outlives the context
  InputPtr context_;
  AVStream* stream_ = nullptr;
  int n_video_streams_ = 0;
  int video_number_ = 0;
};

/// Whether a transport stream that a packet at byte `position` is marked for as damaged was only joined there: where
/// its counter breaks off next a new payload begins, behind a table whose counter breaks off too. FFmpeg marks one of
/// the last packets before the break.
bool ends_at_join(const ReadHandle& file, int64_t position);

/// Error(Format) if the file ends before its container says it does: MP4, Matroska and AVI state their length.
void require_whole_container(const std::string& path, const std::string& format, const ReadHandle& file);

}  // namespace loe
