// Shared memory whose size a launch chooses, beyond the 48 KB that a kernel may declare.
#pragma once

#include "backend/cuda/device/memory.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

#ifdef __CUDACC__

/// n numbers in a block's shared memory.
template <typename T>
struct SharedView {
  T* data;
  LOE_METHOD T& operator[](int i) const { return data[i]; }
};

/// A part of the launch's shared memory, from a multiple of 16 bytes on. It holds anything until it is written.
template <typename T>
LOE_DEVICE SharedView<T> dynamic_memory(int byte_offset, int) {
  extern __shared__ __align__(128) unsigned char loe_dynamic_memory[];
  return {reinterpret_cast<T*>(loe_dynamic_memory + byte_offset)};
}

/// The byte offset of dynamic memory's first multiple of n_bytes, up to 1024: less than n_bytes.
LOE_DEVICE int first_multiple(int n_bytes) {
  extern __shared__ __align__(128) unsigned char loe_dynamic_memory[];
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(loe_dynamic_memory));
  const auto n = static_cast<unsigned>(n_bytes);
  return static_cast<int>((n - address % n) % n);
}

/// Bytes that one block may have, what its kernel declares included.
inline int max_dynamic_memory() {
  int device = 0;
  int n_bytes = 0;
  check_cuda(cudaGetDevice(&device), "device");
  check_cuda(cudaDeviceGetAttribute(&n_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), "shared memory");
  return n_bytes;
}

/// launch() with n_bytes of dynamic_memory per block.
template <typename... Parameters, typename... Arguments>
void launch_with_memory(const Stream& stream, int64_t n_blocks_of_grid, int n_threads, int n_bytes,
                        void (*kernel)(Parameters...), const Arguments&... arguments) {
  if (n_blocks_of_grid <= 0) return;
  check_cuda(
      cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, n_bytes),
      "shared memory");
  kernel<<<static_cast<unsigned>(n_blocks_of_grid), n_threads, static_cast<std::size_t>(n_bytes), stream.handle>>>(
      arguments...);
  check_cuda(cudaGetLastError(), "launch");
}

#else

template <typename T>
struct SharedView {
  T* data;
  int size;
  T& operator[](int i) const {
    if (i < 0 || i >= size) {
      throw host::KernelError("shared memory: expected an index below " + std::to_string(size) + ", got " +
                              std::to_string(i));
    }
    return data[i];
  }
};

template <typename T>
inline SharedView<T> dynamic_memory(int byte_offset, int n) {
  const host::SharedMemory memory = host::dynamic_memory;
  const int64_t end = byte_offset + int64_t{n} * static_cast<int64_t>(sizeof(T));
  if (byte_offset % 16 != 0 || byte_offset < 0 || end > static_cast<int64_t>(memory.n_bytes)) {
    throw host::KernelError("dynamic_memory: expected a multiple of 16 bytes and an end below " +
                            std::to_string(memory.n_bytes) + ", got " + std::to_string(byte_offset) + " to " +
                            std::to_string(end));
  }
  return {reinterpret_cast<T*>(memory.data + byte_offset), n};
}

inline int first_multiple(int n_bytes) {
  if (reinterpret_cast<uintptr_t>(host::dynamic_memory.data) % static_cast<uintptr_t>(n_bytes) != 0) {
    throw host::KernelError("first_multiple: expected at most 1024");
  }
  return 0;
}

/// For tests; that of an H100 unless changed.
inline int& host_dynamic_memory_limit() {
  static thread_local int n_bytes = 227 * 1024;
  return n_bytes;
}
inline int max_dynamic_memory() {
  return host_dynamic_memory_limit();
}

template <typename... Parameters, typename... Arguments>
void launch_with_memory(const Stream& stream, int64_t n_blocks_of_grid, int n_threads, int n_bytes,
                        void (*kernel)(Parameters...), const Arguments&... arguments) {
  if (n_bytes > max_dynamic_memory()) throw host::KernelError("launch: more shared memory than there is");
  struct Line {
    alignas(1024) std::byte bytes[1024];
  };
  std::vector<Line> memory(static_cast<std::size_t>(n_bytes + 1023) / 1024);
  struct Forget {
    ~Forget() { host::dynamic_memory = {}; }
  } forget;
  host::dynamic_memory = {memory.empty() ? nullptr : memory.front().bytes, static_cast<std::size_t>(n_bytes)};
  launch(stream, n_blocks_of_grid, n_threads, kernel, arguments...);
}

#endif

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
