// One thread's work on a piece of a batch: activations, gradients and scratchpads.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "backend/onednn/packed_weights.h"

namespace loe::onednn {

/// Where the gradients of all parameters lie while pieces are added: in the layouts that the first plan's primitives
/// write, so that they are reordered once per batch, not once per piece.
struct GradientLayout {
  std::vector<Desc> weights;
  std::vector<int64_t> weight_offset;  ///< in floats, multiples of a cache line
  std::vector<int64_t> bias_offset;
  int64_t size = 0;

  GradientLayout() = default;
  GradientLayout(const ConvNetSpec& spec, const ConvPlan& plan);
};

class Workspace {
 public:
  Workspace(const ConvNetSpec& spec, const dnnl::engine& engine)
      : spec_(spec), engine_(engine), stream_(engine), values_(spec.layers.size()) {}

  /// Writes outputs [n, n_out, h, w] of the last layer; keeps every layer's for backward(). All under OneThread.
  void forward(const ConvPlan& plan, const PackedWeights& weights, const float* pictures, float* outputs);

  /// After forward() on the same pictures, given output_grads in the outputs' shape: overwrites `sums` (of `layout`)
  /// with the gradients by the parameters and picture_grads [n, n_in, h, w], unless null.
  void backward(const ConvPlan& plan, const PackedWeights& weights, const float* pictures, const float* output_grads,
                const GradientLayout& layout, float* sums, float* picture_grads);

  int64_t n_bytes() const;

  std::vector<float> outputs;       ///< of the piece under way, for its owner
  std::vector<float> output_grads;  ///< the same

 private:
  using Buffer = AlignedBuffer<float>;
  dnnl::memory memory(const Desc& desc, Buffer& buffer);
  dnnl::memory in_layout(const dnnl::memory& from, const Desc& layout, Buffer& buffer);
  dnnl::memory picture_memory(const ConvPlan& plan, const float* pictures) const;
  dnnl::memory layer_input(const ConvPlan& plan, int layer, const float* pictures);
  void reorder(const dnnl::memory& from, const dnnl::memory& to);
  void run(const Kernel& kernel, std::unordered_map<int, dnnl::memory> operands);
  void weight_gradients(const Kernel& kernel, int layer, const dnnl::memory& input, const dnnl::memory& grads,
                        const GradientLayout& layout, float* sums);

  const ConvNetSpec& spec_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<Buffer> values_;  ///< outputs of every layer, in the layout of its forward primitive
  Buffer grads_[2];             ///< by a layer's output and by its input, taking turns
  Buffer masked_;               ///< gradients in the layout of a layer's values
  Buffer input_copy_;
  Buffer grads_copy_;
  Buffer weights_copy_;
  Buffer scratchpad_;
};

}  // namespace loe::onednn
