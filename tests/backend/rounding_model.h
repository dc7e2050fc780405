// How far a backend may be from the reference: tolerances from a model of its rounding errors, not from guesses.
//
// Model. A number that a backend stores with unit roundoff u becomes x (1 + u r), r uniform in [-1, 1] (a real rounding
// has a root mean square of about 0.42 u, this one 0.58 u). Stored are: each weight once per run, so that its error is
// shared by all samples as in a real packed copy; each activation and its derivative; each gradient of a layer's
// output. A sum of K
// products in f32 gets the error of a random walk of its partial sums (Higham and Mary, SISC 2019),
//   u32 sqrt(K) sqrt(sum of squares of the products + square of the sum) r,
// and an elementary function kFunctionUlps units of its result. u = 2^-24 for f32, 2^-8 for bf16.
//
// The double-precision network is run kRuns times with such errors put in. The root mean square of the change of a
// tensor, as a 2-norm over the tensor, is the size of error that the arithmetic explains, with all that an analysis on
// paper would have to bound away: correlation between samples, amplification by the layers, kinks of LeakyReLU that
// flip. The tolerance is (3 + 5 / sqrt(n)) times that: the norm over many elements hardly varies from run to run, a
// single number (a bias of a head of width 1) does, and kRuns runs estimate its scale only roughly.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "backend/network_builders.h"
#include "backend/reference/activation.h"
#include "backend/reference/embedding.h"
#include "backend/reference/expert_linear.h"
#include "backend/reference/network.h"
#include "loe/backend/backend.h"

namespace loe::test {

inline constexpr int kRuns = 6;
inline constexpr double kUnitF32 = 0x1p-24;
inline constexpr double kUnitBf16 = 0x1p-8;
inline constexpr double kUnitTf32 = 0x1p-11;
/// Two numbers of bf16 for one of f32: what the second rounding leaves.
inline constexpr double kUnitSplit = 0x1p-16;
/// Vectorised sines and exponentials are good to a few units in the last place.
inline constexpr double kFunctionUlps = 4;

struct RoundingUnits {
  double forward;
  double backward;
};

inline RoundingUnits rounding_units(Precision precision) {
  if (precision == Precision::Tf32) {
    return {kUnitTf32, kUnitTf32};  // numbers are stored in f32, but whatever reads them rounds them
  }
  return {precision == Precision::Bf16 ? kUnitBf16 : kUnitF32, precision == Precision::F32 ? kUnitF32 : kUnitBf16};
}

/// Precision::Mixed where the forward pass multiplies f32 numbers as two of bf16 each.
inline RoundingUnits split_rounding_units() {
  return {kUnitSplit, kUnitBf16};
}

/// A tolerance larger than this share of the norm of what it guards would let real mistakes through.
inline double largest_useful_share(double unit) {
  return unit == kUnitF32 ? 1e-4 : unit == kUnitSplit ? 1e-2 : unit == kUnitTf32 ? 0.07 : 0.2;
}

/// The network in double with rounding errors put in; one object is one run.
class RoundedNetwork {
 public:
  RoundedNetwork(const NetworkSpec& spec, std::span<const double> params, RoundingUnits units, uint64_t seed)
      : spec_(spec), units_(units), uniform_(seed), forward_params_(params.begin(), params.end()) {
    round_weights(units.forward, forward_params_);
    backward_params_ = forward_params_;
    if (units.backward != units.forward) {
      round_weights(units.backward, backward_params_);
    }
  }

