// One tile of samples on its way through the whole network, forward and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "backend/cpu/embedding.h"
#include "backend/cpu/encoding_cache.h"
#include "backend/cpu/isa/kernels.h"
#include "backend/cpu/level_groups.h"
#include "backend/cpu/packed_weights.h"
#include "backend/cpu/plan.h"
#include "backend/cpu/prefix_tree.h"
#include "base/aligned_buffer.h"

namespace loe::cpu {

/// Where a tile's rows of one layer live; a null pointer: not kept.
struct LayerRows {
  float* out32 = nullptr;  ///< phi(W x + b), f32
  bf16* out16 = nullptr;
  /// dL / d(W x + b). Until the backward pass writes it, phi'(W x + b), if phi is not one of LayerPlan::is_fused: the
  /// row is needed then anyway, and the product that computes the gradient multiplies in place.
  float* grad32 = nullptr;
  bf16* grad16 = nullptr;
};

struct Tile {
  int n = 0;                        ///< samples, up to NetworkPlan::tile_rows
  const float* coords = nullptr;    ///< [n, n_dims]
  const float* features = nullptr;  ///< [n, NetworkPlan::n_features]
  bool is_training = false;         ///< rows get the column of ones that weight gradients read
  int embedding_slot = -1;          ///< where an embedding keeps what its gradient needs; -1: not kept
  LayerRows input;
  std::vector<LayerRows> layers;
  std::vector<LayerRows> joined;  ///< [n_layers]: what a layer with features reads; empty rows for the others
  LevelGroups* groups = nullptr;  ///< [n_layers]
  bool is_routed = false;         ///< groups are there already
};

/// Per-worker scratch and the forward and backward passes over a tile. Not thread-safe.
class TileWorker {
 public:
  /// embedding: nullptr if the network has none.
  TileWorker(const NetworkPlan& plan, const KernelTable& kernels, const PackedWeights& weights,
             EmbeddingTables* embedding);

  /// Routes and encodes the tile, runs all layers; returns the outputs [n, n_out] (valid until the next call). Inside a
  /// KernelScope, as backward.
  const float* forward(Tile& tile);
  /// The rows that a layer reads.
  static const LayerRows& reads(const NetworkPlan& plan, const Tile& tile, int layer);
  /// From dL/doutputs [n, n_out] of the forward call just made: gradients of all layers' pre-activations into
  /// tile.layers, and of the inputs whose gradient the plan wants: features of the embedding to its slot, those of the
  /// caller [n, n_grad_columns] if input_grads is not null. after_layer(l) is called, last layer first, when the
  /// gradient of layer l is there; afterwards only layer l - 1 still reads it.
  void backward(Tile& tile, const float* grads, float* input_grads, const std::function<void(int layer)>& after_layer);

  int64_t n_bytes() const;
  /// Scratch for callers: a tile's coordinates, targets, features, gradients of outputs.
  std::vector<float> coords;
  std::vector<float> targets;
  std::vector<float> features;
  std::vector<float> output_grads;

 private:
  void encode(Tile& tile);
  /// The rows of a layer that reads features: its source's, then those.
  void join_features(Tile& tile, int layer);
  /// forward() of a network whose activations depend on the path of experts alone: each distinct path once.
  const float* forward_tree(Tile& tile);
  /// signal_ of a sample from the last layer's output in `row`.
  void write_signal(int sample, int row);
  void forward_layer(Tile& tile, int layer);
  void forward_hidden(Tile& tile, int layer);
  void forward_dot(Tile& tile, int layer);
  /// What the kernels of a dot layer have in common for one expert's rows.
  HeadArgs head_args(int layer, const Group& group, const LevelGroups& groups) const;
  /// A GEMM per group of rows, blending where the layer is Linear. `args` describes a Nearest call over all rows;
  /// pack: the direction's weights.
  void run_groups(const Tile& tile, int layer, GemmArgs args, bool is_bf16, bool is_forward);
  /// scaled[i][node][k] = coefficient(row i, node) * A[row i][k]
  void scale_rows(const GemmArgs& args, bool is_bf16, const LevelGroups& groups, const uint16_t* rows, int n,
                  int n_blended);
  /// Rows of the layer from its sums, which it overwrites (they may be the rows themselves).
  void activate_rows(Tile& tile, int layer, float* sums);
  /// phi of the n_out values in `row`, in place, zeros behind them; y16: a copy; phi' to dy32 or dy16 if given.
  void activate_row(int layer, float* row, bf16* y16, float* dy32, bf16* dy16);
  void output_gradient(Tile& tile, const float* grads);
  void backward_layer(Tile& tile, int layer, float* input_grads);
  /// The product of a layer's gradient and its weights, without where it goes.
  GemmArgs gradient_product(const Tile& tile, int layer) const;
  /// Adds the rows of the layer's residual to its sums.
  void add_residual(const Tile& tile, int layer, float* sums);
  /// Adds what a reader says about the rows it reads or adds to what their other readers said; after the last of them
  /// the sum goes through the activation.
  void add_reader_gradient(Tile& tile, Reader reader);
  /// The layer's gradient as f32 [n, max_stride]: that of the rows it adds.
  void widen_gradient(const Tile& tile, int layer, float* dx);
  /// dL/dx of all rows [n, max_stride], x the rows that the layer reads.
  void read_gradient(const Tile& tile, int layer, float* dx);
  void backward_dot(const Tile& tile, int layer, float* dx);
  /// grad(layer) = dx * phi'(layer), rounding to the stored type.
  void through_activation(Tile& tile, int layer, const float* dx);
  /// True if the layer's weight gradient takes its bias gradient from ones behind the rows it reads, or if their
  /// padding has to be finite.
  bool reads_ones(int layer) const;
  /// Ones behind the `width` values of each row: for the bias gradient, and as the padding of an odd width in bf16.
  void set_ones(const Tile& tile, const LayerRows& rows, int64_t stride, int width);

  const NetworkPlan* plan_;
  const KernelTable* kernels_;
  const PackedWeights* weights_;
  EmbeddingTables* embedding_;
  EncodingCache encodings_;
  std::vector<float> outputs_;    ///< [tile_rows, n_out] of the output layers
  std::vector<float> signal_;     ///< [tile_rows, n_out] offset + scale * outputs_
  std::vector<float> slopes_;     ///< phi' of one row, before it is rounded
  AlignedBuffer<float> scratch_;  ///< [tile_rows, max_stride]
  /// [layer][tile_rows, max_stride]: sums of the gradients of those that read it; only where there are several.
  std::vector<AlignedBuffer<float>> gradient_sums_;
  AlignedBuffer<float> scaled32_;  ///< rows pre-scaled by their blending coefficients
  AlignedBuffer<bf16> scaled16_;
  AlignedBuffer<std::byte> products_;  ///< KernelTable::scratch_bytes
  bool is_far_ = false;                ///< GemmArgs::is_far
  std::vector<uint8_t> needs_ones_;    ///< [1 + layer]: of its rows, first those of the input
  std::vector<int> routing_;
  std::vector<RowGroup> row_groups_;
  PrefixTree tree_;
};

}  // namespace loe::cpu
