// A part of a picture or of a video's frames.
#pragma once

namespace loe {

/// A rectangle of the continuous picture, in pixels of the source: [x, x + width) x [y, y + height).
struct Region {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

/// Pixels of a picture along each axis.
struct PictureSize {
  int width = 0;
  int height = 0;
};

}  // namespace loe
