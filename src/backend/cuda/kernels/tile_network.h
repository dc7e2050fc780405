// A network of layers at most 64 wide in one kernel: a block takes a tile of samples through all layers, then their
// gradients back, with rows and weights in shared memory.
//
// Each layer overwrites its rows in place: a warp has all columns of the rows that it computes, and every row belongs
// to one expert. What the weight gradients need (values and gradients of sums) goes to global memory once; of the
// values themselves the backward pass needs the signs only, a bit each. Same operations in the same order as layer by
// layer (expert_product.h, outputs.h), so the same bits.
#pragma once

#include "backend/cuda/device/warp.h"
#include "backend/cuda/kernels/route.h"
#include "backend/cuda/kernels/rows.h"
#include "backend/cuda/kernels/tile_product.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

inline constexpr int kTileThreads = 256;
inline constexpr int kTileWarps = kTileThreads / kLanes;

/// Strides in elements.
template <typename F, typename B>
struct TileLayer {
  int n_in = 0;
  int n_out = 0;
  int n_experts = 1;
  int route = 0;
  int read_stride = 0;
  int stride = 0;  ///< of transposed, values and grads
  float slope = 1;
  Buffer<const F> weights;     ///< [n_experts, n_out, read_stride]
  Buffer<const B> transposed;  ///< [n_experts, n_in, stride]
  Buffer<const float> bias;    ///< empty: none
  Buffer<B> values;            ///< [B, stride]
  Buffer<B> grads;             ///< [B, stride], dL/dsums
};

/// What the first gradient is made of.
struct TileLoss {
  bool is_mse = false;
  float gradient_scale = 0;
  Buffer<const float> targets;       ///< with is_mse, else
  Buffer<const float> output_grads;  ///< [B, n_out]
  Buffer<double> error_sums;         ///< [B / kLossRows], squared errors
};

template <typename F, typename B>
struct TileArguments {
  TileShape shape;
  int n_layers = 0;
  int n_routes = 0;
  int max_experts = 1;
  int64_t n_samples = 0;
  Buffer<const RouteSpec> routes;
  Buffer<const float> coords;
  int n_dims = 0;
  Buffer<const F> input;  ///< [B, input_stride]
  int input_stride = 0;
  Buffer<float> outputs;  ///< [B, n_out]
  float output_scale = 1;
  float output_offset = 0;
  TileLoss loss;
  Buffer<float> input_grads;  ///< [B, input_stride]; empty: not wanted
  TileLayer<F, B> layers[kMaxTileLayers];
};

/// Where row r of a tile lies, and the row that lies there. Samples come in Morton order, so that the rows of an expert
/// are often every fourth one, or fours of every sixteen: here 8 such rows are in different banks, as 8 neighbours are.
LOE_DEVICE int tile_place(int r) {
  return r ^ ((r >> 3 & 1) | (r >> 4 & 1) * 6);
}
constexpr int up_to_16(int n) {
  return (n + 15) / 16 * 16;
}

/// A block's view of its tile.
struct TileMemory {
  int64_t first;  ///< sample of row 0
  int n_rows;     ///< samples that are there
  SharedView<uint32_t> signs;
  SharedView<uint8_t> order;
  SharedView<uint8_t> experts;
  SharedView<int> ends;

  template <typename F, typename B>
  LOE_METHOD explicit TileMemory(const TileArguments<F, B>& t)
      : first(int64_t{block_index()} * t.shape.n_rows),
        n_rows(static_cast<int>(t.n_samples - first < t.shape.n_rows ? t.n_samples - first : t.shape.n_rows)),
        signs(dynamic_memory<uint32_t>(t.shape.signs_at, 2 * t.n_layers * t.shape.n_rows)),
        order(dynamic_memory<uint8_t>(t.shape.order_at, t.n_routes * t.shape.n_rows)),
        experts(dynamic_memory<uint8_t>(t.shape.experts_at, t.n_routes * t.shape.n_rows)),
        ends(dynamic_memory<int>(t.shape.ends_at, t.n_routes * t.max_experts)) {}
};

