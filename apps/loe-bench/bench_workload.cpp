#include "bench_workload.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>

#include "base/morton.h"
#include "loe/base/error.h"
#include "loe/base/random.h"
#include "loe/signal/image.h"
#include "loe/task/image_presets.h"
#include "loe/task/image_task.h"
#include "signal/radix_sort.h"

namespace loe::app {
namespace {

constexpr uint64_t kSeed = 1;

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

/// Table 2, "Ours".
NetworkConfig video_network() {
  NetworkConfig network;
  network.n_dims = 3;
  network.input.n_frequencies = 9;
  network.widths.assign(5, 256);
  network.tiles.assign(5, Tile{{4, 4, 4, 1}});
  network.tiles.front() = Tile{{2, 2, 2, 1}};
  for (const double resolution : {2, 8, 32, 128, 512}) {
    network.layout.resolutions.push_back({resolution, resolution, resolution, 1});
  }
  return network;
}

NetworkConfig narrow_network(int width, const Activation& activation) {
  NetworkConfig network;
  network.input.n_frequencies = 10;
  network.widths.assign(3, width);
  network.tiles.assign(3, Tile{{16, 16, 1, 1}});
  for (const double resolution : {16, 256, 4096}) network.layout.resolutions.push_back({resolution, resolution, 1, 1});
  network.activation = activation;
  network.output_range = {-1, 1};
  return network;
}

/// Table 2, "SIREN" (256) and "SIREN-L" (1024).
NetworkConfig siren_network(int width) {
  NetworkConfig network;
  network.n_dims = 3;
  network.input.coordinate_range = {-1, 1};
  network.widths.assign(5, width);
  network.tiles.assign(5, Tile{});
  network.activation.kind = ActivationKind::Sine;
  network.output_range = {-1, 1};
  return network;
}

}  // namespace

std::vector<std::string> workload_names() {
  return {"toy", "pluto", "pluto-constant", "video", "siren", "siren-l", "narrow", "narrow-sine"};
}

Workload find_workload(const std::string& name) {
  const auto network = [](const std::string& preset, int n_channels) {
    return image_config_from_settings(image_preset(preset), n_channels).network;
  };
  if (name == "toy") {
    return {name, network(name, 1), 512, 512, 1, int64_t{512} * 512};
  }
  if (name == "pluto") {
    return {name, network(name, 3), 8192, 8192, 1, 65536};
  }
  if (name == "pluto-constant") {
    NetworkConfig constant = network("pluto", 3);
    constant.input = {.kind = InputKind::Constant};
    return {name, constant, 8192, 8192, 1, 65536};
  }
  if (name == "video") {
    return {name, video_network(), 512, 512, 300, 65536};
  }
  if (name == "siren" || name == "siren-l") {
    return {name, siren_network(name == "siren" ? 256 : 1024), 512, 512, 300, 65536};
  }
  if (name == "narrow" || name == "narrow-sine") {
    const NetworkConfig narrow = name == "narrow" ? narrow_network(32, {ActivationKind::LeakyRelu})
                                                  : narrow_network(16, {ActivationKind::Sine, 0.2, 1});
    return {name, narrow, 4096, 4096, 1, 16384, true};
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

NetworkConfig leaky_relu_twin(NetworkConfig network) {
  network.activation = {ActivationKind::LeakyRelu, 0.2, 30};
  return network;
}

double flops_per_step(const NetworkSpec& spec, int64_t batch) {
  const LayerSpec& first = spec.layers.front();
  const double first_macs = double{1} * first.n_in * first.n_out * n_blended(first, spec.n_dims);
  return static_cast<double>(batch) * (6 * static_cast<double>(spec.macs_per_sample()) - 2 * first_macs);
}

SampleOrder sample_order_from_string(const std::string& name) {
  return name == "morton" ? SampleOrder::Morton : name == "raster" ? SampleOrder::Raster : SampleOrder::Random;
}

LatticeSource::LatticeSource(const Workload& workload, int64_t batch, SampleOrder order)
    : size_{workload.width, workload.height, workload.n_frames},
      n_dims_(workload.network.n_dims),
      n_channels_(workload.network.n_channels),
      order_(order),
      all_pixels_(batch == int64_t{workload.width} * workload.height * workload.n_frames),
      keys_(batch) {
  if (workload.is_product) {
    chunks_.emplace(build_network(workload.network), std::array<int64_t, 3>{size_[0], size_[1], size_[2]}, batch);
    LOE_ASSERT(chunks_->fills_signal());
    keys_.resize(chunks_->n_draws());
  }
  for (int axis = 0; axis < n_dims_; ++axis) {
    coords_.push_back(pixel_centres(size_[axis]));
    waves_.push_back(waves(coords_.back()));
  }
  if (all_pixels_) {
    for (int64_t i = 0; i < batch; ++i) {
      const int64_t row = i / size_[0];
      keys_[i] = key_of({static_cast<uint32_t>(i % size_[0]), static_cast<uint32_t>(row % size_[1]),
                         static_cast<uint32_t>(row / size_[1])});
    }
    sort();
  } else {
    begin_step(0);
  }
}

uint64_t LatticeSource::key_of(const std::array<uint32_t, 3>& at) const {
  if (order_ == SampleOrder::Morton) {
    return n_dims_ == 2 ? morton_key(at[0], at[1]) : morton_key_3(at[0], at[1], at[2]);
  }
  return (uint64_t{at[2]} * size_[1] + at[1]) * size_[0] + at[0];
}

std::array<uint32_t, 3> LatticeSource::pixel_of(uint64_t key) const {
  if (order_ == SampleOrder::Morton) {
    const auto low = static_cast<uint32_t>(key);
    return n_dims_ == 2 ? std::array<uint32_t, 3>{morton_column(low), morton_row(low), 0}
                        : std::array<uint32_t, 3>{morton_x_3(key), morton_y_3(key), morton_z_3(key)};
  }
  const uint64_t row = key / size_[0];
  return {static_cast<uint32_t>(key % size_[0]), static_cast<uint32_t>(row % size_[1]),
          static_cast<uint32_t>(row / size_[1])};
}

void LatticeSource::sort() {
  if (order_ == SampleOrder::Random) {
    return;
  }
  const auto last = [&](int axis) { return static_cast<uint32_t>(size_[axis] - 1); };
  radix_sort(keys_, scratch_, std::bit_width(key_of({last(0), last(1), last(2)})));
}

void LatticeSource::begin_step(int64_t step) {
  step_ = step;
  if (chunks_) {
    draw_chunks();
    return;
  }
  if (all_pixels_) {
    return;
  }
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const auto words = random_words(kSeed, RandomStream::Samples, step, static_cast<uint32_t>(i));
    std::array<uint32_t, 3> at{};
    for (int axis = 0; axis < n_dims_; ++axis) {
      at[axis] = to_bounded(words[axis], static_cast<uint32_t>(size_[axis]));
    }
    keys_[i] = key_of(at);
  }
  sort();
}

void LatticeSource::draw_chunks() {
  const ProductChunks::Round round = chunks_->draw_round(kSeed, step_);
  std::vector<PixelPlace> places(chunks_->chunk_samples());
  std::size_t next = 0;
  for (int chunk = 0; chunk < chunks_->n_chunks(); ++chunk) {
    chunks_->draw_chunk(round, chunk, places);
    for (const PixelPlace& place : places) {
      keys_[next++] =
          key_of({static_cast<uint32_t>(place.x), static_cast<uint32_t>(place.y), static_cast<uint32_t>(place.t)});
    }
  }
}

uint64_t LatticeSource::seed() const {
  return kSeed;
}

void LatticeSource::write_targets(const std::array<uint32_t, 3>& at, float* targets) const {
  float value = 1;
  for (int axis = 0; axis < n_dims_; ++axis) value *= waves_[axis][at[axis]];
  for (int c = 0; c < n_channels_; ++c) targets[c] = c == 1 ? 1 - value : value;
}

void LatticeSource::read(std::span<const PixelPlace> places, float* targets) const {
  for (const PixelPlace& place : places) {
    write_targets({static_cast<uint32_t>(place.x), static_cast<uint32_t>(place.y), static_cast<uint32_t>(place.t)},
                  targets);
    targets += n_channels_;
  }
}

void LatticeSource::fill(int64_t first, int64_t count, float* coords, float* targets) const {
  for (int64_t i = 0; i < count; ++i) {
    const std::array<uint32_t, 3> at = pixel_of(keys_[first + i]);
    for (int axis = 0; axis < n_dims_; ++axis) coords[i * n_dims_ + axis] = coords_[axis][at[axis]];
    write_targets(at, targets + i * n_channels_);
  }
}

}  // namespace loe::app
