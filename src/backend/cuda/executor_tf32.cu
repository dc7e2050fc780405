#include "backend/cuda/executor.h"
#include "backend/cuda/precisions.h"

namespace loe::cuda {

std::unique_ptr<Executor> make_tf32_executor(const NetworkSpec& spec, const ExecutorOptions& options) {
  return std::make_unique<NetworkExecutor<Tf32, Tf32>>(make_plan(spec, options.max_group), options, "mma m16n8k8 tf32");
}

}  // namespace loe::cuda
