// The micro-kernels of the CPU backend as plain function pointers: one table per instruction set.
// Everything that knows about networks, tiles or threads is outside this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/cpu/isa/narrow.h"
#include "loe/backend/adam.h"

namespace loe::cpu {

/// bfloat16 as stored: the upper half of an f32, rounded to nearest even.
using bf16 = uint16_t;

/// Widths of activations, gradients and packed weights are padded to a multiple of this: one 512-bit vector of f32.
inline constexpr int kPadding = 16;

/// Rows that one weight-gradient block reduces: more rows amortise loading and storing the sums (32 rows: 77 GF, 64:
/// 83, 128: 90, 192: 97 of 113 for 256 x 256 in f32 on Zen 4).
inline constexpr int kGradRows = 192;

enum class Epilogue : uint8_t {
  Store,      ///< c = sum
  BiasLeaky,  ///< c = max(v, slope v), v = sum + bias; slope 1 is the identity, 0 is ReLU
  AddLeaky,   ///< the same with v = sum + bias + mask: a residual connection
  MaskLeaky,  ///< c = sum * (mask > 0 ? 1 : slope): backward of LeakyRelu, its sign read from the stored output
  Multiply,   ///< c = sum * mask: backward of any other activation, its derivative left there; mask may be c itself
};

/// The sums of these start from the bias.
inline bool has_bias(Epilogue epilogue) {
  return epilogue == Epilogue::BiasLeaky || epilogue == Epilogue::AddLeaky;
}

/// C[row] = epilogue(sum over segments s, depth k of A[row][s * k_depth + k] * B_s[k][:]).
///
/// Rows are reached through an index list, so the rows of one expert need not be contiguous ("gather for free"):
/// A is broadcast element by element against packed B.
/// B_s is packed in panels of KernelTable::panel columns: [panel][depth][column], bf16: [panel][depth / 2][column][2].
struct GemmArgs {
  const void* a = nullptr;
  int64_t a_stride = 0;            ///< in elements
  const uint16_t* rows = nullptr;  ///< rows of C and A, unless one of them is compact; nullptr: 0, 1, 2, ...
  int n_rows = 0;
  bool a_compact = false;  ///< row i of the list reads A row i
  bool c_compact = false;  ///< row i of the list writes C row i
  int n_segments = 1;
  int depth = 0;                   ///< of one segment; bf16: even
  const void* const* b = nullptr;  ///< [n_segments]
  int n = 0;                       ///< outputs, multiple of kPadding
  const float* bias = nullptr;     ///< [n], BiasLeaky and AddLeaky only
  Epilogue epilogue = Epilogue::Store;
  float slope = 1;
  float* c32 = nullptr;  ///< either or both of c32 and c16
  bf16* c16 = nullptr;
  int64_t c_stride = 0;           ///< in elements, of both
  const float* mask32 = nullptr;  ///< one of them for AddLeaky, MaskLeaky and Multiply
  const bf16* mask16 = nullptr;
  int64_t mask_stride = 0;
  const void* next_b = nullptr;  ///< weights that the next call starts with; prefetched if given
};

/// D[i][j] += sum over rows r, in order, of X[r][i] * Z[r][j]. One chain of fused multiply-adds per element, so that
/// the split of the rows into calls does not change a bit.
struct GradArgs {
  const float* const* x = nullptr;  ///< [n_rows] pointers to m values
  const float* const* z = nullptr;  ///< [n_rows] pointers to n values
  int n_rows = 0;
  int m = 0;
  int n = 0;             ///< multiple of kPadding
  float* d = nullptr;    ///< [m, n]
  int64_t d_stride = 0;  ///< in elements
};

/// The same for bf16 operands in row pairs: X packed [pair][m_padded][2], Z packed [pair][n][2] (see pack_pairs).
struct GradPairsArgs {
  const bf16* x = nullptr;
  int64_t x_stride = 0;  ///< elements between pairs
  const bf16* z = nullptr;
  int64_t z_stride = 0;
  int n_pairs = 0;
  int m = 0;
  int n = 0;
  float* d = nullptr;
  int64_t d_stride = 0;
};

/// y[i] = sin(omega x[i]) and dy[i] = omega cos(omega x[i]), each as f32, bf16, both or (null) not at all.
///
/// Error of sine and cosine: at most 3 units of 2^-24 for |omega x| up to 39,000 (Highway's vector functions, measured
/// 2.4); vectors with a larger argument, an infinity or a NaN go through the C library one by one. The product omega x
/// is rounded to f32 before, as activate<float>() does.
struct SineArgs {
  const float* x = nullptr;
  float omega = 1;
  int n = 0;             ///< multiple of kPadding
  float* y32 = nullptr;  ///< may be x
  bf16* y16 = nullptr;
  float* dy32 = nullptr;
  bf16* dy16 = nullptr;
};

/// y[i] = tanh(x[i]) and dy[i] = 1 - y[i]^2, as SineArgs. Error of y: at most 4 units in the last place (Highway's
/// vector function).
struct TanhArgs {
  const float* x = nullptr;
  int n = 0;             ///< multiple of kPadding
  float* y32 = nullptr;  ///< may be x
  bf16* y16 = nullptr;
  float* dy32 = nullptr;
  bf16* dy16 = nullptr;
};

/// A layer of few outputs over the rows of one expert, as dot products. x is f32 or bf16, everything else f32.
struct HeadArgs {
  const uint16_t* rows = nullptr;
  int n_rows = 0;
  int k = 0;
  int n_out = 0;
  const void* x = nullptr;  ///< row r: x + r * x_stride, k numbers
  int64_t x_stride = 0;
  const float* w = nullptr;  ///< [n_out][w_stride]
  int64_t w_stride = 0;
  const float* bias = nullptr;
  float* y = nullptr;  ///< outputs, or their gradient; row r, or with y_compact the i-th of the list: n_out numbers
  int64_t y_stride = 0;
  bool y_compact = false;
  float* dx = nullptr;  ///< gradient of the inputs: row r, k numbers
  int64_t dx_stride = 0;
  float* d = nullptr;  ///< gradient of the weights [n_out][d_stride]
  int64_t d_stride = 0;
};

/// The levels of a grid with pairs of features in 2-D or 3-D, a column per level; columns up to a multiple of
/// kGridPadding are there, for levels with one cell of zeros.
struct GridLevels {
  int n_dims = 0;
  int n_levels = 0;
  int stride = 0;                         ///< columns from one axis to the next
  const float* cells = nullptr;           ///< [n_dims][stride] s_d
  const float* last = nullptr;            ///< [n_dims][stride] R_d - 1, at least 1
  const uint32_t* step = nullptr;         ///< [n_dims][stride] of an entry, or the hash's prime; axis 0: 1
  const uint32_t* mask = nullptr;         ///< [stride] n_entries - 1 of a hashed level, all ones of a dense one
  const uint32_t* first_entry = nullptr;  ///< [stride]
};
inline constexpr int kGridPadding = 16;

/// out[row] = features of all levels at coords[row], and up to kGridPadding numbers of no meaning behind them.
struct GridFeaturesArgs {
  const GridLevels* levels = nullptr;
  const float* coords = nullptr;  ///< [n, n_dims]
  int n = 0;
  const float* table = nullptr;  ///< [entries of all levels, 2]
  float* out = nullptr;
  int64_t out_stride = 0;
};

/// sums[entry] += coefficient * grads[row] for one level, row by row, corner by corner.
struct GridGradientArgs {
  const GridLevels* levels = nullptr;
  int level = 0;
  const float* coords = nullptr;  ///< [n, n_dims]; readable up to a multiple of kGridPadding rows
  const float* grads = nullptr;   ///< of the level's features: row i at i * grads_stride, 2 numbers
  int64_t grads_stride = 0;
  int n = 0;
  float* sums = nullptr;  ///< [entries of all levels, 2]
};

struct KernelTable {
  std::string isa;  ///< "avx512bf16", "avx512", "avx2", "sse4", "neon", ...
  int panel = 0;    ///< columns of a packed panel
  std::string gemm_f32_name;
  std::string gemm_bf16_name;

