#include "loe/nn/discriminator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "backend/network_builders.h"
#include "backend/reference/conv_net.h"
#include "loe/backend/adam.h"
#include "loe/base/error.h"
#include "nn/half_scale.h"
#include "nn/hinge.h"
#include "nn/spectral_norm.h"

namespace loe {
namespace {

using test::Uniform;

constexpr double kUnit = 0x1p-24;

template <class T>
std::vector<T> random_values(int64_t n, uint64_t seed) {
  Uniform uniform(seed);
  std::vector<T> values(n);
  for (T& value : values) value = static_cast<T>(uniform(-1, 1));
  return values;
}

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

/// Central difference of f at x[k].
double slope_at(double& x, const std::function<double()>& f) {
  constexpr double kStep = 1e-5;
  const double before = x;
  x = before + kStep;
  const double high = f();
  x = before - kStep;
  const double low = f();
  x = before;
  return (high - low) / (2 * kStep);
}

TEST(HalfScale, KeepsCornersAndRamps) {
  const HalfScale half({7, 10});
  EXPECT_EQ(half.output(), (MapSize{3, 5}));
  std::vector<double> x(70);
  for (int i = 0; i < 70; ++i) x[i] = 2.0 * (i / 10) - 3.0 * (i % 10);
  std::vector<double> y(15);
  half.forward(x.data(), y.data());
  for (int i = 0; i < 15; ++i) {
    const double row = (i / 5) * 6.0 / 2.0;
    const double column = (i % 5) * 9.0 / 4.0;
    EXPECT_NEAR(y[i], 2 * row - 3 * column, 1e-13);
  }
  EXPECT_EQ(y[0], x[0]);
  EXPECT_EQ(y[14], x[69]);
}

TEST(HalfScale, TheWayBackIsTheAdjoint) {
  for (const MapSize size : {MapSize{1, 1}, {1, 5}, {2, 3}, {3, 2}, {4, 4}, {7, 6}, {16, 9}}) {
    const HalfScale half(size);
    const auto x = random_values<double>(size.n_pixels(), 1);
    const auto y_grads = random_values<double>(half.output().n_pixels(), 2);
    std::vector<double> y(y_grads.size());
    half.forward(x.data(), y.data());
    std::vector<double> x_grads(x.size(), 0.5);
    half.add_adjoint(y_grads.data(), x_grads.data());
    for (double& g : x_grads) g -= 0.5;
    // At most 144 products of size 1 in double.
    EXPECT_NEAR(dot(y, y_grads), dot(x, x_grads), 144 * 0x1p-50) << size.height << " x " << size.width;
  }
  EXPECT_EQ(HalfScale::half({1, 5}), (MapSize{1, 2}));
}

TEST(SpectralNormalisation, PowerIterationsFindTheLargestSingularValue) {
  // 3 a b^T + 1 c d^T with orthonormal a, c and b, d: singular values 3 and 1.
  const double h = std::sqrt(0.5);
  const std::vector<double> a = {h, h, 0}, c = {h, -h, 0}, b = {0.6, 0, 0.8, 0, 0}, d = {0.8, 0, -0.6, 0, 0};
  std::vector<double> w(15);
  for (int i = 0; i < 15; ++i) w[i] = 3 * a[i / 5] * b[i % 5] + c[i / 5] * d[i % 5];
  std::vector<double> u = {1, 0, 0};
  double before = 0;
  for (int iteration = 0; iteration < 12; ++iteration) {
    const SpectralNorm norm = spectral_norm(std::span<const double>(w), std::span<const double>(u), true);
    EXPECT_GE(norm.sigma, before - 1e-12);
    before = norm.sigma;
    u = norm.u;
  }
  // The share of the smaller one falls by (1 / 3)^2 per iteration.
  EXPECT_NEAR(before, 3, 1e-9);
  const SpectralNorm still = spectral_norm(std::span<const double>(w), std::span<const double>(u), false);
  EXPECT_EQ(still.u, u);
  EXPECT_NEAR(still.sigma, 3, 1e-9);
}

TEST(SpectralNormalisation, GradientsAreFiniteDifferences) {
  auto w = random_values<double>(4 * 9, 5);
  const auto coefficients = random_values<double>(w.size(), 6);
  const auto u0 = random_values<double>(4, 7);
  const SpectralNorm norm = spectral_norm(std::span<const double>(w), std::span<const double>(u0), true);
  const auto loss = [&] {
    double sigma = 0;
    for (size_t i = 0; i < w.size(); ++i) sigma += norm.u[i / 9] * w[i] * norm.v[i % 9];
    return dot(coefficients, w) / sigma;
  };
  std::vector<double> normalised = w;
  for (double& value : normalised) value /= norm.sigma;
  std::vector<double> grads = coefficients;
  spectral_norm_backward<double>(norm.sigma, norm.u, norm.v, normalised, grads);
  for (size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(grads[i], slope_at(w[i], loss), 1e-8) << i;
}

TEST(Hinge, LossesSlopesAndWhatIsNotFinite) {
  for (const bool is_real : {true, false}) {
    for (double score : {-3.0, -0.9, 0.0, 0.9, 3.0}) {
      const auto term = hinge(score, is_real);
      EXPECT_EQ(term.loss, std::max(0.0, is_real ? 1 - score : 1 + score));
      EXPECT_NEAR(term.slope, slope_at(score, [&] { return hinge(score, is_real).loss; }), 1e-9);
    }
    for (const double score : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity()}) {
      EXPECT_TRUE(std::isnan(hinge(score, is_real).loss));
    }
  }
  EXPECT_EQ(hinge(1.0, true).slope, 0);
  EXPECT_EQ(hinge(-1.0, false).slope, 0);
}

DiscriminatorConfig small_config() {
  return {.n_channels = 2, .widths = {5, 4}, .slope = 0.2};
}

PictureBatch batch_of(const std::vector<float>& pictures, MapSize size, int n_channels = 2) {
  return {static_cast<int64_t>(pictures.size()) / (n_channels * size.n_pixels()), size, pictures};
}

TEST(Discriminator, CountsAreThoseOfThePaper) {
  const DiscriminatorConfig config;
  EXPECT_EQ(build_discriminator(config).n_params(), 1'555'585);
  EXPECT_EQ(build_discriminator(config).output_size({256, 256}), (MapSize{8, 8}));
  EXPECT_EQ(discriminator_state_size(config), 6 * 1'555'585 + 2 * 961);
}

TEST(Discriminator, TensorsCoverTheState) {
  const std::vector<TensorInfo> tensors = discriminator_tensors(small_config());
  int64_t offset = 0;
  for (const TensorInfo& tensor : tensors) {
    EXPECT_EQ(tensor.offset, offset) << tensor.name;
    offset += tensor.size();
  }
  EXPECT_EQ(offset, discriminator_state_size(small_config()));
  EXPECT_EQ(tensors[0].name, "scale0.layers.0.weight");
  EXPECT_EQ(tensors[0].shape, (std::vector<int64_t>{5, 2, 3, 3}));
  EXPECT_EQ(tensors[12].name, "adam_m.scale0.layers.0.weight");
  EXPECT_EQ(tensors.back().name, "scale1.layers.2.u");
}

TEST(Discriminator, InitialStateIsKaimingUniformAndNormalised) {
  const std::vector<float> state = initial_discriminator_state(small_config(), 7);
  EXPECT_EQ(state, initial_discriminator_state(small_config(), 7));
  EXPECT_NE(state, initial_discriminator_state(small_config(), 8));
  for (const TensorInfo& tensor : discriminator_tensors(small_config())) {
    const auto values = std::span<const float>(state).subspan(tensor.offset, tensor.size());
    const float largest = std::abs(
        *std::max_element(values.begin(), values.end(), [](float a, float b) { return std::abs(a) < std::abs(b); }));
    const bool is_param = tensor.name.find("scale") == 0;
    if (is_param && tensor.name.find(".weight") != std::string::npos) {
      const double bound = std::sqrt(2 / 1.04 * 3 / static_cast<double>(tensor.size() / tensor.shape[0]));
      EXPECT_LE(largest, bound);
      EXPECT_GE(largest, 0.7 * bound) << tensor.name;
    } else if (tensor.name.find(".u") != std::string::npos) {
      double square = 0;
      for (const float value : values) square += value * value;
      EXPECT_NEAR(square, 1, 1e-6) << tensor.name;
    } else {
      EXPECT_EQ(largest, 0) << tensor.name;
    }
  }
}

/// The discriminator in double, u and v as they are after a power iteration (training) or without one.
struct DoubleDiscriminator {
  ConvNetSpec spec = build_discriminator(small_config());
  std::vector<double> params;  ///< both scales
  std::vector<std::vector<double>> u, v;

