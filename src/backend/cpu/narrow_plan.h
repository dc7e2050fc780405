// Which networks the trainer of narrow networks takes, and where it keeps their numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/cpu/isa/kernels.h"
#include "loe/backend/backend.h"

namespace loe::cpu {

struct NarrowLayer {
  int n_experts = 1;
  int n_in = 0;      ///< as the network has it
  int n_out = 0;     ///< likewise
  int depth = 0;     ///< rows of a packed matrix: n_in of the first layer, else the padded width of the layer before
  int width = 0;     ///< n_out padded
  int64_t bias = 0;  ///< where its bias starts in the small parameters
  NarrowActivation activation;
  int64_t matrix_size() const { return int64_t{depth} * width; }
};

/// Widths are padded to kPadding with weights that are and stay zero: a padded output is phi(0) = 0 of every activation
/// taken, so that nothing that is read has a gradient by it.
struct NarrowPlan {
  NetworkSpec spec;
  std::vector<NarrowLayer> layers;  ///< all but the head
  int n_outputs = 0;                ///< of the head
  int head_width = 0;               ///< its inputs, padded
  int max_width = 0;
  int input_stride = 0;
  int n_encoded = 0;       ///< numbers of gamma(p) in a row of the input; the features of the embedding follow
  int n_features = 0;      ///< of the embedding
  int feature_stride = 0;  ///< n_features padded: rows of their gradients
  /// Biases of the layers, then the head's weights [n_outputs][head_width] and bias: what every sample touches.
  int64_t head_weight = 0;
  int64_t head_bias = 0;
  int64_t n_small = 0;

  /// Why the trainer cannot take a network in this precision, or "".
  static std::string why_not(const NetworkSpec& spec, Precision precision);
  explicit NarrowPlan(const NetworkSpec& spec);
};

}  // namespace loe::cpu
