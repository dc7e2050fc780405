// Video files: containers through FFmpeg's libraries, .npy arrays and folders of pictures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loe/signal/signal_edit.h"
#include "loe/signal/video.h"

namespace loe {

class VideoSource;
class VideoSink;

/// What a video says about itself before a frame is decoded.
struct VideoFileInfo {
  std::string
      format;  ///< "mp4" (also MOV), "matroska" (also WebM), "yuv4mpegpipe", "avi", ..., "npy", "frames" (a folder)
  std::string
      codec;      ///< FFmpeg's name ("h264"), for "npy" its dtype ("<u2"), for "frames" the pictures' format ("png")
  int width = 0;  ///< after rotation metadata
  int height = 0;
  int n_channels = 0;              ///< 1 for grey sources, else 3
  PixelType type = PixelType::U8;  ///< U16 for sources of more than 8 bits, scaled to 0..65535
  int64_t n_frames = 0;            ///< 0: not known without reading it all
  FrameRate frame_rate;            ///< the average over the file; 25 where it has none
  bool is_variable_rate = false;   ///< frames are evenly spaced for the fit; their times are kept for what is written
  bool has_alpha = false;          ///< some pixel of the first frame is transparent; dropped
  bool has_audio = false;          ///< ignored
  bool is_interlaced = false;      ///< kept as it is
  double pixel_aspect = 1;         ///< width / height of a pixel where it is shown, after rotation
  VideoColor color;
  /// What the user should know: "is interlaced: ...", "frames 3 to 4 are missing, ...". One line each.
  std::vector<std::string> notes;
};

/// Header (and for folders the names and the first picture's header) only: a file that is truncated further on passes.
/// Else the errors of VideoReader.
VideoFileInfo read_video_info(const std::string& path);

/// Whether `path` is a video, by its content: a folder that holds a picture file, an .npy array, a file of a known
/// container that holds a video stream, or that is too damaged to tell (VideoReader then says what is wrong).
/// False for still pictures (also a GIF of one frame), sound (with or without a cover), anything else and nothing at
/// all. Never throws an Error.
bool is_video(const std::string& path);

/// The frames of a video in order, one at a time: memory does not depend on their number.
///
/// Files: MP4/MOV, Matroska/WebM, AVI, MPEG-TS and -PS, FLV, Ogg, ASF/WMV, MXF, NUT, IVF, DV, animated GIF, Y4M and raw
/// MPEG, H.264 and H.265 streams, in any codec that this FFmpeg decodes; .npy of shape [T, H, W, 3], [T, H, W, 1] or
/// [T, H, W], C order, dtype u1, <u2, <f4 or <f8 (floats in [0, 1], kept as 16 bits); folders of pictures of 8 or 16
/// bits in natural order (frame2 before frame10), other files skipped, grey ones beside coloured ones made RGB. The
/// content decides, not the name. No other file is ever opened, nor the network: playlists are refused.
///
/// Frames are RGB or grey in the full range, of the source's depth (more than 8 bits: scaled to 16). YUV is converted
/// by the matrix and range that the file states; unstated: limited range, BT.709 from 1280 x 720 up (width >= 1280 or
/// height > 576), else BT.601. Rotations by multiples of 90 degrees and mirrorings in the container are applied, others
/// left out (and noted). Alpha is dropped, interlaced frames stay as they are, frames of a variable rate are taken in
/// order. Decoding runs on one thread: the result depends on the file alone.
///
/// Error(NotFound), Error(Io); Error(Format) for what is no video, damaged or truncated (naming the frame, counted from
/// 0 in the file's order), has no frames or fewer than it declares; Error(Unsupported) for other codecs, pixel formats
/// and sizes (sides beyond 65536, frames beyond 2^27 pixels) and frames that differ in size, channels or depth. A file
/// that declares no number of frames (MPEG-TS, raw streams) and is cut between two frames looks whole. Streams that
/// were joined (MPEG-TS whose counters and tables begin anew) are not damaged. With OnDamage::Skip a damaged frame and
/// those up to the next key frame are passed over.
///
/// FFmpeg's own messages are silenced for the whole process; its last one is part of the error's text.
class VideoReader {
 public:
  explicit VideoReader(const std::string& path, OnDamage on_damage = OnDamage::Stop);
  ~VideoReader();
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;