  /// `exact` supplies the routing and the inputs.
  reference::NetworkPass forward(const reference::NetworkPass& exact) {
    reference::NetworkPass pass;
    pass.blends = exact.blends;
    pass.places = exact.places;
    pass.input = exact.input;
    if (spec_.input.has_embedding()) {
      round_features(pass);
    }
    const bool is_encoded = spec_.input.kind == InputKind::Encoding && spec_.input.n_frequencies > 0;
    round(units_.forward + (is_encoded ? kFunctionUlps * kUnitF32 : 0), pass.input);
    for (int i = 0; i < static_cast<int>(spec_.layers.size()); ++i) {
      const LayerSpec& layer = spec_.layers[i];
      pass.reads.push_back(reads(i, pass, exact));
      const std::vector<double>& x = pass.reads[i];
      std::vector<double> sums(exact.sums[i].size());
      std::vector<double> squares(sums.size());
      const std::span<const double> w = weight(forward_params_, i);
      const std::span<const double> b = bias(forward_params_, i);
      reference::expert_linear_forward(layer, pass.blends[i], w, b, x, sums);
      reference::expert_linear_forward(layer, pass.blends[i], squared(w), squared(b), squared(x), squares);
      add_residual(layer, pass.values, sums, squares);
      round_sums(layer.n_in * n_blended(layer, spec_.n_dims) + 1, squares, sums);
      std::vector<double> values(sums.size());
      reference::activation_forward(layer.activation, sums, values);
      round((is_output(i) ? kUnitF32 : units_.forward) + kFunctionUlps * kUnitF32, values);
      pass.sums.push_back(std::move(sums));
      pass.values.push_back(std::move(values));
    }
    pass.signal = reference::signal_of(spec_, pass.values);
    if (spec_.output != OutputSpec{}) {
      round(2 * kUnitF32, pass.signal);
    }
    return pass;
  }

  /// Overwrites param_grads and, unless empty, input_grads.
  void backward(const reference::NetworkPass& pass, std::span<const double> output_grads,
                std::vector<double>& param_grads, std::vector<double>& input_grads) {
    param_grads.assign(forward_params_.size(), 0.0);
    std::vector<std::vector<double>> grads = reference::grads_of_values(spec_, output_grads);
    std::vector<double> first_grads(pass.input.size());
    for (int i = static_cast<int>(spec_.layers.size()) - 1; i >= 0; --i) {
      const LayerSpec& layer = spec_.layers[i];
      reference::activation_backward(layer.activation, pass.sums[i], pass.values[i], grads[i]);
      // A derivative other than LeakyReLU's is stored like a gradient before it is multiplied: one more rounding.
      if (derivative_is_stored(layer.activation.kind)) {
        round(units_.backward, grads[i]);
      }
      round(units_.backward + kFunctionUlps * kUnitF32, grads[i]);
      if (layer.residual != kNoResidual) {
        add(grads[i], grads[layer.residual]);
      }
      const std::vector<double> x_grads = layer_backward(i, pass, grads[i], param_grads);
      std::vector<double>& to = spec_.source_of(i) < 0 ? first_grads : grads[spec_.source_of(i)];
      const int width = layer.n_in - layer.n_features;
      for (size_t k = 0; k < to.size(); ++k) {
        to[k] += x_grads[k / width * layer.n_in + k % width];
      }
    }
    if (spec_.input.has_embedding()) {
      table_backward(pass, first_grads, param_grads);
    }
    if (!input_grads.empty()) {
      input_grads = first_grads;
    }
  }

 private:
  static void add(std::span<const double> values, std::span<double> to) {
    std::transform(to.begin(), to.end(), values.begin(), to.begin(), std::plus<>());
  }

  /// To the sums of a layer, and its squares to theirs: one term more.
  static void add_residual(const LayerSpec& layer, const std::vector<std::vector<double>>& values,
                           std::span<double> sums, std::span<double> squares) {
    if (layer.residual != kNoResidual) {
      add(values[layer.residual], sums);
      add(squared(values[layer.residual]), squares);
    }
  }

  bool is_output(int layer) const {
    const std::vector<int> outputs = spec_.output_layers();
    return std::find(outputs.begin(), outputs.end(), layer) != outputs.end();
  }

  /// What layer i reads: the rounded values of its source, then its features, which `exact` has in their place.
  std::vector<double> reads(int i, const reference::NetworkPass& pass, const reference::NetworkPass& exact) {
    const LayerSpec& layer = spec_.layers[i];
    const int source = spec_.source_of(i);
    const std::vector<double>& rows = source < 0 ? pass.input : pass.values[source];
    if (layer.n_features == 0) {
      return rows;
    }
    std::vector<double> features = exact.reads[i];
    round(units_.forward, features);
    const int width = layer.n_in - layer.n_features;
    for (size_t k = 0; k < rows.size(); ++k) {
      features[k / width * layer.n_in + k % width] = rows[k];
    }
    return features;
  }

  static bool derivative_is_stored(ActivationKind kind) {
    return kind != ActivationKind::Identity && kind != ActivationKind::LeakyRelu && kind != ActivationKind::Relu;
  }

