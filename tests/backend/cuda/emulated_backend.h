// The CUDA backend with every kernel run on the CPU by host_execution.h.
#pragma once

#include <vector>

#include "loe/backend/backend.h"

namespace loe::test {

const Backend& emulated_cuda_backend();

/// The emulation changes stacks a million times a second, which costs 20 times as much under AddressSanitizer: there
/// large tests leave it to f32. It checks the bounds of device memory itself in every build.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsEmulationSlow = true;
#else
inline constexpr bool kIsEmulationSlow = false;
#endif

/// The emulated one, and the real one where it can run. Neither in a build without the emulation
/// (LOE_TEST_EMULATION=OFF: clang needs many minutes for it under AddressSanitizer).
std::vector<const Backend*> cuda_backends();

/// The reference, the CPU and cuda_backends().
inline std::vector<const Backend*> all_backends() {
  std::vector<const Backend*> backends = cuda_backends();
  backends.insert(backends.begin(), {&reference_backend(), &cpu_backend()});
  return backends;
}

}  // namespace loe::test
