#include "backend/cuda/warpgroup_kernels.h"

#include "backend/cuda/kernels/warpgroup_probe.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {
namespace {

std::string find_obstacle() {
  int device = 0;
  int major = 0;
  int minor = 0;
  check_cuda(cudaGetDevice(&device), "device");
  check_cuda(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "device");
  check_cuda(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "device");
  if (major != 9 || minor != 0) return "wgmma is for compute capability 9.0 alone";
  switch (run_probe()) {
    case kProductsAreRight:
      return "";
    case kProductsAreWrong:
      return "wgmma gave other products here than it should: please report it";
    case kNoProducts:
      break;
  }
  return "not compiled for sm_90a, see LOE_CUDA_ARCHITECTURES";
}

}  // namespace

const std::string& why_no_warpgroups() {
  static const std::string obstacle = find_obstacle();
  return obstacle;
}

template void multiply_by_warpgroups(const Stream&, const ProductArguments<Bf16, Bf16>&, const LayerEpilogue<Bf16>&,
                                     int);
template void multiply_by_warpgroups(const Stream&, const ProductArguments<Bf16, float>&, const LayerEpilogue<Bf16>&,
                                     int);
template void multiply_by_warpgroups(const Stream&, const ProductArguments<Bf16, Bf16>&, const RowGradientEpilogue&,
                                     int);
template void multiply_by_warpgroups(const Stream&, const ProductArguments<Bf16, float>&, const WideGradientEpilogue&,
                                     int);
template void find_gradients_by_warpgroups(const Stream&, const WeightGradientArguments<Bf16>&, const InputGradient&,
                                           const KeepGradient&);
template void find_gradients_by_warpgroups(const Stream&, const WeightGradientArguments<Bf16>&, const InputGradient&,
                                           const ParamUpdate<WeightCopies<Bf16, Bf16>>&);
template void find_gradients_by_warpgroups(const Stream&, const WeightGradientArguments<Bf16>&, const InputGradient&,
                                           const ParamUpdate<WeightCopies<float, Bf16>>&);

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
