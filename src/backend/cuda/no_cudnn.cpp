// The convolutions of a build without nvcc or cuDNN.
#include "loe/backend/backend.h"
#include "loe/backend/conv_net.h"
#include "loe/base/error.h"

namespace loe {

const std::string& why_no_cuda_conv() {
  static const std::string reason =
      why_no_cuda().empty() ? "this build has no convolutions for GPUs (LOE_WITH_CUDNN)" : why_no_cuda();
  return reason;
}

std::unique_ptr<ConvExecutor> compile_cuda_conv(const ConvNetSpec& spec) {
  spec.validate();
  throw Error(ErrorKind::Unsupported, "[backend] convolutions on device cuda: " + why_no_cuda_conv());
}

}  // namespace loe
