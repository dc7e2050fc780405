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
/// Two ways to add, the same kernels and tasks:
///  - add_tiles: one set of sums for the whole network, a task per block of an expert's matrix, all tiles of a
///    super-batch in order. For networks whose gradient does not fit a core's cache.
///  - add_layer: a set of sums per chunk of the batch, each chunk run by one thread while its tiles are in L2; reduce()
///    then adds the sets in chunk order. For small networks.
/// Neither depends on the number of threads: a sum is one chain in sample order, and the chunks are cut by the batch.
class WeightGradients {
 public:
  WeightGradients(const NetworkPlan& plan, const KernelTable& kernels, int n_workers);
  ~WeightGradients();

  /// Bytes of one set of sums.
  static int64_t set_bytes(const NetworkPlan& plan, const KernelTable& kernels);
  /// Makes room for that many sets (at least 1).
  void reserve_sets(int n_sets);

  /// Adds the contribution of tiles, in order, to set 0. is_first: starts from zero.
  void add_tiles(ThreadPool& pool, std::span<const Tile> tiles, bool is_first);
  void clear(int set);
  /// is_first: starts from zero.
  void add_layer(int set, int layer, const Tile& tile, bool is_first, int worker);
  /// set 0 += set 1 + ... + set n_sets - 1, in this order.
  void reduce(ThreadPool& pool, int n_sets);
  /// One Adam update of every parameter with set 0, and the packed copies with it.
  void apply_adam(ThreadPool& pool, const AdamUpdate& update, ParamSlice state, PackedWeights& weights);
  /// Writes the flat gradient [n_params] of set 0.
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

  /// One after the other, the rows of the next on their way while one is multiplied. clears: from sums of zero.
  void run_tasks(int set, std::span<const Task> tasks, std::span<const Tile> tiles, bool clears, int worker);
  void clear_task(int set, const Task& task);
  void add_tile(const Task& task, const Tile& tile, Scratch& scratch);
  /// Rows of zeros up to a multiple of row_multiple_.
  void fill_up(Scratch& scratch);
  void run_dot_task(const Task& task, std::span<const Tile> tiles, float* d);
  struct Rows {
    const bf16* values;
    int64_t stride;
  };
  /// Rows of a group in bf16 that need no scaling and are near.
  void add_rows(Rows x, Rows z, const uint16_t* rows, int n_rows, Scratch& scratch);
  void add_group(const Task& task, const Tile& tile, const Group& group, int node, Scratch& scratch);
  void next_block(Scratch& scratch);
  /// The product of a block, and with it the other if that has rows: those come next.
  void multiply(Scratch& scratch, RowBlock& rows);
  /// Gradient of one expert in parameter order [n_out, n_in], into `out`.
  void expert_gradient(int layer, int expert, float* out) const;
  void bias_gradient(int layer, float* out) const;
  /// Bias gradient of output o in an expert's sums.
  float bias_of(const float* d, const LayerPlan& layer, int o) const;
  /// Rows of a block of a task with so many columns.
  int rows_per_block(const LayerPlan& layer, int n_columns) const;
  /// Start of an expert's block in a set.
  int64_t block_offset(int layer, int expert) const;

  const NetworkPlan* plan_;
  const KernelTable* kernels_;
  GradOrder order_;                             ///< of layers that are not dot layers
  int row_multiple_;                            ///< rows that are added at once: 1 in f32
  int block_rows_;                              ///< rows of a block, at most
  std::vector<Task> tasks_;                     ///< largest first
  std::vector<std::vector<Task>> layer_tasks_;  ///< the same by layer
  /// Per layer: an expert after the other, each as order_ says; dot layers [expert][n_out][n_in + 1].
  std::vector<int64_t> layer_offset_;
  int64_t set_size_ = 0;
  std::vector<AlignedBuffer<float>> sets_;
  std::vector<Scratch> scratch_;
  std::vector<AlignedBuffer<float>> row_major_;  ///< per worker: one expert's gradient
  AlignedBuffer<bf16> zero_row_;
};

}  // namespace loe::cpu