  const VideoFileInfo& info() const;
  /// The next frame, false at the clean end.
  bool next(Image& frame);
  /// Passes over a frame; false at the clean end. Cheaper than next().
  bool skip();
  /// When the last frame begins, in seconds of the file's own clock; NaN if the file has no times.
  double time() const;
  /// Damaged frames that were left out so far.
  int64_t n_skipped() const;
  /// Whether a frame that next() gave had transparent pixels.
  bool has_transparency() const;

 private:
  std::unique_ptr<VideoSource> source_;
};

/// The frames that `edit` leaves, in memory: they are chosen, cut and resized while decoding, and nothing after the
/// last one is read. on_frame(n) is called after the n-th. Errors of VideoReader; Error(InvalidArgument) if `edit`
/// leaves the clip; Error(OutOfMemory) if the result takes more than max_bytes, before anything is allocated where the
/// file says how many frames it has.
Video read_video(const std::string& path, const SignalEdit& edit = {}, int64_t max_bytes = int64_t{4} << 30,
                 const std::function<void(int)>& on_frame = {});

/// How to write a video.
struct VideoOptions {
  FrameRate rate;
  /// The source's; files of YUV state it. Matrix "rgb" is written as that of unstated files, .npy and folders ignore
  /// it.
  VideoColor color;
  PixelType type =
      PixelType::U8;          ///< U8 or U16; H.264 and VP9 keep 10 bits of U16, Y4M has U8 only. Folders also F16, F32
  double pixel_aspect = 1;    ///< stated by files of FFmpeg's formats
  std::vector<double> times;  ///< Video::times; kept by .mp4, .mov, .mkv and .webm. Empty: at the rate
  double quality = 12;        ///< constant rate factor as x264 counts it, 0 (best) to 51; about 12: no visible loss
};

/// Writes frames as they come; nothing appears under the final name before close(). The format follows from the name:
///
///   .mp4 .mov .mkv   H.264 (libx264), 4:2:0 if both sides are even, else 4:4:4; U16 as 10 bits
///   .webm            VP9 (libvpx), likewise
///   .y4m             4:4:4 (grey: mono) of 8 bits, limited range
///   .npy             [T, H, W, C], u1 or <u2, lossless
///   name/            a folder of frame-000001.png, ..., lossless, of floats .exr; must not exist, or be empty
///
/// Grey frames become YUV in the compressed formats. The same frames give the same bytes on any number of cores.
/// Error(Unsupported) for other names (lists the choices), depths a format lacks and encoders that this FFmpeg lacks;
/// Error(InvalidArgument); Error(Io) for an unwritable folder or a full disk, naming the cause, from any function.
class VideoWriter {
 public:
  /// n_channels 1 or 3.
  VideoWriter(const std::string& path, int width, int height, int n_channels, const VideoOptions& options);
  ~VideoWriter();  ///< without close(): removes the temporary file or folder
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  /// A frame of any depth; if it is another one than the writer's, rounded to it as Image::write_row does.
  void write_frame(const Image& frame);
  /// Values [height, width, n_channels], rounded likewise.
  void write_frame(const float* values);
  /// Error(InvalidArgument) if no frame was written.
  void close();

 private:
  void require_open() const;

  std::unique_ptr<VideoSink> sink_;  ///< null once closed
  Image stored_;                     ///< a frame at the writer's depth
  std::string path_;
  int64_t n_frames_ = 0;
};

/// Convenience over VideoWriter: the clip at its own depth, rate and colours.
void write_video(const std::string& path, const Video& video);

}  // namespace loe