  static std::vector<double> squared(std::span<const double> values) {
    std::vector<double> squares(values.begin(), values.end());
    for (double& value : squares) {
      value *= value;
    }
    return squares;
  }

  std::span<double> weight(std::vector<double>& params, int i) const {
    return std::span<double>(params).subspan(spec_.weight_offset(i), spec_.bias_offset(i) - spec_.weight_offset(i));
  }
  std::span<double> bias(std::vector<double>& params, int i) const {
    return std::span<double>(params).subspan(spec_.bias_offset(i), spec_.layers[i].n_biases());
  }

  void round_weights(double unit, std::vector<double>& params) {
    for (int i = 0; i < static_cast<int>(spec_.layers.size()); ++i) {
      for (double& w : weight(params, i)) {
        w *= 1 + unit * uniform_(-1, 1);
      }
    }
  }

  std::vector<EmbeddingPlace> squared(std::vector<EmbeddingPlace> places) const {
    for (EmbeddingPlace& place : places) {
      for (float& coefficient : place.coefficient) {
        coefficient *= coefficient;
      }
    }
    return places;
  }

  /// The embedding's table is never rounded; its features are sums of up to 2^D products in f32.
  void round_features(reference::NetworkPass& pass) {
    const int n_channels = spec_.input.embedding.n_channels;
    const std::vector<double> table = squared(std::span(forward_params_).subspan(spec_.embedding_offset()));
    for (size_t level = 0; level < pass.places.size(); ++level) {
      const EmbeddingGrid grid(spec_.input.embedding, spec_.n_dims, static_cast<int>(level));
      const std::vector<EmbeddingPlace>& places = pass.places[level];
      std::vector<double> squares(places.size() * n_channels);
      reference::embedding_forward(grid, n_channels, squared(places), table, squares.data(), n_channels);
      const size_t first = spec_.input.encoding_width(spec_.n_dims) + level * n_channels;
      for (size_t sample = 0; sample < places.size(); ++sample) {
        round_sums(grid.n_corners(), std::span(squares).subspan(sample * n_channels, n_channels),
                   std::span(pass.input).subspan(sample * spec_.n_in() + first, n_channels));
      }
    }
  }

  void table_backward(const reference::NetworkPass& pass, const std::vector<double>& input_grads,
                      std::vector<double>& param_grads) {
    const int n_channels = spec_.input.embedding.n_channels;
    const std::span<double> table_grads = std::span(param_grads).subspan(spec_.embedding_offset());
    std::vector<double> squares(table_grads.size());
    const std::vector<double> squared_grads = squared(input_grads);
    int64_t n_products = 0;
    for (size_t level = 0; level < pass.places.size(); ++level) {
      const EmbeddingGrid grid(spec_.input.embedding, spec_.n_dims, static_cast<int>(level));
      const std::vector<EmbeddingPlace>& places = pass.places[level];
      if (places.empty()) continue;
      const size_t first = spec_.input.encoding_width(spec_.n_dims) + level * n_channels;
      reference::embedding_backward(grid, n_channels, places, input_grads.data() + first, spec_.n_in(), table_grads);
      reference::embedding_backward(grid, n_channels, squared(places), squared_grads.data() + first, spec_.n_in(),
                                    squares);
      // Corners of a hashed level may share an entry.
      const bool is_hashed = !spec_.input.embedding.levels.empty() && !spec_.input.embedding.levels[level].is_dense();
      n_products = std::max(n_products, static_cast<int64_t>(places.size()) * (is_hashed ? grid.n_corners() : 1));
    }
    if (units_.backward == kUnitF32) {
      round_sums(n_products, squares, table_grads);
    }
  }

  void round(double unit, std::vector<double>& values) {
    for (double& value : values) {
      value *= 1 + unit * uniform_(-1, 1);
    }
  }

  void round_sums(int64_t n_terms, std::span<const double> squares, std::span<double> sums) {
    const double scale = kUnitF32 * std::sqrt(static_cast<double>(n_terms));
    for (size_t k = 0; k < sums.size(); ++k) {
      sums[k] += scale * std::sqrt(squares[k] + sums[k] * sums[k]) * uniform_(-1, 1);
    }
  }

