// Reading videos: include/loe/io/video_file.h.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "io/file_handle.h"
#include "io/picture_folder.h"
#include "io/text.h"
#include "io/video_source.h"
#include "loe/io/image_edit.h"

namespace loe {
namespace {

bool is_folder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_regular_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

bool is_npy(const std::string& path) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  const ReadHandle file(path);
  std::string head(static_cast<std::size_t>(std::min<uint64_t>(file.size(), kMagic.size())), '\0');
  file.read_at(0, head.data(), head.size());
  return head == kMagic;
}

std::unique_ptr<VideoSource> open_source(const std::string& path, OnDamage on_damage = OnDamage::Stop) {
  if (is_folder(path)) {
    return open_folder_source(path);
  }
  return is_npy(path) ? open_npy_source(path) : open_libav_source(path, on_damage);
}

/// The size of frames after `edit`. Error(InvalidArgument) if the rectangle leaves the frame.
std::array<int, 2> edited_size(const std::string& path, const VideoFileInfo& info, const SignalEdit& edit) {
  const auto [x, y, width, height] = edit.crop;
  if (width != 0) {
    // Differences, not sums, which may overflow.
    if (width < 1 || height < 1 || x < 0 || y < 0 || width > info.width || height > info.height ||
        x > info.width - width || y > info.height - height) {
      fail_video(ErrorKind::InvalidArgument, path, fmt::format("data.crop inside {}x{}", info.width, info.height),
                 fmt::format("x={} y={} width={} height={}", x, y, width, height), "choose a smaller rectangle");
    }
  }
  if (edit.size[0] != 0) {
    if (edit.size[0] < 1 || edit.size[1] < 1 || edit.size[0] > kMaxVideoSide || edit.size[1] > kMaxVideoSide) {
      fail_video(ErrorKind::InvalidArgument, path, fmt::format("data.size from 1x1 to {0}x{0}", kMaxVideoSide),
                 fmt::format("{}x{}", edit.size[0], edit.size[1]), "choose another size");
    }
    return edit.size;
  }
  return width != 0 ? std::array{width, height} : std::array{info.width, info.height};
}

/// Pixels this close to square are square: sizes are whole numbers.
constexpr double kSquare = 0.02;

/// read_video() in pieces.
class ClipLoader {
 public:
  ClipLoader(const std::string& path, const SignalEdit& edit, int64_t max_bytes)
      : path_(path), edit_(edit), max_bytes_(max_bytes), reader_(path, edit.on_damage) {
    const VideoFileInfo& info = reader_.info();
    const std::array<int, 2> size = edited_size(path, info, edit);
    video_ = Video(size[0], size[1], info.n_channels, info.type);
    video_.frame_rate = info.frame_rate;
    video_.color = info.color;
    const double from_width = edit.crop[2] != 0 ? edit.crop[2] : info.width;
    const double from_height = edit.crop[2] != 0 ? edit.crop[3] : info.height;
    // A frame keeps its shape when it is resized.
    video_.pixel_aspect = info.pixel_aspect * (from_width / size[0]) * (size[1] / from_height);
    if (edit.size[0] == 0 || std::abs(video_.pixel_aspect - 1) < kSquare) {
      video_.pixel_aspect = edit.size[0] == 0 ? info.pixel_aspect : 1;
    }
    frame_bytes_ = int64_t{size[0]} * size[1] * info.n_channels * bytes_per_value(info.type);
    check_frames();
    if (n_wanted_ > 0) {
      require_room(n_wanted_);
    } else if (info.n_frames > 0) {
      require_room(info.n_frames - edit.frames[0]);
    }
  }

  Video load(const std::function<void(int)>& on_frame) {
    for (int t = 0; t < edit_.frames[0]; ++t) {
      if (!reader_.skip()) {
        fail_frames(t);
      }
    }
    while (n_wanted_ == 0 || video_.n_frames() < n_wanted_) {
      Image frame;
      if (!reader_.next(frame)) {
        const bool may_lack = edit_.on_damage == OnDamage::Skip && video_.n_frames() > 0;
        if ((n_wanted_ > 0 && !may_lack) || video_.n_frames() == 0) {
          fail_frames(edit_.frames[0] + video_.n_frames());
        }
        break;
      }
      require_room(int64_t{video_.n_frames()} + 1);
      video_.append(edited(std::move(frame)));
      times_.push_back(reader_.time());
      if (on_frame) {
        on_frame(video_.n_frames());
      }
    }
    video_.n_skipped = reader_.n_skipped();
    video_.has_transparency = reader_.has_transparency();
    keep_times();
    return std::move(video_);
  }