  void (*gemm_f32)(const GemmArgs&) = nullptr;
  void (*gemm_bf16)(const GemmArgs&) = nullptr;
  void (*grad_f32)(const GradArgs&) = nullptr;
  void (*grad_bf16)(const GradPairsArgs&) = nullptr;
  /// out[(r / 2)][i][r % 2] = rows[r][i] for i < n (multiple of 2); n_rows even.
  void (*pack_pairs)(const bf16* const* rows, int n_rows, int n, bf16* out, int64_t out_stride) = nullptr;

  /// y[o] += sum_k a[k] w[o * w_stride + k], for few outputs. a is f32 or bf16.
  void (*dot_f32)(const float* a, const float* w, int64_t w_stride, int k, int n_out, float* y) = nullptr;
  void (*dot_bf16)(const bf16* a, const float* w, int64_t w_stride, int k, int n_out, float* y) = nullptr;
  /// y = bias + x w^T;  dx = y w;  d += y^T x, row by row
  void (*head_forward_f32)(const HeadArgs&) = nullptr;
  void (*head_forward_bf16)(const HeadArgs&) = nullptr;
  void (*head_input_gradient)(const HeadArgs&) = nullptr;
  void (*head_gradient_f32)(const HeadArgs&) = nullptr;
  void (*head_gradient_bf16)(const HeadArgs&) = nullptr;
  /// y[i] += scale * x[i]
  void (*axpy_f32)(float scale, const float* x, int n, float* y) = nullptr;
  void (*axpy_bf16)(float scale, const bf16* x, int n, float* y) = nullptr;
  /// y[i] = scale * x[i]
  void (*scale_f32)(float scale, const float* x, int n, float* y) = nullptr;
  void (*scale_bf16)(float scale, const bf16* x, int n, bf16* y) = nullptr;
  /// y[i] = sum over rows r, in order, of scales[r] * rows[r][i], added to y[i] if `adds`.
  void (*weighted_rows)(const float* const* rows, const float* scales, int n_rows, int n, bool adds,
                        float* y) = nullptr;
  /// out = dx * (y > 0 ? 1 : slope), into f32 or bf16: y and out have the same type. n multiple of kPadding.
  void (*mask_leaky_f32)(const float* dx, const float* y, float slope, int n, float* out) = nullptr;
  void (*mask_leaky_bf16)(const float* dx, const bf16* y, float slope, int n, bf16* out) = nullptr;
  /// out = dx * factor; factor and out have the same type and may be the same row. n multiple of kPadding.
  void (*multiply_f32)(const float* dx, const float* factor, int n, float* out) = nullptr;
  void (*multiply_bf16)(const float* dx, const bf16* factor, int n, bf16* out) = nullptr;
  void (*sine)(const SineArgs&) = nullptr;
  void (*tanh)(const TanhArgs&) = nullptr;
  void (*to_bf16)(const float* x, int n, bf16* y) = nullptr;
  void (*adam)(const AdamScalars&, const float* grad, int64_t n, float* params, float* m, float* v) = nullptr;
  /// The same, and copy = params; grad becomes 0. skips_zeros: numbers without a gradient stay as they are.
  void (*adam_of_table)(const AdamScalars&, bool skips_zeros, float* grad, int64_t n, float* params, float* m, float* v,
                        float* copy) = nullptr;
  /// Null on machines without vectors.
  void (*grid_features)(const GridFeaturesArgs&) = nullptr;
  void (*grid_gradient)(const GridGradientArgs&) = nullptr;
  /// out[c][r] = in[r][c]
  void (*transpose)(const float* in, int64_t in_stride, int n_rows, int n_cols, float* out,
                    int64_t out_stride) = nullptr;
  NarrowKernels narrow;
};

/// Tables of this build that this machine can run, best first. The last is the portable one.
const std::vector<KernelTable>& kernel_tables();
/// Replaces the bf16 kernels by native ones (isa/avx512bf16.cpp); false if this CPU or build has none.
bool add_native_bf16(KernelTable& table);

}  // namespace loe::cpu
