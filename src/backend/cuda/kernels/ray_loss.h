// The samples of rays as a network reads them, and the loss of the rendered colours: RayLoss, a warp per ray.
//
// A warp takes 32 samples of its ray at a time. Depths along the ray and the sums behind a sample are added in double
// from lane to lane, in an order that the ray's samples alone decide.
#pragma once

#include <cmath>

#include "backend/cuda/device/warp.h"
#include "loe/backend/activation.h"
#include "loe/backend/ray_loss.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

inline constexpr int kRayThreads = 128;
inline constexpr int kRaysPerBlock = kRayThreads / kLanes;
/// Outputs of a network per sample: raw red, green, blue, density.
inline constexpr int kRayOutputs = 4;

/// Rays first .. first + n - 1, whose samples are a piece of the batch that begins with first_sample.
struct RayRange {
  int64_t first = 0;
  int64_t n = 0;
  int64_t first_sample = 0;
};

/// A ray's samples: of the batch from `sample` on, of the piece from `row` on.
struct RayPlace {
  int64_t ray;
  int64_t sample;
  int64_t row;
  int n;
};

/// The ray of this warp; n is below 0 if there is none.
LOE_DEVICE RayPlace find_ray(const RayRange& range, const Buffer<const int64_t>& offsets) {
  const int64_t item = int64_t{block_index()} * kRaysPerBlock + warp_index();
  if (item >= range.n) return {0, 0, 0, -1};
  const int64_t ray = range.first + item;
  const int64_t begin = offsets[ray];
  return {ray, begin, begin - range.first_sample, static_cast<int>(offsets[ray + 1] - begin)};
}

#ifdef __CUDACC__
/// o + t d + 1/2 with every operation rounded by itself, as on the host: a fused one could pick another expert.
LOE_DEVICE float place_on_ray(float origin, float t, float direction) {
  return __fadd_rn(__fadd_rn(origin, __fmul_rn(t, direction)), 0.5F);
}
#else
inline float place_on_ray(float origin, float t, float direction) {
  return origin + t * direction + 0.5F;
}
#endif

/// Rays and where their samples are.
struct RayPositions {
  Buffer<const int64_t> offsets;
  Buffer<const float> origins;
  Buffer<const float> directions;
  Buffer<const float> encoded;
  Buffer<const float> t;
};

/// coords [rows, 3] and features [rows, width] of the samples.
LOE_KERNEL void fill_ray_inputs(RayRange range, RayPositions rays, int width, Buffer<float> coords,
                                Buffer<float> features) {
  const RayPlace place = find_ray(range, rays.offsets);
  for (int i = lane_index(); i < 3 * place.n; i += kLanes) {
    const int64_t axis = 3 * place.ray + i % 3;
    const float p = place_on_ray(rays.origins[axis], rays.t[place.sample + i / 3], rays.directions[axis]);
    const float above = p < 0 ? 0.0F : p;  // a NaN stays one
    coords[3 * place.row + i] = above > 1 ? 1.0F : above;
  }
  for (int64_t i = lane_index(); i < int64_t{place.n} * width; i += kLanes) {
    features[place.row * width + i] = rays.encoded[place.ray * width + i % width];
  }
}

/// Device memory of a RayLoss.
struct RayLossArguments {
  Buffer<const int64_t> offsets;
  Buffer<const float> targets;
  Buffer<const float> backgrounds;
  Buffer<const float> delta;
  DensityKind density = DensityKind::Relu;
  float density_shift = 0;
  ColorKind color = ColorKind::Sigmoid;
  float gradient_scale = 0;       ///< 2 / (3 R)
  Buffer<const float> outputs;    ///< [rows, 4]
  Buffer<float> output_grads;     ///< [rows, 4]
  Buffer<float> weights;          ///< [S]
  Buffer<double> squared_errors;  ///< [R], |f(C) - f(target)|^2; 0 of a ray without samples
};

/// What a network's outputs say of one sample.
struct FieldSample {
  float color[3];
  float density_input;  ///< v + shift
  float sigma;
};

LOE_DEVICE FieldSample read_field(const RayLossArguments& a, int64_t row) {
  FieldSample s;
  for (int c = 0; c < 3; ++c) {
    const float raw = a.outputs[row * kRayOutputs + c];
    s.color[c] = a.color == ColorKind::Sinh ? radiance(raw) : sigmoid(raw);
  }
  s.density_input = a.outputs[row * kRayOutputs + 3] + a.density_shift;
  const float positive = s.density_input < 0 ? 0.0F : s.density_input;  // a NaN stays one
  s.sigma = a.density == DensityKind::Relu ? positive : softplus(s.density_input);
  return s;
}

/// From the gradient by sigma to that by v.
LOE_DEVICE float derive_density(DensityKind kind, float density_input, float d_sigma) {
  if (kind == DensityKind::Softplus) return d_sigma * sigmoid(density_input);
  return density_input > 0 ? d_sigma : 0.0F;
}

/// dc / du of a colour c.
LOE_DEVICE float derive_color(ColorKind kind, float c) {
  return kind == ColorKind::Sinh ? radiance_slope(c) : c * (1.0F - c);
}

/// The sum over lanes up to the own one.
LOE_DEVICE double add_earlier_lanes(double sum) {
  for (int distance = 1; distance < kLanes; distance *= 2) {
    const double other = shuffle_up(sum, distance);
    if (lane_index() >= distance) sum += other;
  }
  return sum;
}
/// The sum over lanes from the own one on.
LOE_DEVICE double add_later_lanes(double sum) {
  for (int distance = 1; distance < kLanes; distance *= 2) {
    const double other = shuffle(sum, lane_index() + distance);
    if (lane_index() + distance < kLanes) sum += other;
  }
  return sum;
}
LOE_DEVICE double add_all_lanes(double sum) {
  for (int distance = kLanes / 2; distance > 0; distance /= 2) sum += shuffle_xor(sum, distance);
  return sum;
}

