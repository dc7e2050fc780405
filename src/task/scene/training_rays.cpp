#include "task/scene/training_rays.h"

#include <fmt/format.h>

#include <algorithm>

#include "loe/base/error.h"
#include "loe/base/random.h"
#include "loe/task/scene_task.h"

namespace loe {
namespace {

std::vector<uint32_t> unmasked_pixels(const View& view, const Image& mask) {
  std::vector<uint32_t> pixels;
  for (int y = 0; y < mask.height(); ++y) {
    for (int x = 0; x < mask.width(); ++x) {
      float value = 0;
      mask.read_pixel(x, y, &value);
      if ((value >= 0.5F) == view.mask_keeps_white) {
        pixels.push_back(static_cast<uint32_t>(y) * static_cast<uint32_t>(mask.width()) + static_cast<uint32_t>(x));
      }
    }
  }
  return pixels;
}

}  // namespace

void read_target(const Image& image, int x, int y, const float* background, float* out) {
  float pixel[4];
  image.read_pixel(x, y, pixel);
  const int n = image.n_channels();
  const bool has_alpha = image.has_alpha();
  const float alpha = has_alpha ? pixel[n - 1] : 1.0F;
  const float share = image.tags.alpha == AlphaKind::Associated ? 1.0F : alpha;  // colours hold it already
  for (int c = 0; c < 3; ++c) {
    const float color = pixel[n < 3 ? 0 : c];
    out[c] = has_alpha ? color * share + background[c] * (1 - alpha) : color;
  }
}

TrainingRayDrawer::TrainingRayDrawer(const ScenePictures& pictures, const SceneSettings& settings, uint64_t seed)
    : pictures_(pictures),
      random_background_(settings.background == RayBackground::Random && pictures.scene.has_alpha),
      background_(background_of(settings, pictures.scene)),
      seed_(seed),
      views_(views_of(pictures.scene, Split::Train)),
      first_pixel_{0} {
  for (const std::size_t v : views_) {
    const View& view = pictures.scene.views[v];
    int64_t n_pixels = pictures.images[v].n_pixels();
    unmasked_.emplace_back();
    if (pictures.masks[v].width() > 0) {
      unmasked_.back() = unmasked_pixels(view, pictures.masks[v]);
      n_pixels = static_cast<int64_t>(unmasked_.back().size());
    }
    first_pixel_.push_back(first_pixel_.back() + n_pixels);
  }
  if (n_pixels() == 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[scene] {}: expected pixels to learn from, but the masks leave out every one; check which "
                            "colour of a mask stands for what",
                            pictures.scene.path));
  }
}

void TrainingRayDrawer::draw(int64_t step, int64_t n_rays, TrainingRays& out) const {
  out.rays.resize(n_rays);
  out.targets.resize(static_cast<std::size_t>(3 * n_rays));
  out.backgrounds.resize(static_cast<std::size_t>(3 * n_rays));
  const Box box = box_of(pictures_.scene);
  for (int64_t i = 0; i < n_rays; ++i) {
    const auto lane = static_cast<uint32_t>(2 * i);
    const auto words = random_words(seed_, RandomStream::Samples, static_cast<uint64_t>(step), lane);
    // 53 random bits: uniform to one part in 2^20 for a thousand views of 8 megapixels.
    const double u = (static_cast<double>(words[0]) * 0x1p21 + static_cast<double>(words[1] >> 11)) * 0x1p-53;
    const int64_t pixel = std::min(static_cast<int64_t>(u * static_cast<double>(n_pixels())), n_pixels() - 1);
    const auto after = std::upper_bound(first_pixel_.begin(), first_pixel_.end(), pixel);
    const auto k = static_cast<std::size_t>(after - first_pixel_.begin()) - 1;
    const std::size_t v = views_[k];
    const Image& image = pictures_.images[v];
    int64_t place = pixel - first_pixel_[k];
    if (!unmasked_[k].empty()) {
      place = unmasked_[k][static_cast<std::size_t>(place)];
    }
    const int x = static_cast<int>(place % image.width());
    const int y = static_cast<int>(place / image.width());
    float* const background = out.backgrounds.data() + 3 * i;
    std::copy(background_.begin(), background_.end(), background);
    if (random_background_) {
      const auto colors = random_words(seed_, RandomStream::Samples, static_cast<uint64_t>(step), lane + 1);
      std::transform(colors.begin(), colors.begin() + 3, background, to_unit_float);
    }
    read_target(image, x, y, background, out.targets.data() + 3 * i);
    out.rays.set(i, pixel_ray(pictures_.scene.views[v], x + 0.5, y + 0.5, box));
  }
}

}  // namespace loe
