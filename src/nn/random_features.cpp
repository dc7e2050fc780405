#include "loe/nn/random_features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "loe/base/error.h"
#include "nn/initial_values.h"

namespace loe {
namespace {

constexpr double kSlope = 0.2;
/// Never to change: features of different seeds cannot be compared.
constexpr uint64_t kSeed = 20221104;
/// Floats of the largest map that is held, about 64 MiB.
constexpr int64_t kMaxMapFloats = int64_t{1} << 24;

/// Mean and standard deviation of the channels of one picture's map.
void channel_moments(const float* map, int n_channels, int64_t n_pixels, float* features) {
  for (int c = 0; c < n_channels; ++c) {
    const float* values = map + c * n_pixels;
    double sum = 0;
    for (int64_t i = 0; i < n_pixels; ++i) {
      sum += values[i];
    }
    const double mean = sum / static_cast<double>(n_pixels);
    double square = 0;
    for (int64_t i = 0; i < n_pixels; ++i) {
      square += (values[i] - mean) * (values[i] - mean);
    }
    features[c] = static_cast<float>(mean);
    features[n_channels + c] = static_cast<float>(std::sqrt(square / static_cast<double>(n_pixels)));
  }
}

}  // namespace

RandomFeatures::RandomFeatures(const std::string& device, int n_threads) {
  int n_in = 3;
  int64_t counter = 0;
  for (const int width : kRandomFeatureWidths) {
    ConvNetSpec spec;
    spec.layers = {{.n_in = n_in,
                    .n_out = width,
                    .kernel = 3,
                    .stride = 2,
                    .padding = 1,
                    .activation = {ActivationKind::LeakyRelu, kSlope}}};
    const int64_t n_weights = spec.layers[0].n_weights();
    std::vector<float> drawn(counter + n_weights);
    fill_uniform(drawn, counter, n_weights, kaiming_bound(kSlope, int64_t{n_in} * 9), kSeed,
                 RandomStream::RandomFeatures);
    std::vector<float> params(drawn.begin() + counter, drawn.end());
    params.resize(spec.n_params(), 0.0F);  // biases
    layers_.push_back(compile_conv(device, spec, n_threads));
    layers_.back()->set_params(params);
    counter += n_weights;
    n_in = width;
  }
}

void RandomFeatures::compute(const PictureBatch& batch, std::span<float> features) {
  const int64_t n_values = 3 * layers_.front()->spec().map_sizes(batch.size).front().n_pixels();
  const auto n_found = static_cast<int64_t>(batch.pictures.size());
  if (batch.n_pictures < 0 || n_found % n_values != 0 || n_found / n_values != batch.n_pictures) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[random_features] pictures: expected {} numbers for each of {} pictures, got {} in all; "
                            "pass [n, 3, {}, {}]",
                            n_values, batch.n_pictures, n_found, batch.size.height, batch.size.width));
  }
  if (static_cast<int64_t>(features.size()) != batch.n_pictures * kNumRandomFeatures) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[random_features] features: expected {} numbers ([n, {}]), got {}; correct it",
                            batch.n_pictures * kNumRandomFeatures, kNumRandomFeatures, features.size()));
  }
  // The first map is the largest: a quarter of the pixels, 16 channels.
  const int64_t n_map = kRandomFeatureWidths[0] * layers_[0]->spec().output_size(batch.size).n_pixels();
  const int64_t piece = std::clamp<int64_t>(kMaxMapFloats / n_map, 1, 1024);
  std::vector<float> maps[2];
  for (int64_t first = 0; first < batch.n_pictures; first += piece) {
    const int64_t count = std::min(piece, batch.n_pictures - first);
    PictureBatch input{count, batch.size, batch.pictures.subspan(first * n_values, count * n_values)};
    int64_t offset = 0;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const int width = kRandomFeatureWidths[i];
      const MapSize size = layers_[i]->spec().output_size(input.size);
      std::vector<float>& map = maps[i % 2];
      map.resize(count * width * size.n_pixels());
      layers_[i]->forward(input, map);
      for (int64_t picture = 0; picture < count; ++picture) {
        channel_moments(map.data() + picture * width * size.n_pixels(), width, size.n_pixels(),
                        features.data() + (first + picture) * kNumRandomFeatures + offset);
      }
      offset += 2 * width;
      input = {count, size, map};
    }
  }
}

}  // namespace loe
