// From a field's raw outputs along rays to colours, and the loss of those against photos.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/nn/radiance_field.h"
#include "loe/render/rays.h"
#include "loe/signal/field_info.h"
#include "task/scene/ray_samples.h"

namespace loe {

/// Outputs of a radiance field per sample: raw red, green, blue, density.
inline constexpr int kFieldOutputs = 4;

/// How a network of build_radiance_field encodes directions. Error(InvalidArgument) if it is none.
InputSpec direction_encoding(const NetworkSpec& spec);

/// gamma(d) of each ray, [R, width].
void encode_directions(const InputSpec& encoding, std::span<const float> directions, std::vector<float>& out);

/// Network inputs of samples first .. first + count - 1: coords [count, 3] in [0, 1], features [count, width].
void fill_ray_samples(const RayBatch& rays, const SampleSet& samples, std::span<const float> encoded_directions,
                      int64_t first, int64_t count, float* coords, float* features);

/// Position of a point of [-0.5, 0.5]^3 in the networks' [0, 1]^3, where rounding must not leave it.
inline float field_coordinate(float p) {
  return std::min(std::max(p + 0.5F, 0.0F), 1.0F);
}

/// Densities [S] and colours [S, 3] of samples from raw outputs [S, 4]; from [S, 1] densities alone.
void activate_samples(const RaySettings& settings, std::span<const float> outputs, std::span<float> sigma,
                      std::span<float> color);

/// Mean over rays and channels of the squared error of rendered colours: L = 1/(3 R) sum |f(C_r) - f(target_r)|^2,
/// summed over rays that have samples; f is what RaySettings::color compares. R counts all rays.
class RayObjective final : public Objective {
 public:
  /// All must outlive the objective. targets, backgrounds [R, 3]; weights: filled by loss(), [S].
  RayObjective(const RaySettings& settings, const InputSpec& encoding, const RayBatch& rays, const SampleSet& samples,
               std::span<const float> targets, std::span<const float> backgrounds, std::span<float> weights);
  /// The description below points into the objective.
  RayObjective(const RayObjective&) = delete;
  RayObjective& operator=(const RayObjective&) = delete;

  int64_t n_samples() const override { return samples_.size(); }
  std::span<const int64_t> groups() const override { return groups_; }
  void fill(int64_t first, int64_t count, float* coords, float* features) const override;
  double loss(int64_t first, int64_t count, const float* outputs, float* output_grads) const override;
  const RayLoss* rays() const override { return &description_; }
  /// What rays without samples add: their background against the target.
  double constant_loss() const { return constant_loss_; }

 private:
  const RaySettings& settings_;
  const RayBatch& rays_;
  const SampleSet& samples_;
  std::span<const float> targets_;
  std::span<const float> backgrounds_;
  std::span<float> weights_;
  std::vector<float> encoded_directions_;
  std::vector<int64_t> groups_;     ///< where the rays with samples begin
  std::vector<int64_t> group_ray_;  ///< and which they are
  double constant_loss_ = 0;
  RayLoss description_;
};

}  // namespace loe
