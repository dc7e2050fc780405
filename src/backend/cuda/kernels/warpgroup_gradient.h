// The backward pass of a layer by warpgroups, in one kernel: gradients of its input and of its weights from one reading
// of the gradients of its outputs. (Apart from each other, multiply_by_experts and find_weight_gradients read them
// twice, and the layer's input twice.)
//
//   dx[row][k]   = phi'(x[row][k]) sum_n dz[row][n] W_e[n][k]
//   dW_e[n][k]   = sum over the expert's rows of dz[row][n] x[row][k]
//
// A block has an expert, a range of its samples and 128 inputs; W_e's slice stays in shared memory, and the sums of the
// weights' gradients in registers: 64 inputs to each of its two warpgroups. 64 samples at a time; the next are on their
// way meanwhile. Ranges and sums are those of weight_gradient.h: of one owner, in the order of samples.
#pragma once

#include "backend/cuda/kernels/warpgroup_product.h"
#include "backend/cuda/kernels/weight_gradient.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// Inputs of a block, and of a warpgroup.
inline constexpr int kGradientColumns = 128;
/// Outputs that a warpgroup's registers have sums for. More of them are other blocks' work, and then the input's
/// gradient, to which all add, another kernel's.
inline constexpr int kMaxGradientOutputs = 256;

/// Where the gradient of the input goes.
struct InputGradient {
  int n_columns = 0;              ///< of the input: less than n_in if features are behind; 0: nobody wants it
  Buffer<const Bf16> transposed;  ///< [n_experts, n_in, stride]
  int transposed_stride = 0;      ///< the distance of dz's rows too
  Buffer<Bf16> dx;                ///< [B, dx_stride]
  int dx_stride = 0;              ///< a multiple of 8; columns n_columns .. may be written too
  float slope = 1;                ///< phi'(x) where x <= 0; 1 above
};

/// What becomes of a weight's gradient over a range of samples, at `place` of [n_splits, n_experts, n_out, n_in]: it is
/// kept, or, where one range has all samples, used up by a ParamUpdate, so that it never is in memory.
struct KeepGradient {
  Buffer<float> partials;
  bool adds;
  LOE_METHOD void operator()(int64_t place, float sum) const { partials[place] = adds ? partials[place] + sum : sum; }
};

/// Shared memory of a block: [the expert's slice | two stages of dz and x | dx], in numbers.
struct GradientMemory {
  int n_outputs;  ///< a multiple of 128
  constexpr int n_panels() const { return n_outputs / kPanelColumns; }
  constexpr int weights_size() const { return n_panels() * panel_size(kGradientColumns); }
  constexpr int stage(int turn) const { return weights_size() + turn % 2 * stage_size(); }
  constexpr int x_in_stage() const { return n_panels() * kRowPanel; }
  constexpr int stage_size() const { return (n_panels() + 2) * kRowPanel; }
  constexpr int dx() const { return weights_size() + 2 * stage_size(); }
  constexpr int size() const { return dx() + 2 * kRowPanel; }
  constexpr int n_bytes() const { return kPanelAlignment + size() * static_cast<int>(sizeof(Bf16)); }
};

/// What a block sums, as find_weight_tile has it for blocks of 64 x 64.
LOE_DEVICE WeightTile find_gradient_tile(const WeightGradientArguments<Bf16>& g) {
  const int n_columns = (g.n_in + kGradientColumns - 1) / kGradientColumns;
  const int n_rows = (g.n_out + kMaxGradientOutputs - 1) / kMaxGradientOutputs;
  WeightTile tile = find_range(block_index() / n_columns / n_rows, g);
  tile.column = block_index() % n_columns * kGradientColumns;
  tile.row = block_index() / n_columns % n_rows * kMaxGradientOutputs;
  return tile;
}