/// A warp sorts the tile's rows by the expert of one route: a stable counting sort. Afterwards ends[e] is behind the
/// rows of expert e in order, from ends[e - 1] on.
template <typename F, typename B>
LOE_DEVICE void sort_tile(const TileArguments<F, B>& t, const TileMemory& m, int route) {
  const RouteSpec& spec = t.routes[route];
  const int rows_at = route * t.shape.n_rows;
  const int ends_at = route * t.max_experts;
  for (int e = lane_index(); e < spec.n_experts; e += kLanes) m.ends[ends_at + e] = 0;
  sync_warp();
  for (int r0 = 0; r0 < m.n_rows; r0 += kLanes) {
    const int r = r0 + lane_index();
    const bool is_there = r < m.n_rows;
    const int expert = is_there ? route_sample(spec, t.coords, (m.first + r) * t.n_dims) : -1;
    if (is_there) m.experts[rows_at + r] = static_cast<uint8_t>(expert);
    const unsigned same = match(expert);
    if (is_there && (same & lanes_below()) == 0) m.ends[ends_at + expert] += count_bits(same);
    sync_warp();
  }
  if (lane_index() == 0) {
    int before = 0;
    for (int e = 0; e < spec.n_experts; ++e) {
      const int count = m.ends[ends_at + e];
      m.ends[ends_at + e] = before;
      before += count;
    }
  }
  sync_warp();
  for (int r0 = 0; r0 < m.n_rows; r0 += kLanes) {
    const int r = r0 + lane_index();
    const bool is_there = r < m.n_rows;
    const int expert = is_there ? m.experts[rows_at + r] : -1;
    const unsigned same = match(expert);
    const int start = is_there ? m.ends[ends_at + expert] : 0;
    if (is_there) m.order[rows_at + start + count_bits(same & lanes_below())] = static_cast<uint8_t>(tile_place(r));
    sync_warp();
    if (is_there && (same & lanes_below()) == 0) m.ends[ends_at + expert] = start + count_bits(same);
    sync_warp();
  }
}

/// Starts to copy rows of [.., stride] to shared memory at multiples of kStride: `n_columns` numbers and zeros up to a
/// multiple of 16. place(i): where row i goes; rows from n_rows to n_padded are zeros.
template <typename Number, typename Place>
LOE_DEVICE void copy_rows_in(const SharedView<Number>& to, const Buffer<const Number>& from, int64_t first, int stride,
                             int n_columns, int n_rows, int n_padded, const Place& place) {
  constexpr int kPerCopy = 16 / static_cast<int>(sizeof(Number));
  constexpr int kCopies = kTileWidth / kPerCopy;
  for (int i = thread_index(); i < n_padded * kCopies; i += kTileThreads) {
    const int row = i / kCopies;
    const int k = i % kCopies * kPerCopy;
    if (k >= up_to_16(n_columns)) continue;
    const int n_left = row < n_rows ? n_columns - k : 0;
    const int n_valid = n_left < 0 ? 0 : n_left < kPerCopy ? n_left : kPerCopy;
    copy_16_bytes(&to[place(row) + k], from, (first + row) * stride + k, n_valid);
  }
}

/// A layer's product in one direction: n_in and n_out are those of the product.
template <typename Number>
struct TileProduct {
  int n_in;
  int n_out;
  int n_experts;
  int stride;  ///< of the weights
  int route;
  Buffer<const Number> weights;  ///< [n_experts, n_out, stride]
};

/// All rows of the tile times the weights of their experts, as many experts at a time as there are slots.
/// epilogue(sums, group): the warp may overwrite the group's rows.
template <typename Math, typename F, typename B, typename Epilogue>
LOE_DEVICE void multiply_tile(const TileArguments<F, B>& t, const TileMemory& m,
                              const TileProduct<typename Math::Number>& p, const Epilogue& epilogue) {
  using Number = typename Math::Number;
  constexpr int kStride = GroupOperands<Number>::kStride;
  const auto rows = dynamic_memory<Number>(0, t.shape.n_rows * kStride);
  const auto weights = dynamic_memory<Number>(t.shape.weights_at, t.shape.n_slots * kTileWidth * kStride);
  const int ends_at = p.route * t.max_experts;
  const auto begin_of = [&](int e) { return e == 0 ? 0 : m.ends[ends_at + e - 1]; };
  int job = 0;
  for (int expert = 0; expert < p.n_experts;) {
    const int first_expert = expert;
    for (int slot = 0; expert < p.n_experts && slot < t.shape.n_slots; ++expert) {
      if (begin_of(expert) == m.ends[ends_at + expert]) continue;
      copy_rows_in(weights, p.weights, int64_t{expert} * p.n_out, p.stride, p.n_in, p.n_out, up_to_16(p.n_out),
                   [&](int n) { return (slot * kTileWidth + n) * kStride; });
      ++slot;
    }
    commit_copies();
    wait_copies<0>();
    sync_block();
    int slot = 0;
    for (int e = first_expert; e < expert; ++e) {
      const int end = m.ends[ends_at + e];
      int first = begin_of(e);
      if (first == end) continue;
      for (; first < end; first += kGroupRows, ++job) {
        if (job % kTileWarps != warp_index()) continue;
        const int n = end - first < kGroupRows ? end - first : kGroupRows;
        const GroupOperands<Number> group{
            rows, m.order, p.route * t.shape.n_rows + first, n, weights, slot * kTileWidth * kStride, p.n_in, p.n_out};
        typename GroupSumsOf<Math>::Type sums;
        sums.multiply(group);
        sync_warp();  // all lanes have read the rows
        epilogue(sums, group);
      }
      ++slot;
    }
    sync_block();
  }
}

