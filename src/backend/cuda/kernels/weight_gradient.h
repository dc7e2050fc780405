// Gradients of a layer's weights and bias, and the update by Adam that uses them up.
//
// Every sum has one owner and one order. The rows of an expert are cut into `n_splits` ranges of equal length; a block
// sums 64 x 64 weights of one expert over one range; Adam adds the ranges in order. The cut depends on the batch and on
// n_splits, which the caller derives from the network, never from the device.
#pragma once

#include <cmath>
#include <limits>

#include "backend/cuda/kernels/block_product.h"
#include "loe/backend/adam.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// Device memory of a weight gradient.
template <typename Number>
struct WeightGradientArguments {
  int64_t n_samples = 0;
  int n_experts = 1;
  int n_in = 0;
  int n_out = 0;
  int x_stride = 0;
  int z_stride = 0;
  int n_splits = 1;
  bool adds = false;       ///< to partials that are there, of an earlier piece of the batch
  Buffer<const Number> x;  ///< [B, x_stride], the layer's input
  Buffer<const Number> z;  ///< [B, z_stride], dL/dsums of its outputs
  Buffer<const int> order;
  Buffer<const int> offsets;
  Buffer<float> partials;  ///< [n_splits, n_experts, n_out, n_in]
};

/// What a block of a weight gradient works on.
struct WeightTile {
  int split;
  int expert;
  int row;     ///< first of 64 outputs
  int column;  ///< first of 64 inputs
  int first;   ///< of its samples, in `order`
  int last;    ///< behind them
};

/// Expert and samples of range `index` of n_experts n_splits.
template <typename Number>
LOE_DEVICE WeightTile find_range(int index, const WeightGradientArguments<Number>& g) {
  WeightTile tile{};
  tile.expert = index % g.n_experts;
  tile.split = index / g.n_experts;
  const int begin = g.offsets[tile.expert];
  const int end = g.offsets[tile.expert + 1];
  const int per_split = (end - begin + g.n_splits - 1) / g.n_splits;
  tile.first = begin + tile.split * per_split;
  tile.first = tile.first < end ? tile.first : end;
  tile.last = tile.first + per_split < end ? tile.first + per_split : end;
  return tile;
}

template <typename Number>
LOE_DEVICE WeightTile find_weight_tile(const WeightGradientArguments<Number>& g) {
  const int n_columns = (g.n_in + kBlockSide - 1) / kBlockSide;
  const int n_rows = (g.n_out + kBlockSide - 1) / kBlockSide;
  WeightTile tile = find_range(block_index() / n_columns / n_rows, g);
  tile.column = block_index() % n_columns * kBlockSide;
  tile.row = block_index() / n_columns % n_rows * kBlockSide;
  return tile;
}

template <typename Sums, typename Number>
LOE_DEVICE void store_weights(const Sums& sums, const WeightTile& tile, const WeightGradientArguments<Number>& g) {
  const int64_t matrix = (int64_t{tile.split} * g.n_experts + tile.expert) * g.n_out;
  sums.for_each([&](int i, int j, float sum) {
    const int n = tile.row + i;
    const int k = tile.column + j;
    if (n >= g.n_out || k >= g.n_in) return;
    float& partial = g.partials[(matrix + n) * g.n_in + k];
    partial = g.adds ? partial + sum : sum;
  });
}

