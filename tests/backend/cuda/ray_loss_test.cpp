// Losses of rays on the device, emulated: samples to the bit, the loss and its gradients against sums in double, and
// trainings of a radiance field's network beside those whose loss the host finds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backend/cuda/emulated_backend.h"
#include "backend/cuda/executor.h"
#include "backend/cuda/schedules.h"
#include "backend/network_builders.h"
#include "backend/rounding_model.h"
#include "loe/base/error.h"

namespace loe::cuda {
namespace {

using test::kUnitF32;
using test::random_floats;
using test::random_params;

constexpr int kWidth = 5;  ///< of an encoded direction

/// Rays through the box and beside it, with as many samples as asked for.
struct SomeRays {
  std::vector<int64_t> offsets = {0};
  std::vector<float> origins, directions, encoded, targets, backgrounds, t, delta, weights;
  DensityKind density;
  ColorKind color = ColorKind::Sigmoid;

  SomeRays(const std::vector<int>& counts, DensityKind kind) : density(kind) {
    const auto n_rays = static_cast<int64_t>(counts.size());
    for (const int count : counts) offsets.push_back(offsets.back() + count);
    origins = random_floats(3 * n_rays, -0.7, 0.7, 1);
    directions = random_floats(3 * n_rays, -1, 1, 2);
    encoded = random_floats(kWidth * n_rays, -1, 1, 3);
    targets = random_floats(3 * n_rays, 0, 1, 4);
    backgrounds = random_floats(3 * n_rays, 0, 1, 5);
    t = random_floats(n_samples(), 0, 1, 6);
    delta = random_floats(n_samples(), 0, 0.3, 7);
    weights.assign(t.size(), -1);
  }
  int64_t n_samples() const { return offsets.back(); }
  int64_t n_rays() const { return static_cast<int64_t>(offsets.size()) - 1; }
  RayLoss loss() {
    return {offsets, origins, directions, encoded, targets, backgrounds, t, delta, density, 0.25F, weights, color};
  }
};

/// Numbers in double, and how far floats may be from them.
struct Expected {
  double loss = 0;
  double loss_error = 0;
  std::vector<double> weights, weight_errors, grads, grad_errors;
};

/// Sums of one ray. Errors, to first order: an elementary function is good to kFunctionUlps units u of its result, a
/// sigmoid to two of them and a softplus of y to as many and |y| u more, as y was rounded; exp(-A) passes an absolute
/// error of A on as a relative one; sums are in double, exact beside the rest.
void add_ray(const RayLoss& rays, std::size_t r, std::span<const float> outputs, Expected& e) {
  const double u = kUnitF32;
  const double function = test::kFunctionUlps * u;
  const auto begin = static_cast<std::size_t>(rays.offsets[r]);
  const auto n = static_cast<std::size_t>(rays.offsets[r + 1]) - begin;
  std::vector<double> color(3 * n), behind(n), behind_error(n), derivative(n), derivative_error(n);
  double depth = 0, depth_error = 0, opacity = 0, opacity_error = 0;
  double rendered[3] = {}, rendered_error[3] = {};
  for (std::size_t i = 0; i < n; ++i) {
    const float* const raw = outputs.data() + 4 * (begin + i);
    const double y = double{raw[3]} + double{rays.density_shift};
    const bool is_relu = rays.density == DensityKind::Relu;
    const double sigma = is_relu ? std::max(0.0, y) : std::log1p(std::exp(-std::abs(y))) + std::max(0.0, y);
    const double x = sigma * double{rays.delta[begin + i]};
    const double y_error = u * std::abs(y);
    const double x_error = x * (y_error + 2 * function + 2 * u) + (is_relu ? y_error * rays.delta[begin + i] : 0);
    derivative[i] = is_relu ? (y > 0 ? 1 : 0) : 1 / (1 + std::exp(-y));
    derivative_error[i] = is_relu ? 0 : derivative[i] * (y_error + 2 * function);
    const double weight = std::exp(-depth) * -std::expm1(-x);
    const double error = weight * (depth_error + depth * u + 3 * function) + std::exp(-depth - x) * x_error;
    depth += x;
    depth_error += x_error;
    behind[i] = std::exp(-depth);
    behind_error[i] = behind[i] * (depth_error + depth * u + function) + 0x1p-126;  // a GPU may flush what is below
    e.weights[begin + i] = weight;
    e.weight_errors[begin + i] = error + 0x1p-126;
    opacity += weight;
    opacity_error += error;
    for (std::size_t c = 0; c < 3; ++c) {
      color[3 * i + c] = 1 / (1 + std::exp(-double{raw[c]}));
      rendered[c] += weight * color[3 * i + c];
      rendered_error[c] += error * color[3 * i + c] + weight * color[3 * i + c] * 2 * function;
    }
  }
  double d[3], d_error[3];
  for (std::size_t c = 0; c < 3; ++c) {
    const std::size_t at = 3 * r + c;
    const double value = rendered[c] + (1 - opacity) * double{rays.backgrounds[at]};
    const double value_error = rendered_error[c] + opacity_error * rays.backgrounds[at] + u * value;
    const double difference = value - double{rays.targets[at]};
    const double scale = 1 / (3.0 * static_cast<double>(rays.n_rays()));
    e.loss += scale * difference * difference;
    e.loss_error += scale * (2 * std::abs(difference) + value_error) * value_error;
    d[c] = 2 * scale * difference;
    d_error[c] = 2 * scale * value_error + 3 * u * std::abs(d[c]);
  }
  double later = 0, later_error = 0;
  for (std::size_t i = n; i-- > 0;) {
    double s = 0, s_error = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      const double k = color[3 * i + c];
      s += d[c] * (k - double{rays.backgrounds[3 * r + c]});
      s_error += d_error[c] * (k + rays.backgrounds[3 * r + c]) + std::abs(d[c]) * k * 2 * function;
      const std::size_t at = 4 * (begin + i) + c;
      const double slope = k * (1 - k);
      const double slope_error = (k + 2 * slope) * 2 * function + 2 * u * slope;
      e.grads[at] = e.weights[begin + i] * d[c] * slope;
      e.grad_errors[at] = e.weight_errors[begin + i] * std::abs(d[c]) * slope +
                          e.weights[begin + i] * (d_error[c] * slope + std::abs(d[c]) * slope_error) +
                          3 * u * std::abs(e.grads[at]) + 0x1p-126;
    }
    const double delta = rays.delta[begin + i];
    const double g = behind[i] * s - later;
    const double g_error = behind_error[i] * std::abs(s) + behind[i] * s_error + later_error;
    e.grads[4 * (begin + i) + 3] = delta * g * derivative[i];
    e.grad_errors[4 * (begin + i) + 3] =
        delta * (g_error * derivative[i] + std::abs(g) * (derivative_error[i] + 2 * u)) + 0x1p-126;
    later += e.weights[begin + i] * s;
    later_error += e.weight_errors[begin + i] * std::abs(s) + e.weights[begin + i] * s_error;
  }
}

Expected expected_loss(const RayLoss& rays, std::span<const float> outputs) {
  Expected e;
  for (std::vector<double>* numbers : {&e.weights, &e.weight_errors}) numbers->resize(rays.t.size());
  for (std::vector<double>* numbers : {&e.grads, &e.grad_errors}) numbers->resize(outputs.size());
  for (std::size_t r = 0; r < static_cast<std::size_t>(rays.n_rays()); ++r) {
    if (rays.offsets[r] < rays.offsets[r + 1]) add_ray(rays, r, outputs, e);
  }
  return e;
}

/// What the device makes of the outputs of all samples, in pieces of whole rays that begin with these samples.
struct Found {
  double loss = 0;
  std::vector<float> weights, grads;
};

Found find_on_device(SomeRays& rays, const std::vector<float>& outputs, const std::vector<int64_t>& pieces) {
  const Stream stream;
  DeviceRays device;
  EXPECT_TRUE(device.take(stream, rays.loss()));
  DeviceArray<double> loss(1);
  Found found;
  found.grads.resize(outputs.size());
  for (std::size_t p = 0; p + 1 < pieces.size(); ++p) {
    const int64_t n = pieces[p + 1] - pieces[p];
    DeviceArray<float> some_outputs(4 * n);
    DeviceArray<float> some_grads(4 * n);
    some_outputs.upload(stream, outputs.data() + 4 * pieces[p], 4 * n);
    device.find_loss(stream, pieces[p], n, p > 0, some_outputs, some_grads, loss);
    some_grads.download(stream, found.grads.data() + 4 * pieces[p], 4 * n);
  }
  device.start_reading(stream, loss);
  found.loss = device.finish(rays.weights);
  found.weights = rays.weights;
  return found;
}

void expect_close(const Found& found, const Expected& expected) {
  EXPECT_NEAR(found.loss, expected.loss, expected.loss_error + 1e-15);
  for (std::size_t i = 0; i < found.weights.size(); ++i) {
    ASSERT_NEAR(found.weights[i], expected.weights[i], expected.weight_errors[i]) << "weight " << i;
  }
  for (std::size_t i = 0; i < found.grads.size(); ++i) {
    ASSERT_NEAR(found.grads[i], expected.grads[i], expected.grad_errors[i]) << "gradient " << i;
  }
}

const std::vector<int> kCounts = {0, 1, 33, 0, 0, 32, 7, 100, 64, 1, 2, 0};

std::vector<float> some_outputs(const SomeRays& rays) {
  return random_floats(4 * rays.n_samples(), -3, 5, 8);
}

TEST(RayLoss, SamplesAreThoseOfTheHostToTheBit) {
  SomeRays rays(kCounts, DensityKind::Relu);
  rays.t[3] = std::nanf("");
  rays.t[4] = -0.0F;
  std::vector<float> coords;
  std::vector<float> features;
  for (std::size_t r = 0; r < kCounts.size(); ++r) {
    for (auto i = static_cast<std::size_t>(rays.offsets[r]); i < static_cast<std::size_t>(rays.offsets[r + 1]); ++i) {
      for (std::size_t a = 3 * r; a < 3 * r + 3; ++a) {
        const float p = rays.origins[a] + rays.t[i] * rays.directions[a];
        coords.push_back(std::min(std::max(p + 0.5F, 0.0F), 1.0F));
      }
      for (std::size_t k = kWidth * r; k < kWidth * (r + 1); ++k) features.push_back(rays.encoded[k]);
    }
  }
  EXPECT_GT(std::count(coords.begin(), coords.end(), 0.0F), 10) << "no ray leaves the box";
  const Stream stream;
  DeviceRays device;
  ASSERT_TRUE(device.take(stream, rays.loss()));
  test::for_each_schedule([&] {
    for (const auto& [first, last] : {std::pair<int64_t, int64_t>{0, rays.n_samples()}, {1, 66}, {73, 240}}) {
      const int64_t n = last - first;
      DeviceArray<float> some_coords(3 * n);
      DeviceArray<float> some_features(kWidth * n);
      device.fill(stream, first, n, some_coords, some_features);
      EXPECT_EQ(
          std::memcmp(some_coords.data(), coords.data() + 3 * first, static_cast<std::size_t>(some_coords.n_bytes())),
          0);
      EXPECT_EQ(std::memcmp(some_features.data(), features.data() + kWidth * first,
                            static_cast<std::size_t>(some_features.n_bytes())),
                0);
    }
  });
}

TEST(RayLoss, LossWeightsAndGradientsAreThoseOfSumsInDouble) {
  for (const DensityKind density : {DensityKind::Relu, DensityKind::Softplus}) {
    SCOPED_TRACE(static_cast<int>(density));
    SomeRays rays(kCounts, density);
    const std::vector<float> outputs = some_outputs(rays);
    const Expected expected = expected_loss(rays.loss(), outputs);
    // A tolerance that would let mistakes through is none.
    EXPECT_LT(expected.loss_error, 1e-5 * expected.loss);
    EXPECT_LT(test::norm(expected.weight_errors), 1e-5 * test::norm(expected.weights));
    EXPECT_LT(test::norm(expected.grad_errors), test::largest_useful_share(kUnitF32) * test::norm(expected.grads));
    const Found first = find_on_device(rays, outputs, {0, rays.n_samples()});
    expect_close(first, expected);
    test::for_each_schedule([&] {
      const Found found = find_on_device(rays, outputs, {0, rays.n_samples()});
      EXPECT_EQ(found.loss, first.loss);
      EXPECT_EQ(found.weights, first.weights);
      EXPECT_EQ(found.grads, first.grads);
    });
    const Found pieces = find_on_device(rays, outputs, {0, 34, 66, 237, rays.n_samples()});
    EXPECT_NEAR(pieces.loss, first.loss, 1e-15);  // sums in double
    EXPECT_EQ(pieces.weights, first.weights);
    EXPECT_EQ(pieces.grads, first.grads);
  }
}

/// Bright colours and ones below 0, as sinh of the outputs; the loss is of their asinh.
TEST(RayLoss, AnyRadianceIsComparedByItsAsinh) {
  SomeRays rays(kCounts, DensityKind::Softplus);
  rays.color = ColorKind::Sinh;
  for (std::size_t i = 0; i < rays.targets.size(); ++i) rays.targets[i] = std::sinh(9 * rays.targets[i] - 2);
  const std::vector<float> outputs = some_outputs(rays);
  SomeRays bounded(kCounts, DensityKind::Softplus);
  const Expected of_bounded = expected_loss(bounded.loss(), outputs);  // for the weights, which are the same
  double loss = 0;
  std::vector<double> grads(outputs.size());
  const double scale = 1 / (3.0 * static_cast<double>(rays.n_rays()));
  for (std::size_t r = 0; r < kCounts.size(); ++r) {
    const auto begin = static_cast<std::size_t>(rays.offsets[r]);
    const auto end = static_cast<std::size_t>(rays.offsets[r + 1]);
    for (std::size_t c = 0; c < 3 && begin < end; ++c) {
      double color = 0, opacity = 0;
      for (std::size_t i = begin; i < end; ++i) {
        color += of_bounded.weights[i] * std::sinh(double{outputs[4 * i + c]});
        opacity += of_bounded.weights[i];
      }
      color += (1 - opacity) * double{rays.backgrounds[3 * r + c]};
      const double error = std::asinh(color) - std::asinh(double{rays.targets[3 * r + c]});
      loss += scale * error * error;
      for (std::size_t i = begin; i < end; ++i) {
        grads[4 * i + c] = 2 * scale * error / std::sqrt(1 + color * color) * of_bounded.weights[i] *
                           std::cosh(double{outputs[4 * i + c]});
      }
    }
  }
  const Found found = find_on_device(rays, outputs, {0, rays.n_samples()});
  EXPECT_NEAR(found.loss, loss, 1e-5 * loss);
  EXPECT_EQ(found.weights.size(), of_bounded.weights.size());
  double largest = 0;
  for (const double grad : grads) largest = std::max(largest, std::abs(grad));
  for (std::size_t i = 0; i < grads.size(); ++i) {
    if (i % 4 != 3) {
      ASSERT_NEAR(found.grads[i], grads[i], 1e-5 * largest) << i;
    }
  }
}

/// What lies behind a wall has no weight, whatever the intervals, and no part in any gradient; in front of it, it is
/// what one sees.
TEST(RayLoss, AnOpaqueSampleHidesWhatIsBehind) {
  for (const DensityKind density : {DensityKind::Relu, DensityKind::Softplus}) {
    SomeRays rays({40, 40, 40}, density);
    std::vector<float> outputs = some_outputs(rays);
    outputs[3] = 1e6F;                  // ray 0: at once
    outputs[4 * (40 + 35) + 3] = 1e6F;  // ray 1: in the second 32
    outputs[4 * 80 + 3] = 1e30F;        // ray 2: its depth is infinite
    for (const std::size_t i : {std::size_t{0}, std::size_t{75}, std::size_t{80}}) rays.delta[i] = 0.1F;
    rays.delta[80] = 1e10F;
    rays.delta[119] = 1e10F;  // LastInterval::Infinite
    const Found found = find_on_device(rays, outputs, {0, 120});
    expect_close(found, expected_loss(rays.loss(), outputs));
    EXPECT_EQ(found.weights[0], 1);
    EXPECT_EQ(found.weights[80], 1);
    for (std::size_t i = 0; i < 120; ++i) {
      const bool is_hidden = (i > 0 && i < 40) || (i > 75 && i < 80) || i > 80;
      if (!is_hidden) continue;
      EXPECT_EQ(found.weights[i], 0) << i;
      for (std::size_t k = 4 * i; k < 4 * i + 4; ++k) EXPECT_EQ(found.grads[k], 0) << i;
    }
  }
}

TEST(RayLoss, WhatIsNotANumberShowsInTheLoss) {
  for (const std::size_t output : {std::size_t{4 * 36 + 3}, std::size_t{4 * 36 + 1}}) {
    SomeRays rays({3, 40}, DensityKind::Relu);
    std::vector<float> outputs = some_outputs(rays);
    outputs[output] = std::nanf("");
    EXPECT_TRUE(std::isnan(find_on_device(rays, outputs, {0, 43}).loss));
  }
}

/// The same loss, described or not.
class RenderedColors final : public Objective {
 public:
  RenderedColors(SomeRays& rays, bool is_described) : rays_(rays), loss_(rays.loss()), is_described_(is_described) {
    groups_ = rays.offsets;
    groups_.erase(std::unique(groups_.begin(), groups_.end()), groups_.end());
  }
  int64_t n_samples() const override { return rays_.n_samples(); }
  std::span<const int64_t> groups() const override { return groups_; }
  const RayLoss* rays() const override { return is_described_ ? &loss_ : nullptr; }
  void fill(int64_t first, int64_t count, float* coords, float* features) const override {
    EXPECT_FALSE(is_described_);
    for (int64_t i = first; i < first + count; ++i) {
      const auto after = std::upper_bound(rays_.offsets.begin(), rays_.offsets.end(), i);
      const auto r = static_cast<std::size_t>(after - rays_.offsets.begin()) - 1;
      for (std::size_t a = 3 * r; a < 3 * r + 3; ++a) {
        const float p = rays_.origins[a] + rays_.t[static_cast<std::size_t>(i)] * rays_.directions[a];
        *coords++ = std::min(std::max(p + 0.5F, 0.0F), 1.0F);
      }
      features = std::copy_n(rays_.encoded.data() + kWidth * r, kWidth, features);
    }
  }
  /// Called for the whole batch or a part of it: the rest of `all` has no samples' worth of outputs.
  double loss(int64_t first, int64_t count, const float* outputs, float* output_grads) const override {
    std::vector<float> all(4 * rays_.t.size());
    std::copy_n(outputs, 4 * count, all.begin() + 4 * first);
    Expected e;
    e.weights.resize(rays_.t.size());
    e.weight_errors = e.weights;
    e.grads.resize(all.size());
    e.grad_errors = e.grads;
    for (std::size_t r = 0; r < static_cast<std::size_t>(rays_.n_rays()); ++r) {
      const int64_t begin = rays_.offsets[r];
      if (begin >= first && begin < first + count && rays_.offsets[r + 1] > begin) add_ray(loss_, r, all, e);
    }
    for (int64_t i = 0; i < 4 * count; ++i) {
      output_grads[i] = static_cast<float>(e.grads[static_cast<std::size_t>(4 * first + i)]);
    }
    for (int64_t i = first; i < first + count; ++i) {
      loss_.weights[static_cast<std::size_t>(i)] = static_cast<float>(e.weights[static_cast<std::size_t>(i)]);
    }
    return e.loss;
  }