/// The group's rows to global memory, by the whole warp after a sync_warp.
template <typename Number, typename To>
LOE_DEVICE void copy_group_out(const TileMemory& m, const GroupOperands<Number>& group, int n_columns,
                               const Buffer<To>& to, int stride) {
  constexpr int kStride = GroupOperands<Number>::kStride;
  if constexpr (sizeof(Number) == sizeof(To)) {
    constexpr int kPerCopy = 16 / static_cast<int>(sizeof(Number));
    constexpr int kCopies = kTileWidth / kPerCopy;
    for (int i = lane_index(); i < group.n * kCopies; i += kLanes) {
      const int k = i % kCopies * kPerCopy;
      if (k >= n_columns) continue;
      const int place = group.place(i / kCopies);
      store_16_bytes(to, (m.first + tile_place(place)) * stride + k, &group.rows[place * kStride + k]);
    }
  } else {
    for (int i = lane_index(); i < group.n * kTileWidth; i += kLanes) {
      const int k = i % kTileWidth;
      if (k >= n_columns) continue;
      const int place = group.place(i / kTileWidth);
      store(to[(m.first + tile_place(place)) * stride + k], number_of(group.rows[place * kStride + k]));
    }
  }
}

/// Above 0 as T?
template <typename T>
LOE_DEVICE bool is_above_0(float value) {
  T rounded;
  store(rounded, value);
  return number_of(rounded) > 0;
}

/// phi(sums + bias) of layer l: to the group's rows, or of the last layer to the outputs; with is_training the signs
/// and what the weight gradients will read.
template <typename F, typename B, bool is_training, typename Sums>
LOE_DEVICE void finish_values(const TileArguments<F, B>& t, const TileMemory& m, int l, const Sums& sums,
                              const GroupOperands<F>& group) {
  const TileLayer<F, B>& layer = t.layers[l];
  const bool is_last = l == t.n_layers - 1;
  uint32_t signs[Sums::kRows][2] = {};
  int places[Sums::kRows];
  LOE_UNROLL
  for (int i = 0; i < Sums::kRows; ++i) places[i] = group.place(Sums::row(i));
  sums.for_each([&](int i, int j, int column, float sum) {
    if (column >= up_to_16(layer.n_out) || Sums::row(i) >= group.n) return;
    const bool is_there = column < layer.n_out;
    float value = sum;
    if (layer.bias.data != nullptr && is_there) value += layer.bias[column];
    value = value > 0 ? value : layer.slope * value;
    if (!is_last) {
      store(group.rows[places[i] * GroupOperands<F>::kStride + column], is_there ? value : 0.0F);
    } else if (is_there) {
      const int64_t sample = m.first + tile_place(places[i]);
      t.outputs[sample * layer.n_out + column] = t.output_offset + t.output_scale * value;
    }
    const bool is_positive = is_last ? value > 0 : is_above_0<B>(value);
    signs[i][j / 4] |= static_cast<uint32_t>(is_positive) << column % 32;
  });
  if constexpr (is_training) {
    LOE_UNROLL
    for (int i = 0; i < Sums::kRows; ++i) {
      LOE_UNROLL
      for (int half = 0; half < 2; ++half) {
        LOE_UNROLL
        for (int mask = 1; mask < Sums::kSharing; mask *= 2) signs[i][half] |= shuffle_xor(signs[i][half], mask);
        const int at = 2 * (l * t.shape.n_rows + places[i]) + half;
        if (lane_index() % Sums::kSharing == 0 && Sums::row(i) < group.n) m.signs[at] = signs[i][half];
      }
    }
    sync_warp();
    if (!is_last) copy_group_out(m, group, layer.n_out, layer.values, layer.stride);
  }
}

