#include "backend/cpu/narrow_plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace loe::cpu {
namespace {

int padded(int n) {
  return (n + kPadding - 1) / kPadding * kPadding;
}

std::string why_not_input(const InputSpec& input) {
  return input.kind == InputKind::Features ? "its input comes from the caller" : "";
}

std::string why_not_level(const NetworkSpec& spec, std::size_t index) {
  const LayerSpec& layer = spec.layers[index];
  if (spec.source_of(static_cast<int>(index)) != static_cast<int>(index) - 1 || layer.residual != kNoResidual ||
      layer.n_features > 0 || !layer.has_bias) {
    return layer.name + " is not a link of a plain chain";
  }
  if (layer.n_out > kNarrowWidth) {
    return fmt::format("{} has {} outputs, more than {}", layer.name, layer.n_out, kNarrowWidth);
  }
  if (layer.interpolation != Interpolation::Nearest && layer.n_experts() > 1) {
    return layer.name + " blends its experts";
  }
  switch (layer.activation.kind) {
    case ActivationKind::Identity:
    case ActivationKind::LeakyRelu:
    case ActivationKind::Relu:
    case ActivationKind::Sine:
      return "";
    default:
      return fmt::format("{} has the activation {}, not leaky_relu, relu, sine or identity", layer.name,
                         to_string(layer.activation.kind));
  }
}

std::string why_not_head(const NetworkSpec& spec) {
  const LayerSpec& head = spec.layers.back();
  const int last = static_cast<int>(spec.layers.size()) - 1;
  if (last == 0) return "it has no level before its head";
  if (spec.output_layers() != std::vector<int>{last} || spec.source_of(last) != last - 1 ||
      head.residual != kNoResidual || head.n_features > 0 || !head.has_bias || head.n_experts() > 1 ||
      head.activation.kind != ActivationKind::Identity) {
    return "its output is not one plain linear layer at the end";
  }
  if (head.n_out > kNarrowOutputs) {
    return fmt::format("it has {} outputs, more than {}", head.n_out, kNarrowOutputs);
  }
  return "";
}

NarrowActivation narrow_activation(const Activation& activation) {
  NarrowActivation narrow;
  narrow.is_sine = activation.kind == ActivationKind::Sine;
  narrow.omega = static_cast<float>(activation.omega);
  if (activation.kind == ActivationKind::LeakyRelu) narrow.slope = static_cast<float>(activation.slope);
  if (activation.kind == ActivationKind::Relu) narrow.slope = 0;
  return narrow;
}

}  // namespace

std::string NarrowPlan::why_not(const NetworkSpec& spec, Precision precision) {
  if (precision != Precision::F32) return fmt::format("precision {}, not f32", to_string(precision));
  if (spec.n_dims != 2 && spec.n_dims != 3) return fmt::format("{} dimensions, not 2 or 3", spec.n_dims);
  std::string reason = why_not_input(spec.input);
  for (std::size_t i = 0; reason.empty() && i + 1 < spec.layers.size(); ++i) reason = why_not_level(spec, i);
  return reason.empty() ? why_not_head(spec) : reason;
}

NarrowPlan::NarrowPlan(const NetworkSpec& network) : spec(network) {
  int depth = spec.n_in();
  for (std::size_t i = 0; i + 1 < spec.layers.size(); ++i) {
    const LayerSpec& layer = spec.layers[i];
    const int width = padded(layer.n_out);
    layers.push_back(
        {layer.n_experts(), layer.n_in, layer.n_out, depth, width, n_small, narrow_activation(layer.activation)});
    n_small += width;
    depth = width;
    max_width = std::max(max_width, width);
  }
  n_encoded = spec.input.encoding_width(spec.n_dims);
  n_features = spec.n_in() - n_encoded;
  feature_stride = padded(n_features);
  n_outputs = spec.n_out();
  head_width = depth;
  head_weight = n_small;
  head_bias = head_weight + int64_t{n_outputs} * head_width;
  n_small = head_bias + kPadding;
  // Rows are written in whole vectors, one axis after the other: up to a vector beyond their end.
  input_stride = padded(spec.n_in()) + kPadding;
}

}  // namespace loe::cpu
