// What happens to maps of features [n, channels, height, width] between convolutions: bias and activation, the
// derivative on the way back, and the gradient by the bias.
#pragma once

#include "backend/cuda/kernels/outputs.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// Channels and pixels per channel of maps.
struct MapLayout {
  int n_channels;
  int64_t n_pixels;
};

/// values = phi(values + bias) with phi(v) = v > 0 ? v : slope v; slope 1: the identity. An item per number.
LOE_KERNEL void add_bias_to_maps(int64_t n_items, MapLayout layout, float slope, Buffer<const float> bias,
                                 Buffer<float> values) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  const float x = values[item] + bias[item / layout.n_pixels % layout.n_channels];
  values[item] = x > 0 ? x : slope * x;
}

/// grads *= phi', read off the sign of phi(x); at 0 the derivative is the slope, as in the reference.
LOE_KERNEL void mask_maps(int64_t n_items, float slope, Buffer<const float> values, Buffer<float> grads) {
  const int64_t item = item_index();
  if (item >= n_items) return;
  if (!(values[item] > 0)) grads[item] = slope * grads[item];
}

/// bias_grads[c] (+)= the sum of channel c's gradients over pictures and pixels; a block per channel.
LOE_KERNEL void add_bias_gradients(int n_pictures, MapLayout layout, bool adds, Buffer<const float> grads,
                                   Buffer<float> bias_grads) {
  const int channel = block_index();
  double sum = 0;
  for (int64_t i = thread_index(); i < n_pictures * layout.n_pixels; i += kErrorThreads) {
    const int64_t picture = i / layout.n_pixels;
    sum += static_cast<double>(grads[(picture * layout.n_channels + channel) * layout.n_pixels + i % layout.n_pixels]);
  }
  sum = add_over_block(sum);
  if (thread_index() == 0) bias_grads[channel] = (adds ? bias_grads[channel] : 0.0F) + static_cast<float>(sum);
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
