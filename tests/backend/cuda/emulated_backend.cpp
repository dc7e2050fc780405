#include "backend/cuda/emulated_backend.h"

#include "backend/cuda/backend.h"
#include "backend/cuda/executor.h"

namespace loe::test {
namespace {

template <typename ForwardMath, typename BackwardMath>
std::unique_ptr<Executor> make(const NetworkSpec& spec, const ExecutorOptions& options) {
  return std::make_unique<cuda::NetworkExecutor<ForwardMath, BackwardMath>>(cuda::make_plan(spec, options.max_group),
                                                                            options, "emulated");
}

}  // namespace

const Backend& emulated_cuda_backend() {
  using namespace cuda;
  static const CudaBackend backend("cuda emulated", {make<PlainF32, PlainF32>, make<Tf32, Tf32>,
                                                     make<PlainF32, Bf16Products>, make<Bf16Products, Bf16Products>});
  return backend;
}

std::vector<const Backend*> cuda_backends() {
  std::vector<const Backend*> backends = {&emulated_cuda_backend()};
  if (why_no_cuda().empty()) backends.push_back(&cuda_backend());
  return backends;
}

}  // namespace loe::test
