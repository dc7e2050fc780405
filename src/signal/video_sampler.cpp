#include "loe/signal/video_sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/morton.h"
#include "loe/base/error.h"
#include "loe/base/random.h"
#include "signal/radix_sort.h"
#include "signal/unit_of_byte.h"

namespace loe {
namespace {

/// Bits that hold the Morton key of every pixel of the video.
int key_bits(const Video& video) {
  const int longest = std::max({video.width(), video.height(), video.n_frames()});
  return 3 * std::bit_width(static_cast<uint32_t>(longest - 1));
}

void append_all_pixels(const Video& video, std::vector<uint64_t>& keys) {
  keys.reserve(static_cast<std::size_t>(video.n_pixels()));
  for (int t = 0; t < video.n_frames(); ++t) {
    for (int y = 0; y < video.height(); ++y) {
      for (int x = 0; x < video.width(); ++x) {
        keys.push_back(morton_key_3(x, y, t));
      }
    }
  }
}

/// Targets of 8-bit videos through a table: the common case, and the one where conversion would cost most per byte.
void fill_targets_u8(const Video& video, const uint64_t* keys, int64_t count, float* targets) {
  const std::array<float, 256>& unit = unit_of_byte();
  const int n_channels = video.n_channels();
  for (int64_t i = 0; i < count; ++i) {
    const Image& frame = video.frame(static_cast<int>(morton_z_3(keys[i])));
    const auto* values = reinterpret_cast<const uint8_t*>(frame.data());
    const int64_t pixel = int64_t{morton_y_3(keys[i])} * frame.width() + morton_x_3(keys[i]);
    for (int c = 0; c < n_channels; ++c) {
      targets[i * n_channels + c] = unit[values[pixel * n_channels + c]];
    }
  }
}

}  // namespace

VideoSampler::VideoSampler(const Video& video, PixelSampling sampling, int64_t batch_size, uint64_t seed)
    : video_(&video), sampling_(sampling), n_samples_(batch_size), seed_(seed) {
  if (video.n_pixels() < 1) {
    throw Error(ErrorKind::InvalidArgument, "[video_sampler] video: expected at least one frame, got an empty video");
  }
  LOE_ASSERT(sampling != PixelSampling::ProductChunks);
  if (sampling == PixelSampling::AllPixels) {
    n_samples_ = video.n_pixels();
    append_all_pixels(video, keys_);
    radix_sort(keys_, scratch_, key_bits(video));
    scratch_ = {};
  } else if (batch_size < 1 || batch_size > kMaxBatchSize) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[video_sampler] batch_size: expected 1..{}, got {}; change "
                                                        "data.batch_size",
                                                        kMaxBatchSize, batch_size));
  }
}

void VideoSampler::begin_step(int64_t step) {
  if (sampling_ == PixelSampling::AllPixels || step == drawn_step_) {
    return;
  }
  keys_.resize(static_cast<std::size_t>(n_samples_));
  const auto width = static_cast<uint32_t>(video_->width());
  const auto height = static_cast<uint32_t>(video_->height());
  const auto n_frames = static_cast<uint32_t>(video_->n_frames());
  // A word per axis, as in ImageSampler: the bias of to_bounded stays below 2^-16.
  for (int64_t i = 0; i < n_samples_; ++i) {
    const std::array<uint32_t, 4> words =
        random_words(seed_, RandomStream::Samples, static_cast<uint64_t>(step), static_cast<uint32_t>(i));
    keys_[i] = morton_key_3(to_bounded(words[0], width), to_bounded(words[1], height), to_bounded(words[2], n_frames));
  }
  radix_sort(keys_, scratch_, key_bits(*video_));
  drawn_step_ = step;
}

void VideoSampler::fill(int64_t first, int64_t count, float* coords, float* targets) const {
  LOE_ASSERT(first >= 0 && count >= 0 && first + count <= static_cast<int64_t>(keys_.size()));
  const uint64_t* keys = keys_.data() + first;
  for (int64_t i = 0; i < count; ++i) {
    coords[3 * i] = pixel_coordinate(morton_x_3(keys[i]), video_->width());
    coords[3 * i + 1] = pixel_coordinate(morton_y_3(keys[i]), video_->height());
    coords[3 * i + 2] = pixel_coordinate(morton_z_3(keys[i]), video_->n_frames());
  }
  if (video_->type() == PixelType::U8) {
    fill_targets_u8(*video_, keys, count, targets);
    return;
  }
  const int n_channels = video_->n_channels();
  for (int64_t i = 0; i < count; ++i) {
    video_->frame(static_cast<int>(morton_z_3(keys[i])))
        .read_pixel(static_cast<int>(morton_x_3(keys[i])), static_cast<int>(morton_y_3(keys[i])),
                    targets + i * n_channels);
  }
}

}  // namespace loe
