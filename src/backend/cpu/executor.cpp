#include "backend/cpu/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "backend/check.h"

namespace loe::cpu {
namespace {

// Networks whose gradient sums (and weights) stay in a core's L2 beside a tile's activations run chunk by chunk. Chunks
// are cut by the batch alone; 64 of them feed as many threads, and adding up 64 sets of the toy's 0.6 MB costs about
// 1%.
constexpr int64_t kMaxChunkSetBytes = int64_t{2} << 20;
constexpr int64_t kChunkBytes = int64_t{64} << 20;
constexpr int64_t kMaxChunks = 64;
// Fewer samples would not repay clearing and adding up their own set of sums; more would leave the threads of a small
// batch (2,048 samples in the auto preset) without work.
constexpr int64_t kMinChunkSamples = 512;

}  // namespace

/// Buffers of a number of tiles, and of the workers where nothing has to outlive a tile.
struct CpuExecutor::Workspace {
  int n_tiles = 0;
  std::vector<Tile> tiles;
  std::vector<std::vector<LevelGroups>> groups;  ///< [tile][layer]
  AlignedBuffer<float> input32;
  AlignedBuffer<bf16> input16;
  std::vector<AlignedBuffer<float>> out32;  ///< [layer]
  std::vector<AlignedBuffer<bf16>> out16;
  std::vector<AlignedBuffer<float>> grad32;
  std::vector<AlignedBuffer<bf16>> grad16;
  std::vector<AlignedBuffer<float>> joined32;  ///< [layer]: rows with features behind
  std::vector<AlignedBuffer<bf16>> joined16;
  std::vector<AlignedBuffer<float>> worker32;  ///< [worker]: see rows_in_turn()
  std::vector<AlignedBuffer<bf16>> worker16;

