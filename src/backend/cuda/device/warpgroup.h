// Matrix products of a warpgroup (4 warps, 128 threads) on bf16 operands in shared memory, which run beside what its
// threads do (wgmma; compute capability 9.0 alone has it). PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions".
//
// Operands lie in panels: rows of 64 numbers, 128 bytes, whose eight 16-byte chunks are permuted so that neither rows
// nor columns meet in a bank; a panel begins at a multiple of 1024 bytes. A product reads the sides of an operand from
// a panel's rows, or from its columns.
#pragma once

#include "backend/cuda/device/dynamic_memory.h"
#include "backend/cuda/device/matrix.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

inline constexpr int kWarpgroupThreads = 128;
inline constexpr int kPanelColumns = 64;
inline constexpr int kPanelAlignment = 1024;  ///< bytes
/// Sides of the left operand, and products of one instruction.
inline constexpr int kProductRows = 64;
inline constexpr int kProductDepth = 16;

/// Where element (row, column) of a panel lies.
#ifdef __CUDACC__
__host__ __device__
#endif
    constexpr int
    panel_at(int row, int column) {
  return row * kPanelColumns + ((column / 8) ^ (row % 8)) * 8 + column % 8;
}
constexpr int panel_size(int n_rows) {
  return n_rows * kPanelColumns;
}

/// An operand of one instruction, [sides, 16 products].
struct PanelOperand {
  const Bf16* first;  ///< of its panel's row, before the permutation
  bool has_columns;   ///< its sides are columns, products run along the rows; else the other way round
  int panel_bytes;    ///< from one panel of 64 sides to the next, if sides are columns
};
/// Sides are rows row .. of the panel (a multiple of 8), products its columns k .. k + 15.
LOE_DEVICE PanelOperand rows_of_panel(const Bf16* panel, int row, int k) {
  return {panel + row * kPanelColumns + k, false, 0};
}
/// Sides are the columns of panels of n_rows rows each, one behind the other; products are rows k .. k + 15.
LOE_DEVICE PanelOperand columns_of_panels(const Bf16* panels, int n_rows, int k) {
  return {panels + k * kPanelColumns, true, panel_size(n_rows) * static_cast<int>(sizeof(Bf16))};
}

/// Where sum i of a thread lies in its warpgroup's [64, columns].
LOE_DEVICE int sum_row(int i) {
  return thread_index() % kWarpgroupThreads / kLanes * 16 + lane_index() / 4 + i / 2 % 2 * 8;
}
LOE_DEVICE int sum_column(int i) {
  return i / 4 * 8 + lane_index() % 4 * 2 + i % 2;
}
LOE_DEVICE int warpgroup_index() {
  return thread_index() / kWarpgroupThreads;
}

/// From 8 rows to the next 8 of a panel.
inline constexpr int kPanelGroupBytes = 8 * kPanelColumns * static_cast<int>(sizeof(Bf16));

#ifdef __CUDACC__

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
inline constexpr bool kHasWarpgroups = true;
#define LOE_WARPGROUP_ASM(...) asm volatile(__VA_ARGS__)
#else
inline constexpr bool kHasWarpgroups = false;
#define LOE_WARPGROUP_ASM(...) __trap()
#endif

/// The instruction's 64-bit description: address, distance of panels, distance of 8 rows, all in 16 bytes; permutation
/// of 128 bytes. "Matrix Descriptor Format".
LOE_DEVICE uint64_t describe(const PanelOperand& operand) {
  const auto address = static_cast<uint64_t>(__cvta_generic_to_shared(operand.first));
  const uint64_t panels = operand.has_columns ? static_cast<uint64_t>(operand.panel_bytes) : 16;
  return (address & 0x3FFFFU) >> 4 | (panels >> 4) << 16 | static_cast<uint64_t>(kPanelGroupBytes >> 4) << 32 |
         uint64_t{1} << 62;
}

#define LOE_SUMS_8(d, i)                                                                                      \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), \
      "+f"(d[i + 7])
#define LOE_SUMS_32(d, i) LOE_SUMS_8(d, i), LOE_SUMS_8(d, i + 8), LOE_SUMS_8(d, i + 16), LOE_SUMS_8(d, i + 24)
#define LOE_NAMES_32                                                                                          \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, " \
  "%23, %24, %25, %26, %27, %28, %29, %30, %31"
#define LOE_NAMES_64                                                                                                 \
  LOE_NAMES_32                                                                                                       \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, " \
  "%54, %55, %56, %57, %58, %59, %60, %61, %62, %63"