/// The gradient of layer l's input, times phi' of the layer before it: to the group's rows and to that layer's grads.
template <typename F, typename B, typename Sums>
LOE_DEVICE void finish_gradients(const TileArguments<F, B>& t, const TileMemory& m, int l, const Sums& sums,
                                 const GroupOperands<B>& group) {
  const int n = t.layers[l].n_in;
  int places[Sums::kRows];
  LOE_UNROLL
  for (int i = 0; i < Sums::kRows; ++i) places[i] = group.place(Sums::row(i));
  if (l == 0) {
    sums.for_each([&](int i, int, int column, float sum) {
      if (column >= n || Sums::row(i) >= group.n) return;
      t.input_grads[(m.first + tile_place(places[i])) * t.input_stride + column] = sum;
    });
    return;
  }
  const TileLayer<F, B>& source = t.layers[l - 1];
  uint32_t signs[Sums::kRows][2];
  LOE_UNROLL
  for (int i = 0; i < Sums::kRows; ++i) {
    const int at = 2 * ((l - 1) * t.shape.n_rows + places[i]);
    signs[i][0] = m.signs[at];
    signs[i][1] = m.signs[at + 1];
  }
  sums.for_each([&](int i, int j, int column, float sum) {
    if (column >= up_to_16(n) || Sums::row(i) >= group.n) return;
    const bool is_positive = (signs[i][j / 4] >> column % 32 & 1U) != 0;
    store(group.rows[places[i] * GroupOperands<B>::kStride + column], is_positive ? sum : source.slope * sum);
  });
  sync_warp();
  copy_group_out(m, group, n, source.grads, source.stride);
}

/// The gradient of the last layer's sums, from outputs that the block has written, and the squared errors: a warp has
/// kLossRows rows, a lane each.
template <typename F, typename B>
LOE_DEVICE void start_gradients(const TileArguments<F, B>& t, const TileMemory& m) {
  static_assert(kLossRows == kLanes);
  constexpr int kStride = GroupOperands<B>::kStride;
  const auto rows = dynamic_memory<B>(0, t.shape.n_rows * kStride);
  const TileLayer<F, B>& head = t.layers[t.n_layers - 1];
  for (int chunk = warp_index() * kLossRows; chunk < m.n_rows; chunk += kTileThreads) {
    const int r = chunk + lane_index();
    const int place = tile_place(r);
    double sum = 0;
    for (int n = 0; r < m.n_rows && n < up_to_16(head.n_out); ++n) {
      B z;
      store(z, 0.0F);
      if (n < head.n_out) {
        const int64_t at = (m.first + r) * head.n_out + n;
        float gradient = 0;
        if (t.loss.is_mse) {
          const float error = t.outputs[at] - t.loss.targets[at];
          sum += static_cast<double>(error) * error;
          gradient = t.loss.gradient_scale * error;
        } else {
          gradient = t.loss.output_grads[at];
        }
        store(z, t.output_scale * gradient);
        const uint32_t signs = m.signs[2 * ((t.n_layers - 1) * t.shape.n_rows + place) + n / 32];
        if ((signs >> n % 32 & 1U) == 0) store(z, head.slope * number_of(z));
        head.grads[(m.first + r) * head.stride + n] = z;
      }
      rows[place * kStride + n] = z;
    }
    if (t.loss.is_mse) {
      for (int distance = kLanes / 2; distance > 0; distance /= 2) sum += shuffle_xor(sum, distance);
      if (lane_index() == 0) t.loss.error_sums[(m.first + chunk) / kLossRows] = sum;
    }
  }
}

/// kTileThreads; a block per tile, shape.n_bytes of dynamic memory. Forward, and with is_training back again.
template <typename ForwardMath, typename BackwardMath, bool is_training>
LOE_KERNEL_OF(kTileThreads, 2)
run_tile(LOE_CONSTANT TileArguments<typename ForwardMath::Number, typename BackwardMath::Number> t) {
  using F = typename ForwardMath::Number;
  using B = typename BackwardMath::Number;
  const TileMemory m(t);
  constexpr int kStride = GroupOperands<F>::kStride;
  copy_rows_in(dynamic_memory<F>(0, t.shape.n_rows * kStride), t.input, m.first, t.input_stride, t.layers[0].n_in,
               m.n_rows, m.n_rows, [](int r) { return tile_place(r) * kStride; });
  for (int route = warp_index(); route < t.n_routes; route += kTileWarps) sort_tile(t, m, route);
  sync_block();
  for (int l = 0; l < t.n_layers; ++l) {
    const TileLayer<F, B>& layer = t.layers[l];
    const TileProduct<F> product{layer.n_in,        layer.n_out, layer.n_experts,
                                 layer.read_stride, layer.route, layer.weights};
    multiply_tile<ForwardMath>(t, m, product, [&](const auto& sums, const GroupOperands<F>& group) {
      finish_values<F, B, is_training>(t, m, l, sums, group);
    });
  }
  if constexpr (is_training) {
    start_gradients(t, m);
    sync_block();
    for (int l = t.n_layers - 1; l >= (t.input_grads.data != nullptr ? 0 : 1); --l) {
      const TileLayer<F, B>& layer = t.layers[l];
      const TileProduct<B> product{layer.n_out,  layer.n_in,  layer.n_experts,
                                   layer.stride, layer.route, layer.transposed};
      multiply_tile<BackwardMath>(t, m, product, [&](const auto& sums, const GroupOperands<B>& group) {
        finish_gradients(t, m, l, sums, group);
      });
    }
  }
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