/// Sums over a ray: sum w, sum w c.
struct RaySums {
  double opacity;
  double color[3];
};

/// The weights of a ray's samples. T behind each sample waits where the gradient by its density will be, read by the
/// same lane again.
LOE_DEVICE RaySums composite(const RayLossArguments& a, const RayPlace& place) {
  RaySums sums{0, {0, 0, 0}};
  double depth = 0;  // sum of sigma delta before the first of the 32 samples
  for (int first = 0; first < place.n; first += kLanes) {
    const int i = first + lane_index();
    const bool is_there = i < place.n;
    FieldSample s{{0, 0, 0}, 0, 0};
    if (is_there) s = read_field(a, place.row + i);
    const float x = is_there ? s.sigma * a.delta[place.sample + i] : 0.0F;
    const double behind = depth + add_earlier_lanes(static_cast<double>(x));
    const double of_lane_before = shuffle_up(behind, 1);
    const double before = lane_index() == 0 ? depth : of_lane_before;
    depth = shuffle(behind, kLanes - 1);
    if (!is_there) continue;
    const float weight = std::exp(-static_cast<float>(before)) * -std::expm1(-x);
    a.weights[place.sample + i] = weight;
    a.output_grads[(place.row + i) * kRayOutputs + 3] = std::exp(-static_cast<float>(behind));
    sums.opacity += static_cast<double>(weight);
    for (int c = 0; c < 3; ++c) sums.color[c] += static_cast<double>(weight) * static_cast<double>(s.color[c]);
  }
  sums.opacity = add_all_lanes(sums.opacity);
  for (int c = 0; c < 3; ++c) sums.color[c] = add_all_lanes(sums.color[c]);
  return sums;
}

/// The gradient by a ray's outputs, from that by its colour: with s_i = <dL/dC, c_i - background>,
///   dL/dc_i = w_i dL/dC,   dL/dsigma_i = delta_i (T_{i+1} s_i - sum_{j>i} w_j s_j).
LOE_DEVICE void differentiate_ray(const RayLossArguments& a, const RayPlace& place, const float (&d_color)[3]) {
  double of_background = 0;
  for (int c = 0; c < 3; ++c) {
    of_background += static_cast<double>(d_color[c]) * static_cast<double>(a.backgrounds[3 * place.ray + c]);
  }
  double later = 0;  // sum of w s behind the last of the 32 samples
  for (int first = (place.n - 1) / kLanes * kLanes; first >= 0; first -= kLanes) {
    const int i = first + lane_index();
    const bool is_there = i < place.n;
    const int64_t row = (place.row + i) * kRayOutputs;
    FieldSample sample{{0, 0, 0}, 0, 0};
    float weight = 0;
    double s = 0;
    if (is_there) {
      sample = read_field(a, place.row + i);
      weight = a.weights[place.sample + i];
      s = -of_background;
      for (int c = 0; c < 3; ++c) s += static_cast<double>(d_color[c]) * static_cast<double>(sample.color[c]);
    }
    const double from_here = add_later_lanes(static_cast<double>(weight) * s);
    const double of_lane_behind = shuffle(from_here, lane_index() + 1);
    const double behind = later + (lane_index() == kLanes - 1 ? 0.0 : of_lane_behind);
    later += shuffle(from_here, 0);
    if (!is_there) continue;
    const double d_depth = static_cast<double>(a.output_grads[row + 3]) * s - behind;
    const auto d_sigma = static_cast<float>(static_cast<double>(a.delta[place.sample + i]) * d_depth);
    a.output_grads[row + 3] = derive_density(a.density, sample.density_input, d_sigma);
    for (int c = 0; c < 3; ++c) {
      a.output_grads[row + c] = weight * d_color[c] * derive_color(a.color, sample.color[c]);
    }
  }
}

/// Weights, squared errors and gradients of rays.
LOE_KERNEL void find_ray_losses(RayRange range, RayLossArguments a) {
  const RayPlace place = find_ray(range, a.offsets);
  if (place.n < 0) return;
  double squared_error = 0;
  if (place.n > 0) {
    const RaySums sums = composite(a, place);
    // The weights' roundings may add up to a little more than 1.
    const double rest = sums.opacity > 1 ? 0.0 : 1 - sums.opacity;
    float d_color[3];
    for (int c = 0; c < 3; ++c) {
      const int64_t at = 3 * place.ray + c;
      const auto color = static_cast<float>(sums.color[c] + rest * static_cast<double>(a.backgrounds[at]));
      const auto target = static_cast<double>(a.targets[at]);
      const auto found = static_cast<double>(color);
      const bool is_compressed = a.color == ColorKind::Sinh;
      const double error = is_compressed ? std::asinh(found) - std::asinh(target) : found - target;
      squared_error += error * error;
      const double slope = is_compressed ? 1 / std::sqrt(1 + found * found) : 1.0;
      d_color[c] = a.gradient_scale * static_cast<float>(error * slope);
    }
    differentiate_ray(a, place, d_color);
  }
  if (lane_index() == 0) a.squared_errors[place.ray] = squared_error;
}

/// A warp per ray of the range.
template <typename... Parameters, typename... Arguments>
void launch_rays(const Stream& stream, const RayRange& range, void (*kernel)(RayRange, Parameters...),
                 const Arguments&... arguments) {
  launch(stream, (range.n + kRaysPerBlock - 1) / kRaysPerBlock, kRayThreads, kernel, range, arguments...);
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
