// A whole network, layer after layer, in double.
#pragma once

#include <span>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/backend/embedding.h"
#include "loe/backend/routing.h"

namespace loe::reference {

/// What forward leaves behind for backward. Layer i maps reads[i] to sums[i] = W(p) reads[i] + bias and
/// values[i] = phi(sums[i]); reads[i] are the values of the layer it reads, or the input, then its features.
struct NetworkPass {
  std::vector<std::vector<EmbeddingPlace>> places;  ///< [level of the embedding][B]
  std::vector<std::vector<ExpertBlend>> blends;     ///< [layer][B]
  std::vector<double> input;                        ///< [B, n_in]
  std::vector<std::vector<double>> reads;           ///< [layer][B, n_in of the layer]
  std::vector<std::vector<double>> sums;            ///< [layer][B, n_out of the layer]
  std::vector<std::vector<double>> values;          ///< [layer][B, n_out of the layer]
  std::vector<double> signal;                       ///< [B, n_out], offset + scale * values of the output layers
  std::span<const double> outputs() const { return signal; }
};

/// The network's outputs [B, n_out] from the values of all layers: offset + scale * values of the output layers.
std::vector<double> signal_of(const NetworkSpec& spec, const std::vector<std::vector<double>>& values);

/// The reverse: dL/dvalues of every layer [layer][B, n_out of the layer] from dL/doutputs [B, n_out], zero for those
/// that are no output.
std::vector<std::vector<double>> grads_of_values(const NetworkSpec& spec, std::span<const double> output_grads);

/// params [n_params()].
NetworkPass network_forward(const NetworkSpec& spec, std::span<const double> params, const BatchView& batch);

/// Given dL/doutputs [B, n_out]: adds to param_grads [n_params()], overwrites input_grads [B, n_in] (empty: not
/// wanted).
void network_backward(const NetworkSpec& spec, std::span<const double> params, const NetworkPass& pass,
                      std::span<const double> output_grads, std::span<double> param_grads,
                      std::span<double> input_grads);

}  // namespace loe::reference
