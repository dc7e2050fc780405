#include "loe/task/auto_precision.h"

#include <fmt/format.h>

#include <algorithm>

namespace loe {
namespace {

// Narrower layers spend their time on what products do not change: rows, routing, encodings (docs/performance.md).
constexpr int kMinWidth = 48;

int widest_layer(const NetworkSpec& network) {
  int width = 0;
  for (const LayerSpec& layer : network.layers) width = std::max(width, std::min(layer.n_in, layer.n_out));
  return width;
}

}  // namespace

PrecisionChoice choose_precision(const FitConfig& config, const std::string& device, const std::string& isa) {
  if (device != "cpu") return {Precision::F32, fmt::format("others were not compared on device {}", device)};
  if (config.kind == SignalKind::Gan) return {Precision::F32, "others were not compared for generators"};
  if (config.sampling == PixelSampling::ProductChunks) return {Precision::F32, "product chunks are trained in f32"};
  if (isa != "amx" && isa != "avx512bf16") {
    return {Precision::F32, fmt::format("bf16 products are no faster with {}", isa)};
  }
  const int width = widest_layer(build_model(config).main());
  if (width < kMinWidth) {
    return {Precision::F32, fmt::format("layers of at most {} inputs and outputs gain too little in bf16", width)};
  }
  return {Precision::Mixed, fmt::format("{} multiplies bf16 faster, and gradients in bf16 fit as well as in f32", isa)};
}

}  // namespace loe
