#include "loe/signal/video.h"

#include <fmt/format.h>

#include <utility>

#include "loe/base/error.h"

namespace loe {
namespace {

constexpr int kMaxFrames = 65536;

}  // namespace

Video::Video(int width, int height, int n_channels, PixelType type)
    : width_(width), height_(height), n_channels_(n_channels), type_(type) {
  if (width < 1 || height < 1 || width > 65536 || height > 65536 || n_channels < 1 || n_channels > 4) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[video] size: expected 1x1 to 65536x65536 with 1 to 4 channels, got {}x{} with {}", width,
                            height, n_channels));
  }
  if (type != PixelType::U8 && type != PixelType::U16) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[video] type: expected u8 or u16, got {}; convert the frames", to_string(type)));
  }
}

void Video::append(Image frame) {
  if (frame.width() != width_ || frame.height() != height_ || frame.n_channels() != n_channels_ ||
      frame.type() != type_) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[video] frame {}: expected {}x{} with {} channels of {}, got {}x{} with {} of {}",
                            n_frames(), width_, height_, n_channels_, to_string(type_), frame.width(), frame.height(),
                            frame.n_channels(), to_string(frame.type())));
  }
  if (n_frames() == kMaxFrames) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[video] frames: expected at most {}, got more; choose a part of the clip", kMaxFrames));
  }
  frames_.push_back(std::move(frame));
}

}  // namespace loe
