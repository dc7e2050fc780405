#include "task/scene/ray_objective.h"

#include <fmt/format.h>

#include <algorithm>

#include "loe/backend/encoding.h"
#include "loe/base/error.h"
#include "loe/render/volume_rendering.h"

namespace loe {

InputSpec direction_encoding(const NetworkSpec& spec) {
  const int width = spec.n_features();
  if (spec.n_dims != 3 || spec.n_out() != kFieldOutputs || width < 3 || (width - 3) % 6 != 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[scene] network: expected a radiance field (3 coordinates, a direction's encoding, 4 "
                            "outputs), got one with {} coordinates, {} features and {} outputs",
                            spec.n_dims, width, spec.n_out()));
  }
  RadianceFieldConfig field;
  field.n_direction_frequencies = (width - 3) / 6;
  return direction_input(field);
}

void encode_directions(const InputSpec& encoding, std::span<const float> directions, std::vector<float>& out) {
  const std::size_t width = static_cast<std::size_t>(encoding.width(3));
  out.resize(directions.size() / 3 * width);
  for (std::size_t r = 0; r < directions.size() / 3; ++r) {
    encode(encoding, 3, directions.data() + 3 * r, out.data() + width * r);
  }
}

void fill_ray_samples(const RayBatch& rays, const SampleSet& samples, std::span<const float> encoded_directions,
                      int64_t first, int64_t count, float* coords, float* features) {
  const std::size_t width = encoded_directions.size() / static_cast<std::size_t>(rays.size());
  const auto after = std::upper_bound(samples.offsets.begin(), samples.offsets.end(), first);
  std::size_t ray = static_cast<std::size_t>(after - samples.offsets.begin()) - 1;
  for (int64_t i = first; i < first + count; ++i) {
    while (samples.offsets[ray + 1] <= i) {
      ++ray;
    }
    const float t = samples.t[static_cast<std::size_t>(i)];
    for (std::size_t axis = 0; axis < 3; ++axis) {
      *coords++ = field_coordinate(rays.origins[3 * ray + axis] + t * rays.directions[3 * ray + axis]);
    }
    features = std::copy_n(encoded_directions.data() + width * ray, width, features);
  }
}

void activate_samples(const RaySettings& settings, std::span<const float> outputs, std::span<float> sigma,
                      std::span<float> color) {
  const auto shift = static_cast<float>(settings.density_shift);
  if (outputs.size() == sigma.size()) return activate_density(settings.density, shift, outputs, sigma);
  for (std::size_t i = 0; i < sigma.size(); ++i) {
    std::copy_n(outputs.data() + kFieldOutputs * i, 3, color.data() + 3 * i);
    sigma[i] = outputs[kFieldOutputs * i + 3];
  }
  activate_density(settings.density, shift, sigma, sigma);
  activate_color(color, color, settings.color);
}

namespace {

ColorKind color_kind(ColorActivation activation) {
  return activation == ColorActivation::Sinh ? ColorKind::Sinh : ColorKind::Sigmoid;
}

}  // namespace

RayObjective::RayObjective(const RaySettings& settings, const InputSpec& encoding, const RayBatch& rays,
                           const SampleSet& samples, std::span<const float> targets, std::span<const float> backgrounds,
                           std::span<float> weights)
    : settings_(settings),
      rays_(rays),
      samples_(samples),
      targets_(targets),
      backgrounds_(backgrounds),
      weights_(weights) {
  encode_directions(encoding, rays.directions, encoded_directions_);
  const int64_t n_rays = rays.size();
  for (int64_t r = 0; r < n_rays; ++r) {
    const auto i = static_cast<std::size_t>(r);
    if (samples.offsets[i + 1] > samples.offsets[i]) {
      groups_.push_back(samples.offsets[i]);
      group_ray_.push_back(r);
      continue;
    }
    for (std::size_t c = 3 * i; c < 3 * i + 3; ++c) {
      const ColorKind kind = color_kind(settings.color);
      const double error = compared_color(kind, backgrounds[c]) - compared_color(kind, targets[c]);
      constant_loss_ += error * error / (3.0 * static_cast<double>(n_rays));
    }
  }
  groups_.push_back(samples.size());
  description_ = {.offsets = samples.offsets,
                  .origins = rays.origins,
                  .directions = rays.directions,
                  .encoded_directions = encoded_directions_,
                  .targets = targets,
                  .backgrounds = backgrounds,
                  .t = samples.t,
                  .delta = samples.delta,
                  .density = settings.density == DensityActivation::Relu ? DensityKind::Relu : DensityKind::Softplus,
                  .density_shift = static_cast<float>(settings.density_shift),
                  .weights = weights,
                  .color = color_kind(settings.color)};
}

