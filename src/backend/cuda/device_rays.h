// Rays of a batch on the device: their samples are made there, and their loss is found there.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "backend/cuda/device/events.h"
#include "backend/cuda/kernels/outputs.h"
#include "backend/cuda/kernels/ray_loss.h"
#include "loe/backend/backend.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// The rays of one RayLoss. What the host sends is rays, distances and intervals, of the whole batch at once; what it
/// gets back is weights and the loss, while the gradients of the network are still being computed.
class DeviceRays {
 public:
  /// Whether a loss of these (valid) rays is found here: there was room, and they are here now.
  bool take(const Stream& stream, const RayLoss& rays);
  /// coords [n, 3] and features [n, width] of samples first .. first + n - 1: whole rays.
  void fill(const Stream& stream, int64_t first, int64_t n, DeviceArray<float>& coords, DeviceArray<float>& features);
  /// From their outputs to output_grads, and their part of the loss, on top of what is there if `adds`.
  void find_loss(const Stream& stream, int64_t first, int64_t n, bool adds, const DeviceArray<float>& outputs,
                 DeviceArray<float>& output_grads, DeviceArray<double>& loss);
  /// After the last find_loss; what is launched from here on is not waited for.
  void start_reading(const Stream& stream, const DeviceArray<double>& loss) {
    early_weights_.start(stream, weights_, n_samples());
    early_loss_.start(stream, loss);
  }
  /// The loss; `weights` [S] as RayLoss has them.
  double finish(std::span<float> weights) {
    std::copy_n(early_weights_.finish(), n_samples(), weights.data());
    return early_loss_.finish();
  }

  int64_t n_bytes() const {
    return offsets_.n_bytes() + origins_.n_bytes() + directions_.n_bytes() + encoded_.n_bytes() + targets_.n_bytes() +
           backgrounds_.n_bytes() + t_.n_bytes() + delta_.n_bytes() + weights_.n_bytes() + squared_errors_.n_bytes();
  }
  /// For an objective that describes no rays.
  void say_undescribed() { decide(kOnHost, "the objective does not describe rays"); }
  /// Whether there was a step on an objective.
  bool is_decided() const { return is_decided_; }
  KernelInfo info() const { return {"objective", kernel_, reason_}; }

 private:
  static constexpr const char* kOnHost = "host threads, samples, outputs and gradients copied every step";
  /// The size of an array that grows to n numbers: some more, as batches with an occupancy grid are of all sizes.
  static int64_t grown(int64_t size, int64_t n) { return n <= size ? size : std::max(n, size + size / 4); }
  /// body(array, numbers that it must have room for).
  template <typename Body>
  void for_each_array(const RayLoss& rays, const Body& body);
  bool make_room(const Stream& stream, const RayLoss& rays);
  int64_t n_samples() const { return host_offsets_.back(); }
  RayRange range_of(int64_t first, int64_t n) const;

  void decide(const char* kernel, std::string reason) {
    is_decided_ = true;
    kernel_ = kernel;
    reason_ = std::move(reason);
  }

  bool is_decided_ = false;
  const char* kernel_ = "cuda for rays, else host threads";
  std::string reason_ = "decided at the first step";
  std::span<const int64_t> host_offsets_;
  int width_ = 0;
  DensityKind density_ = DensityKind::Relu;
  float density_shift_ = 0;
  ColorKind color_ = ColorKind::Sigmoid;
  DeviceArray<int64_t> offsets_;
  DeviceArray<float> origins_;
  DeviceArray<float> directions_;
  DeviceArray<float> encoded_;
  DeviceArray<float> targets_;
  DeviceArray<float> backgrounds_;
  DeviceArray<float> t_;
  DeviceArray<float> delta_;
  DeviceArray<float> weights_;
  DeviceArray<double> squared_errors_;
  EarlyCopy<float> early_weights_;
  EarlyRead<double> early_loss_;
};

