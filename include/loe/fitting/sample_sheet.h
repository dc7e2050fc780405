// Generated pictures side by side.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/task/region.h"

namespace loe {

/// Pictures in rows, without gaps, one per latent; what is left of the last row is black.
struct SampleSheet {
  PictureSize size;  ///< of a whole picture
  Region region;     ///< the part of it that is shown
  int n_columns = 8;
  std::vector<float> latents;  ///< [n, n_latents]
  int n_latents = 0;

  int64_t n_pictures() const { return static_cast<int64_t>(latents.size()) / n_latents; }
  int n_rows() const { return static_cast<int>((n_pictures() + n_columns - 1) / n_columns); }
  int width() const { return n_columns * region.width; }
  int height() const { return n_rows() * region.height; }
};

/// As many columns as make the sheet about square, at most 8.
int columns_of(int64_t n_pictures);

/// Rows of the sheet from the top on: on_rows(n_rows, values [n_rows, width(), 3] in [0, 1]). Memory: about 262,144
/// pixels at a time, or one row of a row of pictures.
void generate_sheet(Executor& generator, const SampleSheet& sheet,
                    const std::function<void(int n_rows, const float* values)>& on_rows);

/// As a picture of 8 bits.
void write_sheet(Executor& generator, const SampleSheet& sheet, const std::string& path);

}  // namespace loe
