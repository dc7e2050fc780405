#include "loe/fitting/sample_sheet.h"

#include <algorithm>
#include <cmath>

#include "loe/io/image_file.h"
#include "loe/task/gan_task.h"

namespace loe {
namespace {

constexpr int64_t kStripPixels = 262144;
constexpr int kMaxColumns = 8;

}  // namespace

int columns_of(int64_t n_pictures) {
  const auto side = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(n_pictures))));
  return std::clamp(side, 1, kMaxColumns);
}

void generate_sheet(Executor& generator, const SampleSheet& sheet,
                    const std::function<void(int n_rows, const float* values)>& on_rows) {
  const int width = sheet.width();
  const int strip = static_cast<int>(std::clamp<int64_t>(kStripPixels / width, 1, sheet.region.height));
  std::vector<float> planes;
  std::vector<float> rows;
  for (int row = 0; row < sheet.n_rows(); ++row) {
    const int64_t first = int64_t{row} * sheet.n_columns;
    const int64_t n = std::min<int64_t>(sheet.n_columns, sheet.n_pictures() - first);
    const std::span<const float> latents =
        std::span(sheet.latents)
            .subspan(static_cast<std::size_t>(first * sheet.n_latents), static_cast<std::size_t>(n * sheet.n_latents));
    for (int y = 0; y < sheet.region.height; y += strip) {
      const int n_rows = std::min(strip, sheet.region.height - y);
      const Region part = {sheet.region.x, sheet.region.y + y, sheet.region.width, n_rows};
      const int64_t n_pixels = int64_t{part.width} * n_rows;
      planes.resize(static_cast<std::size_t>(3 * n * n_pixels));
      generate_pictures(generator, {sheet.size.width, sheet.size.height, part, latents, sheet.n_latents}, planes);
      rows.assign(static_cast<std::size_t>(3 * width) * n_rows, 0.0F);
      for (int64_t i = 0; i < 3 * n * n_pixels; ++i) {
        const int64_t pixel = i % n_pixels;
        const int64_t plane = i / n_pixels;
        const int64_t x = plane / 3 * part.width + pixel % part.width;
        rows[static_cast<std::size_t>((pixel / part.width * width + x) * 3 + plane % 3)] =
            planes[static_cast<std::size_t>(i)];
      }
      on_rows(n_rows, rows.data());
    }
  }
}

void write_sheet(Executor& generator, const SampleSheet& sheet, const std::string& path) {
  ImageWriter writer(path, sheet.width(), sheet.height(), 3, PixelType::U8);
  generate_sheet(generator, sheet, [&](int n_rows, const float* values) { writer.write_rows(n_rows, values); });
  writer.close();
}

}  // namespace loe
