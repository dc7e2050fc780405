#include "loe/signal/image_sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/morton.h"
#include "loe/base/error.h"
#include "loe/base/random.h"
#include "signal/radix_sort.h"
#include "signal/unit_of_byte.h"

namespace loe {
namespace {

/// Appends the pixels of the square [column, column + size) x [row, row + size) that lie inside the picture, in Morton
/// order. Squares outside are skipped whole: a 65536 x 1 picture costs 65536 visits, not 2^32.
void append_square(uint32_t column, uint32_t row, uint32_t size, const Image& image, std::vector<uint32_t>& keys) {
  if (column >= static_cast<uint32_t>(image.width()) || row >= static_cast<uint32_t>(image.height())) {
    return;
  }
  if (size == 1) {
    keys.push_back(morton_key(column, row));
    return;
  }
  const uint32_t half = size / 2;
  append_square(column, row, half, image, keys);
  append_square(column + half, row, half, image, keys);
  append_square(column, row + half, half, image, keys);
  append_square(column + half, row + half, half, image, keys);
}

int bits_per_axis(const Image& image) {
  return std::bit_width(static_cast<uint32_t>(std::max(image.width(), image.height()) - 1));
}

/// Targets of 8-bit pictures through a table: the common case, and the one where conversion would cost most per byte.
void fill_targets_u8(const Image& image, const uint32_t* keys, int64_t count, float* targets) {
  const std::array<float, 256>& unit = unit_of_byte();
  const auto* values = reinterpret_cast<const uint8_t*>(image.data());
  const int n_channels = image.n_channels();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t pixel = int64_t{morton_row(keys[i])} * image.width() + morton_column(keys[i]);
    for (int c = 0; c < n_channels; ++c) {
      targets[i * n_channels + c] = unit[values[pixel * n_channels + c]];
    }
  }
}

}  // namespace

ImageSampler::ImageSampler(const Image& image, PixelSampling sampling, int64_t batch_size, uint64_t seed)
    : image_(&image), sampling_(sampling), n_samples_(batch_size), seed_(seed) {
  if (image.n_pixels() < 1) {
    throw Error(ErrorKind::InvalidArgument, "[image_sampler] image: expected at least one pixel, got an empty picture");
  }
  LOE_ASSERT(sampling != PixelSampling::ProductChunks);
  if (sampling == PixelSampling::AllPixels) {
    n_samples_ = image.n_pixels();
    keys_.reserve(static_cast<std::size_t>(n_samples_));
    append_square(0, 0, 1U << bits_per_axis(image), image, keys_);
  } else if (batch_size < 1 || batch_size > kMaxBatchSize) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[image_sampler] batch_size: expected 1..{}, got {}; change "
                                                        "data.batch_size",
                                                        kMaxBatchSize, batch_size));
  }
}

void ImageSampler::begin_step(int64_t step) {
  if (sampling_ == PixelSampling::AllPixels || step == drawn_step_) {
    return;
  }
  keys_.resize(static_cast<std::size_t>(n_samples_));
  const auto width = static_cast<uint32_t>(image_->width());
  const auto height = static_cast<uint32_t>(image_->height());
  // A word per axis instead of one per pixel: the bias of to_bounded stays below 2^-16 for every picture (one word for
  // the linear index would draw some pixels of a 10000 x 10000 picture 2% more often), and there is no division.
  for (int64_t i = 0; i < n_samples_; i += 2) {
    const std::array<uint32_t, 4> words =
        random_words(seed_, RandomStream::Samples, static_cast<uint64_t>(step), static_cast<uint32_t>(i / 2));
    keys_[i] = morton_key(to_bounded(words[0], width), to_bounded(words[1], height));
    if (i + 1 < n_samples_) {
      keys_[i + 1] = morton_key(to_bounded(words[2], width), to_bounded(words[3], height));
    }
  }
  radix_sort(keys_, scratch_, 2 * bits_per_axis(*image_));
  drawn_step_ = step;
}

void ImageSampler::fill(int64_t first, int64_t count, float* coords, float* targets) const {
  LOE_ASSERT(first >= 0 && count >= 0 && first + count <= static_cast<int64_t>(keys_.size()));
  const uint32_t* keys = keys_.data() + first;
  for (int64_t i = 0; i < count; ++i) {
    coords[2 * i] = pixel_coordinate(morton_column(keys[i]), image_->width());
    coords[2 * i + 1] = pixel_coordinate(morton_row(keys[i]), image_->height());
  }
  if (image_->type() == PixelType::U8) {
    fill_targets_u8(*image_, keys, count, targets);
    return;
  }
  const int n_channels = image_->n_channels();
  for (int64_t i = 0; i < count; ++i) {
    image_->read_pixel(static_cast<int>(morton_column(keys[i])), static_cast<int>(morton_row(keys[i])),
                       targets + i * n_channels);
  }
}

}  // namespace loe
