// Convolutional networks on cuDNN.
#include <array>

#include "backend/cuda/conv_executor.h"
#include "backend/cuda/cudnn_library.h"

namespace loe {
namespace cuda {
namespace {

/// See DeviceConvExecutor.
class CudnnConvolutions {
 public:
  explicit CudnnConvolutions(const Stream& stream) {
    check_cudnn(cudnn_.cudnnCreate(&handle_), "handle");
    check_cudnn(cudnn_.cudnnSetStream(handle_, stream.handle), "stream");
  }
  ~CudnnConvolutions() { cudnn_.cudnnDestroy(handle_); }
  CudnnConvolutions(const CudnnConvolutions&) = delete;
  CudnnConvolutions& operator=(const CudnnConvolutions&) = delete;

  int64_t workspace_bytes(const ConvPlan& plan, bool has_backward) {
    std::size_t most = 0;
    for (const ConvShape& shape : plan.layers) {
      Choice& choice = choose(shape);
      most = std::max(most, choice.forward_bytes);
      if (!has_backward) continue;
      std::size_t n_bytes = 0;
      const CudnnDescriptors& d = *choice.descriptors;
      check_cudnn(cudnn_.cudnnGetConvolutionBackwardDataWorkspaceSize(handle_, d.weights, d.output, d.convolution,
                                                                      d.input, kInputAlgorithm, &n_bytes),
                  "gradient by the inputs of a convolution");
      most = std::max(most, n_bytes);
      check_cudnn(cudnn_.cudnnGetConvolutionBackwardFilterWorkspaceSize(handle_, d.input, d.output, d.convolution,
                                                                        d.weights, kWeightAlgorithm, &n_bytes),
                  "gradient by the weights of a convolution");
      most = std::max(most, n_bytes);
    }
    return static_cast<int64_t>(most);
  }

  void forward(const ConvShape& shape, const float* x, const float* w, float* y, Workspace work) {
    const Choice& choice = choose(shape);
    const CudnnDescriptors& d = *choice.descriptors;
    check_cudnn(cudnn_.cudnnConvolutionForward(handle_, &kOne, d.input, x, d.weights, w, d.convolution, choice.forward,
                                               work.data, work.n_bytes, &kZero, d.output, y),
                "convolution");
  }

  void input_gradient(const ConvShape& shape, const float* w, const float* dy, float* dx, Workspace work) {
    const CudnnDescriptors& d = *choose(shape).descriptors;
    check_cudnn(cudnn_.cudnnConvolutionBackwardData(handle_, &kOne, d.weights, w, d.output, dy, d.convolution,
                                                    kInputAlgorithm, work.data, work.n_bytes, &kZero, d.input, dx),
                "gradient by the inputs of a convolution");
  }

  void weight_gradient(const ConvShape& shape, const float* x, const float* dy, bool adds, float* dw, Workspace work) {
    const CudnnDescriptors& d = *choose(shape).descriptors;
    check_cudnn(
        cudnn_.cudnnConvolutionBackwardFilter(handle_, &kOne, d.input, x, d.output, dy, d.convolution, kWeightAlgorithm,
                                              work.data, work.n_bytes, adds ? &kOne : &kZero, d.weights, dw),
        "gradient by the weights of a convolution");
  }

  std::vector<KernelInfo> kernels(const ConvPlan& plan) {
    const std::string backward = "cuDNN's other direct algorithms add in no fixed order";
    std::vector<KernelInfo> list;
    for (std::size_t i = 0; i < plan.layers.size(); ++i) {
      const bool is_first = choose(plan.layers[i]).forward == kForwardAlgorithms[0];
      const std::string name = "convolution " + std::to_string(i);
      list.push_back({name + " forward f32",
                      is_first ? "cudnn implicit GEMM, offsets computed before" : "cudnn implicit GEMM",
                      is_first ? "f32 sums as they are written, without tf32" : "cuDNN has no offsets for this shape"});
      list.push_back({name + " inputs f32", "cudnn backward data algorithm 1", backward});
      list.push_back({name + " weights f32", "cudnn backward filter algorithm 1", backward});
    }
    return list;
  }

 private:
  static constexpr float kOne = 1;
  static constexpr float kZero = 0;
  /// Descriptors that are kept: of two pieces of every layer of a long chain.
  static constexpr std::size_t kMaxChoices = 1024;
  struct Choice {
    std::unique_ptr<CudnnDescriptors> descriptors;
    cudnnConvolutionFwdAlgo_t forward = kForwardAlgorithms[0];
    std::size_t forward_bytes = 0;
  };

  Choice& choose(const ConvShape& shape) {
    const std::array<int, 10> key = {shape.n,           shape.n_in,          shape.n_out,        shape.input.height,
                                     shape.input.width, shape.output.height, shape.output.width, shape.kernel,
                                     shape.stride,      shape.padding};
    const auto found = choices_.find(key);
    if (found != choices_.end()) return found->second;
    if (choices_.size() >= kMaxChoices) choices_.clear();
    Choice choice;
    choice.descriptors = std::make_unique<CudnnDescriptors>(shape);
    const CudnnDescriptors& d = *choice.descriptors;
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    for (const cudnnConvolutionFwdAlgo_t algorithm : kForwardAlgorithms) {
      choice.forward = algorithm;
      status = cudnn_.cudnnGetConvolutionForwardWorkspaceSize(handle_, d.input, d.weights, d.convolution, d.output,
                                                              algorithm, &choice.forward_bytes);
      if (status == CUDNN_STATUS_SUCCESS) break;
    }
    check_cudnn(status, "convolution");
    return choices_.emplace(key, std::move(choice)).first->second;
  }

  const CudnnLibrary& cudnn_ = cudnn_library();
  cudnnHandle_t handle_ = nullptr;
  std::map<std::array<int, 10>, Choice> choices_;
};

std::string find_conv_obstacle() {
  if (!why_no_cuda().empty()) return why_no_cuda();
  return cudnn_library().obstacle;
}

}  // namespace
}  // namespace cuda

const std::string& why_no_cuda_conv() {
  static const std::string obstacle = cuda::find_conv_obstacle();
  return obstacle;
}

std::unique_ptr<ConvExecutor> compile_cuda_conv(const ConvNetSpec& spec) {
  spec.validate();
  if (!why_no_cuda_conv().empty()) {
    throw Error(ErrorKind::Unsupported, "[backend] convolutions on device cuda: " + why_no_cuda_conv());
  }
  return std::make_unique<cuda::DeviceConvExecutor<cuda::CudnnConvolutions>>(spec);
}

}  // namespace loe
