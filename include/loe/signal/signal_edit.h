// What is done to a signal before it is fitted.
#pragma once

#include <array>

namespace loe {

/// First frames are chosen, then each is cut (crop_image), then resized (resize_image).
struct SignalEdit {
  std::array<int, 4> crop{};    ///< x, y, width, height in pixels of the source; width 0: none
  std::array<int, 2> size{};    ///< width, height; 0: as it is
  std::array<int, 2> frames{};  ///< first frame, number of frames; number 0: to the end. Videos only
  bool is_none() const { return crop[2] == 0 && size[0] == 0 && frames[0] == 0 && frames[1] == 0; }
  bool operator==(const SignalEdit&) const = default;
};

}  // namespace loe