  int64_t n_bytes() const {
    int64_t bytes = input32.n_bytes() + input16.n_bytes();
    for (const auto& b : out32) bytes += b.n_bytes();
    for (const auto& b : out16) bytes += b.n_bytes();
    for (const auto& b : grad32) bytes += b.n_bytes();
    for (const auto& b : grad16) bytes += b.n_bytes();
    for (const auto& b : joined32) bytes += b.n_bytes();
    for (const auto& b : joined16) bytes += b.n_bytes();
    for (const auto& b : worker32) bytes += b.n_bytes();
    for (const auto& b : worker16) bytes += b.n_bytes();
    for (const auto& list : groups) {
      for (const auto& g : list) bytes += g.n_bytes();
    }
    return bytes;
  }
};

CpuExecutor::CpuExecutor(const NetworkSpec& spec, const ExecutorOptions& options, const KernelTable& kernels)
    : plan_(make_plan(spec, options.precision, options.max_group, kernels)),
      max_group_(options.max_group),
      kernels_(&kernels),
      pool_(options.n_threads),
      weights_(plan_, kernels),
      embedding_(spec.input.has_embedding() ? EmbeddingTables::make(plan_, kernels) : nullptr),
      routes_(plan_),
      gradients_in_turn_(can_share_gradients()),
      why_not_narrow_(NarrowPlan::why_not(spec, options.precision)) {
  for (int i = 0; i < pool_.n_threads(); ++i) workers_.emplace_back(plan_, kernels, weights_, embedding_.get());
}

CpuExecutor::~CpuExecutor() = default;

std::vector<KernelInfo> CpuExecutor::kernels() const {
  const std::string& reason = kernels_->reason;
  const std::string forward = plan_.forward_split  ? kernels_->gemm_split_name
                              : plan_.forward_bf16 ? kernels_->gemm_bf16_name
                                                   : kernels_->gemm_f32_name;
  const std::string backward = plan_.backward_bf16 ? kernels_->gemm_bf16_name : kernels_->gemm_f32_name;
  std::vector<KernelInfo> list = {
      {"expert_linear forward", "cpu " + forward, reason},
      {"expert_linear input gradient", "cpu " + backward, reason},
      {"expert_linear weight gradient + Adam", "cpu " + backward + ", owner-computes", reason},
  };
  list.push_back(
      {"training on product chunks",
       why_not_narrow_.empty() ? "cpu " + kernels_->isa + " narrow: a chunk at a time, Adam in registers"
                               : "as other batches",
       why_not_narrow_.empty() ? fmt::format("nearest experts of at most {} outputs", kNarrowWidth) : why_not_narrow_});
  if (PrefixTree::fits(plan_)) {
    list.push_back({"expert_linear inference",
                    "cpu prefix tree: each distinct path of experts of a tile once, " + forward,
                    "constant input and nearest experts: an activation depends on its path alone; not in training"});
  }
  for (std::size_t l = 0; l < plan_.layers.size(); ++l) {
    if (!plan_.layers[l].is_dot) continue;
    list.push_back({plan_.spec.layers[l].name, "cpu " + kernels_->isa + " dot products, f32",
                    fmt::format("{} outputs, {} or fewer", plan_.layers[l].n_out, kMaxDotOutputs)});
  }
  if (embedding_ != nullptr) {
    list.push_back({"embedding", "cpu " + kernels_->isa + " blends of rows, f32", reason});
    list.push_back({"embedding gradient + Adam",
                    "cpu " + kernels_->isa + " " + embedding_->method() + ", f32, owner-computes", reason});
  }
  return list;
}

int64_t CpuExecutor::memory_bytes() const {
  int64_t bytes = weights_.n_bytes();
  for (const TileWorker& worker : workers_) bytes += worker.n_bytes();
  if (embedding_ != nullptr) bytes += embedding_->n_bytes();
  if (training_ != nullptr) bytes += training_->n_bytes();
  if (inference_ != nullptr) bytes += inference_->n_bytes();
  if (gradients_ != nullptr) bytes += gradients_->n_bytes();
  if (narrow_ != nullptr) bytes += narrow_->n_bytes();
  bytes += routes_.n_bytes();
  return bytes;
}

void CpuExecutor::set_params(std::span<const float> params) {
  check_size("params", plan_.n_params, "[n_params]", params.size());
  if (narrow_ != nullptr) narrow_->forget();
  is_packed_ = true;
  pack(params);
}

void CpuExecutor::pack(std::span<const float> params) {
  pool_.parallel_for(static_cast<int64_t>(plan_.layers.size()), [&](int64_t l, int) {
    for (int e = 0; e < plan_.layers[l].n_experts; ++e) weights_.pack_expert(static_cast<int>(l), e, params.data());
    weights_.pack_bias(static_cast<int>(l), params.data());
  });
  if (embedding_ != nullptr) embedding_->set_params(pool_, params.data());
}

void CpuExecutor::pack_trained() {
  if (is_packed_) return;
  std::vector<float> params(plan_.n_params);
  narrow_->store_params(pool_, params);
  pack(params);
  is_packed_ = true;
}

void CpuExecutor::leave_narrow(ParamSlice state) {
  if (narrow_ == nullptr || !narrow_->has_params()) return;
  download(state);
  pack_trained();
  narrow_->forget();
}

void CpuExecutor::download(ParamSlice state) {
  if (narrow_ != nullptr && narrow_->has_params()) narrow_->store(pool_, state);
}

void CpuExecutor::prepare_inference() {
  if (inference_ != nullptr) return;
  auto space = std::make_unique<Workspace>();
  space->n_tiles = pool_.n_threads();
  space->tiles.resize(space->n_tiles);
  space->groups.resize(space->n_tiles);
  space->worker32.resize(space->n_tiles);
  space->worker16.resize(space->n_tiles);
  for (int t = 0; t < space->n_tiles; ++t) {
    Tile& tile = space->tiles[t];
    tile.layers.resize(plan_.layers.size());
    tile.joined.resize(plan_.layers.size());
    space->groups[t].resize(plan_.layers.size());
    tile.groups = space->groups[t].data();
    if (plan_.forward_bf16) {
      space->worker16[t].resize(rows_in_turn());
      bind_in_turn(tile, &LayerRows::out16, space->worker16[t].data());
    } else {
      space->worker32[t].resize(rows_in_turn());
      bind_in_turn(tile, &LayerRows::out32, space->worker32[t].data());
    }
  }
  inference_ = std::move(space);
}

int64_t CpuExecutor::rows_in_turn() const {
  return (plan_.n_slots + 2) * plan_.tile_rows * plan_.max_stride;
}

template <typename T>
void CpuExecutor::bind_in_turn(Tile& tile, T* LayerRows::*rows, T* buffer) const {
  const int64_t size = plan_.tile_rows * plan_.max_stride;
  tile.input.*rows = buffer + plan_.n_slots * size;
  for (std::size_t l = 0; l < plan_.layers.size(); ++l) {
    const LayerPlan& layer = plan_.layers[l];
    if (!layer.is_output) tile.layers[l].*rows = buffer + layer.slot * size;
    if (layer.n_features > 0) tile.joined[l].*rows = buffer + (plan_.n_slots + 1) * size;
  }
}

void CpuExecutor::forward(const BatchView& batch, std::span<float> outputs) {
  check_batch(plan_.spec, batch);
  const int n_out = plan_.n_out;
  check_size("outputs", batch.n_samples * n_out, "[B, n_out]", outputs.size());
  pack_trained();
  prepare_inference();
  const int64_t n_tiles = (batch.n_samples + plan_.tile_rows - 1) / plan_.tile_rows;
  pool_.parallel_for(n_tiles, [&](int64_t index, int worker) {
    const int64_t first = index * plan_.tile_rows;
    Tile& tile = inference_->tiles[worker];
    tile.n = static_cast<int>(std::min<int64_t>(plan_.tile_rows, batch.n_samples - first));
    tile.coords = batch.coords.data() + first * plan_.spec.n_dims;
    tile.features = batch.features.data() + first * plan_.n_features;
    const KernelScope scope(*kernels_);
    const float* y = workers_[worker].forward(tile);
    std::copy_n(y, int64_t{tile.n} * n_out, outputs.data() + first * n_out);
  });
}

bool CpuExecutor::uses_chunks() const {
  return WeightGradients::set_bytes(plan_, *kernels_) <= kMaxChunkSetBytes;
}

// In chunks a gradient has been used up two layers later, so that two buffers do for all: the toy's rows of a tile and
// its sums then stay in L2. Not where a row keeps slopes in them or has several readers.
bool CpuExecutor::can_share_gradients() const {
  if (!uses_chunks()) return false;
  for (int l = 0; l < static_cast<int>(plan_.layers.size()); ++l) {
    const LayerPlan& layer = plan_.layers[l];
    if (layer.source != l - 1 || layer.residual >= 0) return false;
    if (!layer.is_output && (!layer.is_fused || layer.readers.size() > 1)) return false;
  }
  return true;
}

std::size_t CpuExecutor::gradient_place(std::size_t l) const {
  return gradients_in_turn_ && !plan_.layers[l].is_output ? l % 2 : l;
}

int64_t CpuExecutor::gradient_stride(std::size_t l) const {
  return gradients_in_turn_ ? plan_.max_stride : plan_.layers[l].stride;
}

void CpuExecutor::prepare_training(int n_tiles) {
  if (gradients_ == nullptr) gradients_ = std::make_unique<WeightGradients>(plan_, *kernels_, pool_.n_threads());
  if (training_ != nullptr && training_->n_tiles >= n_tiles) return;
  training_.reset();
  auto space = std::make_unique<Workspace>();
  const std::size_t n_layers = plan_.layers.size();
  const int64_t rows = int64_t{n_tiles} * plan_.tile_rows;
  space->n_tiles = n_tiles;
  space->tiles.resize(n_tiles);
  space->groups.resize(n_tiles);
  for (int t = 0; t < n_tiles; ++t) {
    space->tiles[t].layers.resize(n_layers);
    space->tiles[t].joined.resize(n_layers);
    space->groups[t].resize(n_layers);
  }
  space->out32.resize(n_layers);
  space->out16.resize(n_layers);
  space->grad32.resize(n_layers);
  space->grad16.resize(n_layers);
  space->joined32.resize(n_layers);
  space->joined16.resize(n_layers);
  if (plan_.backward_bf16) {
    space->input16.resize(rows * plan_.input_stride);
  } else {
    space->input32.resize(rows * plan_.input_stride);
  }
  for (std::size_t l = 0; l < n_layers; ++l) {
    const LayerPlan& layer = plan_.layers[l];
    if (!layer.is_output && plan_.backward_bf16) space->out16[l].resize(rows * layer.stride);
    if (!layer.is_output && !plan_.backward_bf16) space->out32[l].resize(rows * layer.stride);
    if (layer.n_features > 0 && plan_.backward_bf16) space->joined16[l].resize(rows * layer.read_stride);
    if (layer.n_features > 0 && !plan_.backward_bf16) space->joined32[l].resize(rows * layer.read_stride);
    if (gradient_place(l) != l) continue;
    if (plan_.backward_bf16 && !layer.is_dot) {
      space->grad16[l].resize(rows * gradient_stride(l));
    } else {
      space->grad32[l].resize(rows * gradient_stride(l));
    }
  }
  space->worker32.resize(pool_.n_threads());
  for (int w = 0; w < pool_.n_threads(); ++w) {
    // Mixed: the f32 activations live only while the tile runs; their bf16 copies are kept for the backward pass.
    if (plan_.precision == Precision::Mixed) space->worker32[w].resize(rows_in_turn());
  }
  training_ = std::move(space);
}

void CpuExecutor::bind_tile(Tile& tile, int index, int worker) {
  Workspace& space = *training_;
  const int64_t first = int64_t{index} * plan_.tile_rows;
  const bool is_mixed = plan_.precision == Precision::Mixed;
  const auto at32 = [&](AlignedBuffer<float>& buffer, int64_t stride) {
    return buffer.size() == 0 ? nullptr : buffer.data() + first * stride;
  };
  const auto at16 = [&](AlignedBuffer<bf16>& buffer, int64_t stride) {
    return buffer.size() == 0 ? nullptr : buffer.data() + first * stride;
  };
  tile.groups = space.groups[index].data();
  tile.is_training = true;
  if (is_mixed) bind_in_turn(tile, &LayerRows::out32, space.worker32[worker].data());
  if (!is_mixed) tile.input.out32 = at32(space.input32, plan_.input_stride);
  tile.input.out16 = at16(space.input16, plan_.input_stride);
  for (std::size_t l = 0; l < plan_.layers.size(); ++l) {
    const int64_t stride = plan_.layers[l].stride;
    LayerRows& rows = tile.layers[l];
    if (!is_mixed) {
      rows.out32 = at32(space.out32[l], stride);
      tile.joined[l].out32 = at32(space.joined32[l], plan_.layers[l].read_stride);
    }
    tile.joined[l].out16 = at16(space.joined16[l], plan_.layers[l].read_stride);
    rows.out16 = at16(space.out16[l], stride);
    // A tile's place follows from the buffer's stride, whatever the layer's: places of layers of different widths would
    // overlap those of other workers.
    const std::size_t place = gradient_place(l);
    rows.grad32 = at32(space.grad32[place], gradient_stride(l));
    rows.grad16 = at16(space.grad16[place], gradient_stride(l));
  }
}

void CpuExecutor::run_tile(int64_t tile_index, int index, int slot, int w, const TileTask& task,
                           const std::function<void(int layer)>& after_layer) {
  const int64_t first = task.cuts[tile_index];
  TileWorker& worker = workers_[w];
  Tile& tile = training_->tiles[index];
  bind_tile(tile, index, w);
  tile.n = static_cast<int>(task.cuts[tile_index + 1] - first);
  tile.embedding_slot = embedding_ == nullptr ? -1 : slot;
  task.load(first, tile, worker);
  LevelGroups* const known = routes_.find(tile_index, tile.coords, tile.n, tile.is_routed);
  if (known != nullptr) tile.groups = known;
  worker.output_grads.resize(static_cast<std::size_t>(plan_.tile_rows) * plan_.n_out);
  const float* outputs = nullptr;
  {
    const KernelScope scope(*kernels_);
    outputs = worker.forward(tile);
  }
  task.output_grads(tile_index, tile, outputs, worker);
  float* input_grads =
      task.feature_grads == nullptr ? nullptr : task.feature_grads + first * plan_.spec.input.n_features;
  {
    const KernelScope scope(*kernels_);
    worker.backward(tile, worker.output_grads.data(), input_grads, after_layer);
  }
}

std::vector<int64_t> CpuExecutor::cut_samples(int64_t n_samples, std::span<const int64_t> groups) const {
  std::vector<int64_t> cuts = {0};
  if (groups.empty()) {
    constexpr int64_t kTiles = 16;
    const int64_t rows = std::clamp<int64_t>(n_samples / kTiles, plan_.min_tile_rows, plan_.tile_rows);
    for (int64_t end = rows; end < n_samples; end += rows) cuts.push_back(end);
  } else {
    for (std::size_t i = 1; i < groups.size(); ++i) {
      if (groups[i] - cuts.back() > plan_.tile_rows) cuts.push_back(groups[i - 1]);
    }
  }
  if (n_samples > 0) cuts.push_back(n_samples);
  return cuts;
}

void CpuExecutor::run_backward(const TileTask& task) {
  if (embedding_ != nullptr) embedding_->begin_gradient(pool_, task.is_step);
  routes_.begin_batch(task.cuts.back(), task.n_tiles());
  if (uses_chunks()) {
    run_chunks(task);
  } else {
    run_super_batches(task);
  }
}

void CpuExecutor::run_chunks(const TileTask& task) {
  prepare_training(pool_.n_threads());
  const int64_t n_tiles = task.n_tiles();
  const int64_t max_chunks =
      std::clamp<int64_t>(kChunkBytes / WeightGradients::set_bytes(plan_, *kernels_), 1, kMaxChunks);
  const int64_t chunk_tiles = std::max((kMinChunkSamples + plan_.min_tile_rows - 1) / plan_.min_tile_rows,
                                       (n_tiles + max_chunks - 1) / max_chunks);
  const int n_chunks = static_cast<int>(std::max<int64_t>(1, (n_tiles + chunk_tiles - 1) / chunk_tiles));
  gradients_->reserve_sets(n_chunks);
  if (n_tiles == 0) gradients_->clear(0);
  // One phase, unless the feature gradients of the whole batch would exceed the embedding's room for them.
  const int64_t phase_tiles =
      embedding_ == nullptr ? chunk_tiles : std::clamp<int64_t>(embedding_->max_slots() / n_chunks, 1, chunk_tiles);
  for (int64_t done = 0; done < chunk_tiles; done += phase_tiles) {
    if (embedding_ != nullptr) embedding_->begin_tiles(static_cast<int>(n_chunks * phase_tiles));
    pool_.parallel_for(n_chunks, [&](int64_t chunk, int w) {
      const int64_t first = chunk * chunk_tiles + done;
      const int64_t end = std::min({n_tiles, first + phase_tiles, (chunk + 1) * chunk_tiles});
      for (int64_t t = first; t < end; ++t) {
        const bool is_first = t == chunk * chunk_tiles;
        run_tile(t, w, static_cast<int>(chunk * phase_tiles + t - first), w, task, [&](int layer) {
          gradients_->add_layer(static_cast<int>(chunk), layer, training_->tiles[w], is_first, w);
        });
      }
    });
    if (embedding_ != nullptr) embedding_->add_tiles(pool_);
  }
  gradients_->reduce(pool_, n_chunks);
}

void CpuExecutor::run_super_batches(const TileTask& task) {
  const int64_t n_tiles = task.n_tiles();
  // Whole rounds of gradient_tiles(): where rows of different tiles share a rounding must not depend on the threads.
  const int64_t round = gradient_tiles(plan_);
  const int64_t tiles_wanted = (std::max<int64_t>(2 * pool_.n_threads(), round) + round - 1) / round * round;
  prepare_training(static_cast<int>(std::clamp<int64_t>(n_tiles, 1, tiles_wanted)));
  if (n_tiles == 0) gradients_->add_tiles(pool_, {}, true);
  for (int64_t start = 0; start < n_tiles; start += training_->n_tiles) {
    const int64_t count = std::min<int64_t>(training_->n_tiles, n_tiles - start);
    if (embedding_ != nullptr) embedding_->begin_tiles(static_cast<int>(count));
    pool_.parallel_for(count, [&](int64_t index, int w) {
      run_tile(start + index, static_cast<int>(index), static_cast<int>(index), w, task, [](int) {});
    });
    if (embedding_ != nullptr) embedding_->add_tiles(pool_);
    gradients_->add_tiles(pool_, {training_->tiles.data(), static_cast<std::size_t>(count)}, start == 0);
  }
}

void CpuExecutor::backward(const BatchView& batch, std::span<const float> output_grads, std::span<float> param_grads,
                           std::span<float> feature_grads) {
  check_backward(plan_.spec, batch, output_grads, param_grads, feature_grads);
  pack_trained();
  const int n_out = plan_.n_out;
  TileTask task;
  task.cuts = cut_samples(batch.n_samples, {});
  task.load = [&](int64_t first, Tile& tile, TileWorker&) {
    tile.coords = batch.coords.data() + first * plan_.spec.n_dims;
    tile.features = batch.features.data() + first * plan_.n_features;
  };
  task.output_grads = [&](int64_t index, const Tile& tile, const float*, TileWorker& worker) {
    std::copy_n(output_grads.data() + task.cuts[index] * n_out, int64_t{tile.n} * n_out, worker.output_grads.data());
  };
  task.feature_grads = feature_grads.empty() ? nullptr : feature_grads.data();
  run_backward(task);
  write_gradient(param_grads);
}

void CpuExecutor::write_gradient(std::span<float> param_grads) {
  gradients_->write(pool_, param_grads.data());
  if (embedding_ != nullptr) embedding_->write(pool_, param_grads.data());
}

double CpuExecutor::run_mse(const SampleSource& source, bool is_step) {
  const int n_out = plan_.n_out;
  const int n_dims = plan_.spec.n_dims;
  const int64_t n_samples = source.n_samples();
  const double scale = 1.0 / (static_cast<double>(n_samples) * n_out);
  TileTask task;
  task.cuts = cut_samples(n_samples, {});
  task.is_step = is_step;
  std::vector<double> losses(task.n_tiles());
  task.load = [&](int64_t first, Tile& tile, TileWorker& worker) {
    worker.coords.resize(static_cast<std::size_t>(plan_.tile_rows) * n_dims);
    worker.targets.resize(static_cast<std::size_t>(plan_.tile_rows) * n_out);
    source.fill(first, tile.n, worker.coords.data(), worker.targets.data());
    tile.coords = worker.coords.data();
  };
  task.output_grads = [&](int64_t index, const Tile& tile, const float* outputs, TileWorker& worker) {
    double sum = 0;
    for (int i = 0; i < tile.n * n_out; ++i) {
      const float error = outputs[i] - worker.targets[i];
      sum += static_cast<double>(error) * error;
      worker.output_grads[i] = static_cast<float>(2 * scale) * error;
    }
    losses[index] = sum;
  };
  run_backward(task);
  return scale * std::accumulate(losses.begin(), losses.end(), 0.0);
}

double CpuExecutor::run_objective(const Objective& objective, bool is_step) {
  const NetworkSpec& spec = plan_.spec;
  TileTask task;
  task.cuts = cut_samples(objective.n_samples(), objective.groups());
  task.is_step = is_step;
  std::vector<double> losses(task.n_tiles());
  task.load = [&](int64_t first, Tile& tile, TileWorker& worker) {
    worker.coords.resize(static_cast<std::size_t>(plan_.tile_rows) * spec.n_dims);
    worker.features.resize(static_cast<std::size_t>(plan_.tile_rows) * plan_.n_features);
    objective.fill(first, tile.n, worker.coords.data(), worker.features.data());
    tile.coords = worker.coords.data();
    tile.features = worker.features.data();
  };
  task.output_grads = [&](int64_t index, const Tile& tile, const float* outputs, TileWorker& worker) {
    losses[index] = objective.loss(task.cuts[index], tile.n, outputs, worker.output_grads.data());
  };
  run_backward(task);
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

double CpuExecutor::objective_gradients(const Objective& objective, std::span<float> param_grads) {
  check_objective(objective, max_group_);
  check_size("param_grads", plan_.n_params, "[n_params]", param_grads.size());
  pack_trained();
  const double loss = run_objective(objective, false);
  write_gradient(param_grads);
  return loss;
}

double CpuExecutor::train_step(const Objective& objective, const AdamUpdate& update, ParamSlice state) {
  check_train_step(plan_.spec, objective, max_group_, update, state);
  leave_narrow(state);
  return update_with(run_objective(objective, true), update, state);
}

double CpuExecutor::update_with(double loss, const AdamUpdate& update, ParamSlice state) {
  if (std::isfinite(loss)) {
    gradients_->apply_adam(pool_, update, state, weights_);
    if (embedding_ != nullptr) embedding_->apply_adam(pool_, update, state);
  } else if (embedding_ != nullptr) {
    embedding_->forget_gradient();
  }
  return loss;
}

double CpuExecutor::mse_gradients(const SampleSource& source, std::span<float> param_grads) {
  check_source(plan_.spec, source);
  check_size("param_grads", plan_.n_params, "[n_params]", param_grads.size());
  pack_trained();
  const double loss = run_mse(source, false);
  write_gradient(param_grads);
  return loss;
}

double CpuExecutor::train_step(const SampleSource& source, const AdamUpdate& update, ParamSlice state) {
  const ProductSamples* product = source.product();
  if (product == nullptr || !why_not_narrow_.empty()) {
    check_train_step(plan_.spec, source, update, state);
    leave_narrow(state);
    return update_with(run_mse(source, true), update, state);
  }
  check_train_step(plan_.spec, *product, update, state);
  if (narrow_ == nullptr) narrow_ = std::make_unique<NarrowTrainer>(plan_.spec, *kernels_, n_threads());
  is_packed_ = false;
  return narrow_->step(pool_, *product, update, state);
}

}  // namespace loe::cpu
