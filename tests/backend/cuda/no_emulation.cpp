// For builds with LOE_TEST_EMULATION=OFF.
#include "backend/cuda/emulated_backend.h"

namespace loe::test {

std::vector<const Backend*> cuda_backends() {
  return {};
}

}  // namespace loe::test
