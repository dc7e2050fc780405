// The device's executor of convolutional networks on the CPU: its kernels run by host_execution.h, its products by the
// reference's loops in place of cuDNN.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backend/cuda/conv_executor.h"
#include "backend/reference/conv_net.h"

namespace loe::test {

class EmulatedConvolutions {
 public:
  explicit EmulatedConvolutions(const cuda::Stream&) {}

  int64_t workspace_bytes(const cuda::ConvPlan& plan, bool has_backward) {
    return has_backward ? 4 * plan.layers[0].n_weights : 0;
  }
  std::vector<KernelInfo> kernels(const cuda::ConvPlan& plan) {
    std::vector<KernelInfo> list;
    for (std::size_t i = 0; i < plan.layers.size(); ++i) list.push_back({"convolution", "emulated", ""});
    return list;
  }

  void forward(const cuda::ConvShape& shape, const float* x, const float* w, float* y, cuda::Workspace) {
    const std::vector<double> no_bias(static_cast<std::size_t>(shape.n_out));
    std::vector<double> sums(static_cast<std::size_t>(n_out(shape)));
    for (int i = 0; i < shape.n; ++i) {
      reference::conv_forward(layer(shape), shape.input, doubles(w, shape.n_weights), no_bias,
                              doubles(x + i * n_in(shape), n_in(shape)), sums);
      std::copy(sums.begin(), sums.end(), y + i * n_out(shape));
    }
  }
  void input_gradient(const cuda::ConvShape& shape, const float* w, const float* dy, float* dx, cuda::Workspace) {
    std::vector<double> grads(static_cast<std::size_t>(n_in(shape)));
    for (int i = 0; i < shape.n; ++i) {
      reference::conv_backward(layer(shape), shape.input, doubles(w, shape.n_weights), {},
                               doubles(dy + i * n_out(shape), n_out(shape)), {}, {}, grads);
      std::copy(grads.begin(), grads.end(), dx + i * n_in(shape));
    }
  }
  void weight_gradient(const cuda::ConvShape& shape, const float* x, const float* dy, bool adds, float* dw,
                       cuda::Workspace) {
    std::vector<double> grads(static_cast<std::size_t>(shape.n_weights));
    for (int i = 0; i < shape.n; ++i) {
      reference::conv_backward(layer(shape), shape.input, {}, doubles(x + i * n_in(shape), n_in(shape)),
                               doubles(dy + i * n_out(shape), n_out(shape)), grads, {}, {});
    }
    for (std::size_t k = 0; k < grads.size(); ++k) dw[k] = static_cast<float>(grads[k]) + (adds ? dw[k] : 0.0F);
  }

 private:
  static int64_t n_in(const cuda::ConvShape& shape) { return shape.n_inputs() / shape.n; }
  static int64_t n_out(const cuda::ConvShape& shape) { return shape.n_outputs() / shape.n; }
  static ConvLayerSpec layer(const cuda::ConvShape& shape) {
    return {shape.n_in, shape.n_out, shape.kernel, shape.stride, shape.padding, {}};
  }
  static std::vector<double> doubles(const float* values, int64_t n) { return {values, values + n}; }
};

inline std::unique_ptr<ConvExecutor> emulated_conv(const ConvNetSpec& spec,
                                                   int64_t max_piece_floats = cuda::kMaxPieceFloats) {
  return std::make_unique<cuda::DeviceConvExecutor<EmulatedConvolutions>>(spec, max_piece_floats);
}

}  // namespace loe::test
