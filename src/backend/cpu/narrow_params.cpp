#include "backend/cpu/narrow_params.h"

#include <algorithm>
#include <array>

namespace loe::cpu {

NarrowParams::NarrowParams(const NarrowPlan& plan) : plan_(&plan), small_(3 * plan.n_small) {
  for (const NarrowLayer& layer : plan.layers) {
    const int64_t size = 3 * layer.matrix_size() * layer.n_experts;
    current_.emplace_back(size);
    next_.emplace_back(size);
  }
}

int64_t NarrowParams::n_bytes() const {
  int64_t bytes = small_.n_bytes();
  for (std::size_t l = 0; l < current_.size(); ++l) bytes += current_[l].n_bytes() + next_[l].n_bytes();
  return bytes;
}

void NarrowParams::load(ThreadPool& pool, const ParamSlice& state) {
  const std::array<std::span<const float>, 3> parts = {state.params, state.adam_m, state.adam_v};
  const int head = static_cast<int>(plan_->layers.size());
  for (int l = 0; l < head; ++l) {
    const NarrowLayer& layer = plan_->layers[l];
    const int64_t first = plan_->spec.weight_offset(l);
    pool.parallel_for(layer.n_experts, [&](int64_t expert, int) {
      float* to = current(l, static_cast<int>(expert));
      for (int which = 0; which < 3; ++which, to += layer.matrix_size()) {
        const float* from = parts[which].data() + first + expert * layer.n_out * layer.n_in;
        for (int k = 0; k < layer.n_in; ++k) {
          for (int o = 0; o < layer.n_out; ++o) to[k * layer.width + o] = from[o * layer.n_in + k];
        }
      }
      std::copy_n(current(l, static_cast<int>(expert)), 3 * layer.matrix_size(), next(l, static_cast<int>(expert)));
    });
  }
  for (int which = 0; which < 3; ++which) {
    for (int l = 0; l < head; ++l) {
      const NarrowLayer& layer = plan_->layers[l];
      std::copy_n(parts[which].data() + plan_->spec.bias_offset(l), layer.n_out, small(which) + layer.bias);
    }
    const int n_in = plan_->layers.back().n_out;
    for (int o = 0; o < plan_->n_outputs; ++o) {
      std::copy_n(parts[which].data() + plan_->spec.weight_offset(head) + int64_t{o} * n_in, n_in,
                  small(which) + plan_->head_weight + int64_t{o} * plan_->head_width);
    }
    std::copy_n(parts[which].data() + plan_->spec.bias_offset(head), plan_->n_outputs, small(which) + plan_->head_bias);
  }
}

void NarrowParams::copy_to_next() {
  for (std::size_t l = 0; l < current_.size(); ++l) {
    std::copy_n(current_[l].data(), current_[l].size(), next_[l].data());
  }
}

void NarrowParams::store_part(ThreadPool& pool, int which, std::span<float> flat) const {
  const int head = static_cast<int>(plan_->layers.size());
  for (int l = 0; l < head; ++l) {
    const NarrowLayer& layer = plan_->layers[l];
    const int64_t first = plan_->spec.weight_offset(l);
    pool.parallel_for(layer.n_experts, [&](int64_t expert, int) {
      const float* from = current(l, static_cast<int>(expert)) + which * layer.matrix_size();
      float* to = flat.data() + first + expert * layer.n_out * layer.n_in;
      for (int k = 0; k < layer.n_in; ++k) {
        for (int o = 0; o < layer.n_out; ++o) to[o * layer.n_in + k] = from[k * layer.width + o];
      }
    });
    std::copy_n(small(which) + layer.bias, layer.n_out, flat.data() + plan_->spec.bias_offset(l));
  }
  const int n_in = plan_->layers.back().n_out;
  for (int o = 0; o < plan_->n_outputs; ++o) {
    std::copy_n(small(which) + plan_->head_weight + int64_t{o} * plan_->head_width, n_in,
                flat.data() + plan_->spec.weight_offset(head) + int64_t{o} * n_in);
  }
  std::copy_n(small(which) + plan_->head_bias, plan_->n_outputs, flat.data() + plan_->spec.bias_offset(head));
}

void NarrowParams::store(ThreadPool& pool, const ParamSlice& state) const {
  store_part(pool, 0, state.params);
  store_part(pool, 1, state.adam_m);
  store_part(pool, 2, state.adam_v);
}

void NarrowParams::store_params(ThreadPool& pool, std::span<float> params) const {
  store_part(pool, 0, params);
}

}  // namespace loe::cpu
