// Which pixels a batch has, their coordinates and their values: PixelSamples, bit for bit.
#pragma once

#include <cstdint>

#include "backend/cuda/device/kernel.h"
#include "backend/cuda/kernels/rows.h"
#include "base/half.h"
#include "base/morton.h"
#include "loe/backend/pixel_samples.h"
#include "loe/base/random.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// What drawing needs of PixelSamples.
struct DrawSpec {
  int n_dims = 2;
  uint32_t size[3] = {1, 1, 1};
  int n_channels = 1;
  bool every_pixel = false;
  uint64_t seed = 0;
};

inline DrawSpec draw_spec(const PixelSamples& pixels) {
  DrawSpec spec{pixels.n_dims, {}, pixels.n_channels, pixels.every_pixel, pixels.seed};
  for (std::size_t d = 0; d < 3; ++d) spec.size[d] = static_cast<uint32_t>(pixels.size[d]);
  return spec;
}

/// Four words of random_words.
struct Words {
  uint32_t word[4];
};

/// random_words as kernels can call it: Philox4x32-10 (Salmon et al., SC 2011).
constexpr Words random_words_in_kernel(uint64_t seed, RandomStream stream, uint64_t counter, uint32_t lane) {
  uint32_t c[4] = {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), lane,
                   static_cast<uint32_t>(stream)};
  uint32_t key[2] = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53U} * c[0];
    const uint64_t b = uint64_t{0xCD9E8D57U} * c[2];
    c[0] = static_cast<uint32_t>(b >> 32) ^ c[1] ^ key[0];
    c[1] = static_cast<uint32_t>(b);
    c[2] = static_cast<uint32_t>(a >> 32) ^ c[3] ^ key[1];
    c[3] = static_cast<uint32_t>(a);
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return {{c[0], c[1], c[2], c[3]}};
}

/// Place of a pixel on each axis.
struct PixelPlace {
  uint32_t index[3];
};

LOE_DEVICE uint64_t key_of(const DrawSpec& spec, const PixelPlace& place) {
  return spec.n_dims == 2 ? uint64_t{morton_key(place.index[0], place.index[1])}
                          : morton_key_3(place.index[0], place.index[1], place.index[2]);
}
LOE_DEVICE PixelPlace place_of(const DrawSpec& spec, uint64_t key) {
  if (spec.n_dims == 3) return {{morton_x_3(key), morton_y_3(key), morton_z_3(key)}};
  const auto narrow = static_cast<uint32_t>(key);
  return {{morton_column(narrow), morton_row(narrow), 0}};
}

/// keys [n_items]: of the samples of batch step[0], not yet sorted.
LOE_KERNEL void draw_keys(int64_t n_items, DrawSpec spec, Buffer<const int64_t> step, Buffer<uint64_t> keys) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  PixelPlace place{{0, 0, 0}};
  if (spec.every_pixel) {
    place.index[0] = static_cast<uint32_t>(item % spec.size[0]);
    place.index[1] = static_cast<uint32_t>(item / spec.size[0] % spec.size[1]);
    place.index[2] = static_cast<uint32_t>(item / spec.size[0] / spec.size[1]);
  } else {
    const int64_t samples_per_lane = spec.n_dims == 2 ? 2 : 1;
    const Words words = random_words_in_kernel(spec.seed, RandomStream::Samples, static_cast<uint64_t>(step[0]),
                                               static_cast<uint32_t>(item / samples_per_lane));
    const auto first = static_cast<int>(item % samples_per_lane) * spec.n_dims;
    for (int d = 0; d < spec.n_dims; ++d) place.index[d] = to_bounded(words.word[first + d], spec.size[d]);
  }
  keys[item] = key_of(spec, place);
}

#ifdef __CUDACC__
/// a / b rounded to nearest, whatever nvcc is told about precision.
LOE_DEVICE float divide(float a, float b) {
  return __fdiv_rn(a, b);
}
#else
inline float divide(float a, float b) {
  return a / b;
}
#endif

// A ValueFormat each: what is stored, and what it stands for.
struct U8Values {
  using Stored = uint8_t;
  LOE_METHOD static float value(Stored v) { return divide(static_cast<float>(v), 255.0F); }
};
struct U16Values {
  using Stored = uint16_t;
  LOE_METHOD static float value(Stored v) { return divide(static_cast<float>(v), 65535.0F); }
};
struct F16Values {
  using Stored = uint16_t;
  LOE_METHOD static float value(Stored v) { return half_to_float(v); }
};
struct F32Values {
  using Stored = float;
  LOE_METHOD static float value(Stored v) { return v; }
};

/// coords [n_items, n_dims] and targets [n_items, n_channels] of the pixels keys[first], keys[first + 1], ..
template <typename Values>
LOE_KERNEL void fill_pixels(int64_t n_items, DrawSpec spec, int64_t first, Buffer<const uint64_t> keys,
                            Buffer<const typename Values::Stored> signal, Buffer<float> coords, Buffer<float> targets) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const PixelPlace place = place_of(spec, keys[first + item]);
  for (int d = 0; d < spec.n_dims; ++d) {
    coords[item * spec.n_dims + d] =
        static_cast<float>((static_cast<double>(place.index[d]) + 0.5) / static_cast<double>(spec.size[d]));
  }
  const int64_t pixel = (int64_t{place.index[2]} * spec.size[1] + place.index[1]) * spec.size[0] + place.index[0];
  for (int c = 0; c < spec.n_channels; ++c) {
    targets[item * spec.n_channels + c] = Values::value(signal[pixel * spec.n_channels + c]);
  }
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