 private:
  SomeRays& rays_;
  RayLoss loss_;
  bool is_described_;
  std::vector<int64_t> groups_;
};

/// As build_radiance_field makes it.
NetworkSpec small_field() {
  return test::make_network({.n_dims = 3, .widths = {16, 12}, .tile = {{2, 2, 2, 1}}, .side_features = kWidth});
}

ParamState fresh_state(const NetworkSpec& spec) {
  const auto n = static_cast<std::size_t>(spec.n_params());
  return {random_params(spec, 3), std::vector<float>(n), std::vector<float>(n)};
}

KernelInfo objective_of(const Executor& executor) {
  for (const KernelInfo& info : executor.kernels()) {
    if (info.operation == "objective") return info;
  }
  return {};
}

struct Trained {
  ParamState state;
  std::vector<double> losses;
  std::vector<float> weights;
};

Trained train(Executor& executor, DensityKind density, bool is_described, int n_steps = 2) {
  SomeRays rays(kCounts, density);
  Trained trained{fresh_state(executor.spec()), {}, {}};
  executor.set_params(trained.state.params);
  const RenderedColors objective(rays, is_described);
  for (int t = 1; t <= n_steps; ++t) {
    trained.losses.push_back(executor.train_step(objective, {.learning_rate = 0.01, .t = t}, trained.state));
  }
  executor.download(trained.state);
  trained.weights = rays.weights;
  return trained;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += std::pow(double{a[k]} - double{b[k]}, 2);
  return std::sqrt(sum);
}
double norm_of(const std::vector<float>& a) {
  return distance(a, std::vector<float>(a.size()));
}

void expect_same_training(const Trained& found, const Trained& expected) {
  for (std::size_t t = 0; t < expected.losses.size(); ++t) {
    EXPECT_NEAR(found.losses[t], expected.losses[t], 1e-5 * expected.losses[t]);
  }
  // Gradients by outputs that differ by a few roundings, then the same sums; Adam divides the smallest of them by
  // their own size, so parameters are further from each other than moments.
  EXPECT_LT(distance(found.state.adam_m, expected.state.adam_m), 2e-5 * norm_of(expected.state.adam_m));
  EXPECT_LT(distance(found.state.params, expected.state.params), 1e-4 * norm_of(expected.state.params));
  EXPECT_LT(distance(found.weights, expected.weights), 1e-4 * norm_of(expected.weights));
}

TEST(RayLoss, ATrainingStepIsThatOfALossOnTheHost) {
  const NetworkSpec spec = small_field();
  for (const DensityKind density : {DensityKind::Relu, DensityKind::Softplus}) {
    const auto host = test::emulated_cuda_backend().compile(spec, {.max_group = 100});
    const Trained expected = train(*host, density, false);
    EXPECT_EQ(objective_of(*host).reason, "the objective does not describe rays");
    for (const Backend* backend : test::cuda_backends()) {
      SCOPED_TRACE(backend->name());
      const auto device = backend->compile(spec, {.max_group = 100});
      EXPECT_EQ(objective_of(*device).reason, "decided at the first step");
      const Trained found = train(*device, density, true);
      expect_same_training(found, expected);
      EXPECT_LT(found.losses[1], found.losses[0]);
      EXPECT_EQ(objective_of(*device).reason, "the objective describes its rays");
    }
  }
}

TEST(RayLoss, PiecesOfABatchAndGradientsAlone) {
  const NetworkSpec spec = small_field();
  NetworkPlan plan = make_plan(spec, 100);
  plan.piece_rows = 110;
  NetworkExecutor<PlainF32, PlainF32> cut(plan, {.max_group = 100}, "");
  NetworkExecutor<PlainF32, PlainF32> whole(make_plan(spec, 100), {.max_group = 100}, "");
  expect_same_training(train(cut, DensityKind::Softplus, true), train(whole, DensityKind::Softplus, true));
  SomeRays rays(kCounts, DensityKind::Softplus);
  const std::vector<float> params = random_params(spec, 3);
  std::vector<float> found(params.size());
  std::vector<float> expected(params.size());
  cut.set_params(params);
  whole.set_params(params);
  const double loss = whole.objective_gradients(RenderedColors(rays, false), expected);
  EXPECT_NEAR(cut.objective_gradients(RenderedColors(rays, true), found), loss, 1e-5 * loss);
  EXPECT_LT(distance(found, expected), 2e-5 * norm_of(expected));
}

TEST(RayLoss, BatchesOfAnySizeOneAfterAnother) {
  const NetworkSpec spec = small_field();
  const auto executor = test::emulated_cuda_backend().compile(spec, {.max_group = 100});
  const std::vector<float> params = random_params(spec, 3);
  executor->set_params(params);
  for (const std::vector<int>& counts :
       std::vector<std::vector<int>>{{5}, {0, 70, 0, 33, 2}, {0, 0}, {1}, {40, 40, 40, 1}}) {
    SomeRays rays(counts, DensityKind::Relu);
    const auto fresh = test::emulated_cuda_backend().compile(spec, {.max_group = 100});
    fresh->set_params(params);
    std::vector<float> expected(params.size());
    std::vector<float> found(params.size());
    const double loss = fresh->objective_gradients(RenderedColors(rays, true), expected);
    EXPECT_EQ(executor->objective_gradients(RenderedColors(rays, true), found), loss);
    EXPECT_EQ(found, expected);
    if (rays.n_samples() == 0) {
      EXPECT_EQ(loss, 0);
      EXPECT_EQ(norm_of(found), 0);
    }
  }
}

TEST(RayLoss, TooLittleMemoryLeavesTheLossToTheHost) {
  const NetworkSpec spec = small_field();
  const auto executor = test::emulated_cuda_backend().compile(spec, {.max_group = 100});
  const Trained expected = train(*executor, DensityKind::Relu, false);
  host_memory_limit() = 1000;  // the network has its memory by now
  SomeRays rays(kCounts, DensityKind::Relu);
  std::vector<float> gradient(expected.state.params.size());
  struct Described final : Objective {
    explicit Described(SomeRays& rays) : on_host(rays, false), on_device(rays, true) {}
    int64_t n_samples() const override { return on_host.n_samples(); }
    std::span<const int64_t> groups() const override { return on_host.groups(); }
    void fill(int64_t first, int64_t count, float* coords, float* features) const override {
      on_host.fill(first, count, coords, features);
    }
    double loss(int64_t first, int64_t count, const float* outputs, float* grads) const override {
      return on_host.loss(first, count, outputs, grads);
    }
    const RayLoss* rays() const override { return on_device.rays(); }
    RenderedColors on_host;
    RenderedColors on_device;
  };
  const Described objective(rays);
  executor->set_params(random_params(spec, 3));
  EXPECT_EQ(executor->objective_gradients(objective, gradient), expected.losses[0]);
  EXPECT_NE(objective_of(*executor).reason.find("MiB for the rays"), std::string::npos);
  host_memory_limit() = std::numeric_limits<int64_t>::max();
  executor->objective_gradients(objective, gradient);
  EXPECT_EQ(objective_of(*executor).reason, "the objective describes its rays");
}

TEST(RayLoss, ALossThatIsNotFiniteChangesNothing) {
  const NetworkSpec spec = small_field();
  const auto executor = test::emulated_cuda_backend().compile(spec, {.max_group = 100});
  SomeRays rays(kCounts, DensityKind::Relu);
  rays.targets[3] = std::numeric_limits<float>::infinity();
  ParamState state = fresh_state(spec);
  const ParamState before = state;
  executor->set_params(state.params);
  EXPECT_FALSE(std::isfinite(executor->train_step(RenderedColors(rays, true), {.t = 1}, state)));
  executor->download(state);
  EXPECT_EQ(state.params, before.params);
  EXPECT_EQ(state.adam_m, before.adam_m);
}

TEST(RayLoss, RaysThatAreNotTheObjectivesAreRefused) {
  struct Lying final : Objective {
    Lying(std::vector<int64_t> some_groups, RayLoss some_rays) : own_groups(std::move(some_groups)), own(some_rays) {}
    int64_t n_samples() const override { return own_groups.back(); }
    std::span<const int64_t> groups() const override { return own_groups; }
    void fill(int64_t, int64_t, float*, float*) const override {}
    double loss(int64_t, int64_t, const float*, float*) const override { return 0; }
    const RayLoss* rays() const override { return &own; }
    std::vector<int64_t> own_groups;
    RayLoss own;
  };
  const auto refuses = [](const NetworkSpec& spec, const auto& change) {
    const auto executor = test::emulated_cuda_backend().compile(spec, {.max_group = 100});
    executor->set_params(random_params(spec, 3));
    SomeRays rays({3, 0, 4}, DensityKind::Relu);
    RayLoss loss = rays.loss();
    change(loss);
    std::vector<float> gradient(static_cast<std::size_t>(spec.n_params()));
    EXPECT_THROW(executor->objective_gradients(Lying({0, 3, 7}, loss), gradient), Error);
  };
  const NetworkSpec spec = small_field();
  const std::vector<int64_t> other_rays = {0, 2, 2, 7};
  const std::vector<int64_t> backwards = {0, 3, 1, 7};
  refuses(spec, [](RayLoss& loss) { loss.origins = loss.origins.first(6); });
  refuses(spec, [](RayLoss& loss) { loss.directions = loss.directions.first(6); });
  refuses(spec, [](RayLoss& loss) { loss.encoded_directions = loss.encoded_directions.first(3); });
  refuses(spec, [](RayLoss& loss) { loss.targets = {}; });
  refuses(spec, [](RayLoss& loss) { loss.backgrounds = {}; });
  refuses(spec, [](RayLoss& loss) { loss.t = loss.t.first(6); });
  refuses(spec, [](RayLoss& loss) { loss.delta = loss.delta.first(6); });
  refuses(spec, [](RayLoss& loss) { loss.weights = {}; });
  refuses(spec, [](RayLoss& loss) { loss.offsets = {}; });
  refuses(spec, [&](RayLoss& loss) { loss.offsets = other_rays; });
  refuses(spec, [&](RayLoss& loss) { loss.offsets = backwards; });
  refuses(test::make_network({.n_dims = 3, .n_out = 3}), [](RayLoss&) {});
  refuses(test::make_network({.n_out = 4}), [](RayLoss&) {});
}

}  // namespace
}  // namespace loe::cuda