template <typename Body>
void DeviceRays::for_each_array(const RayLoss& rays, const Body& body) {
  const int64_t n_rays = rays.n_rays();
  body(offsets_, n_rays + 1);
  body(origins_, 3 * n_rays);
  body(directions_, 3 * n_rays);
  body(encoded_, std::ssize(rays.encoded_directions));
  body(targets_, 3 * n_rays);
  body(backgrounds_, 3 * n_rays);
  body(t_, rays.n_samples());
  body(delta_, rays.n_samples());
  body(weights_, rays.n_samples());
  body(squared_errors_, n_rays);
}

inline bool DeviceRays::make_room(const Stream& stream, const RayLoss& rays) {
  int64_t n_missing = 0;
  for_each_array(rays, [&](const auto& array, int64_t n) {
    if (n > array.size()) n_missing += grown(array.size(), n) * int64_t{sizeof(*array.data())};
  });
  if (n_missing == 0) return true;
  const int64_t n_free = free_bytes();
  if (n_missing > n_free) {
    decide(kOnHost, "expected " + std::to_string(n_missing >> 20) + " MiB for the rays, the device has " +
                        std::to_string(n_free >> 20) + " MiB free");
    return false;
  }
  loe::cuda::finish(stream);
  for_each_array(rays, [](auto& array, int64_t n) { array.resize(grown(array.size(), n)); });
  return true;
}

inline bool DeviceRays::take(const Stream& stream, const RayLoss& rays) {
  if (!make_room(stream, rays)) return false;
  decide("cuda a warp per ray: samples, volume rendering, loss and its gradient", "the objective describes its rays");
  host_offsets_ = rays.offsets;
  width_ = static_cast<int>(std::ssize(rays.encoded_directions) / rays.n_rays());
  density_ = rays.density;
  density_shift_ = rays.density_shift;
  color_ = rays.color;
  const auto send = [&](auto& array, const auto& numbers) {
    array.upload(stream, numbers.data(), std::ssize(numbers));
  };
  send(offsets_, rays.offsets);
  send(origins_, rays.origins);
  send(directions_, rays.directions);
  send(encoded_, rays.encoded_directions);
  send(targets_, rays.targets);
  send(backgrounds_, rays.backgrounds);
  send(t_, rays.t);
  send(delta_, rays.delta);
  return true;
}

/// Rays without samples between two pieces belong to one of them; where they are all that there is, to none.
inline RayRange DeviceRays::range_of(int64_t first, int64_t n) const {
  const auto place_of = [&](int64_t sample) {
    return std::lower_bound(host_offsets_.begin(), host_offsets_.end(), sample) - host_offsets_.begin();
  };
  const int64_t begin = place_of(first);
  return {begin, place_of(first + n) - begin, first};
}

inline void DeviceRays::fill(const Stream& stream, int64_t first, int64_t n, DeviceArray<float>& coords,
                             DeviceArray<float>& features) {
  const RayPositions positions{offsets_.const_buffer(), origins_.const_buffer(), directions_.const_buffer(),
                               encoded_.const_buffer(), t_.const_buffer()};
  launch_rays(stream, range_of(first, n), fill_ray_inputs, positions, width_, coords.buffer(), features.buffer());
}

inline void DeviceRays::find_loss(const Stream& stream, int64_t first, int64_t n, bool adds,
                                  const DeviceArray<float>& outputs, DeviceArray<float>& output_grads,
                                  DeviceArray<double>& loss) {
  const RayRange range = range_of(first, n);
  const double scale = 1.0 / (3.0 * static_cast<double>(host_offsets_.size() - 1));
  RayLossArguments a;
  a.offsets = offsets_.const_buffer();
  a.targets = targets_.const_buffer();
  a.backgrounds = backgrounds_.const_buffer();
  a.delta = delta_.const_buffer();
  a.density = density_;
  a.density_shift = density_shift_;
  a.color = color_;
  a.gradient_scale = static_cast<float>(2 * scale);
  a.outputs = outputs.const_buffer();
  a.output_grads = output_grads.buffer();
  a.weights = weights_.buffer();
  a.squared_errors = squared_errors_.buffer();
  launch_rays(stream, range, find_ray_losses, a);
  const Buffer<const double> errors(squared_errors_.data() + range.first, range.n);
  launch(stream, 1, kErrorThreads, add_losses, range.n, scale, adds, errors, loss.buffer());
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
