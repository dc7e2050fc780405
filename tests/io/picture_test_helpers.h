// What tests of pictures share.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "io/io_test_helpers.h"
#include "loe/io/image_file.h"
#include "test_paths.h"

namespace loe {

/// Files as people bring them.
inline const std::string kWild = std::string(kConfigs) + "/../tests/io/wild/";

/// Values as stored: integers as they are, floats as floats.
inline std::vector<float> stored_pixel(const Image& image, int x, int y) {
  std::vector<float> values(static_cast<std::size_t>(image.n_channels()));
  image.read_pixel(x, y, values.data());
  const float most = image.type() == PixelType::U8 ? 255.0F : image.type() == PixelType::U16 ? 65535.0F : 1.0F;
  for (float& value : values) value = most == 1 ? value : std::round(value * most);
  return values;
}

}  // namespace loe