  DoubleDiscriminator(const std::vector<float>& state, bool advances)
      : params(state.begin(), state.begin() + 2 * spec.n_params()) {
    int64_t u_offset = 6 * spec.n_params();
    for_each_weight([&](int64_t offset, const ConvLayerSpec& layer, size_t) {
      const SpectralNorm norm = spectral_norm(std::span<const double>(params).subspan(offset, layer.n_weights()),
                                              std::span<const float>(state).subspan(u_offset, layer.n_out), advances);
      u.push_back(norm.u);
      v.push_back(norm.v);
      u_offset += layer.n_out;
    });
  }

  void for_each_weight(const std::function<void(int64_t, const ConvLayerSpec&, size_t)>& body) const {
    size_t index = 0;
    for (int scale = 0; scale < 2; ++scale) {
      for (int i = 0; i < static_cast<int>(spec.layers.size()); ++i) {
        body(scale * spec.n_params() + spec.weight_offset(i), spec.layers[i], index++);
      }
    }
  }

  std::vector<double> normalised() const {
    std::vector<double> result = params;
    for_each_weight([&](int64_t offset, const ConvLayerSpec& layer, size_t index) {
      const auto n_columns = static_cast<int64_t>(v[index].size());
      double sigma = 0;
      for (int64_t k = 0; k < layer.n_weights(); ++k) {
        sigma += u[index][k / n_columns] * params[offset + k] * v[index][k % n_columns];
      }
      for (int64_t k = 0; k < layer.n_weights(); ++k) result[offset + k] /= sigma;
    });
    return result;
  }