/// Copies 64 samples' dz and x from `first` on; zeros behind the last.
LOE_DEVICE void copy_samples(const SharedView<Bf16>& memory, const GradientMemory& layout, int turn,
                             const WeightGradientArguments<Bf16>& g, const WeightTile& tile) {
  const int n_panels = layout.n_panels() + 2;
  const int stage = layout.stage(turn);
  LOE_UNROLL
  for (int half = 0; half < 2; ++half) {
    const int i = thread_index() / 8 + half * kTileRows / 2;
    const int chunk = thread_index() % 8;
    const int sample = tile.first + turn * kTileRows + i;
    const int64_t row = sample < tile.last ? g.order[sample] : -1;
    LOE_NO_UNROLL  // registers are scarce
        for (int p = 0; p < n_panels; ++p) {
      const int at = stage + p * kRowPanel;
      if (p < layout.n_panels()) {
        copy_chunk(memory, at, i, chunk, g.z, row, g.z_stride, tile.row + p * kPanelColumns + 8 * chunk, g.n_out);
      } else {
        const int column = tile.column + (p - layout.n_panels()) * kPanelColumns + 8 * chunk;
        copy_chunk(memory, at, i, chunk, g.x, row, g.x_stride, column, g.n_in);
      }
    }
  }
}

/// This thread's sums of dx, times phi', into the block's place for it.
LOE_DEVICE void put_input_gradient(const float (&sums)[32], const SharedView<Bf16>& memory,
                                   const GradientMemory& layout, int turn, float slope) {
  const int own = warpgroup_index() * kRowPanel;
  const int x = layout.stage(turn) + layout.x_in_stage() + own;
  LOE_UNROLL
  for (int i = 0; i < 32; ++i) {
    const int at = panel_at(sum_row(i), sum_column(i));
    store(memory[layout.dx() + own + at], number_of(memory[x + at]) > 0 ? sums[i] : sums[i] * slope);
  }
}

/// The block's dx to its rows, 8 numbers at a time.
LOE_DEVICE void send_input_gradient(const SharedView<Bf16>& memory, const GradientMemory& layout, int turn,
                                    const WeightGradientArguments<Bf16>& g, const WeightTile& tile,
                                    const InputGradient& input) {
  constexpr int kChunks = kGradientColumns / 8;
  for (int i = thread_index(); i < kTileRows * kChunks; i += kPairThreads) {
    const int row = i / kChunks;
    const int chunk = i % kChunks;
    const int sample = tile.first + turn * kTileRows + row;
    const int k = tile.column + 8 * chunk;
    if (sample >= tile.last || k >= input.n_columns) continue;
    store_16_bytes(input.dx, int64_t{g.order[sample]} * input.dx_stride + k,
                   &memory[layout.dx() + chunk / 8 * kRowPanel + panel_at(row, chunk % 8 * 8)]);
  }
}

