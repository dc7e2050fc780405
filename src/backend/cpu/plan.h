// How the CPU backend lays a network out in memory: padded widths, strides, tile size, operand types.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "backend/cpu/isa/kernels.h"
#include "loe/backend/backend.h"
#include "loe/backend/network_spec.h"

namespace loe::cpu {

/// Outputs of an output layer up to which it runs as dot products in f32 instead of a GEMM padded to kPadding columns.
inline constexpr int kMaxDotOutputs = 8;

/// A layer that uses another's output: multiplied by its weights, or added to its sums.
struct Reader {
  int layer = 0;
  bool adds = false;
  bool operator==(const Reader&) const = default;
};

struct LayerPlan {
  int n_in = 0;
  int n_out = 0;
  int depth = 0;       ///< n_in, rounded up to even where pairs of bf16 are multiplied
  int n_padded = 0;    ///< n_out rounded up to kPadding
  int64_t stride = 0;  ///< of rows of activations and gradients of this layer's output, in elements
  int n_experts = 1;
  int n_blended = 1;        ///< experts per sample; > 1: Linear
  int source = -1;          ///< layer whose rows are read; -1: the input's
  int n_features = 0;       ///< of the n_in inputs, the last so many come from the caller
  int feature_offset = 0;   ///< where they start in a sample's features
  int64_t read_stride = 0;  ///< of the rows that are read; with features a copy with those behind
  bool is_output = false;   ///< its values are the network's from column `output_column` on
  int output_column = 0;
  int residual = -1;                     ///< layer whose rows are added to this one's sums; -1: none
  std::vector<Reader> readers;           ///< of this layer's rows, ascending; empty for an output
  int slot = 0;                          ///< of the buffers that layers take in turn where rows need not be kept
  bool is_dot = false;                   ///< output layer, few outputs: dot products, f32
  bool is_fused = false;                 ///< activation done in the GEMM's epilogue (identity, ReLU, LeakyReLU)
  float slope = 1;                       ///< of the fused activation
  std::vector<std::vector<int>> blends;  ///< Linear: [dual cell][node] -> expert
  int grad_column = 0;                   ///< first input whose gradient is wanted: layer 0 skips the encoding
  int n_grad_columns = 0;                ///< inputs whose gradient is wanted; 0: the product is skipped
  int n_biases = 0;                      ///< n_out or, of a layer without, 0
  int64_t weight_offset = 0;
  int64_t bias_offset = 0;
};

struct NetworkPlan {
  NetworkSpec spec;
  Precision precision = Precision::F32;
  bool forward_bf16 = false;   ///< operands of the forward GEMMs
  bool forward_split = false;  ///< forward GEMMs of f32 rows by KernelTable::gemm_split
  bool backward_bf16 = false;  ///< operands of both backward GEMMs
  int input_width = 0;
  int64_t input_stride = 0;
  std::vector<LayerPlan> layers;
  int tile_rows = 256;              ///< samples that run through all layers together, at most
  int min_tile_rows = 256;          ///< of a small batch, so that it feeds several threads: see cut_samples
  int64_t super_batch_rows = 8192;  ///< samples between two passes over all weight gradients, where those are large
  int64_t max_stride = 0;
  int n_slots = 2;  ///< buffers of rows that hold every layer's as long as it is read
  int n_features = 0;
  int n_out = 0;
  int64_t n_params = 0;
};

/// Tiles between two passes over all weight gradients.
inline int64_t gradient_tiles(const NetworkPlan& plan) {
  return std::max<int64_t>(1, plan.super_batch_rows / plan.tile_rows);
}

/// The plan of a validated spec.
/// max_group: see ExecutorOptions; a tile holds at least that many samples.
/// kernels: of the table that runs it.
NetworkPlan make_plan(const NetworkSpec& spec, Precision precision, int max_group, const KernelTable& kernels);

}  // namespace loe::cpu
