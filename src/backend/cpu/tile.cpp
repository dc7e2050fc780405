#include "backend/cpu/tile.h"

#include <algorithm>

#include "backend/cpu/bf16.h"
#include "loe/backend/activation.h"

namespace loe::cpu {
namespace {

// Rows of a Linear group that are scaled and multiplied together: 64 rows x 4 blended experts x 256 inputs in f32 are
// 256 KB, a quarter of L2.
constexpr int kBlendRows = 64;

// Rows of one layer and the next that stay in L2 (1 MB or 2 MB) beside their weights.
constexpr int64_t kNearBytes = int64_t{768} << 10;

// Elements of the longest row of a product, its segments behind each other.
int64_t max_depth(const NetworkPlan& plan) {
  int64_t depth = 0;
  for (const LayerPlan& layer : plan.layers) {
    depth = std::max(depth, int64_t{layer.n_blended} * (std::max(layer.n_in, layer.n_out) + 1));
  }
  return depth;
}

int max_blended_depth(const NetworkPlan& plan) {
  int size = 0;
  for (const LayerPlan& layer : plan.layers) {
    if (layer.n_blended > 1) size = std::max(size, layer.n_blended * (std::max(layer.n_in, layer.n_out) + 1));
  }
  return size;
}

}  // namespace

TileWorker::TileWorker(const NetworkPlan& plan, const KernelTable& kernels, const PackedWeights& weights,
                       EmbeddingTables* embedding)
    : plan_(&plan),
      kernels_(&kernels),
      weights_(&weights),
      embedding_(embedding),
      encodings_(plan.spec.input, plan.spec.n_dims),
      outputs_(static_cast<std::size_t>(plan.tile_rows) * plan.n_out),
      signal_(outputs_.size()),
      slopes_(plan.max_stride),
      scratch_(plan.tile_rows * plan.max_stride) {
  const int64_t scaled = int64_t{kBlendRows} * max_blended_depth(plan);
  scaled32_.resize(scaled);
  if (plan.backward_bf16) scaled16_.resize(scaled);
  if (plan.backward_bf16) products_.resize(kernels.scratch_bytes(max_depth(plan)));
  if (plan.forward_split) products_.resize(kernels.split_scratch_bytes(max_depth(plan)));
  // A layer reads and writes rows beside its weights.
  is_far_ = 2 * plan.tile_rows * plan.max_stride * (plan.backward_bf16 ? 2 : 4) > kNearBytes;
  needs_ones_.resize(plan.layers.size() + 1);
  for (std::size_t l = 0; l < plan.layers.size(); ++l) {
    const LayerPlan& layer = plan.layers[l];
    if (layer.n_features == 0 && reads_ones(static_cast<int>(l))) needs_ones_[layer.source + 1] = 1;
  }
  gradient_sums_.resize(plan.layers.size());
  for (std::size_t l = 0; l < plan.layers.size(); ++l) {
    if (plan.layers[l].readers.size() > 1) gradient_sums_[l].resize(plan.tile_rows * plan.max_stride);
  }
}

int64_t TileWorker::n_bytes() const {
  int64_t sums = 0;
  for (const auto& buffer : gradient_sums_) sums += buffer.n_bytes();
  return sums + scratch_.n_bytes() + scaled32_.n_bytes() + scaled16_.n_bytes() + products_.n_bytes() + tree_.n_bytes() +
         static_cast<int64_t>((coords.capacity() + targets.capacity() + features.capacity() + output_grads.capacity() +
                               outputs_.capacity() + signal_.capacity() + slopes_.capacity()) *
                              sizeof(float));
}

// Weight gradients of full tiles bring their own ones; the line behind the rows is not touched then.
bool TileWorker::reads_ones(int l) const {
  const LayerPlan& layer = plan_->layers[l];
  const bool has_own = plan_->backward_bf16 && kernels_->grad_order_bf16 == GradOrder::ByOutput;
  return layer.is_dot || !has_own || layer.n_in % kPadding != 0;
}

void TileWorker::set_ones(const Tile& tile, const LayerRows& rows, int64_t stride, int width) {
  if (!tile.is_training && width % 2 == 0) return;
  for (int64_t i = 0; i < tile.n; ++i) {
    if (rows.out32 != nullptr) rows.out32[i * stride + width] = 1.0F;
    if (rows.out16 != nullptr) rows.out16[i * stride + width] = kBf16One;
  }
}

void TileWorker::encode(Tile& tile) {
  const InputSpec& input = plan_->spec.input;
  const int width = plan_->input_width;
  const int encoding_width = input.encoding_width(plan_->spec.n_dims);
  if (tile.input.out32 == nullptr && embedding_ == nullptr && input.kind == InputKind::Encoding &&
      input.n_frequencies > 0) {
    for (int64_t i = 0; i < tile.n; ++i) {
      encodings_.encode(tile.coords + i * plan_->spec.n_dims, tile.input.out16 + i * plan_->input_stride);
    }
    if (needs_ones_[0] != 0) set_ones(tile, tile.input, plan_->input_stride, width);
    return;
  }
  float* const rows = tile.input.out32 != nullptr ? tile.input.out32 : scratch_.data();
  if (embedding_ != nullptr) {
    embedding_->features(tile.coords, tile.n, tile.embedding_slot, rows + encoding_width, plan_->input_stride);
  }
  for (int i = 0; i < tile.n; ++i) {
    float* const row = rows + i * plan_->input_stride;
    if (input.kind == InputKind::Encoding) {
      if (encoding_width > 0) encodings_.encode(tile.coords + int64_t{i} * plan_->spec.n_dims, row);
    } else if (input.kind == InputKind::Features) {
      std::copy_n(tile.features + int64_t{i} * plan_->n_features, width, row);
    } else {
      row[0] = 1.0F;
    }
    if (tile.input.out16 != nullptr) kernels_->to_bf16(row, width, tile.input.out16 + i * plan_->input_stride);
  }
  if (needs_ones_[0] != 0) set_ones(tile, tile.input, plan_->input_stride, width);
}

void TileWorker::join_features(Tile& tile, int l) {
  const LayerPlan& layer = plan_->layers[l];
  const LayerRows& from = layer.source < 0 ? tile.input : tile.layers[layer.source];
  const LayerRows& to = tile.joined[l];
  const int64_t from_stride = layer.source < 0 ? plan_->input_stride : plan_->layers[layer.source].stride;
  const int width = layer.n_in - layer.n_features;
  for (int64_t i = 0; i < tile.n; ++i) {
    const float* own = tile.features + i * plan_->n_features + layer.feature_offset;
    if (to.out32 != nullptr) {
      std::copy_n(from.out32 + i * from_stride, width, to.out32 + i * layer.read_stride);
      std::copy_n(own, layer.n_features, to.out32 + i * layer.read_stride + width);
    }
    if (to.out16 != nullptr) {
      std::copy_n(from.out16 + i * from_stride, width, to.out16 + i * layer.read_stride);
      for (int k = 0; k < layer.n_features; ++k) {
        to.out16[i * layer.read_stride + width + k] = round_to_bf16(own[k]);
      }
    }
  }
  if (reads_ones(l)) set_ones(tile, to, layer.read_stride, layer.n_in);
}

const LayerRows& TileWorker::reads(const NetworkPlan& plan, const Tile& tile, int l) {
  const LayerPlan& layer = plan.layers[l];
  return layer.n_features > 0 ? tile.joined[l] : layer.source < 0 ? tile.input : tile.layers[layer.source];
}

const float* TileWorker::forward(Tile& tile) {
  const NetworkSpec& spec = plan_->spec;
  if (!tile.is_training && PrefixTree::fits(*plan_)) return forward_tree(tile);
  for (std::size_t l = 0; l < spec.layers.size() && !tile.is_routed; ++l) {
    tile.groups[l].build(spec.layers[l], spec.n_dims, plan_->layers[l].n_blended, tile.coords, tile.n, routing_);
  }
  encode(tile);
  for (int l = 0; l < static_cast<int>(spec.layers.size()); ++l) forward_layer(tile, l);
  for (int i = 0; i < tile.n; ++i) write_signal(i, i);
  return signal_.data();
}

void TileWorker::write_signal(int sample, int row) {
  const auto scale = static_cast<float>(plan_->spec.output.scale);
  const auto offset = static_cast<float>(plan_->spec.output.offset);
  const int n_out = plan_->n_out;
  for (int j = 0; j < n_out; ++j) {
    signal_[int64_t{sample} * n_out + j] = offset + scale * outputs_[int64_t{row} * n_out + j];
  }
}

void TileWorker::forward_layer(Tile& tile, int l) {
  if (plan_->layers[l].n_features > 0) join_features(tile, l);
  if (plan_->layers[l].is_dot) {
    forward_dot(tile, l);
  } else {
    forward_hidden(tile, l);
  }
}

void TileWorker::scale_rows(const GemmArgs& args, bool is_bf16, const LevelGroups& groups, const uint16_t* rows, int n,
                            int n_blended) {
  for (int i = 0; i < n; ++i) {
    const float* coefficients = groups.coefficients(rows[i]);
    for (int node = 0; node < n_blended; ++node) {
      const int64_t to = (int64_t{i} * n_blended + node) * args.depth;
      if (is_bf16) {
        kernels_->scale_bf16(coefficients[node], static_cast<const bf16*>(args.a) + rows[i] * args.a_stride, args.depth,
                             scaled16_.data() + to);
      } else {
        kernels_->scale_f32(coefficients[node], static_cast<const float*>(args.a) + rows[i] * args.a_stride, args.depth,
                            scaled32_.data() + to);
      }
    }
  }
}

void TileWorker::run_groups(const Tile& tile, int l, GemmArgs args, bool is_bf16, bool is_forward) {
  const LayerPlan& layer = plan_->layers[l];
  const LevelGroups& groups = tile.groups[l];
  const auto gemm = is_bf16                              ? kernels_->gemm_bf16
                    : is_forward && plan_->forward_split ? kernels_->gemm_split
                                                         : kernels_->gemm_f32;
  const auto pack = [&](int e) { return is_forward ? weights_->forward(l, e) : weights_->backward(l, e); };
  if (kernels_->takes_groups && gemm != kernels_->gemm_f32 && layer.n_blended == 1) {
    row_groups_.clear();
    for (const Group& group : groups.groups()) row_groups_.push_back({group.end, pack(group.index)});
    if (row_groups_.empty()) return;
    args.rows = groups.rows(groups.groups().front());
    args.n_rows = row_groups_.back().end;
    args.groups = row_groups_.data();
    args.n_groups = static_cast<int>(row_groups_.size());
    args.c_compact = groups.is_merged();
    args.is_far = is_far_;
    args.scratch = products_.data();
    gemm(args);
    return;
  }
  for (std::size_t i = 0; i < groups.groups().size(); ++i) {
    const Group& group = groups.groups()[i];
    const void* packs[1 << kMaxDims];
    GemmArgs call = args;
    call.b = packs;
    call.scratch = products_.data();
    if (layer.n_blended == 1 && i + 1 < groups.groups().size()) call.next_b = pack(groups.groups()[i + 1].index);
    if (layer.n_blended == 1) {
      packs[0] = pack(group.index);
      call.rows = groups.rows(group);
      call.n_rows = group.end - group.begin;
      if (groups.is_merged()) {
        call.c_compact = true;
        call.c32 = args.c32 == nullptr ? nullptr : args.c32 + group.begin * args.c_stride;
        call.c16 = args.c16 == nullptr ? nullptr : args.c16 + group.begin * args.c_stride;
      }
      gemm(call);
      continue;
    }
    for (int node = 0; node < layer.n_blended; ++node) packs[node] = pack(layer.blends[group.index][node]);
    call.n_segments = layer.n_blended;
    call.a_compact = true;
    call.a_stride = int64_t{layer.n_blended} * args.depth;
    call.a = is_bf16 ? static_cast<const void*>(scaled16_.data()) : scaled32_.data();
    for (int first = group.begin; first < group.end; first += kBlendRows) {
      call.n_rows = std::min(kBlendRows, group.end - first);
      call.rows = groups.rows(group) + (first - group.begin);
      scale_rows(args, is_bf16, groups, call.rows, call.n_rows, layer.n_blended);
      gemm(call);
    }
  }
}

void TileWorker::forward_hidden(Tile& tile, int l) {
  const LayerPlan& layer = plan_->layers[l];
  const LayerRows& from = reads(*plan_, tile, l);
  const LayerRows& to = tile.layers[l];
  GemmArgs args;
  args.a = plan_->forward_bf16 ? static_cast<const void*>(from.out16) : from.out32;
  args.a_stride = layer.read_stride;
  args.depth = layer.depth;
  args.n = layer.n_padded;
  args.bias = weights_->bias(l);
  args.epilogue = layer.residual < 0 ? Epilogue::BiasLeaky : Epilogue::AddLeaky;
  if (layer.residual >= 0) {
    const LayerRows& added = tile.layers[layer.residual];
    args.mask32 = plan_->forward_bf16 ? nullptr : added.out32;
    args.mask16 = plan_->forward_bf16 ? added.out16 : nullptr;
    args.mask_stride = layer.stride;
  }
  args.c_stride = layer.stride;
  if (layer.is_fused && !layer.is_output) {
    args.slope = layer.slope;
    args.c32 = to.out32;
    args.c16 = to.out16;
    run_groups(tile, l, args, plan_->forward_bf16, true);
    if (needs_ones_[l + 1] != 0) set_ones(tile, to, layer.stride, layer.n_out);
    return;
  }
  args.c32 = !layer.is_output && to.out32 != nullptr ? to.out32 : scratch_.data();
  run_groups(tile, l, args, plan_->forward_bf16, true);
  activate_rows(tile, l, args.c32);
}

void TileWorker::activate_row(int l, float* row, bf16* y16, float* dy32, bf16* dy16) {
  const LayerPlan& layer = plan_->layers[l];
  const Activation& activation = plan_->spec.layers[l].activation;
  std::fill(row + layer.n_out, row + layer.n_padded, 0.0F);
  if (activation.kind == ActivationKind::Sine) {
    kernels_->sine({row, static_cast<float>(activation.omega), layer.n_padded, row, y16, dy32, dy16});
    return;
  }
  if (activation.kind == ActivationKind::Tanh) {
    kernels_->tanh({row, layer.n_padded, row, y16, dy32, dy16});
    return;
  }
  float* const slopes = dy32 != nullptr ? dy32 : dy16 != nullptr ? slopes_.data() : nullptr;
  for (int j = 0; j < layer.n_out; ++j) {
    const float x = row[j];
    row[j] = activate(activation, x);
    if (slopes != nullptr) slopes[j] = activation_derivative(activation, x, row[j]);
  }
  if (slopes != nullptr) std::fill(slopes + layer.n_out, slopes + layer.n_padded, 0.0F);
  if (y16 != nullptr) kernels_->to_bf16(row, layer.n_padded, y16);
  if (dy16 != nullptr) kernels_->to_bf16(slopes, layer.n_padded, dy16);
}

void TileWorker::activate_rows(Tile& tile, int l, float* sums) {
  const LayerPlan& layer = plan_->layers[l];
  const LayerRows& to = tile.layers[l];
  const int n_out = plan_->n_out;
  const bool keeps_slopes = tile.is_training && !layer.is_fused;
  const auto row_of = [&](auto* rows, int i) { return rows == nullptr ? nullptr : rows + i * layer.stride; };
  if (layer.is_output && plan_->spec.layers[l].activation.kind == ActivationKind::Identity) {
    for (int i = 0; i < tile.n; ++i) {
      const float* const row = sums + i * layer.stride;
      float* const to_row = outputs_.data() + int64_t{i} * n_out + layer.output_column;
      for (int j = 0; j < layer.n_out; ++j) to_row[j] = row[j];
    }
    return;
  }
  for (int i = 0; i < tile.n; ++i) {
    float* const row = sums + i * layer.stride;
    activate_row(l, row, layer.is_output ? nullptr : row_of(to.out16, i), keeps_slopes ? row_of(to.grad32, i) : nullptr,
                 keeps_slopes ? row_of(to.grad16, i) : nullptr);
    if (layer.is_output) std::copy_n(row, layer.n_out, outputs_.data() + int64_t{i} * n_out + layer.output_column);
  }
  if (needs_ones_[l + 1] != 0) set_ones(tile, to, layer.stride, layer.n_out);
}

HeadArgs TileWorker::head_args(int l, const Group& group, const LevelGroups& groups) const {
  const LayerPlan& layer = plan_->layers[l];
  HeadArgs args;
  args.rows = groups.rows(group);
  args.n_rows = group.end - group.begin;
  args.k = layer.n_in;
  args.n_out = layer.n_out;
  args.w = weights_->dot_rows(l, group.index);
  args.w_stride = layer.n_in;
  args.y_stride = layer.stride;
  return args;
}

void TileWorker::forward_dot(Tile& tile, int l) {
  const LayerPlan& layer = plan_->layers[l];
  const LayerRows& from = reads(*plan_, tile, l);
  const int64_t a_stride = layer.read_stride;
  float* const pre = scratch_.data();
  const float* bias = weights_->bias(l);
  const LevelGroups& groups = tile.groups[l];
  for (const Group& group : groups.groups()) {
    if (layer.n_blended == 1) {
      HeadArgs args = head_args(l, group, groups);
      args.x = from.out32 != nullptr ? static_cast<const void*>(from.out32) : from.out16;
      args.x_stride = a_stride;
      args.bias = bias;
      args.y_compact = groups.is_merged();
      args.y = pre + (groups.is_merged() ? group.begin * layer.stride : 0);
      from.out32 != nullptr ? kernels_->head_forward_f32(args) : kernels_->head_forward_bf16(args);
      continue;
    }
    for (int at = group.begin; at < group.end; ++at) {
      const int i = groups.rows(group)[at - group.begin];
      float* y = pre + i * layer.stride;
      for (int o = 0; o < layer.n_out; ++o) y[o] = 0.0F;
      for (int node = 0; node < layer.n_blended; ++node) {
        const float* w = weights_->dot_rows(l, layer.blends[group.index][node]);
        float blended[kMaxDotOutputs] = {};
        if (from.out32 != nullptr) {
          kernels_->dot_f32(from.out32 + i * a_stride, w, layer.n_in, layer.n_in, layer.n_out, blended);
        } else {
          kernels_->dot_bf16(from.out16 + i * a_stride, w, layer.n_in, layer.n_in, layer.n_out, blended);
        }
        for (int o = 0; o < layer.n_out; ++o) y[o] += groups.coefficients(i)[node] * blended[o];
      }
      for (int o = 0; o < layer.n_out; ++o) y[o] += bias[o];
    }
  }
  if (layer.residual >= 0) add_residual(tile, l, pre);
  activate_rows(tile, l, pre);
}

void TileWorker::add_residual(const Tile& tile, int l, float* sums) {
  const LayerPlan& layer = plan_->layers[l];
  const LayerRows& added = tile.layers[layer.residual];
  for (int64_t i = 0; i < tile.n; ++i) {
    const int64_t at = i * layer.stride;
    if (added.out32 != nullptr) {
      kernels_->axpy_f32(1.0F, added.out32 + at, layer.n_out, sums + at);
    } else {
      kernels_->axpy_bf16(1.0F, added.out16 + at, layer.n_out, sums + at);
    }
  }
}

void TileWorker::backward(Tile& tile, const float* grads, float* input_grads,
                          const std::function<void(int layer)>& after_layer) {
  output_gradient(tile, grads);
  for (int l = static_cast<int>(plan_->layers.size()) - 1; l >= 0; --l) {
    after_layer(l);
    backward_layer(tile, l, input_grads);
  }
}

void TileWorker::output_gradient(Tile& tile, const float* grads) {
  const auto scale = static_cast<float>(plan_->spec.output.scale);
  const int n_out = plan_->n_out;
  for (std::size_t l = 0; l < plan_->layers.size(); ++l) {
    const LayerPlan& layer = plan_->layers[l];
    if (!layer.is_output) continue;
    const Activation& activation = plan_->spec.layers[l].activation;
    const LayerRows& rows = tile.layers[l];
    for (int i = 0; i < tile.n; ++i) {
      const int64_t at = i * layer.stride;
      const int64_t from = int64_t{i} * n_out + layer.output_column;
      float* grad = rows.grad32 != nullptr ? rows.grad32 + at : scratch_.data();
      for (int j = 0; j < layer.n_out; ++j) {
        const float slope = layer.is_fused           ? activation_derivative(activation, 0.0F, outputs_[from + j])
                            : rows.grad32 != nullptr ? rows.grad32[at + j]
                                                     : widen_bf16(rows.grad16[at + j]);
        grad[j] = scale * grads[from + j] * slope;
      }
      if (!layer.is_dot) std::fill(grad + layer.n_out, grad + layer.n_padded, 0.0F);
      if (rows.grad16 != nullptr) kernels_->to_bf16(grad, layer.n_padded, rows.grad16 + i * layer.stride);
    }
  }
}

void TileWorker::read_gradient(const Tile& tile, int l, float* dx) {
  const LayerPlan& layer = plan_->layers[l];
  if (layer.is_dot) {
    backward_dot(tile, l, dx);
    return;
  }
  GemmArgs args = gradient_product(tile, l);
  args.c32 = dx;
  args.c_stride = plan_->max_stride;
  run_groups(tile, l, args, plan_->backward_bf16, false);
}

GemmArgs TileWorker::gradient_product(const Tile& tile, int l) const {
  const LayerPlan& layer = plan_->layers[l];
  GemmArgs args;
  args.a = plan_->backward_bf16 ? static_cast<const void*>(tile.layers[l].grad16) : tile.layers[l].grad32;
  args.a_stride = layer.stride;
  args.depth = plan_->backward_bf16 ? round_up(layer.n_out, 2) : layer.n_out;
  args.n = round_up(layer.n_grad_columns, kPadding);
  return args;
}

void TileWorker::backward_layer(Tile& tile, int l, float* input_grads) {
  const LayerPlan& layer = plan_->layers[l];
  if (layer.residual >= 0) add_reader_gradient(tile, {l, true});
  if (layer.source < 0) {
    if (input_grads == nullptr && tile.embedding_slot < 0) return;
    if (tile.embedding_slot >= 0) {
      read_gradient(tile, l, embedding_->gradient_rows(tile.embedding_slot));
      embedding_->finish_tile(tile.embedding_slot, tile.n);
      return;
    }
    read_gradient(tile, l, scratch_.data());
    for (int i = 0; i < tile.n; ++i) {
      const float* dx = scratch_.data() + i * plan_->max_stride;
      std::copy(dx, dx + layer.n_grad_columns, input_grads + int64_t{i} * layer.n_grad_columns);
    }
    return;
  }
  const LayerPlan& source = plan_->layers[layer.source];
  if (source.readers.size() > 1 || layer.is_dot) {
    add_reader_gradient(tile, {l, false});
    return;
  }
  const LayerRows& below = tile.layers[layer.source];
  GemmArgs args = gradient_product(tile, l);
  if (source.is_fused) {
    args.epilogue = Epilogue::MaskLeaky;
    args.slope = source.slope;
    args.mask32 = below.out16 == nullptr ? below.out32 : nullptr;
    args.mask16 = below.out16;
  } else {
    args.epilogue = Epilogue::Multiply;
    args.mask32 = below.grad32;
    args.mask16 = below.grad16;
  }
  args.mask_stride = source.stride;
  args.c32 = below.grad32;
  args.c16 = below.grad16;
  args.c_stride = source.stride;
  run_groups(tile, l, args, plan_->backward_bf16, false);
}

void TileWorker::add_reader_gradient(Tile& tile, Reader reader) {
  const LayerPlan& layer = plan_->layers[reader.layer];
  const int target = reader.adds ? layer.residual : layer.source;
  const std::vector<Reader>& readers = plan_->layers[target].readers;
  const bool is_first = reader == readers.back();  // backward runs from the last reader to the first
  float* const sums = readers.size() > 1 ? gradient_sums_[target].data() : scratch_.data();
  float* const own = is_first ? sums : scratch_.data();
  if (reader.adds) {
    widen_gradient(tile, reader.layer, own);
  } else {
    read_gradient(tile, reader.layer, own);
  }
  const int width = reader.adds ? layer.n_out : layer.n_grad_columns;
  for (int64_t i = 0; !is_first && i < tile.n; ++i) {
    const int64_t at = i * plan_->max_stride;
    kernels_->axpy_f32(1.0F, own + at, width, sums + at);
  }
  if (reader == readers.front()) through_activation(tile, target, sums);
}

void TileWorker::widen_gradient(const Tile& tile, int l, float* dx) {
  const LayerPlan& layer = plan_->layers[l];
  const LayerRows& rows = tile.layers[l];
  for (int64_t i = 0; i < tile.n; ++i, dx += plan_->max_stride) {
    if (rows.grad32 != nullptr) {
      std::copy_n(rows.grad32 + i * layer.stride, layer.n_padded, dx);
    } else {
      std::fill_n(dx, layer.n_padded, 0.0F);
      kernels_->axpy_bf16(1.0F, rows.grad16 + i * layer.stride, layer.n_padded, dx);
    }
  }
}

void TileWorker::backward_dot(const Tile& tile, int l, float* dx) {
  const LayerPlan& layer = plan_->layers[l];
  const LevelGroups& groups = tile.groups[l];
  const int width = round_up(layer.n_grad_columns, kPadding);
  for (const Group& group : groups.groups()) {
    if (layer.n_blended == 1) {
      HeadArgs args = head_args(l, group, groups);
      args.k = layer.n_grad_columns;
      args.w += layer.grad_column;
      args.y = tile.layers[l].grad32;
      args.dx = dx;
      args.dx_stride = plan_->max_stride;
      kernels_->head_input_gradient(args);
      for (int i = 0; i < args.n_rows && width > args.k; ++i) {
        std::fill_n(dx + args.rows[i] * args.dx_stride + args.k, width - args.k, 0.0F);
      }
      continue;
    }
    for (int at = group.begin; at < group.end; ++at) {
      const int i = groups.rows(group)[at - group.begin];
      const float* grad = tile.layers[l].grad32 + i * layer.stride;
      float* to = dx + i * plan_->max_stride;
      std::fill(to, to + width, 0.0F);
      for (int node = 0; node < layer.n_blended; ++node) {
        const float coefficient = groups.coefficients(i)[node];
        for (int o = 0; o < layer.n_out; ++o) {
          const float* w =
              weights_->dot_rows(l, layer.blends[group.index][node]) + int64_t{o} * layer.n_in + layer.grad_column;
          kernels_->axpy_f32(coefficient * grad[o], w, layer.n_grad_columns, to);
        }
      }
    }
  }
}

void TileWorker::through_activation(Tile& tile, int l, const float* dx) {
  const LayerPlan& layer = plan_->layers[l];
  const LayerRows& rows = tile.layers[l];
  for (int64_t i = 0; i < tile.n; ++i, dx += plan_->max_stride) {
    const int64_t at = i * layer.stride;
    if (layer.is_fused && rows.grad16 != nullptr) {
      kernels_->mask_leaky_bf16(dx, rows.out16 + at, layer.slope, layer.n_padded, rows.grad16 + at);
    } else if (layer.is_fused) {
      kernels_->mask_leaky_f32(dx, rows.out32 + at, layer.slope, layer.n_padded, rows.grad32 + at);
    } else if (rows.grad16 != nullptr) {
      kernels_->multiply_bf16(dx, rows.grad16 + at, layer.n_padded, rows.grad16 + at);
    } else {
      kernels_->multiply_f32(dx, rows.grad32 + at, layer.n_padded, rows.grad32 + at);
    }
  }
}

}  // namespace loe::cpu
