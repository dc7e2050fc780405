#include "backend/onednn/workspace.h"

namespace loe::onednn {
namespace {

int64_t n_floats(const Desc& desc) {
  return static_cast<int64_t>((desc.get_size() + sizeof(float) - 1) / sizeof(float));
}

int64_t round_to_line(int64_t n) {
  return (n + 15) / 16 * 16;
}

/// grads *= phi'(x), read off the sign of phi(x); at 0 the derivative is the slope, as in the reference.
void multiply_by_derivative(const Activation& activation, const float* values, int64_t n, float* grads) {
  const auto slope = static_cast<float>(activation.slope);
  for (int64_t i = 0; i < n; ++i) {
    grads[i] *= values[i] > 0.0F ? 1.0F : slope;
  }
}

}  // namespace

GradientLayout::GradientLayout(const ConvNetSpec& spec, const ConvPlan& plan) {
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    weights.push_back(plan.layers[i].weight_grads.weights);
    weight_offset.push_back(size);
    size += round_to_line(n_floats(weights.back()));
    bias_offset.push_back(size);
    size += round_to_line(spec.layers[i].n_out);
  }
}

/// A buffer grows and never shrinks: pieces of the same batch differ by a few pictures at most.
dnnl::memory Workspace::memory(const Desc& desc, Buffer& buffer) {
  if (buffer.size() < n_floats(desc)) {
    buffer.resize(n_floats(desc));
  }
  return {desc, engine_, buffer.data()};
}

void Workspace::reorder(const dnnl::memory& from, const dnnl::memory& to) {
  dnnl::memory source = from;
  dnnl::memory target = to;
  dnnl::reorder(source, target).execute(stream_, source, target);
}

/// `from` itself if it is in that layout, else a copy in `buffer`.
dnnl::memory Workspace::in_layout(const dnnl::memory& from, const Desc& layout, Buffer& buffer) {
  if (from.get_desc() == layout) {
    return from;
  }
  dnnl::memory copy = memory(layout, buffer);
  reorder(from, copy);
  return copy;
}

dnnl::memory Workspace::picture_memory(const ConvPlan& plan, const float* pictures) const {
  return {plain_maps(plan.n_pictures, spec_.n_in(), plan.sizes.front()), engine_, const_cast<float*>(pictures)};
}

dnnl::memory Workspace::layer_input(const ConvPlan& plan, int layer, const float* pictures) {
  return layer == 0 ? picture_memory(plan, pictures)
                    : memory(plan.layers[layer - 1].forward.output, values_[layer - 1]);
}

void Workspace::run(const Kernel& kernel, std::unordered_map<int, dnnl::memory> operands) {
  operands[DNNL_ARG_SCRATCHPAD] = memory(kernel.scratchpad, scratchpad_);
  kernel.primitive.execute(stream_, operands);
}

void Workspace::forward(const ConvPlan& plan, const PackedWeights& weights, const float* pictures, float* out) {
  dnnl::memory values;
  for (int i = 0; i < static_cast<int>(plan.layers.size()); ++i) {
    const Kernel& kernel = plan.layers[i].forward;
    const dnnl::memory input = in_layout(layer_input(plan, i, pictures), kernel.input, input_copy_);
    values = memory(kernel.output, values_[i]);
    run(kernel, {{DNNL_ARG_SRC, input},
                 {DNNL_ARG_WEIGHTS, weights.weights(i, kernel.weights)},
                 {DNNL_ARG_BIAS, weights.bias(i)},
                 {DNNL_ARG_DST, values}});
  }
  reorder(values, {plain_maps(plan.n_pictures, spec_.n_out(), plan.sizes.back()), engine_, out});
  stream_.wait();
}

void Workspace::weight_gradients(const Kernel& kernel, int layer, const dnnl::memory& input, const dnnl::memory& grads,
                                 const GradientLayout& layout, float* sums) {
  dnnl::memory weights(layout.weights[layer], engine_, sums + layout.weight_offset[layer]);
  const Desc bias_desc({spec_.layers[layer].n_out}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::x);
  const bool is_direct = kernel.weights == layout.weights[layer];
  const dnnl::memory written = is_direct ? weights : memory(kernel.weights, weights_copy_);
  run(kernel, {{DNNL_ARG_SRC, in_layout(input, kernel.input, input_copy_)},
               {DNNL_ARG_DIFF_DST, in_layout(grads, kernel.output, grads_copy_)},
               {DNNL_ARG_DIFF_WEIGHTS, written},
               {DNNL_ARG_DIFF_BIAS, {bias_desc, engine_, sums + layout.bias_offset[layer]}}});
  if (!is_direct) {
    reorder(written, weights);
  }
}

void Workspace::backward(const ConvPlan& plan, const PackedWeights& weights, const float* pictures,
                         const float* out_grads, const GradientLayout& layout, float* sums, float* picture_grads) {
  dnnl::memory grads(plain_maps(plan.n_pictures, spec_.n_out(), plan.sizes.back()), engine_,
                     const_cast<float*>(out_grads));
  for (int i = static_cast<int>(plan.layers.size()) - 1; i >= 0; --i) {
    const ConvPlan::Layer& layer = plan.layers[i];
    if (spec_.layers[i].activation.kind == ActivationKind::LeakyRelu) {
      const Desc& values_desc = layer.forward.output;
      // A copy where the layouts differ, and of the caller's gradients, which are not ours to change.
      dnnl::memory masked = grads;
      if (grads.get_desc() != values_desc || grads.get_data_handle() == out_grads) {
        masked = memory(values_desc, masked_);
        reorder(grads, masked);
      }
      multiply_by_derivative(spec_.layers[i].activation, values_[i].data(), n_floats(values_desc),
                             static_cast<float*>(masked.get_data_handle()));
      grads = masked;
    }
    if (sums != nullptr) {
      weight_gradients(layer.weight_grads, i, layer_input(plan, i, pictures), grads, layout, sums);
    }
    if (i == 0 && picture_grads == nullptr) {
      break;
    }
    const Kernel& kernel = layer.input_grads;
    const dnnl::memory input_grads = memory(kernel.input, grads_[i % 2]);
    run(kernel, {{DNNL_ARG_DIFF_DST, in_layout(grads, kernel.output, grads_copy_)},
                 {DNNL_ARG_WEIGHTS, weights.weights(i, kernel.weights)},
                 {DNNL_ARG_DIFF_SRC, input_grads}});
    grads = input_grads;
  }
  if (picture_grads != nullptr) {
    reorder(grads, picture_memory(plan, picture_grads));
  }
  stream_.wait();
}

int64_t Workspace::n_bytes() const {
  int64_t n = static_cast<int64_t>((outputs.capacity() + output_grads.capacity()) * sizeof(float));
  for (const Buffer& buffer : values_) {
    n += buffer.n_bytes();
  }
  for (const Buffer* buffer :
       {&grads_[0], &grads_[1], &masked_, &input_copy_, &grads_copy_, &weights_copy_, &scratchpad_}) {
    n += buffer->n_bytes();
  }
  return n;
}

}  // namespace loe::onednn