  /// Maps of scores of one picture at a scale.
  std::vector<double> scores(const std::vector<double>& weights, const double* picture, MapSize size, int scale) const {
    std::vector<double> x(picture, picture + 2 * size.n_pixels());
    if (scale == 1) {
      const HalfScale half(size);
      std::vector<double> y(2 * half.output().n_pixels());
      for (int c = 0; c < 2; ++c) {
        half.forward(x.data() + c * size.n_pixels(), y.data() + c * half.output().n_pixels());
      }
      x = y;
      size = half.output();
    }
    const auto mine = std::span<const double>(weights).subspan(scale * spec.n_params(), spec.n_params());
    return reference::conv_net_forward(spec, size, mine, x).values.back();
  }

  /// Mean over scales of the mean over pictures and patches of f(score).
  double mean(const std::vector<double>& pictures, MapSize size, const std::function<double(double)>& f) const {
    const std::vector<double> weights = normalised();
    const auto n_values = 2 * size.n_pixels();
    const auto n_pictures = static_cast<int64_t>(pictures.size()) / n_values;
    double sum = 0;
    for (int scale = 0; scale < 2; ++scale) {
      for (int64_t i = 0; i < n_pictures; ++i) {
        const std::vector<double> map = scores(weights, pictures.data() + i * n_values, size, scale);
        for (const double score : map) sum += f(score) / static_cast<double>(2 * n_pictures * map.size());
      }
    }
    return sum;
  }

