#include "backend/cuda/executor.h"
#include "backend/cuda/precisions.h"

namespace loe::cuda {

std::unique_ptr<Executor> make_mixed_executor(const NetworkSpec& spec, const ExecutorOptions& options) {
  return std::make_unique<NetworkExecutor<PlainF32, Bf16Products>>(make_plan(spec, options.max_group), options,
                                                                   "f32 multiply-adds, backward mma m16n8k16 bf16");
}

}  // namespace loe::cuda
