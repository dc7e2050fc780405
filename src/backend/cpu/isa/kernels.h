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
/// The same where products are so fast that the sums' way to L2 and back costs as much (KernelTable::has_long_groups).
inline constexpr int kLongGradRows = 512;

inline int round_up(int value, int multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// How a matrix of weights is packed: panels of `columns` columns, in f32 [depth][column], in bf16 [depth /
/// 2][column][2]. The depth is padded to depth_multiple with zeros.
struct PanelLayout {
  int columns = 0;
  int depth_multiple = 1;
};

/// A matrix of weights on its way into panels of bf16: element (k, j) = source[k * k_stride + j * j_stride], one of the
/// strides 1.
struct PackArgs {
  const float* source = nullptr;
  int64_t k_stride = 1;
  int64_t j_stride = 1;
  int n_k = 0;
  int n_j = 0;
  int depth = 0;         ///< n_k, padded as the layout says
  int n = 0;             ///< n_j, padded to kPadding
  int columns = 0;       ///< of a panel
  bool is_rest = false;  ///< what rounding to bf16 leaves of each number, instead of the number
  bf16* out = nullptr;   ///< [depth * n]; what stands for k >= n_k or j >= n_j is left as it is
};

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

/// Rows of a list up to `end` that have weights of their own.
struct RowGroup {
  int end = 0;
  const void* b = nullptr;
};

/// C[row] = epilogue(sum over segments s, depth k of A[row][s * k_depth + k] * B_s[k][:]).
///
/// Rows are reached through an index list, so the rows of one expert need not be contiguous: most kernels broadcast A
/// element by element against packed B ("gather for free"), tile instructions copy some rows of A first.
/// B_s is packed as KernelTable::panels_f32 or panels_bf16 say.
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
  /// [n_groups], where KernelTable::takes_groups: ascending, the last ends at n_rows; in place of b. n_segments is 1.
  const RowGroup* groups = nullptr;
  int n_groups = 0;
  int n = 0;                    ///< outputs, multiple of kPadding
  const float* bias = nullptr;  ///< [n], BiasLeaky and AddLeaky only
  Epilogue epilogue = Epilogue::Store;
  float slope = 1;
  float* c32 = nullptr;  ///< either or both of c32 and c16
  bf16* c16 = nullptr;
  int64_t c_stride = 0;           ///< in elements, of both
  const float* mask32 = nullptr;  ///< one of them for AddLeaky, MaskLeaky and Multiply
  const bf16* mask16 = nullptr;
  int64_t mask_stride = 0;
  const void* next_b = nullptr;  ///< weights that the next call starts with; prefetched if given
  bool is_far = false;           ///< rows do not stay in L2 from one layer to the next: worth asking for them ahead
  void* scratch = nullptr;       ///< KernelTable::scratch_bytes(n_segments * depth) bytes; bf16 only
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

/// The same for bf16 rows and one expert's sums, packed as the instruction set likes.
///
/// X has a column of ones behind its n_in values: the bias gradient is the row (or column) n_in of the sums. Which rows
/// share a rounding is fixed: blocks of KernelTable::grad_row_multiple rows from the first on.
struct GradRowsArgs {
  const bf16* const* x = nullptr;  ///< [n_rows] pointers to n_in values and a one, readable to a multiple of kPadding
  const bf16* const* z = nullptr;  ///< [n_rows] pointers to n values
  int n_rows = 0;                  ///< multiple of KernelTable::grad_row_multiple: the caller adds rows of zeros
  int n_in = 0;
  int column = 0;           ///< first output of the call
  int n = 0;                ///< outputs of the call, multiple of kPadding
  int n_padded = 0;         ///< outputs of the layer
  float* d = nullptr;       ///< the expert's sums, see GradOrder
  bf16* scratch = nullptr;  ///< grad_scratch_size(n_rows, n_in, n) elements
  bool is_far = false;      ///< rows and sums come from beyond L2: worth asking for them ahead
  /// What the next call takes, as x and z; may be prefetched.
  const bf16* const* next_x = nullptr;
  const bf16* const* next_z = nullptr;
  int n_next = 0;
  int next_in = 0;  ///< its n_in and n
  int next_n = 0;
};

/// Where an expert's sums of weight gradients lie.
enum class GradOrder : uint8_t {
  ByInput,   ///< [n_in + 1][n_padded], the last row the bias gradient
  ByOutput,  ///< [n_padded][round_up(n_in + 1, kPadding)], input k at grad_place(k, n_in), the bias gradient at k =
             ///< n_in
};

/// Elements of GradRowsArgs::scratch: both operands of n_rows rows.
inline int64_t grad_scratch_size(int n_rows, int n_in, int n) {
  return int64_t{n_rows} * (round_up(n_in + 1, 2 * kPadding) + n);
}

/// GradOrder::ByOutput: the column of input k. Interleaving two rows of 32 values puts 8q to 8q + 3 of all q before
/// 8q + 4 to 8q + 7; only a last 16 values alone, and the ones behind full tiles, are in order.
inline int grad_place(int k, int n_in) {
  const int first = k / 32 * 32;
  if (first + 32 > round_up(n_in, kPadding)) return k;
  return first + k % 8 / 4 * 16 + k % 32 / 8 * 4 + k % 4;
}

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
  std::string isa;     ///< "amx", "avx512bf16", "avx512", "avx2", "sse4", "neon", ...
  std::string reason;  ///< why it is where it is among the tables of this machine
  PanelLayout panels_f32;
  PanelLayout panels_bf16;
  std::string gemm_f32_name;
  std::string gemm_bf16_name;
  std::string gemm_split_name;

  void (*gemm_f32)(const GemmArgs&) = nullptr;
  void (*gemm_bf16)(const GemmArgs&) = nullptr;  ///< inside a KernelScope, as grad_bf16
  /// Null, or rows and results in f32 by three products of bf16: a number is the sum of two of bf16, its weights packed
  /// as two matrices in panels_bf16, the second of what the first leaves out. Error of a sum: at most 3 x 2^-16 of the
  /// sum of absolute products, 4.5e-6 of its size as measured (f32: 2.9e-7, bf16: 2.3e-3). Inside a KernelScope.
  void (*gemm_split)(const GemmArgs&) = nullptr;
  int64_t (*split_scratch_bytes)(int64_t depth) = nullptr;
  void (*grad_f32)(const GradArgs&) = nullptr;
  void (*grad_bf16)(const GradRowsArgs&) = nullptr;
  int grad_row_multiple = 2;  ///< of grad_bf16
  GradOrder grad_order_bf16 = GradOrder::ByInput;
  bool takes_groups = false;     ///< gemm_bf16 and gemm_split multiply many groups of rows in one call
  bool has_long_groups = false;  ///< its bf16 products want many rows a call, and ask for the next ones themselves
  /// Bytes of GemmArgs::scratch for rows of n_segments * depth elements.
  int64_t (*scratch_bytes)(int64_t depth) = [](int64_t) { return int64_t{0}; };
  /// Prepare this thread's registers for the products and give them up: see KernelScope.
  void (*begin)() = nullptr;
  void (*end)() = nullptr;

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
  void (*pack_bf16)(const PackArgs&) = nullptr;
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

/// Products of a table may run in this thread while this object lives; scopes do not nest. Code of others must not be
/// called meanwhile: libraries that use the same registers configure them as they like.
class KernelScope {
 public:
  explicit KernelScope(const KernelTable& table) : table_(&table) {
    if (table_->begin != nullptr) table_->begin();
  }
  ~KernelScope() {
    if (table_->end != nullptr) table_->end();
  }
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;

 private:
  const KernelTable* table_;
};

/// Tables of this build that this machine can run, best first. The last is the portable one.
const std::vector<KernelTable>& kernel_tables();

}  // namespace loe::cpu