  std::vector<double> layer_backward(int i, const reference::NetworkPass& pass, const std::vector<double>& grads,
                                     std::vector<double>& param_grads) {
    const LayerSpec& layer = spec_.layers[i];
    std::vector<double> x = pass.reads[i];
    if (units_.backward != units_.forward) {
      round(units_.backward, x);
    }
    const std::span<const double> w = weight(backward_params_, i);
    std::vector<double> x_grads(x.size());
    reference::expert_linear_backward(layer, pass.blends[i], w, x, grads, weight(param_grads, i), bias(param_grads, i),
                                      x_grads);
    // Errors of the f32 sums are thousands of times below those of bf16 operands: only f32 needs them.
    if (units_.backward == kUnitF32) {
      std::vector<double> w_squares(w.size());
      std::vector<double> b_squares(layer.n_biases());
      std::vector<double> x_squares(x.size());
      reference::expert_linear_backward(layer, pass.blends[i], squared(w), squared(x), squared(grads), w_squares,
                                        b_squares, x_squares);
      const auto n_samples = static_cast<int64_t>(pass.blends[i].size());
      round_sums(n_samples, w_squares, weight(param_grads, i));
      round_sums(n_samples, b_squares, bias(param_grads, i));
      round_sums(int64_t{layer.n_out} * n_blended(layer, spec_.n_dims), x_squares, x_grads);
    }
    return x_grads;
  }

  const NetworkSpec& spec_;
  RoundingUnits units_;
  Uniform uniform_;
  std::vector<double> forward_params_;
  std::vector<double> backward_params_;
};

inline double norm(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) {
    sum += value * value;
  }
  return std::sqrt(sum);
}

/// A part of an array that is compared by its own norm.
struct Block {
  std::string name;
  int64_t offset = 0;
  int64_t size = 0;
};

inline std::vector<Block> tensor_blocks(const NetworkSpec& spec) {
  std::vector<Block> blocks;
  for (const TensorInfo& tensor : spec.tensors()) {
    blocks.push_back({tensor.name, tensor.offset, tensor.size()});
  }
  return blocks;
}

/// What the reference says, and the rounded runs that say how closely.
struct Expectation {
  std::vector<double> exact;
  std::vector<std::vector<double>> runs;

  /// Root mean square over the runs of the 2-norm of the change of a block.
  double explained_error(const Block& block) const {
    double sum = 0;
    for (const std::vector<double>& run : runs) {
      for (int64_t k = block.offset; k < block.offset + block.size; ++k) {
        sum += (run[k] - exact[k]) * (run[k] - exact[k]);
      }
    }
    return std::sqrt(sum / static_cast<double>(runs.size()));
  }

  double tolerance(const Block& block) const {
    return block.size == 0 ? 0 : (3 + 5 / std::sqrt(static_cast<double>(block.size))) * explained_error(block);
  }

  void check(std::span<const float> found, const std::vector<Block>& blocks) const {
    ASSERT_EQ(found.size(), exact.size());
    for (const Block& block : blocks) {
      std::vector<double> difference(block.size);
      for (int64_t k = 0; k < block.size; ++k) {
        difference[k] = found[block.offset + k] - exact[block.offset + k];
      }
      EXPECT_LE(norm(difference), tolerance(block))
          << block.name << " of norm " << norm(std::span(exact).subspan(block.offset, block.size));
    }
  }

  /// The largest error of a single element; catches one wrong row that a norm over thousands would hide. Elements
  /// differ in scale by a few times and thousands of draws reach 4 standard deviations: 20 root mean squares.
  void check_elements(std::span<const float> found, const std::string& name) const {
    const Block all{name, 0, static_cast<int64_t>(exact.size())};
    const double limit = 20 * explained_error(all) / std::sqrt(std::max<double>(1, static_cast<double>(exact.size())));
    for (size_t k = 0; k < exact.size(); ++k) {
      ASSERT_LE(std::abs(found[k] - exact[k]), limit) << name << " element " << k << ", expected " << exact[k];
    }
  }

  /// `scale` is the norm that the tolerance is measured against.
  void check_useful(double unit, double scale, const std::string& name) const {
    const Block all{name, 0, static_cast<int64_t>(exact.size())};
    if (scale > 0) {
      EXPECT_LE(tolerance(all), largest_useful_share(unit) * scale) << name << ": the tolerance proves nothing";
    }
  }
};

}  // namespace loe::test
