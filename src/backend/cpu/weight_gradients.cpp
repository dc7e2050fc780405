#include "backend/cpu/weight_gradients.h"

#include <algorithm>

#include "backend/cpu/bf16.h"

namespace loe::cpu {
namespace {

// Columns of one task: enough that packing the other operand is amortised, few enough that wide layers split over
// many threads.
constexpr int kTaskColumns = 256;

// Bytes of one block of rows, both operands. Two blocks (one multiplied, one on its way) and the task's sums share a 1
// MB L2: 192 rows of a 256 x 256 layer in f32 overflow it (70 GF), 96 do not (see docs/performance.md).
constexpr int64_t kBlockBytes = int64_t{192} << 10;
// The same where a block is packed as a whole, beside the sums of a 256 x 256 layer in a 2 MB L2.
constexpr int64_t kLongBlockBytes = int64_t{640} << 10;

// Tasks that a thread takes at once, at most: all but the first find their rows on the way.
constexpr int64_t kTasksInTurn = 4;

// Rows that share a dot product where the instruction set multiplies pairs.
constexpr int kPair = 2;

template <class T>
void prefetch(const T* row, int n) {
  const char* const begin = reinterpret_cast<const char*>(row);
  for (std::size_t at = 0; at < n * sizeof(T); at += 64) __builtin_prefetch(begin + at, 0, 2);
}

}  // namespace

/// Rows of X (layer input) and Z (output gradient) that the kernel takes at once.
struct WeightGradients::RowBlock {
  Task task;
  float* d = nullptr;  ///< the sums of the task's expert
  int n = 0;
  const float* x32[kGradRows];
  const float* z32[kGradRows];
  const bf16* x16[kLongGradRows];
  const bf16* z16[kLongGradRows];
  AlignedBuffer<float> scaled32;  ///< rows of Z times their blending coefficient
  AlignedBuffer<bf16> scaled16;
};

/// Two blocks in turn: while one is multiplied, the rows of the next are on their way from L3 (prefetch).
struct WeightGradients::Scratch {
  RowBlock blocks[2];
  int filling = 0;
  int block_rows = kGradRows;  ///< of the task whose rows are listed
  bool is_far = true;          ///< rows come from L3; within a chunk they are in L2 already
  AlignedBuffer<bf16> packed;  ///< GradRowsArgs::scratch
  RowBlock& block() { return blocks[filling]; }
};

namespace {

GradOrder order_of(const NetworkPlan& plan, const KernelTable& kernels) {
  return plan.backward_bf16 ? kernels.grad_order_bf16 : GradOrder::ByInput;
}

int64_t expert_size(const LayerPlan& layer, GradOrder order) {
  if (layer.is_dot) return int64_t{layer.n_out} * (layer.n_in + 1);
  return int64_t{order == GradOrder::ByInput ? layer.n_in + 1 : round_up(layer.n_in + 1, kPadding)} * layer.n_padded;
}

}  // namespace

int64_t WeightGradients::set_bytes(const NetworkPlan& plan, const KernelTable& kernels) {
  int64_t size = 0;
  for (const LayerPlan& layer : plan.layers) size += layer.n_experts * expert_size(layer, order_of(plan, kernels));
  return size * static_cast<int64_t>(sizeof(float));
}

WeightGradients::WeightGradients(const NetworkPlan& plan, const KernelTable& kernels, int n_workers)
    : plan_(&plan),
      kernels_(&kernels),
      order_(order_of(plan, kernels)),
      row_multiple_(plan.backward_bf16 ? kernels.grad_row_multiple : 1),
      block_rows_(plan.backward_bf16 && kernels.has_long_groups ? kLongGradRows : kGradRows),
      layer_tasks_(plan.layers.size()),
      scratch_(n_workers),
      row_major_(n_workers) {
  int64_t max_expert = 0;
  int max_in = 0;
  for (int l = 0; l < static_cast<int>(plan.layers.size()); ++l) {
    const LayerPlan& layer = plan.layers[l];
    layer_offset_.push_back(set_size_);
    set_size_ += layer.n_experts * expert_size(layer, order_);
    max_expert = std::max(max_expert, int64_t{layer.n_out} * layer.n_in);
    max_in = std::max(max_in, layer.n_in);
    const int step = layer.is_dot ? layer.n_padded : layer.n_in > kTaskColumns ? kTaskColumns / 2 : kTaskColumns;
    for (int e = 0; e < layer.n_experts; ++e) {
      for (int column = 0; column < layer.n_padded; column += step) {
        layer_tasks_[l].push_back({l, e, column, std::min(step, layer.n_padded - column)});
      }
    }
    tasks_.insert(tasks_.end(), layer_tasks_[l].begin(), layer_tasks_[l].end());
  }
  // Largest first, so that no thread starts a long task last.
  const auto weight = [&](const Task& task) {
    return int64_t{task.n_columns} * plan.layers[task.layer].n_in / plan.layers[task.layer].n_experts;
  };
  std::stable_sort(tasks_.begin(), tasks_.end(), [&](const Task& a, const Task& b) { return weight(a) > weight(b); });
  for (Scratch& scratch : scratch_) {
    if (plan.backward_bf16) scratch.packed.resize(grad_scratch_size(block_rows_, max_in, kTaskColumns));
    for (RowBlock& rows : scratch.blocks) {
      rows.scaled32.resize(plan.backward_bf16 ? 0 : int64_t{kGradRows} * kTaskColumns);
      rows.scaled16.resize(plan.backward_bf16 ? int64_t{block_rows_} * kTaskColumns : 0);
    }
  }
  for (auto& buffer : row_major_) buffer.resize(max_expert);
  zero_row_.resize(plan.max_stride + kTaskColumns);
  reserve_sets(1);
}

WeightGradients::~WeightGradients() = default;

void WeightGradients::reserve_sets(int n_sets) {
  while (static_cast<int>(sets_.size()) < n_sets) sets_.emplace_back(set_size_);
}

int64_t WeightGradients::block_offset(int l, int e) const {
  return layer_offset_[l] + e * expert_size(plan_->layers[l], order_);
}

void WeightGradients::add_tiles(ThreadPool& pool, std::span<const Tile> tiles, bool is_first) {
  const auto n_tasks = static_cast<int64_t>(tasks_.size());
  const int64_t in_turn = std::clamp<int64_t>(n_tasks / (8 * pool.n_threads()), 1, kTasksInTurn);
  pool.parallel_for((n_tasks + in_turn - 1) / in_turn, [&](int64_t index, int worker) {
    const KernelScope scope(*kernels_);
    scratch_[worker].is_far = true;
    const int64_t first = index * in_turn;
    run_tasks(0, {tasks_.data() + first, tasks_.data() + std::min(n_tasks, first + in_turn)}, tiles, is_first, worker);
  });
}

void WeightGradients::clear_task(int set, const Task& task) {
  const LayerPlan& layer = plan_->layers[task.layer];
  float* const d = sets_[set].data() + block_offset(task.layer, task.expert);
  const int64_t size = expert_size(layer, order_);
  if (layer.is_dot) {
    std::fill_n(d, size, 0.0F);
  } else if (order_ == GradOrder::ByOutput) {
    std::fill_n(d + size / layer.n_padded * task.column, size / layer.n_padded * task.n_columns, 0.0F);
  } else {
    for (int k = 0; k <= layer.n_in; ++k) {
      std::fill_n(d + int64_t{k} * layer.n_padded + task.column, task.n_columns, 0.0F);
    }
  }
}

void WeightGradients::clear(int set) {
  std::fill_n(sets_[set].data(), set_size_, 0.0F);
}

void WeightGradients::add_layer(int set, int layer, const Tile& tile, bool is_first, int worker) {
  scratch_[worker].is_far = false;
  run_tasks(set, layer_tasks_[layer], {&tile, 1}, is_first, worker);
}

void WeightGradients::reduce(ThreadPool& pool, int n_sets) {
  constexpr int64_t kBlock = 4096;
  float* const total = sets_[0].data();
  pool.parallel_for((set_size_ + kBlock - 1) / kBlock, [&](int64_t index, int) {
    const int64_t begin = index * kBlock;
    const int n = static_cast<int>(std::min(kBlock, set_size_ - begin));
    for (int set = 1; set < n_sets; ++set) kernels_->axpy_f32(1.0F, sets_[set].data() + begin, n, total + begin);
  });
}

void WeightGradients::run_tasks(int set, std::span<const Task> tasks, std::span<const Tile> tiles, bool clears,
                                int worker) {
  Scratch& scratch = scratch_[worker];
  const int64_t round = gradient_tiles(*plan_);
  for (const Task& task : tasks) {
    const LayerPlan& layer = plan_->layers[task.layer];
    float* const d = sets_[set].data() + block_offset(task.layer, task.expert);
    if (clears) clear_task(set, task);
    if (layer.is_dot) {
      run_dot_task(task, tiles, d);
      continue;
    }
    scratch.block().task = task;
    scratch.block().d = d;
    scratch.block_rows = rows_per_block(layer, task.n_columns);
    for (std::size_t t = 0; t < tiles.size(); ++t) {
      add_tile(task, tiles[t], scratch);
      if (static_cast<int64_t>(t + 1) % round == 0) fill_up(scratch);
    }
    fill_up(scratch);
    if (scratch.block().n > 0) next_block(scratch);
  }
  multiply(scratch, scratch.blocks[1 - scratch.filling]);
}

int WeightGradients::rows_per_block(const LayerPlan& layer, int n_columns) const {
  const int64_t row_bytes = (int64_t{layer.n_in} + 1 + n_columns) * (plan_->backward_bf16 ? 2 : 4);
  const int64_t bytes = block_rows_ == kGradRows ? kBlockBytes : kLongBlockBytes;
  return static_cast<int>(std::clamp<int64_t>(bytes / row_bytes, 32, block_rows_)) / row_multiple_ * row_multiple_;
}

void WeightGradients::add_tile(const Task& task, const Tile& tile, Scratch& scratch) {
  const LayerPlan& layer = plan_->layers[task.layer];
  const LevelGroups& groups = tile.groups[task.layer];
  if (layer.n_blended == 1) {
    const Group* group = groups.find(task.expert);
    if (group != nullptr) add_group(task, tile, *group, -1, scratch);
    return;
  }
  for (const Group& group : groups.groups()) {
    const std::vector<int>& experts = layer.blends[group.index];
    for (int node = 0; node < layer.n_blended; ++node) {
      if (experts[node] == task.expert) add_group(task, tile, group, node, scratch);
    }
  }
}

// Rows that share a rounding never span two rounds of tiles: where a batch is cut for the threads must not decide which
// they are.
void WeightGradients::fill_up(Scratch& scratch) {
  while (scratch.block().n % row_multiple_ != 0) {
    RowBlock& block = scratch.block();
    block.x16[block.n] = zero_row_.data();
    block.z16[block.n] = zero_row_.data();
    if (++block.n == scratch.block_rows) next_block(scratch);
  }
}

void WeightGradients::add_rows(Rows x, Rows z, const uint16_t* rows, int n_rows, Scratch& scratch) {
  for (int done = 0; done < n_rows;) {
    RowBlock& block = scratch.block();
    const int count = std::min(n_rows - done, scratch.block_rows - block.n);
    for (int i = 0; i < count; ++i) {
      block.x16[block.n + i] = x.values + rows[done + i] * x.stride;
      block.z16[block.n + i] = z.values + rows[done + i] * z.stride;
    }
    done += count;
    block.n += count;
    if (block.n == scratch.block_rows) next_block(scratch);
  }
}

void WeightGradients::add_group(const Task& task, const Tile& tile, const Group& group, int node, Scratch& scratch) {
  const LayerPlan& layer = plan_->layers[task.layer];
  const LayerRows& from = TileWorker::reads(*plan_, tile, task.layer);
  const LayerRows& to = tile.layers[task.layer];
  const LevelGroups& groups = tile.groups[task.layer];
  const int64_t x_stride = layer.read_stride;
  const uint16_t* rows = groups.rows(group);
  const int n_rows = group.end - group.begin;
  // Rows that no product is there to fetch meanwhile are asked for at once.
  const bool prefetches = scratch.is_far && (!kernels_->has_long_groups || scratch.blocks[1 - scratch.filling].n == 0);
  if (plan_->backward_bf16 && node < 0 && !prefetches) {
    add_rows({from.out16, x_stride}, {to.grad16 + task.column, layer.stride}, rows, n_rows, scratch);
    if (row_multiple_ == kPair) fill_up(scratch);
    return;
  }
  for (int i = 0; i < n_rows; ++i) {
    const int row = rows[i];
    RowBlock& block = scratch.block();
    if (plan_->backward_bf16) {
      block.x16[block.n] = from.out16 + row * x_stride;
      const bf16* z = to.grad16 + row * layer.stride + task.column;
      if (prefetches) {
        prefetch(block.x16[block.n], layer.n_in + 1);
        prefetch(z, task.n_columns);
      }
      if (node >= 0) {
        bf16* scaled = block.scaled16.data() + int64_t{block.n} * task.n_columns;
        kernels_->scale_bf16(groups.coefficients(row)[node], z, task.n_columns, scaled);
        z = scaled;
      }
      block.z16[block.n] = z;
    } else {
      block.x32[block.n] = from.out32 + row * x_stride;
      const float* z = to.grad32 + row * layer.stride + task.column;
      if (prefetches) {
        prefetch(block.x32[block.n], layer.n_in + 1);
        prefetch(z, task.n_columns);
      }
      if (node >= 0) {
        float* scaled = block.scaled32.data() + int64_t{block.n} * task.n_columns;
        kernels_->scale_f32(groups.coefficients(row)[node], z, task.n_columns, scaled);
        z = scaled;
      }
      block.z32[block.n] = z;
    }
    if (++block.n == scratch.block_rows) next_block(scratch);
  }
  // Pairs end with their group, as they always have: it costs a row. A tile's depth of rows may span groups.
  if (row_multiple_ == kPair) fill_up(scratch);
}

void WeightGradients::next_block(Scratch& scratch) {
  const RowBlock& full = scratch.block();
  scratch.filling = 1 - scratch.filling;
  multiply(scratch, scratch.block());
  scratch.block().task = full.task;
  scratch.block().d = full.d;
}

void WeightGradients::multiply(Scratch& scratch, RowBlock& rows) {
  const Task& task = rows.task;
  const LayerPlan& layer = plan_->layers[task.layer];
  const int n = rows.n;
  rows.n = 0;
  if (n == 0) return;
  if (!plan_->backward_bf16) {
    kernels_->grad_f32({rows.x32, rows.z32, n, layer.n_in + 1, task.n_columns, rows.d + task.column, layer.n_padded});
    return;
  }
  GradRowsArgs args;
  args.x = rows.x16;
  args.z = rows.z16;
  args.n_rows = n;
  args.n_in = layer.n_in;
  args.column = task.column;
  args.n = task.n_columns;
  args.n_padded = layer.n_padded;
  args.d = rows.d;
  args.scratch = scratch.packed.data();
  args.is_far = scratch.is_far;
  const RowBlock& next = scratch.blocks[&rows == scratch.blocks ? 1 : 0];
  if (scratch.is_far && next.n > 0) {
    args.next_x = next.x16;
    args.next_z = next.z16;
    args.n_next = next.n;
    args.next_in = plan_->layers[next.task.layer].n_in;
    args.next_n = next.task.n_columns;
  }
  kernels_->grad_bf16(args);
}

void WeightGradients::run_dot_task(const Task& task, std::span<const Tile> tiles, float* d) {
  const LayerPlan& layer = plan_->layers[task.layer];
  const int64_t x_stride = layer.read_stride;
  const int m = layer.n_in + 1;
  for (const Tile& tile : tiles) {
    const LayerRows& from = TileWorker::reads(*plan_, tile, task.layer);
    const LevelGroups& groups = tile.groups[task.layer];
    const auto add_rows = [&](const Group& group, int node) {
      for (int at = group.begin; at < group.end; ++at) {
        const int row = groups.rows(group)[at - group.begin];
        const float* grad = tile.layers[task.layer].grad32 + row * layer.stride;
        const float coefficient = groups.coefficients(row)[node];
        for (int o = 0; o < layer.n_out; ++o) {
          if (from.out16 != nullptr) {
            kernels_->axpy_bf16(coefficient * grad[o], from.out16 + row * x_stride, m, d + int64_t{o} * m);
          } else {
            kernels_->axpy_f32(coefficient * grad[o], from.out32 + row * x_stride, m, d + int64_t{o} * m);
          }
        }
      }
    };
    if (layer.n_blended == 1) {
      const Group* group = groups.find(task.expert);
      if (group == nullptr) continue;
      HeadArgs args;
      args.rows = groups.rows(*group);
      args.n_rows = group->end - group->begin;
      args.k = m;
      args.n_out = layer.n_out;
      args.x = from.out16 != nullptr ? static_cast<const void*>(from.out16) : from.out32;
      args.x_stride = x_stride;
      args.y = tile.layers[task.layer].grad32;
      args.y_stride = layer.stride;
      args.d = d;
      args.d_stride = m;
      from.out16 != nullptr ? kernels_->head_gradient_bf16(args) : kernels_->head_gradient_f32(args);
      continue;
    }
    for (const Group& group : groups.groups()) {
      for (int node = 0; node < layer.n_blended; ++node) {
        if (layer.blends[group.index][node] == task.expert) add_rows(group, node);
      }
    }
  }
}

void WeightGradients::expert_gradient(int l, int e, float* out) const {
  const LayerPlan& layer = plan_->layers[l];
  const float* d = sets_[0].data() + block_offset(l, e);
  if (layer.is_dot) {
    for (int o = 0; o < layer.n_out; ++o) {
      std::copy_n(d + int64_t{o} * (layer.n_in + 1), layer.n_in, out + int64_t{o} * layer.n_in);
    }
    return;
  }
  if (order_ == GradOrder::ByInput) {
    kernels_->transpose(d, layer.n_padded, layer.n_in, layer.n_out, out, layer.n_in);
    return;
  }
  const int64_t stride = expert_size(layer, order_) / layer.n_padded;
  for (int o = 0; o < layer.n_out; ++o) {
    const float* row = d + o * stride;
    float* to = out + int64_t{o} * layer.n_in;
    int k = 0;
    for (; k + 4 <= layer.n_in; k += 4) std::copy_n(row + grad_place(k, layer.n_in), 4, to + k);
    for (; k < layer.n_in; ++k) to[k] = row[grad_place(k, layer.n_in)];
  }
}

float WeightGradients::bias_of(const float* d, const LayerPlan& layer, int o) const {
  if (layer.is_dot) return d[int64_t{o} * (layer.n_in + 1) + layer.n_in];
  if (order_ == GradOrder::ByInput) return d[int64_t{layer.n_in} * layer.n_padded + o];
  return d[expert_size(layer, order_) / layer.n_padded * o + grad_place(layer.n_in, layer.n_in)];
}

void WeightGradients::bias_gradient(int l, float* out) const {
  const LayerPlan& layer = plan_->layers[l];
  for (int o = 0; o < layer.n_biases; ++o) {
    double sum = 0;
    for (int e = 0; e < layer.n_experts; ++e) sum += bias_of(sets_[0].data() + block_offset(l, e), layer, o);
    out[o] = static_cast<float>(sum);
  }
}

void WeightGradients::apply_adam(ThreadPool& pool, const AdamUpdate& update, ParamSlice state, PackedWeights& weights) {
  const AdamScalars scalars(update);
  std::vector<std::pair<int, int>> items;
  for (int l = 0; l < static_cast<int>(plan_->layers.size()); ++l) {
    for (int e = -1; e < plan_->layers[l].n_experts; ++e) items.emplace_back(l, e);
  }
  pool.parallel_for(static_cast<int64_t>(items.size()), [&](int64_t index, int worker) {
    const auto [l, e] = items[index];
    const LayerPlan& layer = plan_->layers[l];
    const bool is_bias = e < 0;
    const int64_t size = is_bias ? layer.n_biases : int64_t{layer.n_out} * layer.n_in;
    const int64_t offset = is_bias ? layer.bias_offset : layer.weight_offset + e * size;
    std::vector<float> bias(is_bias ? layer.n_biases : 0);
    float* grad = is_bias ? bias.data() : row_major_[worker].data();
    if (is_bias) {
      bias_gradient(l, grad);
    } else {
      expert_gradient(l, e, grad);
    }
    kernels_->adam(scalars, grad, size, state.params.data() + offset, state.adam_m.data() + offset,
                   state.adam_v.data() + offset);
    if (is_bias) {
      weights.pack_bias(l, state.params.data());
    } else {
      weights.pack_expert(l, e, state.params.data());
    }
  });
}

void WeightGradients::write(ThreadPool& pool, float* param_grads) {
  pool.parallel_for(static_cast<int64_t>(plan_->layers.size()), [&](int64_t l, int) {
    const LayerPlan& layer = plan_->layers[l];
    const int64_t size = int64_t{layer.n_out} * layer.n_in;
    for (int e = 0; e < layer.n_experts; ++e) {
      expert_gradient(static_cast<int>(l), e, param_grads + layer.weight_offset + e * size);
    }
    bias_gradient(static_cast<int>(l), param_grads + layer.bias_offset);
  });
}

int64_t WeightGradients::n_bytes() const {
  int64_t bytes = zero_row_.n_bytes();
  for (const auto& set : sets_) bytes += set.n_bytes();
  for (const auto& buffer : row_major_) bytes += buffer.n_bytes();
  for (const Scratch& scratch : scratch_) {
    bytes += scratch.packed.n_bytes();
    for (const RowBlock& rows : scratch.blocks) bytes += rows.scaled32.n_bytes() + rows.scaled16.n_bytes();
  }
  return bytes;
}

}  // namespace loe::cpu
