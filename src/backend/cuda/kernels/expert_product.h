// Rows times the matrices of their experts, gathered and put back through the list of rows: the forward pass of a layer
// and, with transposed matrices, the gradient of its input.
//
//   y[row][n] = epilogue(sum_k W_e[n][k] x[row][k]), e the expert of the row
#pragma once

#include "backend/cuda/kernels/block_product.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// Rows of one expert that a block computes; sort_by_expert's tile_rows.
inline constexpr int kTileRows = kBlockSide;

/// Sizes in elements. Rows of matrix instructions' operands start at multiples of 16 bytes.
struct ProductShape {
  int64_t n_samples = 0;
  int n_experts = 1;
  int n_in = 0;
  int n_out = 0;
  int n_rows = 0;  ///< of one expert's matrix; n_out, or more if only its first rows are wanted
  int x_stride = 0;
  int w_stride = 0;
  int y_stride = 0;
};

/// Device memory of a product.
template <typename Number, typename Out>
struct ProductArguments {
  ProductShape shape;
  Buffer<const Number> x;        ///< [B, x_stride]
  Buffer<const Number> weights;  ///< [n_experts, n_rows, w_stride]
  Buffer<const int> order;       ///< [B], from sort_by_expert as the next two
  Buffer<const int> offsets;
  Buffer<const int> tile_offsets;
  Buffer<Out> y;  ///< [B, y_stride]
};

/// phi(sum + bias + residual): phi(v) = v > 0 ? v : slope v, the identity with slope 1.
template <typename Number>
struct LayerEpilogue {
  Buffer<const float> bias;        ///< [n_out]; empty: none
  Buffer<const Number> residuals;  ///< [B, stride], an earlier layer's values; empty: none
  int stride;
  float slope;
  LOE_METHOD float operator()(float sum, int64_t row, int n) const {
    float value = sum;
    if (bias.data != nullptr) value += bias[n];
    if (residuals.data != nullptr) value += number_of(residuals[row * stride + n]);
    return value > 0 ? value : slope * value;
  }
};

/// The gradient of a layer's values: sum, on top of what other readers of that layer left there; where the layer is
/// read only once, times phi'(values) at once, which makes it the gradient of its sums.
template <typename Number, typename Out>
struct GradientEpilogue {
  Buffer<const Number> values;  ///< [B, stride]; empty: not yet times phi'
  int stride;
  float slope;
  Buffer<const Out> before;  ///< [B, before_stride]; empty: nothing is there
  int before_stride;
  LOE_METHOD float operator()(float sum, int64_t row, int n) const {
    float value = sum;
    if (before.data != nullptr) value += number_of(before[row * before_stride + n]);
    if (values.data != nullptr && !(number_of(values[row * stride + n]) > 0)) value *= slope;
    return value;
  }
};

/// What a block of a product works on. Blocks beyond the last tile have none: how many tiles there are is known on the
/// device only.
struct ProductTile {
  int expert = -1;
  int first = 0;  ///< in `order`
  int n_rows = 0;
  int column = 0;  ///< first of 64 outputs
};

