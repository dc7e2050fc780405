// What kernels are written in: one source for nvcc and, for tests, for a C++ compiler (host_execution.h).
//
// A kernel is a function marked LOE_KERNEL in the namespace below. It knows its place by block_index() and
// thread_index(), keeps shared memory in `LOE_SHARED SharedArray<T, n> name;` and reaches global memory through
// Buffer<T>. Grids and blocks have one dimension; blocks are whole warps, and warp operations need all 32 lanes.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef __CUDACC__
#define LOE_KERNEL static __global__
#define LOE_DEVICE static __device__ __forceinline__
#define LOE_METHOD __device__ __forceinline__
#define LOE_SHARED __shared__
#define LOE_UNROLL _Pragma("unroll")
#define LOE_NO_UNROLL _Pragma("unroll 1")
// A large argument that stays where it is: no copy per thread when it is indexed.
#define LOE_CONSTANT const __grid_constant__
// A kernel for blocks of n_threads of which n_blocks share a multiprocessor's registers.
#define LOE_KERNEL_OF(n_threads, n_blocks) static __global__ void __launch_bounds__(n_threads, n_blocks)
// Host and device code of one kernel have different names, so that tests can link both.
#define LOE_EXECUTION on_device
#else
#include "backend/cuda/device/host_execution.h"
#define LOE_KERNEL inline
#define LOE_DEVICE inline
#define LOE_METHOD inline
#define LOE_SHARED static
#define LOE_UNROLL
#define LOE_NO_UNROLL
#define LOE_CONSTANT const
#define LOE_KERNEL_OF(n_threads, n_blocks) inline void
#define LOE_EXECUTION on_host
#endif

namespace loe::cuda {
inline namespace LOE_EXECUTION {

inline constexpr int kLanes = 32;

#ifdef __CUDACC__

LOE_DEVICE int block_index() {
  return static_cast<int>(blockIdx.x);
}
LOE_DEVICE int n_blocks() {
  return static_cast<int>(gridDim.x);
}
LOE_DEVICE int thread_index() {
  return static_cast<int>(threadIdx.x);
}
LOE_DEVICE void sync_block() {
  __syncthreads();
}
LOE_DEVICE void sync_warp() {
  __syncwarp();
}

/// In a block's shared memory.
template <typename T, int n>
struct SharedArray {
  alignas(16) T values[n];
  LOE_METHOD T& operator[](int i) { return values[i]; }
};

/// A kernel's view of n numbers in global memory.
template <typename T>
struct Buffer {
  T* data = nullptr;
  Buffer() = default;
  __host__ __device__ Buffer(T* first, int64_t) : data(first) {}
  LOE_METHOD T& operator[](int64_t i) const { return data[i]; }
};

/// Adds to one of several sums that many threads add to: of integers, so that the order does not matter.
LOE_DEVICE void atomic_add(const Buffer<int64_t>& sums, int64_t i, int64_t value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(sums.data + i), static_cast<unsigned long long>(value));
}
LOE_DEVICE void atomic_max(const Buffer<int>& values, int64_t i, int value) {
  atomicMax(values.data + i, value);
}
LOE_DEVICE int bits_of(float value) {
  return __float_as_int(value);
}

/// Kernels of one stream run in order. Check cudaGetLastError() after a launch.
struct Stream {
  cudaStream_t handle = nullptr;
};

template <typename... Parameters, typename... Arguments>
void launch(const Stream& stream, int64_t n_blocks_of_grid, int n_threads, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  if (n_blocks_of_grid > 0) {
    kernel<<<static_cast<unsigned>(n_blocks_of_grid), n_threads, 0, stream.handle>>>(arguments...);
  }
}

#else

namespace detail {
inline thread_local int64_t n_blocks_running = 0;
}  // namespace detail

inline int block_index() {
  return host::Block::current().index();
}
inline int n_blocks() {
  return static_cast<int>(detail::n_blocks_running);
}
inline int thread_index() {
  return host::Block::current().fiber().index;
}
inline void sync_block(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::Block::current().barrier({file, line});
}
inline void sync_warp(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::Block::current().show(0, {file, line});
}

template <typename T, int n>
struct SharedArray {
  alignas(16) T values[n];
  SharedArray() {
    host::shared_memory().push_back({reinterpret_cast<std::byte*>(values), sizeof(values)});
    host::poison(values, sizeof(values));
  }
  T& operator[](int i) {
    if (i < 0 || i >= n) {
      throw host::KernelError("shared memory: expected an index below " + std::to_string(n) + ", got " +
                              std::to_string(i));
    }
    return values[i];
  }
};

template <typename T>
struct Buffer {
  T* data = nullptr;
  int64_t size = 0;
  Buffer() = default;
  Buffer(T* first, int64_t n) : data(first), size(n) {}
  T& operator[](int64_t i) const {
    check(i, 1);
    return data[i];
  }
  /// Elements i .. i + n - 1 are there.
  void check(int64_t i, int64_t n) const {
    if (i < 0 || i + n > size) {
      throw host::KernelError("global memory: expected indices below " + std::to_string(size) + ", got " +
                              std::to_string(i) + " and " + std::to_string(n - 1) + " more");
    }
  }
};

inline void atomic_add(const Buffer<int64_t>& sums, int64_t i, int64_t value) {
  sums[i] += value;
}
inline void atomic_max(const Buffer<int>& values, int64_t i, int value) {
  values[i] = std::max(values[i], value);
}
inline int bits_of(float value) {
  int bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

struct Stream {};

template <typename... Parameters, typename... Arguments>
void launch(const Stream&, int64_t n_blocks_of_grid, int n_threads, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  detail::n_blocks_running = n_blocks_of_grid;
  host::run_blocks(n_blocks_of_grid, n_threads, [&] { kernel(arguments...); });
}

#endif

LOE_DEVICE int lane_index() {
  return thread_index() % kLanes;
}
LOE_DEVICE int warp_index() {
  return thread_index() / kLanes;
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
