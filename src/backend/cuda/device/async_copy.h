// Copies from global to shared memory that run beside the arithmetic (cp.async).
#pragma once

#include "backend/cuda/device/kernel.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

#ifdef __CUDACC__

/// Starts to copy the first n_valid elements (0: none, `from` may then be anything) of 16 bytes to shared memory and
/// zeros for the rest. Both at multiples of 16 bytes. The thread sees them after wait_copies, others after a barrier
/// behind that.
template <typename T>
LOE_DEVICE void copy_16_bytes(T* to, const Buffer<const T>& buffer, int64_t from, int n_valid) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  const T* const source = n_valid > 0 ? buffer.data + from : buffer.data;
  const int n_bytes = n_valid * static_cast<int>(sizeof(T));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(source), "r"(n_bytes) : "memory");
}
/// 16 bytes from shared to global memory, both at multiples of 16 bytes; at once.
template <typename T>
LOE_DEVICE void store_16_bytes(const Buffer<T>& buffer, int64_t to, const T* from) {
  *reinterpret_cast<uint4*>(buffer.data + to) = *reinterpret_cast<const uint4*>(from);
}
/// Closes a group of copies.
LOE_DEVICE void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Waits until all but the last n_open groups of this thread are there.
template <int n_open>
LOE_DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(n_open) : "memory");
}

#else

template <typename T>
inline void copy_16_bytes(T* to, const Buffer<const T>& buffer, int64_t from, int n_valid) {
  if (n_valid > 0) buffer.check(from, n_valid);
  const T* const source = n_valid > 0 ? buffer.data + from : buffer.data;
  if (reinterpret_cast<uintptr_t>(to) % 16 != 0 || reinterpret_cast<uintptr_t>(source) % 16 != 0) {
    throw host::KernelError("copy_16_bytes: expected addresses at multiples of 16 bytes");
  }
  host::poison(to, 16);  // from now on undefined
  host::Block::current().fiber().copies.back().push_back({reinterpret_cast<std::byte*>(to),
                                                          reinterpret_cast<const std::byte*>(source),
                                                          n_valid * static_cast<int>(sizeof(T)), 16});
}
template <typename T>
inline void store_16_bytes(const Buffer<T>& buffer, int64_t to, const T* from) {
  buffer.check(to, 16 / static_cast<int64_t>(sizeof(T)));
  if (reinterpret_cast<uintptr_t>(from) % 16 != 0 || reinterpret_cast<uintptr_t>(buffer.data + to) % 16 != 0) {
    throw host::KernelError("store_16_bytes: expected addresses at multiples of 16 bytes");
  }
  std::memcpy(buffer.data + to, from, 16);
}
inline void commit_copies() {
  host::Block::current().fiber().copies.emplace_back();
}
template <int n_open>
inline void wait_copies() {
  auto& groups = host::Block::current().fiber().copies;
  while (groups.size() > std::size_t{n_open} + 1) {
    for (const host::PendingCopy& copy : groups.front()) {
      std::memcpy(copy.to, copy.from, static_cast<std::size_t>(copy.n_valid));
      std::memset(copy.to + copy.n_valid, 0, static_cast<std::size_t>(copy.n_bytes - copy.n_valid));
    }
    groups.erase(groups.begin());
  }
}

#endif

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