void RayObjective::fill(int64_t first, int64_t count, float* coords, float* features) const {
  fill_ray_samples(rays_, samples_, encoded_directions_, first, count, coords, features);
}

double RayObjective::loss(int64_t first, int64_t count, const float* outputs, float* output_grads) const {
  // Kept by each thread: a tile is a few thousand samples, many times a step.
  thread_local std::vector<float> sigma;
  thread_local std::vector<float> color;
  thread_local std::vector<int64_t> offsets;
  thread_local std::vector<float> rendered;
  thread_local std::vector<float> opacity;
  thread_local std::vector<float> d_rendered;
  thread_local std::vector<float> behind;
  thread_local std::vector<float> d_sigma;
  thread_local std::vector<float> d_color;

  const std::size_t n = static_cast<std::size_t>(count);
  const std::span<const float> raw(outputs, n * kFieldOutputs);
  sigma.resize(n);
  color.resize(3 * n);
  activate_samples(settings_, raw, sigma, color);
  const auto begin =
      static_cast<std::size_t>(std::lower_bound(groups_.begin(), groups_.end(), first) - groups_.begin());
  offsets.assign(1, 0);
  behind.clear();
  for (std::size_t g = begin; groups_[g] < first + count; ++g) {
    offsets.push_back(groups_[g + 1] - first);
    const auto background = backgrounds_.begin() + 3 * group_ray_[g];
    behind.insert(behind.end(), background, background + 3);
  }
  const std::size_t n_rays = offsets.size() - 1;
  rendered.resize(3 * n_rays);
  opacity.resize(n_rays);
  d_rendered.resize(3 * n_rays);
  d_sigma.resize(n);
  d_color.resize(3 * n);
  const std::span<float> weights = weights_.subspan(static_cast<std::size_t>(first), n);
  const std::span<const float> t = std::span(samples_.t).subspan(static_cast<std::size_t>(first), n);
  const std::span<const float> delta = std::span(samples_.delta).subspan(static_cast<std::size_t>(first), n);
  const RaySamples along{offsets, t, delta, sigma, color};
  volume_render(along, behind, {rendered, opacity, {}, weights});

  double sum = 0;
  const double scale = 1.0 / (3.0 * static_cast<double>(rays_.size()));
  const ColorKind kind = color_kind(settings_.color);
  for (std::size_t g = 0; g < n_rays; ++g) {
    const std::size_t target = 3 * static_cast<std::size_t>(group_ray_[begin + g]);
    for (std::size_t c = 0; c < 3; ++c) {
      const double found = rendered[3 * g + c];
      const double error = compared_color(kind, found) - compared_color(kind, targets_[target + c]);
      sum += scale * error * error;
      d_rendered[3 * g + c] = static_cast<float>(2 * scale * error * compared_slope(kind, found));
    }
  }
  volume_render_backward(along, behind, weights, {d_rendered, {}, {}}, d_sigma, d_color);
  activate_color_backward(color, d_color, d_color, settings_.color);
  // The density's derivative is one by its raw value, which sigma has replaced.
  for (std::size_t i = 0; i < n; ++i) {
    sigma[i] = raw[kFieldOutputs * i + 3];
  }
  activate_density_backward(settings_.density, static_cast<float>(settings_.density_shift), sigma, d_sigma, d_sigma);
  for (std::size_t i = 0; i < n; ++i) {
    std::copy_n(d_color.data() + 3 * i, 3, output_grads + kFieldOutputs * i);
    output_grads[kFieldOutputs * i + 3] = d_sigma[i];
  }
  return sum;
}

}  // namespace loe
