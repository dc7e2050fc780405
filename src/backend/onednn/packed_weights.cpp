#include "backend/onednn/packed_weights.h"

#include <algorithm>

#include "loe/base/error.h"

namespace loe::onednn {

PackedWeights::PackedWeights(const ConvNetSpec& spec, const dnnl::engine& engine)
    : spec_(spec), engine_(engine), stream_(engine), params_(spec.n_params()) {}

void PackedWeights::set(std::span<const float> params) {
  std::copy(params.begin(), params.end(), params_.data());
  for (Copy& copy : copies_) {
    copy.is_current = false;
  }
}

const PackedWeights::Copy* PackedWeights::find(int layer, const Desc& layout) const {
  const auto found = std::find_if(copies_.begin(), copies_.end(),
                                  [&](const Copy& copy) { return copy.layer == layer && copy.layout == layout; });
  return found == copies_.end() ? nullptr : &*found;
}

void PackedWeights::pack(int layer, const Desc& layout) {
  Copy* copy = const_cast<Copy*>(find(layer, layout));
  if (copy == nullptr) {
    copy = &copies_.emplace_back();
    copy->layer = layer;
    copy->layout = layout;
    copy->data.resize(static_cast<int64_t>(layout.get_size() / sizeof(float)));
  }
  if (copy->is_current) {
    return;
  }
  dnnl::memory from(plain_weights(spec_.layers[layer]), engine_, params_.data() + spec_.weight_offset(layer));
  dnnl::memory to(layout, engine_, copy->data.data());
  dnnl::reorder(from, to).execute(stream_, from, to);
  stream_.wait();
  copy->is_current = true;
}

void PackedWeights::prepare(const ConvPlan& plan) {
  for (int i = 0; i < static_cast<int>(plan.layers.size()); ++i) {
    pack(i, plan.layers[i].forward.weights);
    if (plan.has_backward) {
      pack(i, plan.layers[i].input_grads.weights);
    }
  }
}

dnnl::memory PackedWeights::weights(int layer, const Desc& layout) const {
  const Copy* copy = find(layer, layout);
  LOE_ASSERT(copy != nullptr && copy->is_current);
  return {layout, engine_, const_cast<float*>(copy->data.data())};
}

dnnl::memory PackedWeights::bias(int layer) const {
  const Desc desc({spec_.layers[layer].n_out}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::x);
  return {desc, engine_, const_cast<float*>(params_.data() + spec_.bias_offset(layer))};
}

int64_t PackedWeights::n_bytes() const {
  int64_t n = params_.n_bytes();
  for (const Copy& copy : copies_) {
    n += copy.data.n_bytes();
  }
  return n;
}

}  // namespace loe::onednn