 private:
  /// Of a variable rate, if each frame comes after the one before.
  void keep_times() {
    const bool is_growing =
        std::adjacent_find(times_.begin(), times_.end(), [](double a, double b) { return !(b > a); }) == times_.end();
    if (!reader_.info().is_variable_rate || !is_growing || times_.size() < 2 || !std::isfinite(times_.front())) {
      return;
    }
    for (const double time : times_) {
      video_.times.push_back(time - times_.front());
    }
  }

  void check_frames() {
    const auto [first, n] = edit_.frames;
    if (first < 0 || n < 0) {
      fail_video(ErrorKind::InvalidArgument, path_, "data.frames of a first frame and a number, both at least 0",
                 fmt::format("{}, {}", first, n), "choose others");
    }
    n_wanted_ = n;
    const int64_t n_frames = reader_.info().n_frames;
    if (n_frames > 0 && (first >= n_frames || n > n_frames - first)) {
      fail_frames(n_frames);
    }
  }

  [[noreturn]] void fail_frames(int64_t n_frames) const {
    fail_video(ErrorKind::InvalidArgument, path_, fmt::format("data.frames inside the clip of {} frames", n_frames),
               edit_.frames[1] == 0 ? fmt::format("all from frame {} on", edit_.frames[0])
                                    : fmt::format("{} from frame {} on", edit_.frames[1], edit_.frames[0]),
               "choose fewer, or an earlier first one");
  }

  void require_room(int64_t n_frames) const {
    // In double: exact enough to compare and to print, and cannot overflow.
    const double n_bytes = static_cast<double>(n_frames) * static_cast<double>(frame_bytes_);
    if (n_bytes > static_cast<double>(max_bytes_)) {
      fail_video(ErrorKind::OutOfMemory, path_, fmt::format("at most {} bytes of frames", max_bytes_),
                 fmt::format("{:.0f} bytes for {} frames of {}x{} with {} channels of {}", n_bytes, n_frames,
                             video_.width(), video_.height(), video_.n_channels(), to_string(video_.type())),
                 "choose fewer with data.frames, or make them smaller with data.size or data.crop");
    }
    if (n_frames > kMaxVideoFrames) {
      fail_video(ErrorKind::InvalidArgument, path_, fmt::format("at most {} frames", kMaxVideoFrames),
                 fmt::format("{}", n_frames), "choose fewer with data.frames");
    }
  }

  Image edited(Image frame) const {
    if (edit_.crop[2] != 0) {
      frame = crop_image(frame, edit_.crop[0], edit_.crop[1], edit_.crop[2], edit_.crop[3]);
    }
    if (edit_.size[0] != 0) {
      frame = resize_image(frame, edit_.size[0], edit_.size[1]);
    }
    return frame;
  }

  std::string path_;
  SignalEdit edit_;
  int64_t max_bytes_;
  VideoReader reader_;
  Video video_;
  int64_t frame_bytes_ = 0;
  int n_wanted_ = 0;
  std::vector<double> times_;
};

}  // namespace

void fail_video(ErrorKind kind, const std::string& path, const std::string& expected, const std::string& found,
                const std::string& remedy) {
  throw Error(kind, fmt::format("[video] {}: expected {}, got {}; {}", path, expected, found, remedy));
}

VideoFileInfo read_video_info(const std::string& path) {
  return open_source(path)->info();
}

bool is_video(const std::string& path) {
  try {
    if (is_folder(path)) {
      return has_pictures(path);
    }
    return is_regular_file(path) && (is_npy(path) || has_libav_video(path));
  } catch (const Error&) {
    return false;
  }
}

VideoReader::VideoReader(const std::string& path, OnDamage on_damage) : source_(open_source(path, on_damage)) {}
VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;

const VideoFileInfo& VideoReader::info() const {
  return source_->info();
}

bool VideoReader::next(Image& frame) {
  return source_->next(&frame);
}

bool VideoReader::skip() {
  return source_->next(nullptr);
}

double VideoReader::time() const {
  return source_->time();
}

int64_t VideoReader::n_skipped() const {
  return source_->n_skipped();
}

bool VideoReader::has_transparency() const {
  return source_->has_transparency();
}

Video read_video(const std::string& path, const SignalEdit& edit, int64_t max_bytes,
                 const std::function<void(int)>& on_frame) {
  return ClipLoader(path, edit, max_bytes).load(on_frame);
}

}  // namespace loe
