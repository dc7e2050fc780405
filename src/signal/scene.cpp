#include "loe/signal/scene.h"

#include <fmt/format.h>

#include "loe/base/error.h"

namespace loe {

const char* to_string(Split split) {
  return split == Split::Train ? "train" : split == Split::Validation ? "val" : "test";
}

int64_t ScenePictures::n_bytes() const {
  std::size_t n_bytes = 0;
  for (const Image& image : images) {
    n_bytes += image.n_bytes();
  }
  for (const Image& mask : masks) {
    n_bytes += mask.n_bytes();
  }
  return static_cast<int64_t>(n_bytes);
}

std::vector<std::size_t> views_of(const Scene& scene, Split split) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < scene.views.size(); ++i) {
    if (scene.views[i].split == split) {
      found.push_back(i);
    }
  }
  if (found.empty()) {
    throw Error(ErrorKind::NotFound,
                fmt::format("[scene] {}: expected at least one view of the split '{}', got none of "
                            "{}; choose another split",
                            scene.path, to_string(split), scene.views.size()));
  }
  return found;
}

}  // namespace loe
