// Weight gradients by owner: one task owns a block of one expert's matrix and reduces over that expert's rows in order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/cpu/isa/kernels.h"
#include "backend/cpu/packed_weights.h"
#include "backend/cpu/plan.h"
#include "backend/cpu/tile.h"
#include "base/aligned_buffer.h"
#include "loe/base/thread_pool.h"

namespace loe::cpu {

/// Accumulates dL/dW of all layers over the tiles of a step, then hands it to Adam or to the caller.
///
/// No copies per thread and no reduction between threads: the sum over an expert's rows is one chain in sample order,
/// so the result depends neither on the number of threads nor on how the batch is cut into calls of add().
class WeightGradients {
 public:
  WeightGradients(const NetworkPlan& plan, const KernelTable& kernels, int n_workers);
  ~WeightGradients();

  /// Adds the contribution of tiles, in order. is_first: starts from zero.
  void add(ThreadPool& pool, std::span<const Tile> tiles, bool is_first);
  /// One Adam update of every parameter, and the packed copies with it.
  void apply_adam(ThreadPool& pool, const AdamUpdate& update, ParamState& state, PackedWeights& weights);
  /// Writes the flat gradient [n_params].
  void write(ThreadPool& pool, float* param_grads);
  int64_t n_bytes() const;

 private:
  struct Task {
    int layer = 0;
    int expert = 0;
    int column = 0;  ///< first output column
    int n_columns = 0;
  };
  struct RowBlock;
  struct Scratch;

  void run_task(const Task& task, std::span<const Tile> tiles, Scratch& scratch);
  void run_dot_task(const Task& task, std::span<const Tile> tiles);
  void add_group(const Task& task, const Tile& tile, const Group& group, int node, Scratch& scratch);
  void next_block(const Task& task, Scratch& scratch);
  void multiply(const Task& task, Scratch& scratch, RowBlock& rows);
  /// Gradient of one expert in parameter order [n_out, n_in], into `out`.
  void expert_gradient(int layer, int expert, float* out) const;
  void bias_gradient(int layer, float* out) const;
  float* block(int layer, int expert);
  const float* block(int layer, int expert) const;

  const NetworkPlan* plan_;
  const KernelTable* kernels_;
  std::vector<Task> tasks_;
  /// [expert][n_in + 1][n_padded]: transposed, its last row the bias gradient. Dot layers: [expert][n_out][n_in + 1].
  std::vector<AlignedBuffer<float>> gradients_;
  std::vector<Scratch> scratch_;
  std::vector<AlignedBuffer<float>> row_major_;  ///< per worker: one expert's gradient
  AlignedBuffer<bf16> zero_row_;
};

}  // namespace loe::cpu
