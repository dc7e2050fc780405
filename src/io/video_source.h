// The kinds of video behind VideoReader and VideoWriter: libav containers, .npy arrays, folders of pictures.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "loe/base/error.h"
#include "loe/io/video_file.h"

namespace loe {

/// Frames coming from somewhere.
class VideoSource {
 public:
  virtual ~VideoSource() = default;
  /// Decodes the next frame into *frame, or passes over it if `frame` is null. False at the clean end.
  virtual bool next(Image* frame) = 0;
  const VideoFileInfo& info() const { return info_; }
  double time() const { return time_; }
  int64_t n_skipped() const { return n_skipped_; }
  bool has_transparency() const { return has_transparency_; }

 protected:
  VideoFileInfo info_;
  double time_ = std::numeric_limits<double>::quiet_NaN();
  int64_t n_skipped_ = 0;
  bool has_transparency_ = false;
};

/// Frames going somewhere. Destroyed without close(): nothing is left behind.
class VideoSink {
 public:
  virtual ~VideoSink() = default;
  /// A frame of the size, channels and depth that the sink was made for.
  virtual void write(const Image& frame) = 0;
  virtual void close() = 0;
};

/// What a writer is asked for, checked.
struct VideoShape {
  int width = 0;
  int height = 0;
  int n_channels = 0;
};

constexpr int kMaxVideoSide = 65536;
/// A frame takes this many times 3 or 6 bytes, and the decoder's own copies of it.
constexpr int64_t kMaxFramePixels = int64_t{1} << 27;
constexpr int kMaxVideoFrames = 65536;

[[noreturn]] void fail_video(ErrorKind kind, const std::string& path, const std::string& expected,
                             const std::string& found, const std::string& remedy);

/// Containers, src/io/libav_*.cpp.
std::unique_ptr<VideoSource> open_libav_source(const std::string& path, OnDamage on_damage = OnDamage::Stop);
/// Whether the file is a container with a video stream, or one that is too damaged to tell.
bool has_libav_video(const std::string& path);
/// What the file is if it is a container that holds no video: "sound only (matroska)"; "" for anything else.
std::string describe_container(const std::string& path);
/// `extension` is one of ".mp4", ".mov", ".mkv", ".webm", ".y4m".
std::unique_ptr<VideoSink> open_libav_sink(const std::string& path, const std::string& extension,
                                           const VideoShape& shape, const VideoOptions& options);

/// Arrays, src/io/npy_video.cpp.
std::unique_ptr<VideoSource> open_npy_source(const std::string& path);
std::unique_ptr<VideoSink> open_npy_sink(const std::string& path, const VideoShape& shape, PixelType type);

/// Folders of pictures, src/io/frame_folder.cpp.
std::unique_ptr<VideoSource> open_folder_source(const std::string& path);
std::unique_ptr<VideoSink> open_folder_sink(const std::string& path);

}  // namespace loe
