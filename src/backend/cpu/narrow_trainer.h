// The trainer of narrow networks on product chunks: a chunk's forward pass, loss, backward pass and the update of its
// experts on one thread, while all of it is in that core's L2.
#pragma once

#include <array>
#include <span>
#include <utility>
#include <vector>

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
/// no chunk waits for another. Chunks read the parameters of the step before and write those of the next into a second
/// copy, which is adopted when the loss of the whole batch turns out finite.
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
  void store(ThreadPool& pool, const ParamSlice& state) const { params_.store(pool, state); }
  void store_params(ThreadPool& pool, std::span<float> params) const { params_.store_params(pool, params); }

  int64_t n_bytes() const;

 private:
  /// A thread's room for one chunk.
  struct Worker {
    AlignedBuffer<float> input;                     ///< [M][input_stride]
    std::vector<AlignedBuffer<float>> values;       ///< [layer][M][width]
    std::vector<AlignedBuffer<float>> derivatives;  ///< the same, of sines
    std::array<AlignedBuffer<float>, 2> grads;      ///< [M][max_width]: of a layer's output, in turn
    AlignedBuffer<float> turned;                    ///< [max_width][max_width]
    std::vector<float> targets;
    std::vector<float> weights;
    std::vector<PixelPlace> inside;  ///< places, those outside the signal replaced by a corner
  };
  /// What is the same for all chunks of a step.
  struct Step {
    const ProductSamples* samples;
    const ProductChunks* chunks;
    ProductChunks::Round round;
    std::vector<int> level_of_layer;  ///< index in chunks->levels(), -1: one expert in the whole signal
    std::vector<int64_t> sums_of;     ///< [layer] where a shared layer's sums start in a part's; -1: not shared
    int64_t n_sums = 0;
    int n_parts = 1;
    float gradient_scale = 0;
    AdamScalars adam;
  };

  Step plan_step(const ProductSamples& samples, const AdamScalars& adam) const;
  /// Room, tables and copies for a way of drawing that is not the one of the step before.
  void prepare(const ProductChunks& chunks);
  void build_tables(const std::array<int64_t, 3>& size);
  void find_idle(const ProductChunks& chunks);
  /// Draws all chunks; how many samples are inside the signal.
  int64_t draw_places(ThreadPool& pool, const Step& step);
  double run_chunk(const Step& step, int chunk, float* sums, Worker& worker);
  void load_chunk(const Step& step, int chunk, Worker& worker) const;
  void forward(const Step& step, int chunk, Worker& worker) const;
  double loss(const Step& step, float* sums, Worker& worker) const;
  void backward(const Step& step, int chunk, float* sums, Worker& worker);
  /// The first layer with rows, the one before with gradients: its experts' gradients, and Adam unless it is shared.
  void weight_grads(const Step& step, int layer, int chunk, int group, const float* grads, float* sums,
                    const Worker& worker);
  /// What chunks share: parts added in order, then Adam in place. And Adam where the signal has no pixel.
  void update_shared(ThreadPool& pool, const Step& step);
  /// The groups of a layer's experts in a chunk: all rows in one if the signal meets a single expert.
  const ProductChunks::Groups& groups(const Step& step, int layer, int chunk) const;
  /// A group's expert as an index among those that occur, and in the layer's tile.
  int index_of(const Step& step, int layer, int chunk, int group) const;
  int expert_of(const Step& step, int layer, int index) const;

  NarrowPlan plan_;
  const KernelTable* kernels_;
  NarrowParams params_;
  bool has_params_ = false;
  std::vector<Worker> workers_;
  std::array<int64_t, 5> drawn_as_{};  ///< size of the signal, chunks, samples of a chunk: what prepare() was given
  ProductChunks::Groups all_rows_;     ///< of a plain layer
  /// Experts that no pixel belongs to, but whose moments are not zero: Adam moves them on without a gradient.
  std::vector<std::pair<int, int>> idle_;       ///< layer, expert
  std::array<AlignedBuffer<float>, 3> tables_;  ///< encoding along each axis, see NarrowEncode
  int64_t table_stride_ = 0;
  std::vector<PixelPlace> places_;  ///< [chunk][M]
  AlignedBuffer<float> sums_;       ///< [part][n_sums]: biases and head, then shared layers
};

}  // namespace loe::cpu
