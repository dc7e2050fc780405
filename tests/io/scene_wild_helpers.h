// What the tests of scenes as people bring them share.
#pragma once

#include <OpenImageIO/imageio.h>

#include <memory>

#include "io/scene_test_helpers.h"

namespace loe {

/// A picture with an EXIF orientation; the stored pixel (x, y) is grey x + 5 y.
inline void write_turned(const std::string& path, int width, int height, int orientation) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::vector<uint8_t> pixels;
  for (int i = 0; i < width * height; ++i) {
    for (int c = 0; c < 3; ++c) pixels.push_back(static_cast<uint8_t>(i % width + 5 * (i / width)));
  }
  OIIO::ImageSpec spec(width, height, 3, OIIO::TypeDesc::UINT8);
  spec.attribute("Orientation", orientation);
  const auto out = OIIO::ImageOutput::create(path);
  ASSERT_TRUE(out && out->open(path, spec) && out->write_image(OIIO::TypeDesc::UINT8, pixels.data()) && out->close());
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

inline void write_transforms_named(
    const std::string& folder, const std::function<std::string(int)>& name,
    const std::function<void(Json&)>& change = [](Json&) {}) {
  Json file = transforms_json(folder, 4);
  for (int n = 0; n < 4; ++n) file["frames"][static_cast<std::size_t>(n)]["file_path"] = name(n);
  change(file);
  write_transforms(folder, file);
}

inline std::string in_images(int n) {
  return "images/" + picture_name(n) + ".png";
}

}  // namespace loe
