// 8-bit values as floats.
#pragma once

#include <array>
#include <cstdint>

namespace loe {

/// Element i is i / 255, rounded as Image::read_pixel rounds it: a look-up is cheaper than the division.
inline const std::array<float, 256>& unit_of_byte() {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> values{};
    for (int i = 0; i < 256; ++i) {
      values[i] = static_cast<float>(i) / 255.0F;
    }
    return values;
  }();
  return table;
}

}  // namespace loe
