#include "loe/nn/generator.h"

#include <fmt/format.h>

#include "loe/base/error.h"

namespace loe {
namespace {

/// A block behind the last layer of `spec`; `level`: its L1 as a link of a chain.
void add_block(NetworkSpec& spec, const LayerSpec& level, const std::string& name) {
  const int input = static_cast<int>(spec.layers.size()) - 1;
  const int n_in = spec.layers[input].n_out;
  LayerSpec second = level;
  second.name = name + ".1";
  second.n_in = level.n_out;
  second.tile = {};
  second.grid = {};
  second.residual = input;
  if (n_in != level.n_out) {
    LayerSpec shortcut = second;
    shortcut.name = name + ".shortcut";
    shortcut.n_in = n_in;
    shortcut.activation = {};
    shortcut.residual = kNoResidual;
    shortcut.has_bias = false;
    second.residual = input + 1;
    spec.layers.push_back(shortcut);
  }
  LayerSpec first = level;
  first.name = name + ".0";
  first.from = input;
  spec.layers.push_back(first);
  spec.layers.push_back(second);
}

}  // namespace

NetworkSpec build_generator(const GeneratorConfig& config) {
  if (config.n_latents < 1 || config.n_latents > kMaxWidth) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[generator] n_latents: expected 1..{}, got {}; 256 is usual",
                                                        kMaxWidth, config.n_latents));
  }
  const NetworkSpec chain = build_network(config.trunk);
  NetworkSpec spec = chain;
  spec.layers.resize(1);
  spec.layers[0].n_features = config.n_latents;
  spec.layers[0].n_in += config.n_latents;
  for (std::size_t level = 1; level + 1 < chain.layers.size(); ++level) {
    add_block(spec, chain.layers[level], fmt::format("blocks.{}", level - 1));
  }
  LayerSpec head = chain.layers.back();
  head.activation.kind = config.output_activation;
  spec.layers.push_back(head);
  spec.validate();
  return spec;
}

}  // namespace loe
