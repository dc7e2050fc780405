// The readers of videos: .npy, and all that FFmpeg's libraries recognise. FFmpeg itself is not instrumented; what is
// tried here is our handling of what it hands us.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "loe/base/error.h"
#include "loe/io/video_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const int fd = ::memfd_create("video", 0);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const bool is_video = loe::is_video(path);
  const bool is_gif = size >= 4 && std::memcmp(data, "GIF8", 4) == 0;  // of one frame: a picture that can be read
  try {
    loe::VideoReader reader(path);
    if (!is_video && !is_gif) {
      std::abort();  // what can be read is a video
    }
    loe::Image frame;
    // A few bytes may claim frames of 2^27 pixels, which decoders fill at their leisure: that is time, not a bug.
    constexpr int64_t kMaxPixels = 1 << 20;
    if (int64_t{reader.info().width} * reader.info().height <= kMaxPixels) {
      for (int t = 0; t < 8 && (t % 3 == 2 ? reader.skip() : reader.next(frame)); ++t) {
        if (t % 3 != 2 && (frame.width() != reader.info().width || frame.height() != reader.info().height)) {
          std::abort();
        }
      }
    }
  } catch (const loe::Error&) {
  }
  ::close(fd);
  return 0;
}
