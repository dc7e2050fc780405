// What is done to a signal before it is fitted.
#pragma once

#include <array>
#include <string>

namespace loe {

/// What to do about damaged frames of a video.
enum class OnDamage {
  Stop,  ///< an error that names the frame
  Skip,  ///< frames from there to the next that needs no other one are left out
};

/// "stop", "skip".
inline const char* to_string(OnDamage on_damage) {
  return on_damage == OnDamage::Skip ? "skip" : "stop";
}

/// First channels or frames are chosen, then each is cut (crop_image), then resized (resize_image).
struct SignalEdit {
  std::array<int, 4> crop{};            ///< x, y, width, height in pixels of the source; width 0: none
  std::array<int, 2> size{};            ///< width, height; 0: as it is
  std::array<int, 2> frames{};          ///< first frame, number of frames; number 0: to the end. Videos only
  OnDamage on_damage = OnDamage::Stop;  ///< videos only
  std::string channels;                 ///< read_image's; empty: chosen by what the file calls them. Pictures only
  /// Whether every frame stays as it is.
  bool is_none() const { return crop[2] == 0 && size[0] == 0 && frames[0] == 0 && frames[1] == 0 && channels.empty(); }
  bool operator==(const SignalEdit&) const = default;
};

}  // namespace loe
