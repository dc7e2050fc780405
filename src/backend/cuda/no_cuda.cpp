// The CUDA backend of a build without nvcc.
#include "loe/backend/backend.h"
#include "loe/base/error.h"

namespace loe {

const std::string& why_no_cuda() {
  static const std::string reason = "this build has no kernels for GPUs (LOE_WITH_CUDA)";
  return reason;
}

const Backend& cuda_backend() {
  throw Error(ErrorKind::Unsupported, "[backend] device cuda: " + why_no_cuda());
}

}  // namespace loe
