// Small pictures and configs for tests of the task "image".
#pragma once

#include <cmath>
#include <vector>

#include "loe/task/image_presets.h"
#include "loe/task/image_task.h"

namespace loe {

/// Smooth waves and an edge; every pixel and channel differs a little.
inline Image wavy_image(int width, int height, int n_channels, PixelType type) {
  Image image(width, height, n_channels, type);
  std::vector<float> row(std::size_t(width) * n_channels);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < n_channels; ++c) {
        const double wave = std::sin(0.4 * x + c) * std::cos(0.3 * y - c);
        row[x * n_channels + c] = static_cast<float>(0.5 + 0.25 * wave + (x + y > width ? 0.1 : 0));
      }
    }
    image.write_row(0, y, width, row.data());
  }
  return image;
}

/// A network that learns a 16 x 16 to 32 x 32 picture in milliseconds per step on the reference backend.
inline Settings small_settings() {
  Settings settings;
  settings.set("model.widths", std::vector<double>{12, 12, 12}, "test");
  settings.set("model.tiles", std::vector<double>{2, 2, 2}, "test");
  settings.set("model.resolutions", std::vector<double>{4, 8, 16}, "test");
  settings.set("model.n_frequencies", int64_t{4}, "test");
  settings.set("data.batch_size", int64_t{200}, "test");
  settings.set("train.max_steps", int64_t{60}, "test");
  settings.set("train.learning_rate", 0.01, "test");
  return settings;
}

inline std::unique_ptr<Executor> compile_reference(const FitConfig& config, int n_threads = 1) {
  return reference_backend().compile(build_network(config.network), {Precision::F32, n_threads, ""});
}

}  // namespace loe