/// kPairThreads; n_outputs: 128 or 256, at least n_out. All that decides which products are issued is known to the
/// compiler: where it is not, ptxas waits for each of them (its message C7514).
template <int n_outputs, bool wants_input, typename Finish>
LOE_KERNEL_OF(kPairThreads, 1)
find_layer_gradients(WeightGradientArguments<Bf16> g, InputGradient input, Finish finish) {
  constexpr GradientMemory kLayout{n_outputs};
  constexpr int kParts = n_outputs / 128;
  const auto memory = dynamic_memory<Bf16>(first_multiple(kPanelAlignment), kLayout.size());
  const WeightTile tile = find_gradient_tile(g);
  const int own = warpgroup_index() * kPanelColumns;
  const int n_turns = (tile.last - tile.first + kTileRows - 1) / kTileRows;
  if (wants_input && n_turns > 0) {
    copy_matrix(memory, kLayout.n_panels(), kGradientColumns, g.n_in - tile.column, input.transposed,
                int64_t{tile.expert} * g.n_in + tile.column, input.transposed_stride, g.n_out);
  }
  if (n_turns > 0) copy_samples(memory, kLayout, 0, g, tile);
  commit_copies();
  float weights[kParts][64];
  LOE_UNROLL
  for (auto& part : weights) {
    LOE_UNROLL
    for (float& sum : part) sum = 0;
  }
  for (int turn = 0; turn < n_turns; ++turn) {
    float inputs[32];
    LOE_UNROLL
    for (float& sum : inputs) sum = 0;
    wait_copies<0>();
    publish_panels();
    sync_block();  // behind it the other stage and the place of dx are free as well
    const Bf16* const dz = &memory[kLayout.stage(turn)];
    const Bf16* const x = dz + kLayout.x_in_stage() + warpgroup_index() * kRowPanel;
    begin_products();
    if constexpr (wants_input) {
      LOE_UNROLL
      for (int n = 0; n < n_outputs; n += kProductDepth) {
        const int p = n / kPanelColumns;
        multiply_panels<false, false>(inputs, rows_of_panel(dz + p * kRowPanel, 0, n % kPanelColumns),
                                      rows_of_panel(&memory[p * panel_size(kGradientColumns)], own, n % kPanelColumns));
      }
    }
    commit_products();
    LOE_UNROLL
    for (int k = 0; k < kTileRows; k += kProductDepth) {
      LOE_UNROLL
      for (int part = 0; part < kParts; ++part) {
        multiply_panels<true, true>(weights[part], columns_of_panels(x, kTileRows, k),
                                    columns_of_panels(dz + 2 * part * kRowPanel, kTileRows, k));
      }
    }
    commit_products();
    if (turn + 1 < n_turns) copy_samples(memory, kLayout, turn + 1, g, tile);
    commit_copies();
    if constexpr (wants_input) {
      wait_products<1>();
      take_sums(inputs);
      put_input_gradient(inputs, memory, kLayout, turn, input.slope);
      sync_block();
      send_input_gradient(memory, kLayout, turn, g, tile, input);
    }
    wait_products<0>();
    LOE_UNROLL
    for (auto& part : weights) take_sums(part);
  }
  const int64_t matrix = (int64_t{tile.split} * g.n_experts + tile.expert) * g.n_out;
  LOE_UNROLL
  for (int part = 0; part < kParts; ++part) {
    LOE_UNROLL
    for (int i = 0; i < 64; ++i) {
      const int k = tile.column + own + sum_row(i);
      const int n = tile.row + 128 * part + sum_column(i);
      if (k < g.n_in && n < g.n_out) finish((matrix + n) * g.n_in + k, weights[part][i]);
    }
  }
}

/// Gradients of weights as find_weight_gradients has them, for `finish`; and dx if input.n_columns is above 0, for
/// which n_out is at most kMaxGradientOutputs. A block has read its weights before it finishes them, and no other reads
/// them.
template <typename Number, typename Finish>
void find_gradients_by_warpgroups(const Stream& stream, const WeightGradientArguments<Number>& g,
                                  const InputGradient& input, const Finish& finish) {
  const int64_t n_columns = (g.n_in + kGradientColumns - 1) / kGradientColumns;
  const int64_t n_rows = (g.n_out + kMaxGradientOutputs - 1) / kMaxGradientOutputs;
  const int64_t n_blocks = n_columns * n_rows * g.n_experts * g.n_splits;
  const bool wants_input = input.n_columns > 0;
  const auto run = [&](int n_outputs, auto kernel) {
    launch_with_memory(stream, n_blocks, kPairThreads, GradientMemory{n_outputs}.n_bytes(), kernel, g, input, finish);
  };
  if (g.n_out > 128) {
    run(256, wants_input ? find_layer_gradients<256, true, Finish> : find_layer_gradients<256, false, Finish>);
  } else {
    run(128, wants_input ? find_layer_gradients<128, true, Finish> : find_layer_gradients<128, false, Finish>);
  }
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