/// The rows of tile `index` of all.
LOE_DEVICE ProductTile find_rows(int index, int n_experts, const Buffer<const int>& offsets,
                                 const Buffer<const int>& tile_offsets) {
  ProductTile tile;
  if (index >= tile_offsets[n_experts]) return tile;
  int low = 0;
  int high = n_experts - 1;
  while (low < high) {  // the last expert whose tiles begin at or before this one, and which has any
    const int middle = (low + high + 1) / 2;
    if (tile_offsets[middle] <= index) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  tile.expert = low;
  tile.first = offsets[low] + (index - tile_offsets[low]) * kTileRows;
  const int left = offsets[low + 1] - tile.first;
  tile.n_rows = left < kTileRows ? left : kTileRows;
  return tile;
}

LOE_DEVICE ProductTile find_tile(int n_experts, int n_out, const Buffer<const int>& offsets,
                                 const Buffer<const int>& tile_offsets) {
  const int n_columns = (n_out + kBlockSide - 1) / kBlockSide;
  // Neighbouring blocks read the same rows of x.
  ProductTile tile = find_rows(block_index() / n_columns, n_experts, offsets, tile_offsets);
  tile.column = block_index() % n_columns * kBlockSide;
  return tile;
}

template <typename Rows>
LOE_DEVICE void load_rows(Rows& rows, const Buffer<const int>& order, const ProductTile& tile) {
  if (thread_index() < kTileRows) {
    rows[thread_index()] = thread_index() < tile.n_rows ? order[tile.first + thread_index()] : -1;
  }
  sync_block();
}

template <typename Sums, typename Rows, typename Number, typename Out, typename Epilogue>
LOE_DEVICE void store_sums(const Sums& sums, Rows& rows, const ProductTile& tile,
                           const ProductArguments<Number, Out>& product, const Epilogue& epilogue) {
  sums.for_each([&](int i, int j, float sum) {
    const int n = tile.column + j;
    if (i >= tile.n_rows || n >= product.shape.n_out) return;
    const int64_t row = rows[i];
    store(product.y[row * product.shape.y_stride + n], epilogue(sum, row, n));
  });
}

/// kPlainThreads.
template <typename Epilogue>
LOE_KERNEL void multiply_rows_plain(ProductArguments<float, float> product, Epilogue epilogue) {
  LOE_SHARED SharedArray<int, kTileRows> rows;
  LOE_SHARED SharedArray<float, kPlainDepth * kPlainStride> x;
  LOE_SHARED SharedArray<float, kPlainDepth * kPlainStride> w;
  const ProductShape& shape = product.shape;
  const ProductTile tile = find_tile(shape.n_experts, shape.n_out, product.offsets, product.tile_offsets);
  if (tile.expert < 0) return;
  load_rows(rows, product.order, tile);
  PlainSums sums;
  sums.clear();
  for (int first = 0; first < shape.n_in; first += kPlainDepth) {
    for (int i = thread_index(); i < kBlockSide * kPlainDepth; i += kPlainThreads) {
      const int side = i / kPlainDepth;
      const int k = first + i % kPlainDepth;
      const int at = i % kPlainDepth * kPlainStride + side;
      const int64_t row = rows[side];
      const int64_t matrix_row = int64_t{tile.expert} * shape.n_rows + tile.column + side;
      x[at] = row >= 0 && k < shape.n_in ? product.x[row * shape.x_stride + k] : 0;
      w[at] = tile.column + side < shape.n_out && k < shape.n_in ? product.weights[matrix_row * shape.w_stride + k] : 0;
    }
    sync_block();
    sums.add(x, w);
    sync_block();
  }
  store_sums(sums, rows, tile, product, epilogue);
}

/// kMatrixThreads. Operands are copied a turn ahead.
template <typename Number, typename Out, typename Epilogue>
LOE_KERNEL void multiply_rows(ProductArguments<Number, Out> product, Epilogue epilogue) {
  using Place = Operand<Number, false>;
  constexpr int kPerCopy = 16 / static_cast<int>(sizeof(Number));
  constexpr int kCopiesPerRow = kMatrixDepth / kPerCopy;
  LOE_SHARED SharedArray<int, kTileRows> rows;
  LOE_SHARED SharedArray<Number, 2 * Place::kSize> x;
  LOE_SHARED SharedArray<Number, 2 * Place::kSize> w;
  const ProductShape& shape = product.shape;
  const ProductTile tile = find_tile(shape.n_experts, shape.n_out, product.offsets, product.tile_offsets);
  if (tile.expert < 0) return;
  load_rows(rows, product.order, tile);
  const auto load = [&](int turn) {
    const int offset = turn % 2 * Place::kSize;
    for (int i = thread_index(); i < kBlockSide * kCopiesPerRow; i += kMatrixThreads) {
      const int side = i / kCopiesPerRow;
      const int k = turn * kMatrixDepth + i % kCopiesPerRow * kPerCopy;
      const int n_left = shape.n_in - k;
      const int n_valid = n_left < 0 ? 0 : n_left < kPerCopy ? n_left : kPerCopy;
      const int at = offset + Place::at(side, k % kMatrixDepth);
      const int64_t row = rows[side];
      const int64_t matrix_row = int64_t{tile.expert} * shape.n_rows + tile.column + side;
      copy_16_bytes(&x[at], product.x, row * shape.x_stride + k, row >= 0 ? n_valid : 0);
      copy_16_bytes(&w[at], product.weights, matrix_row * shape.w_stride + k,
                    tile.column + side < shape.n_out ? n_valid : 0);
    }
  };
  const int n_turns = (shape.n_in + kMatrixDepth - 1) / kMatrixDepth;
  MatrixSums<Number, false> sums;
  sums.clear();
  load(0);
  commit_copies();
  for (int turn = 0; turn < n_turns; ++turn) {
    if (turn + 1 < n_turns) load(turn + 1);
    commit_copies();
    wait_copies<1>();
    sync_block();
    sums.add(x, w, turn % 2 * Place::kSize);
    sync_block();
  }
  store_sums(sums, rows, tile, product, epilogue);
}

/// y by Math (PlainF32, Tf32, Bf16Products) of a batch sorted by expert.
template <typename Math, typename Number, typename Out, typename Epilogue>
void multiply_by_experts(const Stream& stream, const ProductArguments<Number, Out>& product, const Epilogue& epilogue) {
  const ProductShape& shape = product.shape;
  const int64_t n_columns = (shape.n_out + kBlockSide - 1) / kBlockSide;
  // At most: every expert's last tile may be partial.
  const int64_t n_tiles = shape.n_samples / kTileRows + shape.n_experts;
  if constexpr (Math::kIsPlain) {
    launch(stream, n_tiles * n_columns, kPlainThreads, multiply_rows_plain<Epilogue>, product, epilogue);
  } else {
    launch(stream, n_tiles * n_columns, kMatrixThreads, multiply_rows<Number, Out, Epilogue>, product, epilogue);
  }
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
