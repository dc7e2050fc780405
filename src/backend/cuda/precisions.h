// The executors of the backend, one per precision.
#pragma once

#include <memory>

#include "loe/backend/backend.h"
#include "loe/base/error.h"

namespace loe::cuda {

/// Of a valid spec.
using MakeExecutor = std::unique_ptr<Executor> (*)(const NetworkSpec& spec, const ExecutorOptions& options);

struct Precisions {
  MakeExecutor f32;
  MakeExecutor tf32;
  MakeExecutor mixed;
  MakeExecutor bf16;

  std::unique_ptr<Executor> make(const NetworkSpec& spec, const ExecutorOptions& options) const {
    switch (options.precision) {
      case Precision::F32:
        return f32(spec, options);
      case Precision::Tf32:
        return tf32(spec, options);
      case Precision::Mixed:
        return mixed(spec, options);
      case Precision::Bf16:
        return bf16(spec, options);
    }
    throw Error(ErrorKind::Unsupported, "[cuda] precision: expected f32, tf32, mixed or bf16");
  }
};

// A file each: nvcc takes half a minute for one.
std::unique_ptr<Executor> make_f32_executor(const NetworkSpec& spec, const ExecutorOptions& options);
std::unique_ptr<Executor> make_tf32_executor(const NetworkSpec& spec, const ExecutorOptions& options);
std::unique_ptr<Executor> make_mixed_executor(const NetworkSpec& spec, const ExecutorOptions& options);
std::unique_ptr<Executor> make_bf16_executor(const NetworkSpec& spec, const ExecutorOptions& options);

}  // namespace loe::cuda
