#include "backend/cuda/executor.h"
#include "backend/cuda/precisions.h"

namespace loe::cuda {

std::unique_ptr<Executor> make_f32_executor(const NetworkSpec& spec, const ExecutorOptions& options) {
  return std::make_unique<NetworkExecutor<PlainF32, PlainF32>>(make_plan(spec, options.max_group), options,
                                                               "f32 multiply-adds");
}

}  // namespace loe::cuda
