#include "bench_workload.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "loe/base/error.h"
#include "loe/base/random.h"
#include "loe/signal/image.h"
#include "loe/task/image_presets.h"
#include "loe/task/image_task.h"

namespace loe::app {
namespace {

constexpr uint64_t kSeed = 1;

/// The even bits of `key`, packed.
uint32_t even_bits(uint32_t key) {
  key &= 0x55555555U;
  key = (key | (key >> 1)) & 0x33333333U;
  key = (key | (key >> 2)) & 0x0F0F0F0FU;
  key = (key | (key >> 4)) & 0x00FF00FFU;
  return (key | (key >> 8)) & 0x0000FFFFU;
}

/// The reverse: bit i goes to bit 2 i.
uint32_t spread_bits(uint32_t value) {
  value = (value | (value << 8)) & 0x00FF00FFU;
  value = (value | (value << 4)) & 0x0F0F0F0FU;
  value = (value | (value << 2)) & 0x33333333U;
  return (value | (value << 1)) & 0x55555555U;
}

uint32_t morton_key(uint32_t x, uint32_t y) {
  return spread_bits(x) | (spread_bits(y) << 1);
}

/// Least-significant-digit radix sort, 11 bits a pass.
void sort_keys(std::vector<uint32_t>& keys, std::vector<uint32_t>& scratch) {
  scratch.resize(keys.size());
  for (int shift = 0; shift < 32; shift += 11) {
    std::array<std::size_t, 2049> first{};
    for (uint32_t key : keys) {
      ++first[((key >> shift) & 2047U) + 1];
    }
    for (std::size_t digit = 0; digit < 2048; ++digit) {
      first[digit + 1] += first[digit];
    }
    for (uint32_t key : keys) {
      scratch[first[(key >> shift) & 2047U]++] = key;
    }
    keys.swap(scratch);
  }
}

std::vector<float> pixel_centres(int size) {
  std::vector<float> centres(size);
  for (int i = 0; i < size; ++i) {
    centres[i] = pixel_coordinate(i, size);
  }
  return centres;
}

/// Some detail at every scale, so that experts differ and losses fall as they do on a picture.
std::vector<float> waves(const std::vector<float>& coords) {
  std::vector<float> values;
  for (float p : coords) {
    double sum = 0;
    for (int octave = 0; octave < 8; ++octave) {
      sum += std::sin((3.1 * octave + 5) * std::exp2(octave) * static_cast<double>(p) + octave) / (octave + 1);
    }
    values.push_back(static_cast<float>(0.5 + 0.18 * sum));
  }
  return values;
}

}  // namespace

std::vector<std::string> workload_names() {
  return {"toy", "pluto", "pluto-constant"};
}

Workload find_workload(const std::string& name) {
  const auto network = [](const std::string& preset, int n_channels) {
    return image_config_from_settings(image_preset(preset), n_channels).network;
  };
  if (name == "toy") {
    return {name, network(name, 1), 512, 512, int64_t{512} * 512};
  }
  if (name == "pluto") {
    return {name, network(name, 3), 8192, 8192, 65536};
  }
  if (name == "pluto-constant") {
    NetworkConfig constant = network("pluto", 3);
    constant.input = {.kind = InputKind::Constant};
    return {name, constant, 8192, 8192, 65536};
  }
  throw Error(ErrorKind::InvalidArgument,
              fmt::format("[bench] workload: expected one of {}, got \"{}\"; choose one of them",
                          fmt::join(workload_names(), ", "), name));
}

NetworkConfig plain_twin(NetworkConfig network) {
  network.tiles.assign(network.tiles.size(), Tile{});
  return network;
}

NetworkConfig bilinear_twin(NetworkConfig network) {
  network.interpolation = Interpolation::Linear;
  return network;
}

double flops_per_step(const NetworkSpec& spec, int64_t batch) {
  const LayerSpec& first = spec.layers.front();
  const double first_macs = double{1} * first.n_in * first.n_out * n_blended(first, spec.n_dims);
  return static_cast<double>(batch) * (6 * static_cast<double>(spec.macs_per_sample()) - 2 * first_macs);
}

LatticeSource::LatticeSource(int width, int height, int n_channels, int64_t batch)
    : all_pixels_(batch == int64_t{width} * height),
      n_channels_(n_channels),
      x_coords_(pixel_centres(width)),
      y_coords_(pixel_centres(height)),
      x_waves_(waves(x_coords_)),
      y_waves_(waves(y_coords_)),
      keys_(batch) {
  if (all_pixels_) {
    for (int64_t i = 0; i < batch; ++i) {
      keys_[i] = morton_key(static_cast<uint32_t>(i % width), static_cast<uint32_t>(i / width));
    }
    sort_keys(keys_, scratch_);
  } else {
    begin_step(0);
  }
}

void LatticeSource::begin_step(int64_t step) {
  if (all_pixels_) {
    return;
  }
  const auto width = static_cast<uint32_t>(x_coords_.size());
  const auto height = static_cast<uint32_t>(y_coords_.size());
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const auto words = random_words(kSeed, RandomStream::Samples, step, static_cast<uint32_t>(i));
    keys_[i] = morton_key(to_bounded(words[0], width), to_bounded(words[1], height));
  }
  sort_keys(keys_, scratch_);
}

void LatticeSource::fill(int64_t first, int64_t count, float* coords, float* targets) const {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t x = even_bits(keys_[first + i]);
    const uint32_t y = even_bits(keys_[first + i] >> 1);
    coords[2 * i] = x_coords_[x];
    coords[2 * i + 1] = y_coords_[y];
    const float value = x_waves_[x] * y_waves_[y];
    for (int c = 0; c < n_channels_; ++c) {
      targets[i * n_channels_ + c] = c == 1 ? 1 - value : value;
    }
  }
}

}  // namespace loe::app