/// kPlainThreads.
LOE_KERNEL void sum_weight_gradients_plain(WeightGradientArguments<float> g) {
  LOE_SHARED SharedArray<float, kPlainDepth * kPlainStride> z;
  LOE_SHARED SharedArray<float, kPlainDepth * kPlainStride> x;
  const WeightTile tile = find_weight_tile(g);
  PlainSums sums;
  sums.clear();
  for (int first = tile.first; first < tile.last; first += kPlainDepth) {
    for (int i = thread_index(); i < kBlockSide * kPlainDepth; i += kPlainThreads) {
      const int side = i % kBlockSide;
      const int sample = first + i / kBlockSide;
      const int64_t row = sample < tile.last ? g.order[sample] : -1;
      const int at = i / kBlockSide * kPlainStride + side;
      z[at] = row >= 0 && tile.row + side < g.n_out ? g.z[row * g.z_stride + tile.row + side] : 0;
      x[at] = row >= 0 && tile.column + side < g.n_in ? g.x[row * g.x_stride + tile.column + side] : 0;
    }
    sync_block();
    sums.add(z, x);
    sync_block();
  }
  store_weights(sums, tile, g);
}

/// kMatrixThreads.
template <typename Number>
LOE_KERNEL void sum_weight_gradients(WeightGradientArguments<Number> g) {
  using Place = Operand<Number, true>;
  constexpr int kPerCopy = 16 / static_cast<int>(sizeof(Number));
  constexpr int kCopiesPerRow = kBlockSide / kPerCopy;
  LOE_SHARED SharedArray<Number, 2 * Place::kSize> z;
  LOE_SHARED SharedArray<Number, 2 * Place::kSize> x;
  const WeightTile tile = find_weight_tile(g);
  const auto n_valid = [](int n_left) { return n_left < 0 ? 0 : n_left < kPerCopy ? n_left : kPerCopy; };
  const auto load = [&](int turn) {
    const int offset = turn % 2 * Place::kSize;
    for (int i = thread_index(); i < kMatrixDepth * kCopiesPerRow; i += kMatrixThreads) {
      const int k = i / kCopiesPerRow;
      const int side = i % kCopiesPerRow * kPerCopy;
      const int sample = tile.first + turn * kMatrixDepth + k;
      const int64_t row = sample < tile.last ? g.order[sample] : -1;
      const int at = offset + Place::at(side, k);
      copy_16_bytes(&z[at], g.z, row * g.z_stride + tile.row + side, row >= 0 ? n_valid(g.n_out - tile.row - side) : 0);
      copy_16_bytes(&x[at], g.x, row * g.x_stride + tile.column + side,
                    row >= 0 ? n_valid(g.n_in - tile.column - side) : 0);
    }
  };
  const int n_turns = (tile.last - tile.first + kMatrixDepth - 1) / kMatrixDepth;
  MatrixSums<Number, true> sums;
  sums.clear();
  if (n_turns > 0) load(0);
  commit_copies();
  for (int turn = 0; turn < n_turns; ++turn) {
    if (turn + 1 < n_turns) load(turn + 1);
    commit_copies();
    wait_copies<1>();
    sync_block();
    sums.add(z, x, turn % 2 * Place::kSize);
    sync_block();
  }
  store_weights(sums, tile, g);
}

template <typename Math>
void find_weight_gradients(const Stream& stream, const WeightGradientArguments<typename Math::Number>& g) {
  const auto blocks_of = [](int n) { return (int64_t{n} + kBlockSide - 1) / kBlockSide; };
  const int64_t n_tiles = blocks_of(g.n_out) * blocks_of(g.n_in) * g.n_experts * g.n_splits;
  if constexpr (Math::kIsPlain) {
    launch(stream, n_tiles, kPlainThreads, sum_weight_gradients_plain, g);
  } else {
    launch(stream, n_tiles, kMatrixThreads, sum_weight_gradients<typename Math::Number>, g);
  }
}

/// Rows whose gradients one thread of the bias adds.
inline constexpr int kBiasRows = 1024;
inline constexpr int kBiasThreads = 64;

