// The trainer of narrow networks on product chunks: a chunk's forward pass, loss, backward pass and the update of its
// experts on one thread, while all of it is in that core's L2.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "backend/cpu/embedding.h"
#include "backend/cpu/isa/kernels.h"
#include "backend/cpu/narrow_params.h"
#include "backend/cpu/narrow_plan.h"
#include "base/aligned_buffer.h"
#include "loe/backend/backend.h"
#include "loe/base/thread_pool.h"

namespace loe::cpu {

/// One step is Adam on the mean squared error of the whole batch, to rounding what every other executor computes.
///
/// Within a step no two chunks share an expert, but for shared levels (ProductChunks). So an expert's gradient is
/// complete when its chunk is, and Adam runs in the registers that hold it: no gradient is stored, nothing is sorted,
/// no chunk waits for another. A step whose loss is not finite must change nothing, though the loss of the batch is
/// known last: while the largest parameter proves that no output can overflow, experts are updated in place; else a
/// second copy is written, and adopted when the loss turns out finite (at half the speed with small batches).
///
/// The tables of an embedding are EmbeddingTables', a chunk being a slot: the gradients of the features are added to
/// dL/dtables after the last chunk, each table by one thread, in the order of the chunks.
///
/// What chunks share (biases, head, shared levels) is summed in parts: runs of chunks, cut by network and batch alone,
/// each with sums of its own, added up in order. So the bits do not depend on the number of threads.
class NarrowTrainer {
 public:
  NarrowTrainer(const NetworkSpec& spec, const KernelTable& kernels, int n_threads);

  /// Whether it holds parameters; they are then the network's, and the caller's state may be older.
  bool has_params() const { return has_params_; }
  void forget() { has_params_ = false; }
  /// One update; takes the state over first if it holds none. Returns the loss before it; not finite: nothing changes.
  double step(ThreadPool& pool, const ProductSamples& samples, const AdamUpdate& update, const ParamSlice& state);
  /// Only with has_params().
  void store(ThreadPool& pool, const ParamSlice& state) const;
  void store_params(ThreadPool& pool, std::span<float> params) const;

  int64_t n_bytes() const;

 private:
  /// A thread's room for one chunk.
  struct Worker {
    AlignedBuffer<float> input;                     ///< [M][input_stride]
    std::vector<AlignedBuffer<float>> values;       ///< [layer][M][width]
    std::vector<AlignedBuffer<float>> derivatives;  ///< the same, of sines
    std::array<AlignedBuffer<float>, 2> grads;      ///< [M][max_width]: of a layer's output, in turn
    AlignedBuffer<float> turned;                    ///< [max_width][max_width]
    std::vector<float> coords;                      ///< [M][n_dims], if there is an embedding
    std::vector<float> targets;
    std::vector<float> weights;
    std::vector<PixelPlace> inside;  ///< places, those outside the signal replaced by a corner
    uint32_t largest = 0;            ///< bits of the largest |weight| that this thread has written in this step
  };
  /// What is the same for all chunks of a step.
  struct Step {
    const ProductSamples* samples;
    const ProductChunks* chunks;
    ProductChunks::Round round;
    std::vector<int> level_of_layer;  ///< index in chunks->levels(), -1: one expert in the whole signal
    bool is_in_place = true;
    std::vector<int64_t> sums_of;  ///< [layer] where a shared layer's sums start in a part's; -1: not shared
    int64_t n_sums = 0;
    int n_parts = 1;
    float gradient_scale = 0;
    AdamScalars adam;
  };

  /// The state, if it holds none, and a way of drawing, if it is not the one of the step before.
  void take_over(ThreadPool& pool, const ProductChunks& chunks, const ParamSlice& state);
  Step plan_step(const ProductSamples& samples, const AdamScalars& adam) const;
  /// Room and tables.
  void prepare(const ProductChunks& chunks);
  void build_tables(const std::array<int64_t, 3>& size);
  void make_embedding(ThreadPool& pool, const ProductChunks& chunks, const ParamSlice& state);
  void find_idle(const ProductChunks& chunks);
  /// Draws all chunks; how many samples are inside the signal.
  int64_t draw_places(ThreadPool& pool, const Step& step);
  /// dL/dfeatures of a chunk, to its slot of the embedding.
  void feature_grads(const Step& step, int chunk, int group, const float* grads, Worker& worker);
  /// Whether every output is finite whatever the samples are, given the largest parameter.
  bool is_bounded(const ProductSamples& samples) const;
  double run_chunk(const Step& step, int chunk, float* sums, Worker& worker);
  void load_chunk(const Step& step, int chunk, Worker& worker) const;
  void forward(const Step& step, int chunk, Worker& worker) const;
  double loss(const Step& step, float* sums, Worker& worker) const;
  void backward(const Step& step, int chunk, float* sums, Worker& worker);
  /// The first layer with rows, the one before with gradients: its experts' gradients, and Adam unless it is shared.
  void weight_grads(const Step& step, int layer, int chunk, int group, const float* grads, float* sums, Worker& worker);
  /// What chunks share: parts added in order, then Adam in place. And Adam where the signal has no pixel.
  void update_shared(ThreadPool& pool, const Step& step);
  /// After the chunks of a step whose loss is finite.
  void finish(ThreadPool& pool, const Step& step, const AdamUpdate& update, const ParamSlice& state);
  void update_embedding(ThreadPool& pool, const AdamUpdate& update, const ParamSlice& state);
  /// The groups of a layer's experts in a chunk: all rows in one if the signal meets a single expert.
  const ProductChunks::Groups& groups(const Step& step, int layer, int chunk) const;
  /// A group's expert as an index among those that occur, and in the layer's tile.
  int index_of(const Step& step, int layer, int chunk, int group) const;
  int expert_of(const Step& step, int layer, int index) const;

  NarrowPlan plan_;
  const KernelTable* kernels_;
  NarrowParams params_;
  bool has_params_ = false;
  uint32_t largest_ = 0;  ///< bits of the largest |parameter| that a sample can meet
  std::vector<Worker> workers_;
  std::array<int64_t, 5> drawn_as_{};  ///< size of the signal, chunks, samples of a chunk: what prepare() was given
  ProductChunks::Groups all_rows_;     ///< of a plain layer
  /// Experts that no pixel belongs to, but whose moments are not zero: Adam moves them on without a gradient.
  std::vector<std::pair<int, int>> idle_;       ///< layer, expert
  std::array<AlignedBuffer<float>, 3> tables_;  ///< encoding along each axis, see NarrowEncode
  int64_t table_stride_ = 0;
  std::array<std::vector<float>, 3> coords_;    ///< of the pixels along each axis
  std::unique_ptr<EmbeddingTables> embedding_;  ///< null: none
  uint32_t largest_entry_ = 0;                  ///< bits of the largest |number| in its tables
  std::vector<PixelPlace> places_;              ///< [chunk][M]
  AlignedBuffer<float> sums_;                   ///< [part][n_sums]: biases and head, then shared layers
};

}  // namespace loe::cpu
