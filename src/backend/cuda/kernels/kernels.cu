// Every kernel for the device, by the functions that launch them.
#include "backend/cuda/kernels/encode.h"
#include "backend/cuda/kernels/expert_product.h"
#include "backend/cuda/kernels/route.h"
#include "backend/cuda/kernels/weight_gradient.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

// sort_by_expert is no template: taking its address makes the compiler emit it.
extern const auto kSortByExpert = &sort_by_expert;

template void encode_inputs(const Stream&, const EncodeSpec&, int64_t, int, const float*, float*);
template void encode_inputs(const Stream&, const EncodeSpec&, int64_t, int, const float*, Bf16*);

// Forward: hidden layers in the operands' numbers, the last one in f32. Backward: the gradient of the layer before.
template void multiply_by_experts<PlainF32>(const Stream&, const ProductArguments<float, float>&, const BiasEpilogue&);
template void multiply_by_experts<PlainF32>(const Stream&, const ProductArguments<float, float>&,
                                            const MaskEpilogue<float>&);
template void multiply_by_experts<Tf32>(const Stream&, const ProductArguments<float, float>&, const BiasEpilogue&);
template void multiply_by_experts<Tf32>(const Stream&, const ProductArguments<float, float>&,
                                        const MaskEpilogue<float>&);
template void multiply_by_experts<Bf16Products>(const Stream&, const ProductArguments<Bf16, Bf16>&,
                                                const BiasEpilogue&);
template void multiply_by_experts<Bf16Products>(const Stream&, const ProductArguments<Bf16, float>&,
                                                const BiasEpilogue&);
template void multiply_by_experts<Bf16Products>(const Stream&, const ProductArguments<Bf16, Bf16>&,
                                                const MaskEpilogue<Bf16>&);

template void find_weight_gradients<PlainF32>(const Stream&, const WeightGradientArguments<float>&);
template void find_weight_gradients<Tf32>(const Stream&, const WeightGradientArguments<float>&);
template void find_weight_gradients<Bf16Products>(const Stream&, const WeightGradientArguments<Bf16>&);
template void find_bias_gradients(const Stream&, int64_t, int, int, const float*, float*);
template void find_bias_gradients(const Stream&, int64_t, int, int, const Bf16*, float*);

template void update_by_adam(const Stream&, const AdamUpdate&, int64_t, int64_t, const float*, float*, float*, float*,
                             const WeightCopies<float>&);
template void update_by_adam(const Stream&, const AdamUpdate&, int64_t, int64_t, const float*, float*, float*, float*,
                             const WeightCopies<Bf16>&);
template void update_by_adam(const Stream&, const AdamUpdate&, int64_t, int64_t, const float*, float*, float*, float*,
                             const NoCopies&);

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