/// partials [n_chunks, n_out] += sums of z over chunks of kBiasRows samples, which share the bias whatever their
/// expert.
template <typename Number>
LOE_KERNEL void sum_bias_gradients(int64_t n_samples, int n_out, int z_stride, Buffer<const Number> z,
                                   Buffer<float> partials) {
  const int n_columns = (n_out + kBiasThreads - 1) / kBiasThreads;
  const int64_t chunk = block_index() / n_columns;
  const int n = block_index() % n_columns * kBiasThreads + thread_index();
  if (n >= n_out) return;
  const int64_t end = (chunk + 1) * kBiasRows < n_samples ? (chunk + 1) * kBiasRows : n_samples;
  float sum = 0;
  for (int64_t row = chunk * kBiasRows; row < end; ++row) sum += number_of(z[row * z_stride + n]);
  partials[chunk * n_out + n] += sum;
}

#ifdef __CUDACC__
__host__ __device__
#endif
    constexpr int64_t
    n_bias_chunks(int64_t n_samples) {
  return (n_samples + kBiasRows - 1) / kBiasRows;
}

template <typename Number>
void find_bias_gradients(const Stream& stream, int64_t n_samples, int n_out, int z_stride, const Number* z,
                         float* partials) {
  const int64_t n_chunks = n_bias_chunks(n_samples);
  launch(stream, n_chunks * ((n_out + kBiasThreads - 1) / kBiasThreads), kBiasThreads, sum_bias_gradients<Number>,
         n_samples, n_out, z_stride, Buffer<const Number>(z, n_samples * z_stride),
         Buffer<float>(partials, n_chunks * n_out));
}

/// Where a layer's weights lie in the products' matrices. Without blending that of expert e is row (e, n) of
/// [n_experts, n_out, n_in]; a blended layer's are [cells, n_out, n_blended * segment], and every weight is in one
/// place per corner: expert e is corner c of cell `cells[c * n_experts + e]`.
struct WeightPlaces {
  int n_experts;
  int n_in;
  int n_out;
  int n_blended;
  int segment;
  Buffer<const int> cells;  ///< [n_blended, n_experts]; empty if n_blended is 1

  LOE_METHOD int width() const { return n_blended == 1 ? n_in : n_blended * segment; }
  /// body(matrix, row, column) for each place of weight i of [n_experts, n_out, n_in].
  template <typename Body>
  LOE_METHOD void for_each(int64_t i, const Body& body) const {
    const auto k = static_cast<int>(i % n_in);
    const auto n = static_cast<int>(i / n_in % n_out);
    const auto e = static_cast<int>(i / n_in / n_out);
    if (n_blended == 1) {
      body(e, n, k);
      return;
    }
    for (int c = 0; c < n_blended; ++c) body(cells[c * n_experts + e], n, c * segment + k);
  }
};

/// The gradient of parameter i as the sum, in order, of what lies in partials.
struct WeightGradient {
  WeightPlaces places;
  int64_t n_splits;
  Buffer<const float> partials;  ///< [n_splits, matrices, n_out, width]
  LOE_METHOD float operator()(int64_t i) const {
    const int64_t size = int64_t{places.n_experts} * places.n_out * places.width();
    float sum = 0;
    places.for_each(i, [&](int matrix, int n, int k) {
      const int64_t at = (int64_t{matrix} * places.n_out + n) * places.width() + k;
      for (int64_t split = 0; split < n_splits; ++split) sum += partials[split * size + at];
    });
    return sum;
  }
};
/// Of a bias, or of anything with a partial per parameter: partials [n_partials, n].
struct PlainGradient {
  int64_t n;
  int64_t n_partials;
  Buffer<const float> partials;
  LOE_METHOD float operator()(int64_t i) const {
    float sum = 0;
    for (int64_t k = 0; k < n_partials; ++k) sum += partials[k * n + i];
    return sum;
  }
};

