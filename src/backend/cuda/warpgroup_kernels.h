// Whether products are done by warpgroups, and on the device where they are compiled: in warpgroup_kernels.cu, once for
// all precisions.
#pragma once

#include <string>

#include "backend/cuda/kernels/warpgroup_gradient.h"
#include "backend/cuda/kernels/warpgroup_product.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

#ifdef __CUDACC__

/// Why products in bf16 are done by single warps; empty: by warpgroups.
const std::string& why_no_warpgroups();

/// Of blended rows, which are f32.
using WideGradientEpilogue = GradientEpilogue<Bf16, float>;
using RowGradientEpilogue = GradientEpilogue<Bf16, Bf16>;
extern template void multiply_by_warpgroups(const Stream&, const ProductArguments<Bf16, Bf16>&,
                                            const LayerEpilogue<Bf16>&, int);
extern template void multiply_by_warpgroups(const Stream&, const ProductArguments<Bf16, float>&,
                                            const LayerEpilogue<Bf16>&, int);
extern template void multiply_by_warpgroups(const Stream&, const ProductArguments<Bf16, Bf16>&,
                                            const RowGradientEpilogue&, int);
extern template void multiply_by_warpgroups(const Stream&, const ProductArguments<Bf16, float>&,
                                            const WideGradientEpilogue&, int);
extern template void find_gradients_by_warpgroups(const Stream&, const WeightGradientArguments<Bf16>&,
                                                  const InputGradient&, const KeepGradient&);
extern template void find_gradients_by_warpgroups(const Stream&, const WeightGradientArguments<Bf16>&,
                                                  const InputGradient&, const ParamUpdate<WeightCopies<Bf16, Bf16>>&);
extern template void find_gradients_by_warpgroups(const Stream&, const WeightGradientArguments<Bf16>&,
                                                  const InputGradient&, const ParamUpdate<WeightCopies<float, Bf16>>&);

#else

/// For tests: what the emulated device has.
inline bool& host_has_warpgroups() {
  static thread_local bool has = true;
  return has;
}
inline const std::string& why_no_warpgroups() {
  static const std::string reasons[] = {"", "switched off"};
  return reasons[host_has_warpgroups() ? 0 : 1];
}

#endif

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
