// Counter-based random numbers: the value depends only on (seed, stream, counter), never on who asked before.
#pragma once

#include <array>
#include <cstdint>

namespace loe {

/// Independent streams of one seed. Append only: the numbers are part of what "same seed, same bits" means.
enum class RandomStream : uint32_t {
  Weights = 0,            ///< counter = index of the parameter in the flat buffer
  Samples = 1,            ///< counter = step, lane = sample
  Layout = 2,             ///< random permutations and affine grids
  RayJitter = 3,          ///< distances along rays: counter = step, lane = block of 4 samples of a ray
  ImportanceSamples = 4,  ///< the same for importance samples
  OccupancyCells = 5,     ///< cells of an occupancy grid and places in them: counter = step, lane = sample
  Discriminator = 6,      ///< initial state of a GAN's discriminator: counter = index in its flat state
  RandomFeatures = 7,     ///< weights of the fixed random feature network: counter = index in its flat buffer
  Latents = 8,            ///< of a generator's training: counter = step, lane = block of 4 numbers
  PictureBatches = 9,     ///< which pictures of a set, and which are mirrored: counter = step, lane = picture
  ShownLatents = 10,      ///< of pictures that are shown and evaluated: counter = picture, lane = block of 4 numbers
  // 11 to 15 are left to training.
  MetricPatches = 16,     ///< places of patches: counter = the picture's content, lane = level and patch
  MetricDirections = 17,  ///< directions of projections: counter = level and direction, lane = block of 4 components
};

/// Four independent 32-bit words: Philox4x32-10 (Salmon et al., SC 2011) with key = seed and
/// counter = (counter, lane, stream). Same bits on every machine and backend.
std::array<uint32_t, 4> random_words(uint64_t seed, RandomStream stream, uint64_t counter, uint32_t lane = 0);

/// A word as a float in [0, 1): the top 24 bits, exact.
inline float to_unit_float(uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24F;
}

/// A word as an integer in [0, bound) by multiply-shift (bias below bound / 2^32).
constexpr uint32_t to_bounded(uint32_t word, uint32_t bound) {
  return static_cast<uint32_t>((static_cast<uint64_t>(word) * bound) >> 32);
}

}  // namespace loe