/// The copies of weights that products read: [matrices, n_out, stride] and, for the input's gradient, transposed
/// [matrices, width, transposed_stride]. What is behind a row's end is left as it is.
template <typename Forward, typename Backward>
struct WeightCopies {
  WeightPlaces places;
  int stride;
  int transposed_stride;
  Buffer<Forward> weights;
  Buffer<Backward> transposed;
  LOE_METHOD void operator()(int64_t i, float theta) const {
    places.for_each(i, [&](int matrix, int n, int k) {
      store(weights[(int64_t{matrix} * places.n_out + n) * stride + k], theta);
      store(transposed[(int64_t{matrix} * places.width() + k) * transposed_stride + n], theta);
    });
  }
};
/// A bias is read as it is.
struct NoCopies {
  LOE_METHOD void operator()(int64_t, float) const {}
};

inline constexpr int kAdamThreads = 256;

/// What lies in device memory for the kernels of an update, so that they can be replayed with other numbers.
struct UpdateBuffers {
  Buffer<const AdamScalars> scalars;  ///< [1]
  Buffer<const double> loss;          ///< [1]; nothing is changed unless it is finite
};

/// Updates parameters, and their copies, by Adam.
template <typename Copies>
struct ParamUpdate {
  UpdateBuffers update;
  Buffer<float> params;
  Buffer<float> adam_m;
  Buffer<float> adam_v;
  Copies copies;
  LOE_METHOD void operator()(int64_t i, float gradient) const {
    if (!(fabs(update.loss[0]) < std::numeric_limits<double>::infinity())) return;
    adam_update(update.scalars[0], gradient, params[i], adam_m[i], adam_v[i]);
    copies(i, params[i]);
  }
};

/// The numbers of an update of an embedding's tables.
struct TableScalars {
  AdamScalars adam;
  bool skips_zeros = false;
};

/// Updates an embedding's tables by Adam.
struct TableUpdate {
  Buffer<const TableScalars> scalars;  ///< [1]
  Buffer<const double> loss;           ///< [1]; nothing is changed unless it is finite
  Buffer<float> params;
  Buffer<float> adam_m;
  Buffer<float> adam_v;
  LOE_METHOD void operator()(int64_t i, float gradient) const {
    if (!(fabs(loss[0]) < std::numeric_limits<double>::infinity())) return;
    if (gradient == 0 && scalars[0].skips_zeros) return;
    adam_update(scalars[0].adam, gradient, params[i], adam_m[i], adam_v[i]);
  }
};

template <typename Gradient, typename Update>
LOE_KERNEL void update_params(int64_t n, Gradient gradient, Update update) {
  const int64_t i = int64_t{block_index()} * kAdamThreads + thread_index();
  if (i < n) update(i, gradient(i));
}

/// One update of n parameters.
template <typename Gradient, typename Update>
void update_by_adam(const Stream& stream, int64_t n, const Gradient& gradient, const Update& update) {
  launch(stream, (n + kAdamThreads - 1) / kAdamThreads, kAdamThreads, update_params<Gradient, Update>, n, gradient,
         update);
}

/// grads [n] = the gradient.
template <typename Gradient>
LOE_KERNEL void collect_gradient(int64_t n, Gradient gradient, Buffer<float> grads) {
  const int64_t i = int64_t{block_index()} * kAdamThreads + thread_index();
  if (i < n) grads[i] = gradient(i);
}
template <typename Gradient>
void write_gradient(const Stream& stream, int64_t n, const Gradient& gradient, float* grads) {
  launch(stream, (n + kAdamThreads - 1) / kAdamThreads, kAdamThreads, collect_gradient<Gradient>, n, gradient,
         Buffer<float>(grads, n));
}

/// The copies of n parameters.
template <typename Copies>
LOE_KERNEL void copy_params(int64_t n, Buffer<const float> params, Copies copies) {
  const int64_t i = int64_t{block_index()} * kAdamThreads + thread_index();
  if (i < n) copies(i, params[i]);
}
template <typename Copies>
void write_copies(const Stream& stream, int64_t n, const float* params, const Copies& copies) {
  launch(stream, (n + kAdamThreads - 1) / kAdamThreads, kAdamThreads, copy_params<Copies>, n,
         Buffer<const float>(params, n), copies);
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
