// From densities and colours along rays to pixels, and the gradients back (paper eq. 6).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loe/base/thread_pool.h"
#include "loe/signal/field_info.h"

namespace loe {

/// Samples of R rays, S in all, ray after ray. Ray r owns samples offsets[r] .. offsets[r + 1] - 1 in order of
/// distance; rays may have different numbers of samples (empty space is skipped), also none.
struct RaySamples {
  std::span<const int64_t> offsets;  ///< [R + 1], not decreasing, from 0 to S
  std::span<const float> t;          ///< [S] distance of each sample from the ray's origin
  std::span<const float> delta;      ///< [S] >= 0, length of ray that the sample stands for; see sample_intervals()
  std::span<const float> sigma;      ///< [S] >= 0, density per unit of length
  std::span<const float> color;      ///< [S, 3]

  int64_t n_rays() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

/// What volume_render writes. `depth` may be empty: not wanted.
struct RayOutputs {
  std::span<float> color;    ///< [R, 3], composited over the background
  std::span<float> opacity;  ///< [R] in [0, 1]
  std::span<float> depth;    ///< [R] sum of w_i t_i: not divided by the opacity, 0 for a ray that meets nothing
  std::span<float> weights;  ///< [S] w_i
};

/// dL / d(outputs). `opacity` and `depth` may be empty: zero.
struct RayGradients {
  std::span<const float> color;    ///< [R, 3]
  std::span<const float> opacity;  ///< [R]
  std::span<const float> depth;    ///< [R]
};

/// offsets[r] = r n for r = 0 .. R: all rays have n samples.
std::vector<int64_t> uniform_offsets(int64_t n_rays, int64_t n_samples);

/// Volume rendering (paper eq. 6) of each ray, with x_i = sigma_i delta_i:
///
///   A_i = sum_{j<i} x_j,   T_i = exp(-A_i),   w_i = T_i (1 - exp(-x_i)),   opacity O = sum_i w_i,
///   colour C = sum_i w_i c_i + (1 - O) background,   depth D = sum_i w_i t_i.
///
///   background  empty (black), [3] (one for all rays) or [R, 3]
/// Optical depths are summed in double, so that sum of w_i + T_n = 1 to a few float roundings for any number of
/// samples. Nothing overflows for x from 0 to infinity. A NaN in a ray makes that ray's outputs NaN.
/// Cost: two exponentials per sample; 5 to 7 ns per sample on one core of a Zen 4. No allocation.
/// Determinism: a ray's outputs depend on that ray alone; same bits with any pool, or none.
/// Throws Error(InvalidArgument) naming the shape that disagrees.
void volume_render(const RaySamples& samples, std::span<const float> background, const RayOutputs& outputs,
                   ThreadPool* pool = nullptr);

/// Gradients of volume_render, given its weights. With s_i = dL/dw_i = <dL/dC, c_i - background> + dL/dO + dL/dD t_i:
///
///   dL/dc_i = w_i dL/dC,   dL/dsigma_i = delta_i (T_{i+1} s_i - sum_{j>i} w_j s_j)
///
/// computed in O(n) per ray from the last sample to the first.
///   weights  [S] as volume_render left them;  d_sigma [S], d_color [S, 3]: overwritten
/// A very long delta (LastInterval::Infinite) makes a very large, but finite, dL/dsigma where sigma is nearly 0: that
/// is the derivative. Cost: one exponential, 10 to 12 ns per sample. Determinism and errors as volume_render.
void volume_render_backward(const RaySamples& samples, std::span<const float> background,
                            std::span<const float> weights, const RayGradients& gradients, std::span<float> d_sigma,
                            std::span<float> d_color, ThreadPool* pool = nullptr);

/// delta_i = t_{i+1} - t_i (paper eq. 6), at least 0; the last one by `last`. All 0 for a ray with near >= far.
///   offsets [R + 1], t [S], near and far [R] -> delta [S]
/// Throws Error(InvalidArgument) naming the shape that disagrees.
void sample_intervals(std::span<const int64_t> offsets, std::span<const float> t, std::span<const float> near,
                      std::span<const float> far, LastInterval last, std::span<float> delta);

/// Early termination: counts[r] = number of leading samples of ray r with T_i >= threshold. What lies behind changes
/// no output by more than threshold times its largest colour.
///   samples: offsets, delta and sigma are read;  counts [R];  threshold in [0, 1]
void count_visible_samples(const RaySamples& samples, float threshold, std::span<int64_t> counts);

/// sigma = activation(raw + shift), element by element; sigma may be raw. Error(InvalidArgument) if sizes differ.
void activate_density(DensityActivation activation, float shift, std::span<const float> raw, std::span<float> sigma);
/// d_raw = d_sigma * activation'(raw + shift); d_raw may be d_sigma. Relu's derivative at 0 is 0.
void activate_density_backward(DensityActivation activation, float shift, std::span<const float> raw,
                               std::span<const float> d_sigma, std::span<float> d_raw);
/// color = 1 / (1 + exp(-raw)), or sinh(raw) of raw cut to +-20 (kMaxRawRadiance); color may be raw.
void activate_color(std::span<const float> raw, std::span<float> color,
                    ColorActivation activation = ColorActivation::Sigmoid);
/// d_raw = d_color * color (1 - color), or d_color * sqrt(1 + color^2), from activate_color's result; d_raw may be
/// d_color.
void activate_color_backward(std::span<const float> color, std::span<const float> d_color, std::span<float> d_raw,
                             ColorActivation activation = ColorActivation::Sigmoid);

}  // namespace loe