  double loss(const std::vector<double>& real, const std::vector<double>& fake, MapSize size) const {
    return mean(real, size, [](double s) { return std::max(0.0, 1 - s); }) +
           mean(fake, size, [](double s) { return std::max(0.0, 1 + s); });
  }
};

template <class Found>
void expect_near_by_norm(const Found& found, const std::vector<double>& expected, double share) {
  ASSERT_EQ(found.size(), expected.size());
  double difference = 0;
  for (size_t k = 0; k < expected.size(); ++k) difference += std::pow(found[k] - expected[k], 2);
  EXPECT_LE(std::sqrt(difference), share * std::sqrt(dot(expected, expected)));
}

/// Roundings to float between the parameters and a gradient on the reference device: half size 3, W / sigma 3 layers,
/// slope of the loss 1, gradient 1, its way through sigma 1. Layers have norm 1 and pass errors on as they are. Finite
/// differences add 1e-10 / 1e-5 at most, far below.
constexpr double kReferenceShare = 16 * kUnit;
/// On f32 kernels, also sums of up to 45 products forward and backward in 3 layers: 6 sqrt(45) units.
constexpr double kF32Share = kReferenceShare + 6 * 6.7 * kUnit;

TEST(Discriminator, LossAndGradientsAreThoseOfTheDoubleModel) {
  const MapSize size{7, 6};
  const auto real = random_values<float>(3 * 2 * size.n_pixels(), 11);
  const auto fake = random_values<float>(2 * 2 * size.n_pixels(), 12);
  const std::vector<float> state = initial_discriminator_state(small_config(), 13);
  DoubleDiscriminator model(state, true);
  const std::vector<double> real64(real.begin(), real.end()), fake64(fake.begin(), fake.end());
  const auto loss = [&] { return model.loss(real64, fake64, size); };
  std::vector<double> expected;
  for (double& param : model.params) expected.push_back(slope_at(param, loss));

  for (const char* device : {"reference", "cpu"}) {
    Discriminator discriminator(small_config(), device, 2);
    discriminator.set_state(state);
    std::vector<float> grads(discriminator.n_params());
    const double share = std::string(device) == "cpu" ? kF32Share : kReferenceShare;
    EXPECT_NEAR(discriminator.gradients(batch_of(real, size), batch_of(fake, size), state, grads), loss(), share * 2);
    expect_near_by_norm(grads, expected, share);
  }
}

TEST(Discriminator, GeneratorLossAndItsGradientsAreThoseOfTheDoubleModel) {
  for (const MapSize size : {MapSize{7, 6}, {1, 1}, {3, 8}}) {
    const auto fake = random_values<float>(3 * 2 * size.n_pixels(), 12);
    const std::vector<float> state = initial_discriminator_state(small_config(), 13);
    const DoubleDiscriminator model(state, false);
    std::vector<double> fake64(fake.begin(), fake.end());
    const auto loss = [&] { return -model.mean(fake64, size, [](double s) { return s; }); };
    std::vector<double> expected;
    for (double& value : fake64) expected.push_back(slope_at(value, loss));
    for (const char* device : {"reference", "cpu"}) {
      Discriminator discriminator(small_config(), device, 2);
      discriminator.set_state(state);
      std::vector<float> grads(fake.size(), 9.0F);
      const double share = std::string(device) == "cpu" ? kF32Share : kReferenceShare;
      const double found = discriminator.generator_loss(batch_of(fake, size), grads);
      EXPECT_NEAR(found, loss(), share);
      expect_near_by_norm(grads, expected, share);
      EXPECT_EQ(discriminator.generator_loss(batch_of(fake, size), {}), found);
      const auto scores = discriminator.scores(batch_of(fake, size));
      EXPECT_NEAR(-(scores[0] + scores[1]) / 2, found, 1e-6);
    }
  }
}

TEST(Discriminator, AStepIsAdamOnTheGradients) {
  const MapSize size{8, 8};
  const auto real = random_values<float>(4 * 2 * 64, 1);
  const auto fake = random_values<float>(4 * 2 * 64, 2);
  std::vector<float> state = initial_discriminator_state(small_config(), 3);
  Discriminator discriminator(small_config(), "cpu", 2);
  discriminator.set_state(state);
  const int64_t n = discriminator.n_params();
  for (int64_t t = 1; t <= 3; ++t) {
    const AdamUpdate update{.learning_rate = 1e-2, .beta1 = 0.5, .t = t};
    std::vector<float> expected = state;
    std::vector<float> grads(n);
    const double loss = discriminator.gradients(batch_of(real, size), batch_of(fake, size), state, grads);
    EXPECT_EQ(state, expected);
    const AdamScalars scalars(update);
    for (int64_t i = 0; i < n; ++i) {
      adam_update(scalars, grads[i], expected[i], expected[n + i], expected[2 * n + i]);
    }
    EXPECT_EQ(discriminator.train_step(batch_of(real, size), batch_of(fake, size), update, state), loss);
    EXPECT_EQ(std::vector<float>(state.begin(), state.begin() + 3 * n),
              std::vector<float>(expected.begin(), expected.begin() + 3 * n));
    EXPECT_NE(std::vector<float>(state.begin() + 3 * n, state.end()),
              std::vector<float>(expected.begin() + 3 * n, expected.end()));
    // The step leaves the object as set_state of the new state would.
    Discriminator fresh(small_config(), "cpu", 1);
    fresh.set_state(state);
    EXPECT_EQ(fresh.scores(batch_of(fake, size)), discriminator.scores(batch_of(fake, size)));
  }
}

TEST(Discriminator, LearnsToTellPicturesApart) {
  const MapSize size{8, 8};
  auto real = random_values<float>(8 * 2 * 64, 1);
  auto fake = random_values<float>(8 * 2 * 64, 2);
  for (size_t k = 0; k < real.size(); ++k) {
    real[k] = 0.3F * real[k] + 0.4F;
    fake[k] = 0.3F * fake[k] - 0.4F;
  }
  std::vector<float> state = initial_discriminator_state(small_config(), 3);
  Discriminator discriminator(small_config(), "cpu", 1);
  discriminator.set_state(state);
  double first = 0;
  double last = 0;
  for (int64_t t = 1; t <= 100; ++t) {
    last = discriminator.train_step(batch_of(real, size), batch_of(fake, size), {.learning_rate = 1e-2, .t = t}, state);
    first = t == 1 ? last : first;
  }
  EXPECT_GT(first, 1.0);
  EXPECT_LT(last, 0.5 * first);
  const auto of_real = discriminator.scores(batch_of(real, size));
  const auto of_fake = discriminator.scores(batch_of(fake, size));
  EXPECT_GT(of_real[0], of_fake[0]);
  EXPECT_GT(of_real[1], of_fake[1]);
}

TEST(Discriminator, BitsDoNotDependOnThreads) {
  const MapSize size{19, 14};
  const auto real = random_values<float>(21 * 2 * size.n_pixels(), 1);
  const auto fake = random_values<float>(20 * 2 * size.n_pixels(), 2);
  std::vector<std::vector<float>> states;
  std::vector<std::vector<float>> grads;
  std::vector<double> losses;
  for (const int n_threads : {1, 2, 5}) {
    std::vector<float> state = initial_discriminator_state(small_config(), 3);
    Discriminator discriminator(small_config(), "cpu", n_threads);
    discriminator.set_state(state);
    double loss = 0;
    for (int64_t t = 1; t <= 3; ++t) {
      loss += discriminator.train_step(batch_of(real, size), batch_of(fake, size), {.t = t}, state);
    }
    states.push_back(state);
    grads.emplace_back(fake.size());
    losses.push_back(loss + discriminator.generator_loss(batch_of(fake, size), grads.back()));
  }
  for (size_t i = 1; i < states.size(); ++i) {
    EXPECT_EQ(states[i], states[0]);
    EXPECT_EQ(grads[i], grads[0]);
    EXPECT_EQ(losses[i], losses[0]);
  }
}

TEST(Discriminator, ALossThatIsNotFiniteChangesNothing) {
  const MapSize size{8, 8};
  const auto good = random_values<float>(2 * 2 * 64, 1);
  for (const float bad_value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> bad = good;
    bad[70] = bad_value;
    std::vector<float> state = initial_discriminator_state(small_config(), 3);
    const std::vector<float> before = state;
    Discriminator discriminator(small_config(), "cpu", 2);
    discriminator.set_state(state);
    const auto scores = discriminator.scores(batch_of(good, size));
    EXPECT_FALSE(std::isfinite(discriminator.train_step(batch_of(bad, size), batch_of(good, size), {}, state)));
    EXPECT_FALSE(std::isfinite(discriminator.train_step(batch_of(good, size), batch_of(bad, size), {}, state)));
    EXPECT_EQ(state, before);
    EXPECT_EQ(discriminator.scores(batch_of(good, size)), scores);
    EXPECT_FALSE(std::isfinite(discriminator.generator_loss(batch_of(bad, size), {})));
  }
}

void refused(const std::string& part, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "expected an error with \"" << part << '"';
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Discriminator, ErrorsSayWhatWasExpected) {
  refused("widths", [] { build_discriminator({.widths = {}}); });
  refused("n_out", [] { build_discriminator({.widths = {8, 0}}); });
  refused("slope", [] { build_discriminator({.slope = 2}); });
  Discriminator discriminator(small_config(), "cpu", 1);
  std::vector<float> state = initial_discriminator_state(small_config(), 3);
  discriminator.set_state(state);
  std::vector<float> pictures(2 * 2 * 64);
  const PictureBatch good = batch_of(pictures, {8, 8});
  const PictureBatch smaller{1, {4, 4}, std::span<const float>(pictures).first(32)};
  refused("state", [&] { discriminator.set_state(std::span(state).first(9)); });
  refused("fake: expected 8 x 8", [&] { discriminator.train_step(good, smaller, {}, state); });
  refused("real: expected 1 picture", [&] { discriminator.train_step({0, {8, 8}, {}}, good, {}, state); });
  refused("fake: expected 128", [&] { discriminator.generator_loss({3, {8, 8}, pictures}, {}); });
  refused("picture_grads", [&] { discriminator.generator_loss(good, std::span(pictures).first(5)); });
  refused("param_grads", [&] { discriminator.gradients(good, good, state, std::span(pictures).first(5)); });
  refused("t: expected", [&] { discriminator.train_step(good, good, {.t = 0}, state); });
}

}  // namespace
}  // namespace loe
