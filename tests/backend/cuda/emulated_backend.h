// The CUDA backend with every kernel run on the CPU by host_execution.h.
#pragma once

#include <vector>

#include "loe/backend/backend.h"

namespace loe::test {

const Backend& emulated_cuda_backend();

/// The emulated one, and the real one where it can run.
std::vector<const Backend*> cuda_backends();

}  // namespace loe::test
