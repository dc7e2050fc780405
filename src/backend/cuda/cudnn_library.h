// The functions of cuDNN 9 that convolutions need, and descriptors made with them: all that takes no GPU.
#pragma once

// The functions are called deprecated since cuDNN 9 in favour of graphs that cuDNN plans itself; these let the caller
// choose the algorithm, and with it the order of sums.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#include <cudnn.h>

#include <string>
#include <utility>

#include "backend/cuda/conv_plan.h"
#include "backend/cuda/shared_library.h"
#include "loe/base/error.h"

#ifndef LOE_CUDNN_FOLDER
#define LOE_CUDNN_FOLDER ""
#endif

namespace loe::cuda {

struct CudnnLibrary {
  /// Why it cannot be used, or "".
  std::string obstacle;

#define LOE_CUDNN_FUNCTIONS(DO)                      \
  DO(cudnnGetVersion)                                \
  DO(cudnnGetErrorString)                            \
  DO(cudnnCreate)                                    \
  DO(cudnnDestroy)                                   \
  DO(cudnnSetStream)                                 \
  DO(cudnnCreateTensorDescriptor)                    \
  DO(cudnnSetTensor4dDescriptor)                     \
  DO(cudnnDestroyTensorDescriptor)                   \
  DO(cudnnCreateFilterDescriptor)                    \
  DO(cudnnSetFilter4dDescriptor)                     \
  DO(cudnnDestroyFilterDescriptor)                   \
  DO(cudnnCreateConvolutionDescriptor)               \
  DO(cudnnSetConvolution2dDescriptor)                \
  DO(cudnnSetConvolutionMathType)                    \
  DO(cudnnGetConvolution2dForwardOutputDim)          \
  DO(cudnnDestroyConvolutionDescriptor)              \
  DO(cudnnGetConvolutionForwardWorkspaceSize)        \
  DO(cudnnConvolutionForward)                        \
  DO(cudnnGetConvolutionBackwardDataWorkspaceSize)   \
  DO(cudnnConvolutionBackwardData)                   \
  DO(cudnnGetConvolutionBackwardFilterWorkspaceSize) \
  DO(cudnnConvolutionBackwardFilter)

#define LOE_DECLARE(name) decltype(&::name) name = nullptr;
  LOE_CUDNN_FUNCTIONS(LOE_DECLARE)
#undef LOE_DECLARE

  CudnnLibrary() {
    SharedLibrary library("libcudnn.so." + std::to_string(CUDNN_MAJOR), LOE_CUDNN_FOLDER);
#define LOE_FIND(name) library.find(#name, name);
    LOE_CUDNN_FUNCTIONS(LOE_FIND)
#undef LOE_FIND
    if (!library.obstacle().empty()) {
      obstacle = "cuDNN " + std::to_string(CUDNN_MAJOR) + " cannot be used: " + library.obstacle();
    }
  }
#undef LOE_CUDNN_FUNCTIONS
};

/// Looked for once.
inline const CudnnLibrary& cudnn_library() {
  static const CudnnLibrary library;
  return library;
}

/// Error(OutOfMemory) or Error(Unsupported) with cuDNN's words.
inline void check_cudnn(cudnnStatus_t status, const std::string& what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  const bool is_memory = status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
                         status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
  throw Error(is_memory ? ErrorKind::OutOfMemory : ErrorKind::Unsupported,
              "[cuda] " + what + ": expected cuDNN to run it, but it says " +
                  cudnn_library().cudnnGetErrorString(status) +
                  (is_memory ? "; use a smaller data.batch_size or pictures" : "; use --device cpu"));
}

/// What cuDNN is told of one convolution: plain layouts, f32, and multiply-adds that are not rounded to tf32.
class CudnnDescriptors {
 public:
  explicit CudnnDescriptors(const ConvShape& shape) {
    const CudnnLibrary& cudnn = cudnn_library();
    check_cudnn(cudnn.cudnnCreateTensorDescriptor(&input), "descriptor");
    check_cudnn(cudnn.cudnnCreateTensorDescriptor(&output), "descriptor");
    check_cudnn(cudnn.cudnnCreateFilterDescriptor(&weights), "descriptor");
    check_cudnn(cudnn.cudnnCreateConvolutionDescriptor(&convolution), "descriptor");
    const auto set_maps = [&](cudnnTensorDescriptor_t maps, int n_channels, MapSize size) {
      check_cudnn(cudnn.cudnnSetTensor4dDescriptor(maps, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, shape.n, n_channels,
                                                   size.height, size.width),
                  "maps");
    };
    set_maps(input, shape.n_in, shape.input);
    set_maps(output, shape.n_out, shape.output);
    check_cudnn(cudnn.cudnnSetFilter4dDescriptor(weights, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, shape.n_out, shape.n_in,
                                                 shape.kernel, shape.kernel),
                "weights");
    check_cudnn(cudnn.cudnnSetConvolution2dDescriptor(convolution, shape.padding, shape.padding, shape.stride,
                                                      shape.stride, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                "convolution");
    check_cudnn(cudnn.cudnnSetConvolutionMathType(convolution, CUDNN_FMA_MATH), "convolution");
  }
  ~CudnnDescriptors() {
    const CudnnLibrary& cudnn = cudnn_library();
    if (convolution != nullptr) cudnn.cudnnDestroyConvolutionDescriptor(convolution);
    if (weights != nullptr) cudnn.cudnnDestroyFilterDescriptor(weights);
    if (output != nullptr) cudnn.cudnnDestroyTensorDescriptor(output);
    if (input != nullptr) cudnn.cudnnDestroyTensorDescriptor(input);
  }
  CudnnDescriptors(const CudnnDescriptors&) = delete;
  CudnnDescriptors& operator=(const CudnnDescriptors&) = delete;

  cudnnTensorDescriptor_t input = nullptr;
  cudnnTensorDescriptor_t output = nullptr;
  cudnnFilterDescriptor_t weights = nullptr;
  cudnnConvolutionDescriptor_t convolution = nullptr;
};

/// The algorithms that add in one order: cuDNN's documentation and headers call the others of each direction
/// non-deterministic. Winograd and FFT are deterministic too, but their rounding errors are not those of a sum.
inline constexpr cudnnConvolutionFwdAlgo_t kForwardAlgorithms[] = {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
                                                                   CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM};
inline constexpr cudnnConvolutionBwdDataAlgo_t kInputAlgorithm = CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
inline constexpr cudnnConvolutionBwdFilterAlgo_t kWeightAlgorithm = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;

}  // namespace loe::cuda

#pragma GCC diagnostic pop
