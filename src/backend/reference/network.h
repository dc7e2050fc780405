// A whole network, layer after layer, in double.
#pragma once

#include <span>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/backend/embedding.h"
#include "loe/backend/routing.h"

namespace loe::reference {

/// What forward leaves behind for backward. Layer i maps values[i] to sums[i] = W(p) values[i] + bias and
/// values[i + 1] = phi(sums[i]); values.front() is the input.
struct NetworkPass {
  std::vector<EmbeddingPlace> places;            ///< [B]; empty without an embedding
  std::vector<std::vector<ExpertBlend>> blends;  ///< [layer][B]
  std::vector<std::vector<double>> values;       ///< [layer + 1][B, width]
  std::vector<std::vector<double>> sums;         ///< [layer][B, n_out]
  std::vector<double> signal;                    ///< [B, n_out], offset + scale * values.back()
  std::span<const double> outputs() const { return signal; }
};

/// offset + scale * outputs of the last layer, see OutputSpec.
std::vector<double> signal_of(const OutputSpec& output, std::span<const double> last);

/// params [n_params()].
NetworkPass network_forward(const NetworkSpec& spec, std::span<const double> params, const BatchView& batch);

/// Given dL/doutputs [B, n_out]: adds to param_grads [n_params()], overwrites input_grads [B, n_in] (empty: not
/// wanted).
void network_backward(const NetworkSpec& spec, std::span<const double> params, const NetworkPass& pass,
                      std::span<const double> output_grads, std::span<double> param_grads,
                      std::span<double> input_grads);

}  // namespace loe::reference
