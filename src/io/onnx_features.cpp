#include "loe/io/onnx_features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "io/file_handle.h"
#include "io/onnx_network.h"
#include "io/sha256.h"
#include "loe/base/error.h"

namespace loe {
namespace {

constexpr int kMaxSide = 4096;
constexpr int kMaxBatch = 1024;
constexpr uint64_t kMaxFileBytes = uint64_t{2} << 30;  // of a protobuf message
constexpr int64_t kMaxFeatures = 1 << 20;

void check_options(const OnnxFeaturesOptions& options) {
  const bool is_range = std::isfinite(options.low) && std::isfinite(options.high) && options.low != options.high;
  if (options.input_size < 1 || options.input_size > kMaxSide || options.batch < 1 || options.batch > kMaxBatch ||
      options.n_threads < 0 || options.n_threads > 1024 || !is_range) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[onnx] input_size, batch, n_threads, low, high: expected 1..{}, 1..{}, 0..1024 and two "
                            "different numbers, got {}, {}, {}, {} and {}",
                            kMaxSide, kMaxBatch, options.input_size, options.batch, options.n_threads, options.low,
                            options.high));
  }
}

std::vector<unsigned char> read_bytes(const std::string& path) {
  const ReadHandle file(path);
  if (file.size() > kMaxFileBytes) {
    throw Error(ErrorKind::Format, fmt::format("[onnx] {}: expected a network of at most {} bytes, got {}; is it one?",
                                               path, kMaxFileBytes, file.size()));
  }
  std::vector<unsigned char> bytes(static_cast<std::size_t>(file.size()));
  file.read_at(0, bytes.data(), bytes.size());
  return bytes;
}

/// Output pixel j is (1 - share) times source pixel `first` and share times `second`.
struct Blend {
  int first;
  int second;
  float share;
};

std::vector<Blend> blends(int from, int to, FeatureResize resize) {
  const double shift = resize == FeatureResize::Bilinear ? 0.5 : 0.0;
  std::vector<Blend> result;
  for (int j = 0; j < to; ++j) {
    const double place = std::clamp((j + shift) * from / to - shift, 0.0, static_cast<double>(from - 1));
    const int first = static_cast<int>(place);
    result.push_back({first, std::min(first + 1, from - 1), static_cast<float>(place - first)});
  }
  return result;
}

/// picture [from, from, 3] with values value / divisor -> out [3, to, to].
template <typename Value>
void prepare(const Value* picture, float divisor, int from, const std::vector<Blend>& axis,
             const FeatureNetworkInfo& info, float* out) {
  const std::size_t to = axis.size();
  const auto at = [&](int x, int y, int c) {
    return static_cast<float>(picture[(static_cast<std::ptrdiff_t>(y) * from + x) * 3 + c]) / divisor;
  };
  for (std::size_t y = 0; y < to; ++y) {
    const Blend& down = axis[y];
    for (std::size_t x = 0; x < to; ++x) {
      const Blend& across = axis[x];
      for (int c = 0; c < 3; ++c) {
        const float above = std::lerp(at(across.first, down.first, c), at(across.second, down.first, c), across.share);
        const float below =
            std::lerp(at(across.first, down.second, c), at(across.second, down.second, c), across.share);
        const float value = std::lerp(above, below, down.share);
        out[(static_cast<std::size_t>(c) * to + y) * to + x] = info.low + (info.high - info.low) * value;
      }
    }
  }
}

}  // namespace

const char* to_string(FeatureResize resize) {
  return resize == FeatureResize::Bilinear ? "bilinear" : "bilinear_corner";
}

struct OnnxFeatures::Impl {
  std::string path;
  FeatureNetworkInfo info;
  int batch = 1;
  std::unique_ptr<OnnxNetwork> network;
  int64_t n_features = 0;

  template <typename Value>
  std::vector<float> run(std::span<const Value> pictures, int resolution, float divisor);
  void check_shape(const std::vector<int64_t>& shape, int n);
};

/// [n, F], or with sides of 1 behind.
void OnnxFeatures::Impl::check_shape(const std::vector<int64_t>& shape, int n) {
  const bool is_vector = shape.size() >= 2 && shape[0] == n && shape[1] >= 1 && shape[1] <= kMaxFeatures &&
                         std::all_of(shape.begin() + 2, shape.end(), [](int64_t side) { return side == 1; });
  if (!is_vector || (n_features != 0 && n_features != shape[1])) {
    throw Error(ErrorKind::Format,
                fmt::format("[onnx] {}: expected an output of {} x {} numbers, got [{}]; name another output layer, or "
                            "export the network with a batch of any size",
                            path, n, n_features == 0 ? "F" : fmt::format("{}", n_features), fmt::join(shape, ", ")));
  }
  n_features = shape[1];
}

template <typename Value>
std::vector<float> OnnxFeatures::Impl::run(std::span<const Value> pictures, int resolution, float divisor) {
  if (resolution < 1 || resolution > kMaxSide) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[onnx] resolution: expected 1..{}, got {}", kMaxSide, resolution));
  }
  const std::size_t n_values = static_cast<std::size_t>(resolution) * static_cast<std::size_t>(resolution) * 3;
  if (pictures.size() % n_values != 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[onnx] pictures: expected a multiple of {} values, got {}", n_values, pictures.size()));
  }
  const std::size_t n = pictures.size() / n_values;
  const std::vector<Blend> axis = blends(resolution, info.input_size, info.resize);
  const std::size_t n_inputs = axis.size() * axis.size() * 3;
  std::vector<float> result;
  for (std::size_t first = 0; first < n; first += static_cast<std::size_t>(batch)) {
    const std::size_t n_now = std::min(n - first, static_cast<std::size_t>(batch));
    std::vector<float> input(n_now * n_inputs);
    for (std::size_t i = 0; i < n_now; ++i) {
      prepare(pictures.data() + (first + i) * n_values, divisor, resolution, axis, info, input.data() + i * n_inputs);
    }
    std::vector<int64_t> shape;
    const std::vector<float> output = network->forward(input, static_cast<int>(n_now), info.input_size, shape);
    check_shape(shape, static_cast<int>(n_now));
    result.insert(result.end(), output.begin(), output.end());
  }
  return result;
}

OnnxFeatures::OnnxFeatures(const std::string& path, const OnnxFeaturesOptions& options)
    : impl_(std::make_unique<Impl>()) {
  require_onnx(path);
  check_options(options);
  const std::vector<unsigned char> bytes = read_bytes(path);
  impl_->path = path;
  impl_->info = {sha256(bytes), options.input_size, options.resize, options.low, options.high, options.output_layer};
  impl_->batch = options.batch;
  impl_->network = open_onnx_network(bytes, path, options.output_layer, options.n_threads);
}

OnnxFeatures::~OnnxFeatures() = default;

const FeatureNetworkInfo& OnnxFeatures::info() const {
  return impl_->info;
}

int64_t OnnxFeatures::n_features() const {
  return impl_->n_features;
}

std::vector<float> OnnxFeatures::features(std::span<const float> pictures, int resolution) {
  return impl_->run(pictures, resolution, 1.0F);
}

std::vector<float> OnnxFeatures::features(std::span<const uint8_t> pictures, int resolution) {
  return impl_->run(pictures, resolution, 255.0F);
}

}  // namespace loe
