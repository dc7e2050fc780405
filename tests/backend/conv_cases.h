// Convolutional networks and batches that executors are compared on, and what they should give.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "backend/conv_rounding.h"
#include "loe/backend/conv_net.h"

namespace loe::test {

inline Activation leaky(double slope = 0.2) {
  return {ActivationKind::LeakyRelu, slope};
}

/// Kernel 3, stride 2, padding 1, LeakyReLU on all but the last.
inline ConvNetSpec patch_net(const std::vector<int>& widths) {
  ConvNetSpec spec;
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    spec.layers.push_back({widths[i], widths[i + 1], 3, 2, 1, i + 2 < widths.size() ? leaky() : Activation{}});
  }
  return spec;
}

/// Weights of variance about 1 / fan_in, so that values neither grow nor vanish.
inline std::vector<float> random_params(const ConvNetSpec& spec, uint64_t seed) {
  Uniform uniform(seed);
  std::vector<float> params;
  for (const ConvLayerSpec& layer : spec.layers) {
    const double bound = std::sqrt(6.0 / (layer.n_in * layer.kernel * layer.kernel));
    for (int64_t k = 0; k < layer.n_weights(); ++k) params.push_back(static_cast<float>(uniform(-bound, bound)));
    for (int k = 0; k < layer.n_out; ++k) params.push_back(static_cast<float>(uniform(-0.5, 0.5)));
  }
  return params;
}

inline std::vector<float> random_values(int64_t n, uint64_t seed) {
  Uniform uniform(seed);
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(uniform(-1, 1));
  return values;
}

