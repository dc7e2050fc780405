// The safetensors container: no input may crash or ask for more memory than it brings, and whatever parses has tensors
// of the size that their shapes say.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "loe/base/error.h"
#include "loe/io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  try {
    const loe::TensorFile file = loe::parse_safetensors({data, size}, "fuzz");
    std::size_t n_values = 0;
    for (const loe::TensorFile::Tensor& tensor : file.tensors) {
      std::size_t n_expected = 1;
      for (const int64_t side : tensor.shape) {
        n_expected *= static_cast<std::size_t>(side);
      }
      n_values += tensor.data.size();
      if (tensor.data.size() != n_expected || file.find(tensor.name) != &tensor) {
        std::abort();
      }
    }
    // Two bytes per value at least (F16).
    if (n_values > size / 2) {
      std::abort();
    }
  } catch (const loe::Error&) {
  }
  return 0;
}