/// Starts d += a b of 64 x 64, by all threads of a warpgroup, after begin_products(). Whether sides are columns is part
/// of the instruction: a_columns and b_columns say it once more.
template <bool a_columns, bool b_columns>
LOE_DEVICE void multiply_panels(float (&d)[32], const PanelOperand& a, const PanelOperand& b) {
  LOE_WARPGROUP_ASM("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" LOE_NAMES_32
                    "}, %32, %33, 1, 1, 1, %34, %35;"
                    : LOE_SUMS_32(d, 0)
                    : "l"(describe(a)), "l"(describe(b)), "n"(a_columns ? 1 : 0), "n"(b_columns ? 1 : 0)
                    : "memory");
}
/// Of 64 x 128.
template <bool a_columns, bool b_columns>
LOE_DEVICE void multiply_panels(float (&d)[64], const PanelOperand& a, const PanelOperand& b) {
  LOE_WARPGROUP_ASM("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" LOE_NAMES_64
                    "}, %64, %65, 1, 1, 1, %66, %67;"
                    : LOE_SUMS_32(d, 0), LOE_SUMS_32(d, 32)
                    : "l"(describe(a)), "l"(describe(b)), "n"(a_columns ? 1 : 0), "n"(b_columns ? 1 : 0)
                    : "memory");
}
#undef LOE_SUMS_8
#undef LOE_SUMS_32
#undef LOE_NAMES_32
#undef LOE_NAMES_64

/// What this thread wrote to shared memory can be an operand, for those behind the next barrier too.
LOE_DEVICE void publish_panels() {
  LOE_WARPGROUP_ASM("fence.proxy.async.shared::cta;" ::: "memory");
}
/// The sums in registers are ready for products.
LOE_DEVICE void begin_products() {
  LOE_WARPGROUP_ASM("wgmma.fence.sync.aligned;" ::: "memory");
}
/// Closes a group of products.
LOE_DEVICE void commit_products() {
  LOE_WARPGROUP_ASM("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Waits until all but the last n_open groups are done. From multiply_panels on until then their operands must not
/// change nor their sums be looked at.
template <int n_open>
LOE_DEVICE void wait_products() {
  LOE_WARPGROUP_ASM("wgmma.wait_group.sync.aligned %0;" ::"n"(n_open) : "memory");
}
/// Right behind wait_products: the compiler does not know that these registers were written until now.
template <int n>
LOE_DEVICE void take_sums(float (&d)[n]) {
  LOE_UNROLL
  for (int i = 0; i < n; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

#else

inline constexpr bool kHasWarpgroups = true;

namespace detail {

/// Element (side, k) as the instruction finds it: the address by the layout, bits 4 to 6 turned by bits 7 to 9.
inline float element_of(const PanelOperand& operand, int side, int k) {
  const int64_t offset = operand.has_columns ? int64_t{side / kPanelColumns} * operand.panel_bytes +
                                                   side % kPanelColumns * 2 + k / 8 * kPanelGroupBytes + k % 8 * 128
                                             : int64_t{side / 8} * kPanelGroupBytes + side % 8 * 128 + k * 2;
  const auto address = reinterpret_cast<uintptr_t>(operand.first) + static_cast<uintptr_t>(offset);
  const auto* const place = reinterpret_cast<const std::byte*>(address ^ ((address >> 7 & 7) << 4));
  const auto* const begin = host::dynamic_memory.data;
  if (place < begin || place + 2 > begin + host::dynamic_memory.n_bytes) {
    throw host::KernelError("multiply_panels: an operand outside of the block's memory");
  }
  return to_float(*reinterpret_cast<const Bf16*>(place));
}

inline void add_product(float* d, int n, const PanelOperand& a, const PanelOperand& b) {
  float left[2][kProductDepth];
  for (int half = 0; half < 2; ++half) {
    for (int k = 0; k < kProductDepth; ++k) left[half][k] = element_of(a, sum_row(2 * half), k);
  }
  for (int i = 0; i < n; i += 4) {
    for (int part = 0; part < 2; ++part) {
      for (int k = 0; k < kProductDepth; ++k) {
        const float right = element_of(b, sum_column(i + part), k);
        d[i + part] += left[0][k] * right;
        d[i + 2 + part] += left[1][k] * right;
      }
    }
  }
}

}  // namespace detail

template <bool a_columns, bool b_columns, int n>
inline void multiply_panels(float (&d)[n], const PanelOperand& a, const PanelOperand& b) {
  static_assert(n == 32 || n == 64);
  if (a.has_columns != a_columns || b.has_columns != b_columns) {
    throw host::KernelError("multiply_panels: expected operands of the named layouts");
  }
  auto& groups = host::Block::current().fiber().products;
  bool is_running = false;
  for (const auto& group : groups) {
    for (const host::PendingProduct& product : group) is_running |= product.sums == d;
  }
  // Until it is waited for, who looks at the sums finds NaN.
  std::vector<float> before;
  if (!is_running) {
    before.assign(d, d + n);
    host::poison(d, sizeof(d));
  }
  groups.back().push_back({d, [&d, a, b, before = std::move(before)] {
                             std::copy(before.begin(), before.end(), d);
                             detail::add_product(d, n, a, b);
                           }});
}
inline void publish_panels() {}
inline void begin_products() {}
inline void commit_products() {
  host::Block::current().fiber().products.emplace_back();
}
template <int n_open>
inline void wait_products() {
  auto& groups = host::Block::current().fiber().products;
  while (groups.size() > std::size_t{n_open} + 1) {
    for (const host::PendingProduct& product : groups.front()) product.run();
    groups.erase(groups.begin());
  }
}
template <int n>
inline void take_sums(float (&)[n]) {}

#endif

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