template <class T>
std::vector<double> to_double(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

/// L = sum of (c y + y^2 / 2) with a coefficient per picture and place: its gradient depends on the outputs.
class Bowl final : public PictureObjective {
 public:
  explicit Bowl(int64_t n_out) : n_out_(n_out) {}
  double coefficient(int64_t picture, int64_t place) const { return std::sin(1.3 * picture + 0.7 * place); }
  double loss(int64_t first, int64_t count, const float* outputs, float* output_grads) const override {
    double sum = 0;
    for (int64_t i = 0; i < count * n_out_; ++i) {
      const double c = coefficient(first + i / n_out_, i % n_out_);
      sum += c * outputs[i] + 0.5 * outputs[i] * outputs[i];
      output_grads[i] = static_cast<float>(c + outputs[i]);
    }
    return sum;
  }

 private:
  int64_t n_out_;
};

struct ConvCase {
  std::string name;
  ConvNetSpec spec;
  int64_t n_pictures;
  MapSize size;
};

inline ConvNetSpec one_layer(ConvLayerSpec layer) {
  return {{layer}};
}

inline std::vector<ConvCase> conv_cases() {
  return {
      {"patch_even", patch_net({3, 16, 32, 1}), 5, {16, 16}},
      {"patch_odd", patch_net({3, 16, 32, 1}), 3, {13, 9}},
      {"patch_deep_1x1_maps", patch_net({3, 8, 16, 24, 1}), 2, {5, 3}},
      {"patch_one_pixel", patch_net({3, 8, 1}), 9, {1, 1}},
      {"odd_widths", patch_net({2, 7, 13, 3}), 4, {11, 12}},
      {"one_row", patch_net({3, 20, 5}), 3, {1, 17}},
      {"stride_1", {{{3, 12, 3, 1, 1, leaky()}, {12, 4, 3, 1, 0, {}}}}, 3, {8, 7}},
      {"kernel_1", {{{5, 17, 1, 1, 0, leaky(0.1)}, {17, 3, 1, 2, 0, {}}}}, 3, {6, 5}},
      {"kernel_4", {{{3, 16, 4, 2, 1, leaky()}, {16, 2, 4, 2, 1, {}}}}, 2, {14, 10}},
      {"kernel_5_stride_3", one_layer({3, 16, 5, 3, 2, {}}), 2, {11, 10}},
      {"relu_at_the_end", one_layer({4, 6, 3, 2, 1, leaky(0)}), 3, {9, 9}},
      {"many_pictures", patch_net({3, 16, 16, 1}), 37, {8, 8}},
  };
}

/// Loss, outputs and gradients of a batch in one vector each.
struct Result {
  double loss = 0;
  std::vector<float> outputs;
  std::vector<float> param_grads;
  std::vector<float> picture_grads;
};

inline Result run(ConvExecutor& executor, const ConvCase& c, const std::vector<float>& pictures) {
  const int64_t n_out = executor.spec().n_out() * executor.spec().output_size(c.size).n_pixels();
  Result result;
  result.outputs.resize(c.n_pictures * n_out);
  result.param_grads.assign(executor.spec().n_params(), 99.0F);
  result.picture_grads.assign(pictures.size(), 99.0F);
  const PictureBatch batch{c.n_pictures, c.size, pictures};
  executor.forward(batch, result.outputs);
  result.loss = executor.gradients(batch, Bowl(n_out), result.param_grads, result.picture_grads);
  return result;
}

/// What a batch should give, and rounded runs of it. Index 0: exact.
struct Truth {
  Expectation outputs, param_grads, picture_grads;
};

inline void add(Expectation& expectation, bool is_exact, const std::vector<double>& values) {
  if (is_exact) {
    expectation.exact = values;
  } else {
    expectation.runs.push_back(values);
  }
}

inline Truth truth_of(const ConvCase& c, const std::vector<float>& params, const std::vector<float>& pictures) {
  const std::vector<double> exact_params = to_double(params);
  const int64_t n_out = c.spec.n_out() * c.spec.output_size(c.size).n_pixels();
  const int64_t n_in = c.spec.n_in() * c.size.n_pixels();
  const Bowl bowl(n_out);
  Truth truth;
  for (int r = 0; r <= kRuns; ++r) {
    RoundedConvNet rounded(c.spec, exact_params, 100 + r);
    std::vector<double> outputs, picture_grads, param_grads(params.size());
    for (int64_t picture = 0; picture < c.n_pictures; ++picture) {
      const std::vector<double> x(pictures.begin() + picture * n_in, pictures.begin() + (picture + 1) * n_in);
      const auto slope = [&](const std::vector<double>& y) {
        std::vector<double> grads(n_out);
        for (int64_t k = 0; k < n_out; ++k) grads[k] = bowl.coefficient(picture, k) + y[k];
        return grads;
      };
      std::vector<double> y, dx(n_in);
      if (r == 0) {
        const reference::ConvPass pass = reference::conv_net_forward(c.spec, c.size, exact_params, x);
        y = pass.values.back();
        reference::conv_net_backward(c.spec, exact_params, pass, slope(y), param_grads, dx);
      } else {
        y = rounded.run(c.size, x, slope, param_grads, dx);
      }
      outputs.insert(outputs.end(), y.begin(), y.end());
      picture_grads.insert(picture_grads.end(), dx.begin(), dx.end());
    }
    add(truth.outputs, r == 0, outputs);
    add(truth.param_grads, r == 0, param_grads);
    add(truth.picture_grads, r == 0, picture_grads);
  }
  return truth;
}

/// Loss, outputs and gradients of the executor against the truth; `name` says whose they are.
inline void expect_agreement(ConvExecutor& executor, const std::string& name, const ConvCase& c, const Truth& truth,
                             const std::vector<float>& params, const std::vector<float>& pictures,
                             double reference_loss) {
  SCOPED_TRACE(name);
  executor.set_params(params);
  const Result found = run(executor, c, pictures);
  std::vector<Block> tensors;
  for (const TensorInfo& tensor : c.spec.tensors()) tensors.push_back({tensor.name, tensor.offset, tensor.size()});
  truth.param_grads.check(found.param_grads, tensors);
  truth.outputs.check(found.outputs, {{"outputs", 0, static_cast<int64_t>(found.outputs.size())}});
  truth.picture_grads.check(found.picture_grads, {{"pictures", 0, static_cast<int64_t>(found.picture_grads.size())}});
  truth.outputs.check_elements(found.outputs, "outputs");
  truth.picture_grads.check_elements(found.picture_grads, "pictures");
  // Sum over outputs of |dL/dy| times the error of y.
  const double slope = norm(truth.outputs.exact) + std::sqrt(static_cast<double>(found.outputs.size()));
  EXPECT_NEAR(found.loss, reference_loss,
              slope * truth.outputs.tolerance({"outputs", 0, static_cast<int64_t>(found.outputs.size())}));
}

inline std::vector<float> case_pictures(const ConvCase& c) {
  return random_values(c.n_pictures * c.spec.n_in() * c.size.n_pixels(), 2);
}

}  // namespace loe::test
