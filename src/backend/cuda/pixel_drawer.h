// A signal on the device, and the batches that are drawn from it there.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

#include "backend/cuda/device/events.h"
#include "backend/cuda/device/sort_keys.h"
#include "backend/cuda/kernels/draw.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// The batches of one PixelSamples, whatever their step.
class PixelDrawer {
 public:
  /// Device memory that upload() takes.
  static int64_t planned_bytes(const PixelSamples& pixels) {
    const int64_t n = pixels.n_samples;
    return pixels.signal_bytes() + 2 * n * int64_t{sizeof(uint64_t)} + sort_workspace_bytes(n, n_key_bits(pixels));
  }
  int64_t n_bytes() const { return signal_.n_bytes() + keys_.n_bytes() + sorted_.n_bytes() + workspace_.n_bytes(); }

  bool is_empty() const { return signal_.size() == 0; }
  /// That these are the batches that it draws.
  bool holds(const PixelSamples& pixels) const {
    return !is_empty() && pixels.signal == signal_id_ && pixels.every_pixel == spec_.every_pixel &&
           pixels.n_samples == n_samples_ && pixels.seed == spec_.seed;
  }

  /// Valid pixels. What was launched before must be done. When it returns, the host's pixels may go.
  void upload(const Stream& stream, const PixelSamples& pixels);
  /// After all that was launched is done.
  void release();

  /// The next draw() is of this batch.
  void set_step(const Stream& stream, int64_t step) { put(stream, step, step_); }
  /// The pixels of the batch, in order.
  void draw(const Stream& stream);
  /// coords [n, n_dims] and targets [n, n_channels] of samples first .. first + n - 1 of the batch that was drawn.
  void fill(const Stream& stream, int64_t first, int64_t n, DeviceArray<float>& coords,
            DeviceArray<float>& targets) const;

 private:
  /// Bits that hold the Morton key of every pixel.
  static int n_key_bits(const PixelSamples& pixels) {
    const int64_t longest = *std::max_element(pixels.size.begin(), pixels.size.end());
    return std::max(1, pixels.n_dims * static_cast<int>(std::bit_width(static_cast<uint64_t>(longest - 1))));
  }
  void sort(const Stream& stream);
  template <typename Values>
  void fill_as(const Stream& stream, int64_t first, int64_t n, DeviceArray<float>& coords,
               DeviceArray<float>& targets) const;

  uint64_t signal_id_ = 0;
  DrawSpec spec_;
  ValueFormat format_ = ValueFormat::U8;
  int64_t n_samples_ = 0;
  int n_bits_ = 1;
  DeviceArray<std::byte> signal_;
  DeviceArray<uint64_t> keys_;
  DeviceArray<uint64_t> sorted_;
  DeviceArray<std::byte> workspace_;
  DeviceArray<int64_t> step_{1};
};

inline void PixelDrawer::upload(const Stream& stream, const PixelSamples& pixels) {
  release();
  spec_ = draw_spec(pixels);
  format_ = pixels.format;
  n_samples_ = pixels.n_samples;
  n_bits_ = n_key_bits(pixels);
  keys_.resize(n_samples_);
  sorted_.resize(n_samples_);
  workspace_.resize(sort_workspace_bytes(n_samples_, n_bits_));
  signal_.resize(pixels.signal_bytes());
  const auto n_bytes = static_cast<std::size_t>(pixels.frame_bytes());
  for (std::size_t t = 0; t < pixels.frames.size(); ++t) {
    detail::copy_bytes(stream, signal_.data() + t * n_bytes, pixels.frames[t], n_bytes);
  }
  signal_id_ = pixels.signal;
  set_step(stream, 0);
  if (spec_.every_pixel) sort(stream);
  finish(stream);
  if (spec_.every_pixel) {  // the order never changes
    keys_.resize(0);
    workspace_.resize(0);
  }
}

inline void PixelDrawer::release() {
  signal_id_ = 0;
  signal_.resize(0);
  keys_.resize(0);
  sorted_.resize(0);
  workspace_.resize(0);
}

inline void PixelDrawer::sort(const Stream& stream) {
  launch_items(stream, n_samples_, draw_keys, spec_, step_.const_buffer(), keys_.buffer());
  sort_keys(stream, n_samples_, n_bits_, workspace_, keys_, sorted_);
}

inline void PixelDrawer::draw(const Stream& stream) {
  if (!spec_.every_pixel) sort(stream);
}

template <typename Values>
void PixelDrawer::fill_as(const Stream& stream, int64_t first, int64_t n, DeviceArray<float>& coords,
                          DeviceArray<float>& targets) const {
  using Stored = typename Values::Stored;
  const Buffer<const Stored> values(reinterpret_cast<const Stored*>(signal_.data()),
                                    signal_.size() / static_cast<int64_t>(sizeof(Stored)));
  launch_items(stream, n, fill_pixels<Values>, spec_, first, sorted_.const_buffer(), values, coords.buffer(),
               targets.buffer());
}

inline void PixelDrawer::fill(const Stream& stream, int64_t first, int64_t n, DeviceArray<float>& coords,
                              DeviceArray<float>& targets) const {
  switch (format_) {
    case ValueFormat::U8:
      return fill_as<U8Values>(stream, first, n, coords, targets);
    case ValueFormat::U16:
      return fill_as<U16Values>(stream, first, n, coords, targets);
    case ValueFormat::F16:
      return fill_as<F16Values>(stream, first, n, coords, targets);
    case ValueFormat::F32:
      return fill_as<F32Values>(stream, first, n, coords, targets);
  }
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
