// Sorting of 64-bit keys on the device: CUB's radix sort, compiled in sort_keys.cu alone because it takes long; on the
// CPU the standard library's.
#pragma once

#include <algorithm>
#include <cstddef>

#include "backend/cuda/device/memory.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

#ifdef __CUDACC__

/// Work space of sort_keys.
int64_t sort_workspace_bytes(int64_t n, int n_bits);

/// sorted [n] = keys [n], ascending by their low n_bits (1..64); the others must be 0. Launches only.
void sort_keys(const Stream& stream, int64_t n, int n_bits, DeviceArray<std::byte>& workspace,
               const DeviceArray<uint64_t>& keys, DeviceArray<uint64_t>& sorted);

#else

inline int64_t sort_workspace_bytes(int64_t, int) {
  return 0;
}

inline void sort_keys(const Stream&, int64_t n, int, DeviceArray<std::byte>&, const DeviceArray<uint64_t>& keys,
                      DeviceArray<uint64_t>& sorted) {
  std::copy_n(keys.data(), n, sorted.data());
  std::sort(sorted.data(), sorted.data() + n);
}

#endif

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
