#include "backend/cuda/device/sort_keys.h"

#include <cub/device/device_radix_sort.cuh>

namespace loe::cuda {
inline namespace LOE_EXECUTION {

int64_t sort_workspace_bytes(int64_t n, int n_bits) {
  std::size_t n_bytes = 0;
  const uint64_t* const keys = nullptr;
  uint64_t* const sorted = nullptr;
  check_cuda(cub::DeviceRadixSort::SortKeys(nullptr, n_bytes, keys, sorted, n, 0, n_bits), "sort");
  return static_cast<int64_t>(n_bytes);
}

void sort_keys(const Stream& stream, int64_t n, int n_bits, DeviceArray<std::byte>& workspace,
               const DeviceArray<uint64_t>& keys, DeviceArray<uint64_t>& sorted) {
  LOE_ASSERT(n <= keys.size() && n <= sorted.size());
  auto n_bytes = static_cast<std::size_t>(workspace.size());
  check_cuda(cub::DeviceRadixSort::SortKeys(workspace.data(), n_bytes, keys.data(), sorted.data(), n, 0, n_bits,
                                            stream.handle),
             "sort");
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
