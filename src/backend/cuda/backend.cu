// The CUDA backend: is there a device that can run it?
#include <cuda_runtime.h>

#include "backend/cuda/backend.h"

namespace loe {
namespace {

/// cp.async, tf32 and bf16 products came with compute capability 8.0 (A100).
constexpr int kMinMajor = 8;

std::string find_obstacle() {
  int n_devices = 0;
  const cudaError_t code = cudaGetDeviceCount(&n_devices);
  if (code == cudaErrorInsufficientDriver) {
    return "no NVIDIA driver, or one older than CUDA " + std::to_string(CUDART_VERSION / 1000) + " needs";
  }
  if (code != cudaSuccess || n_devices == 0) {
    return std::string("no NVIDIA GPU: ") + cudaGetErrorString(code == cudaSuccess ? cudaErrorNoDevice : code);
  }
  cudaDeviceProp properties;
  const cudaError_t code2 = cudaGetDeviceProperties(&properties, 0);
  if (code2 != cudaSuccess) return std::string("the GPU does not answer: ") + cudaGetErrorString(code2);
  if (properties.major < kMinMajor) {
    return std::string("expected a GPU of compute capability 8.0 or later, the first one is a ") + properties.name +
           " of " + std::to_string(properties.major) + "." + std::to_string(properties.minor);
  }
  return "";
}

}  // namespace

const std::string& why_no_cuda() {
  static const std::string obstacle = find_obstacle();
  return obstacle;
}

const Backend& cuda_backend() {
  if (!why_no_cuda().empty()) throw Error(ErrorKind::Unsupported, "[backend] device cuda: " + why_no_cuda());
  static const cuda::CudaBackend backend(
      "cuda", {cuda::make_f32_executor, cuda::make_tf32_executor, cuda::make_mixed_executor, cuda::make_bf16_executor});
  return backend;
}

}  // namespace loe
