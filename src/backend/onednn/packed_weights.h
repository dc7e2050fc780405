// A network's parameters in the layouts that its primitives want.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/onednn/conv_plan.h"
#include "base/aligned_buffer.h"

namespace loe::onednn {

class PackedWeights {
 public:
  PackedWeights(const ConvNetSpec& spec, const dnnl::engine& engine);

  /// Parameters of the flat buffer. Packed copies are made anew when they are next needed.
  void set(std::span<const float> params);
  /// Packs what the plan's primitives read and is not packed yet: once per set() and layout. Under OneThread.
  void prepare(const ConvPlan& plan);
  /// The packed weights of a layer of a plan that was prepared; may be read by several threads.
  dnnl::memory weights(int layer, const Desc& layout) const;
  dnnl::memory bias(int layer) const;
  int64_t n_bytes() const;

 private:
  struct Copy {
    int layer = 0;
    Desc layout;
    AlignedBuffer<float> data;
    bool is_current = false;
  };
  void pack(int layer, const Desc& layout);
  const Copy* find(int layer, const Desc& layout) const;

  const ConvNetSpec& spec_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  AlignedBuffer<float> params_;
  std::vector<Copy> copies_;
};

}  // namespace loe::onednn
