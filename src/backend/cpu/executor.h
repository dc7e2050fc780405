// Runs a network on the CPU: super-batches of tiles, forward and backward fused per tile, weight gradients by owner.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "backend/cpu/embedding.h"
#include "backend/cpu/isa/kernels.h"
#include "backend/cpu/narrow_trainer.h"
#include "backend/cpu/packed_weights.h"
#include "backend/cpu/plan.h"
#include "backend/cpu/route_cache.h"
#include "backend/cpu/tile.h"
#include "backend/cpu/weight_gradients.h"
#include "loe/backend/backend.h"
#include "loe/base/thread_pool.h"

namespace loe::cpu {

class CpuExecutor : public Executor {
 public:
  CpuExecutor(const NetworkSpec& spec, const ExecutorOptions& options, const KernelTable& kernels);
  ~CpuExecutor() override;

  const NetworkSpec& spec() const override { return plan_.spec; }
  int n_threads() const override { return pool_.n_threads(); }
  std::vector<KernelInfo> kernels() const override;
  int64_t memory_bytes() const override;
  void set_params(std::span<const float> params) override;
  void forward(const BatchView& batch, std::span<float> outputs) override;
  void backward(const BatchView& batch, std::span<const float> output_grads, std::span<float> param_grads,
                std::span<float> feature_grads) override;
  double mse_gradients(const SampleSource& source, std::span<float> param_grads) override;
  double train_step(const SampleSource& source, const AdamUpdate& update, ParamSlice state) override;
  double objective_gradients(const Objective& objective, std::span<float> param_grads) override;
  double train_step(const Objective& objective, const AdamUpdate& update, ParamSlice state) override;
  void download(ParamSlice state) override;

 private:
  struct Workspace;
  /// Where the tiles of a batch lie, and what fills in the inputs and the gradient of the outputs of one, given its
  /// outputs.
  struct TileTask {
    std::vector<int64_t> cuts;  ///< [n_tiles + 1]: first sample of each tile, then the number of samples
    int64_t n_tiles() const { return static_cast<int64_t>(cuts.size()) - 1; }
    std::function<void(int64_t first, Tile& tile, TileWorker& worker)> load;
    std::function<void(int64_t index, const Tile& tile, const float* outputs, TileWorker& worker)> output_grads;
    float* feature_grads = nullptr;
    bool is_step = false;  ///< part of a train_step
  };

  /// Forward and backward over all samples; the weight gradients are left in gradients_.
  void run_backward(const TileTask& task);
  /// Tiles of whole groups, as many as fit, or of tile_rows samples if there are no groups: of the batch alone.
  std::vector<int64_t> cut_samples(int64_t n_samples, std::span<const int64_t> groups) const;
  double run_mse(const SampleSource& source, bool is_step);
  double run_objective(const Objective& objective, bool is_step);
  /// The update, unless the loss is not finite; returns it.
  double update_with(double loss, const AdamUpdate& update, ParamSlice state);
  /// True: chunks of the batch with gradient sums of their own; false: super-batches and owner-computes.
  bool uses_chunks() const;
  bool can_share_gradients() const;
  /// The layer whose buffer holds layer l's gradient, and the stride by which that buffer is cut into tiles.
  std::size_t gradient_place(std::size_t l) const;
  int64_t gradient_stride(std::size_t l) const;
  void run_chunks(const TileTask& task);
  void run_super_batches(const TileTask& task);
  /// Forward and backward of tile `tile_index` of the batch in the buffers `index`; `slot` of the embedding.
  void run_tile(int64_t tile_index, int index, int slot, int worker, const TileTask& task,
                const std::function<void(int layer)>& after_layer);
  /// Elements of a worker's buffer for rows that only live while their tile runs: the layers' slots, the input and the
  /// rows of a layer with features.
  int64_t rows_in_turn() const;
  template <typename T>
  void bind_in_turn(Tile& tile, T* LayerRows::*rows, T* buffer) const;
  void pack(std::span<const float> params);
  /// Before anything that reads the packed weights: takes over what the narrow trainer has made of them.
  void pack_trained();
  /// Before an update of the general path: `state` and packed weights take over, the narrow trainer starts anew.
  void leave_narrow(ParamSlice state);
  void prepare_training(int n_tiles);
  void prepare_inference();
  void write_gradient(std::span<float> param_grads);
  void bind_tile(Tile& tile, int index, int worker);

  NetworkPlan plan_;
  int max_group_;
  const KernelTable* kernels_;
  ThreadPool pool_;
  PackedWeights weights_;
  std::unique_ptr<EmbeddingTables> embedding_;  ///< nullptr: none
  std::vector<TileWorker> workers_;
  std::unique_ptr<Workspace> training_;
  std::unique_ptr<Workspace> inference_;
  std::unique_ptr<WeightGradients> gradients_;
  RouteCache routes_;                      ///< of training
  bool gradients_in_turn_;                 ///< see can_share_gradients
  std::string why_not_narrow_;             ///< "": product chunks go to narrow_
  std::unique_ptr<NarrowTrainer> narrow_;  ///< from the first such step on
  bool is_packed_ = true;                  ///< whether the packed weights are those of narrow_
};

}  // namespace loe::cpu
